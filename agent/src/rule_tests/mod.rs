//! Unit tests of rules: events described by their fields, and the rules expected to match.
//!
//! Nothing here needs a kernel. A test's event can be of any type that rules can name, delivered by
//! the sensor or not; conditions are evaluated as the rules have them, one comparison at a time, so
//! that a failed test can say why. The format is described in `docs/rule-tests.md`.

mod delivery;
mod derived;
mod event;
mod explain;
mod file;
mod problem;
pub mod report;
mod run;
mod shown;
#[cfg(test)]
mod tests;

pub use event::EventDescription;
pub use explain::{Explanation, Part, explain};
pub use file::{Expectation, Named, RuleReference, TestCase, TestFile};
pub use problem::{FileError, Problem};
pub use run::{Failure, FileResult, Options, Outcome, TestResult, run_file};

pub(crate) use file::{EXPECT_KEYS, FILE_KEYS, MATCHING, TEST_KEYS};
