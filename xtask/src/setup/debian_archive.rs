//! Debian's archive, beyond the suites that this machine is configured for: one package out of it,
//! checked by apt against the archive's keys, and unpacked without touching the machine's package
//! system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::tool;

/// The keys of Debian's archive, on any Debian machine.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where newer versions than this machine's release are, cheapest lists first. Those that do not exist
/// (any more, or yet) are passed over.
const SUITES: [&str; 7] = [
    "bookworm-backports",
    "trixie-backports",
    "forky-backports",
    "trixie",
    "forky",
    "testing",
    "unstable",
];

/// Downloads the first version of a package that starts with `upstream` and a revision; returns the
/// file, which lies in `folder`.
pub(super) fn download(package: &str, upstream: &str, folder: &Path) -> Result<PathBuf> {
    let found = find(package, upstream, &SUITES, folder)?;
    found.apt.download(package, &found.version)
}

/// Downloads the package that a metapackage depends on, as the metapackages of Linux do on the newest
/// build: the first of `suites` decides that has the metapackage in a version of `series`. The
/// package is the dependency whose name starts with `prefix`.
pub(crate) fn download_newest(
    metapackage: &str,
    prefix: &str,
    series: &str,
    suites: &[&str],
    folder: &Path,
) -> Result<PathBuf> {
    let found = find(metapackage, series, suites, folder)?;
    let (package, version) = found.apt.dependency(metapackage, &found.version, prefix)?;
    found.apt.download(&package, &version)
}

/// A version of a package, and the apt whose sources name the suite that has it.
struct Found<'a> {
    apt: PrivateApt<'a>,
    version: String,
}

fn find<'a>(package: &str, upstream: &str, suites: &[&str], folder: &'a Path) -> Result<Found<'a>> {
    if !tool::is_installed("apt-get") || !Path::new(KEYRING).is_file() {
        bail!("this is no Debian machine: there is no apt-get, or no {KEYRING}");
    }
    let apt = PrivateApt::create(folder)?;
    let mut problems = Vec::new();
    for mirror in apt.mirrors()? {
        for suite in suites {
            match apt.find(&mirror, suite, package, upstream) {
                Ok(Some(version)) => {
                    tool::say(&format!(
                        "downloading Debian's {package} {version} of {suite}"
                    ));
                    return Ok(Found { apt, version });
                }
                Ok(None) => {}
                Err(error) => problems.push(format!("{suite}: {error:#}")),
            }
        }
    }
    // All suites failing alike is a network problem; the last one stands for it.
    match problems.pop() {
        Some(problem) if problems.len() + 1 >= suites.len() => {
            Err(anyhow!(problem)).context("no suite of Debian's archive can be read")
        }
        _ => bail!("no suite of Debian's archive has {package} {upstream}"),
    }
}

/// Extracts one folder of a package, of which only the last part of its path is kept.
pub(crate) fn extract(package: &Path, folder: &str, into: &Path) -> Result<()> {
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let contents = archive
        .stdout
        .take()
        .ok_or_else(|| anyhow!("dpkg-deb has no output"))?;
    let strip = folder.split('/').count() - 1;
    let status = Command::new("tar")
        .args([
            "-x",
            "--no-same-owner",
            &format!("--strip-components={strip}"),
            "-C",
        ])
        .arg(into)
        .arg(folder)
        .stdin(contents)
        .status()
        .context("cannot start tar")?;
    let archived = archive.wait()?;
    if !status.success() || !archived.success() {
        bail!(
            "{} has no {folder}, or it cannot be unpacked",
            package.display()
        );
    }
    Ok(())
}

/// An apt with lists, cache and sources of its own; proxies and the like are the machine's.
struct PrivateApt<'a> {
    folder: &'a Path,
}

impl<'a> PrivateApt<'a> {
    fn create(folder: &'a Path) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        Ok(Self { folder })
    }

    /// A command with everything private but the sources.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder);
        for (key, value) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
            let value = self.folder.join(value);
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        // Apt's sandbox user cannot write to our folder.
        command.args(["-o", "APT::Sandbox::User=root"]);
        command
    }

    /// The same, with our sources.
    fn command_with_own_sources(&self, program: &str) -> Command {
        let mut command = self.command(program);
        let list = self.folder.join("sources.list");
        command
            .arg("-o")
            .arg(format!("Dir::Etc::sourcelist={}", list.display()))
            .args(["-o", "Dir::Etc::sourceparts=/dev/null", "-qq"]);
        command
    }

    /// The mirrors that this machine's own sources name, of whatever format. Apt understands them;
    /// it is asked what it would fetch, and fetches nothing.
    fn mirrors(&self) -> Result<Vec<String>> {
        let addresses = tool::output(self.command("apt-get").args(["update", "--print-uris"]))?;
        let mirrors = mirrors_in(&addresses);
        if mirrors.is_empty() {
            bail!("the apt sources of this machine (/etc/apt) name no mirror of Debian's archive");
        }
        Ok(mirrors)
    }

    /// The package's version in this suite, if it is the one that is wanted.
    fn find(
        &self,
        mirror: &str,
        suite: &str,
        package: &str,
        upstream: &str,
    ) -> Result<Option<String>> {
        let list = self.folder.join("sources.list");
        fs::write(
            &list,
            format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n"),
        )
        .with_context(|| format!("cannot write {}", list.display()))?;
        tool::output(self.command_with_own_sources("apt-get").arg("update"))?;
        let known = tool::output(
            self.command_with_own_sources("apt-cache")
                .args(["madison", package]),
        )?;
        Ok(version_in(&known, upstream))
    }

    /// The first dependency of a package whose name starts with `prefix`: its name and version.
    fn dependency(&self, package: &str, version: &str, prefix: &str) -> Result<(String, String)> {
        let exact = format!("{package}={version}");
        let shown = tool::output(
            self.command_with_own_sources("apt-cache")
                .args(["show", &exact]),
        )?;
        dependency_in(&shown, prefix)
            .ok_or_else(|| anyhow!("{exact} depends on no exact version of a {prefix}*"))
    }

    fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        let exact = format!("{package}={version}");
        tool::output(
            self.command_with_own_sources("apt-get")
                .args(["download", &exact]),
        )?;
        let start = format!("{package}_");
        for entry in fs::read_dir(self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&start) && name.ends_with(".deb") {
                return Ok(entry.path());
            }
        }
        bail!("apt-get downloaded no file for {exact}")
    }
}

/// Out of lines like `'ADDRESS/dists/SUITE/InRelease' FILE 0 `: the addresses, those first that are
/// surely Debian's own. A wrong one does no harm, since nothing there is signed with Debian's keys.
fn mirrors_in(addresses: &str) -> Vec<String> {
    let mut mirrors: Vec<String> = addresses
        .lines()
        .filter_map(|line| {
            let address = line.strip_prefix('\'')?.split('\'').next()?;
            let (mirror, rest) = address.split_once("/dists/")?;
            let is_main = rest.ends_with("/InRelease") && !mirror.ends_with("-security");
            is_main.then(|| mirror.to_owned())
        })
        .collect();
    mirrors.sort_by_key(|mirror| !mirror.ends_with("/debian"));
    mirrors.dedup();
    mirrors
}

/// Out of lines like ` package | version | where`: the first one of this upstream version or series.
fn version_in(madison: &str, upstream: &str) -> Option<String> {
    madison
        .lines()
        .filter_map(|line| line.split('|').nth(1).map(str::trim))
        .find(|version| {
            let revision = version.strip_prefix(upstream);
            revision.is_some_and(|revision| revision.starts_with(['+', '-', '~', '.']))
        })
        .map(str::to_owned)
}

/// Out of a package's description: the first dependency that starts with `prefix` and asks for
/// one version, as in `Depends: NAME (= VERSION), OTHER`.
fn dependency_in(description: &str, prefix: &str) -> Option<(String, String)> {
    let dependencies = description
        .lines()
        .find_map(|line| line.strip_prefix("Depends:"))?;
    dependencies.split(',').find_map(|dependency| {
        let (name, version) = dependency.trim().split_once(" (= ")?;
        let version = version.strip_suffix(')')?;
        name.starts_with(prefix)
            .then(|| (name.to_owned(), version.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_of_the_archive_come_first_and_the_security_one_not_at_all() {
        let addresses = "'http://other.example/apt/dists/x/InRelease' other_InRelease 0 \n\
             'http://one.example/debian/dists/bookworm/InRelease' one_InRelease 0 \n\
             'http://one.example/debian/dists/bookworm-updates/InRelease' one_InRelease 0 \n\
             'http://one.example/debian-security/dists/b/InRelease' security_InRelease 0 \n\
             'http://one.example/debian/dists/bookworm/main/binary-all/Packages.xz' x 0 \n\
             W: something went wrong\n";
        assert_eq!(
            mirrors_in(addresses),
            ["http://one.example/debian", "http://other.example/apt"]
        );
    }

    #[test]
    fn only_the_same_upstream_version_is_taken() {
        let madison = " rust-src | 1.96.0+dfsg1-1 | http://one.example/debian sid/main\n \
             rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://one.example/debian b/main\n";
        let found = version_in(madison, "1.95.0");
        assert_eq!(found.as_deref(), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(version_in(madison, "1.9"), None);
        assert_eq!(version_in("", "1.95.0"), None);
    }

    #[test]
    fn a_series_is_no_other_that_starts_alike() {
        let madison = " linux-image-amd64 | 6.12.95-1 | b\n linux-image-amd64 | 6.1.176-1 | b\n";
        assert_eq!(version_in(madison, "6.1").as_deref(), Some("6.1.176-1"));
        assert_eq!(version_in(madison, "6.12").as_deref(), Some("6.12.95-1"));
    }

    #[test]
    fn a_metapackage_names_the_package_it_stands_for() {
        let description = "Package: linux-image-amd64\n\
             Depends: other (>= 1), linux-image-6.1.0-50-amd64 (= 6.1.176-1)\n";
        assert_eq!(
            dependency_in(description, "linux-image-"),
            Some((
                "linux-image-6.1.0-50-amd64".to_owned(),
                "6.1.176-1".to_owned()
            ))
        );
        assert_eq!(dependency_in(description, "linux-headers-"), None);
    }
}
