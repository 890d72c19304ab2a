//! One comparison of a rule's condition by itself, for whoever evaluates conditions as they stand
//! rather than as a [`Program`](super::Program).

use super::ast::Comparison;
use super::test::Test;
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

    /// Whether it holds for these values. A missing value makes every comparison false.
    pub fn holds<'v>(&self, value: &dyn Fn(&FieldUse) -> Option<Value<'v>>) -> bool {
        self.test.holds(value)
    }
}
