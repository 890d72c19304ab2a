//! The end of a process.

use std::collections::BTreeSet;
use std::process::Command;

use peregrine_tests::{AgentBuilder, MARKER_RULE, trigger};

#[test]
fn a_process_of_many_threads_ends_once() {
    let agent = AgentBuilder::rules(&format!(
        "{MARKER_RULE}- rule: Ended\n  desc: A test.\n  condition: evt.type = procexit and proc.name = exit_together\n  \
         output: ended %proc.pid\n  priority: INFO\n"
    ))
    .start();
    let status = Command::new(trigger("exit_together")).arg("50").status();
    assert!(status.expect("it runs").success());
    agent.settle();
    let ended = agent.alerts_where(|alert| alert.rule() == "Ended");
    let pids: BTreeSet<u64> = ended
        .iter()
        .filter_map(|alert| alert.field("proc.pid").as_u64())
        .collect();
    // The fifty, and who started them.
    assert_eq!(pids.len(), 51);
    assert_eq!(ended.len(), 51);
}
