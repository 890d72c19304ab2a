//! For people.

use std::fmt::Write as _;

use super::{Counts, all, errors, indented};
use crate::escape::OneLine;
use crate::rule_tests::run::{FileResult, Outcome};

/// A line for each test, below those that failed why, and at the end how many of each.
pub fn text(results: &[FileResult]) -> String {
    let mut text = String::new();
    for file in results {
        let _infallible = writeln!(text, "{}", OneLine(&file.name));
        text.push_str(&errors(file));
        for test in &file.tests {
            let _infallible = match &test.outcome {
                Outcome::Passed => writeln!(text, "  ok      {}", OneLine(&test.name)),
                Outcome::Failed(failures) => {
                    let line = test.position.line;
                    writeln!(
                        text,
                        "  FAILED  {} (line {line})\n{}",
                        OneLine(&test.name),
                        indented(&all(failures), "    ").trim_end()
                    )
                }
                Outcome::Deselected => Ok(()),
            };
        }
    }
    let counts = Counts::of(results);
    let mut summary = format!("{} passed, {} failed", counts.passed, counts.failed);
    if counts.deselected > 0 {
        let _infallible = write!(summary, ", {} not selected", counts.deselected);
    }
    if counts.unusable > 0 {
        let files = if counts.unusable == 1 {
            "file"
        } else {
            "files"
        };
        let _infallible = write!(summary, ", {} {files} with errors", counts.unusable);
    }
    let _infallible = writeln!(text, "{summary}");
    text
}
