//! What operators do to text and bytes.

use std::cmp::Ordering;
use std::collections::HashSet;

use memchr::memmem;

use super::ast::Operator;
use super::glob::{glob_matches, glob_matches_in_any_case};
use super::path_set::PathSet;

/// A test of bytes.
#[derive(Clone, Debug)]
pub(super) enum TextTest {
    Equals(Vec<u8>),
    In(HashSet<Vec<u8>, foldhash::fast::FixedState>),
    Contains(Box<memmem::Finder<'static>>),
    /// The needle is in lower case.
    ContainsIgnoringCase(Vec<u8>),
    StartsWith(Vec<u8>),
    EndsWith(Vec<u8>),
    Glob(Vec<u8>),
    GlobIgnoringCase(Vec<u8>),
    Regex(regex::Regex),
    PathMatch(PathSet),
    /// `<`, `<=`, `>`, `>=` byte by byte, as strcmp(3).
    Order(Operator, Vec<u8>),
}

impl TextTest {
    /// Equality with any of these.
    pub(super) fn set(literals: &[&[u8]]) -> Self {
        match literals {
            [only] => Self::Equals(only.to_vec()),
            _ => Self::In(literals.iter().map(|text| text.to_vec()).collect()),
        }
    }

    pub(super) fn contains(needle: &[u8]) -> Self {
        Self::Contains(Box::new(memmem::Finder::new(needle).into_owned()))
    }

    /// Whether it holds for these bytes.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Equals(wanted) => bytes == &wanted[..],
            Self::In(set) => set.contains(bytes),
            Self::Contains(finder) => finder.find(bytes).is_some(),
            Self::ContainsIgnoringCase(needle) => contains_ignoring_case(bytes, needle),
            Self::StartsWith(start) => bytes.starts_with(start),
            Self::EndsWith(end) => bytes.ends_with(end),
            Self::Glob(pattern) => glob_matches(pattern, bytes),
            Self::GlobIgnoringCase(pattern) => glob_matches_in_any_case(pattern, bytes),
            Self::Regex(regex) => regex.is_match(&String::from_utf8_lossy(bytes)),
            Self::PathMatch(set) => set.matches(bytes),
            Self::Order(operator, limit) => order_holds(*operator, bytes.cmp(limit)),
        }
    }
}

fn contains_ignoring_case(bytes: &[u8], lower_needle: &[u8]) -> bool {
    lower_needle.is_empty()
        || bytes
            .windows(lower_needle.len())
            .any(|part| part.eq_ignore_ascii_case(lower_needle))
}

/// A comparison of two texts, neither of them known beforehand.
pub(super) fn compare(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    match operator {
        Operator::Contains | Operator::BytesContain => memmem::find(left, right).is_some(),
        Operator::ContainsIgnoringCase => contains_ignoring_case(left, &right.to_ascii_lowercase()),
        Operator::StartsWith | Operator::BytesStartWith => left.starts_with(right),
        Operator::EndsWith => left.ends_with(right),
        Operator::Glob => glob_matches(right, left),
        Operator::GlobIgnoringCase => glob_matches_in_any_case(right, left),
        operator => order_holds(operator, left.cmp(right)),
    }
}

/// Whether two values in this order satisfy an operator that knows equality and order only.
pub(super) fn order_holds(operator: Operator, order: Ordering) -> bool {
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
