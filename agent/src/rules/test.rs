//! One comparison of a condition, compiled.

use super::ast::{Comparison, Name, Operator, Right};
use super::event_names;
use super::matcher::{Matcher, MatcherError};
use super::operand::{self, CompiledOperand, OperandError};
use super::suggestion::{did_you_mean, nearest};
use crate::fields::registry;
use crate::fields::{FieldUse, Value};

/// A test of an event's fields.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) left: CompiledOperand,
    pub(super) check: Check,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one a test, in one array")]
pub(super) enum Check {
    /// Against literals.
    Literals(Matcher),
    /// Against another field.
    Operand(Operator, CompiledOperand),
}

impl Test {
    /// Looks up the fields, checks types and parses literals.
    pub(super) fn compile(comparison: &Comparison) -> Result<Self, OperandError> {
        let left = operand::compile(&comparison.left)?;
        let at = |offset: usize, message: String| OperandError {
            message,
            offset,
            unknown_field: false,
        };
        let start = comparison.left.offset();
        let names: &[Name] = match &comparison.right {
            Right::Operand(right) => {
                let check = Self::field_check(&left, comparison.operator, right)?;
                return Ok(Self { left, check });
            }
            Right::Nothing => &[],
            Right::Text(name) => std::slice::from_ref(name),
            Right::List(names) => names,
        };
        if let Some(field) = left.fields().find(|field| {
            registry::find(field.name).is_some_and(|definition| definition.print_only)
        }) {
            return Err(at(
                start,
                format!("'{}' can only be used in outputs", field.name),
            ));
        }
        check_event_names(&left, comparison, names)?;
        let literals: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
        let matcher = Matcher::compile(
            left.shape(),
            comparison.operator,
            comparison.modifier,
            &literals,
        );
        let matcher = matcher.map_err(|MatcherError { message, literal }| {
            let name = literal.and_then(|index| names.get(index));
            at(name.map_or(start, |name| name.offset), message)
        })?;
        Ok(Self {
            left,
            check: Check::Literals(matcher),
        })
    }

    fn field_check(
        left: &CompiledOperand,
        operator: Operator,
        right: &super::ast::Operand,
    ) -> Result<Check, OperandError> {
        let compiled = operand::compile(right)?;
        let at = |message: String| OperandError {
            message,
            offset: right.offset(),
            unknown_field: false,
        };
        if matches!(operator, Operator::PathMatch | Operator::Regex) {
            return Err(at(format!("'{}' takes literals only", operator.spelling())));
        }
        let fields = left.fields().chain(compiled.fields());
        for field in fields {
            if registry::find(field.name).is_some_and(|found| found.no_rhs) {
                return Err(at(format!(
                    "'{}' cannot be compared with a field",
                    field.name
                )));
            }
        }
        let (left, right) = (left.shape(), compiled.shape());
        let takes_list = operator.takes_list();
        if left.field_type != right.field_type || (left.list != right.list && !takes_list) {
            return Err(at(
                "the two sides of the comparison are of different types".to_owned()
            ));
        }
        Ok(Check::Operand(operator, compiled))
    }

    /// Every field it looks at.
    pub(super) fn fields(&self) -> impl Iterator<Item = &FieldUse> {
        let right = match &self.check {
            Check::Operand(_, right) => Some(right),
            Check::Literals(_) => None,
        };
        self.left
            .fields()
            .chain(right.into_iter().flat_map(CompiledOperand::fields))
    }

    /// Whether it holds. A missing value makes every comparison false.
    pub(super) fn holds<'v>(&self, value: &dyn Fn(&FieldUse) -> Option<Value<'v>>) -> bool {
        let Some(left) = self.left.value(value) else {
            return false;
        };
        match &self.check {
            Check::Literals(matcher) => matcher.matches(&left),
            Check::Operand(operator, right) => right
                .value(value)
                .is_some_and(|right| compare(*operator, &left, &right)),
        }
    }
}

/// A comparison of two values of one type.
fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => match operator {
            Operator::In => left.iter().all(|item| right.contains(item)),
            Operator::Intersects => left.iter().any(|item| right.contains(item)),
            _ => false,
        },
        (left, Value::List(right)) => right.contains(left),
        (Value::List(left), right) => left.iter().any(|item| compare(operator, item, right)),
        (Value::Bytes(left), Value::Bytes(right)) => match operator {
            Operator::Contains => memchr::memmem::find(left, right).is_some(),
            Operator::ContainsIgnoringCase => {
                memchr::memmem::find(&left.to_ascii_lowercase(), &right.to_ascii_lowercase())
                    .is_some()
            }
            Operator::StartsWith => left.starts_with(right),
            Operator::EndsWith => left.ends_with(right),
            Operator::Glob => super::glob::glob_matches(right, left),
            Operator::GlobIgnoringCase => {
                super::glob::glob_matches(&right.to_ascii_lowercase(), &left.to_ascii_lowercase())
            }
            operator => ordering_holds(operator, left.cmp(right)),
        },
        (Value::Double(left), Value::Double(right)) => {
            ordering_holds(operator, left.total_cmp(right))
        }
        (left, right) => match (number(left), number(right)) {
            (Some(left), Some(right)) => ordering_holds(operator, left.cmp(&right)),
            _ => match operator {
                Operator::Equal | Operator::In | Operator::Intersects => left == right,
                Operator::NotEqual => left != right,
                _ => false,
            },
        },
    }
}

fn number(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    }
}

fn ordering_holds(operator: Operator, ordering: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Equal | Operator::In | Operator::Intersects => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        _ => false,
    }
}

/// `evt.type` compares with names of events only.
fn check_event_names(
    left: &CompiledOperand,
    comparison: &Comparison,
    names: &[Name],
) -> Result<(), OperandError> {
    let CompiledOperand::Field(field) = left else {
        return Ok(());
    };
    let is_set = matches!(
        comparison.operator,
        Operator::Equal | Operator::NotEqual | Operator::In | Operator::Intersects
    );
    if !matches!(field.name, "evt.type" | "syscall.type") || !is_set {
        return Ok(());
    }
    match names.iter().find(|name| !event_names::is_known(&name.text)) {
        None => Ok(()),
        Some(name) => {
            let suggestion = nearest(&name.text, event_names::all().iter().copied());
            Err(OperandError {
                message: format!(
                    "unknown event type '{}'{}",
                    name.text,
                    did_you_mean(suggestion.as_deref())
                ),
                offset: name.offset,
                unknown_field: true,
            })
        }
    }
}
