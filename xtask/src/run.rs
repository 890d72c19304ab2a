//! `cargo xtask run`: watch this machine.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{build, tool};

/// Builds the agent and becomes it, so that Ctrl-C reaches it and its exit code is ours.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let agent = build::run(true)?;
    let mut command = if tool::is_root() {
        Command::new(&agent)
    } else if tool::is_installed("sudo") {
        let mut sudo = Command::new("sudo");
        sudo.arg(&agent);
        sudo
    } else {
        bail!(
            "Peregrine needs the capabilities BPF and PERFMON to load eBPF programs: run this as root"
        );
    };
    command.arg("run").args(arguments);
    tool::say(&format!("{} run {}", agent.display(), arguments.join(" ")));
    Err(command.exec()).with_context(|| format!("cannot start {}", agent.display()))
}
