//! Debian's kernels: downloaded once, unpacked, and never installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Act, RUNS, Run};
use crate::setup::debian_archive;
use crate::tool;

/// A long-term kernel as some release of Debian has it.
pub(super) struct DebianKernel {
    /// Major and minor version.
    pub(super) series: &'static str,
    /// The suites that have it, the best one first.
    suites: &'static [&'static str],
    /// Whether it is a failure if it cannot be had.
    pub(super) is_required: bool,
    /// Whether operations of `io_uring` are seen on it: since 6.0.
    shows_io_uring: bool,
    /// Rules that cannot fire on it.
    pub(super) silent: &'static [&'static str],
    /// Whether sockets are bound by operations of `io_uring`: since 6.11.
    binds_by_io_uring: bool,
}

/// What is tested: an old release's, whose archive may be gone one day, and the two that are in use.
pub(super) const KERNELS: &[DebianKernel] = &[
    DebianKernel {
        series: "5.10",
        suites: &["bullseye"],
        is_required: false,
        shows_io_uring: false,
        // No program is attached to a function that is passed a structure by value, as the hook of chown is.
        silent: &["used by chown"],
        binds_by_io_uring: false,
    },
    DebianKernel {
        series: "6.1",
        suites: &["bookworm"],
        is_required: true,
        shows_io_uring: true,
        silent: &[],
        binds_by_io_uring: false,
    },
    DebianKernel {
        series: "6.12",
        suites: &["trixie", "bookworm-backports"],
        is_required: true,
        shows_io_uring: true,
        silent: &[],
        binds_by_io_uring: true,
    },
];

/// The flavour for virtual machines: the same configuration of BPF, BTF and tracing as the usual one,
/// and smaller. Its serial console needs no module.
const METAPACKAGE: &str = "linux-image-cloud-amd64";

/// What the packages of kernels start with.
const PREFIX: &str = "linux-image-";

/// What the images start with, in the packages' /boot.
const IMAGE: &str = "vmlinuz-";

impl DebianKernel {
    /// The runs that it can do.
    pub(super) fn runs(&self) -> Vec<&'static Run> {
        let is_possible = |run: &&Run| match run.act {
            Act::IoUring => self.shows_io_uring,
            Act::IoUringBind => self.binds_by_io_uring,
            Act::Nothing | Act::Calls | Act::Used => true,
        };
        RUNS.iter().filter(is_possible).collect()
    }

    /// The kernel's image, from `cache` or else from the archive.
    pub(super) fn fetch(&self, cache: &Path) -> Result<PathBuf> {
        let place = cache.join(self.series);
        if let Some(image) = image_in(&place)? {
            return Ok(image);
        }
        let work = cache.join(format!("apt-{}", std::process::id()));
        fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        let outcome = self.download_to(&place, &work);
        if let Err(error) = fs::remove_dir_all(&work) {
            tool::say(&format!("cannot remove {}: {error}", work.display()));
        }
        outcome?;
        match image_in(&place)? {
            Some(image) => Ok(image),
            None => bail!("Debian's package of Linux {} has no {IMAGE}*", self.series),
        }
    }

    /// Downloads and unpacks in `work`, which is renamed to `place` when all is there.
    fn download_to(&self, place: &Path, work: &Path) -> Result<()> {
        let package =
            debian_archive::download_newest(METAPACKAGE, PREFIX, self.series, self.suites, work)?;
        debian_archive::extract(&package, "./boot", work)?;
        fs::rename(work.join("boot"), place)
            .with_context(|| format!("cannot make {}", place.display()))
    }
}

/// The kernel image in a folder, which may not be there.
fn image_in(folder: &Path) -> Result<Option<PathBuf>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(IMAGE) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
