//! The results of test files, for people and for machines.

mod json;
mod junit;
mod tap;
mod text;

pub use json::json;
pub use junit::junit;
pub use tap::tap;
pub use text::text;

use std::fmt::Write as _;

use crate::escape::OneLine;

use super::run::{Failure, FileResult, Outcome};

/// How many tests of what kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    deselected: usize,
    /// Files that could not be run.
    unusable: usize,
}

impl Counts {
    fn of(results: &[FileResult]) -> Self {
        let mut counts = Self::default();
        for file in results {
            counts.unusable += usize::from(!file.errors.is_empty());
            for test in &file.tests {
                match &test.outcome {
                    Outcome::Passed => counts.passed += 1,
                    Outcome::Failed(_) => counts.failed += 1,
                    Outcome::Deselected => counts.deselected += 1,
                }
            }
        }
        counts
    }
}

/// Everything about a failed test, in lines.
fn all(failures: &[Failure]) -> String {
    let mut text = String::new();
    for failure in failures {
        let _infallible = writeln!(text, "{}", OneLine(&failure.message));
        text.push_str(&indented(&failure.details, "  "));
    }
    text
}

fn indented(text: &str, indent: &str) -> String {
    let mut indented = String::new();
    for line in text.lines() {
        let _infallible = writeln!(indented, "{indent}{}", OneLine(line));
    }
    indented
}

/// Every error of a file, in lines.
fn errors(file: &FileResult) -> String {
    let mut text = String::new();
    for error in &file.errors {
        let _infallible = writeln!(text, "{error}");
    }
    text
}
