//! Events that are neither system calls nor a change of processes.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::io::Read;
use std::process::{Command, Stdio};

use peregrine_tests::{AgentBuilder, MARKER_RULE, Watch};

#[test]
fn a_delivered_signal() {
    let watch = Watch::start(
        "evt.type = signaldeliver and proc.name = sh and evt.arg.sig = SIGTERM",
        &["evt.arg.sig"],
    );
    // One without a handler would be delivered as SIGKILL by nobody.
    let mut child = Command::new("/bin/sh")
        .args([
            "-c",
            "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = [0; 5];
    let mut output = child.stdout.take().expect("it is piped");
    output.read_exact(&mut said).expect("it is ready");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
    assert!(child.wait().expect("it ends").success());
    let event = watch.seen().take("signaldeliver", &[]);
    let arguments = event.text("evt.args");
    let sender = format!("spid={}(", std::process::id());
    assert!(arguments.starts_with(&sender), "{arguments}");
    let receiver = format!("dpid={}(sh)", child.id());
    assert!(arguments.contains(&receiver), "{arguments}");
}

/// Starts a program under a rule that it must fire.
fn fires(condition: &str) -> peregrine_tests::Alert {
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Seen\n  desc: A test.\n  condition: {condition}\n  output: seen %evt.args\n  priority: INFO\n"
    ))
    .start();
    let status = Command::new("sleep").arg("0.05").status();
    assert!(status.expect("it starts").success());
    agent.wait_for("an event", |alert| alert.rule() == "Seen")
}

#[test]
fn a_switch_to_another_thread() {
    let alert = fires("evt.type = switch and proc.name = sleep and evt.arg.pgft_min > 0");
    assert!(alert.text("evt.args").starts_with("next="), "{alert:?}");
}

#[test]
fn a_page_fault() {
    let alert = fires(
        "evt.type = page_fault and proc.name = sleep and evt.arg.error contains USER_FAULT and \
         evt.arg.error contains WRITE_ACCESS",
    );
    assert!(alert.text("evt.args").starts_with("addr="), "{alert:?}");
}
