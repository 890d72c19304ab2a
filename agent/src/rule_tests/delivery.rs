//! What the agent would do with the event of a test.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::event::EventDescription;
use super::shown;
use crate::event::EventType;
use crate::fields::registry;
use crate::fields::{FieldArgument, FieldSource, FieldUse, Value};
use crate::rules::knowledge::{Known, is_open};
use crate::rules::{
    CompileOptions, EvaluationCache, EventClass, Matching, NotShown, Program, Rule, RuleIndex,
    RuleSet,
};

/// The rules of a test file as the agent runs them.
pub(super) struct Delivery {
    program: Program,
    /// The enabled rules by name.
    indices: HashMap<Arc<str>, RuleIndex>,
}

/// An event of a test as the agent gets it.
pub(super) struct Delivered {
    event: EventType,
    class: EventClass,
    matches: Vec<RuleIndex>,
}

impl Delivery {
    pub(super) fn new(rules: &RuleSet) -> Self {
        let options = CompileOptions {
            matching: Matching::All,
            ..CompileOptions::default()
        };
        let program = Program::compile(rules, options);
        let numbered = program.rules().iter().enumerate();
        let indices = numbered.map(|(index, rule)| (Arc::clone(&rule.name), RuleIndex(index)));
        Self {
            indices: indices.collect(),
            program,
        }
    }

    fn index(&self, rule: &Rule) -> Option<RuleIndex> {
        self.indices.get(&rule.name).copied()
    }

    /// `None`: the sensor has no such event.
    pub(super) fn of(&self, event: &EventDescription) -> Option<Delivered> {
        struct Source<'s>(&'s Program, &'s EventDescription);
        impl FieldSource for Source<'_> {
            fn value(&self, slot: usize) -> Option<Value<'_>> {
                self.1.value(&self.0.fields()[slot])
            }
        }
        let event_type = EventType::from_name(event.event_type())?;
        let class = class_of(event_type, event);
        let mut matches = Vec::new();
        self.program.evaluate(
            event_type,
            class,
            &[&Source(&self.program, event)],
            &mut EvaluationCache::default(),
            &mut matches,
        );
        Some(Delivered {
            event: event_type,
            class,
            matches,
        })
    }

    /// Why the agent does not ask an enabled rule about this event.
    pub(super) fn not_shown(&self, rule: &Rule, delivered: &Delivered) -> Option<NotShown> {
        let Delivered { event, class, .. } = delivered;
        self.program.not_shown(self.index(rule)?, *event, *class)
    }

    /// Whether an enabled rule matches in the agent.
    pub(super) fn matches(&self, rule: &Rule, delivered: &Delivered) -> bool {
        let index = self.index(rule);
        index.is_some_and(|index| delivered.matches.contains(&index))
    }
}

impl Delivered {
    /// The fields of a rule's condition that have another value, or none, in every event of this kind, in
    /// lines.
    pub(super) fn contradictions(&self, rule: &Rule, event: &EventDescription) -> String {
        let knowledge = self.class.knowledge(self.event);
        let mut lines = String::new();
        let mut names: Vec<&str> = rule.condition.fields().collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let Ok((field, _)) = registry::parse_field(name) else {
                continue;
            };
            let found = event.value(&field);
            if let Some(expected) = contradiction(&knowledge(&field), found.as_ref()) {
                let found =
                    found.map_or_else(|| "no value".to_owned(), |found| shown::value(&found));
                let _infallible = writeln!(
                    lines,
                    "{name}: such an event always has {expected}, and the test's has {found}"
                );
            }
        }
        lines
    }
}

/// What is known of a field's value, if this value is another.
fn contradiction(known: &Known, found: Option<&Value<'_>>) -> Option<String> {
    let number = match found {
        Some(Value::Int(number)) => Some(i128::from(*number)),
        Some(Value::Uint(number)) => Some(i128::from(*number)),
        _ => None,
    };
    match known {
        Known::Unknown => None,
        Known::Missing => found.is_some().then(|| "none".to_owned()),
        Known::Value(value) => (found != Some(value)).then(|| shown::value(value)),
        Known::Between(least, most) => match number {
            Some(number) if (*least..=*most).contains(&number) => None,
            _ if *least >= 0 => Some(format!("a number from {least}")),
            _ => Some(format!("a number up to {most}")),
        },
        Known::ErrorName => match found {
            Some(Value::Bytes(name)) if matches!(name.first(), Some(b'E' | b'-')) => None,
            _ => Some("the name of an error".to_owned()),
        },
    }
}

/// What the agent knows of the event beforehand, as far as the test says it.
fn class_of(event_type: EventType, event: &EventDescription) -> EventClass {
    let value = |name| {
        event.value(&FieldUse {
            name,
            argument: FieldArgument::None,
        })
    };
    let failed = match (value("evt.rawres"), value("evt.failed"), value("evt.res")) {
        (Some(Value::Int(result)), ..) => Some(result < 0),
        (_, Some(Value::Bool(failed)), _) => Some(failed),
        (.., Some(Value::Bytes(name))) => Some(*name != *b"SUCCESS"),
        _ => None,
    };
    match (failed, value("evt.is_open_write")) {
        (None, _) => EventClass::Unknown,
        (Some(true), _) => EventClass::Failed,
        (Some(false), _) if !is_open(event_type) => EventClass::Succeeded,
        (Some(false), Some(Value::Bool(true))) => EventClass::OpenedForWriting,
        (Some(false), Some(Value::Bool(false))) => EventClass::OpenedForReading,
        (Some(false), _) => EventClass::Unknown,
    }
}
