//! A program whose start was lost, because the ring was full.

use std::process::{Command, Stdio};

use peregrine_tests::{AgentBuilder, MARKER_RULE, eventually};

#[test]
fn a_program_whose_start_was_lost_is_known_at_its_first_event() {
    let scratch = tempfile::tempdir().expect("a directory");
    let wanted = scratch.path().join("written");
    let shown = wanted.to_str().expect("UTF-8");
    let rules = format!(
        "{MARKER_RULE}- rule: Written\n  desc: A test.\n  condition: evt.type in (open, openat) and evt.is_open_write = true and fd.name = {shown}\n  output: written %proc.name %proc.exepath %proc.args %proc.pname\n  priority: INFO\n"
    );
    let agent = AgentBuilder::rules(&rules)
        .option("sensor.process_ring_bytes=65536")
        .start();
    // While nobody reads, the ring has room for a few long starts; forks still fit after them.
    agent.signal(libc::SIGSTOP);
    let long = "x".repeat(6000);
    for _ in 0..8 {
        let status = Command::new("true").arg(&long).status();
        assert!(status.expect("true runs").success());
    }
    let mut shell = Command::new("sh")
        .args(["-c", ": > \"$1\"; read line", "sh", shown, &long])
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh runs");
    eventually(|| wanted.exists().then_some(())).expect("it is written");
    agent.signal(libc::SIGCONT);
    let alert = agent.wait_for("the write", |alert| alert.rule() == "Written");
    assert_eq!(alert.text("proc.name"), "sh");
    let path = std::fs::canonicalize("/bin/sh").expect("it exists");
    assert_eq!(alert.text("proc.exepath"), path.to_str().expect("UTF-8"));
    assert!(alert.text("proc.args").contains("xxx"));
    let lost = agent.metric("peregrine_drops_total", &["cause=\"ring_full_exec\""]);
    assert!(lost > 0.0, "the start did not fit");
    drop(shell.stdin.take());
    shell.wait().expect("it ends");
}
