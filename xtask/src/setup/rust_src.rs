//! The sources of Rust's core library, from which it is built for the BPF target.
//!
//! They have to be of exactly the compiler's version. Where rustup can fetch them, it does. Where it
//! cannot, Debian has them as a package for all architectures that depends on nothing installed: it
//! is downloaded, checked by apt against the archive's key, and unpacked, not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::packages::mirrors;
use crate::tool;

/// Where `build-std` looks, below the sysroot.
const PLACE: &str = "lib/rustlib/src/rust";
/// Suites that may carry the compiler's version.
const SUITES: [&str; 7] = [
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "forky",
    "forky-backports",
    "testing",
    "unstable",
];
/// The keys of Debian's archive, on any Debian machine.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Puts the sources where `build-std` looks, unless they are there.
pub(super) fn ensure() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = tool::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let place = Path::new(sysroot.trim()).join(PLACE);
    if place.join("library/core").is_dir() {
        return Ok(());
    }
    tool::say("the sources of Rust's core library are missing");
    if tool::is_installed("rustup") {
        match tool::run(Command::new("rustup").args(["component", "add", "rust-src"])) {
            Ok(()) if place.join("library/core").is_dir() => return Ok(()),
            Ok(()) => tool::say("rustup put them into another toolchain; trying Debian's package"),
            Err(error) => tool::say(&format!("{error:#}; trying Debian's package")),
        }
    }
    let version = tool::output(Command::new(&rustc).arg("--version"))?;
    let version = version
        .split_whitespace()
        .nth(1)
        .ok_or_else(|| anyhow!("rustc --version says {version:?}, which has no version"))?;
    from_debian(version, &place).with_context(|| {
        format!(
            "the sources of Rust {version} are needed at {}",
            place.display()
        )
    })
}

/// Downloads Debian's package of that version and copies its sources to `place`.
fn from_debian(version: &str, place: &Path) -> Result<()> {
    if !tool::is_installed("apt-get") || !tool::is_installed("dpkg") {
        bail!(
            "this is no Debian machine, and rustup cannot fetch them: install the component rust-src by hand"
        );
    }
    let work = std::env::temp_dir().join(format!("peregrine-rust-src-{}", std::process::id()));
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(work.join(folder))?;
    }
    let outcome =
        download(version, &work).and_then(|package| unpack(version, &package, &work, place));
    if let Err(error) = fs::remove_dir_all(&work) {
        tool::say(&format!("cannot remove {}: {error}", work.display()));
    }
    outcome
}

fn download(version: &str, work: &Path) -> Result<PathBuf> {
    let mirrors = mirrors()?;
    for mirror in &mirrors {
        for suite in SUITES {
            let list = work.join("sources.list");
            fs::write(
                &list,
                format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n"),
            )?;
            let apt = |program: &str| {
                let mut command = Command::new(program);
                command.current_dir(work);
                for (key, value) in [
                    ("Dir::Etc::sourcelist", list.as_path()),
                    ("Dir::Etc::sourceparts", Path::new("/dev/null")),
                    ("Dir::State::lists", &work.join("lists")),
                    ("Dir::Cache", &work.join("cache")),
                ] {
                    command.arg("-o").arg(format!("{key}={}", value.display()));
                }
                // The sandbox user of apt cannot write to our folder.
                command.args(["-o", "APT::Sandbox::User=root"]);
                command
            };
            if tool::output(apt("apt-get").args(["-qq", "update"])).is_err() {
                continue;
            }
            let known = tool::output(apt("apt-cache").args(["madison", "rust-src"]))?;
            let found = known
                .lines()
                .filter_map(|line| line.split('|').nth(1).map(str::trim))
                .find(|candidate| candidate.starts_with(&format!("{version}+")));
            if let Some(candidate) = found {
                tool::say(&format!(
                    "downloading Debian's rust-src {candidate} from {suite}"
                ));
                tool::output(
                    apt("apt-get")
                        .arg("download")
                        .arg(format!("rust-src={candidate}")),
                )?;
                return downloaded(work);
            }
        }
    }
    bail!("none of Debian's suites has rust-src {version}")
}

fn downloaded(work: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(work)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(path);
        }
    }
    bail!("apt-get downloaded no package")
}

fn unpack(version: &str, package: &Path, work: &Path, place: &Path) -> Result<()> {
    let unpacked = work.join("unpacked");
    tool::output(Command::new("dpkg").arg("-x").arg(package).arg(&unpacked))?;
    let sources = unpacked.join(format!("usr/src/rustc-{version}"));
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}: run as its owner", parent.display()))?;
    }
    // Only what `build-std` reads; the compiler itself is another 300 MB.
    fs::create_dir_all(place)?;
    for part in ["library", "src/llvm-project/libunwind"] {
        let from = sources.join(part);
        if from.exists() {
            let to = place.join(part);
            fs::create_dir_all(&to)?;
            tool::output(Command::new("cp").arg("-r").arg(from.join(".")).arg(&to))?;
        }
    }
    if !place.join("library/core").is_dir() {
        bail!("the package has no library/core in {}", sources.display());
    }
    tool::say(&format!("put them at {}", place.display()));
    Ok(())
}
