//! A comparison with its literals parsed: what an operator does to a value.

use std::net::IpAddr;

use super::ast::{Literal, Modifier, Operator};
use super::literal::{
    Network, parse_address, parse_bool, parse_hexadecimal, parse_number, parse_port,
};
use super::operand::as_one_text;
use super::path_set::PathSet;
use super::regular_expression;
use super::text_test::TextTest;
use super::transformer::until_nul;
use crate::fields::Value;
use crate::fields::registry::{Comparison, FieldType};

/// A compiled right side.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// There is a value.
    Exists,
    /// Never: `in ()` and its like.
    Never,
    /// Text, which ends at its first NUL.
    Text(TextTest),
    /// Bytes, all of them.
    Buffer(TextTest),
    /// Numbers of any type.
    Number(NumberTest),
    Bool(Vec<bool>),
    AddressIn(Vec<IpAddr>),
    NetworkIn(Vec<Network>),
    Not(Box<Matcher>),
    /// Exactly one of them.
    OneOf(Vec<Matcher>),
    AnyOf(Vec<Matcher>),
    AllOf(Vec<Matcher>),
    /// For a list-valued field: every element matches.
    EveryElement(Box<Matcher>),
    /// For a list-valued field, or one that stands for several values: some element matches.
    SomeElement(Box<Matcher>),
}

/// A test of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NumberTest {
    Less(i128),
    LessOrEqual(i128),
    Greater(i128),
    GreaterOrEqual(i128),
    In(Vec<i128>),
    /// Both ends included.
    Between(i128, i128),
}

impl NumberTest {
    pub(super) fn holds(&self, number: i128) -> bool {
        match self {
            Self::Less(limit) => number < *limit,
            Self::LessOrEqual(limit) => number <= *limit,
            Self::Greater(limit) => number > *limit,
            Self::GreaterOrEqual(limit) => number >= *limit,
            Self::In(numbers) => numbers.contains(&number),
            Self::Between(low, high) => (*low..=*high).contains(&number),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "literals are small whole numbers"
    )]
    #[expect(clippy::float_cmp, reason = "as a rule has it: equal is equal")]
    fn holds_for_fraction(&self, number: f64) -> bool {
        match self {
            Self::Less(limit) => number < *limit as f64,
            Self::LessOrEqual(limit) => number <= *limit as f64,
            Self::Greater(limit) => number > *limit as f64,
            Self::GreaterOrEqual(limit) => number >= *limit as f64,
            Self::In(numbers) => numbers.iter().any(|wanted| number == *wanted as f64),
            Self::Between(low, high) => (*low as f64..=*high as f64).contains(&number),
        }
    }
}

/// Why a comparison cannot be compiled, and which of the literals is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MatcherError {
    pub(super) message: String,
    /// Index of the literal, if it is one.
    pub(super) literal: Option<usize>,
}

/// What a left side gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) field_type: FieldType,
    pub(super) list: bool,
    pub(super) comparison: Comparison,
}

impl Matcher {
    /// For an operator that is applied to a value of this shape with these literals.
    pub(super) fn compile(
        shape: Shape,
        operator: Operator,
        modifier: Option<Modifier>,
        literals: &[Literal],
    ) -> Result<Self, MatcherError> {
        check_operator(shape, operator)?;
        if operator == Operator::Exists {
            return Ok(Self::Exists);
        }
        if shape.list {
            // An empty list has every element in the set, and none.
            let element = Box::new(Self::set(shape.field_type, literals)?);
            return Ok(match operator {
                Operator::Intersects => Self::SomeElement(element),
                _ => Self::EveryElement(element),
            });
        }
        let one = |literals: &[Literal]| {
            let matcher = Self::scalar(shape.field_type, operator, literals)?;
            Ok(match (shape.comparison, matcher) {
                // `!=` on both ends: neither is it.
                (Comparison::EitherEnd, Self::Not(inner)) => {
                    Self::Not(Box::new(Self::SomeElement(inner)))
                }
                (Comparison::EitherEnd, matcher) => Self::SomeElement(Box::new(matcher)),
                (_, matcher) => matcher,
            })
        };
        let matcher = match (modifier, operator) {
            (None, Operator::In | Operator::Intersects)
                if shape.comparison == Comparison::EitherEnd
                    && shape.field_type == FieldType::Net =>
            {
                // Falco compares only the first network with both ends. The others have to be networks.
                Self::set(shape.field_type, literals)?;
                one(&literals[..literals.len().min(1)])?
            }
            (None, _) => one(literals)?,
            (Some(_), _) if literals.is_empty() => Self::Never,
            // The same as a set, and a set is faster.
            (Some(Modifier::AnyOf), Operator::Equal)
            | (Some(Modifier::AllOf), Operator::NotEqual) => one(literals)?,
            (Some(modifier), _) => {
                let each = |(index, literal): (usize, &Literal)| {
                    one(std::slice::from_ref(literal)).map_err(|error: MatcherError| MatcherError {
                        literal: error.literal.map(|_| index),
                        ..error
                    })
                };
                let all: Vec<_> = literals
                    .iter()
                    .enumerate()
                    .map(each)
                    .collect::<Result<_, _>>()?;
                match modifier {
                    Modifier::OneOf => Self::OneOf(all),
                    Modifier::AnyOf => Self::AnyOf(all),
                    Modifier::AllOf => Self::AllOf(all),
                }
            }
        };
        Ok(match shape.comparison {
            Comparison::AnyAncestor => Self::SomeElement(Box::new(matcher)),
            Comparison::Normal | Comparison::EitherEnd => matcher,
        })
    }

    fn scalar(
        field_type: FieldType,
        operator: Operator,
        literals: &[Literal],
    ) -> Result<Self, MatcherError> {
        let text = literals.first().map_or(&b""[..], |literal| &literal.bytes);
        let readable = String::from_utf8_lossy(text);
        let test = match operator {
            Operator::Exists => return Ok(Self::Exists),
            Operator::Equal | Operator::In | Operator::Intersects => {
                return Self::set(field_type, literals);
            }
            Operator::NotEqual => return Ok(Self::Not(Box::new(Self::set(field_type, literals)?))),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
                if field_type != FieldType::Text =>
            {
                let number = if field_type == FieldType::Port {
                    parse_port(&readable)
                } else {
                    parse_number(field_type, &readable)
                };
                let number = number.map_err(at_first)?;
                return Ok(Self::Number(match operator {
                    Operator::Less => NumberTest::Less(number),
                    Operator::LessOrEqual => NumberTest::LessOrEqual(number),
                    Operator::Greater => NumberTest::Greater(number),
                    _ => NumberTest::GreaterOrEqual(number),
                }));
            }
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => TextTest::Order(operator, text.to_vec()),
            Operator::Contains => TextTest::contains(text),
            Operator::ContainsIgnoringCase => {
                TextTest::ContainsIgnoringCase(text.to_ascii_lowercase())
            }
            Operator::StartsWith => TextTest::StartsWith(text.to_vec()),
            Operator::EndsWith => TextTest::EndsWith(text.to_vec()),
            Operator::BytesContain => {
                TextTest::contains(&parse_hexadecimal(&readable).map_err(at_first)?)
            }
            Operator::BytesStartWith => {
                TextTest::StartsWith(parse_hexadecimal(&readable).map_err(at_first)?)
            }
            Operator::Glob => TextTest::Glob(text.to_vec()),
            Operator::GlobIgnoringCase => TextTest::GlobIgnoringCase(text.to_vec()),
            Operator::Regex => {
                TextTest::Regex(regular_expression::compile(&readable).map_err(at_first)?)
            }
            Operator::PathMatch => {
                let paths: Vec<&[u8]> = literals.iter().map(|path| &path.bytes[..]).collect();
                TextTest::PathMatch(PathSet::new(&paths))
            }
        };
        Ok(Self::text(field_type, test))
    }

    fn text(field_type: FieldType, test: TextTest) -> Self {
        if field_type == FieldType::Buffer {
            Self::Buffer(test)
        } else {
            Self::Text(test)
        }
    }

    /// Equality with any of the literals.
    fn set(field_type: FieldType, literals: &[Literal]) -> Result<Self, MatcherError> {
        if literals.is_empty() {
            return Ok(Self::Never);
        }
        Ok(match field_type {
            FieldType::Text | FieldType::Buffer => {
                let texts: Vec<&[u8]> = literals.iter().map(|text| &text.bytes[..]).collect();
                Self::text(field_type, TextTest::set(&texts))
            }
            FieldType::Bool => Self::Bool(each(literals, parse_bool)?),
            FieldType::Ip => Self::AddressIn(each(literals, parse_address)?),
            FieldType::Net => Self::NetworkIn(each(literals, str::parse)?),
            FieldType::Port => Self::Number(NumberTest::In(each(literals, parse_port)?)),
            FieldType::Int
            | FieldType::Uint
            | FieldType::Double
            | FieldType::RelTime
            | FieldType::AbsTime => {
                let number = |text: &str| parse_number(field_type, text);
                Self::Number(NumberTest::In(each(literals, number)?))
            }
        })
    }

    /// The texts of which a value has to be one, or must not be any; `None` for any other test.
    pub(super) fn equal_texts(&self) -> Option<Box<dyn Iterator<Item = &[u8]> + '_>> {
        match self {
            Self::Exists | Self::Never => Some(Box::new(std::iter::empty())),
            Self::Text(TextTest::Equals(text)) => Some(Box::new(std::iter::once(&text[..]))),
            Self::Text(TextTest::In(texts)) => Some(Box::new(texts.iter().map(Vec::as_slice))),
            Self::Not(inner) => inner.equal_texts(),
            _ => None,
        }
    }

    /// Whether a value matches.
    pub(super) fn matches(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::Never, _) => false,
            (Self::Text(test), Value::Bytes(text)) => test.holds(until_nul(text)),
            (Self::Buffer(test), Value::Bytes(bytes)) => test.holds(bytes),
            (Self::Not(inner), value) => !inner.matches(value),
            (Self::OneOf(all), value) => {
                let matching = all.iter().filter(|matcher| matcher.matches(value));
                matching.take(2).count() == 1
            }
            (Self::AnyOf(all), value) => all.iter().any(|matcher| matcher.matches(value)),
            (Self::AllOf(all), value) => all.iter().all(|matcher| matcher.matches(value)),
            (Self::EveryElement(inner), Value::List(items)) => {
                items.iter().all(|item| inner.matches(item))
            }
            (Self::SomeElement(inner), Value::List(items)) => {
                items.iter().any(|item| inner.matches(item))
            }
            // One end only, of a socket that is bound; or the one element of a list.
            (Self::EveryElement(inner) | Self::SomeElement(inner), value) => inner.matches(value),
            (Self::Number(test), Value::Int(number)) => test.holds(i128::from(*number)),
            (Self::Number(test), Value::Uint(number)) => test.holds(i128::from(*number)),
            (Self::Number(test), Value::Double(number)) => test.holds_for_fraction(*number),
            (Self::Bool(wanted), Value::Bool(truth)) => wanted.contains(truth),
            (Self::AddressIn(addresses), Value::Ip(address)) => addresses.contains(address),
            (Self::NetworkIn(networks), Value::Ip(address)) => {
                networks.iter().any(|network| network.contains(*address))
            }
            (Self::Text(_), list @ Value::List(_)) => match as_one_text(list.clone()) {
                Value::Bytes(line) => self.matches(&Value::Bytes(line)),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Every literal parsed, or which one cannot be.
fn each<T>(
    literals: &[Literal],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, MatcherError> {
    let parse = |(index, literal): (usize, &Literal)| {
        parse(&literal.text()).map_err(|message| MatcherError {
            message,
            literal: Some(index),
        })
    };
    literals.iter().enumerate().map(parse).collect()
}

fn at_first(message: String) -> MatcherError {
    MatcherError {
        message,
        literal: Some(0),
    }
}

/// Which operators go with which type.
fn check_operator(shape: Shape, operator: Operator) -> Result<(), MatcherError> {
    if operator_fits(shape.field_type, shape.list, operator) {
        return Ok(());
    }
    let fitting: Vec<&str> = Operator::ALL
        .iter()
        .filter(|(spelling, other)| {
            other.spelling() == *spelling && operator_fits(shape.field_type, shape.list, *other)
        })
        .map(|(spelling, _)| *spelling)
        .collect();
    let kind = if shape.list { "a list of " } else { "" };
    Err(MatcherError {
        message: format!(
            "the operator '{}' does not go with a value of type {kind}{}: expected one of {}",
            operator.spelling(),
            shape.field_type.name(),
            fitting.join(", ")
        ),
        literal: None,
    })
}

/// Whether an operator can be used with values of a type.
pub(super) fn operator_fits(field_type: FieldType, list: bool, operator: Operator) -> bool {
    match operator {
        Operator::Exists => true,
        Operator::In | Operator::Intersects => {
            !list
                || matches!(
                    field_type,
                    FieldType::Text
                        | FieldType::Uint
                        | FieldType::RelTime
                        | FieldType::AbsTime
                        | FieldType::Bool
                        | FieldType::Ip
                        | FieldType::Net
                )
        }
        _ if list => false,
        Operator::Equal | Operator::NotEqual => true,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            !matches!(
                field_type,
                FieldType::Bool | FieldType::Buffer | FieldType::Ip | FieldType::Net
            )
        }
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
            matches!(field_type, FieldType::Text | FieldType::Buffer)
        }
        Operator::BytesContain | Operator::BytesStartWith => field_type == FieldType::Buffer,
        Operator::ContainsIgnoringCase
        | Operator::Glob
        | Operator::GlobIgnoringCase
        | Operator::Regex
        | Operator::PathMatch => field_type == FieldType::Text,
    }
}
