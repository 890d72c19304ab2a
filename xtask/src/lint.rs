//! `cargo xtask lint`: format and lints, of both sides.

use anyhow::Result;

use crate::{setup, tool};

/// An error if anything is not as it should be.
pub(crate) fn run() -> Result<()> {
    setup::run(setup::Scope::Build)?;
    tool::run(tool::cargo().args(["fmt", "--all", "--check"]))?;
    tool::run(tool::cargo().args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        // The benchmark of the engine is built with it only.
        "--features",
        "peregrine/naive",
        "--",
        "--deny",
        "warnings",
    ]))?;
    // The kernel side compiles for its own target only, and in two ways.
    for features in ["programs", "programs,bounded"] {
        tool::run(
            tool::cargo()
                .args([
                    "clippy",
                    "--quiet",
                    "--package",
                    "agent-ebpf",
                    "--bin",
                    "peregrine-ebpf",
                ])
                .args(["--features", features, "--target", "bpfel-unknown-none"])
                .args(["-Z", "build-std=core", "--target-dir", "target/ebpf-lint"])
                .args(["--", "--deny", "warnings"])
                .env("RUSTC_BOOTSTRAP", "1"),
        )?;
    }
    Ok(())
}
