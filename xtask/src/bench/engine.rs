//! `cargo xtask bench engine`: the benchmark of the agent crate, which needs no kernel.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{setup, tool};

/// Runs it with these rule files, or with the default rules.
pub(super) fn run(rounds: u16, json: bool, rules: &[PathBuf]) -> Result<()> {
    setup::run(setup::Scope::Build)?;
    let mut command = tool::cargo();
    command
        .args(["bench", "--quiet", "--package", "peregrine"])
        .args(["--features", "naive", "--bench", "engine", "--"])
        .args(["--rounds", &rounds.to_string()]);
    if json {
        command.arg("--json");
    }
    for file in rules {
        // Cargo runs a benchmark in the folder of its crate.
        let file =
            std::path::absolute(file).with_context(|| format!("cannot find {}", file.display()))?;
        command.arg(file);
    }
    tool::run(&mut command)
}
