//! `cargo xtask fuzz`: hostile bytes for the decoder, the rule language and the loader.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{setup, tool};

/// The targets, as in `fuzz/Cargo.toml`.
const TARGETS: [&str; 3] = ["decode", "conditions", "rule_files"];

/// What libFuzzer steers by: the compiler counts which edges of the code an input reaches.
const COVERAGE: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Ccodegen-units=1",
];

/// Runs each target for so many seconds; an error if one finds a crash.
pub(crate) fn run(seconds: u32) -> Result<()> {
    setup::run(setup::Scope::Build)?;
    let target_dir = tool::workspace().join("target/fuzz");
    let host = host()?;
    tool::run(
        tool::cargo()
            .args([
                "build",
                "--release",
                "--package",
                "peregrine-fuzz",
                "--bins",
            ])
            // Named, though it is the host: build scripts must not get the flags.
            .args(["--target", &host, "--target-dir"])
            .arg(&target_dir)
            .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"))
            .env("CARGO_PROFILE_RELEASE_LTO", "false")
            .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
            .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
    )?;
    for target in TARGETS {
        let corpus = target_dir.join("corpus").join(target);
        std::fs::create_dir_all(&corpus)
            .with_context(|| format!("cannot make {}", corpus.display()))?;
        tool::run(
            Command::new(target_dir.join(&host).join("release").join(target))
                .arg(&corpus)
                .arg(format!("-max_total_time={seconds}"))
                .arg(format!(
                    "-artifact_prefix={}/crash-{target}-",
                    target_dir.display()
                ))
                .args([
                    "-max_len=4096",
                    "-timeout=10",
                    "-verbosity=0",
                    "-print_final_stats=1",
                ]),
        )?;
    }
    Ok(())
}

/// The machine that the compiler builds for when not told otherwise.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = tool::output(Command::new(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}
