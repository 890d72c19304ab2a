//! Many tests of one text answered in one pass.
//!
//! Rules name hundreds of programs, folders and endings for the same few fields. All tests of one kind
//! of one field form a group; the first of them that an event comes to answers all of them, as bits.

use std::collections::HashMap;

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::dfa::DFA;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, Input, MatchKind};

use super::regular_expression::{self, LARGEST_BYTES};
use super::text_test::TextTest;
use super::transformer::until_nul;
use super::trie::Trie;

/// From how many tests on a group is faster than the tests one by one.
const WORTH_IT: usize = 3;
/// Bytes of all needles together up to which their automaton is a table: each takes half a kilobyte of
/// it or more.
const MOST_OF_TABLE: usize = 16 << 10;
/// Needles of more bytes than this are looked for one by one.
const MOST_NEEDLES: usize = 1 << 20;

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
    /// Words of an answer.
    words: usize,
    /// Which tests each text (or pattern) satisfies.
    rows: Rows,
    search: Search,
}

/// The columns of each row, one row after the other: most texts are in few tests of many.
#[derive(Debug)]
struct Rows {
    /// Where the row after this one starts.
    ends: Vec<u32>,
    columns: Vec<u32>,
}

impl Rows {
    /// `None` if there are more columns than a number can say.
    fn new(rows: &[Vec<u32>]) -> Option<Self> {
        let mut ends = Vec::with_capacity(rows.len());
        let mut columns = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        for row in rows {
            columns.extend_from_slice(row);
            ends.push(u32::try_from(columns.len()).ok()?);
        }
        Some(Self { ends, columns })
    }

    fn row(&self, row: usize) -> &[u32] {
        let start = match row {
            0 => 0,
            row => self.ends[row - 1] as usize,
        };
        &self.columns[start..self.ends[row] as usize]
    }
}

#[derive(Debug)]
enum Search {
    Head(Trie),
    End(Trie),
    Part(Box<DFA>),
    /// As `Part`, in less memory and more time.
    ManyParts(Box<NFA>),
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
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let numbered = columns.iter().enumerate();
        let tests =
            numbered.flat_map(|(column, tests)| tests.iter().map(move |test| (column, test)));
        for (column, test) in tests {
            let number = u32::try_from(column).ok()?;
            let mut add = |text, is_whole| {
                let row = *places.entry((text, is_whole)).or_insert_with(|| {
                    texts.push((text, is_whole));
                    rows.push(Vec::new());
                    texts.len() - 1
                });
                // Tests of one column come one after the other.
                if rows[row].last() != Some(&number) {
                    rows[row].push(number);
                }
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
                    .map(|(text, is_whole)| (text.to_vec(), *is_whole))
                    .collect(),
            )),
            GroupKind::End => Search::End(Trie::new(
                texts
                    .iter()
                    .map(|(text, _)| (text.iter().rev().copied().collect(), false))
                    .collect(),
            )),
            // Names and paths are short: looking for a rare byte first costs more.
            GroupKind::Part => {
                let bytes: usize = texts.iter().map(|(text, _)| text.len()).sum();
                if bytes > MOST_NEEDLES {
                    return None;
                }
                if bytes <= MOST_OF_TABLE {
                    let automaton = DFA::builder()
                        .match_kind(MatchKind::Standard)
                        .prefilter(false)
                        .build(texts.iter().map(|(text, _)| text));
                    Search::Part(Box::new(automaton.ok()?))
                } else {
                    let automaton = NFA::builder()
                        .match_kind(MatchKind::Standard)
                        .prefilter(false)
                        .build(texts.iter().map(|(text, _)| text));
                    Search::ManyParts(Box::new(automaton.ok()?))
                }
            }
        };
        Some(Self {
            words,
            rows: Rows::new(&rows)?,
            search,
        })
    }

    /// The same for patterns; each is a row of its own.
    fn of_patterns(kind: GroupKind, columns: &[Vec<&TextTest>], words: usize) -> Option<Self> {
        let mut patterns: Vec<String> = Vec::new();
        let mut rows: Vec<Vec<u32>> = Vec::new();
        for (column, tests) in columns.iter().enumerate() {
            for test in tests {
                patterns.push(match test {
                    TextTest::Glob(pattern) => expression(pattern, "(?s-u)")?,
                    TextTest::GlobIgnoringCase(pattern) => expression(pattern, "(?si-u)")?,
                    TextTest::Regex(regex) => regex.as_str().to_owned(),
                    _ => return None,
                });
                rows.push(vec![u32::try_from(column).ok()?]);
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
            rows: Rows::new(&rows)?,
            search,
        })
    }

    /// Words that its answer takes.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Adds to `answer` a bit for each column that the text, which ends at its first NUL, satisfies.
    pub(super) fn answer(&self, text: &[u8], answer: &mut [u64]) {
        let add = |row: usize| {
            for column in self.rows.row(row) {
                answer[*column as usize / 64] |= 1 << (column % 64);
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
            Search::Part(automaton) => search(&**automaton, until_nul(text), add),
            Search::ManyParts(automaton) => search(&**automaton, until_nul(text), add),
        }
    }
}

/// Reports every needle that is in the text, some perhaps twice.
fn search(automaton: &impl Automaton, text: &[u8], mut found: impl FnMut(usize)) {
    let input = Input::new(text).anchored(Anchored::No);
    let mut state = OverlappingState::start();
    while automaton.try_find_overlapping(&input, &mut state).is_ok() {
        let Some(needle) = state.get_match() else {
            break;
        };
        found(needle.pattern().as_usize());
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
    fn many_needles_take_an_automaton_that_is_no_table() {
        let needle = |number: usize| format!("{number:04}{}", "x".repeat(150)).into_bytes();
        for (count, is_table) in [(100, true), (1900, false)] {
            let needles: Vec<_> = (0..count).map(needle).collect();
            let tests: Vec<_> = needles
                .iter()
                .map(|needle| TextTest::contains(needle))
                .collect();
            let columns: Vec<Vec<&TextTest>> = tests.iter().map(|test| vec![test]).collect();
            let group = Group::build(GroupKind::Part, &columns).unwrap();
            assert_eq!(matches!(group.search, Search::Part(_)), is_table, "{count}");
            if let Search::ManyParts(automaton) = &group.search {
                assert!(automaton.memory_usage() < 5 << 20);
            }
            let bits = answer(&group, &[&needles[7][..], &needles[70]].concat());
            let set: Vec<usize> = (0..count)
                .filter(|column| bits[column / 64] >> (column % 64) & 1 == 1)
                .collect();
            assert_eq!(set, [7, 70]);
        }
    }

    #[test]
    fn a_row_takes_as_much_as_it_has_columns() {
        let names = |rule: usize| {
            let names: Vec<_> = (0..20).map(|name| format!("{rule} {name}")).collect();
            let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
            TextTest::set(&names)
        };
        let tests: Vec<_> = (0..5000).map(names).collect();
        let columns: Vec<Vec<&TextTest>> = tests.iter().map(|test| vec![test]).collect();
        let group = Group::build(GroupKind::Head, &columns).unwrap();
        assert_eq!(group.rows.ends.len(), 100_000);
        assert_eq!(group.rows.columns.len(), 100_000);
        let bits = answer(&group, b"4321 7");
        assert_eq!(bits[4321 / 64], 1 << (4321 % 64));
        assert_eq!(bits.iter().map(|word| word.count_ones()).sum::<u32>(), 1);
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
