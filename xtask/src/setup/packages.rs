//! Debian packages that are installed as such.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::Outcome;
use crate::tool;

/// What the end-to-end tests start: a package, and the program of it that they use.
const FOR_TESTS: &[(&str, &str)] = &[
    ("bsdutils", "script"),
    ("busybox-static", "busybox"),
    ("conmon", "conmon"),
    ("containerd", "containerd"),
    ("docker.io", "dockerd"),
    ("iproute2", "ip"),
    ("podman", "podman"),
    ("runc", "runc"),
    ("util-linux", "setpriv"),
];

/// What a virtual machine takes: the machine itself, and what it runs besides the agent.
const FOR_MACHINES: &[(&str, &str)] = &[
    ("busybox-static", "busybox"),
    ("qemu-system-x86", "qemu-system-x86_64"),
];

/// Where Debian puts programs for root, which `PATH` may lack.
const ROOT_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// What the tests on this machine take.
pub(super) fn ensure_for_tests() -> Result<Outcome> {
    ensure(FOR_TESTS)
}

/// What the tests in virtual machines take.
pub(super) fn ensure_for_machines() -> Result<Outcome> {
    ensure(FOR_MACHINES)
}

/// Installs those whose program is not found.
fn ensure(wanted: &[(&'static str, &str)]) -> Result<Outcome> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(_, program)| !is_found(program))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::AlreadyThere);
    }
    install(&missing)?;
    Ok(Outcome::SetUp)
}

/// Installs packages, as root; who is not is told the command.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !tool::is_installed("apt-get") {
        bail!("{names} cannot be installed without apt-get: install what gives the same");
    }
    if !tool::is_root() {
        bail!(
            "{names} can only be installed by root, run as root: apt-get install --no-install-recommends {names}"
        );
    }
    tool::say(&format!("installing {names}"));
    let mut install = Command::new("apt-get");
    install
        .args(["-qq", "install", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    // A new machine has no package lists yet, an old one may know versions that are gone.
    if tool::output(&mut install).is_err() {
        tool::output(Command::new("apt-get").args(["-qq", "update"]))?;
        tool::output(&mut install)?;
    }
    Ok(())
}

fn is_found(program: &str) -> bool {
    let in_root_folders = ROOT_FOLDERS
        .iter()
        .any(|folder| Path::new(folder).join(program).is_file());
    in_root_folders || tool::is_installed(program)
}
