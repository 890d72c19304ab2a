//! Many tests of one text answered in one pass.
//!
//! Rules name hundreds of programs, folders and endings for the same few fields. All tests of one kind
//! of one field form a group; the first of them that an event comes to answers all of them, as bits.

use std::collections::HashMap;

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, Input, MatchKind};

use super::regular_expression::{self, LARGEST_BYTES};
use super::text_test::TextTest;
use super::transformer::until_nul;

/// From how many tests on a group is faster than the tests one by one.
const WORTH_IT: usize = 3;
/// Needles of which the automaton would be large are looked for one by one.
const MAX_NEEDLES: usize = 2000;

/// How the tests of a group look at a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum GroupKind {
    /// `=`, `in`, `startswith`
    Head,
    /// `endswith`
    End,
    /// `contains`
    Part,
    /// `glob`, `iglob`, of patterns that have no classes and escapes
    Glob,
    /// `regex`
    Regex,
}

impl GroupKind {
    /// The kind that can answer a test, if one can.
    pub(super) fn of(test: &TextTest) -> Option<Self> {
        match test {
            TextTest::Equals(_) | TextTest::In(_) | TextTest::StartsWith(_) => Some(Self::Head),
            TextTest::EndsWith(_) => Some(Self::End),
            TextTest::Contains(finder) if !finder.needle().is_empty() => Some(Self::Part),
            TextTest::Glob(pattern) | TextTest::GlobIgnoringCase(pattern)
                if !pattern.iter().any(|byte| matches!(byte, b'[' | b'\\')) =>
            {
                Some(Self::Glob)
            }
            TextTest::Regex(_) => Some(Self::Regex),
            _ => None,
        }
    }
}

/// Answers the tests of one kind of one field; the columns of its rows are the tests.
#[derive(Debug)]
pub(super) struct Group {
    /// Words of a row.
    words: usize,
    /// Which tests each text (or set of patterns) satisfies.
    rows: Vec<u64>,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Head(Trie),
    End(Trie),
    Part(Box<DFA>),
    Glob(regex::bytes::RegexSet),
    Regex(regex::RegexSet),
}

impl Group {
    /// For these columns, each of which is set if one of its tests holds; the tests are all of this
    /// kind. `None` if they are too few to be worth it.
    pub(super) fn build(kind: GroupKind, columns: &[Vec<&TextTest>]) -> Option<Self> {
        if columns.iter().map(Vec::len).sum::<usize>() < WORTH_IT {
            return None;
        }
        let words = columns.len().div_ceil(64);
        if matches!(kind, GroupKind::Glob | GroupKind::Regex) {
            return Self::of_patterns(kind, columns, words);
        }
        // Whether it is the whole text that has to be this one, rather than a part of it.
        let mut texts: Vec<(&[u8], bool)> = Vec::new();
        let mut places: HashMap<(&[u8], bool), usize> = HashMap::new();
        let mut rows: Vec<u64> = Vec::new();
        let numbered = columns.iter().enumerate();
        let tests =
            numbered.flat_map(|(column, tests)| tests.iter().map(move |test| (column, test)));
        for (column, test) in tests {
            let mut add = |text, is_whole| {
                let row = *places.entry((text, is_whole)).or_insert_with(|| {
                    texts.push((text, is_whole));
                    rows.extend(std::iter::repeat_n(0, words));
                    texts.len() - 1
                });
                rows[row * words + column / 64] |= 1 << (column % 64);
            };
            match test {
                TextTest::Equals(text) => add(text, true),
                TextTest::In(set) => set.iter().for_each(|text| add(text, true)),
                TextTest::StartsWith(text) | TextTest::EndsWith(text) => add(text, false),
                TextTest::Contains(finder) => add(finder.needle(), false),
                _ => return None,
            }
        }
        let search = match kind {
            GroupKind::Glob | GroupKind::Regex => return None,
            GroupKind::Head => Search::Head(Trie::new(
                texts
                    .iter()
                    .map(|(text, is_whole)| (text.to_vec(), *is_whole)),
            )),
            GroupKind::End => Search::End(Trie::new(
                texts
                    .iter()
                    .map(|(text, _)| (text.iter().rev().copied().collect(), false)),
            )),
            GroupKind::Part if texts.len() > MAX_NEEDLES => return None,
            GroupKind::Part => {
                let automaton = DFA::builder()
                    .match_kind(MatchKind::Standard)
                    // Names and paths are short: looking for a rare byte first costs more.
                    .prefilter(false)
                    .build(texts.iter().map(|(text, _)| text));
                Search::Part(Box::new(automaton.ok()?))
            }
        };
        Some(Self {
            words,
            rows,
            search,
        })
    }

    /// The same for patterns; each is a row of its own.
    fn of_patterns(kind: GroupKind, columns: &[Vec<&TextTest>], words: usize) -> Option<Self> {
        let mut patterns: Vec<String> = Vec::new();
        let mut rows: Vec<u64> = Vec::new();
        for (column, tests) in columns.iter().enumerate() {
            for test in tests {
                patterns.push(match test {
                    TextTest::Glob(pattern) => expression(pattern, "(?s-u)")?,
                    TextTest::GlobIgnoringCase(pattern) => expression(pattern, "(?si-u)")?,
                    TextTest::Regex(regex) => regex.as_str().to_owned(),
                    _ => return None,
                });
                let row = rows.len();
                rows.resize(row + words, 0);
                rows[row + column / 64] = 1 << (column % 64);
            }
        }
        let search = match kind {
            GroupKind::Glob => Search::Glob(
                regex::bytes::RegexSetBuilder::new(&patterns)
                    .size_limit(LARGEST_BYTES)
                    .build()
                    .ok()?,
            ),
            _ => Search::Regex(regular_expression::set(&patterns)?),
        };
        Some(Self {
            words,
            rows,
            search,
        })
    }

    /// Words that its answer takes.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Adds to `answer` a bit for each column that the text, which ends at its first NUL, satisfies.
    pub(super) fn answer(&self, text: &[u8], answer: &mut [u64]) {
        let mut add = |row: usize| {
            let row = &self.rows[row * self.words..][..self.words];
            for (word, bits) in answer.iter_mut().zip(row) {
                *word |= bits;
            }
        };
        match &self.search {
            Search::Head(trie) => trie.walk(text.iter().copied(), add),
            Search::End(trie) => trie.walk(until_nul(text).iter().rev().copied(), add),
            // Which patterns match is asked, and memory taken, only if one does.
            Search::Glob(patterns) => {
                let text = until_nul(text);
                if patterns.is_match(text) {
                    patterns.matches(text).into_iter().for_each(add);
                }
            }
            Search::Regex(patterns) => {
                let text = String::from_utf8_lossy(until_nul(text));
                if patterns.is_match(&text) {
                    patterns.matches(&text).into_iter().for_each(add);
                }
            }
            Search::Part(automaton) => {
                let input = Input::new(until_nul(text)).anchored(Anchored::No);
                let mut state = OverlappingState::start();
                while automaton.try_find_overlapping(&input, &mut state).is_ok() {
                    let Some(found) = state.get_match() else {
                        break;
                    };
                    add(found.pattern().as_usize());
                }
            }
        }
    }
}

/// A glob without classes and escapes as a regular expression over bytes; `None` for what is no text.
fn expression(glob: &[u8], flags: &str) -> Option<String> {
    let mut expression = format!(r"{flags}\A");
    for character in std::str::from_utf8(glob).ok()?.chars() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            plain => expression.push_str(&regex::escape(plain.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push_str(r"\z");
    Some(expression)
}

/// Texts by their bytes, one after the other.
#[derive(Debug)]
struct Trie {
    nodes: Vec<TrieNode>,
    /// Where the texts go from their first byte; 0 for nowhere.
    first: Box<[u32; 256]>,
}

#[derive(Debug, Default)]
struct TrieNode {
    /// The row of what only has to start like this.
    start: Option<u32>,
    /// The row of what has to end here.
    whole: Option<u32>,
    next: Vec<(u8, u32)>,
}

impl Trie {
    /// Of these texts, each with whether it has to be the whole; their places are their rows.
    fn new(texts: impl Iterator<Item = (Vec<u8>, bool)>) -> Self {
        let mut nodes = vec![TrieNode::default()];
        for ((text, is_whole), row) in texts.zip(0..) {
            let mut node = 0;
            for byte in text {
                let known = nodes[node].next.iter().find(|(edge, _)| *edge == byte);
                node = match known {
                    Some((_, next)) => *next as usize,
                    None => {
                        let next = nodes.len();
                        nodes.push(TrieNode::default());
                        let edge = u32::try_from(next).unwrap_or(u32::MAX);
                        nodes[node].next.push((byte, edge));
                        next
                    }
                };
            }
            if is_whole {
                nodes[node].whole = Some(row);
            } else {
                nodes[node].start = Some(row);
            }
        }
        let mut first = Box::new([0; 256]);
        for (byte, next) in &nodes[0].next {
            first[usize::from(*byte)] = *next;
        }
        Self { nodes, first }
    }

    /// Reports every row that `bytes`, which end at the first NUL, satisfy.
    fn walk(&self, mut bytes: impl Iterator<Item = u8>, mut found: impl FnMut(usize)) {
        let mut node = &self.nodes[0];
        if let Some(row) = node.start {
            found(row as usize);
        }
        let mut is_first = true;
        loop {
            let Some(byte) = bytes.next().filter(|byte| *byte != 0) else {
                if let Some(row) = node.whole {
                    found(row as usize);
                }
                return;
            };
            let next = if is_first {
                match self.first[usize::from(byte)] {
                    0 => return,
                    next => next,
                }
            } else {
                match node.next.iter().find(|(edge, _)| *edge == byte) {
                    Some((_, next)) => *next,
                    None => return,
                }
            };
            is_first = false;
            node = &self.nodes[next as usize];
            if let Some(row) = node.start {
                found(row as usize);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(group: &Group, text: &[u8]) -> Vec<u64> {
        let mut answer = vec![0; group.words()];
        group.answer(text, &mut answer);
        answer
    }

    #[test]
    fn few_tests_are_no_group() {
        let test = TextTest::StartsWith(b"a".to_vec());
        assert!(Group::build(GroupKind::Head, &[vec![&test, &test]]).is_none());
    }

    #[test]
    fn what_cannot_be_grouped_has_no_kind() {
        assert_eq!(GroupKind::of(&TextTest::contains(b"")), None);
        assert_eq!(GroupKind::of(&TextTest::Glob(b"[a]".to_vec())), None);
        assert_eq!(GroupKind::of(&TextTest::Glob(b"\\*".to_vec())), None);
    }

    fn tests_of(kind: GroupKind, texts: &[Vec<u8>]) -> Vec<TextTest> {
        let test = |(index, text): (usize, &Vec<u8>)| match kind {
            GroupKind::Head if index % 3 == 0 => TextTest::StartsWith(text.clone()),
            GroupKind::Head => TextTest::set(&[text, b"zz"]),
            GroupKind::End => TextTest::EndsWith(text.clone()),
            GroupKind::Part => TextTest::contains(text),
            GroupKind::Glob if index % 2 == 0 => TextTest::Glob(text.clone()),
            GroupKind::Glob => TextTest::GlobIgnoringCase(text.clone()),
            GroupKind::Regex => {
                let text = String::from_utf8_lossy(text).replace(['*', '?'], ".+");
                TextTest::Regex(regular_expression::compile(&text).unwrap())
            }
        };
        texts.iter().enumerate().map(test).collect()
    }

    proptest! {
        #[test]
        fn a_group_answers_as_its_tests_do(
            texts in proptest::collection::vec("[abA/*?.\n]{1,4}", 3..60),
            text in "[abBA/.\n\x00]{0,8}",
        ) {
            let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
            for kind in [
                GroupKind::Head,
                GroupKind::End,
                GroupKind::Part,
                GroupKind::Glob,
                GroupKind::Regex,
            ] {
                let tests = tests_of(kind, &texts);
                // One column for two tests, to have both kinds of columns.
                let columns: Vec<Vec<&TextTest>> =
                    tests.chunks(2).map(|pair| pair.iter().collect()).collect();
                let group = Group::build(kind, &columns).unwrap();
                let bits = answer(&group, text.as_bytes());
                for (column, tests) in columns.iter().enumerate() {
                    let bit = bits[column / 64] >> (column % 64) & 1 == 1;
                    let holds = tests.iter().any(|test| test.holds(until_nul(text.as_bytes())));
                    prop_assert_eq!(bit, holds, "{:?} {:?}", kind, tests);
                }
            }
        }
    }
}
