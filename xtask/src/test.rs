//! `cargo xtask test`: everything that has to hold before a change lands.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, fuzz, lint, setup, tool};

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 60;

/// Lints, fuzzes for a while, then runs unit tests, and end-to-end tests against the release build. With a filter, only
/// the tests whose name contains it, and no lints. With a folder of Falco's rule files, also the tests that are about them.
pub(crate) fn run(filter: Option<&str>, falco_rules: Option<&Path>) -> Result<()> {
    // Tests run in the folders of their packages: a relative path would mean another one there.
    let falco_rules = falco_rules
        .map(|folder| {
            let whole = folder.canonicalize();
            whole.with_context(|| format!("--falco-rules {}", folder.display()))
        })
        .transpose()?;
    setup::run(setup::Scope::Everything)?;
    if filter.is_none() {
        lint::run()?;
    }
    if filter.is_none() {
        fuzz::run(FUZZ_SECONDS)?;
    }
    let agent = build::run(true)?;
    if tool::output(tool::cargo().args(["nextest", "--version"])).is_ok() {
        with_nextest(filter, &agent)?;
    } else {
        with_cargo(filter, &agent)?;
    }
    match falco_rules {
        Some(folder) => about_falco_rules(&agent, &folder),
        None => {
            tool::say(
                "left out: every rule of Falco's files from its action; --falco-rules FOLDER runs it",
            );
            Ok(())
        }
    }
}

/// Each of Falco's rules, from the action that it is for. Its table of rules is printed.
fn about_falco_rules(agent: &Path, folder: &Path) -> Result<()> {
    tool::run(
        test_command(agent)
            .env("PEREGRINE_FALCO_RULES", folder)
            .args(["test", "--package", "peregrine-tests"])
            .args(["--test", "falco_rules", "--"])
            .args(["--include-ignored", "--nocapture", "--test-threads=1"]),
    )
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
