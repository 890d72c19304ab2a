//! The values of fields about the executable and the capabilities of a process.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use peregrine_tests::{AgentBuilder, MARKER_RULE};

const STARTED: &str = "\
- rule: Started
  desc: Every program whose arguments start with a word of ours.
  condition: evt.type in (execve, execveat) and proc.args startswith wanted and proc.apid = OWN
  output: >
    started %proc.exe_ino %proc.exe_ino.ctime %proc.exe_ino.mtime %proc.is_exe_writable
    %proc.is_exe_upper_layer %proc.is_exe_lower_layer %evt.arg.flags %thread.cap_permitted
    %thread.cap_effective %thread.cap_inheritable %proc.pidns_init_start_ts %proc.pid.ts
  priority: INFO
";

#[test]
fn an_exec_tells_of_its_executable_and_capabilities() {
    let own = std::process::id().to_string();
    let rules = format!("{MARKER_RULE}{}", STARTED.replace("OWN", &own));
    let agent = AgentBuilder::rules(&rules).start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let program = folder.path().join("program");
    std::fs::copy("/bin/true", &program).expect("it is copied");
    let status = Command::new(&program).arg("wanted").status();
    assert!(status.expect("it runs").success());
    let alert = agent.wait_for("the exec", |alert| alert.rule() == "Started");
    let file = std::fs::metadata(&program).expect("it is there");
    let number = |name: &str| alert.field(name).as_u64();
    let time = |seconds: i64, rest: i64| u64::try_from(seconds * 1_000_000_000 + rest).ok();
    assert_eq!(number("proc.exe_ino"), Some(file.ino()));
    assert_eq!(
        number("proc.exe_ino.ctime"),
        time(file.ctime(), file.ctime_nsec())
    );
    assert_eq!(
        number("proc.exe_ino.mtime"),
        time(file.mtime(), file.mtime_nsec())
    );
    assert_eq!(alert.field("proc.is_exe_writable").as_bool(), Some(true));
    assert!(alert.text("evt.arg.flags").starts_with("EXE_WRITABLE"));
    let effective = alert.text("thread.cap_effective");
    assert!(effective.starts_with("CAP_CHOWN CAP_"), "{effective}");
    assert!(
        alert
            .text("thread.cap_permitted")
            .contains("CAP_DAC_OVERRIDE")
    );
    let first = number("proc.pidns_init_start_ts").expect("the namespace has an age");
    assert!(first > 0 && first < number("proc.pid.ts").expect("the process has an age"));
}
