//! The file systems that the kernel shows tracepoints and eBPF objects through.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::tool;

/// Mounts tracefs unless it is mounted.
pub(super) fn ensure() -> Result<()> {
    let place = "/sys/kernel/tracing";
    if Path::new(place).join("events").is_dir() {
        return Ok(());
    }
    if !tool::is_root() {
        tool::say("tracefs is not mounted; the agent mounts it when it runs as root");
        return Ok(());
    }
    tool::say(&format!("mounting tracefs at {place}"));
    tool::output(Command::new("mount").args(["-t", "tracefs", "tracefs", place])).map(drop)
}
