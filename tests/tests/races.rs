//! A second thread changes an argument during the call: what counts is what the kernel used.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::process::Command;

use peregrine_tests::{AgentBuilder, MARKER_RULE, trigger};

/// Runs a program that prints how often the kernel used the second of two things; the rule has to have
/// fired as often.
#[track_caller]
fn fires_as_often_as_the_kernel_used_it(condition: &str, program: &str, arguments: [&str; 2]) {
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Used\n  desc: A test.\n  condition: {condition}\n  output: used %proc.pid\n  priority: INFO\n"
    ))
    .start();
    let output = Command::new(trigger(program))
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    let used: usize = said.trim().parse().expect("a count");
    assert_ne!(used, 0, "the second was never used");
    agent.settle();
    let fired = agent.alerts_where(|alert| alert.rule() == "Used");
    assert_eq!(fired.len(), used);
}

#[test]
fn the_address_of_a_connect() {
    let condition = "evt.type = connect and proc.name = flip_address and fd.sport = 40002";
    fires_as_often_as_the_kernel_used_it(condition, "flip_address", ["40001", "40002"]);
}

#[test]
fn the_file_of_an_execve() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it exists");
    let [first, second] = [("a", "/bin/true"), ("b", "/bin/false")].map(|(name, program)| {
        let path = folder.join(name);
        std::fs::copy(program, &path).expect("it is copied");
        path.to_str().expect("UTF-8").to_owned()
    });
    let condition = format!("evt.type = execve and proc.exepath = {second}");
    fires_as_often_as_the_kernel_used_it(&condition, "flip_program", [&first, &second]);
}
