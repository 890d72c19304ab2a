//! The rules that people bring along from Falco: each fires from the action that it is for.
//!
//! The files are not part of this project. `cargo xtask test --falco-rules FOLDER` names the folder.

mod actions;
mod stage;

use std::collections::BTreeSet;
use std::path::PathBuf;

use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE, eventually};

use actions::{CASES, Case, HARMLESS, NEED_METADATA, Place};
use stage::{API_SERVER, Stage};

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
    let noise: Vec<Alert> = agent.alerts().split_off(before);
    let of_harmless = noise
        .iter()
        .filter(|alert| alert.text("container.id") == stage.plain.short_id())
        .filter(|alert| !alert.text("proc.name").starts_with("runc"));
    let said: Vec<_> = of_harmless.map(|alert| &alert.0).collect();
    assert!(said.is_empty(), "harmless actions gave alerts: {said:#?}");

    let mut silent = Vec::new();
    for case in CASES {
        case.act(&stage);
        let fired = fires(&agent, &stage, case);
        println!(
            "{:5} {:70} {:?}",
            if fired { "fires" } else { "-" },
            case.rule,
            case.command
        );
        if !fired {
            let alerts = agent.alerts_where(|alert| alert.rule() == case.rule);
            silent.push((
                case.rule,
                alerts.into_iter().map(|alert| alert.0).collect::<Vec<_>>(),
            ));
        }
    }
    for rule in NEED_METADATA {
        println!("{:5} {rule:70} needs a container runtime's word", "-");
    }
    assert!(
        silent.is_empty(),
        "no alert, or not the one expected: {silent:#?}"
    );
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
    let fields = "append_output=[{extra_fields: [container.id, proc.tty, proc.exepath, proc.env, fd.nameraw, \
                  fd.l4proto, evt.type, evt.arg.cmd]}]";
    AgentBuilder::rules(MARKER_RULE)
        .files(files())
        .hosts(&format!(
            "127.0.0.1 localhost\n{API_SERVER} kubernetes.default.svc.cluster.local\n"
        ))
        .option("rule_matching=all")
        .option(fields)
        .start()
}

fn fires(agent: &Agent, stage: &Stage, case: &Case) -> bool {
    let container = match case.place {
        Place::Host => "host",
        Place::Plain | Place::Terminal => stage.plain.short_id(),
        Place::Capable => stage.capable.short_id(),
    };
    let is_it = |alert: &Alert| {
        alert.rule() == case.rule
            && alert.text("container.id") == container
            && case
                .fields
                .iter()
                .all(|(field, wanted)| has(alert, field, wanted))
    };
    // What is not there once everything before has been judged does not come.
    let mut is_settled = false;
    eventually(|| {
        if !agent.alerts_where(is_it).is_empty() {
            return Some(true);
        }
        if is_settled {
            return Some(false);
        }
        agent.settle();
        is_settled = true;
        None
    })
    .unwrap_or(false)
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
