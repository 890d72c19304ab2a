//! What is worth a warning in a rule that loads.

use std::collections::BTreeSet;

use super::ast::{Comparison, Expression, Literal, Operand, Operator, Right};
use super::definitions::RuleDefinition;
use super::operand::CompiledOperand;
use super::parser;
use super::regular_expression;
use super::report::{Code, Finding};
use super::rule_set::Rule;
use super::test::Test;
use crate::fields::registry::{self, FieldType};

/// A rule that can match more events than this was probably not meant to.
const MANY_EVENTS: usize = 100;

/// Adds what is to be said of a rule.
pub(super) fn check(definition: &RuleDefinition, rule: &Rule, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    let mut warn = |code: Code, message: String| {
        let place = match code {
            Code::NoEventType | Code::ConditionHint => definition.condition.place(0),
            _ => definition.place.clone(),
        };
        if seen.insert(message.clone()) {
            findings.push(*Finding::new(
                code,
                place,
                Some(definition.shown()),
                message,
            ));
        }
    };
    let mut comparisons = Vec::new();
    collect(&rule.condition, &mut comparisons);
    for comparison in comparisons {
        check_comparison(comparison, &mut warn);
    }
    for field in rule.output.fields() {
        check_field(field.name, &mut warn);
    }
    if rule.output.uses_container_info() {
        let message = "'%container.info' is deprecated and prints nothing: remove it";
        warn(Code::DeprecatedItem, message.to_owned());
    }
    if definition.warn_event_types && rule.event_types.len() > MANY_EVENTS {
        let message = "the condition lets nearly every type of event through, which costs a lot: \
                       add a test of evt.type, or say 'warn_evttypes: false'";
        warn(Code::NoEventType, message.to_owned());
    }
}

fn collect<'e>(expression: &'e Expression, found: &mut Vec<&'e Comparison>) {
    match expression {
        Expression::And(parts) | Expression::Or(parts) => {
            for part in parts {
                collect(part, found);
            }
        }
        Expression::Not(inner) => collect(inner, found),
        Expression::Comparison(comparison) => found.push(comparison),
        Expression::Macro(_) => {}
    }
}

fn check_field(name: &str, warn: &mut impl FnMut(Code, String)) {
    if registry::find(name).is_some_and(|definition| definition.deprecated) {
        let message = format!("the field '{name}' is deprecated: it tells nothing any more");
        warn(Code::DeprecatedItem, message);
    }
}

fn check_comparison(comparison: &Comparison, warn: &mut impl FnMut(Code, String)) {
    let Ok(test) = Test::compile(comparison) else {
        return;
    };
    for field in test.fields() {
        check_field(field.name, warn);
    }
    let literals: &[Literal] = match &comparison.right {
        Right::Text(literal) => std::slice::from_ref(literal),
        Right::List(literals) => literals,
        Right::Nothing | Right::Operand(_) => return,
    };
    let is_text = test.left.value_type().field_type == FieldType::Text;
    for literal in literals.iter().map(Literal::text) {
        if comparison.operator == Operator::Regex && regular_expression::is_plain(&literal) {
            let message = format!(
                "the regular expression '{literal}' matches one text only: '=' says the same, and faster"
            );
            warn(Code::ConditionHint, message);
        }
        if let Some(kind) = is_text.then(|| event_value(&literal)).flatten() {
            let message = format!(
                "'{literal}' is a text here and looks like {kind}: to compare with its value, write {}",
                if kind == "a field" {
                    format!("val({literal})")
                } else {
                    format!("{literal} without quotes")
                }
            );
            warn(Code::ConditionHint, message);
        }
    }
}

/// What else the text would be if it were no literal.
fn event_value(text: &str) -> Option<&'static str> {
    let operand = parser::parse_operand(text).ok()?;
    CompiledOperand::compile(&operand).ok()?;
    Some(match operand {
        Operand::Field(_) => "a field",
        Operand::Transformer { .. } => "a transformer",
    })
}
