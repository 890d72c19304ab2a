//! Typed reading of a part of the configuration tree.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use super::document::{Entry, Location, Node, Value};
use super::error::Problem;
use super::falco;
use super::key::{Key, KeyKind};

/// What reading finds out on its way.
#[derive(Default)]
pub(super) struct Reading {
    /// What is wrong, so that one start shows all of it.
    pub(super) problems: RefCell<Vec<Problem>>,
    /// The keys that were asked for: those that exist.
    pub(super) keys: RefCell<Vec<Key>>,
}

/// A value that is one of some words.
pub(super) trait Choice {
    /// All of them; any case will do.
    fn words() -> Vec<String>;
}

/// The keys of one map. Each key that is asked for is a key that exists: the others are reported
/// by [`Section::finish`].
pub(super) struct Section<'p> {
    /// With a dot at its end, or empty at the top.
    prefix: String,
    location: Location,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
    reading: &'p Reading,
}

impl<'p> Section<'p> {
    /// The whole configuration.
    pub(super) fn root(node: Node, reading: &'p Reading) -> Self {
        Self::new(String::new(), node, reading)
    }

    fn new(prefix: String, node: Node, reading: &'p Reading) -> Self {
        let location = node.location.clone();
        let entries = match node.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            other => {
                let name = match prefix.strip_suffix('.') {
                    Some(name) => format!("{name}: "),
                    None => String::new(),
                };
                let message = format!("{name}expected keys with values, found {}", shape(&other));
                reading
                    .problems
                    .borrow_mut()
                    .push(Problem::new(node.location, message));
                Vec::new()
            }
        };
        Self {
            prefix,
            location,
            entries,
            known: Vec::new(),
            reading,
        }
    }

    /// The section under this key.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'p> {
        let node = self.take(key, KeyKind::Section).unwrap_or_else(|| Node {
            value: Value::Null,
            location: Location::Option("".into()),
        });
        Section::new(format!("{}{key}.", self.prefix), node, self.reading)
    }

    /// Whether there is a value under this key.
    pub(super) fn has(&self, key: &str) -> bool {
        let has_value = |entry: &Entry| !matches!(entry.value.value, Value::Null);
        self.entries
            .iter()
            .any(|entry| entry.key == key && has_value(entry))
    }

    /// The elements of a list that holds fields and formats.
    pub(super) fn nodes(&mut self, key: &'static str) -> Vec<Node> {
        self.list(key, KeyKind::Formats)
    }

    /// The elements of a list, each with keys of its own, which `read` reads.
    pub(super) fn items<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(Section<'_>) -> T,
    ) -> Vec<T> {
        let nodes = self.list(key, KeyKind::Items);
        let path = format!("{}{key}", self.prefix);
        let items = nodes.into_iter().enumerate().map(|(index, node)| {
            let prefix = format!("{path}[{index}].");
            read(Section::new(prefix, node, self.reading))
        });
        let items = items.collect();
        // Which keys an element has is known from reading one that says nothing.
        let scratch = Reading::default();
        let nothing = Node {
            value: Value::Null,
            location: Location::Option("".into()),
        };
        read(Section::new(format!("{path}[]."), nothing, &scratch));
        self.reading
            .keys
            .borrow_mut()
            .extend(scratch.keys.into_inner());
        items
    }

    fn list(&mut self, key: &'static str, kind: KeyKind) -> Vec<Node> {
        let Some(node) = self.take(key, kind) else {
            return Vec::new();
        };
        let result = match node.value {
            Value::List(items) => Ok(items),
            other => Err(format!("expected a list, found {}", shape(&other))),
        };
        self.or_report(key, node.location, result)
            .unwrap_or_default()
    }

    /// Says what is wrong with the section as a whole.
    pub(super) fn report(&self, why: &str) {
        let name = self.prefix.trim_end_matches('.');
        let message = format!("{name}: {why}");
        self.reading
            .problems
            .borrow_mut()
            .push(Problem::new(self.location.clone(), message));
    }

    /// `true` or `false`, with YAML's older spellings.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        let parse = |text: &str| match &*text.to_ascii_lowercase() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        };
        self.parsed(key, KeyKind::Switch { default }, parse)
            .unwrap_or(default)
    }

    /// A value whose type says itself what it expects.
    pub(super) fn value<T>(&mut self, key: &'static str, default: T) -> T
    where
        T: FromStr<Err: Display> + Choice,
    {
        let kind = KeyKind::Choice { words: T::words() };
        self.parsed(key, kind, |text| {
            text.parse().map_err(|error: T::Err| error.to_string())
        })
        .unwrap_or(default)
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let parse = |text: &str| {
            text.parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| {
                    let (least, most) = (range.start(), range.end());
                    format!("expected a whole number from {least} to {most}")
                })
        };
        let kind = KeyKind::Number {
            default,
            least: *range.start(),
            most: *range.end(),
        };
        self.parsed(key, kind, parse).unwrap_or(default)
    }

    /// Any one value; `parse` says what was expected.
    pub(super) fn value_with<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parsed(key, KeyKind::Text, parse)
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        kind: KeyKind,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key, kind)?;
        let result = match &node.value {
            Value::Scalar(text) => parse(text).map_err(|why| format!("{why}, found '{text}'")),
            other => Err(format!("expected a single value, found {}", shape(other))),
        };
        self.or_report(key, node.location, result)
    }

    /// A list of texts; a single text is a list of one.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let node = self.take(key, KeyKind::Texts)?;
        let result = match node.value {
            Value::Scalar(text) => Ok(vec![text]),
            Value::List(items) => items
                .into_iter()
                .map(|item| match item.value {
                    Value::Scalar(text) => Ok(text),
                    other => Err(format!(
                        "expected a list of texts, found {} in it",
                        shape(&other)
                    )),
                })
                .collect(),
            other => Err(format!("expected a list of texts, found {}", shape(&other))),
        };
        self.or_report(key, node.location, result)
    }

    /// A map from any names to texts.
    pub(super) fn text_map(&mut self, key: &'static str) -> Vec<(String, String)> {
        let Some(node) = self.take(key, KeyKind::TextMap) else {
            return Vec::new();
        };
        let result = match node.value {
            Value::Map(entries) => entries
                .into_iter()
                .map(|entry| match entry.value.value {
                    Value::Scalar(text) => Ok((entry.key, text)),
                    Value::Null => Ok((entry.key, String::new())),
                    other => Err(format!(
                        "expected a text for '{}', found {}",
                        entry.key,
                        shape(&other)
                    )),
                })
                .collect(),
            other => Err(format!(
                "expected names with texts, found {}",
                shape(&other)
            )),
        };
        self.or_report(key, node.location, result)
            .unwrap_or_default()
    }

    /// Reports every key that nothing asked for.
    pub(super) fn finish(self) {
        for entry in self.entries {
            let key = format!("{}{}", self.prefix, entry.key);
            let message = if let Some(advice) = falco::advice(&key) {
                format!("'{key}' is a key of Falco's that Peregrine does not support: {advice}")
            } else if let Some(near) = nearest(&entry.key, &self.known) {
                format!("unknown key '{key}': did you mean '{}{near}'?", self.prefix)
            } else {
                let mut known = self.known.clone();
                known.sort_unstable();
                format!("unknown key '{key}': expected one of {}", known.join(", "))
            };
            self.reading
                .problems
                .borrow_mut()
                .push(Problem::new(entry.location, message));
        }
    }

    /// Takes a key out; `None` also if it has no value.
    fn take(&mut self, key: &'static str, kind: KeyKind) -> Option<Node> {
        self.known.push(key);
        self.reading.keys.borrow_mut().push(Key {
            path: format!("{}{key}", self.prefix),
            kind,
        });
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let node = self.entries.remove(at).value;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// The value, or `None` after noting why there is none.
    pub(super) fn or_report<T>(
        &self,
        key: &str,
        location: Location,
        result: Result<T, String>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                let message = format!("{}{key}: {why}", self.prefix);
                self.reading
                    .problems
                    .borrow_mut()
                    .push(Problem::new(location, message));
                None
            }
        }
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Scalar(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "keys with values",
    }
}

/// The known key that was most likely meant.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(key, candidate), *candidate))
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
