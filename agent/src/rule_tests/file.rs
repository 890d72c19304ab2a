//! The test file: its keys, and what is in them.

use super::event::{EventDescription, Written, Wrong};
use super::problem::Problem;
use crate::fields::registry::closest;
use crate::rules::suggestion::did_you_mean;
use crate::rules::yaml::{self, Node, Value};
use crate::rules::{Excerpt, Matching, Position};

/// The keys of a file, each with what it is for.
pub(crate) const FILE_KEYS: &[(&str, &str)] = &[
    (
        "rules",
        "rule files under test, relative to this file, in order; 'default' is the rules of the program itself, which is also what a file without this key tests",
    ),
    (
        "matching",
        "'all' (the default): each rule by itself; 'first': only the first rule that matches, as the agent does by default",
    ),
    (
        "defaults",
        "fields that every event has unless it says otherwise",
    ),
    ("tests", "the tests"),
];

/// The keys of a test.
pub(crate) const TEST_KEYS: &[(&str, &str)] = &[
    ("name", "what the test shows; unique in the file"),
    ("tags", "labels by which tests can be selected"),
    ("matching", "'all' or 'first', for this test"),
    (
        "event",
        "the event's fields; null says that a field has no value",
    ),
    (
        "variants",
        "fields over those of 'event', a map for each variant: the test is run with each, and expects the same",
    ),
    ("expect", "what has to come of it"),
];

/// The keys of `expect`.
pub(crate) const EXPECT_KEYS: &[(&str, &str)] = &[
    ("fires", "rules that have to match the event"),
    ("silent", "rules that must not match the event"),
    (
        "exact",
        "true: no rule but those of 'fires' may match the event",
    ),
    (
        "output",
        "the alert's message; 'fires' has to name exactly one rule",
    ),
    (
        "output_fields",
        "fields of the alert; 'fires' has to name exactly one rule",
    ),
];

/// The values of `matching`.
pub(crate) const MATCHING: [(&str, Matching); 2] =
    [("all", Matching::All), ("first", Matching::First)];

/// A test file.
#[derive(Clone, Debug, PartialEq)]
pub struct TestFile {
    /// The rules under test; empty for those of the program.
    pub rules: Vec<RuleReference>,
    /// The tests.
    pub tests: Vec<TestCase>,
}

/// An entry of `rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleReference {
    /// The rules of the program itself.
    Default,
    /// A path, relative to the test file.
    Path(Named),
}

/// A name in the file, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub text: String,
    /// Where.
    pub position: Position,
}

/// A test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// Its name.
    pub name: Named,
    /// Its tags.
    pub tags: Vec<String>,
    /// How many rules may match.
    pub matching: Matching,
    /// What happens.
    pub event: EventDescription,
    /// What has to come of it.
    pub expectation: Expectation,
}

/// What has to come of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Rules that have to match.
    pub fires: Vec<Named>,
    /// Rules that must not.
    pub silent: Vec<Named>,
    /// No rule but those of `fires` may match.
    pub exact: bool,
    /// The alert's message.
    pub output: Option<String>,
    /// Fields of the alert, as text; `None` is a field without a value.
    pub output_fields: Vec<(String, Option<String>)>,
}

impl TestFile {
    /// Reads a file's text; `name` is what problems call it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut wrong = Vec::new();
        let file = match yaml::parse(text) {
            Ok(documents) => read(&documents, &mut wrong),
            Err((message, position)) => {
                wrong.push((position, format!("not YAML: {message}")));
                None
            }
        };
        match file {
            Some(file) if wrong.is_empty() => Ok(file),
            _ => {
                wrong.sort_by_key(|(at, _)| (at.line, at.column));
                Err(wrong
                    .into_iter()
                    .map(|one| problem(name, text, one))
                    .collect())
            }
        }
    }
}

/// What is wrong at a place of this text.
pub(super) fn problem(file: &str, text: &str, (position, message): Wrong) -> Problem {
    Problem {
        file: file.to_owned(),
        position,
        message,
        excerpt: Excerpt::of(text, position),
    }
}

fn read(documents: &[Node], wrong: &mut Vec<Wrong>) -> Option<TestFile> {
    let start = Position { line: 1, column: 1 };
    let expected = "expected a map with the key 'tests'";
    let root = match documents {
        [root] => root,
        [] => {
            wrong.push((start, format!("the file is empty: {expected}")));
            return None;
        }
        [_, second, ..] => {
            let message = "a test file is one document, and here another one starts";
            wrong.push((second.position, message.to_owned()));
            return None;
        }
    };
    if root.entries().is_none() {
        wrong.push((
            root.position,
            format!("{expected}, and found {}", root.kind()),
        ));
        return None;
    }
    check_keys(root, FILE_KEYS, wrong);
    let rules = match root.get("rules") {
        Some(node) => names(node, "rules", wrong),
        None => Vec::new(),
    };
    let rules = rules
        .into_iter()
        .map(|named| match named.text.as_str() {
            "default" => RuleReference::Default,
            _ => RuleReference::Path(named),
        })
        .collect();
    let matching = matching(root, wrong).unwrap_or(Matching::All);
    let defaults = root
        .get("defaults")
        .map(|node| Written::read(node, wrong))
        .unwrap_or_default();
    let Some(tests) = root
        .get("tests")
        .and_then(Node::list)
        .filter(|tests| !tests.is_empty())
    else {
        let at = root
            .get("tests")
            .map_or(root.position, |node| node.position);
        wrong.push((
            at,
            "the file has no tests: expected 'tests' with a list".to_owned(),
        ));
        return None;
    };
    let mut found: Vec<TestCase> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for node in tests {
        let cases = read_test(node, &defaults, matching, wrong);
        if let Some(name) = node.get("name").and_then(Node::scalar) {
            if names.iter().any(|other| other == name) {
                let message = format!("another test of this file is named '{name}'");
                wrong.push((node.position, message));
            }
            names.push(name.to_owned());
        }
        found.extend(cases.unwrap_or_default());
    }
    Some(TestFile {
        rules,
        tests: found,
    })
}

fn read_test(
    node: &Node,
    defaults: &Written,
    matching_of_file: Matching,
    wrong: &mut Vec<Wrong>,
) -> Option<Vec<TestCase>> {
    if node.entries().is_none() {
        let message = format!(
            "expected a test with the key 'name', and found {}",
            node.kind()
        );
        wrong.push((node.position, message));
        return None;
    }
    check_keys(node, TEST_KEYS, wrong);
    let name = match node.get("name").map(|node| (node, node.scalar())) {
        Some((node, Some(text))) if !text.trim().is_empty() => Some(Named {
            text: text.to_owned(),
            position: node.position,
        }),
        found => {
            let at = found.map_or(node.position, |(node, _)| node.position);
            wrong.push((at, "the test needs the key 'name' with a text".to_owned()));
            None
        }
    };
    let tags = match node.get("tags") {
        Some(node) => names(node, "tags", wrong),
        None => Vec::new(),
    };
    let matching = matching(node, wrong).unwrap_or(matching_of_file);
    let expectation = match node.get("expect") {
        Some(node) => read_expectation(node, wrong),
        None => {
            let message = "the test needs the key 'expect' with 'fires' or 'silent'";
            wrong.push((node.position, message.to_owned()));
            None
        }
    };
    let Some(event) = node.get("event") else {
        wrong.push((node.position, "the test needs the key 'event'".to_owned()));
        return None;
    };
    let before = wrong.len();
    let written = Written::read(event, wrong).over(defaults);
    let variants = match node.get("variants") {
        Some(node) => read_variants(node, &written, wrong),
        None => vec![(event.position, written)],
    };
    let are_several = node.get("variants").is_some();
    let mut events = Vec::new();
    if wrong.len() == before {
        for (position, written) in variants {
            match EventDescription::new(written, position) {
                Ok(event) => events.push((position, event)),
                Err(one) => wrong.push(one),
            }
        }
    }
    let (name, expectation) = (name?, expectation?);
    let tags: Vec<String> = tags.into_iter().map(|tag| tag.text).collect();
    let case = |(index, (position, event))| TestCase {
        name: if are_several {
            Named {
                text: format!("{} (variant {})", name.text, index + 1),
                position,
            }
        } else {
            name.clone()
        },
        tags: tags.clone(),
        matching,
        event,
        expectation: expectation.clone(),
    };
    Some(events.into_iter().enumerate().map(case).collect())
}

/// The events of a test that has several.
fn read_variants(node: &Node, below: &Written, wrong: &mut Vec<Wrong>) -> Vec<(Position, Written)> {
    let Some(variants) = node.list().filter(|variants| !variants.is_empty()) else {
        let message = "'variants' has to be a list of events, each a map of fields";
        wrong.push((node.position, message.to_owned()));
        return Vec::new();
    };
    variants
        .iter()
        .map(|node| (node.position, Written::read(node, wrong).over(below)))
        .collect()
}

fn read_expectation(node: &Node, wrong: &mut Vec<Wrong>) -> Option<Expectation> {
    if node.entries().is_none() {
        let message = format!(
            "expected 'fires' or 'silent' with the names of rules, and found {}",
            node.kind()
        );
        wrong.push((node.position, message));
        return None;
    }
    let before = wrong.len();
    check_keys(node, EXPECT_KEYS, wrong);
    let misspelt = wrong.len() > before;
    let mut expectation = Expectation::default();
    for (key, rules) in [
        ("fires", &mut expectation.fires),
        ("silent", &mut expectation.silent),
    ] {
        if let Some(node) = node.get(key) {
            *rules = names(node, key, wrong);
        }
    }
    if let Some(node) = node.get("exact") {
        match node.scalar() {
            Some("true") => expectation.exact = true,
            Some("false") => {}
            _ => wrong.push((node.position, "'exact' has to be true or false".to_owned())),
        }
    }
    if let Some(node) = node.get("output") {
        match node.scalar() {
            Some(text) => expectation.output = Some(text.trim_end().to_owned()),
            None => wrong.push((
                node.position,
                format!("'output' has to be a text, and is {}", node.kind()),
            )),
        }
    }
    if let Some(node) = node.get("output_fields") {
        let entries = node.entries().unwrap_or_else(|| {
            let message = format!("'output_fields' has to be a map, and is {}", node.kind());
            wrong.push((node.position, message));
            &[]
        });
        for (key, _, value) in entries {
            let text = match &value.value {
                Value::Null => None,
                Value::Scalar(text) => Some(text.clone()),
                _ => {
                    let message = format!("expected one value, and found {}", value.kind());
                    wrong.push((value.position, message));
                    continue;
                }
            };
            expectation.output_fields.push((key.clone(), text));
        }
    }
    let of_alert = ["output", "output_fields"].map(|key| node.get(key));
    if let (Some(node), true) = (
        of_alert.into_iter().flatten().next(),
        expectation.fires.len() != 1,
    ) {
        let message = "to check an alert, 'fires' has to name exactly one rule";
        wrong.push((node.position, message.to_owned()));
    }
    let both = expectation.silent.iter().find(|rule| {
        expectation
            .fires
            .iter()
            .any(|other| other.text == rule.text)
    });
    if let Some(rule) = both {
        let message = format!("'{}' cannot be both in 'fires' and in 'silent'", rule.text);
        wrong.push((rule.position, message));
    }
    let expects = |expectation: &Expectation| {
        !expectation.fires.is_empty() || !expectation.silent.is_empty() || expectation.exact
    };
    if !misspelt && !expects(&expectation) {
        let message = "nothing is expected: name rules in 'fires' or 'silent', \
                       or write 'exact: true' for none at all";
        wrong.push((node.position, message.to_owned()));
    }
    Some(expectation)
}

fn check_keys(node: &Node, keys: &[(&str, &str)], wrong: &mut Vec<Wrong>) {
    let known = || keys.iter().map(|(key, _)| *key);
    for (key, position, _) in node.entries().unwrap_or_default() {
        if known().all(|other| other != key) {
            let hint = match closest(key, known()) {
                Some(near) => did_you_mean(Some(near)),
                None => format!(
                    ": expected one of {}",
                    known().collect::<Vec<_>>().join(", ")
                ),
            };
            wrong.push((*position, format!("unknown key '{key}'{hint}")));
        }
    }
}

fn matching(node: &Node, wrong: &mut Vec<Wrong>) -> Option<Matching> {
    let node = node.get("matching")?;
    let found = MATCHING
        .iter()
        .find(|(name, _)| node.scalar() == Some(*name))
        .map(|(_, matching)| *matching);
    if found.is_none() {
        wrong.push((
            node.position,
            "'matching' has to be all or first".to_owned(),
        ));
    }
    found
}

/// A list of texts; a text alone is a list of one.
fn names(node: &Node, key: &str, wrong: &mut Vec<Wrong>) -> Vec<Named> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar(_) => std::slice::from_ref(node),
        Value::Null | Value::Map(_) => {
            let message = format!("'{key}' has to be a list of texts, and is {}", node.kind());
            wrong.push((node.position, message));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for item in items {
        match item.scalar().filter(|text| !text.is_empty()) {
            Some(text) => found.push(Named {
                text: text.to_owned(),
                position: item.position,
            }),
            None => {
                let message = format!("'{key}' has to hold texts, and here is {}", item.kind());
                wrong.push((item.position, message));
            }
        }
    }
    found
}
