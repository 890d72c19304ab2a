//! Runs test files.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use super::delivery::{Delivered, Delivery};
use super::explain::{Explanation, explain};
use super::file::{self, Expectation, Named, RuleReference, TestCase, TestFile};
use super::problem::FileError;
use super::shown;
use crate::config::read_rule_files;
use crate::default_rules;
use crate::escape::OneLine;
use crate::fields::registry::closest;
use crate::fields::{FieldUse, Value};
use crate::rules::suggestion::did_you_mean;
use crate::rules::{Matching, NotShown, Position, Rule, RuleSet, RuleSource, load};

/// How to run test files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Rule files that are loaded after those that a test file names, and so can change them.
    pub more_rules: Vec<RuleSource>,
    /// Only tests with one of these tags; all tests if there are none.
    pub tags: Vec<String>,
}

/// What came of a file.
#[derive(Debug)]
pub struct FileResult {
    /// The file's name.
    pub name: String,
    /// Why it could not be run; then there are no tests.
    pub errors: Vec<FileError>,
    /// Its tests, in order.
    pub tests: Vec<TestResult>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// Where it is.
    pub position: Position,
    /// Its tags.
    pub tags: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was as expected.
    Passed,
    /// Something was not.
    Failed(Vec<Failure>),
    /// It has none of the tags that were asked for.
    Deselected,
}

/// Something that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What, in a line.
    pub message: String,
    /// Why, in lines.
    pub details: String,
}

impl FileResult {
    /// Whether something is wrong with the file or one of its tests failed.
    pub fn is_failure(&self) -> bool {
        let failed = |test: &TestResult| matches!(test.outcome, Outcome::Failed(_));
        !self.errors.is_empty() || self.tests.iter().any(failed)
    }
}

/// Runs the tests of a file.
pub fn run_file(path: &Path, options: &Options) -> FileResult {
    let name = path.display().to_string();
    match tests_of(path, &name, options) {
        Ok(tests) => FileResult {
            name,
            errors: Vec::new(),
            tests,
        },
        Err(errors) => FileResult {
            name,
            errors,
            tests: Vec::new(),
        },
    }
}

fn tests_of(path: &Path, name: &str, options: &Options) -> Result<Vec<TestResult>, Vec<FileError>> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        vec![FileError::Read {
            path: path.to_owned(),
            source,
        }]
    })?;
    let file = TestFile::parse(name, &text).map_err(|problems| {
        problems
            .into_iter()
            .map(FileError::from)
            .collect::<Vec<_>>()
    })?;
    let problem =
        |position, message| FileError::from(file::problem(name, &text, (position, message)));
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut sources = Vec::new();
    for reference in &file.rules {
        match reference {
            RuleReference::Default => sources.extend(defaults()),
            RuleReference::Path(named) => match rule_files(&folder.join(&named.text)) {
                Ok(found) => sources.extend(found),
                Err(message) => return Err(vec![problem(named.position, message)]),
            },
        }
    }
    if file.rules.is_empty() {
        sources.extend(defaults());
    }
    sources.extend(options.more_rules.iter().cloned());
    let report = load(&sources);
    let errors: Vec<_> = report
        .errors()
        .map(|finding| FileError::Rules(Box::new(finding.clone())))
        .collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let unknown: Vec<_> = file
        .tests
        .iter()
        .flat_map(|test| {
            test.expectation
                .fires
                .iter()
                .chain(&test.expectation.silent)
        })
        .filter(|named| report.rules.rules().all(|rule| *rule.name != *named.text))
        .map(|named| {
            let names = report.rules.rules().map(|rule| &*rule.name);
            let suggestion = did_you_mean(closest(&named.text, names));
            let message = format!("no rule is named '{}'{suggestion}", named.text);
            problem(named.position, message)
        })
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let delivery = Delivery::new(&report.rules);
    Ok(file
        .tests
        .iter()
        .map(|test| {
            let wanted =
                options.tags.is_empty() || test.tags.iter().any(|tag| options.tags.contains(tag));
            TestResult {
                name: test.name.text.clone(),
                position: test.name.position,
                tags: test.tags.clone(),
                outcome: if wanted {
                    run_test(test, &report.rules, &delivery)
                } else {
                    Outcome::Deselected
                },
            }
        })
        .collect())
}

fn defaults() -> impl Iterator<Item = RuleSource> {
    default_rules::FILES.iter().map(|(name, text)| RuleSource {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    })
}

fn rule_files(path: &Path) -> Result<Vec<RuleSource>, String> {
    let files = read_rule_files(path).map_err(|error| {
        let cause = std::error::Error::source(&error);
        cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
    })?;
    if files.is_empty() {
        return Err(format!("no rule file is in {}", path.display()));
    }
    let source = |file: crate::config::RuleFile| RuleSource {
        name: file.name,
        text: file.text,
    };
    Ok(files.into_iter().map(source).collect())
}

/// What a rule does with the event of a test.
struct Verdict<'r> {
    rule: &'r Rule,
    /// `None`: it is disabled, or not about events of this type, or not asked.
    explanation: Option<Explanation>,
    /// Why it is not asked.
    not_shown: Option<NotShown>,
    /// It gives an alert: its condition holds, and no rule before it has taken the event.
    fires: bool,
}

fn run_test(test: &TestCase, rules: &RuleSet, delivery: &Delivery) -> Outcome {
    let event_type = test.event.event_type();
    let delivered = delivery.of(&test.event);
    let value = |field: &FieldUse| test.event.value(field);
    let mut taken = false;
    let verdicts: Vec<Verdict<'_>> = rules
        .rules()
        .map(|rule| {
            let is_about = rule.enabled && rule.event_types.iter().any(|name| name == event_type);
            let not_shown = delivered
                .as_ref()
                .filter(|_| is_about)
                .and_then(|delivered| delivery.not_shown(rule, delivered));
            let is_asked = is_about && not_shown.is_none();
            let explanation = is_asked.then(|| explain(&rule.condition, &value));
            let holds = explanation.as_ref().is_some_and(|found| found.holds);
            let fires = holds && !(taken && test.matching == Matching::First);
            taken |= holds;
            Verdict {
                rule,
                explanation,
                not_shown,
                fires,
            }
        })
        .collect();
    let mut failures = Vec::new();
    let Expectation {
        fires,
        silent,
        exact,
        ..
    } = &test.expectation;
    let named = |names: &[Named], rule: &Rule| names.iter().any(|name| *name.text == *rule.name);
    for verdict in &verdicts {
        let name = &verdict.rule.name;
        if named(fires, verdict.rule) && !verdict.fires {
            failures.push(Failure {
                message: format!("rule '{name}' should have fired, and did not"),
                details: why_not(verdict, &verdicts, event_type),
            });
        } else if verdict.fires && named(silent, verdict.rule) {
            failures.push(Failure {
                message: format!("rule '{name}' should not have fired, and did"),
                details: explained(verdict),
            });
        } else if verdict.fires && *exact && !named(fires, verdict.rule) {
            failures.push(Failure {
                message: format!("rule '{name}' fired, and only those of 'fires' should have"),
                details: explained(verdict),
            });
        }
    }
    if let Some(delivered) = &delivered {
        let matters = |rule| *exact || named(fires, rule) || named(silent, rule);
        for verdict in verdicts.iter().filter(|verdict| matters(verdict.rule)) {
            check_agent(verdict, test, delivery, delivered, &mut failures);
        }
    }
    let alerting = verdicts
        .iter()
        .find(|verdict| verdict.fires && named(fires, verdict.rule));
    if let Some(verdict) = alerting {
        check_alert(&test.expectation, verdict.rule, &value, &mut failures);
    }
    if failures.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(failures)
    }
}

/// The agent decides with what it knows of an event's kind before it asks for any field. An event that
/// has other values than all of its kind is one that no rule will ever see.
fn check_agent(
    verdict: &Verdict<'_>,
    test: &TestCase,
    delivery: &Delivery,
    delivered: &Delivered,
    failures: &mut Vec<Failure>,
) {
    let here = verdict
        .explanation
        .as_ref()
        .is_some_and(|found| found.holds);
    let in_agent = delivery.matches(verdict.rule, delivered);
    if here == in_agent {
        return;
    }
    let holds = |holds: bool| if holds { "holds" } else { "does not hold" };
    failures.push(Failure {
        message: format!(
            "rule '{}' {} for these values, and {} for any such event in the agent",
            verdict.rule.name,
            holds(here),
            holds(in_agent)
        ),
        details: delivered.contradictions(verdict.rule, &test.event),
    });
}

fn explained(verdict: &Verdict<'_>) -> String {
    verdict
        .explanation
        .as_ref()
        .map_or_else(String::new, ToString::to_string)
}

fn why_not(verdict: &Verdict<'_>, all: &[Verdict<'_>], event_type: &str) -> String {
    match &verdict.explanation {
        None if !verdict.rule.enabled => "the rule is disabled\n".to_owned(),
        None if verdict.not_shown == Some(NotShown::OnlyByName) => format!(
            "{event_type} is so frequent that a rule gets it only if its condition names it: \
             evt.type = {event_type}\n"
        ),
        None if verdict.not_shown == Some(NotShown::FailedExec) => {
            "the exec failed, and the condition does not ask about the result (evt.res, evt.rawres, \
             evt.failed, ...)\n"
                .to_owned()
        }
        None => {
            let types: Vec<&str> = verdict.rule.event_types.iter().collect();
            format!(
                "the event is of type {event_type}, and the rule is about events of these types: {}\n",
                if types.is_empty() {
                    "none".to_owned()
                } else {
                    shown::cut(&types.join(", "))
                }
            )
        }
        Some(explanation) if explanation.holds => {
            let first = all.iter().find(|other| other.fires);
            let name = first.map_or("", |other| &other.rule.name);
            format!(
                "its condition holds, but rule '{}', which is defined before it, matched first \
                 (matching: first)\n",
                OneLine(name)
            )
        }
        Some(explanation) => explanation.to_string(),
    }
}

fn check_alert<'v>(
    expectation: &Expectation,
    rule: &Rule,
    value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
    failures: &mut Vec<Failure>,
) {
    let (message, fields) = rule.output.render(value);
    if let Some(expected) = &expectation.output
        && *expected != message
    {
        failures.push(Failure {
            message: format!("the output of rule '{}' is another", rule.name),
            details: format!(
                "expected: {}\nfound:    {}\n",
                OneLine(expected),
                OneLine(&message)
            ),
        });
    }
    let mut details = String::new();
    for (name, expected) in &expectation.output_fields {
        let found = match fields.get(name) {
            Some(Json::String(text)) => Some(text.clone()),
            Some(Json::Null) => None,
            Some(other) => Some(other.to_string()),
            None => {
                let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                let hint = did_you_mean(closest(name, names.into_iter()));
                let _infallible = writeln!(
                    details,
                    "{}: the alert has no such field{hint}",
                    OneLine(name)
                );
                continue;
            }
        };
        if found != *expected {
            let text = |value: &Option<String>| {
                value.as_ref().map_or_else(
                    || "no value".to_owned(),
                    |text| format!("'{}'", OneLine(text)),
                )
            };
            let _infallible = writeln!(
                details,
                "{}: expected {}, found {}",
                OneLine(name),
                text(expected),
                text(&found)
            );
        }
    }
    if !details.is_empty() {
        failures.push(Failure {
            message: format!("the output fields of rule '{}' are others", rule.name),
            details,
        });
    }
}
