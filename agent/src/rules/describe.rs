//! A rule as tools and readers see it: what it looks at, and its condition with everything put in.

use std::collections::BTreeSet;

use serde::Serialize;

use super::ast::{Comparison, Expression};
use super::operand::field_text;
use super::rule_set::Rule;
use super::test::Test;

/// A rule, ready to be printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The rule's name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Its priority.
    pub priority: String,
    /// Its tags, sorted.
    pub tags: BTreeSet<String>,
    /// The source of its events.
    pub source: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// The events that it can match; empty if there are none.
    pub events: Vec<String>,
    /// The macros in its condition, and those within them.
    pub macros: BTreeSet<String>,
    /// The lists in its condition and macros.
    pub lists: BTreeSet<String>,
    /// The fields that its condition looks at.
    pub condition_fields: BTreeSet<String>,
    /// The operators in its condition.
    pub condition_operators: BTreeSet<String>,
    /// The fields that its output shows.
    pub output_fields: BTreeSet<String>,
    /// Its condition in canonical form, macros and lists put in.
    pub condition: String,
    /// Its output as written.
    pub output: String,
    /// The file that defines it.
    pub file: String,
    /// The line there.
    pub line: usize,
}

impl Description {
    /// Describes a rule.
    pub fn of(rule: &Rule) -> Self {
        let mut fields = BTreeSet::new();
        let mut operators = BTreeSet::new();
        visit(&rule.condition, &mut |comparison| {
            operators.insert(comparison.operator.spelling().to_owned());
            if let Ok(test) = Test::compile(comparison) {
                fields.extend(test.fields().into_iter().map(field_text));
            }
        });
        Self {
            name: rule.name.to_string(),
            description: rule.description.clone(),
            priority: rule.priority.name().to_owned(),
            tags: rule.tags.clone(),
            source: rule.source.clone(),
            enabled: rule.enabled,
            events: rule.event_types.iter().map(str::to_owned).collect(),
            macros: rule.macros.clone(),
            lists: rule.lists.clone(),
            condition_fields: fields,
            condition_operators: operators,
            output_fields: rule.output.fields().map(field_text).collect(),
            condition: rule.condition.to_string(),
            output: rule.output_text.clone(),
            file: rule.place.file.to_string(),
            line: rule.place.position.line,
        }
    }
}

fn visit(expression: &Expression, visitor: &mut impl FnMut(&Comparison)) {
    match expression {
        Expression::And(parts) | Expression::Or(parts) => {
            for part in parts {
                visit(part, visitor);
            }
        }
        Expression::Not(inner) => visit(inner, visitor),
        Expression::Comparison(comparison) => visitor(comparison),
        Expression::Macro(_) => {}
    }
}
