//! One comparison of a condition, compiled.

use super::ast::{Comparison, Literal, Operand, Operator, Right};
use super::event_names;
use super::host_test::HostTest;
use super::literal::parse_number;
use super::matcher::{Matcher, MatcherError, NumberTest, Shape, operator_fits};
use super::operand::{CompiledOperand, OperandError, as_one_text};
use super::suggestion::did_you_mean;
use super::text_test;
use super::transformer::until_nul;
use crate::fields::registry::{self, FieldDef, FieldType};
use crate::fields::{FieldArgument, FieldUse, Value};

/// A test of an event's fields.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) left: CompiledOperand,
    pub(super) check: Check,
}

#[derive(Clone, Debug)]
pub(super) enum Check {
    /// Against literals.
    Literals(Matcher),
    /// Against a value of the event.
    Operand(Operator, CompiledOperand),
    /// An address against names of hosts.
    Hosts(HostTest),
}

impl Test {
    /// Looks up the fields, checks types and parses literals.
    pub(super) fn compile(comparison: &Comparison) -> Result<Self, OperandError> {
        let left = CompiledOperand::compile(&comparison.left)?;
        let start = comparison.left.offset();
        let mut fields = Vec::new();
        left.collect_fields(&mut fields);
        let is_print_only = |name| registry::find(name).is_some_and(|found| found.print_only);
        if let Some(field) = fields.into_iter().find(|field| is_print_only(field.name)) {
            let message = format!("'{}' can only be used in outputs", field.name);
            return Err(OperandError::new(start, message));
        }
        let literals: &[Literal] = match &comparison.right {
            Right::Operand(right) => {
                let check = operand_check(&left, comparison.operator, right)?;
                return Ok(Self { left, check });
            }
            Right::Nothing => &[],
            Right::Text(literal) => std::slice::from_ref(literal),
            Right::List(literals) => literals,
        };
        if let Some(("evt.around", FieldArgument::Index(around))) = left
            .as_field()
            .map(|(field, _)| (field.name, &field.argument))
        {
            return around_time(*around, comparison, literals);
        }
        if let Some(test) = HostTest::compile(&left, comparison, literals)? {
            return Ok(test);
        }
        check_event_names(&left, comparison.operator, literals)?;
        let value_type = left.value_type();
        let shape = Shape {
            field_type: value_type.field_type,
            list: value_type.list,
            comparison: left.comparison(),
        };
        let matcher = Matcher::compile(shape, comparison.operator, comparison.modifier, literals);
        let matcher = matcher.map_err(|MatcherError { message, literal }| {
            let literal = literal.and_then(|index| literals.get(index));
            OperandError::new(literal.map_or(start, |literal| literal.offset), message)
        })?;
        Ok(Self {
            left,
            check: Check::Literals(matcher),
        })
    }

    /// Every field it looks at.
    pub(super) fn fields(&self) -> Vec<&FieldUse> {
        let mut found = Vec::new();
        self.left.collect_fields(&mut found);
        match &self.check {
            Check::Operand(_, right) => right.collect_fields(&mut found),
            Check::Hosts(hosts) => hosts.collect_fields(&mut found),
            Check::Literals(_) => {}
        }
        found
    }

    /// Whether it holds. A missing value makes every comparison false.
    pub(super) fn holds<'v>(&self, value: &dyn Fn(&FieldUse) -> Option<Value<'v>>) -> bool {
        let left = self.left.value(value);
        match &self.check {
            Check::Hosts(hosts) => hosts.holds(left.as_ref(), value),
            Check::Literals(matcher) => left.is_some_and(|left| matcher.matches(&left)),
            Check::Operand(operator, right) => match (left, right.value(value)) {
                (Some(left), Some(right)) => {
                    compare(*operator, self.left.value_type().list, left, right)
                }
                _ => false,
            },
        }
    }
}

/// Checks and compiles a comparison with another value of the event.
fn operand_check(
    left: &CompiledOperand,
    operator: Operator,
    right: &Operand,
) -> Result<Check, OperandError> {
    let compiled = CompiledOperand::compile(right)?;
    let error = |message: String| Err(OperandError::new(right.offset(), message));
    if matches!(
        operator,
        Operator::PathMatch | Operator::Regex | Operator::BytesContain | Operator::BytesStartWith
    ) {
        return error(format!(
            "'{}' takes literals only, and no value of the event",
            operator.spelling()
        ));
    }
    let refuses = |definition: &FieldDef| {
        definition.no_rhs || matches!(definition.name, "evt.type" | "syscall.type")
    };
    for side in [left, &compiled] {
        let mut fields = Vec::new();
        side.collect_fields(&mut fields);
        let refusing = fields
            .into_iter()
            .find(|field| registry::find(field.name).is_some_and(refuses));
        if let Some(field) = refusing {
            return error(format!(
                "field '{}' cannot be compared with a value of the event",
                field.name
            ));
        }
    }
    let (left, right) = (left.value_type(), compiled.value_type());
    if left.field_type == FieldType::Net {
        return error("a network can be compared with literals only".to_owned());
    }
    if !operator_fits(left.field_type, left.list, operator) {
        return error(format!(
            "the operator '{}' does not go with a value of type {}",
            operator.spelling(),
            left.field_type.name()
        ));
    }
    let kind = |list: bool| if list { "list of " } else { "" };
    let is_list_test = matches!(operator, Operator::In | Operator::Intersects);
    if left.field_type != right.field_type || (left.list != right.list && !is_list_test) {
        return error(format!(
            "the left side is of type {}{}, and the right side of type {}{}: expected the same",
            kind(left.list),
            left.field_type.name(),
            kind(right.list),
            right.field_type.name()
        ));
    }
    Ok(Check::Operand(operator, compiled))
}

/// A comparison of two values of one type.
fn compare(operator: Operator, left_is_list: bool, left: Value<'_>, right: Value<'_>) -> bool {
    if !matches!(operator, Operator::In | Operator::Intersects) {
        return compare_one(operator, &as_one_text(left), &as_one_text(right));
    }
    let among = |value: &Value<'_>| match &right {
        Value::List(items) => items
            .iter()
            .any(|item| compare_one(Operator::Equal, value, item)),
        single => compare_one(Operator::Equal, value, single),
    };
    match left {
        Value::List(items) if left_is_list && operator == Operator::In => items.iter().all(among),
        Value::List(items) if left_is_list => items.iter().any(among),
        single => among(&as_one_text(single)),
    }
}

fn compare_one(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Bytes(left), Value::Bytes(right)) => {
            text_test::compare(operator, until_nul(left), until_nul(right))
        }
        (Value::Double(left), Value::Double(right)) => left
            .partial_cmp(right)
            .is_some_and(|order| text_test::order_holds(operator, order)),
        (left, right) => match (whole_number(left), whole_number(right)) {
            (Some(left), Some(right)) => text_test::order_holds(operator, left.cmp(&right)),
            _ => match operator {
                Operator::Equal => left == right,
                Operator::NotEqual => left != right,
                _ => false,
            },
        },
    }
}

fn whole_number(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    }
}

/// `evt.around[T] = D`: the event is at most D milliseconds away from T, which is ns since the epoch.
fn around_time(
    around: u64,
    comparison: &Comparison,
    literals: &[Literal],
) -> Result<Test, OperandError> {
    const NANOSECONDS: i128 = 1_000_000;
    let error = |message: String| OperandError::new(comparison.left.offset(), message);
    let ([literal], Operator::Equal, None) = (literals, comparison.operator, comparison.modifier)
    else {
        return Err(error(
            "evt.around takes only '=' and a number of milliseconds".to_owned(),
        ));
    };
    let milliseconds = parse_number(FieldType::Uint, &literal.text())
        .map_err(|message| OperandError::new(literal.offset, message))?;
    let (field, definition) =
        registry::parse_field("evt.rawtime").map_err(|problem| error(problem.to_string()))?;
    let (around, distance) = (i128::from(around), milliseconds * NANOSECONDS);
    Ok(Test {
        left: CompiledOperand::Field { field, definition },
        check: Check::Literals(Matcher::Number(NumberTest::Between(
            around - distance,
            around + distance,
        ))),
    })
}

/// `evt.type` compares with names of events only.
fn check_event_names(
    left: &CompiledOperand,
    operator: Operator,
    literals: &[Literal],
) -> Result<(), OperandError> {
    let Some((field, _)) = left.as_field() else {
        return Ok(());
    };
    let compares_names = matches!(
        operator,
        Operator::Equal | Operator::NotEqual | Operator::In | Operator::Intersects
    );
    if !matches!(field.name, "evt.type" | "syscall.type") || !compares_names {
        return Ok(());
    }
    let unknown = literals
        .iter()
        .map(|literal| (literal, literal.text()))
        .find(|(_, name)| !event_names::is_known(name));
    match unknown {
        None => Ok(()),
        Some((literal, name)) => Err(OperandError {
            message: format!(
                "unknown event type '{name}'{}",
                did_you_mean(event_names::suggest(&name))
            ),
            offset: literal.offset,
            unknown: true,
        }),
    }
}
