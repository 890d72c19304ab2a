//! A comparison with its literals parsed: what an operator does to a value.

use std::collections::HashSet;
use std::net::IpAddr;

use memchr::memmem;

use super::ast::{Modifier, Operator};
use super::glob::glob_matches;
use super::literal::{Network, parse_address, parse_number, parse_port};
use super::path_set::PathSet;
use crate::fields::Value;
use crate::fields::registry::{Comparison, FieldType};

/// A compiled right side.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the searcher is what a match waits for"
)]
pub(super) enum Matcher {
    Exists,
    /// Never: `in ()` and its like.
    Never,
    TextEquals(Vec<u8>),
    TextIn(HashSet<Vec<u8>>),
    Contains(memmem::Finder<'static>),
    /// The needle is in lower case.
    ContainsIgnoringCase(Vec<u8>),
    StartsWith(Vec<u8>),
    EndsWith(Vec<u8>),
    Glob {
        pattern: Vec<u8>,
        ignore_case: bool,
    },
    Regex(regex::Regex),
    PathMatch(PathSet),
    /// Numbers of any integer type.
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
}

impl NumberTest {
    pub(super) fn holds(&self, number: i128) -> bool {
        match self {
            Self::Less(limit) => number < *limit,
            Self::LessOrEqual(limit) => number <= *limit,
            Self::Greater(limit) => number > *limit,
            Self::GreaterOrEqual(limit) => number >= *limit,
            Self::In(numbers) => numbers.contains(&number),
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

impl MatcherError {
    fn operator(message: String) -> Self {
        Self {
            message,
            literal: None,
        }
    }
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
        literals: &[&str],
    ) -> Result<Self, MatcherError> {
        check_operator(shape, operator)?;
        if operator == Operator::Exists {
            return Ok(Self::Exists);
        }
        if shape.list {
            // An empty list has every element in the set, and none.
            let set = Self::set(shape.field_type, literals)?;
            let element = Box::new(set);
            return Ok(match operator {
                Operator::Intersects => Self::SomeElement(element),
                _ => Self::EveryElement(element),
            });
        }
        let single = match modifier {
            None => Self::scalar(shape, operator, literals)?,
            Some(modifier) => {
                let each = |(index, literal): (usize, &&str)| {
                    Self::scalar(shape, operator, &[literal]).map_err(|error| MatcherError {
                        literal: Some(index),
                        ..error
                    })
                };
                let all: Vec<_> = literals
                    .iter()
                    .enumerate()
                    .map(each)
                    .collect::<Result<_, _>>()?;
                match modifier {
                    _ if all.is_empty() => Self::Never,
                    Modifier::OneOf => Self::OneOf(all),
                    Modifier::AnyOf => Self::AnyOf(all),
                    Modifier::AllOf => Self::AllOf(all),
                }
            }
        };
        Ok(match (shape.comparison, single) {
            (Comparison::Normal, single) => single,
            // `!=` on both ends: neither is it.
            (Comparison::EitherEnd, Self::Not(inner)) => {
                Self::Not(Box::new(Self::SomeElement(inner)))
            }
            (Comparison::EitherEnd | Comparison::AnyAncestor, single) => {
                Self::SomeElement(Box::new(single))
            }
        })
    }

    fn scalar(shape: Shape, operator: Operator, literals: &[&str]) -> Result<Self, MatcherError> {
        let first = literals.first().copied().unwrap_or_default();
        let text = || first.as_bytes().to_vec();
        Ok(match operator {
            Operator::Exists => Self::Exists,
            Operator::Equal => Self::set(shape.field_type, &[first])?,
            Operator::NotEqual => Self::Not(Box::new(Self::set(shape.field_type, &[first])?)),
            Operator::In | Operator::Intersects => {
                // Falco compares only the first network with both ends.
                let only_first = shape.comparison == Comparison::EitherEnd
                    && shape.field_type == FieldType::Net
                    && literals.len() > 1;
                Self::set(
                    shape.field_type,
                    if only_first { &literals[..1] } else { literals },
                )?
            }
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                let number = parse_number(shape.field_type, first).map_err(at_first)?;
                Self::Number(match operator {
                    Operator::Less => NumberTest::Less(number),
                    Operator::LessOrEqual => NumberTest::LessOrEqual(number),
                    Operator::Greater => NumberTest::Greater(number),
                    _ => NumberTest::GreaterOrEqual(number),
                })
            }
            Operator::Contains => Self::Contains(memmem::Finder::new(first).into_owned()),
            Operator::ContainsIgnoringCase => {
                Self::ContainsIgnoringCase(first.to_ascii_lowercase().into_bytes())
            }
            Operator::StartsWith => Self::StartsWith(text()),
            Operator::EndsWith => Self::EndsWith(text()),
            Operator::BytesContain => {
                Self::Contains(memmem::Finder::new(&hexadecimal(first)?).into_owned())
            }
            Operator::BytesStartWith => Self::StartsWith(hexadecimal(first)?),
            Operator::Glob => Self::Glob {
                pattern: text(),
                ignore_case: false,
            },
            Operator::GlobIgnoringCase => Self::Glob {
                pattern: first.to_ascii_lowercase().into_bytes(),
                ignore_case: true,
            },
            Operator::Regex => {
                let anchored = format!("^(?:{first})$");
                let compiled = regex::RegexBuilder::new(&anchored)
                    .dot_matches_new_line(true)
                    .build();
                Self::Regex(compiled.map_err(|error| {
                    at_first(format!("'{first}' is no regular expression: {error}"))
                })?)
            }
            Operator::PathMatch => Self::PathMatch(PathSet::new(literals)),
        })
    }

    /// Equality with any of the literals.
    fn set(field_type: FieldType, literals: &[&str]) -> Result<Self, MatcherError> {
        if literals.is_empty() {
            return Ok(Self::Never);
        }
        Ok(match field_type {
            FieldType::Text | FieldType::Buffer => match literals {
                [only] => Self::TextEquals(only.as_bytes().to_vec()),
                _ => Self::TextIn(
                    literals
                        .iter()
                        .map(|text| text.as_bytes().to_vec())
                        .collect(),
                ),
            },
            FieldType::Bool => Self::Bool(each(literals, |text| match text {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(format!("'{text}' is neither true nor false")),
            })?),
            FieldType::Ip => Self::AddressIn(each(literals, parse_address)?),
            FieldType::Net => Self::NetworkIn(each(literals, str::parse)?),
            FieldType::Port => Self::Number(NumberTest::In(each(literals, parse_port)?)),
            number => Self::Number(NumberTest::In(each(literals, |text| {
                parse_number(number, text)
            })?)),
        })
    }

    /// Whether a value matches.
    pub(super) fn matches(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::Never, _) => false,
            (Self::Not(inner), value) => !inner.matches(value),
            (Self::OneOf(all), value) => {
                all.iter()
                    .filter(|matcher| matcher.matches(value))
                    .take(2)
                    .count()
                    == 1
            }
            (Self::AnyOf(all), value) => all.iter().any(|matcher| matcher.matches(value)),
            (Self::AllOf(all), value) => all.iter().all(|matcher| matcher.matches(value)),
            (Self::EveryElement(inner), Value::List(items)) => {
                items.iter().all(|item| inner.matches(item))
            }
            (Self::SomeElement(inner), Value::List(items)) => {
                items.iter().any(|item| inner.matches(item))
            }
            // A field that can stand for several values, used with an argument.
            (Self::EveryElement(inner) | Self::SomeElement(inner), value) => inner.matches(value),
            (matcher, Value::Bytes(bytes)) => matcher.matches_bytes(bytes),
            (Self::Number(test), Value::Int(number)) => test.holds(i128::from(*number)),
            (Self::Number(test), Value::Uint(number)) => test.holds(i128::from(*number)),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "literals are integers; as in Falco"
            )]
            (Self::Number(test), Value::Double(number)) => test.holds(*number as i128),
            (Self::Bool(wanted), Value::Bool(truth)) => wanted.contains(truth),
            (Self::AddressIn(addresses), Value::Ip(address)) => addresses.contains(address),
            (Self::NetworkIn(networks), Value::Ip(address)) => {
                networks.iter().any(|network| network.contains(*address))
            }
            // A parameter whose type differs from event to event, compared as text.
            (Self::TextEquals(_) | Self::TextIn(_), Value::Int(number)) => {
                self.matches_bytes(number.to_string().as_bytes())
            }
            (Self::TextEquals(_) | Self::TextIn(_), Value::Uint(number)) => {
                self.matches_bytes(number.to_string().as_bytes())
            }
            _ => false,
        }
    }

    fn matches_bytes(&self, bytes: &[u8]) -> bool {
        match self {
            Self::TextEquals(wanted) => to_nul(bytes) == &wanted[..],
            Self::TextIn(set) => set.contains(to_nul(bytes)),
            Self::Contains(finder) => finder.find(bytes).is_some(),
            Self::ContainsIgnoringCase(needle) => {
                needle.is_empty()
                    || bytes
                        .windows(needle.len())
                        .any(|part| part.eq_ignore_ascii_case(needle))
            }
            Self::StartsWith(start) => bytes.starts_with(start),
            Self::EndsWith(end) => bytes.ends_with(end),
            Self::Glob {
                pattern,
                ignore_case: false,
            } => glob_matches(pattern, bytes),
            Self::Glob {
                pattern,
                ignore_case: true,
            } => glob_matches(pattern, &bytes.to_ascii_lowercase()),
            Self::Regex(regex) => regex.is_match(&String::from_utf8_lossy(bytes)),
            Self::PathMatch(set) => set.matches(bytes),
            _ => false,
        }
    }
}

/// Every literal parsed, or which one cannot be.
fn each<T>(
    literals: &[&str],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, MatcherError> {
    let parse = |(index, literal): (usize, &&str)| {
        parse(literal).map_err(|message| MatcherError {
            message,
            literal: Some(index),
        })
    };
    literals.iter().enumerate().map(parse).collect()
}

/// Text ends at its first NUL.
fn to_nul(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end])
}

fn at_first(message: String) -> MatcherError {
    MatcherError {
        message,
        literal: Some(0),
    }
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, MatcherError> {
    let digits = text.as_bytes();
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    bytes
        .filter(|_| digits.len().is_multiple_of(2))
        .ok_or_else(|| at_first(format!("'{text}' is no even number of hexadecimal digits")))
}

/// Which operators go with which type (reference: the table of operators by type).
fn check_operator(shape: Shape, operator: Operator) -> Result<(), MatcherError> {
    use Operator::{
        BytesContain, BytesStartWith, Contains, EndsWith, Equal, Exists, In, Intersects, NotEqual,
        StartsWith,
    };
    let allowed = match operator {
        Exists | In | Intersects => true,
        _ if shape.list => false,
        Equal | NotEqual => true,
        operator if operator.is_ordering() => !matches!(
            shape.field_type,
            FieldType::Bool | FieldType::Buffer | FieldType::Ip | FieldType::Net
        ),
        Contains | StartsWith | EndsWith => {
            matches!(shape.field_type, FieldType::Text | FieldType::Buffer)
        }
        BytesContain | BytesStartWith => {
            matches!(shape.field_type, FieldType::Buffer)
        }
        _ => matches!(shape.field_type, FieldType::Text),
    };
    if allowed {
        return Ok(());
    }
    let kind = match (shape.list, shape.field_type) {
        (true, _) => "a list",
        (_, FieldType::Text) => "text",
        (_, FieldType::Buffer) => "bytes",
        (_, FieldType::Bool) => "true or false",
        (_, FieldType::Ip) => "an address",
        (_, FieldType::Net) => "a network",
        _ => "a number",
    };
    Err(MatcherError::operator(format!(
        "the operator '{}' does not go with a field that is {kind}",
        operator.spelling()
    )))
}
