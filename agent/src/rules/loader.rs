//! From the texts of rule files to a [`RuleSet`].
//!
//! Items are collected in order first: later ones replace, append to and override earlier ones. Only
//! then are lists put in, conditions parsed and macros resolved, since a later file may change what an
//! earlier rule means.

use std::collections::BTreeSet;

use super::Priority;
use super::definitions::{Definitions, Located, RuleDefinition};
use super::exceptions;
use super::lists::List;
use super::report::{Code, Finding, LoadReport, Position};
use super::resolve;
use super::suggestion::{did_you_mean, nearest};
use super::yaml::{self, Node, Value};
use crate::version::ENGINE_VERSION;

/// A rule file's text and the name that messages call it by.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The name, usually the path.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Room for a condition whose parentheses nest as deep as they may, in a build without optimisation.
const STACK_BYTES: usize = 32 << 20;

/// Loads rule files, in order. On an error the rule set is empty, and the report says why.
///
/// Runs on a thread of its own, whose stack does not depend on the caller's.
pub fn load(sources: &[RuleSource]) -> LoadReport {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, || load_here(sources)) {
            Ok(thread) => match thread.join() {
                Ok(report) => report,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            // No room for another thread: then on this one.
            Err(_) => load_here(sources),
        }
    })
}

fn load_here(sources: &[RuleSource]) -> LoadReport {
    let mut loader = Loader::default();
    for source in sources {
        loader.report.files.push(source.name.clone());
        loader.file.clone_from(&source.name);
        // Nothing after the first error of a file is looked at, and no file after that one.
        if let Err(finding) = loader.source(source) {
            loader.report.findings.push(*finding);
            return loader.report;
        }
    }
    let Loader {
        definitions,
        mut report,
        ..
    } = loader;
    match resolve::resolve(definitions, &mut report.findings) {
        Ok(rules) => report.rules = rules,
        Err(finding) => report.findings.push(*finding),
    }
    report
}

/// A finding that ends the loading.
pub(super) type Fatal = Box<Finding>;

#[derive(Default)]
struct Loader {
    file: String,
    definitions: Definitions,
    report: LoadReport,
}

const RULE_KEYS: &[&str] = &[
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
    "append",
    "override",
];
const LIST_KEYS: &[&str] = &["list", "items", "append", "override"];
const MACRO_KEYS: &[&str] = &["macro", "condition", "append", "override"];

impl Loader {
    fn source(&mut self, source: &RuleSource) -> Result<(), Fatal> {
        let documents = yaml::parse(&source.text).map_err(|(message, position)| {
            self.finding(Code::YamlParse, position, None, message)
        })?;
        for document in &documents {
            match &document.value {
                Value::Null => {}
                Value::List(items) => {
                    for item in items {
                        self.item(item)?;
                    }
                }
                _ => {
                    return Err(self.finding(
                        Code::YamlValidate,
                        document.position,
                        None,
                        format!(
                            "expected a list of rules, macros and lists, and found {}",
                            document.kind()
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn finding(
        &self,
        code: Code,
        position: Position,
        item: Option<(&'static str, String)>,
        message: String,
    ) -> Fatal {
        Box::new(Finding {
            code,
            message,
            file: self.file.clone(),
            position,
            item,
            excerpt: None,
        })
    }

    fn warn(
        &mut self,
        code: Code,
        position: Position,
        item: Option<(&'static str, String)>,
        message: String,
    ) {
        let finding = self.finding(code, position, item, message);
        self.report.findings.push(*finding);
    }

    fn item(&mut self, item: &Node) -> Result<(), Fatal> {
        let Value::Map(entries) = &item.value else {
            let message = format!(
                "expected an item such as '- rule: ...', and found {}",
                item.kind()
            );
            return Err(self.finding(Code::YamlValidate, item.position, None, message));
        };
        // In Falco's order: an item with two of these keys is taken for the first.
        if let Some(version) = item.get("required_engine_version") {
            return self.required_engine_version(version);
        }
        if let Some(plugins) = item.get("required_plugin_versions") {
            return self.required_plugin_versions(plugins);
        }
        for (key, kind, keys) in [
            ("list", "list", LIST_KEYS),
            ("macro", "macro", MACRO_KEYS),
            ("rule", "rule", RULE_KEYS),
        ] {
            let Some(name) = item.get(key) else { continue };
            let Some(name) = name.scalar().filter(|name| !name.is_empty()) else {
                let message = format!("the {kind} has no name");
                return Err(self.finding(Code::YamlValidate, name.position, None, message));
            };
            for (key, position, _) in entries {
                if !keys.contains(&key.as_str()) {
                    let suggestion = nearest(key, keys.iter().copied());
                    let message = format!(
                        "unknown key '{key}' is ignored{}",
                        did_you_mean(suggestion.as_deref())
                    );
                    let item = Some((kind, name.to_owned()));
                    self.warn(Code::UnknownKey, *position, item, message);
                }
            }
            let item = Item {
                node: item,
                kind,
                name: name.to_owned(),
            };
            return match kind {
                "list" => self.list(&item),
                "macro" => self.macro_item(&item),
                _ => self.rule(&item),
            };
        }
        let first = entries
            .first()
            .map_or("", |(key, _, _)| key.as_str())
            .to_owned();
        let message = format!("unknown item '{first}' is ignored: expected rule, macro or list");
        self.warn(Code::UnknownItem, item.position, None, message);
        Ok(())
    }

    fn required_engine_version(&mut self, version: &Node) -> Result<(), Fatal> {
        let text = version.scalar().unwrap_or_default();
        let minor = match text.split('.').collect::<Vec<_>>()[..] {
            [number] => number.parse::<u64>().ok(),
            ["0", minor, patch] if patch.parse::<u64>().is_ok() => minor.parse().ok(),
            // Another major version is not compatible with ours, which is 0.
            [major, minor, patch]
                if [major, minor, patch]
                    .iter()
                    .all(|n| n.parse::<u64>().is_ok()) =>
            {
                Some(u64::MAX)
            }
            _ => None,
        };
        let engine = u64::from(ENGINE_VERSION);
        match minor {
            Some(minor) if minor <= engine => Ok(()),
            Some(_) => Err(self.finding(
                Code::Validate,
                version.position,
                None,
                format!("the file needs rule engine version {text}, and this one is 0.{engine}.0"),
            )),
            None => Err(self.finding(
                Code::YamlValidate,
                version.position,
                None,
                format!("'{text}' is no version: expected a number or one such as 0.{engine}.0"),
            )),
        }
    }

    /// The agent stands for the container plugin; of others it knows nothing.
    fn required_plugin_versions(&mut self, plugins: &Node) -> Result<(), Fatal> {
        for plugin in plugins.list().unwrap_or_default() {
            let alternatives = plugin
                .get("alternatives")
                .and_then(Node::list)
                .unwrap_or_default();
            let names = std::iter::once(plugin).chain(alternatives);
            let is_met = names.into_iter().any(|candidate| {
                let text = |key| {
                    candidate
                        .get(key)
                        .and_then(Node::scalar)
                        .unwrap_or_default()
                };
                text("name") == "container" && is_container_version(text("version"))
            });
            if !is_met {
                let name = plugin
                    .get("name")
                    .and_then(Node::scalar)
                    .unwrap_or_default();
                return Err(self.finding(
                    Code::Validate,
                    plugin.position,
                    None,
                    format!(
                        "the file needs the plugin '{name}' in a version that is not there: \
                         Peregrine stands for the plugin 'container' 0.7.1 and has no others"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn list(&mut self, item: &Item<'_>) -> Result<(), Fatal> {
        let position = item.node.position;
        let missing = || {
            self.finding(
                Code::YamlValidate,
                position,
                item.location(),
                "the list needs 'items'".to_owned(),
            )
        };
        let items = item.node.get("items").ok_or_else(missing)?;
        let items: Option<Vec<String>> = match &items.value {
            Value::Null => Some(Vec::new()),
            Value::List(items) => items
                .iter()
                .map(|item| item.scalar().map(str::to_owned))
                .collect(),
            _ => None,
        };
        let Some(items) = items else {
            return Err(self.finding(
                Code::YamlValidate,
                position,
                item.location(),
                "'items' has to be a list of single values".to_owned(),
            ));
        };
        let append = self.is_append(item, &["items"])?.contains("items");
        if !item.name.chars().all(super::ast::is_bare) {
            let message = "the name has characters that a condition cannot hold".to_owned();
            self.warn(Code::InvalidListName, position, item.location(), message);
        }
        let now = self.definitions.tick();
        let existing = self
            .definitions
            .lists
            .iter_mut()
            .find(|list| list.name == item.name);
        match (existing, append) {
            (Some(list), true) => {
                list.items.extend(items);
                list.visible_from = now;
            }
            (Some(list), false) => {
                list.items = items;
                list.visible_from = now;
            }
            (None, true) => return Err(self.nothing_to_append_to(item)),
            (None, false) => self.definitions.lists.push(List {
                name: item.name.clone(),
                items,
                visible_from: now,
                defined_at: now,
                used: false,
            }),
        }
        self.definitions
            .place("list", &item.name, &self.file, position);
        Ok(())
    }

    fn macro_item(&mut self, item: &Item<'_>) -> Result<(), Fatal> {
        let position = item.node.position;
        let condition = self.text(item, "condition")?.ok_or_else(|| {
            self.finding(
                Code::YamlValidate,
                position,
                item.location(),
                "the macro needs a 'condition'".to_owned(),
            )
        })?;
        let append = self.is_append(item, &["condition"])?.contains("condition");
        let is_identifier = item
            .name
            .starts_with(|first: char| first.is_ascii_alphabetic())
            && item
                .name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_identifier {
            let message = "the name has characters that a condition cannot hold".to_owned();
            self.warn(Code::InvalidMacroName, position, item.location(), message);
        }
        if !self.definitions.define_macro(&item.name, condition, append) {
            return Err(self.nothing_to_append_to(item));
        }
        self.definitions
            .place("macro", &item.name, &self.file, position);
        Ok(())
    }

    fn nothing_to_append_to(&self, item: &Item<'_>) -> Fatal {
        let known = self.definitions.names(item.kind);
        let suggestion = nearest(&item.name, known);
        self.finding(
            Code::Validate,
            item.node.position,
            item.location(),
            format!(
                "there is no {} of this name so far to change{}",
                item.kind,
                did_you_mean(suggestion.as_deref())
            ),
        )
    }

    fn rule(&mut self, item: &Item<'_>) -> Result<(), Fatal> {
        const APPENDABLE: &[&str] = &["condition", "output", "desc", "tags", "exceptions"];
        let position = item.node.position;
        let legacy = self.flag(item, "append")?.unwrap_or(false);
        let has_override = item.node.get("override").is_some();
        let appended = self.is_append(item, APPENDABLE)?;
        let replaced = self.replaced(item)?;
        let is_change = legacy || has_override;
        let content = ["condition", "output", "desc", "priority"];
        if !is_change && !content.iter().any(|key| item.node.get(key).is_some()) {
            return self.enabled_switch(item);
        }
        let mut rule = if is_change {
            match self
                .definitions
                .rules
                .iter()
                .find(|rule| rule.name == item.name)
            {
                Some(rule) => rule.clone(),
                None => return Err(self.nothing_to_append_to(item)),
            }
        } else {
            self.new_rule(item)?
        };
        if is_change {
            let appends =
                |key: &str| appended.contains(key) || (legacy && item.node.get(key).is_some());
            if let Some(text) = self.text(item, "condition")? {
                if appends("condition") {
                    rule.condition.append(&text);
                } else if replaced.contains("condition") {
                    rule.condition = text;
                }
            }
            if let Some(text) = self.text(item, "output")?.filter(|_| !legacy) {
                if appends("output") {
                    rule.output.append(&text);
                } else {
                    rule.output = text;
                }
            }
            if let Some(text) = self.text(item, "desc")?.filter(|_| !legacy) {
                rule.description = if appends("desc") {
                    format!("{} {}", rule.description, text.text)
                } else {
                    text.text
                };
            }
            if item.node.get("tags").is_some() && !legacy {
                let tags = self.tags(item)?;
                if !appends("tags") {
                    rule.tags.clear();
                }
                rule.tags.extend(tags);
            }
            if item.node.get("exceptions").is_some() && !appends("exceptions") {
                rule.exceptions.clear();
            }
            if replaced.contains("priority") {
                rule.priority = self.priority(item)?;
            }
        }
        if let Some(exceptions) = item.node.get("exceptions") {
            let file = self.file.clone();
            let findings = &mut self.report.findings;
            exceptions::collect(
                &mut rule.exceptions,
                exceptions,
                is_change,
                findings,
                &|code, position, message| {
                    Box::new(Finding {
                        code,
                        message,
                        file: file.clone(),
                        position,
                        item: item.location(),
                        excerpt: None,
                    })
                },
            )?;
        }
        for (key, place) in [
            ("enabled", &mut rule.enabled),
            ("warn_evttypes", &mut rule.warn_event_types),
            ("skip-if-unknown-filter", &mut rule.skip_if_unknown),
        ] {
            if let Some(value) = self.flag(item, key)? {
                *place = value;
            }
        }
        if let Some(source) = item.node.get("source").and_then(Node::scalar) {
            if is_change && source != rule.source {
                return Err(self.finding(
                    Code::Validate,
                    position,
                    item.location(),
                    format!(
                        "the rule's source is '{}' and cannot become '{source}'",
                        rule.source
                    ),
                ));
            }
            source.clone_into(&mut rule.source);
        }
        let existing = self
            .definitions
            .rules
            .iter_mut()
            .find(|rule| rule.name == item.name);
        match existing {
            // In place: a replaced rule keeps its turn.
            Some(existing) if is_change => *existing = rule,
            Some(existing) if existing.source != rule.source => {
                let message = format!(
                    "the rule's source is '{}' and cannot become '{}'",
                    existing.source, rule.source
                );
                return Err(self.finding(Code::Validate, position, item.location(), message));
            }
            Some(existing) => *existing = rule,
            None => self.definitions.rules.push(rule),
        }
        Ok(())
    }

    fn new_rule(&mut self, item: &Item<'_>) -> Result<RuleDefinition, Fatal> {
        let required = |key: &'static str| {
            self.text(item, key)?.ok_or_else(|| {
                self.finding(
                    Code::YamlValidate,
                    item.node.position,
                    item.location(),
                    format!("the rule needs '{key}'"),
                )
            })
        };
        let condition = required("condition")?;
        let output = required("output")?;
        let description = required("desc")?.text;
        required("priority")?;
        Ok(RuleDefinition {
            name: item.name.clone(),
            file: self.file.clone(),
            position: item.node.position,
            condition,
            output,
            description,
            priority: self.priority(item)?,
            tags: self.tags(item)?,
            source: "syscall".to_owned(),
            enabled: true,
            warn_event_types: true,
            skip_if_unknown: false,
            exceptions: Vec::new(),
        })
    }

    fn enabled_switch(&mut self, item: &Item<'_>) -> Result<(), Fatal> {
        let Some(enabled) = self.flag(item, "enabled")? else {
            return Err(self.finding(
                Code::YamlValidate,
                item.node.position,
                item.location(),
                "the rule needs condition, output, desc and priority; or 'enabled' alone, for a rule that is there".to_owned(),
            ));
        };
        match self
            .definitions
            .rules
            .iter_mut()
            .find(|rule| rule.name == item.name)
        {
            Some(rule) => rule.enabled = enabled,
            None => return Err(self.nothing_to_append_to(item)),
        }
        let message = "an item with 'enabled' alone: write override: {enabled: replace}".to_owned();
        self.warn(
            Code::DeprecatedItem,
            item.node.position,
            item.location(),
            message,
        );
        Ok(())
    }

    fn priority(&self, item: &Item<'_>) -> Result<Priority, Fatal> {
        let node = item.node.get("priority");
        let text = node.and_then(Node::scalar).unwrap_or_default();
        text.parse().map_err(|error: super::UnknownPriority| {
            let position = node.map_or(item.node.position, |node| node.position);
            self.finding(
                Code::YamlValidate,
                position,
                item.location(),
                error.to_string(),
            )
        })
    }

    fn tags(&self, item: &Item<'_>) -> Result<BTreeSet<String>, Fatal> {
        let Some(node) = item.node.get("tags") else {
            return Ok(BTreeSet::new());
        };
        let tags = match &node.value {
            Value::Null => Some(BTreeSet::new()),
            Value::List(tags) => tags
                .iter()
                .map(|tag| tag.scalar().map(str::to_owned))
                .collect(),
            _ => None,
        };
        tags.ok_or_else(|| {
            let message = format!(
                "'tags' has to be a list of single values, and is {}",
                node.kind()
            );
            self.finding(Code::YamlValidate, node.position, item.location(), message)
        })
    }

    /// A key's text and where it stands.
    fn text(&self, item: &Item<'_>, key: &str) -> Result<Option<Located>, Fatal> {
        let Some(node) = item.node.get(key) else {
            return Ok(None);
        };
        match node.scalar().filter(|text| !text.trim().is_empty()) {
            Some(text) => Ok(Some(Located {
                text: text.to_owned(),
                file: self.file.clone(),
                position: node.position,
            })),
            None => {
                let found = if node.scalar().is_some() {
                    "an empty one"
                } else {
                    node.kind()
                };
                let message = format!("'{key}' has to be a text, and is {found}");
                Err(self.finding(Code::YamlValidate, node.position, item.location(), message))
            }
        }
    }

    fn flag(&self, item: &Item<'_>, key: &str) -> Result<Option<bool>, Fatal> {
        let Some(node) = item.node.get(key) else {
            return Ok(None);
        };
        match node.scalar().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "yes" | "on" | "y") => Ok(Some(true)),
            Some("false" | "no" | "off" | "n") => Ok(Some(false)),
            _ => {
                let message = format!("'{key}' has to be true or false");
                Err(self.finding(Code::YamlValidate, node.position, item.location(), message))
            }
        }
    }

    /// Which keys the item appends; warns of the old way to say so.
    fn is_append(
        &mut self,
        item: &Item<'_>,
        appendable: &'static [&'static str],
    ) -> Result<BTreeSet<&'static str>, Fatal> {
        let legacy = self.flag(item, "append")?.unwrap_or(false);
        let Some(node) = item.node.get("override") else {
            if legacy {
                let message =
                    "'append: true' is deprecated: write override: {...: append}".to_owned();
                self.warn(
                    Code::DeprecatedItem,
                    item.node.position,
                    item.location(),
                    message,
                );
            }
            let keys = appendable.iter().copied();
            return Ok(keys
                .filter(|key| legacy && item.node.get(key).is_some())
                .collect());
        };
        if legacy {
            let message = "'append' and 'override' cannot be used together".to_owned();
            return Err(self.finding(Code::YamlValidate, node.position, item.location(), message));
        }
        Ok(appendable
            .iter()
            .copied()
            .filter(|key| node.get(key).and_then(Node::scalar) == Some("append"))
            .collect())
    }

    /// Which keys the item replaces; checks the whole of `override`.
    fn replaced(&self, item: &Item<'_>) -> Result<BTreeSet<String>, Fatal> {
        let Some(node) = item.node.get("override") else {
            return Ok(BTreeSet::new());
        };
        let error = |position: Position, message: String| {
            Err(self.finding(Code::YamlValidate, position, item.location(), message))
        };
        let Value::Map(entries) = &node.value else {
            return error(
                node.position,
                "'override' has to be a map of keys".to_owned(),
            );
        };
        let mut replaced = BTreeSet::new();
        for (key, position, how) in entries {
            if item.node.get(key).is_none() {
                return error(
                    *position,
                    format!("'{key}' is to be overridden, and is not given"),
                );
            }
            match how.scalar() {
                Some("replace") => {
                    replaced.insert(key.clone());
                }
                Some("append")
                    if ["condition", "output", "desc", "tags", "exceptions"]
                        .contains(&key.as_str()) => {}
                Some("append") => {
                    return error(
                        *position,
                        format!("'{key}' can be replaced, but not appended to"),
                    );
                }
                _ => return error(*position, format!("'{key}' is to be: append or replace?")),
            }
        }
        if let Value::Map(keys) = &item.node.value {
            for (key, position, _) in keys {
                let is_known = RULE_KEYS.contains(&key.as_str());
                if is_known && key != "rule" && key != "override" && node.get(key).is_none() {
                    return error(
                        *position,
                        format!("'{key}' is given, and not named in 'override'"),
                    );
                }
            }
        }
        Ok(replaced)
    }
}

/// Whether the version of the container plugin that we stand for is at least this one.
fn is_container_version(text: &str) -> bool {
    let mut numbers = text.split('.').map(|part| part.parse::<u64>().ok());
    let version = (
        numbers.next().flatten(),
        numbers.next().flatten(),
        numbers.next().flatten(),
    );
    matches!(version, (Some(0), Some(minor), Some(patch)) if (minor, patch) <= (7, 1))
}

/// An item with a name.
struct Item<'n> {
    node: &'n Node,
    kind: &'static str,
    name: String,
}

impl Item<'_> {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "a finding may be outside of any item"
    )]
    fn location(&self) -> Option<(&'static str, String)> {
        Some((self.kind, self.name.clone()))
    }
}
