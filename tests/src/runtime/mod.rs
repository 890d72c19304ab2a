//! Real container runtimes, each with its own root, state and socket in a temp dir.

mod confined_runc;
mod containerd;
mod daemon;
mod docker;
mod engine;
mod image;
mod leftovers;
mod pod;
mod podman;

pub use containerd::{Containerd, POD_ADDRESS};
pub use daemon::Daemon;
pub use docker::Docker;
pub use engine::Engine;
pub use image::{IMAGE, PAUSE_IMAGE};
pub use pod::{ContainerPlan, Pod, PodPlan};
pub use podman::Podman;

use std::process::{Command, Output, Stdio};

/// Runs a client to its end; panics with what it said if it fails.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs a client to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask setup` installs it"))
}
