//! `cargo xtask test`: everything that has to hold before a change lands.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{build, fuzz, lint, setup, tool};

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 60;

/// Lints, fuzzes for a while, then runs unit tests, and end-to-end tests against the release build. With a filter, only
/// the tests whose name contains it, and no lints.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    setup::run(setup::Scope::Everything)?;
    if filter.is_none() {
        lint::run()?;
    }
    if filter.is_none() {
        fuzz::run(FUZZ_SECONDS)?;
    }
    let agent = build::run(true)?;
    if tool::output(tool::cargo().args(["nextest", "--version"])).is_ok() {
        with_nextest(filter, &agent)
    } else {
        with_cargo(filter, &agent)
    }
}

/// One run with one summary; `.config/nextest.toml` keeps the end-to-end tests apart.
fn with_nextest(filter: Option<&str>, agent: &Path) -> Result<()> {
    tool::run(
        test_command(agent)
            .args(["nextest", "run", "--workspace"])
            .args(filter),
    )
}

fn with_cargo(filter: Option<&str>, agent: &Path) -> Result<()> {
    let unit_tests = tool::run(
        test_command(agent)
            .args(["test", "--quiet", "--no-fail-fast", "--workspace"])
            .args(["--exclude", "peregrine-tests"])
            .args(filter),
    );
    // They watch the whole machine: one at a time.
    let end_to_end = tool::run(
        test_command(agent)
            .args(["test", "--no-fail-fast", "--package", "peregrine-tests"])
            .args(["--", "--test-threads=1"])
            .args(filter),
    );
    unit_tests.and(end_to_end)
}

/// Cargo, with the variable by which the end-to-end tests find the agent.
fn test_command(agent: &Path) -> Command {
    let mut command = tool::cargo();
    command.env("PEREGRINE_BIN", agent);
    command
}
