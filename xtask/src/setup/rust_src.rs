//! The sources of Rust's core library, from which it is built for the BPF target.
//!
//! They have to be of exactly the compiler's version. Where rustup can fetch them, it does. Where it
//! cannot, Debian has them as a package for all architectures that depends on nothing installed: it
//! is downloaded and its library put where rustup would put it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{Access, access};

use super::{Outcome, debian_archive, packages};
use crate::tool;

/// Puts the sources where `build-std` looks, unless they are there.
pub(super) fn ensure() -> Result<Outcome> {
    let compiler = Compiler::find()?;
    if compiler.has_sources() {
        return Ok(Outcome::AlreadyThere);
    }
    tool::say(&format!(
        "the sources of Rust's core library are missing from {}",
        compiler.place().display()
    ));
    if compiler.sysroot == Path::new("/usr") {
        // Debian's own compiler: its package of the sources belongs to the same version.
        packages::install(&["rust-src"])?;
    } else if !from_rustup(&compiler) {
        from_debian(&compiler)?;
    }
    if !compiler.has_sources() {
        bail!(
            "there is still no library/core in {}",
            compiler.place().display()
        );
    }
    Ok(Outcome::SetUp)
}

/// The compiler that cargo uses here.
struct Compiler {
    sysroot: PathBuf,
    version: String,
}

impl Compiler {
    fn find() -> Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let sysroot = tool::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let said = tool::output(Command::new(&rustc).arg("--version"))?;
        let version = said
            .split_whitespace()
            .nth(1)
            .ok_or_else(|| anyhow!("`rustc --version` says {said:?}, which has no version"))?;
        Ok(Self {
            sysroot: PathBuf::from(sysroot.trim()),
            version: version.to_owned(),
        })
    }

    /// Where `build-std` looks.
    fn place(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust")
    }

    fn has_sources(&self) -> bool {
        self.place().join("library/core/Cargo.toml").is_file()
    }
}

/// Whether rustup got them. Its toolchains are its own business: it is not asked to change one for a
/// compiler that came from elsewhere.
fn from_rustup(compiler: &Compiler) -> bool {
    let Ok(home) = tool::output(Command::new("rustup").args(["show", "home"])) else {
        return false;
    };
    if !compiler.sysroot.starts_with(home.trim()) {
        return false;
    }
    let added = tool::run(Command::new("rustup").args(["component", "add", "rust-src"]));
    if let Err(error) = added {
        tool::say(&format!("{error:#}; trying Debian's package of them"));
        return false;
    }
    compiler.has_sources()
}

fn from_debian(compiler: &Compiler) -> Result<()> {
    let place = compiler.place();
    let writable = place.ancestors().find(|folder| folder.exists());
    if writable.is_none_or(|folder| access(folder, Access::WRITE_OK).is_err()) {
        bail!(
            "{} cannot be written: run `cargo xtask setup` once as its owner",
            compiler.sysroot.display()
        );
    }
    // Not in the folder for temporary files, which may be a small one in memory.
    let work = tool::workspace().join(format!("target/rust-src-{}", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let outcome = debian_archive::download("rust-src", &compiler.version, &work)
        .and_then(|package| unpack(&package, &compiler.version, &place));
    if let Err(error) = fs::remove_dir_all(&work) {
        tool::say(&format!("cannot remove {}: {error}", work.display()));
    }
    outcome
}

/// Unpacks the library out of the package, into a folder beside its place first: a set-up that is
/// interrupted must not leave half of it there. The compiler's own sources, most of the package, are
/// left out.
fn unpack(package: &Path, version: &str, place: &Path) -> Result<()> {
    fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))?;
    let partial = place.join(format!(".partial-{}", std::process::id()));
    fs::create_dir(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    let library = place.join("library");
    let outcome = debian_archive::extract(
        package,
        &format!("./usr/src/rustc-{version}/library"),
        &partial,
    )
    .and_then(|()| {
        fs::rename(partial.join("library"), &library).with_context(|| {
            format!(
                "cannot make {}: if it is there, remove it",
                library.display()
            )
        })
    });
    if let Err(error) = fs::remove_dir_all(&partial) {
        tool::say(&format!("cannot remove {}: {error}", partial.display()));
    }
    outcome
}
