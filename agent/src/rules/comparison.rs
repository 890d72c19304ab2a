//! One comparison of a rule's condition by itself, for whoever evaluates conditions as they stand
//! rather than as a [`Program`](super::Program).

use super::ast::Comparison;
use super::test::{Check, Test};
use crate::fields::{FieldUse, Value};

/// A comparison with its fields looked up and its literals parsed.
#[derive(Clone, Debug)]
pub struct CompiledComparison {
    test: Test,
}

/// The comparison names a field that there is not, or compares what cannot be compared. The
/// conditions of loaded rules have no such comparison.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotComparable(String);

impl CompiledComparison {
    /// Looks up fields, checks types and parses literals.
    pub fn compile(comparison: &Comparison) -> Result<Self, NotComparable> {
        match Test::compile(comparison) {
            Ok(test) => Ok(Self { test }),
            Err(problem) => Err(NotComparable(problem.message)),
        }
    }

    /// The fields that it looks at.
    pub fn fields(&self) -> Vec<&FieldUse> {
        self.test.fields()
    }

    /// Whether the value of the first field is enough: of the name of an address, which is only looked
    /// for by the address if there is none.
    pub fn first_decides(&self) -> bool {
        matches!(self.test.check, Check::Hosts(_))
    }

    /// Whether it holds for these values. A missing value makes every comparison false.
    pub fn holds<'v>(&self, value: &dyn Fn(&FieldUse) -> Option<Value<'v>>) -> bool {
        self.test.holds(value)
    }
}
