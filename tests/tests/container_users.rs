//! Names of users and groups in containers.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs;
use std::process::Command;

use peregrine_tests::{Agent, AgentBuilder, Alert, Container, MARKER_RULE};

fn agent() -> Agent {
    let rules = format!(
        "{MARKER_RULE}- rule: Started\n  desc: A test.\n  condition: evt.type = execve and container.id != host and proc.name in (sleep, true)\n  output: started %container.id %proc.cmdline %user.name %user.uid %user.homedir %user.shell %group.name\n  priority: INFO\n"
    );
    AgentBuilder::rules(&rules).start()
}

fn started(agent: &Agent, container: &Container, word: &str) -> Alert {
    agent.wait_for(word, |alert| {
        alert.rule() == "Started"
            && alert.text("container.id") == container.short_id()
            && alert.text("proc.cmdline").ends_with(word)
    })
}

/// Replaces a file as useradd does it.
fn replace(container: &Container, path: &str, content: &str) {
    let new = container.path(&format!("{path}.new"));
    fs::write(&new, content).expect("written");
    fs::rename(new, container.path(path)).expect("moved");
}

#[test]
fn names_are_those_of_the_container_from_its_first_program_on() {
    let agent = agent();
    // With arguments that busybox's sleep adds up.
    let container = Container::start_with_files(
        &["sleep", "600", "11111"],
        &[
            ("/etc/passwd", "captain:x:0:0::/bridge:/bin/sh\n"),
            ("/etc/group", "crew:x:0:\n"),
        ],
    );
    let alert = started(&agent, &container, "11111");
    for (field, value) in [
        ("user.name", "captain"),
        ("user.homedir", "/bridge"),
        ("user.shell", "/bin/sh"),
        ("group.name", "crew"),
    ] {
        assert_eq!(alert.text(field), value, "{field}");
    }

    // Changed while it runs.
    replace(&container, "/etc/passwd", "admiral:x:0:0::/:/bin/sh\n");
    let mut attempt = 20_000;
    peregrine_tests::eventually(|| {
        attempt += 1;
        let word = attempt.to_string();
        container.exec(&["true", &word]);
        let alert = started(&agent, &container, &word);
        (alert.text("user.name") == "admiral").then_some(())
    })
    .expect("the new name is seen");
}

#[test]
fn a_hostile_container_is_named_without_its_files() {
    // runc itself would wait for the pipe, so nothing is started from outside.
    let container = Container::start_with(
        &["sh", "-c", "while sleep 1; do true; /bin/true; done"],
        None,
    );
    let passwd = container.path("/etc/passwd");
    fs::remove_file(&passwd).expect("removed");
    let status = Command::new("mkfifo")
        .arg(passwd)
        .status()
        .expect("mkfifo runs");
    assert!(status.success());
    // What is read of a file without end is bounded.
    let group = fs::File::create(container.path("/etc/group")).expect("made");
    group.set_len(10 << 30).expect("sparse");
    let agent = agent();
    let alert = started(&agent, &container, "true");
    for (field, value) in [
        ("user.name", "root"),
        ("user.homedir", "/root"),
        ("user.shell", "<NA>"),
        ("group.name", "root"),
    ] {
        assert_eq!(alert.text(field), value, "{field}");
    }
}
