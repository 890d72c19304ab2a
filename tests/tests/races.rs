//! A second thread changes an argument during the call: what counts is what the kernel used.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::process::Command;

use peregrine_tests::{AgentBuilder, Alert, MARKER_RULE, trigger};

/// Runs a program that prints `1` for each call for which the kernel used the second of two things, else `0`. Returns
/// this, and the alerts of the rule.
#[track_caller]
fn used_and_fired(condition: &str, program: &str, arguments: &[&str]) -> (String, Vec<Alert>) {
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Used\n  desc: A test.\n  condition: {condition}\n  \
         output: used %fd.sport %fs.path.name %fs.path.source\n  priority: INFO\n"
    ))
    .start();
    let output = Command::new(trigger(program))
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let used = String::from_utf8(output.stdout).expect("it prints digits");
    assert!(used.contains('1'), "the second was never used");
    agent.settle();
    let fired = agent.alerts_where(|alert| alert.rule() == "Used");
    (used.trim().to_owned(), fired)
}

/// The rule has to fire as often as the kernel used the second.
#[track_caller]
fn fires_as_often_as_the_kernel_used_it(condition: &str, program: &str, arguments: &[&str]) {
    let (used, fired) = used_and_fired(condition, program, arguments);
    assert_eq!(fired.len(), used.matches('1').count());
}

/// What no object of the kernel keeps is read when the call ends, and may have changed in the meantime: every call is
/// an event about one of the two, and how many tell of the wrong one is printed.
#[track_caller]
#[expect(clippy::print_stderr, reason = "a measurement")]
fn fires_for_each_call(
    condition: &str,
    program: &str,
    arguments: &[&str],
    is_second: impl Fn(&Alert) -> bool,
) {
    let (used, fired) = used_and_fired(condition, program, arguments);
    assert_eq!(fired.len(), used.len());
    // One thread makes one call after the other, so they are in order.
    let (mut missed, mut wrong) = (0, 0);
    for (used, alert) in used.bytes().zip(&fired) {
        match (used == b'1', is_second(alert)) {
            (true, false) => missed += 1,
            (false, true) => wrong += 1,
            _ => {}
        }
    }
    let calls = used.len();
    eprintln!(
        "{arguments:?}: of {calls} calls {missed} on the second were shown as on the first, {wrong} the other way"
    );
}

#[test]
fn the_address_of_a_connect() {
    let condition = "evt.type = connect and proc.name = flip_address and fd.sport = 40002";
    fires_as_often_as_the_kernel_used_it(condition, "flip_address", &["40001", "40002"]);
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
    fires_as_often_as_the_kernel_used_it(&condition, "flip_program", &[&first, &second]);
}

#[test]
fn the_arguments_of_an_execve() {
    let condition = "evt.type = execve and proc.pname = flip_argument and proc.args = '-c exit 1'";
    fires_as_often_as_the_kernel_used_it(condition, "flip_argument", &[]);
}

/// A link that changes, in each position of the path that is opened.
#[test]
fn the_target_of_a_link() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let root = folder.path().canonicalize().expect("it exists");
    for side in ["good", "evil"] {
        std::fs::create_dir_all(root.join(side).join("sub")).expect("folders are made");
        std::fs::write(root.join(side).join("sub/file"), "x").expect("a file is written");
    }
    let at = |name: &str| root.join(name).to_str().expect("UTF-8").to_owned();
    let secret = at("evil/sub/file");
    // Where the two links lead, and what follows the first of them in the path.
    for (position, good, evil, rest) in [
        ("first", "good", "evil", "/sub/file"),
        ("middle", "good/sub", "evil/sub", "/file"),
        ("last", "good/sub/file", "evil/sub/file", ""),
        ("dangling", "good/nothing", "evil/sub/file", ""),
    ] {
        let links = [at(position), at(&format!("{position}-other"))];
        for (link, target) in links.iter().zip([good, evil]) {
            std::os::unix::fs::symlink(at(target), link).expect("a link is made");
        }
        let path = format!("{}{rest}", links[0]);
        let condition =
            format!("evt.type in (open, openat) and fd.num >= 0 and fd.name = {secret}");
        let arguments = [&*links[0], &*links[1], &*path, &*secret];
        fires_as_often_as_the_kernel_used_it(&condition, "flip_link", &arguments);
    }
}

#[test]
fn the_destination_of_a_datagram() {
    for call in ["sendto", "sendmsg"] {
        let condition = format!(
            "evt.type = {call} and proc.name = flip_destinatio and fd.sport in (40003, 40004)"
        );
        let arguments = [call, "40003", "40004"];
        let is_second = |alert: &Alert| alert.field("fd.sport") == 40004;
        fires_for_each_call(&condition, "flip_destination", &arguments, is_second);
    }
}

#[test]
fn the_path_of_a_change() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let root = folder.path().canonicalize().expect("it exists");
    let [first, second] = ["a", "b"].map(|name| {
        let path = root.join(name);
        path.to_str().expect("UTF-8").to_owned()
    });
    for (call, field) in [("unlinkat", "fs.path.name"), ("renameat", "fs.path.source")] {
        let condition = format!("evt.type = {call} and {field} in ({first}, {second})");
        let is_second = |alert: &Alert| alert.text(field) == second;
        let arguments = [call, &*first, &*second];
        fires_for_each_call(&condition, "flip_name", &arguments, is_second);
    }
}
