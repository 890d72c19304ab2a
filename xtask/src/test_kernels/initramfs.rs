//! The file system that a machine boots with: the agent, its libraries, busybox and the rules, in the
//! format `newc` of cpio (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::{ACTED, EVERY_EVENT, IO_URING, IO_URING_BIND, Run, USED};
use crate::tool;

/// The machine's first process.
const INIT: &str = include_str!("init.sh");

/// `S_IFDIR` and `S_IFREG` of stat(2), with permissions.
const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// Where the machine wants its file systems.
const MOUNT_POINTS: [&str; 5] = ["dev", "proc", "sys", "tmp", "etc"];

/// What is built for the machine.
pub(super) struct Programs {
    pub(super) agent: PathBuf,
    /// Programs of the tests, by their names.
    pub(super) triggers: Vec<(&'static str, PathBuf)>,
}

/// Writes the archive to `place`.
pub(super) fn build(programs: &Programs, runs: &[&Run], place: &Path) -> Result<()> {
    let mut files = BTreeMap::new();
    let mut add = |path: &str, bytes: Vec<u8>| files.insert(path.to_owned(), bytes);
    add("init", INIT.into());
    add("runs", lines_of(runs).into());
    add("tests/acted.yaml", ACTED.into());
    add("tests/used.yaml", USED.into());
    add("tests/io_uring.yaml", IO_URING.into());
    add("tests/io_uring_bind.yaml", IO_URING_BIND.into());
    add("tests/every_event.yaml", EVERY_EVENT.into());
    let busybox = find_in_path("busybox")?;
    let triggers = programs.triggers.iter().map(|(name, path)| (*name, path));
    let others = [("peregrine", &programs.agent), ("busybox", &busybox)];
    for (name, program) in triggers.chain(others) {
        add(&format!("bin/{name}"), read(program)?);
        for library in libraries(program)? {
            let bytes = read(&library)?;
            add(library.to_string_lossy().trim_start_matches('/'), bytes);
        }
    }
    let rules = tool::workspace().join("rules");
    for entry in fs::read_dir(&rules).with_context(|| format!("cannot read {}", rules.display()))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            add(&format!("rules/{name}"), read(&path)?);
        }
    }
    write(place, &files).with_context(|| format!("cannot write {}", place.display()))
}

/// The runs as `init.sh` reads them: a line each, with name, rules and options between bars.
fn lines_of(runs: &[&Run]) -> String {
    let mut lines = String::new();
    for run in runs {
        let act = run.act.function();
        let options = if run.is_oldest {
            "-o sensor.oldest_ways=true"
        } else {
            ""
        };
        for part in [run.name, "|", run.rules, "|", options, "|", act, "\n"] {
            lines.push_str(part);
        }
    }
    lines
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn find_in_path(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|place| place.is_file())
        .ok_or_else(|| anyhow!("{program} is not in PATH"))
}

/// The shared libraries of a program and its loader; none if it is static.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    match tool::output(Command::new("ldd").arg(program)) {
        Ok(said) => Ok(libraries_in(&said)),
        Err(error) if error.to_string().contains("not a dynamic executable") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Out of lines like `NAME => PATH (ADDRESS)` and, for the loader, `PATH (ADDRESS)`.
fn libraries_in(said: &str) -> Vec<PathBuf> {
    said.split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

fn write(place: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut archive = Archive {
        to: BufWriter::new(File::create(place)?),
        entries: 0,
    };
    // A folder has to come before what is in it.
    let mut folders: Vec<&str> = MOUNT_POINTS.to_vec();
    for path in files.keys() {
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        folders.extend(parents);
    }
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        archive.entry(folder, FOLDER, &[])?;
    }
    for (path, bytes) in files {
        archive.entry(path, PROGRAM, bytes)?;
    }
    archive.entry("TRAILER!!!", 0, &[])?;
    archive.to.flush()?;
    Ok(())
}

struct Archive<W> {
    to: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(bytes.len()).context("a file of 4 GiB or more")?;
        let name_size = u32::try_from(path.len() + 1)?;
        // Magic; inode, mode, uid, gid, links, mtime, size, device (2), its own device (2), length
        // of the name with its end, and a checksum that this format does not use.
        let numbers = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        self.to.write_all(b"070701")?;
        for number in numbers {
            write!(self.to, "{number:08x}")?;
        }
        self.to.write_all(path.as_bytes())?;
        self.to.write_all(b"\0")?;
        self.pad(6 + 13 * 8 + path.len() + 1)?;
        self.to.write_all(bytes)?;
        self.pad(bytes.len())
    }

    /// To the next multiple of four.
    fn pad(&mut self, written: usize) -> Result<()> {
        let padding = written.next_multiple_of(4) - written;
        Ok(self.to.write_all(&[0; 3][..padding])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_padded_to_four_bytes() {
        let mut archive = Archive {
            to: Vec::new(),
            entries: 0,
        };
        archive.entry("etc/x", PROGRAM, b"12345").unwrap();
        let text = String::from_utf8(archive.to).unwrap();
        assert_eq!(
            text,
            "07070100000001000081ed00000000000000000000000100000000000000050000000000000000\
             00000000000000000000000600000000etc/x\0\
             12345\0\0\0"
        );
    }

    #[test]
    fn libraries_and_the_loader_are_found() {
        let said = "\tlinux-vdso.so.1 (0x00007ffa)\n\
             \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007ffb)\n\
             \t/lib64/ld-linux-x86-64.so.2 (0x00007ffc)\n";
        assert_eq!(
            libraries_in(said),
            [
                Path::new("/lib/x86_64-linux-gnu/libc.so.6"),
                Path::new("/lib64/ld-linux-x86-64.so.2")
            ]
        );
    }
}
