//! What the configuration does to rules: `append_output` and `rules`.

use super::document::{Node, Value};
use super::section::Section;
use crate::rules::{AppendOutput, ExtraField, OutputFormat, RuleSwitch};

/// The entries of `append_output`.
pub(super) fn read_append_output(top: &mut Section<'_>) -> Vec<AppendOutput> {
    top.items("append_output", read_entry)
}

fn read_entry(mut entry: Section<'_>) -> AppendOutput {
    let any_text = |text: &str| Ok(text.to_owned());
    let mut matching = entry.section("match");
    let read = AppendOutput {
        source: matching.value_with("source", any_text),
        tags: matching
            .texts("tags")
            .unwrap_or_default()
            .into_iter()
            .collect(),
        rule: matching.value_with("rule", any_text),
        extra_output: entry.value_with("extra_output", |text| {
            OutputFormat::parse(text)
                .map(|_| text.to_owned())
                .map_err(|error| error.to_string())
        }),
        extra_fields: read_fields(&mut entry),
        suggested_output: entry.switch("suggested_output", false),
    };
    matching.finish();
    entry.finish();
    read
}

fn read_fields(entry: &mut Section<'_>) -> Vec<ExtraField> {
    let mut fields: Vec<ExtraField> = Vec::new();
    for node in entry.nodes("extra_fields") {
        let location = node.location.clone();
        let field = extra_field(node).and_then(|field| match field.check() {
            Err(error) => Err(error.to_string()),
            Ok(()) if fields.iter().any(|other| other.key() == field.key()) => {
                Err(format!("'{}' is there twice", field.key()))
            }
            Ok(()) => Ok(field),
        });
        fields.extend(entry.or_report("extra_fields", location, field));
    }
    fields
}

/// `proc.pid`, or `parent: "%proc.pname (%proc.ppid)"`.
fn extra_field(node: Node) -> Result<ExtraField, String> {
    let expected = || "expected a field's name, or one key with a format".to_owned();
    match node.value {
        Value::Scalar(name) => Ok(ExtraField::Value(name)),
        Value::Map(entries) => match <[_; 1]>::try_from(entries) {
            Ok([entry]) => match entry.value.value {
                Value::Scalar(format) => Ok(ExtraField::Text {
                    key: entry.key,
                    format,
                }),
                _ => Err(expected()),
            },
            Err(_) => Err(expected()),
        },
        Value::List(_) | Value::Null => Err(expected()),
    }
}

/// The entries of `rules`.
pub(super) fn read_rule_switches(top: &mut Section<'_>) -> Vec<RuleSwitch> {
    let entries = top.items("rules", read_switch);
    entries.into_iter().flatten().collect()
}

/// One entry; it has one of the two keys.
fn read_switch(mut entry: Section<'_>) -> Vec<RuleSwitch> {
    let any_text = |text: &str| Ok(text.to_owned());
    let mut switches = Vec::new();
    for (key, enable) in [("enable", true), ("disable", false)] {
        let is_given = entry.has(key);
        let mut which = entry.section(key);
        let switch = RuleSwitch {
            enable,
            rule: which.value_with("rule", any_text),
            tag: which.value_with("tag", any_text),
        };
        which.finish();
        switches.extend(is_given.then_some(switch));
    }
    let names_none = |switch: &RuleSwitch| switch.rule.is_none() && switch.tag.is_none();
    if switches.len() != 1 {
        entry.report("expected 'enable' or 'disable', and one of them only");
    } else if switches.iter().any(names_none) {
        entry.report("expected 'rule' or 'tag', to say which rules");
    }
    entry.finish();
    switches
}
