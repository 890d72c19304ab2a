//! A configuration file as a tree that remembers where each value came from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use saphyr::{MarkedYaml, Marker, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::Parser;

use super::error::Problem;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a file; line and column count from 1.
    File {
        /// The file as it was named.
        path: Arc<Path>,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In a `-o` argument.
    Option(Arc<str>),
}

impl Location {
    /// The line in the file; arguments come after all of them.
    pub(super) fn line(&self) -> usize {
        match self {
            Self::File { line, .. } => *line,
            Self::Option(_) => usize::MAX,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => {
                write!(formatter, "{}:{line}:{column}", path.display())
            }
            Self::Option(argument) => write!(formatter, "-o {argument}"),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) location: Location,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing was written, or `null` or `~`: as if the key were absent.
    Null,
    /// Text; which type it is, is up to the key it belongs to.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Of the key.
    pub(super) location: Location,
    pub(super) value: Node,
}

/// Gives the value of an environment variable.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Where a text comes from, to make [`Location`]s.
enum Origin {
    File(Arc<Path>),
    Option(Arc<str>),
}

impl Origin {
    fn locate(&self, marker: Marker) -> Location {
        match self {
            Self::File(path) => Location::File {
                path: Arc::clone(path),
                line: marker.line().max(1),
                column: marker.col() + 1,
            },
            Self::Option(argument) => Location::Option(Arc::clone(argument)),
        }
    }
}

/// Reads a file's text. `${NAME}` in a scalar becomes the variable's value, or nothing if there is
/// no such variable; `$${NAME}` becomes `${NAME}`.
pub(super) fn parse_file(
    path: &Path,
    text: &str,
    environment: Environment<'_>,
) -> Result<Node, Problem> {
    parse(&Origin::File(path.into()), text, environment)
}

/// Reads the value of a `-o` argument when it is written as a YAML map or list.
pub(super) fn parse_option_value(argument: &Arc<str>, text: &str) -> Result<Node, Problem> {
    // The shell has already substituted what was to be substituted.
    let literally = |_: &str| None;
    let origin = Origin::Option(Arc::clone(argument));
    let escaped = text.replace("${", "$${");
    parse(&origin, &escaped, &literally)
}

fn parse(origin: &Origin, text: &str, environment: Environment<'_>) -> Result<Node, Problem> {
    let scan_error = |error: &saphyr::ScanError| {
        let message = format!("not valid YAML: {}", error.info());
        Problem::new(origin.locate(*error.marker()), message)
    };
    // Without early parsing, scalars stay text: `version: 1.10` is not the number 1.1.
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    loader.early_parse(false);
    Parser::new_from_str(text)
        .load(&mut loader, true)
        .map_err(|error| scan_error(&error))?;
    if let Some(error) = loader.error() {
        return Err(scan_error(error));
    }
    let mut documents = loader.into_documents().into_iter();
    let Some(document) = documents.next() else {
        return Ok(Node {
            value: Value::Null,
            location: origin.locate(Marker::new(0, 1, 0)),
        });
    };
    if let Some(second) = documents.next() {
        return Err(Problem::new(
            origin.locate(second.span.start),
            "a second YAML document: the configuration is a single one",
        ));
    }
    convert(document, origin, environment)
}

fn convert(
    yaml: MarkedYaml<'_>,
    origin: &Origin,
    environment: Environment<'_>,
) -> Result<Node, Problem> {
    let location = origin.locate(yaml.span.start);
    let value = match yaml.data {
        YamlData::Representation(text, style, _) => scalar(&text, style, environment),
        YamlData::Sequence(items) => Value::List(
            items
                .into_iter()
                .map(|item| convert(item, origin, environment))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(pairs) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let location = origin.locate(key.span.start);
                let YamlData::Representation(key, ..) = key.data else {
                    return Err(Problem::new(location, "a key must be plain text"));
                };
                if entries.iter().any(|entry| entry.key == *key) {
                    let message = format!("key '{key}' is given twice");
                    return Err(Problem::new(location, message));
                }
                entries.push(Entry {
                    key: key.into_owned(),
                    location,
                    value: convert(value, origin, environment)?,
                });
            }
            Value::Map(entries)
        }
        YamlData::BadValue => Value::Null,
        YamlData::Tagged(tag, _) => {
            let message = format!("tag '{tag}' has no meaning in the configuration");
            return Err(Problem::new(location, message));
        }
        YamlData::Value(_) | YamlData::Alias(_) => {
            return Err(Problem::new(location, "not understood"));
        }
    };
    Ok(Node { value, location })
}

fn scalar(text: &str, style: ScalarStyle, environment: Environment<'_>) -> Value {
    if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar(substitute(text, environment))
}

fn substitute(text: &str, environment: Environment<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start + 2..].find('}') else {
            break;
        };
        let end = start + 2 + length;
        if let Some(before) = rest[..start].strip_suffix('$') {
            out.push_str(before);
            out.push_str(&rest[start..=end]);
        } else {
            out.push_str(&rest[..start]);
            out.push_str(&environment(&rest[start + 2..end]).unwrap_or_default());
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_substituted_once() {
        let environment = |name: &str| match name {
            "NODE" => Some("worker".to_owned()),
            "TRICK" => Some("${NODE}".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("plain $NODE", "plain $NODE"),
            ("${NODE}", "worker"),
            ("a-${NODE}-${NODE}!", "a-worker-worker!"),
            ("[${ABSENT}]", "[]"),
            ("$${NODE}", "${NODE}"),
            ("${TRICK}", "${NODE}"),
            ("${open", "${open"),
            ("é${NODE}é", "éworkeré"),
        ] {
            assert_eq!(substitute(text, &environment), expected);
        }
    }

    #[test]
    fn damaged_files_are_refused_with_a_place() {
        for (text, place) in [
            ("a: 1\nb: [1, 2", "f.yaml:3:1: not valid YAML: "),
            ("a: 1\na: 2\n", "f.yaml:2:1: "),
            ("a: 1\n\"a\": 2\n", "f.yaml:2:1: key 'a' is given twice"),
            ("a: 1\n---\nb: 1\n", "f.yaml:3:1: a second YAML document"),
            ("? [a]\n: 1\n", "f.yaml:1:"),
        ] {
            let problem = parse_file(Path::new("f.yaml"), text, &|_| None).unwrap_err();
            let message = problem.to_string();
            assert!(message.starts_with(place), "{text:?}: {message}");
        }
    }
}
