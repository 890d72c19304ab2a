//! Conditions evaluated as they are written, one after the other, with nothing shared, cached or
//! reordered.
//!
//! It is what the compiled program is compared with: in property tests for what it matches, and in the
//! benchmark for how long it takes. All comparisons are written here a second time.

use std::ffi::CString;
use std::net::IpAddr;

use super::ast::{Comparison, Expression, Modifier, Operator, Right};
use super::operand::CompiledOperand;
use super::regular_expression;
use crate::fields::registry::{self, FieldType};
use crate::fields::{FieldUse, Value};

/// A condition with its fields looked up and its literals parsed.
#[derive(Debug)]
pub enum NaiveCondition {
    /// All of them hold.
    And(Vec<NaiveCondition>),
    /// One of them holds.
    Or(Vec<NaiveCondition>),
    /// It does not hold.
    Not(Box<NaiveCondition>),
    /// A comparison.
    Check(Box<NaiveCheck>),
    /// A macro that nobody resolved.
    Never,
}

/// One comparison.
#[derive(Debug)]
pub struct NaiveCheck {
    left: CompiledOperand,
    field_type: FieldType,
    list: bool,
    comparison: registry::Comparison,
    operator: Operator,
    modifier: Option<Modifier>,
    right: NaiveRight,
}

#[derive(Debug)]
enum NaiveRight {
    Literals(Vec<NaiveLiteral>),
    Operand(CompiledOperand),
}

#[derive(Debug)]
struct NaiveLiteral {
    bytes: Vec<u8>,
    parsed: Parsed,
}

#[derive(Debug)]
enum Parsed {
    Text,
    Number(i128),
    Truth(bool),
    Address(IpAddr),
    Network(IpAddr, u32),
    Bytes(Vec<u8>),
    Regex(regex::Regex),
}

/// What a field's value is, by its name.
pub type Lookup<'l, 'v> = &'l dyn Fn(&FieldUse) -> Option<Value<'v>>;

impl NaiveCondition {
    /// From a condition that the loader has accepted.
    pub fn new(expression: &Expression) -> Self {
        match expression {
            Expression::And(parts) => Self::And(parts.iter().map(Self::new).collect()),
            Expression::Or(parts) => Self::Or(parts.iter().map(Self::new).collect()),
            Expression::Not(inner) => Self::Not(Box::new(Self::new(inner))),
            Expression::Macro(_) => Self::Never,
            Expression::Comparison(comparison) => match NaiveCheck::new(comparison) {
                Some(check) => Self::Check(Box::new(check)),
                None => Self::Never,
            },
        }
    }

    /// Whether it holds.
    pub fn holds(&self, lookup: Lookup<'_, '_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(lookup)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(lookup)),
            Self::Not(inner) => !inner.holds(lookup),
            Self::Check(check) => check.holds(lookup),
            Self::Never => false,
        }
    }
}

impl NaiveCheck {
    fn new(comparison: &Comparison) -> Option<Self> {
        let left = CompiledOperand::compile(&comparison.left).ok()?;
        let value_type = left.value_type();
        let field_type = value_type.field_type;
        let literal = |literal: &super::ast::Literal| NaiveLiteral {
            bytes: literal.bytes.clone(),
            parsed: parse(field_type, comparison.operator, &literal.bytes),
        };
        let right = match &comparison.right {
            Right::Nothing => NaiveRight::Literals(Vec::new()),
            Right::Text(text) => NaiveRight::Literals(vec![literal(text)]),
            Right::List(list) => NaiveRight::Literals(list.iter().map(literal).collect()),
            Right::Operand(operand) => NaiveRight::Operand(CompiledOperand::compile(operand).ok()?),
        };
        Some(Self {
            comparison: left.comparison(),
            left,
            field_type,
            list: value_type.list,
            operator: comparison.operator,
            modifier: comparison.modifier,
            right,
        })
    }

    fn holds(&self, lookup: Lookup<'_, '_>) -> bool {
        // A missing value makes every comparison false.
        let Some(value) = self.left.value(lookup) else {
            return false;
        };
        if self.operator == Operator::Exists {
            return true;
        }
        match &self.right {
            NaiveRight::Operand(operand) => operand
                .value(lookup)
                .is_some_and(|right| self.compare_values(&value, &right)),
            NaiveRight::Literals(literals) => self.compare_literals(&value, literals),
        }
    }

    fn compare_literals(&self, value: &Value<'_>, literals: &[NaiveLiteral]) -> bool {
        let equals_any = |value: &Value<'_>, literals: &[NaiveLiteral]| {
            literals
                .iter()
                .any(|literal| self.one(Operator::Equal, value, literal))
        };
        if self.list {
            let items = match value {
                Value::List(items) => &items[..],
                _ => return equals_any(value, literals),
            };
            // Nothing is in a set of nothing, not even every element of an empty list.
            if literals.is_empty() {
                return self.operator != Operator::Intersects && items.is_empty();
            }
            return match self.operator {
                Operator::Intersects => items.iter().any(|item| equals_any(item, literals)),
                _ => items.iter().all(|item| equals_any(item, literals)),
            };
        }
        match self.comparison {
            // Each ancestor by itself.
            registry::Comparison::AnyAncestor => match value {
                Value::List(items) => items
                    .iter()
                    .any(|item| self.modified(item, literals, &equals_any)),
                one => self.modified(one, literals, &equals_any),
            },
            _ => self.modified(value, literals, &equals_any),
        }
    }

    /// With its modifier, on one value.
    fn modified(
        &self,
        value: &Value<'_>,
        literals: &[NaiveLiteral],
        equals_any: &dyn Fn(&Value<'_>, &[NaiveLiteral]) -> bool,
    ) -> bool {
        let count = || {
            literals
                .iter()
                .filter(|literal| self.with_ends(self.operator, value, literal))
                .count()
        };
        match self.modifier {
            Some(_) if literals.is_empty() => false,
            Some(Modifier::OneOf) => count() == 1,
            Some(Modifier::AnyOf) => count() > 0,
            Some(Modifier::AllOf) => count() == literals.len(),
            None => match self.operator {
                Operator::In | Operator::Intersects => {
                    let both = self.comparison == registry::Comparison::EitherEnd;
                    // Falco looks at the first network only.
                    let literals = if both && self.field_type == FieldType::Net {
                        &literals[..literals.len().min(1)]
                    } else {
                        literals
                    };
                    match value {
                        Value::List(ends) if both => {
                            ends.iter().any(|end| equals_any(end, literals))
                        }
                        one => equals_any(&as_line(one), literals),
                    }
                }
                Operator::PathMatch => literals
                    .iter()
                    .any(|literal| path_matches(&literal.bytes, &text(value))),
                operator => literals
                    .first()
                    .is_some_and(|literal| self.with_ends(operator, value, literal)),
            },
        }
    }

    /// A comparison with both ends of a socket is one with either; that neither is equal is `!=`.
    fn with_ends(&self, operator: Operator, value: &Value<'_>, literal: &NaiveLiteral) -> bool {
        match (self.comparison, value) {
            (registry::Comparison::EitherEnd, Value::List(ends)) => {
                if operator == Operator::NotEqual {
                    ends.iter()
                        .all(|end| self.one(Operator::NotEqual, end, literal))
                } else {
                    ends.iter().any(|end| self.one(operator, end, literal))
                }
            }
            _ => self.one(operator, &as_line(value), literal),
        }
    }

    /// One value with one literal.
    fn one(&self, operator: Operator, value: &Value<'_>, literal: &NaiveLiteral) -> bool {
        match (value, &literal.parsed) {
            (Value::Bytes(_), parsed) => {
                let subject = if self.field_type == FieldType::Buffer {
                    match value {
                        Value::Bytes(bytes) => bytes.to_vec(),
                        _ => Vec::new(),
                    }
                } else {
                    text(value)
                };
                match parsed {
                    Parsed::Regex(regex) => regex.is_match(&String::from_utf8_lossy(&subject)),
                    Parsed::Bytes(bytes) => compare_text(operator, &subject, bytes),
                    _ if operator == Operator::PathMatch => path_matches(&literal.bytes, &subject),
                    _ => compare_text(operator, &subject, &literal.bytes),
                }
            }
            (Value::Int(number), Parsed::Number(wanted)) => {
                ordered(operator, i128::from(*number).cmp(wanted))
            }
            (Value::Uint(number), Parsed::Number(wanted)) => {
                ordered(operator, i128::from(*number).cmp(wanted))
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "literals of the tests are small whole numbers"
            )]
            (Value::Double(number), Parsed::Number(wanted)) => number
                .partial_cmp(&(*wanted as f64))
                .is_some_and(|order| ordered(operator, order)),
            (Value::Bool(truth), Parsed::Truth(wanted)) => {
                (truth == wanted) == (operator != Operator::NotEqual)
            }
            (Value::Ip(address), Parsed::Address(wanted)) => {
                (address == wanted) == (operator != Operator::NotEqual)
            }
            (Value::Ip(address), Parsed::Network(network, prefix)) => {
                in_network(*address, *network, *prefix) == (operator != Operator::NotEqual)
            }
            _ => false,
        }
    }

    /// A value with another value of the event.
    fn compare_values(&self, left: &Value<'_>, right: &Value<'_>) -> bool {
        let equal = |left: &Value<'_>, right: &Value<'_>| same(Operator::Equal, left, right);
        let among = |one: &Value<'_>| match right {
            Value::List(items) => items.iter().any(|item| equal(one, item)),
            single => equal(one, single),
        };
        match (self.operator, left) {
            (Operator::In, Value::List(items)) if self.list => items.iter().all(among),
            (Operator::Intersects, Value::List(items)) if self.list => items.iter().any(among),
            (Operator::In | Operator::Intersects, one) => among(&as_line(one)),
            (operator, one) => same(operator, &as_line(one), &as_line(right)),
        }
    }
}

fn same(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    let whole = |value: &Value<'_>| match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    };
    match (left, right) {
        (Value::Bytes(_), Value::Bytes(_)) => compare_text(operator, &text(left), &text(right)),
        (Value::Double(left), Value::Double(right)) => left
            .partial_cmp(right)
            .is_some_and(|order| ordered(operator, order)),
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => ordered(operator, left.cmp(&right)),
            _ => match operator {
                Operator::Equal => left == right,
                Operator::NotEqual => left != right,
                _ => false,
            },
        },
    }
}

fn ordered(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Equal | Operator::In | Operator::Intersects => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => false,
    }
}

fn compare_text(operator: Operator, text: &[u8], other: &[u8]) -> bool {
    let holds = |text: &[u8], part: &[u8]| {
        part.is_empty() || text.windows(part.len()).any(|window| window == part)
    };
    let lower = <[u8]>::to_ascii_lowercase;
    match operator {
        Operator::Contains | Operator::BytesContain => holds(text, other),
        Operator::ContainsIgnoringCase => holds(&lower(text), &lower(other)),
        Operator::StartsWith | Operator::BytesStartWith => {
            text.len() >= other.len() && &text[..other.len()] == other
        }
        Operator::EndsWith => {
            text.len() >= other.len() && &text[text.len() - other.len()..] == other
        }
        Operator::Glob => fnmatch(other, text, 0),
        Operator::GlobIgnoringCase => fnmatch(other, text, FNM_CASEFOLD),
        operator => ordered(operator, text.cmp(other)),
    }
}

/// `FNM_CASEFOLD` of glibc.
pub(super) const FNM_CASEFOLD: libc::c_int = 1 << 4;

/// The C library's own fnmatch(3), which Falco calls.
pub(super) fn fnmatch(pattern: &[u8], text: &[u8], flags: libc::c_int) -> bool {
    let (Ok(pattern), Ok(text)) = (CString::new(pattern), CString::new(text)) else {
        return false;
    };
    // SAFETY: both are strings that end in NUL and live for the call.
    unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), flags) == 0 }
}

/// Whether the components of `prefix` are the first ones of `path`.
fn path_matches(prefix: &[u8], path: &[u8]) -> bool {
    fn components(path: &[u8]) -> Vec<&[u8]> {
        path.split(|byte| *byte == b'/')
            .filter(|component| !component.is_empty())
            .collect()
    }
    let (prefix, path) = (components(prefix), components(path));
    prefix.len() <= path.len()
        && prefix.iter().zip(path).all(|(wanted, component)| {
            if wanted.iter().any(|byte| matches!(byte, b'?' | b'*' | b'[')) {
                fnmatch(wanted, component, 0)
            } else {
                *wanted == component
            }
        })
}

fn in_network(address: IpAddr, network: IpAddr, prefix: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            prefix == 0 || (address.to_bits() ^ network.to_bits()) >> (32 - prefix) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            prefix == 0 || (address.to_bits() ^ network.to_bits()) >> (128 - prefix) == 0
        }
        _ => false,
    }
}

/// Text ends at its first NUL.
fn text(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes
            .iter()
            .copied()
            .take_while(|byte| *byte != 0)
            .collect(),
        _ => Vec::new(),
    }
}

/// Several texts of a field that has one are one line.
fn as_line<'v>(value: &Value<'v>) -> Value<'v> {
    match value {
        Value::List(items) => {
            let texts: Vec<Vec<u8>> = items.iter().map(text).collect();
            Value::Bytes(texts.join(&b' ').into())
        }
        one => one.clone(),
    }
}

fn parse(field_type: FieldType, operator: Operator, bytes: &[u8]) -> Parsed {
    let text = String::from_utf8_lossy(bytes);
    match (field_type, operator) {
        (_, Operator::Regex) => {
            regular_expression::compile(&text).map_or(Parsed::Text, Parsed::Regex)
        }
        (FieldType::Buffer, Operator::BytesContain | Operator::BytesStartWith) => {
            let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0);
            let byte = |pair: &[u8]| u8::try_from(digit(pair[0]) * 16 + digit(pair[1]));
            let pairs = bytes.chunks_exact(2);
            Parsed::Bytes(pairs.filter_map(|pair| byte(pair).ok()).collect())
        }
        (FieldType::Text | FieldType::Buffer, _) => Parsed::Text,
        (FieldType::Bool, _) => Parsed::Truth(text == "true"),
        (FieldType::Ip, _) => text.parse().map_or(Parsed::Text, Parsed::Address),
        (FieldType::Net, _) => match text.split_once('/') {
            Some((address, prefix)) => match (address.parse(), prefix.parse()) {
                (Ok(address), Ok(prefix)) => Parsed::Network(address, prefix),
                _ => Parsed::Text,
            },
            None => Parsed::Text,
        },
        (FieldType::Port, _) if text.is_empty() => Parsed::Number(0),
        _ => text.parse().map_or(Parsed::Text, Parsed::Number),
    }
}
