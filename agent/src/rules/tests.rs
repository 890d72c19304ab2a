//! The language end to end: files in, matches out.

mod files;
mod language_comparison;
mod language_conditions;
mod language_enablement;
mod language_events;
mod language_expansion;
mod language_loader;
mod language_outputs;
mod language_report;
mod language_values;
mod loading;
mod matching;
mod naive;

use super::*;
use crate::event::EventType;
use crate::fields::{FieldSource, FieldUse, Value};
use std::collections::HashMap;

fn source(text: &str) -> Vec<RuleSource> {
    vec![RuleSource {
        name: "rules.yaml".to_owned(),
        text: text.to_owned(),
    }]
}

fn load_text(text: &str) -> LoadReport {
    let report = load(&source(text));
    crate::schema::tests::rules_agree(text, &report);
    report
}

/// A rule with this condition, named `r`.
fn rule(condition: &str) -> String {
    let condition = serde_json::to_string(condition).unwrap();
    format!("- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n")
}

fn program(text: &str) -> Program {
    let report = load_text(text);
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    Program::compile(&report.rules, CompileOptions::default())
}

/// An event of given fields.
struct Given<'p> {
    program: &'p Program,
    values: HashMap<String, Value<'static>>,
}

impl FieldSource for Given<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.values
            .get(&field_text(&self.program.fields()[slot]))
            .cloned()
    }
}

fn matches(program: &Program, event: EventType, values: &[(&str, Value<'static>)]) -> Vec<String> {
    let values: HashMap<_, _> = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let given = Given { program, values };
    let mut found = Vec::new();
    program.evaluate(
        event,
        EventClass::Unknown,
        &[&given],
        &mut EvaluationCache::default(),
        &mut found,
    );
    found
        .iter()
        .map(|index| program.rule(*index).name.to_string())
        .collect()
}

/// The type of event that has this name.
fn event(name: &str) -> EventType {
    EventType::from_name(name).unwrap()
}

fn text(text: &'static str) -> Value<'static> {
    Value::text(text.as_bytes())
}
