//! The rules that people bring along from Falco: each fires from the action that it is for.
//!
//! The files are not part of this project. `cargo xtask test --falco-rules FOLDER` names the folder.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test ends by panicking, and this one prints its table"
)]

mod actions;
mod case;
mod metadata;
mod stage;
mod variants;

use std::collections::BTreeSet;
use std::path::PathBuf;

use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE};

use actions::{CASES, HARMLESS, NEED_METADATA};
use case::{Case, Place};
use stage::{API_SERVER, Stage};
use variants::VARIANTS;

/// Names the folder with the files.
const RULES: &str = "PEREGRINE_FALCO_RULES";
/// Both files together.
const RULE_COUNT: usize = 56;

#[test]
#[ignore = "needs Falco's rule files: cargo xtask test --falco-rules FOLDER"]
fn every_rule_fires_from_its_action() {
    let agent = agent_with_the_files();
    let stage = Stage::set_up();

    let before = agent.lines().len();
    for case in &HARMLESS {
        case.act(&stage);
    }
    agent.settle();
    let noise = from_the_stage(&agent, &stage, Place::Plain, before);
    let said: Vec<_> = noise.iter().map(|alert| &alert.0).collect();
    assert!(said.is_empty(), "harmless actions gave alerts: {said:#?}");

    let mut wrong = Vec::new();
    for case in CASES.iter().chain(VARIANTS) {
        if !case.is_possible() {
            row("-", case.rule, "this kernel is built without modules");
            continue;
        }
        let from = if case.at_the_start {
            0
        } else {
            agent.lines().len()
        };
        case.act(&stage);
        agent.settle();
        let alerts = from_the_stage(&agent, &stage, case.place, from);
        let fires = alerts.iter().any(|alert| is_expected(alert, case));
        row(
            if fires { "fires" } else { "-" },
            case.rule,
            &case.command.join(" "),
        );
        let of_others: Vec<&str> = alerts
            .iter()
            .map(Alert::rule)
            .filter(|rule| !case.at_the_start && *rule != case.rule && !case.is_also_for(rule))
            .collect();
        if !of_others.is_empty() {
            println!("      and so do {of_others:?}");
        }
        if !fires || !of_others.is_empty() {
            let alerts: Vec<_> = alerts.into_iter().map(|alert| alert.0).collect();
            wrong.push((case.rule, alerts));
        }
    }
    for rule in NEED_METADATA {
        row(
            "-",
            rule,
            "needs a container runtime: see the tests of metadata",
        );
    }
    assert!(wrong.is_empty(), "not the alerts expected: {wrong:#?}");
    let dropped = agent.metric("peregrine_events_dropped_total", &[]);
    assert!(dropped < 0.5, "{dropped} events were lost");
}

/// That the table is about every rule of the files, once.
#[test]
#[ignore = "needs Falco's rule files: cargo xtask test --falco-rules FOLDER"]
fn the_table_has_every_rule() {
    let listed: BTreeSet<&str> = CASES
        .iter()
        .map(|case| case.rule)
        .chain(NEED_METADATA)
        .collect();
    assert_eq!(listed.len(), RULE_COUNT);
    let mut known = 0;
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        for name in text
            .lines()
            .filter_map(|line| line.strip_prefix("- rule: "))
        {
            assert!(listed.contains(name.trim()), "{name:?} has no action");
            known += 1;
        }
    }
    assert_eq!(known, RULE_COUNT);
}

fn files() -> [PathBuf; 2] {
    let folder = std::env::var_os(RULES).unwrap_or_else(|| panic!("set {RULES}"));
    let folder = PathBuf::from(folder);
    ["falco_rules.yaml", "falco-incubating_rules.yaml"].map(|name| folder.join(name))
}

fn agent_with_the_files() -> Agent {
    // What alerts have beside what the rules' own outputs name.
    let fields = "append_output=[{extra_fields: [container.id, proc.tty, proc.exepath, proc.pexepath, proc.env, fd.nameraw, \
                  fd.l4proto, evt.type, evt.res, evt.arg.cmd]}]";
    AgentBuilder::rules(MARKER_RULE)
        .files(files())
        .hosts(&format!(
            "127.0.0.1 localhost\n{API_SERVER} kubernetes.default.svc.cluster.local\n"
        ))
        .option("rule_matching=all")
        .option(fields)
        .start()
}

fn row(outcome: &str, rule: &str, remark: &str) {
    println!("{outcome:5} {rule:72} {remark}");
}

/// Alerts about this place, leaving out the first so many of all.
fn from_the_stage(agent: &Agent, stage: &Stage, place: Place, first: usize) -> Vec<Alert> {
    let all = agent.alerts().split_off(first);
    all.into_iter()
        .filter(|alert| match place {
            // The host has other programs than ours.
            Place::Host => {
                alert.text("proc.exepath").starts_with(&stage.program(""))
                    || alert.text("proc.pexepath").starts_with(&stage.program(""))
            }
            Place::Plain | Place::Terminal => alert.text("container.id") == stage.plain.short_id(),
            Place::Capable => alert.text("container.id") == stage.capable.short_id(),
        })
        .filter(|alert| !alert.text("proc.name").starts_with("runc"))
        .collect()
}

fn is_expected(alert: &Alert, case: &Case) -> bool {
    let mut fields = case.fields.iter();
    alert.rule() == case.rule && fields.all(|(field, wanted)| has(alert, field, wanted))
}

fn has(alert: &Alert, field: &str, wanted: &str) -> bool {
    let value = alert.field(field);
    let value = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    match wanted.strip_prefix('~') {
        Some(part) => value.contains(part),
        None => value == wanted,
    }
}
