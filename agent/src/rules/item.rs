//! One item of a rule file, a map with a name, and typed access to its keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::expansion::{SourceFile, TracedText};
use super::report::{Code, Finding, Item, Place, Position};
use super::suggestion::did_you_mean;
use super::yaml::{Node, Value};
use crate::fields::registry::closest;

/// A finding that ends the loading.
pub(super) type Fatal = Box<Finding>;

/// A named item.
pub(super) struct NamedItem<'n> {
    pub(super) node: &'n Node,
    /// `rule`, `macro` or `list`.
    pub(super) kind: &'static str,
    pub(super) name: &'n str,
    pub(super) file: &'n Arc<SourceFile>,
}

/// Which keys an item's `override` names, and how.
#[derive(Debug, Default)]
pub(super) struct Overrides<'n> {
    pub(super) appended: BTreeSet<&'n str>,
    pub(super) replaced: BTreeSet<&'n str>,
}

impl Overrides<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.appended.is_empty() && self.replaced.is_empty()
    }
}

impl<'n> NamedItem<'n> {
    pub(super) fn place(&self, position: Position) -> Place {
        Place {
            file: Arc::clone(&self.file.name),
            position,
        }
    }

    /// The item as findings show it.
    pub(super) fn shown(&self) -> Item {
        Item {
            kind: self.kind,
            name: self.name.to_owned(),
            place: self.place(self.node.position),
        }
    }

    pub(super) fn finding(
        &self,
        code: Code,
        position: Position,
        message: impl Into<String>,
    ) -> Fatal {
        Finding::new(code, self.place(position), Some(self.shown()), message)
    }

    /// The item's structure is wrong.
    pub(super) fn malformed(&self, position: Position, message: impl Into<String>) -> Fatal {
        self.finding(Code::YamlValidate, position, message)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// Warns of keys that the item has no use for.
    pub(super) fn check_keys(&self, keys: &[&str], findings: &mut Vec<Finding>) {
        for (key, position, _) in self.node.entries().unwrap_or_default() {
            if !keys.contains(&key.as_str()) {
                let suggestion = closest(key, keys.iter().copied());
                let message = format!("unknown key '{key}' is ignored{}", did_you_mean(suggestion));
                findings.push(*self.finding(Code::UnknownKey, *position, message));
            }
        }
    }

    /// A key's text, which is not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<TracedText>, Fatal> {
        let Some(node) = self.node.get(key) else {
            return Ok(None);
        };
        match node.scalar() {
            Some(text) if !text.trim().is_empty() => {
                Ok(Some(TracedText::new(self.file, node, text)))
            }
            found => {
                let found = if found.is_some() {
                    "empty"
                } else {
                    node.kind()
                };
                Err(self.malformed(
                    node.position,
                    format!("'{key}' has to be a text, and is {found}"),
                ))
            }
        }
    }

    /// A key's text; it is an error that it is not there.
    pub(super) fn required_text(&self, key: &str) -> Result<TracedText, Fatal> {
        self.text(key)?.ok_or_else(|| {
            let message = format!("the {} needs the key '{key}'", self.kind);
            self.malformed(self.node.position, message)
        })
    }

    /// The same, and the text may be empty.
    pub(super) fn required_text_or_empty(&self, key: &str) -> Result<TracedText, Fatal> {
        let node = self.node.get(key);
        match node.and_then(|node| Some((node, node.scalar()?))) {
            Some((node, text)) => Ok(TracedText::new(self.file, node, text)),
            None => self.required_text(key),
        }
    }

    /// A key that is true or false, as YAML 1.1 writes it.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Fatal> {
        let Some(node) = self.node.get(key) else {
            return Ok(None);
        };
        match node.scalar().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "yes" | "on" | "y") => Ok(Some(true)),
            Some("false" | "no" | "off" | "n") => Ok(Some(false)),
            _ => Err(self.malformed(node.position, format!("'{key}' has to be true or false"))),
        }
    }

    /// A key's list of single values.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Fatal> {
        let Some(node) = self.node.get(key) else {
            return Ok(None);
        };
        let items = match &node.value {
            Value::Null => return Ok(Some(Vec::new())),
            Value::List(items) => items,
            _ => {
                let message = format!("'{key}' has to be a list, and is {}", node.kind());
                return Err(self.malformed(node.position, message));
            }
        };
        let text = |item: &Node| {
            item.scalar().map(str::to_owned).ok_or_else(|| {
                let message = format!(
                    "'{key}' has to hold single values, and here is {}",
                    item.kind()
                );
                self.malformed(item.position, message)
            })
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// Reads `append: true`, and warns that it is old.
    pub(super) fn append(&self, findings: &mut Vec<Finding>) -> Result<bool, Fatal> {
        let append = self.flag("append")?.unwrap_or(false);
        if append {
            let position = self
                .node
                .get("append")
                .map_or(self.node.position, |node| node.position);
            if self.has("override") {
                let message = "'append' and 'override' cannot be used together: remove 'append'";
                return Err(self.malformed(position, message));
            }
            let message =
                "'append: true' is deprecated: write 'override' with 'append' for each key";
            findings.push(*self.finding(Code::DeprecatedItem, position, message));
        }
        Ok(append)
    }

    /// Reads `override`, which names each key that the item gives, and whether it is appended or
    /// replaces.
    pub(super) fn overrides(
        &self,
        appendable: &[&str],
        replaceable: &[&str],
    ) -> Result<Overrides<'n>, Fatal> {
        let mut overrides = Overrides::default();
        let Some(node) = self.node.get("override") else {
            return Ok(overrides);
        };
        let Some(entries) = node.entries() else {
            let message = format!("'override' has to be a map of keys, and is {}", node.kind());
            return Err(self.malformed(node.position, message));
        };
        for (key, position, how) in entries {
            let (allowed, set) = match how.scalar() {
                Some("append") => (appendable, &mut overrides.appended),
                Some("replace") => (replaceable, &mut overrides.replaced),
                _ => {
                    let message = format!("expected 'append' or 'replace' for '{key}'");
                    return Err(self.malformed(how.position, message));
                }
            };
            if !allowed.contains(&key.as_str()) {
                let how = how.scalar().unwrap_or_default();
                let done = if how == "append" {
                    "appended to"
                } else {
                    "replaced"
                };
                return Err(self.malformed(
                    *position,
                    format!(
                        "'{key}' cannot be {done}: expected one of {}",
                        allowed.join(", ")
                    ),
                ));
            }
            if !self.has(key) {
                let message = format!("'override' names '{key}', and the item does not have it");
                return Err(self.malformed(*position, message));
            }
            set.insert(key);
        }
        for (key, position, _) in self.node.entries().unwrap_or_default() {
            let known = appendable.contains(&key.as_str()) || replaceable.contains(&key.as_str());
            if known && node.get(key).is_none() {
                let message = format!("'{key}' is given, and 'override' does not name it");
                return Err(self.malformed(*position, message));
            }
        }
        Ok(overrides)
    }

    /// It changes something that is not there.
    pub(super) fn nothing_to_change<'a>(&self, known: impl Iterator<Item = &'a str>) -> Fatal {
        let suggestion = did_you_mean(closest(self.name, known));
        let message = format!(
            "no {kind} '{}' is defined before this, so there is nothing to change{suggestion}",
            self.name,
            kind = self.kind,
        );
        self.finding(Code::Validate, self.node.position, message)
    }
}
