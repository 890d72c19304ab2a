//! `cargo xtask build`: the agent, its eBPF programs inside.

use std::path::PathBuf;

use anyhow::Result;

use crate::{setup, tool};

/// Sets up what is missing, builds, and returns the binary's path.
pub(crate) fn run(release: bool) -> Result<PathBuf> {
    setup::run(setup::Scope::Build)?;
    let mut build = tool::cargo();
    build.args(["build", "--package", "peregrine"]);
    if release {
        build.arg("--release");
    }
    tool::run(&mut build)?;
    Ok(built(release, "peregrine"))
}

/// Builds a small program of the tests and returns its path.
pub(crate) fn trigger(name: &str) -> Result<PathBuf> {
    tool::run(tool::cargo().args(["build", "--package", "peregrine-tests", "--bin", name]))?;
    Ok(built(false, name))
}

fn built(release: bool, program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    tool::workspace()
        .join(target)
        .join(if release { "release" } else { "debug" })
        .join(program)
}
