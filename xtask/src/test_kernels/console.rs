//! What a machine says on its console, as `init.sh` prints it and as the agent logs it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The first line, before the kernel's release.
pub(super) const BOOTED: &str = "machine: booted ";
/// Before the name of a run.
const RUN: &str = "machine: run ";
/// The last line.
const DONE: &str = "machine: done";
/// Before a line of the agent's standard error.
const LOG: &str = "log: ";
/// Before an alert.
const ALERT: &str = "alert: ";
/// Before a rule's name, how often it was to fire and how often it did, with bars between.
const COUNTED: &str = "counted: ";
/// In the line that says that everything is attached.
const READY: &str = "peregrine: ready: ";

/// What was said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Transcript {
    /// The kernel's release; empty if it did not boot.
    pub(super) release: String,
    /// What the agent did.
    pub(super) runs: Vec<RunTranscript>,
    /// Whether the machine came to its proper end.
    pub(super) is_complete: bool,
}

/// What came of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RunTranscript {
    pub(super) name: String,
    /// What it said when it was ready.
    pub(super) ready: Option<String>,
    /// The rules that fired.
    pub(super) fired: BTreeSet<String>,
    /// Rules that did not fire as often as they had to: what was said of each.
    pub(super) miscounted: Vec<String>,
    /// How many instructions the verifier walked, by program; nothing before Linux 5.16.
    pub(super) verified: BTreeMap<String, u64>,
    /// What the kernel refused before it accepted something else.
    pub(super) refusals: Vec<String>,
    /// All that the agent logged.
    pub(super) log: Vec<String>,
}

impl Transcript {
    pub(super) fn parse(lines: &[String]) -> Self {
        let mut transcript = Self::default();
        for line in lines {
            if let Some(release) = line.strip_prefix(BOOTED) {
                release.clone_into(&mut transcript.release);
            } else if let Some(name) = line.strip_prefix(RUN) {
                transcript.runs.push(RunTranscript {
                    name: name.to_owned(),
                    ..RunTranscript::default()
                });
            } else if line == DONE {
                transcript.is_complete = true;
            } else if let Some(run) = transcript.runs.last_mut() {
                run.line(line);
            }
        }
        transcript
    }
}

impl RunTranscript {
    fn line(&mut self, line: &str) {
        if let Some(alert) = line.strip_prefix(ALERT) {
            // A line that the kernel wrote into is no alert, and its rule is missed if it mattered.
            let rule = serde_json::from_str::<Value>(alert).ok();
            if let Some(rule) = rule.as_ref().and_then(|alert| alert["rule"].as_str()) {
                self.fired.insert(rule.to_owned());
            }
        } else if let Some(counted) = line.strip_prefix(COUNTED) {
            // Never is no good either: then there was nothing to count.
            match counted.split('|').collect::<Vec<_>>()[..] {
                [rule, wanted, found] if wanted == found && wanted != "0" => {
                    self.fired.insert(rule.to_owned());
                }
                _ => self.miscounted.push(counted.to_owned()),
            }
        } else if let Some(log) = line.strip_prefix(LOG) {
            self.log.push(log.to_owned());
            if let Some(ready) = log.strip_prefix(READY) {
                self.ready = Some(ready.to_owned());
            } else if log.contains("the kernel refuses") {
                self.refusals.push(log.to_owned());
                self.verified.clear();
            } else if let (Some(program), Some(instructions)) = (
                value_of(log, "program"),
                value_of(log, "verified_instructions"),
            ) {
                let instructions = instructions.parse().unwrap_or(0);
                self.verified.insert(program.to_owned(), instructions);
            }
        }
    }
}

/// The value in ` KEY=VALUE` of a log line; what is quoted, without quotes.
fn value_of<'a>(log: &'a str, key: &str) -> Option<&'a str> {
    log.split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
}

/// The names of the rules in a rules file of which each name stands on a line of its own.
pub(super) fn rules_in(file: &str) -> Vec<String> {
    file.lines()
        .filter_map(|line| line.strip_prefix("- rule: "))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_understood() {
        let text = "[    0.1] the kernel says something\n\
             machine: booted 6.1.0\n\
             machine: run one\n\
             log: DEBUG verified program=\"sys_exit_open\" verified_instructions=1234\n\
             log: peregrine: ready: 2 rules, 5 programs attached\n\
             alert: {\"rule\":\"exec\"}\n\
             alert: {\"rule\":\"ex[    2.1] interrupted\n\
             counted: often|31|31\n\
             counted: too seldom|31|30\n\
             counted: never|0|0\n\
             machine: run two\n\
             log: error: no\n";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let transcript = Transcript::parse(&lines);
        assert_eq!(transcript.release, "6.1.0");
        assert!(!transcript.is_complete);
        let [one, two] = &transcript.runs[..] else {
            panic!("two runs");
        };
        assert_eq!(one.ready.as_deref(), Some("2 rules, 5 programs attached"));
        assert_eq!(one.fired, ["exec", "often"].map(str::to_owned).into());
        assert_eq!(one.miscounted, ["too seldom|31|30", "never|0|0"]);
        assert_eq!(one.verified["sys_exit_open"], 1234);
        assert_eq!(
            (two.ready.as_ref(), &two.log[..]),
            (None, &["error: no".to_owned()][..])
        );
    }

    #[test]
    fn the_rules_of_the_machine_are_found() {
        let rules = rules_in(super::super::ACTED);
        assert!(rules.iter().any(|rule| rule == "exec"), "{rules:?}");
    }
}
