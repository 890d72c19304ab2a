//! `cargo xtask test`: everything.

use anyhow::Result;

use crate::{build, lint, setup, tool};

/// Lints, unit tests, then the end-to-end tests against the release build.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    setup::run(setup::Scope::Everything)?;
    if filter.is_none() {
        lint::run()?;
        tool::run(tool::cargo().args([
            "test",
            "--quiet",
            "--workspace",
            "--exclude",
            "peregrine-tests",
        ]))?;
    }
    let agent = build::run(true)?;
    let mut tests = tool::cargo();
    tests
        .args([
            "test",
            "--package",
            "peregrine-tests",
            "--no-fail-fast",
            "--",
        ])
        // They watch the whole machine: one at a time.
        .arg("--test-threads=1")
        .args(filter)
        .env("PEREGRINE_BIN", agent);
    tool::run(&mut tests)
}
