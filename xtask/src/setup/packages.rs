//! Debian packages.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tool;

/// Package, and a program it brings, of what the end-to-end tests use.
pub(super) const FOR_TESTS: &[(&str, &str)] = &[
    ("runc", "runc"),
    ("busybox-static", "busybox"),
    ("iproute2", "ip"),
    ("util-linux", "setpriv"),
];

/// Installs those whose program is not found.
pub(super) fn ensure(packages: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(_, program)| {
            !tool::is_installed(program)
                && !["/usr/sbin", "/sbin", "/bin"]
                    .iter()
                    .any(|folder| std::path::Path::new(folder).join(program).is_file())
        })
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let command = format!(
        "apt-get install --yes --no-install-recommends {}",
        missing.join(" ")
    );
    if !tool::is_installed("apt-get") {
        bail!(
            "the tests need {}, and there is no apt-get to install it with",
            missing.join(", ")
        );
    }
    if !tool::is_root() {
        bail!("the tests need more packages; as root, run: {command}");
    }
    tool::say(&format!("installing {}", missing.join(", ")));
    tool::output(Command::new("apt-get").args(["-qq", "update"]))?;
    tool::output(
        Command::new("apt-get")
            .args(["-qq", "install", "--yes", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .map(drop)
}

/// The Debian mirrors that this machine's own apt sources name.
pub(super) fn mirrors() -> Result<BTreeSet<String>> {
    let mut files = vec!["/etc/apt/sources.list".into()];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    let mut mirrors = BTreeSet::new();
    for file in files {
        let extension = file.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("list" | "sources"))
            && let Ok(text) = fs::read_to_string(&file)
        {
            mirrors.extend(mirrors_in(&text));
        }
    }
    if mirrors.is_empty() {
        return Err(anyhow::anyhow!("no mirror is named in /etc/apt"))
            .context("a Debian mirror is needed");
    }
    Ok(mirrors)
}

/// The addresses in an apt source of either format that end in `/debian`.
fn mirrors_in(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"))
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .filter(|word| word.contains("://") && word.ends_with("/debian"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_apt_sources() {
        let text = "# deb http://comment.example/debian x main\n\
                    deb [signed-by=/k.gpg] http://one.example/debian/ bookworm main\n\
                    Types: deb\nURIs: http://two.example/debian\n\
                    URIs: http://two.example/debian-security\n";
        let found: Vec<_> = mirrors_in(text).collect();
        assert_eq!(
            found,
            ["http://one.example/debian", "http://two.example/debian"]
        );
    }
}
