//! Rule items: a new rule, a change of one, or the switch that enables one.

use std::time::Duration;

use super::definitions::{Definitions, RuleDefinition};
use super::exceptions;
use super::expansion::TracedText;
use super::item::{Fatal, NamedItem, Overrides};
use super::report::{Code, Finding};
use super::yaml::Node;
use super::{Priority, UnknownPriority};

/// The source of rules that name none.
pub(super) const SYSCALL: &str = "syscall";

pub(crate) const RULE_KEYS: &[&str] = &[
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
pub(crate) const APPENDABLE: &[&str] = &["condition", "output", "desc", "tags", "exceptions"];
pub(crate) const REPLACEABLE: &[&str] = &[
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "priority",
    "capture",
    "capture_duration",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

/// Reads a rule item into the definitions.
pub(super) fn read(
    item: &NamedItem<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    item.check_keys(RULE_KEYS, findings);
    let appends = item.append(findings)?;
    let overrides = item.overrides(APPENDABLE, REPLACEABLE)?;
    if appends {
        append(item, definitions, findings)
    } else if !overrides.is_empty() {
        change(item, &overrides, definitions, findings)
    } else if ["condition", "output", "desc", "priority"]
        .iter()
        .any(|key| item.has(key))
    {
        define(item, definitions, findings)
    } else {
        switch(item, definitions, findings)
    }
}

/// A new rule, or one in the place of another.
fn define(
    item: &NamedItem<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    let condition = item.required_text("condition")?;
    let output = item.required_text_or_empty("output")?;
    let description = item.required_text_or_empty("desc")?;
    let priority = priority(item)?;
    let existing = definitions.rule(item.name);
    // A rule that is defined again without a source keeps the one that it has.
    let usual = existing.map_or_else(|| SYSCALL.to_owned(), |rule| rule.source.clone());
    let source = match item.node.get("source") {
        None => &usual,
        Some(node) => match node.scalar() {
            Some("") => &usual,
            Some(source) => source,
            None => return Err(item.malformed(node.position, "'source' has to be a name")),
        },
    };
    let mut exceptions = Vec::new();
    let context = exceptions::Context {
        item,
        is_syscall: source == SYSCALL,
        appends: false,
    };
    exceptions::read(&mut exceptions, &context, findings)?;
    let mut rule = RuleDefinition {
        name: item.name.to_owned(),
        place: item.place(item.node.position),
        condition,
        output,
        description,
        priority,
        tags: item
            .texts("tags")?
            .unwrap_or_default()
            .into_iter()
            .collect(),
        source: source.to_owned(),
        enabled: true,
        warn_event_types: true,
        skip_if_unknown: false,
        capture: false,
        capture_duration: Duration::ZERO,
        exceptions,
    };
    settings(item, &mut rule)?;
    match definitions.rule(item.name) {
        Some(existing) if existing.source != rule.source => Err(source_change(item, existing)),
        // In place: a rule that is defined again keeps its turn.
        Some(existing) => {
            *existing = rule;
            Ok(())
        }
        None => {
            definitions.rules.push(rule);
            Ok(())
        }
    }
}

/// `append: true`: adds to the condition and to the exceptions.
fn append(
    item: &NamedItem<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    let condition = item.text("condition")?;
    if condition.is_none() && !item.has("exceptions") {
        let message = "an item with 'append: true' needs the key 'condition' or 'exceptions'";
        return Err(item.finding(Code::Validate, item.node.position, message));
    }
    let rule = existing(item, definitions)?;
    if let Some(condition) = condition {
        append_text(&mut rule.condition, &condition);
    }
    let context = exceptions::Context {
        item,
        is_syscall: rule.source == SYSCALL,
        appends: true,
    };
    exceptions::read(&mut rule.exceptions, &context, findings)
}

/// `override`: changes each key that it names.
fn change(
    item: &NamedItem<'_>,
    overrides: &Overrides<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    let rule = existing(item, definitions)?;
    for (key, place) in [
        ("condition", &mut rule.condition),
        ("output", &mut rule.output),
        ("desc", &mut rule.description),
    ] {
        if let Some(text) = item.text(key)? {
            if overrides.appended.contains(key) {
                append_text(place, &text);
            } else {
                *place = text;
            }
        }
    }
    if let Some(tags) = item.texts("tags")? {
        if !overrides.appended.contains("tags") {
            rule.tags.clear();
        }
        rule.tags.extend(tags);
    }
    let appends = overrides.appended.contains("exceptions");
    if item.has("exceptions") && !appends {
        rule.exceptions.clear();
    }
    let context = exceptions::Context {
        item,
        is_syscall: rule.source == SYSCALL,
        appends,
    };
    exceptions::read(&mut rule.exceptions, &context, findings)?;
    if item.has("priority") {
        rule.priority = priority(item)?;
    }
    settings(item, rule)
}

/// `enabled` alone, for a rule that is there.
fn switch(
    item: &NamedItem<'_>,
    definitions: &mut Definitions,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    let Some(enabled) = item.flag("enabled")? else {
        let message = "the rule needs the keys condition, output, desc and priority; \
                       or 'enabled' alone, for a rule that is there";
        return Err(item.malformed(item.node.position, message));
    };
    existing(item, definitions)?.enabled = enabled;
    let message = "'enabled' alone is deprecated: add 'override: {enabled: replace}'";
    findings.push(*item.finding(Code::DeprecatedItem, item.node.position, message));
    Ok(())
}

/// The rule that the item changes.
fn existing<'d>(
    item: &NamedItem<'_>,
    definitions: &'d mut Definitions,
) -> Result<&'d mut RuleDefinition, Fatal> {
    let Some(index) = definitions
        .rules
        .iter()
        .position(|rule| rule.name == item.name)
    else {
        let known = definitions.rules.iter().map(|rule| rule.name.as_str());
        return Err(item.nothing_to_change(known));
    };
    let rule = &mut definitions.rules[index];
    let source = item.node.get("source").and_then(Node::scalar);
    if source.is_some_and(|source| !source.is_empty() && source != rule.source) {
        return Err(source_change(item, rule));
    }
    Ok(rule)
}

fn source_change(item: &NamedItem<'_>, existing: &RuleDefinition) -> Fatal {
    let position = item
        .node
        .get("source")
        .map_or(item.node.position, |node| node.position);
    let message = format!(
        "the rule's source is '{}' and cannot become another: give the rule a new name",
        existing.source
    );
    item.finding(Code::Validate, position, message)
}

fn append_text(text: &mut TracedText, more: &TracedText) {
    text.push_str(" ");
    text.push(more);
}

/// Keys that are optional in every item.
fn settings(item: &NamedItem<'_>, rule: &mut RuleDefinition) -> Result<(), Fatal> {
    for (key, setting) in [
        ("enabled", &mut rule.enabled),
        ("warn_evttypes", &mut rule.warn_event_types),
        ("skip-if-unknown-filter", &mut rule.skip_if_unknown),
        ("capture", &mut rule.capture),
    ] {
        if let Some(value) = item.flag(key)? {
            *setting = value;
        }
    }
    if let Some(node) = item.node.get("capture_duration") {
        let milliseconds = node.scalar().and_then(|text| text.parse().ok());
        let milliseconds = milliseconds.ok_or_else(|| {
            let message = "'capture_duration' has to be a number of milliseconds";
            item.malformed(node.position, message)
        })?;
        rule.capture_duration = Duration::from_millis(milliseconds);
    }
    Ok(())
}

/// By name in any case, or by number.
fn priority(item: &NamedItem<'_>) -> Result<Priority, Fatal> {
    let Some(node) = item.node.get("priority") else {
        let message = "the rule needs the key 'priority'";
        return Err(item.malformed(item.node.position, message));
    };
    let text = node.scalar().unwrap_or_default();
    let by_number = text
        .parse::<usize>()
        .ok()
        .and_then(|number| Priority::ALL.get(number));
    if let Some(priority) = by_number {
        return Ok(*priority);
    }
    text.parse()
        .map_err(|error: UnknownPriority| item.malformed(node.position, error.to_string()))
}
