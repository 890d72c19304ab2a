//! Whether a rule file keeps to the schema of rule files.
//!
//! It is stricter than the loader: a file that does not keep to it loads all the same, as in Falco,
//! and only the report says so.

use super::loader::{ITEM_KEYS, LIST_KEYS, MACRO_KEYS};
use super::report::Position;
use super::rule_item::RULE_KEYS;
use super::yaml::{Node, Value};

/// Priorities as the schema spells them: in upper case only.
const PRIORITIES: &[&str] = &[
    "EMERGENCY",
    "ALERT",
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "INFORMATIONAL",
    "DEBUG",
];
const EXCEPTION_KEYS: &[&str] = &["name", "fields", "comps", "values"];
const PLUGIN_KEYS: &[&str] = &["name", "version", "alternatives"];
/// Findings of one file; the others would say nothing new.
const MOST: usize = 100;

/// What does not keep to the schema, as lines that name the place.
pub(super) fn check(documents: &[Node]) -> Vec<String> {
    let mut check = Check { found: Vec::new() };
    for document in documents {
        match &document.value {
            Value::Null => {}
            Value::List(items) => items.iter().for_each(|item| check.item(item)),
            _ => check.expected(document, "a list of items"),
        }
    }
    check.found
}

struct Check {
    found: Vec<String>,
}

impl Check {
    fn add(&mut self, position: Position, message: &str) {
        if self.found.len() < MOST {
            let Position { line, column } = position;
            self.found
                .push(format!("line {line}, column {column}: {message}"));
        }
    }

    fn expected(&mut self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", node.kind());
        self.add(node.position, &message);
    }

    fn keys(&mut self, node: &Node, known: &[&str]) {
        for (key, position, _) in node.entries().unwrap_or_default() {
            if !known.contains(&key.as_str()) {
                self.add(*position, &format!("unknown key '{}'", key.escape_debug()));
            }
        }
    }

    fn item(&mut self, node: &Node) {
        if node.entries().is_none() {
            return self.expected(node, "a map");
        }
        let kind = ITEM_KEYS.iter().find(|key| node.get(key).is_some());
        let Some(kind) = kind else {
            return self.add(node.position, "unknown item");
        };
        match *kind {
            "required_engine_version" => self.keys(node, &["required_engine_version"]),
            "required_plugin_versions" => {
                self.keys(node, &["required_plugin_versions"]);
                self.each(node, "required_plugin_versions", Self::plugin);
            }
            "list" => {
                self.keys(node, LIST_KEYS);
                self.texts(node, &["list"]);
                self.each(node, "items", Self::scalar);
            }
            "macro" => {
                self.keys(node, MACRO_KEYS);
                self.texts(node, &["macro", "condition"]);
            }
            _ => self.rule(node),
        }
        self.flags(node, &["append"]);
        if let Some(entries) = node.get("override") {
            for (_, _, how) in entries.entries().unwrap_or_default() {
                self.one_of(how, &["append", "replace"]);
            }
        }
    }

    fn rule(&mut self, node: &Node) {
        self.keys(node, RULE_KEYS);
        self.texts(node, &["rule", "desc", "condition", "output", "source"]);
        let flags = [
            "enabled",
            "warn_evttypes",
            "skip-if-unknown-filter",
            "capture",
        ];
        self.flags(node, &flags);
        self.each(node, "tags", Self::scalar);
        if let Some(priority) = node.get("priority") {
            self.one_of(priority, PRIORITIES);
        }
        if let Some(duration) = node.get("capture_duration") {
            let number = duration.scalar().map(str::parse::<i64>);
            if !matches!(number, Some(Ok(_))) {
                self.expected(duration, "a whole number");
            }
        }
        self.each(node, "exceptions", |check, exception| {
            check.keys(exception, EXCEPTION_KEYS);
            if exception.get("name").is_none() {
                check.add(exception.position, "the key 'name' is missing");
            }
        });
    }

    fn plugin(&mut self, plugin: &Node) {
        self.keys(plugin, PLUGIN_KEYS);
        self.texts(plugin, &["name", "version"]);
    }

    fn each(&mut self, node: &Node, key: &str, of_each: impl Fn(&mut Self, &Node)) {
        match node.get(key).map(|list| (list, &list.value)) {
            None | Some((_, Value::Null)) => {}
            Some((_, Value::List(items))) => items.iter().for_each(|item| of_each(self, item)),
            Some((other, _)) => self.expected(other, "a list"),
        }
    }

    fn scalar(&mut self, node: &Node) {
        if node.scalar().is_none() {
            self.expected(node, "a single value");
        }
    }

    fn texts(&mut self, node: &Node, keys: &[&str]) {
        for value in keys.iter().filter_map(|key| node.get(key)) {
            self.scalar(value);
        }
    }

    fn flags(&mut self, node: &Node, keys: &[&str]) {
        for value in keys.iter().filter_map(|key| node.get(key)) {
            self.one_of(value, &["true", "false"]);
        }
    }

    fn one_of(&mut self, node: &Node, allowed: &[&str]) {
        if !node.scalar().is_some_and(|text| allowed.contains(&text)) {
            let message = format!("expected one of {}", allowed.join(", "));
            self.add(node.position, &message);
        }
    }
}
