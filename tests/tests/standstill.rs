//! The matching thread stands still: that is seen from outside, and what was lost meanwhile is told.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::File;

use peregrine_tests::{Agent, AgentBuilder, MARKER_RULE, eventually, system_call};

/// A thread that does not run; it goes on when this is dropped.
struct Stopped(i32);

impl Stopped {
    /// Stops the matching thread of an agent, and no other.
    fn matching_thread_of(agent: &Agent) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.pid()));
        let thread = tasks
            .expect("the agent runs")
            .map(|task| task.expect("the folder is read").path())
            .find(|task| {
                std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "matching\n")
            })
            .expect("it has the thread");
        let number = thread.file_name().and_then(|name| name.to_str());
        let thread: i32 = number
            .and_then(|number| number.parse().ok())
            .expect("a number");
        let mut status = 0;
        // SAFETY: the calls take numbers, and `status` is written to.
        unsafe {
            assert_eq!(
                system_call!(SYS_ptrace, libc::PTRACE_SEIZE, thread, 0, 0),
                0
            );
            assert_eq!(
                system_call!(SYS_ptrace, libc::PTRACE_INTERRUPT, thread, 0, 0),
                0
            );
            assert_eq!(libc::waitpid(thread, &raw mut status, libc::__WALL), thread);
        }
        Self(thread)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // SAFETY: the call takes numbers; the thread is stopped and traced by this one.
        let outcome = unsafe { system_call!(SYS_ptrace, libc::PTRACE_DETACH, self.0, 0, 0) };
        assert_eq!(outcome, 0);
    }
}

#[test]
fn it_is_seen_and_what_it_cost_is_told() {
    let own = std::process::id();
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Opened\n  desc: A test.\n  condition: >\n    evt.type = openat and proc.pid = {own} and \
         fd.name = /dev/zero\n  output: opened\n  priority: INFO\n"
    ))
    .option("sensor.event_ring_bytes=65536")
    .start();
    let is_healthy = || agent.get("/healthz");
    assert_eq!(is_healthy().0, 200);
    let stopped = Stopped::matching_thread_of(&agent);
    for _ in 0..5_000 {
        drop(File::open("/dev/zero").expect("it opens"));
    }
    let stalled = eventually(|| (is_healthy().0 == 503).then(is_healthy));
    assert_eq!(stalled.expect("it is seen").1, "{\"status\": \"stalled\"}");
    assert!(agent.metric("peregrine_matching_thread_heartbeat_age_seconds", &[]) > 1.0);
    drop(stopped);
    let well = eventually(|| (is_healthy().0 == 200).then_some(()));
    well.expect("it goes on");
    let alert = agent.wait_for("the loss", |alert| {
        alert.rule() == "Peregrine internal: events lost"
    });
    let told = alert.field("ring_full_open").as_f64();
    let told = told.expect("opens were lost");
    // Others on the machine open files too: more may be lost by now.
    let lost = agent.metric("peregrine_drops_total", &["ring_full_open"]);
    assert!(0.0 < told && told <= lost, "{told} of {lost}");
    assert_eq!(alert.0["priority"], "Critical");
    assert_eq!(alert.0["source"], "internal");
}
