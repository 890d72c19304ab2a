//! Programs that start.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use peregrine_tests::{AgentBuilder, MARKER_RULE, trigger};

const EXECS: &str = "\
- rule: Started
  desc: Every program whose arguments start with a word of ours.
  condition: evt.type in (execve, execveat) and proc.args startswith wanted
  output: >
    started %proc.cmdline %proc.name %proc.exe %proc.exepath %proc.pid %proc.ppid %proc.pname
    %proc.aname %proc.cwd %proc.tty %user.name %user.uid %container.id %evt.type %evt.res %proc.args
  priority: INFO
";

fn rules() -> String {
    format!("{MARKER_RULE}{EXECS}")
}

#[test]
fn an_exec_tells_who_started_what_where() {
    let agent = AgentBuilder::rules(&rules()).start();
    let status = Command::new("/bin/true")
        .args(["wanted", "one"])
        .current_dir("/usr/share/")
        .status()
        .expect("/bin/true runs");
    assert!(status.success());
    let alert = agent.wait_for("the exec", |alert| alert.rule() == "Started");
    assert_eq!(alert.text("proc.cmdline"), "true wanted one");
    assert_eq!(alert.text("proc.name"), "true");
    assert_eq!(alert.text("proc.exe"), "/bin/true");
    let resolved = std::fs::canonicalize("/bin/true").expect("it exists");
    assert_eq!(
        alert.text("proc.exepath"),
        resolved.to_str().expect("UTF-8")
    );
    assert_eq!(
        alert.field("proc.ppid").as_u64(),
        Some(u64::from(std::process::id()))
    );
    let own_name = std::fs::read_to_string("/proc/self/comm").expect("we have a name");
    let lineage = alert.text("proc.aname").to_owned();
    assert_eq!(alert.text("proc.pname"), own_name.trim_end());
    assert!(lineage.starts_with(own_name.trim_end()), "{lineage}");
    assert!(lineage.split(' ').count() > 1, "{lineage}");
    assert_eq!(alert.text("proc.cwd"), "/usr/share/");
    assert_eq!(alert.text("user.name"), "root");
    assert_eq!(alert.field("user.uid").as_u64(), Some(0));
    assert_eq!(alert.text("container.id"), "host");
    assert_eq!(alert.text("evt.res"), "SUCCESS");
    agent.settle();
    assert_eq!(
        agent.alerts_where(|alert| alert.rule() == "Started").len(),
        1
    );
    let hits = agent.metric("peregrine_rules_matches_total", &["rule=\"Started\""]);
    assert!((hits - 1.0).abs() < f64::EPSILON, "{hits}");
}

#[test]
fn hostile_arguments_forge_no_line() {
    let nasty = OsString::from_vec(b"a\nb\x1b[2Jc\xff\xfe\"\\\r\x07".to_vec());
    let agent = AgentBuilder::rules(&rules()).start();
    Command::new("/bin/true")
        .arg("wanted")
        .arg(&nasty)
        .status()
        .expect("/bin/true runs");
    let alert = agent.wait_for("the exec", |alert| alert.rule() == "Started");
    assert!(alert.text("proc.args").contains("a\nb"), "{alert:?}");
    agent.settle();
    // Every line is one alert: `alerts` parses them all.
    assert_eq!(agent.alerts().len(), 2);
    drop(agent);

    let agent = AgentBuilder::rules(&rules()).text_output().start();
    Command::new("/bin/true")
        .arg("wanted")
        .arg(&nasty)
        .status()
        .expect("/bin/true runs");
    Command::new("/bin/true")
        .arg("wanted")
        .arg("last")
        .status()
        .expect("/bin/true runs");
    peregrine_tests::eventually(|| {
        agent
            .lines()
            .iter()
            .any(|line| line.contains("last"))
            .then_some(())
    })
    .expect("both alerts come");
    let lines = agent.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines
            .iter()
            .all(|line| !line.contains('\x1b') && !line.contains('\r')),
        "{lines:#?}"
    );
}

#[test]
fn long_arguments_are_cut_and_the_event_is_kept() {
    let agent = AgentBuilder::rules(&rules()).start();
    let long = "x".repeat(100_000);
    Command::new("/bin/true")
        .args(["wanted", &long])
        .status()
        .expect("/bin/true runs");
    let alert = agent.wait_for("the exec", |alert| alert.rule() == "Started");
    let shown = alert.text("proc.args").len();
    assert!((4_096..=8_192).contains(&shown), "{shown}");
}

#[test]
fn failed_execs_are_for_rules_that_ask() {
    let asking = "\
- rule: Failed
  desc: An exec that failed.
  condition: evt.type in (execve, execveat) and evt.failed = true and evt.arg.filename contains not-there
  output: failed %evt.res %evt.arg.filename %proc.name %evt.rawres
  priority: INFO
";
    // Of ours alone: other programs start on this machine too.
    let not_asking = format!(
        "\
- rule: Any
  desc: An exec, with no word about its result.
  condition: evt.type = execve and proc.ppid = {} and not proc.args startswith marker-
  output: any %proc.name
  priority: INFO
",
        std::process::id()
    );
    // What one rule asks does not change what another one sees.
    let agent = AgentBuilder::rules(&format!("{MARKER_RULE}{not_asking}{asking}")).start();
    assert!(
        agent
            .attached()
            .iter()
            .any(|name| name.contains("sys_exit") && name.ends_with("execve"))
    );
    assert!(Command::new("/not-there/program").status().is_err());
    let alert = agent.wait_for("the failure", |alert| alert.rule() == "Failed");
    assert_eq!(alert.text("evt.res"), "ENOENT");
    assert_eq!(alert.field("evt.rawres").as_i64(), Some(-2));
    assert_eq!(alert.text("evt.arg.filename"), "/not-there/program");
    assert_eq!(agent.alerts_where(|alert| alert.rule() == "Any").len(), 0);
    drop(agent);

    let agent = AgentBuilder::rules(&format!("{MARKER_RULE}{not_asking}")).start();
    assert!(
        agent
            .attached()
            .iter()
            .all(|name| !name.contains("sys_exit")),
        "{:?}",
        agent.attached()
    );
    assert!(Command::new("/not-there/program").status().is_err());
    agent.settle();
    assert_eq!(agent.alerts_where(|alert| alert.rule() == "Any").len(), 0);
}

#[test]
fn a_script_is_known_by_its_interpreter() {
    let agent = AgentBuilder::rules(&rules()).start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh wanted\nexit 0\n").expect("it is written");
    Command::new("/bin/chmod")
        .arg("+x")
        .arg(&script)
        .status()
        .expect("chmod runs");
    // sh takes `wanted` for a script of that name and fails; that it was started is what counts.
    Command::new(&script)
        .stderr(Stdio::null())
        .status()
        .expect("the script runs");
    let alert = agent.wait_for("the exec", |alert| alert.rule() == "Started");
    assert_eq!(alert.text("proc.name"), "script");
    let shell = std::fs::canonicalize("/bin/sh").expect("it exists");
    assert_eq!(alert.text("proc.exepath"), shell.to_str().expect("UTF-8"));
}

#[test]
fn an_exec_from_a_thread_is_the_process() {
    let agent = AgentBuilder::rules(&rules()).start();
    let mut child = Command::new(trigger("exec_from_thread"))
        .args(["wanted", "thread"])
        .spawn()
        .expect("the program starts");
    let pid = u64::from(child.id());
    assert!(child.wait().expect("it ends").success());
    agent.settle();
    let alerts = agent.alerts_where(|alert| {
        alert.rule() == "Started" && alert.text("proc.exepath").ends_with("/true")
    });
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0].field("proc.pid").as_u64(), Some(pid));
}

#[test]
fn no_exec_is_lost_among_floods_of_opens() {
    const EXECS: usize = 5_000;
    let opens = "\
- rule: Opens
  desc: Looks at every open, and matches none.
  condition: evt.type in (open, openat) and fd.name = /never/opened
  output: opened %fd.name
  priority: INFO
";
    let agent = AgentBuilder::rules(&format!("{MARKER_RULE}{EXECS_RULE}{opens}")).start();
    let mut floods: Vec<_> = (0..4)
        .map(|_| {
            Command::new(trigger("churn"))
                .spawn()
                .expect("the program starts")
        })
        .collect();
    for number in 0..EXECS {
        let status = Command::new("/bin/true")
            .arg0("true")
            .arg(format!("wanted-{number}"))
            .status()
            .expect("/bin/true runs");
        assert!(status.success());
    }
    for flood in &mut floods {
        flood.kill().expect("it is ours to end");
        flood.wait().expect("it ends");
    }
    agent.settle();
    let seen: std::collections::BTreeSet<String> = agent
        .alerts_where(|alert| alert.rule() == "Started")
        .iter()
        .map(|alert| alert.text("proc.args").to_owned())
        .collect();
    assert_eq!(seen.len(), EXECS);
    for cause in [
        "ring_full_exec",
        "ring_full_fork",
        "ring_full_exit",
        "scratch_busy",
    ] {
        let cause = format!("cause=\"{cause}\"");
        let lost = agent.metric("peregrine_drops_total", &[&cause]);
        assert!(lost.abs() < f64::EPSILON, "{cause}: {lost}");
    }
}

const EXECS_RULE: &str = "\
- rule: Started
  desc: Every program of ours.
  condition: evt.type = execve and proc.args startswith wanted-
  output: started %proc.args
  priority: INFO
";
