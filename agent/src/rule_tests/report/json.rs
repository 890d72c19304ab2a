//! For programs.

use serde_json::{Value as Json, json};

use super::Counts;
use crate::rule_tests::problem::FileError;
use crate::rule_tests::run::{FileResult, Outcome, TestResult};
use crate::rules::Position;

/// An object with the counts, and an entry for each file.
pub fn json(results: &[FileResult]) -> Json {
    let counts = Counts::of(results);
    let files: Vec<Json> = results
        .iter()
        .map(|file| {
            let errors: Vec<Json> = file.errors.iter().map(error).collect();
            let tests: Vec<Json> = file.tests.iter().map(test).collect();
            json!({
                "name": file.name,
                "successful": !file.is_failure(),
                "errors": errors,
                "tests": tests,
            })
        })
        .collect();
    json!({
        "passed": counts.passed,
        "failed": counts.failed,
        "not_selected": counts.deselected,
        "files": files,
    })
}

fn error(error: &FileError) -> Json {
    let at = |file: &str, position: Position| json!({ "name": file, "line": position.line, "column": position.column });
    let (message, position) = match error {
        FileError::Read { .. } => (error.to_string(), Json::Null),
        FileError::Problem(problem) => {
            (problem.message.clone(), at(&problem.file, problem.position))
        }
        FileError::Rules(finding) => (
            format!("{}: {}", finding.code.name(), finding.message),
            at(&finding.place.file, finding.place.position),
        ),
    };
    json!({ "message": message, "position": position })
}

fn test(test: &TestResult) -> Json {
    let (outcome, failures) = match &test.outcome {
        Outcome::Passed => ("passed", &[][..]),
        Outcome::Failed(failures) => ("failed", failures.as_slice()),
        Outcome::Deselected => ("not_selected", &[][..]),
    };
    let failures: Vec<Json> = failures
        .iter()
        .map(|failure| json!({ "message": failure.message, "details": failure.details }))
        .collect();
    json!({
        "name": test.name,
        "line": test.position.line,
        "tags": test.tags,
        "outcome": outcome,
        "failures": failures,
    })
}
