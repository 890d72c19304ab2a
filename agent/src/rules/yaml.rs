//! YAML of rule files as a tree that remembers where everything stands.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::report::Position;

/// Lists and maps nest so deep at most: rule files need five levels.
const DEEPEST: usize = 100;
/// Values with those that aliases repeat, so that aliases of aliases cannot fill the memory.
const MOST_VALUES: usize = 1_000_000;

/// A value and where it starts.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) position: Position,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    /// Text: what type it is of is up to the key that it belongs to.
    Scalar(String),
    List(Vec<Node>),
    /// Keys in their order.
    Map(Vec<(String, Position, Node)>),
}

impl Node {
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[(String, Position, Self)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?
            .iter()
            .find(|(name, _, _)| name == key)
            .map(|(_, _, node)| node)
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// What is wrong with a text, and where.
pub(crate) type YamlError = (String, Position);

/// A key that its map has already, and where it is. The map keeps the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuplicateKey {
    pub(crate) key: String,
    pub(crate) position: Position,
}

/// All documents of a text. A key that is there twice is an error.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, YamlError> {
    let (documents, duplicates) = parse_with_duplicates(text)?;
    match duplicates.into_iter().next() {
        None => Ok(documents),
        Some(DuplicateKey { key, position }) => {
            Err((format!("the key '{key}' is there twice"), position))
        }
    }
}

/// All documents of a text, and the keys that are there twice. Of those the first counts, as in the
/// lookups of yaml-cpp, with which Falco reads rule files.
pub(crate) fn parse_with_duplicates(
    text: &str,
) -> Result<(Vec<Node>, Vec<DuplicateKey>), YamlError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event
            .map_err(|error: ScanError| (error.info().to_string(), position(*error.marker())))?;
        builder.event(event, span)?;
    }
    Ok((builder.documents, builder.duplicates))
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

/// A list or map whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    /// Of a map: the key whose value comes next.
    key: Option<(String, Position)>,
    /// Of a map: its keys so far.
    keys: HashSet<String>,
    /// Values in it so far.
    values: usize,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    duplicates: Vec<DuplicateKey>,
    open: Vec<Open>,
    /// Values that have a name, and how many values are in each.
    anchors: HashMap<usize, (Node, usize)>,
    /// Values in memory.
    values: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let position = position(span.start);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_null = style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null {
                    Value::Null
                } else {
                    Value::Scalar(text.into_owned())
                };
                self.count(1, position)?;
                self.add(Node { value, position }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(Value::List(Vec::new()), position, anchor),
            Event::MappingStart(anchor, _) => self.open(Value::Map(Vec::new()), position, anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => {
                    // Those in it are counted already.
                    self.count(1, done.node.position)?;
                    self.add(done.node, done.anchor, done.values + 1)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, values)) => {
                    self.count(values, node.position)?;
                    self.add(node, 0, values)
                }
                None => Err((
                    "this name stands for a value that has not ended yet".to_owned(),
                    position,
                )),
            },
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    fn open(&mut self, value: Value, position: Position, anchor: usize) -> Result<(), YamlError> {
        if self.open.len() == DEEPEST {
            return Err((
                format!("lists and maps nest deeper than {DEEPEST} levels"),
                position,
            ));
        }
        self.open.push(Open {
            node: Node { value, position },
            anchor,
            key: None,
            keys: HashSet::new(),
            values: 0,
        });
        Ok(())
    }

    fn count(&mut self, values: usize, position: Position) -> Result<(), YamlError> {
        self.values += values;
        if self.values > MOST_VALUES {
            return Err((format!("more than {MOST_VALUES} values"), position));
        }
        Ok(())
    }

    /// Adds a value, in which there are so many with itself, to the one that is open.
    fn add(&mut self, node: Node, anchor: usize, values: usize) -> Result<(), YamlError> {
        let position = node.position;
        if anchor > 0 {
            // The copy takes memory too.
            self.count(values, position)?;
            self.anchors.insert(anchor, (node.clone(), values));
        }
        let Some(within) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        within.values += values;
        match (&mut within.node.value, within.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some((key, at))) => {
                if within.keys.insert(key.clone()) {
                    entries.push((key, at, node));
                } else {
                    let position = at;
                    self.duplicates.push(DuplicateKey { key, position });
                }
            }
            (Value::Map(_), None) => {
                let key = match node.value {
                    Value::Scalar(key) => key,
                    Value::Null => String::new(),
                    _ => return Err(("a key has to be text".to_owned(), position)),
                };
                within.key = Some((key, position));
            }
            (Value::Null | Value::Scalar(_), _) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Scalar(text) => format!("{text:?}"),
            Value::List(items) => {
                format!(
                    "[{}]",
                    items.iter().map(shown).collect::<Vec<_>>().join(" ")
                )
            }
            Value::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, _, node)| format!("{key}={}", shown(node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn documents_and_their_values() {
        for (text, expected) in [
            ("", ""),
            (
                "- a\n- 1\n- ~\n-\n- 'null'",
                r#"["a" "1" null null "null"]"#,
            ),
            (
                "a: {b: [c]}\n---\nd: |\n  e\n",
                r#"{a={b=["c"]}} {d="e\n"}"#,
            ),
            ("a: &x [b, c]\nd: *x", r#"{a=["b" "c"] d=["b" "c"]}"#),
            ("# nothing", ""),
            ("\u{feff}- a", r#"["a"]"#),
        ] {
            let documents = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error:?}"));
            let found: Vec<_> = documents.iter().map(shown).collect();
            assert_eq!(found.join(" "), expected, "{text:?}");
        }
    }

    #[test]
    fn positions_are_lines_and_columns_from_one() {
        let documents = parse("- rule: x\n  tags: [a,\n    b]\n").unwrap();
        let tags = documents[0].list().unwrap()[0].get("tags").unwrap();
        let position = tags.list().unwrap()[1].position;
        assert_eq!(position, Position { line: 3, column: 5 });
    }

    #[test]
    fn each_value_counts_once() {
        let list = |count: usize| format!("[{}]", vec!["x"; count].join(","));
        let (half, all) = (list(MOST_VALUES / 2), list(MOST_VALUES));
        for (text, fits) in [
            (list(MOST_VALUES - 1), true),
            (all, false),
            (format!("a: {{b: {}}}", list(MOST_VALUES - 10)), true),
            // Twice in memory, and then once more.
            (format!("a: &a {}", list(MOST_VALUES / 2 - 10)), true),
            (
                format!("a: &a {}\nb: *a", list(MOST_VALUES / 2 - 10)),
                false,
            ),
            // A copy for each name.
            (format!("&a [&b [&c {half}]]"), false),
        ] {
            assert_eq!(parse(&text).is_ok(), fits, "{}", &text[..20]);
        }
    }

    #[test]
    fn the_first_of_two_values_counts() {
        let text = "a: 1\nb: {c: 2, c: 3}\na: [4]\n? a\n: 5\n";
        let (documents, duplicates) = parse_with_duplicates(text).unwrap();
        assert_eq!(shown(&documents[0]), r#"{a="1" b={c="2"}}"#);
        let found: Vec<_> = duplicates
            .iter()
            .map(|found| (&*found.key, found.position.line, found.position.column))
            .collect();
        assert_eq!(found, [("c", 2, 11), ("a", 3, 1), ("a", 4, 3)]);
    }

    #[test]
    fn what_is_no_yaml_or_too_much_of_it_is_an_error() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let nested = format!("{}{}", "[".repeat(101), "]".repeat(101));
        let bomb = (0..20).fold("- &a0 [x]\n".to_owned(), |text, level| {
            format!(
                "{text}- &a{} [{}]\n",
                level + 1,
                vec![format!("*a{level}"); 10].join(", ")
            )
        });
        for (text, part) in [
            ("a: [", ""),
            ("a: b: c", ""),
            ("a: 1\na: 2", "twice"),
            ("[a]: 1", "has to be text"),
            ("a: &x [*x]", "has not ended"),
            (&deep, ""),
            (&nested, "deeper than 100"),
            (&bomb, "1000000 values"),
        ] {
            let (message, _) = parse(text).expect_err(text);
            assert!(message.contains(part), "{message}");
        }
    }
}
