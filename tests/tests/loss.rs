//! Nothing is lost: a known number of calls by many processes at once, counted by event.

use std::fmt::Write as _;
use std::process::Command;

use peregrine_tests::{AgentBuilder, MARKER_RULE, eventually, trigger};

const PROCESSES: u32 = 8;
const ROUNDS: u32 = 1_250;
/// How often each call is made in a round: ten calls in all.
const CALLS: &[(&str, u32)] = &[
    ("mkdir", 2),
    ("chmod", 1),
    ("rename", 1),
    ("rmdir", 1),
    ("openat", 1),
    ("dup", 1),
    ("socket", 1),
    ("setuid", 1),
    ("unlink", 1),
];

#[test]
fn a_hundred_thousand_calls_by_eight_processes() {
    let mut rules = MARKER_RULE.to_owned();
    for (call, _) in CALLS {
        // The program's own start opens libraries.
        let own = if *call == "openat" {
            " and evt.is_open_write = true and fd.filename = mixed-file"
        } else {
            ""
        };
        write!(
            rules,
            "- rule: Counted {call}\n  desc: A test.\n  condition: evt.type = {call} and proc.name = mixed_calls{own}\n  \
             output: counted %proc.pid\n  priority: INFO\n"
        )
        .expect("text is written");
    }
    // Room for all of it, so that what is counted does not depend on how busy the machine is.
    let agent = AgentBuilder::rules(&rules)
        .option("sensor.event_ring_bytes=134217728")
        .start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let processes: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let own = folder.path().join(number.to_string());
            std::fs::create_dir(&own).expect("a folder is made");
            Command::new(trigger("mixed_calls"))
                .arg(own)
                .arg(ROUNDS.to_string())
                .spawn()
                .expect("it starts")
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().expect("it ends").success());
    }
    let seen = || -> Vec<(&str, u32)> {
        let count = |call: &str| {
            let label = format!("rule=\"Counted {call}\"");
            let matches = agent.metric("peregrine_rules_matches_total", &[&label]);
            format!("{matches}").parse().expect("a count is whole")
        };
        CALLS.iter().map(|(call, _)| (*call, count(call))).collect()
    };
    let made: Vec<(&str, u32)> = CALLS
        .iter()
        .map(|(call, times)| (*call, times * ROUNDS * PROCESSES))
        .collect();
    // What is under way is waited for; nothing comes that was not made.
    let complete = eventually(|| (seen() == made).then_some(()));
    let lost = agent.metric("peregrine_drops_total", &[]);
    assert!(
        complete.is_some(),
        "seen {:?}, made {made:?}, lost {lost}",
        seen()
    );
    assert_eq!(format!("{lost}"), "0", "{}", agent.get("/metrics").1);
}
