//! What a process runs: the content of its executable, and the interpreter behind a script.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use peregrine_tests::{AgentBuilder, Alert, MARKER_RULE, eventually};

const STARTED: &str = "\
- rule: Started
  desc: Every program whose arguments start with a word of ours.
  condition: evt.type in (execve, execveat) and proc.args contains wanted and proc.apid = OWN
  output: >
    started %proc.exepath %proc.exe_sha256 %proc.exe_sha256.missing %proc.interpreter %proc.script
    %proc.args
  priority: INFO
";

/// Whatever else runs on the machine, this test has not started.
fn rules() -> String {
    let own = std::process::id().to_string();
    format!("{MARKER_RULE}{}", STARTED.replace("OWN", &own))
}

/// A copy of a program of the system that is no other file's content.
fn copy(folder: &Path, program: &str) -> PathBuf {
    let to = folder.join("program");
    std::fs::copy(program, &to).expect("it is copied");
    let mut file = std::fs::File::options()
        .append(true)
        .open(&to)
        .expect("it opens");
    // What follows the sections of an executable is not loaded.
    let tail = format!("a tail of process {}", std::process::id());
    file.write_all(tail.as_bytes()).expect("it is written");
    to
}

/// The hash as a tool of the system computes it.
fn hash_of(file: &Path) -> String {
    let output = Command::new("sha256sum")
        .arg(file)
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("it is text");
    text.split(' ')
        .next()
        .expect("the hash comes first")
        .to_owned()
}

fn wanted(alert: &Alert, argument: &str) -> bool {
    alert.rule() == "Started" && alert.text("proc.args").ends_with(argument)
}

#[test]
fn the_content_of_an_executable_is_known_by_its_hash() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let program = copy(folder.path(), "/bin/true");
    let hash = hash_of(&program);
    let by_hash = format!(
        "- rule: Known content\n  desc: A program by its content.\n  condition: evt.type = execve and \
         proc.exe_sha256 in ({hash}, 00)\n  output: known %proc.args\n  priority: INFO\n"
    );
    let agent = AgentBuilder::rules(&format!("{}{by_hash}", rules())).start();
    for round in 0..10 {
        let argument = format!("wanted-{round}");
        let status = Command::new(&program).arg(&argument).status();
        assert!(status.expect("it runs").success());
        let alert = agent.wait_for("the exec", |alert| wanted(alert, &argument));
        assert_eq!(alert.text("proc.exe_sha256"), hash);
        assert!(alert.field("proc.exe_sha256.missing").is_null());
        // An event matches one rule: the first. This one's arguments fit the second only.
        let argument = format!("known-{round}");
        let status = Command::new(&program).arg(&argument).status();
        assert!(status.expect("it runs").success());
        agent.wait_for("the exec by its content", |alert| {
            alert.rule() == "Known content" && alert.text("proc.args") == argument
        });
    }
    // Another content at the same place is another program.
    std::fs::remove_file(&program).expect("it was there");
    std::fs::copy("/bin/true", &program).expect("it is copied");
    let status = Command::new(&program).arg("wanted-other").status();
    assert!(status.expect("it runs").success());
    let alert = agent.wait_for("the exec", |alert| wanted(alert, "wanted-other"));
    assert_eq!(alert.text("proc.exe_sha256"), hash_of(&program));
}

#[test]
fn an_executable_that_is_gone_is_hashed_while_it_runs_and_never_wrongly() {
    let agent = AgentBuilder::rules(&rules()).start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let program = copy(folder.path(), "/bin/sleep");
    let hash = hash_of(&program);
    let mut child = Command::new(&program)
        .args(["60", "--", "0"])
        .arg("0wanted")
        .spawn();
    // Its arguments are none that sleep takes: it ends by itself.
    std::fs::remove_file(&program).expect("it was there");
    std::fs::copy("/bin/true", &program).expect("another takes its place");
    child.as_mut().expect("it runs").wait().expect("it ends");
    let alert = agent.wait_for("the exec", |alert| wanted(alert, "0wanted"));
    match alert.field("proc.exe_sha256").as_str() {
        Some(found) => assert_eq!(found, hash),
        None => assert!(
            alert
                .text("proc.exe_sha256.missing")
                .contains("the process is gone")
        ),
    }

    let folder = tempfile::tempdir().expect("a temp dir");
    let program = copy(folder.path(), "/bin/sh");
    let hash = hash_of(&program);
    let mut child = Command::new(&program)
        .args(["-c", "read line; true", "wanted-waits"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    std::fs::remove_file(&program).expect("it was there");
    let alert = agent.wait_for("the exec", |alert| wanted(alert, "wanted-waits"));
    drop(child.stdin.take());
    child.wait().expect("it ends");
    assert_eq!(alert.text("proc.exe_sha256"), hash);
}

#[test]
fn a_script_has_an_interpreter_and_a_program_has_none() {
    let agent = AgentBuilder::rules(&rules()).start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it is there");
    let shell = std::fs::canonicalize("/bin/sh").expect("there is a shell");
    let script = |name: &str, first_line: &str| {
        let path = folder.join(name);
        std::fs::write(&path, format!("{first_line}\nexit 0\n")).expect("it is written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("it is ours");
        path
    };
    let plain = script("plain", "#!/bin/sh");
    // A script that is run by a script.
    script("nested", &format!("#!{}", plain.display()));
    for name in ["plain", "nested"] {
        let argument = format!("wanted-{name}");
        let status = Command::new(format!("./{name}"))
            .arg(&argument)
            .current_dir(&folder)
            .status();
        assert!(status.expect("it runs").success());
        let alert = agent.wait_for("the script", |alert| wanted(alert, &argument));
        assert_eq!(Path::new(alert.text("proc.interpreter")), shell);
        assert_eq!(Path::new(alert.text("proc.exepath")), shell);
        assert_eq!(Path::new(alert.text("proc.script")), folder.join(name));
        assert_eq!(alert.text("proc.exe_sha256"), hash_of(&shell));
    }
    let status = Command::new("/bin/true").arg("wanted-program").status();
    assert!(status.expect("it runs").success());
    let alert = agent.wait_for("the program", |alert| wanted(alert, "wanted-program"));
    assert!(alert.field("proc.interpreter").is_null());
    assert!(alert.field("proc.script").is_null());
}

#[test]
#[expect(clippy::print_stdout, reason = "a figure for who runs the test")]
fn programs_that_are_run_once_and_removed_have_the_right_hash_or_a_reason() {
    const PROGRAMS: usize = 200;
    let agent = AgentBuilder::rules(&rules()).start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let content = std::fs::read("/bin/true").expect("it is there");
    let mut hashes = Vec::new();
    for number in 0..PROGRAMS {
        let program = folder.path().join(format!("program-{number}"));
        let unique = [content.as_slice(), number.to_string().as_bytes()].concat();
        std::fs::write(&program, unique).expect("it is written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("it is ours");
        hashes.push(hash_of(&program));
    }
    for number in 0..PROGRAMS {
        let program = folder.path().join(format!("program-{number}"));
        let status = Command::new(&program)
            .arg(format!("wanted:{number}"))
            .status();
        assert!(status.expect("it runs").success());
        // Every other one is removed at once.
        if number % 2 == 0 {
            std::fs::remove_file(&program).expect("it was there");
        }
    }
    agent.settle();
    let alerts = agent.alerts_where(|alert| alert.rule() == "Started");
    assert_eq!(alerts.len(), PROGRAMS);
    let mut found = [0, 0];
    for alert in &alerts {
        let (_, number) = alert.text("proc.args").split_once(':').expect("it is ours");
        let number: usize = number.parse().expect("it is a number");
        match alert.field("proc.exe_sha256").as_str() {
            Some(hash) => {
                assert_eq!(hash, hashes[number]);
                found[number % 2] += 1;
            }
            None => {
                let reason = alert.text("proc.exe_sha256.missing");
                // A file that is still there is found though the process is gone.
                let is_kept = number % 2 == 1;
                assert!(!is_kept || reason.contains("in time"), "{reason}");
                assert!(
                    is_kept || reason.contains("gone") || reason.contains("in time"),
                    "{reason}"
                );
            }
        }
    }
    let [removed, kept] = found;
    println!("hashed: {kept} of 100 that were kept, {removed} of 100 that were removed at once");
    if kept + removed < PROGRAMS {
        let counted = || agent.metric("peregrine_executables_not_hashed_total", &[]) > 0.0;
        eventually(|| counted().then_some(())).expect("what is missing is counted");
    }
    // A machine that is busy with other things may be late for some.
    assert!(kept > 50, "{kept}");
}
