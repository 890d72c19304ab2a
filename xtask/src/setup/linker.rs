//! The linker for the BPF target.

use std::process::Command;

use anyhow::{Context, Result};

use super::Outcome;
use crate::tool;

/// This version uses the LLVM inside the compiler; later ones want one on the system.
const VERSION: &str = "0.10.3";

/// Installs bpf-linker below `target/tools`, unless this version of it is found.
pub(super) fn ensure() -> Result<Outcome> {
    let tools = tool::workspace().join("target/tools");
    let own = tools.join("bin/bpf-linker");
    let wanted = format!("bpf-linker {VERSION}");
    for candidate in [own.as_os_str(), "bpf-linker".as_ref()] {
        if let Ok(version) = tool::output(Command::new(candidate).arg("--version"))
            && version.trim() == wanted
        {
            return Ok(Outcome::AlreadyThere);
        }
    }
    tool::say(&format!(
        "installing {wanted} below target/tools (takes a minute)"
    ));
    tool::run(
        tool::cargo()
            .args([
                "install",
                "--quiet",
                "--locked",
                "bpf-linker",
                "--version",
                VERSION,
            ])
            .arg("--root")
            .arg(tools)
            // Its own target folder: ours may be locked by the cargo that runs us.
            .env_remove("CARGO_TARGET_DIR"),
    )
    .context("the eBPF programs cannot be linked without bpf-linker")?;
    Ok(Outcome::SetUp)
}
