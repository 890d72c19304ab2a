//! Lists: put into conditions as text, before anything is parsed.

use std::collections::{BTreeSet, HashMap};

use super::expansion::TracedText;
use super::report::Place;

/// A list as defined.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) name: String,
    /// As written, quotes of YAML removed.
    pub(super) items: Vec<String>,
    /// Counts definitions and updates: later ones see earlier ones.
    pub(super) visible_from: usize,
    /// Where it was first defined, in that count.
    pub(super) defined_at: usize,
    pub(super) place: Place,
}

/// A list whose text goes into conditions.
#[derive(Debug)]
struct ReadyList {
    name: String,
    text: String,
    place: Place,
    used: bool,
}

/// All lists, in the order of their definition.
#[derive(Debug)]
pub(super) struct Lists(Vec<ReadyList>);

/// The text would be larger than any rule needs.
#[derive(Debug)]
pub(super) struct TooLarge;

/// Lists of lists multiply; this much text is a mistake.
const LARGEST_TEXT: usize = 4 << 20;
/// Lists in lists in lists.
const DEEPEST: usize = 100;

impl Lists {
    /// Puts together what each list stands for: an item that is the name of a list defined earlier
    /// stands for the items of that one.
    pub(super) fn new(lists: &[List]) -> Result<Self, TooLarge> {
        let mut nesting = Nesting {
            lists,
            by_name: (0..)
                .zip(lists)
                .map(|(index, list)| (list.name.as_str(), index))
                .collect(),
            states: lists.iter().map(|_| State::Waiting).collect(),
            used: vec![false; lists.len()],
        };
        let mut ready = Vec::new();
        for (index, list) in lists.iter().enumerate() {
            ready.push(ReadyList {
                name: list.name.clone(),
                text: nesting.text(index, 0)?,
                place: list.place.clone(),
                used: false,
            });
        }
        for (list, used) in ready.iter_mut().zip(nesting.used) {
            list.used = used;
        }
        Ok(Self(ready))
    }

    /// Replaces the names of lists in a condition by their items, and says which.
    ///
    /// Every word that is a list's name is replaced, in quotes too: that is how Falco does it, and
    /// rules rely on the order, each list being applied to what the former left.
    pub(super) fn expand(
        &mut self,
        condition: &TracedText,
        names: &mut BTreeSet<String>,
    ) -> Result<TracedText, TooLarge> {
        let mut text = condition.clone();
        for list in &mut self.0 {
            if list.name.is_empty() || !text.as_str().contains(&list.name) {
                continue;
            }
            if let Some(replaced) = replace_word(&text, &list.name, &list.text) {
                if replaced.as_str().len() > LARGEST_TEXT {
                    return Err(TooLarge);
                }
                list.used = true;
                names.insert(list.name.clone());
                text = replaced;
            }
        }
        Ok(text)
    }

    /// Lists that no condition and no other list names.
    pub(super) fn unused(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.0
            .iter()
            .filter(|list| !list.used)
            .map(|list| (list.name.as_str(), &list.place))
    }
}

/// Puts lists into lists.
struct Nesting<'l> {
    lists: &'l [List],
    by_name: HashMap<&'l str, usize>,
    states: Vec<State>,
    used: Vec<bool>,
}

enum State {
    Waiting,
    /// Under way: whoever names it now is within it, and means the word.
    Open,
    Done(String),
}

impl Nesting<'_> {
    /// The items of a list as they go into a condition.
    fn text(&mut self, index: usize, depth: usize) -> Result<String, TooLarge> {
        match &self.states[index] {
            State::Done(text) => return Ok(text.clone()),
            State::Open => return Ok(self.lists[index].name.clone()),
            State::Waiting => {}
        }
        if depth > DEEPEST {
            return Err(TooLarge);
        }
        self.states[index] = State::Open;
        let lists = self.lists;
        let list = &lists[index];
        let mut text = String::new();
        for item in &list.items {
            let nested = self.by_name.get(item.as_str()).copied();
            let nested = nested.filter(|nested| lists[*nested].defined_at < list.visible_from);
            let part = match nested.filter(|nested| *nested != index) {
                Some(nested) => {
                    self.used[nested] = true;
                    self.text(nested, depth + 1)?
                }
                None => quoted(item),
            };
            // A list that is empty adds no comma.
            if !text.is_empty() && !part.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&part);
            if text.len() > LARGEST_TEXT {
                return Err(TooLarge);
            }
        }
        self.states[index] = State::Done(text.clone());
        Ok(text)
    }
}

/// An item with a blank needs quotes, unless it brings its own.
pub(super) fn quoted(item: &str) -> String {
    if item.contains(' ') && !item.starts_with(['"', '\'']) {
        format!("\"{item}\"")
    } else {
        item.to_owned()
    }
}

/// Replaces each occurrence that stands alone; `None` if there is none.
fn replace_word(text: &TracedText, word: &str, replacement: &str) -> Option<TracedText> {
    let is_delimiter = |byte: u8| b" \t\x08\n\r(),=".contains(&byte);
    let source = text.as_str();
    let bytes = source.as_bytes();
    let mut out = TracedText::empty_at_start_of(text);
    let mut copied = 0;
    let mut from = 0;
    let mut used = false;
    while let Some(found) = source[from..].find(word) {
        let (start, end) = (from + found, from + found + word.len());
        from = end;
        let delimited = (start == 0 || is_delimiter(bytes[start - 1]))
            && bytes.get(end).copied().is_none_or(is_delimiter);
        if !delimited {
            // Another occurrence may start within this one.
            from = start + source[start..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        used = true;
        let (mut before, mut after) = (start, end);
        if replacement.is_empty() {
            // An empty list takes a comma beside it with it.
            let left = source[copied..start].trim_end();
            let right = &source[end..];
            if left.ends_with(',') {
                before = copied + left.len() - 1;
            } else if right.trim_start().starts_with(',') {
                after = end + right.len() - right.trim_start().len() + 1;
            }
        }
        out.push_part(text, copied..before);
        out.push_replacement(replacement, text, start);
        copied = after;
        from = from.max(after);
    }
    if !used {
        return None;
    }
    out.push_part(text, copied..source.len());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expansion::SourceFile;
    use crate::rules::yaml;
    use std::sync::Arc;

    fn list(name: &str, items: &[&str], at: usize) -> List {
        List {
            name: name.to_owned(),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
            visible_from: at,
            defined_at: at,
            place: Place::default(),
        }
    }

    fn traced(text: &str) -> TracedText {
        let yaml = serde_json::to_string(text).unwrap();
        let file = Arc::new(SourceFile {
            name: "f".into(),
            text: yaml.as_str().into(),
        });
        TracedText::new(&file, &yaml::parse(&yaml).unwrap()[0], text)
    }

    #[test]
    fn names_are_replaced_as_text() {
        let lists = [
            list("shells", &["sh", "bash"], 0),
            list("empty", &[], 1),
            list("all", &["shells", "a b"], 2),
            list("early", &["late"], 3),
            list("late", &["x"], 4),
            list("quotes", &["'a b'", "\"c d\""], 5),
            list("nested", &["all"], 6),
        ];
        let mut ready = Lists::new(&lists).unwrap();
        for (text, expected) in [
            ("proc.name in (shells)", "proc.name in (sh, bash)"),
            ("proc.name in (shells, x)", "proc.name in (sh, bash, x)"),
            ("proc.name = myshells", "proc.name = myshells"),
            ("proc.name = shells-x", "proc.name = shells-x"),
            ("proc.name in (empty)", "proc.name in ()"),
            ("proc.name in (a, empty)", "proc.name in (a)"),
            ("proc.name in (empty, a)", "proc.name in ( a)"),
            ("proc.name in (a, empty, b)", "proc.name in (a, b)"),
            ("proc.name in (empty, empty)", "proc.name in ( )"),
            ("proc.name in (all)", "proc.name in (sh, bash, \"a b\")"),
            // An item that is a later list is put in when that list's turn comes.
            ("proc.name in (early)", "proc.name in (x)"),
            ("proc.name in (nested)", "proc.name in (sh, bash, \"a b\")"),
            ("proc.name in (quotes)", "proc.name in ('a b', \"c d\")"),
            ("x = shells", "x = sh, bash"),
            (
                "x=\"shells\" or y=\" shells \"",
                "x=\"shells\" or y=\" sh, bash \"",
            ),
            ("shells", "sh, bash"),
            ("shells,shells", "sh, bash,sh, bash"),
        ] {
            let mut names = BTreeSet::new();
            let expanded = ready.expand(&traced(text), &mut names).unwrap();
            assert_eq!(expanded.as_str(), expected, "{text}");
            assert_eq!(names.is_empty(), text == expected, "{text}");
        }
        assert_eq!(ready.unused().count(), 0);
    }

    #[test]
    fn lists_that_multiply_are_refused() {
        let mut lists = vec![list("l0", &["xxxxxxxxxx"; 10], 0)];
        for level in 1..9 {
            let inner = format!("l{}", level - 1);
            lists.push(list(&format!("l{level}"), &[inner.as_str(); 10], level));
        }
        assert!(Lists::new(&lists).is_err());
    }

    #[test]
    fn a_list_named_by_another_list_is_used() {
        let ready = Lists::new(&[list("a", &["x"], 0), list("b", &["a"], 1)]).unwrap();
        assert_eq!(
            ready.unused().map(|(name, _)| name).collect::<Vec<_>>(),
            ["b"]
        );
    }

    #[test]
    fn a_list_within_itself_is_a_word() {
        let mut lists = [list("a", &["b", "a"], 0), list("b", &["a", "x"], 1)];
        lists[0].visible_from = 2;
        let mut ready = Lists::new(&lists).unwrap();
        let expanded = ready.expand(&traced("a"), &mut BTreeSet::new()).unwrap();
        assert_eq!(expanded.as_str(), "a, x, a");
    }
}
