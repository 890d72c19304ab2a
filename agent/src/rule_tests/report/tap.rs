//! TAP, version 14: a line for each test, and a YAML block below those that failed.
//!
//! See <https://testanything.org/tap-version-14-specification.html>.

use std::fmt::Write as _;

use super::{all, errors, indented};
use crate::escape::OneLine;
use crate::rule_tests::run::{FileResult, Outcome};

/// A report in TAP. A file that cannot be run counts as one test that failed.
pub fn tap(results: &[FileResult]) -> String {
    let mut lines = String::new();
    let mut number = 0_usize;
    for file in results {
        if !file.errors.is_empty() {
            number += 1;
            let name = description(&file.name);
            let _infallible = write!(
                lines,
                "not ok {number} - {name}: cannot be run\n{}",
                block("error", &errors(file))
            );
        }
        for test in &file.tests {
            number += 1;
            let name = format!("{}: {}", description(&file.name), description(&test.name));
            let _infallible = match &test.outcome {
                Outcome::Passed => writeln!(lines, "ok {number} - {name}"),
                Outcome::Failed(failures) => {
                    write!(
                        lines,
                        "not ok {number} - {name}\n{}",
                        block("fail", &all(failures))
                    )
                }
                Outcome::Deselected => writeln!(lines, "ok {number} - {name} # SKIP not selected"),
            };
        }
    }
    format!("TAP version 14\n1..{number}\n{lines}")
}

/// A description on one line; `#` starts a directive unless escaped.
fn description(text: &str) -> String {
    let one_line: String = text
        .chars()
        .map(|character| if character == '\n' { ' ' } else { character })
        .collect();
    OneLine(&one_line)
        .to_string()
        .replace('\\', "\\\\")
        .replace('#', "\\#")
}

/// The YAML that says what is wrong.
fn block(severity: &str, details: &str) -> String {
    let details = indented(details, "    ");
    format!("  ---\n  severity: {severity}\n  message: |2\n{details}  ...\n")
}
