//! Files that are opened.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE, trigger};

const FIELDS: &str = "%fd.name %fd.nameraw %fd.directory %fd.filename %fd.num %fd.typechar %evt.type \
    %evt.arg.flags %evt.is_open_read %evt.is_open_write %evt.res %proc.name %proc.pid %thread.tid %proc.cmdline";

fn rule(condition: &str) -> String {
    format!(
        "{MARKER_RULE}- rule: Opened\n  desc: A test.\n  condition: {condition}\n  output: opened {FIELDS}\n  priority: INFO\n"
    )
}

fn opened(agent: &Agent) -> Vec<Alert> {
    agent.settle();
    agent.alerts_where(|alert| alert.rule() == "Opened")
}

#[test]
fn cat_of_the_shadow_file_gives_one_alert() {
    let agent = AgentBuilder::default_rules().start();
    let output = Command::new("cat")
        .arg("/etc/shadow")
        .output()
        .expect("cat runs");
    assert!(output.status.success());
    let alert = agent.wait_for("the read", |alert| alert.text("fd.name") == "/etc/shadow");
    assert_eq!(alert.text("proc.cmdline"), "cat /etc/shadow");
    assert_eq!(alert.text("user.name"), "root");
    assert_eq!(alert.text("container.id"), "host");
    let own_name = fs::read_to_string("/proc/self/comm").expect("we have a name");
    assert!(
        alert.text("proc.aname").starts_with(own_name.trim_end()),
        "{alert:?}"
    );
    let (status, lines) = agent.stop();
    assert!(status.success(), "{status}");
    let about_it = lines.iter().filter(|line| line.contains("cat /etc/shadow"));
    assert_eq!(about_it.count(), 1, "{lines:#?}");
}

#[test]
fn every_call_of_the_family_with_relative_paths_and_directories() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it exists");
    fs::create_dir(folder.join("sub")).expect("a folder is made");
    fs::write(folder.join("target"), "x").expect("a file is written");
    let agent = AgentBuilder::rules(&rule(&format!(
        "evt.type in (open, openat, openat2, creat) and fd.directory = {} and fd.typechar = f",
        folder.display()
    )))
    .start();
    assert!(
        Command::new(trigger("open_calls"))
            .arg(&folder)
            .status()
            .expect("it runs")
            .success()
    );
    let alerts = opened(&agent);
    let seen: Vec<(&str, &str)> = alerts
        .iter()
        .map(|alert| (alert.text("evt.type"), alert.text("fd.filename")))
        .collect();
    assert_eq!(
        seen,
        [
            ("openat", "target"),
            ("openat2", "target"),
            ("open", "target"),
            ("creat", "made")
        ]
    );
    for alert in &alerts[..3] {
        assert_eq!(
            alert.text("fd.name"),
            folder.join("target").to_str().expect("UTF-8")
        );
        assert_eq!(alert.text("fd.nameraw"), "./sub/../target");
        assert_eq!(alert.field("evt.is_open_write").as_bool(), Some(false));
    }
    assert_eq!(alerts[3].field("evt.is_open_write").as_bool(), Some(true));
    // creat takes no flags, so it has no parameter of that name: as in Falco.
    assert!(alerts[3].field("evt.arg.flags").is_null());
}

#[test]
fn a_symlink_does_not_hide_the_file_behind_it() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let secret = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("secret");
    fs::write(&secret, "x").expect("a file is written");
    let link = folder.path().join("harmless");
    symlink(&secret, &link).expect("a link is made");
    let agent = AgentBuilder::rules(&rule(&format!(
        "evt.type = openat and fd.name = {}",
        secret.display()
    )))
    .start();
    assert!(
        Command::new("cat")
            .arg(&link)
            .stdout(Stdio::null())
            .status()
            .expect("cat runs")
            .success()
    );
    let alerts = opened(&agent);
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0].text("fd.name"), link.to_str().expect("UTF-8"));
    assert_eq!(
        alerts[0].text("fd.resolved_name"),
        secret.to_str().expect("UTF-8")
    );
}

#[test]
fn an_exception_for_the_links_name_does_not_cover_the_file() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let secret = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("secret");
    fs::write(&secret, "x").expect("a file is written");
    let link = folder.path().join("allowed");
    symlink(&secret, &link).expect("a link is made");
    let condition = format!(
        "evt.type = openat and fd.name = {} and not fd.name = {}",
        secret.display(),
        link.display()
    );
    let agent = AgentBuilder::rules(&rule(&condition)).start();
    Command::new("cat")
        .arg(&link)
        .stdout(Stdio::null())
        .status()
        .expect("cat runs");
    assert_eq!(opened(&agent).len(), 1);
    drop(agent);
    let agent = AgentBuilder::rules(&rule(&condition))
        .option("sensor.second_view=false")
        .start();
    Command::new("cat")
        .arg(&link)
        .stdout(Stdio::null())
        .status()
        .expect("cat runs");
    assert_eq!(opened(&agent).len(), 0);
}

#[test]
fn a_path_that_changes_during_the_call_is_judged_by_what_was_opened() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it exists");
    let (harmless, secret) = (folder.join("aaaaaa"), folder.join("bbbbbb"));
    fs::write(&harmless, "x").expect("a file is written");
    fs::write(&secret, "x").expect("a file is written");
    let agent = AgentBuilder::rules(&rule(&format!(
        "evt.type in (open, openat) and fd.num >= 0 and fd.name = {}",
        secret.display()
    )))
    .start();
    let output = Command::new(trigger("flip_path"))
        .arg(&harmless)
        .arg(&secret)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "the second file was never opened");
    let opened_secret: usize = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a count");
    let by_kernel = opened(&agent)
        .iter()
        .filter(|alert| {
            let resolved = alert.text("fd.resolved_name");
            let name = if resolved.is_empty() {
                alert.text("fd.name")
            } else {
                resolved
            };
            name == secret.to_str().expect("UTF-8")
        })
        .count();
    assert_eq!(by_kernel, opened_secret);
}

#[test]
fn a_path_of_four_kilobytes() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let mut path = folder.path().canonicalize().expect("it exists");
    let part = "d".repeat(250);
    while path.as_os_str().len() + 260 < 4_000 {
        path.push(&part);
    }
    fs::create_dir_all(&path).expect("folders are made");
    path.push("f".repeat(4_090 - path.as_os_str().len()));
    // Longer than a name may be: cut to what fits.
    if path.file_name().is_some_and(|name| name.len() > 255) {
        path.set_file_name("f".repeat(255));
    }
    fs::write(&path, "x").expect("a file is written");
    let agent =
        AgentBuilder::rules(&rule("evt.type = openat and fd.filename startswith fff")).start();
    drop(File::open(&path).expect("it opens"));
    let alerts = opened(&agent);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].text("fd.name"), path.to_str().expect("UTF-8"));
}

#[test]
fn a_file_and_a_program_a_hundred_folders_deep() {
    a_file_and_a_program_deep_down(100, false);
    // With what kernels without `bpf_loop` can do.
    a_file_and_a_program_deep_down(100, true);
}

#[test]
fn a_file_and_a_program_nine_hundred_folders_deep() {
    a_file_and_a_program_deep_down(900, false);
}

#[track_caller]
fn a_file_and_a_program_deep_down(levels: u32, oldest_ways: bool) {
    let folder = tempfile::tempdir().expect("a temp dir");
    let mut deep = folder.path().canonicalize().expect("it exists");
    for level in 0..levels {
        deep.push(format!("{level}"));
    }
    fs::create_dir_all(&deep).expect("folders are made");
    fs::write(deep.join("secret"), "x").expect("a file is written");
    fs::copy("/bin/cat", deep.join("reader")).expect("a program is copied");
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Opened\n  desc: A test.\n  condition: >\n    evt.type in (open, openat) and \
         fd.name startswith {start}/ and fd.name endswith /secret\n    and proc.exepath startswith {start}/ \
         and proc.cwd startswith {start}/\n  output: opened %fd.name %proc.exepath %proc.cwd\n  priority: INFO\n",
        start = folder.path().display()
    ))
    .option(&format!("sensor.oldest_ways={oldest_ways}"))
    .start();
    let status = Command::new("./reader")
        .arg("secret")
        .current_dir(&deep)
        .stdout(Stdio::null())
        .status()
        .expect("it runs");
    assert!(status.success());
    let alerts = opened(&agent);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let whole = |name: &str| format!("{}{name}", deep.display());
    assert_eq!(alerts[0].text("fd.name"), whole("/secret"));
    assert_eq!(alerts[0].text("proc.exepath"), whole("/reader"));
    assert_eq!(alerts[0].text("proc.cwd"), whole("/"));
}

#[test]
fn a_failed_open_is_seen_by_a_rule_that_asks() {
    let agent = AgentBuilder::rules(&rule(
        "evt.type = openat and fd.num = -1 and evt.res startswith E and fd.name endswith /not-there",
    ))
    .start();
    assert!(File::open("/tmp/./not-there").is_err());
    let alerts = opened(&agent);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].text("fd.name"), "/tmp/not-there");
    assert_eq!(alerts[0].text("evt.res"), "ENOENT");
    assert_eq!(alerts[0].field("fd.num").as_i64(), Some(-1));
}

#[test]
fn an_open_from_a_thread_is_the_process_and_the_thread() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("file");
    fs::write(&path, "x").expect("a file is written");
    let agent = AgentBuilder::rules(&rule(&format!(
        "evt.type = openat and fd.name = {}",
        path.display()
    )))
    .start();
    let output = Command::new(trigger("open_from_thread"))
        .arg(&path)
        .output()
        .expect("it runs");
    let ids: Vec<u64> = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(|id| id.parse().expect("an id"))
        .collect();
    let alerts = opened(&agent);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].field("proc.pid").as_u64(), Some(ids[0]));
    assert_eq!(alerts[0].field("thread.tid").as_u64(), Some(ids[1]));
    assert_eq!(alerts[0].text("proc.name"), "open_from_threa");
}

#[test]
fn what_older_kernels_get_gives_the_same() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("file");
    fs::write(&path, "x").expect("a file is written");
    let rules = rule(&format!(
        "evt.type = openat and fd.name = {}",
        path.display()
    ));
    let mut seen = Vec::new();
    for oldest in [false, true] {
        let agent = AgentBuilder::rules(&rules)
            .option(&format!("sensor.oldest_ways={oldest}"))
            .start();
        Command::new("cat")
            .arg(&path)
            .stdout(Stdio::null())
            .status()
            .expect("cat runs");
        let mut alert = opened(&agent).remove(0).0;
        for name in ["proc.pid", "thread.tid"] {
            alert["output_fields"][name] = 0.into();
        }
        seen.push(alert["output_fields"].clone());
    }
    for name in [
        "fd.name",
        "proc.name",
        "evt.arg.flags",
        "fd.num",
        "proc.cmdline",
    ] {
        assert_eq!(seen[0][name], seen[1][name], "{name}");
    }
}
