//! What goes wrong, and what is said of it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use peregrine_tests::{AgentBuilder, MARKER_RULE, agent_binary, eventually, run_to_end};
use rustix::process::{Pid, Signal, kill_process};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It ended with exit code 1, said why, and neither panicked nor started.
fn refused(output: &Output, part: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(part), "{said}");
    assert!(
        !said.contains("panicked") && !said.contains("peregrine: ready"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn broken_rules_are_named_by_file_and_line() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().join("broken.yaml");
    std::fs::write(
        &path,
        "- rule: x\n  desc: d\n  condition: evt.type = execve and proc.nme = a\n  output: o\n  priority: INFO\n",
    )
    .expect("it is written");
    let path = path.to_str().expect("UTF-8");
    let output = run_to_end(&["run", "-r", path]);
    refused(&output, "did you mean 'proc.name'?");
    assert!(
        stderr(&output).contains(&format!("{path}:3:")),
        "{}",
        stderr(&output)
    );
    refused(
        &run_to_end(&["run", "-r", "/not/there.yaml"]),
        "/not/there.yaml",
    );
}

#[test]
fn a_taken_port() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let output = run_to_end(&[
        "run",
        "-o",
        "webserver.listen_address=127.0.0.1",
        "-o",
        &format!("webserver.listen_port={port}"),
    ]);
    refused(&output, &port.to_string());
}

#[test]
fn missing_privileges_are_named() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let binary = folder.path().join("peregrine");
    std::fs::copy(agent_binary(), &binary).expect("it is copied");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("it can be entered");
    let output = Command::new(&binary)
        .args(["run", "-o", "webserver.enabled=false"])
        .uid(65_534)
        .gid(65_534)
        .stdin(Stdio::null())
        .output()
        .expect("the agent starts");
    refused(&output, "CAP_BPF and CAP_PERFMON");
}

#[test]
fn a_kernel_without_type_information() {
    // In a mount namespace of its own, where the file is covered.
    let script = format!(
        "mount -t tmpfs none /sys/kernel/btf && exec {} run -o webserver.enabled=false",
        agent_binary().display()
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    refused(&output, "/sys/kernel/btf/vmlinux");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["run", "--nonsense"][..],
        &["nonsense"],
        &["run", "-o", "no-value"],
    ] {
        assert_eq!(
            run_to_end(arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    let output = run_to_end(&["run", "-o", "json_outputt=true"]);
    refused(&output, "json_output");
}

#[test]
fn the_end_comes_with_all_alerts() {
    let rules = "\
- rule: Last
  desc: A test.
  condition: evt.type = execve and proc.args startswith at-the-end
  output: last %proc.args
  priority: INFO
";
    let agent = AgentBuilder::rules(rules).start();
    for number in 0..200 {
        let status = Command::new("/bin/true")
            .arg(format!("at-the-end-{number}"))
            .status();
        assert!(status.expect("/bin/true runs").success());
    }
    let (status, lines) = agent.stop();
    assert_eq!(status.code(), Some(0));
    assert_eq!(lines.len(), 200);
}

#[test]
fn exec_rules_attach_to_no_system_call_and_opens_only_to_theirs() {
    let agent = AgentBuilder::rules(MARKER_RULE).start();
    assert!(
        agent
            .attached()
            .iter()
            .all(|name| name.starts_with("raw_tracepoint "))
    );
    assert_eq!(agent.attached().len(), 4);
    drop(agent);
    let opens = "- rule: O\n  desc: d\n  condition: evt.type in (open, openat) and fd.name = /x\n  output: o\n  priority: INFO\n";
    for (other_abis, expected) in [
        (
            "never",
            &[
                "tracepoint syscalls/sys_exit_open",
                "tracepoint syscalls/sys_exit_openat",
            ][..],
        ),
        (
            "always",
            &[
                "raw_tracepoint sys_exit: open",
                "raw_tracepoint sys_exit: openat",
                "raw_tracepoint sys_exit",
            ],
        ),
    ] {
        let agent = AgentBuilder::rules(&format!("{MARKER_RULE}{opens}"))
            .option(&format!("sensor.other_abis={other_abis}"))
            .start();
        let calls: Vec<String> = agent
            .attached()
            .into_iter()
            .filter(|name| name.contains("sys_exit"))
            .collect();
        assert_eq!(calls, expected);
    }
}

#[test]
fn the_agent_does_not_watch_itself() {
    let rules = "\
- rule: Own
  desc: Anything that a program of this name does.
  condition: evt.type in (open, openat, connect, execve) and proc.name startswith peregrine
  output: own %evt.type %fd.name
  priority: INFO
";
    let agent = AgentBuilder::rules(&format!("{MARKER_RULE}{rules}")).start();
    for _ in 0..3 {
        // It reads files of /proc for this.
        assert_eq!(agent.get("/metrics").0, 200);
    }
    agent.settle();
    let own = u64::from(agent.pid());
    let about_itself = agent.alerts_where(|alert| {
        alert.rule() == "Own" && alert.field("proc.pid").as_u64() == Some(own)
    });
    assert!(about_itself.is_empty(), "{about_itself:#?}");
}

#[test]
fn health_readiness_and_metrics() {
    let agent = AgentBuilder::rules(MARKER_RULE).start();
    assert_eq!(
        agent.get("/healthz"),
        (200, "{\"status\": \"ok\"}".to_owned())
    );
    assert_eq!(agent.get("/readyz").0, 200);
    agent.settle();
    let execs = agent.metric("peregrine_events_total", &["type=\"execve\""]);
    assert!(execs >= 1.0, "{execs}");
    for name in [
        "peregrine_drops_total",
        "peregrine_ring_used_bytes",
        "peregrine_resident_memory_bytes",
        "peregrine_processing_latency_seconds_count",
    ] {
        assert!(agent.get("/metrics").1.contains(name), "{name}");
    }
}

#[test]
fn a_full_disk_does_not_end_detection() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let rules = folder.path().join("rules.yaml");
    std::fs::write(&rules, MARKER_RULE).expect("rules are written");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full opens");
    let mut agent = Command::new(agent_binary())
        .args(["run", "-M", "3", "-o", "webserver.enabled=false", "-r"])
        .arg(&rules)
        .stdout(full)
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts");
    for _ in 0..20 {
        Command::new("/bin/true")
            .arg("marker-x")
            .status()
            .expect("/bin/true runs");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(
        agent.try_wait().expect("it can be waited for").is_none(),
        "it ended"
    );
    assert!(agent.wait().expect("it ends").success());
}

#[test]
fn it_ends_when_told_though_nobody_hears_what_it_says() {
    let mut agent = Command::new(agent_binary())
        .args(["run", "-o", "webserver.enabled=false"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(agent.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(
            said.read_line(&mut line).expect("it is text") > 0,
            "it ended"
        );
    }
    drop(said);
    drop(agent.stdout.take());
    let shadow = Command::new("cat").arg("/etc/shadow").output();
    assert!(shadow.expect("cat runs").status.success());
    kill_process(Pid::from_child(&agent), Signal::TERM).expect("it runs");
    let status = eventually(|| agent.try_wait().expect("it is our child"));
    if status.is_none() {
        agent.kill().expect("it runs");
    }
    assert!(status.expect("it ends").success());
}
