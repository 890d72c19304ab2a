//! `cargo xtask setup`: what a fresh Debian machine with only Rust lacks.

pub(crate) mod debian_archive;
mod kernel_filesystems;
mod linker;
mod packages;
mod rust_src;

use anyhow::{Context, Result};

use crate::tool;

/// What to set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What building and running the agent takes.
    Build,
    /// That, and what virtual machines with other kernels take.
    Machines,
    /// What building and testing on this machine take.
    Everything,
}

/// What came of one part.
enum Outcome {
    /// There was nothing to do.
    AlreadyThere,
    /// It was missing and is there now; what was done has been said.
    SetUp,
}

/// A part by the name under which it is reported.
type Part = (&'static str, fn() -> Result<Outcome>);

const FOR_THE_BUILD: &[Part] = &[
    ("rust-src", rust_src::ensure),
    ("bpf-linker", linker::ensure),
];

const FOR_THE_TESTS: &[Part] = &[
    ("Debian packages for the tests", packages::ensure_for_tests),
    (
        "the kernel's file systems for tracing",
        kernel_filesystems::ensure,
    ),
];

const FOR_MACHINES: &[Part] = &[(
    "Debian packages for virtual machines",
    packages::ensure_for_machines,
)];

/// Sets up what is missing and says so. Asked for everything, it names what was already there too;
/// before a mere build that would be noise.
pub(crate) fn run(scope: Scope) -> Result<()> {
    let more = match scope {
        Scope::Build => &[],
        Scope::Machines => FOR_MACHINES,
        Scope::Everything => FOR_THE_TESTS,
    };
    for (name, ensure) in FOR_THE_BUILD.iter().chain(more) {
        match ensure().with_context(|| format!("cannot set up {name}"))? {
            Outcome::SetUp => tool::say(&format!("{name}: set up")),
            Outcome::AlreadyThere if scope == Scope::Everything => {
                tool::say(&format!("{name}: already there"));
            }
            Outcome::AlreadyThere => {}
        }
    }
    Ok(())
}
