//! `peregrine rules describe`: everything about a rule, also what it makes the agent trace.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::cli::wanted::wanted_by;
use crate::escape::OneLine;
use crate::event::{EventSet, EventType};
use crate::rules::{CompileOptions, Matching, Program, Rule, RuleSet, field_text};
use crate::sensor::{Probe, Wanted};

/// What a rule by itself makes the agent do.
struct Description {
    condition: String,
    events: Vec<&'static str>,
    condition_fields: Vec<String>,
    output_fields: Vec<String>,
    traced: Vec<Traced>,
    /// Nothing in the condition limits the types of events.
    any_event: bool,
    /// Which opens that succeed are recorded, if not all of them are.
    opens: Option<&'static str>,
}

/// A program that is attached to the kernel, and what for.
struct Traced {
    probe: Probe,
    /// It is there for every rule set, to know the processes.
    always: bool,
    /// The events that it is there for.
    events: Vec<&'static str>,
    /// The events of which it shows also, or only, the calls that failed.
    failures: Vec<&'static str>,
}

impl Traced {
    /// What each program that `wanted` asks for is there for.
    fn of(wanted: &Wanted) -> Vec<Self> {
        let always = Wanted::default().probes();
        let alone = |event: EventType, failures: bool| {
            let only: EventSet = std::iter::once(event).collect();
            let none = EventSet::default();
            let wanted = Wanted {
                events: if failures { none } else { only },
                failures: if failures { only } else { none },
                ..*wanted
            };
            wanted.probes()
        };
        let causes = |probe: &Probe, set: EventSet, failures: bool| -> Vec<&'static str> {
            set.iter()
                .filter(|event| alone(*event, failures).contains(probe))
                .map(EventType::name)
                .collect()
        };
        wanted
            .probes()
            .into_iter()
            .map(|probe| {
                let always = always.contains(&probe);
                let (events, failures) = if always {
                    (Vec::new(), Vec::new())
                } else {
                    (
                        causes(&probe, wanted.events, false),
                        causes(&probe, wanted.failures, true),
                    )
                };
                Self {
                    probe,
                    always,
                    events,
                    failures,
                }
            })
            .collect()
    }

    /// Why it is attached, in words.
    fn reason(&self) -> String {
        if self.always {
            return "always: keeps track of processes and containers, and shows programs that start"
                .to_owned();
        }
        let mut reasons = Vec::new();
        if !self.events.is_empty() {
            reasons.push(format!("the rule can match {}", self.events.join(", ")));
        }
        if !self.failures.is_empty() {
            let failed = self.failures.join(", ");
            reasons.push(format!("it can match calls of {failed} that failed"));
        }
        reasons.join("; ")
    }

    fn json(&self) -> Json {
        json!({
            "attached": self.probe.to_string(),
            "always": self.always,
            "events": self.events,
            "failures": self.failures,
            "reason": self.reason(),
        })
    }
}

impl Description {
    fn of(rule: &Rule) -> Self {
        let alone: RuleSet = std::iter::once(Rule {
            enabled: true,
            ..rule.clone()
        })
        .collect();
        let options = CompileOptions {
            matching: Matching::First,
            ..CompileOptions::default()
        };
        let program = Program::compile(&alone, options);
        let wanted = wanted_by(&program, false, false);
        let sorted = |mut fields: Vec<String>| {
            fields.sort();
            fields.dedup();
            fields
        };
        Self {
            condition: rule.condition.to_string(),
            events: program.events().iter().map(EventType::name).collect(),
            condition_fields: sorted(rule.condition.fields().map(str::to_owned).collect()),
            output_fields: sorted(rule.output.fields().map(field_text).collect()),
            traced: Traced::of(&wanted),
            any_event: rule.event_types.is_all(),
            opens: match (wanted.open_read, wanted.open_write) {
                (true, false) => Some("of files that are opened only those that cannot be written"),
                (false, true) => Some("of files that are opened only those that can be written"),
                (true, true) | (false, false) => None,
            },
        }
    }

    /// Why the rule can match the events that it can match.
    fn why_events(&self) -> &'static str {
        if self.events.is_empty() {
            "the condition can match none of the events that are delivered"
        } else if self.any_event {
            "nothing in the condition limits the type, so these are all that it can match"
        } else {
            "the condition's tests of evt.type leave these"
        }
    }
}

/// The rule as JSON.
pub(super) fn describe_json(rule: &Rule) -> Json {
    let description = Description::of(rule);
    let attached: Vec<String> = description
        .traced
        .iter()
        .map(|traced| traced.probe.to_string())
        .collect();
    json!({
        "name": &*rule.name,
        "description": rule.description.trim(),
        "priority": rule.priority.name(),
        "enabled": rule.enabled,
        "source": rule.source,
        "tags": super::tags(rule),
        "condition_compiled": description.condition,
        "events": description.events,
        "events_reason": description.why_events(),
        "event_types": rule.event_types.iter().collect::<Vec<_>>(),
        "macros": rule.macros,
        "lists": rule.lists,
        "condition_fields": description.condition_fields,
        "output": rule.output_text,
        "output_fields": description.output_fields,
        "attached": attached,
        "traced_opens": description.opens,
        "traced": description.traced.iter().map(Traced::json).collect::<Vec<_>>(),
    })
}

/// The rule as text.
pub(super) fn describe_text(rule: &Rule) -> String {
    let description = Description::of(rule);
    let state = if rule.enabled { "" } else { " (disabled)" };
    let names = |names: &std::collections::BTreeSet<String>| {
        names
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    // On one line, so that it cannot look like one of those below.
    let about: Vec<&str> = rule.description.split_whitespace().collect();
    let mut text = format!(
        "{}{state}\n  {}\n",
        OneLine(&rule.name),
        OneLine(&about.join(" "))
    );
    for (title, value) in [
        ("priority", rule.priority.name().to_owned()),
        ("tags", super::tags(rule).join(", ")),
        ("events", description.events.join(", ")),
        ("because", description.why_events().to_owned()),
        ("macros", names(&rule.macros)),
        ("lists", names(&rule.lists)),
        ("fields", description.condition_fields.join(", ")),
        ("output", description.output_fields.join(", ")),
        ("condition", description.condition.clone()),
    ] {
        let title = format!("{title}:");
        let _infallible = writeln!(text, "  {title:<10} {}", OneLine(&value));
    }
    text.push_str("  traced:\n");
    for traced in &description.traced {
        let (probe, reason) = (traced.probe.to_string(), traced.reason());
        let _infallible = writeln!(text, "    {probe:<40} {reason}");
    }
    if let Some(opens) = description.opens {
        let _infallible = writeln!(text, "    {opens}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleSource, load};

    fn described(condition: &str) -> (Json, String) {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: {condition}\n  output: o %proc.pid\n  priority: INFO\n"
        );
        let name = "rules.yaml".to_owned();
        let report = load(&[RuleSource { name, text }]);
        let rule = report.rules.rules().next().unwrap();
        (describe_json(rule), describe_text(rule))
    }

    /// What is attached for the rule and not for every rule, with the events that cause it.
    fn causes(json: &Json) -> Vec<(String, Json, Json)> {
        let traced = json["traced"].as_array().unwrap();
        let for_the_rule = traced.iter().filter(|traced| traced["always"] == false);
        for_the_rule
            .map(|traced| {
                let attached = traced["attached"].as_str().unwrap().to_owned();
                (
                    attached,
                    traced["events"].clone(),
                    traced["failures"].clone(),
                )
            })
            .collect()
    }

    #[test]
    fn what_is_traced_has_the_event_that_causes_it() {
        let (json, text) = described("evt.type in (openat, execve) and fd.num >= 0");
        assert_eq!(
            causes(&json),
            [(
                "tracepoint syscalls/sys_exit_openat".to_owned(),
                json!(["openat"]),
                json!([])
            )]
        );
        assert!(text.contains("sys_exit_openat"), "{text}");
        assert!(text.contains("the rule can match openat"), "{text}");
        assert!(text.contains("tests of evt.type"), "{text}");
        let attached = json["attached"].as_array().unwrap();
        assert_eq!(attached.len(), json["traced"].as_array().unwrap().len());
    }

    #[test]
    fn a_rule_on_programs_that_start_attaches_nothing_of_its_own() {
        let (json, text) = described("evt.type = execve and proc.name = x");
        assert!(causes(&json).is_empty(), "{json:#}");
        assert!(text.contains("always: keeps track"), "{text}");
    }

    #[test]
    fn failures_are_a_cause_of_their_own() {
        let (json, text) = described("evt.type = execve and evt.res = ENOENT");
        assert_eq!(
            causes(&json),
            [(
                "tracepoint syscalls/sys_exit_execve".to_owned(),
                json!([]),
                json!(["execve"])
            )]
        );
        assert!(text.contains("calls of execve that failed"), "{text}");
    }

    #[test]
    fn opens_that_the_rule_cannot_match_are_not_recorded() {
        for (condition, expected) in [
            ("evt.is_open_write = true", Some("can be written")),
            (
                "evt.is_open_write = false and fd.num >= 0",
                Some("cannot be written"),
            ),
            ("fd.num >= 0", None),
        ] {
            let (json, text) = described(&format!("evt.type = openat and {condition}"));
            let found = json["traced_opens"].as_str();
            assert_eq!(
                found.is_some(),
                expected.is_some(),
                "{condition}: {found:?}"
            );
            if let Some(expected) = expected {
                assert!(text.contains(expected), "{text}");
            }
        }
    }

    #[test]
    fn a_rule_without_a_type_says_so() {
        let (json, _) = described("proc.name = x");
        let reason = json["events_reason"].as_str().unwrap();
        assert!(reason.contains("nothing in the condition"), "{reason}");
    }
}
