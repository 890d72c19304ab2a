//! `cargo xtask setup`: what a fresh machine with only Rust lacks.

mod linker;
mod packages;
mod rust_src;
mod tracefs;

use anyhow::Result;

/// What to set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What building and running the agent takes.
    Build,
    /// That, and what the tests take.
    Everything,
}

/// Installs what is missing, and says what that is.
pub(crate) fn run(scope: Scope) -> Result<()> {
    rust_src::ensure()?;
    linker::ensure()?;
    if scope == Scope::Everything {
        packages::ensure(packages::FOR_TESTS)?;
        tracefs::ensure()?;
        crate::tool::say("everything that the build and the tests need is there");
    }
    Ok(())
}
