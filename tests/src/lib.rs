//! The harness of the end-to-end tests: a real agent on the real kernel, and things that happen.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a test ends by panicking, and its harness with it"
)]

mod agent;
mod calls;
mod container;
mod events;
mod flip;
mod namespace;
pub mod runtime;

pub use agent::{Agent, AgentBuilder, Alert, MARKER_RULE, agent_binary, run_to_end};
pub use calls::{Seen, Watch};
pub use container::{Container, ContainerOptions};
pub use events::Events;
pub use flip::{Flipped, outcomes};
pub use namespace::NetworkNamespace;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. No test measures time.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `probe` until it gives something, or patience ends.
pub fn eventually<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if start.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A small program of this package: `src/bin/NAME.rs`.
pub fn trigger(name: &str) -> PathBuf {
    // Test binaries lie in target/PROFILE/deps, programs one folder up.
    let own = std::env::current_exe().expect("the test binary has a path");
    let profile = own
        .parent()
        .and_then(Path::parent)
        .expect("it lies in target/PROFILE/deps");
    let path = profile.join(name);
    assert!(path.is_file(), "{} is not built", path.display());
    path
}

/// The project's default rules.
pub fn default_rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .join("rules")
}
