//! What `/proc` says about a process.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::memory_reader::{MemoryReader, Texts};
use super::process::ProcessIds;
use crate::event::{Capabilities, Comm, ExecutableFile, Pid, ProcessKey, Tid, Uid};

/// Longest environment kept, in bytes.
pub(super) const ENV_LIMIT: usize = 4096;
/// Longest argv kept, in bytes.
pub(super) const ARGS_LIMIT: usize = 8192;

/// `stat`, `status` and `cgroup` are shorter than this, in bytes.
const FILE_LIMIT: usize = 32 * 1024;

/// Reads processes from a mount of procfs.
#[derive(Debug)]
pub(super) struct ProcReader {
    root: PathBuf,
    buffer: Vec<u8>,
    memory: MemoryReader,
}

/// One process, at one moment; what could not be read is `None` or empty.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) key: ProcessKey,
    pub(super) parent: Pid,
    pub(super) comm: Comm,
    pub(super) ids: ProcessIds,
    pub(super) exe_path: Option<Vec<u8>>,
    pub(super) cwd: Option<Vec<u8>>,
    pub(super) args: Option<Limited>,
    pub(super) env: Option<Limited>,
    /// The content of the `cgroup` file.
    pub(super) cgroup: Vec<u8>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) file: Option<ExecutableFile>,
}

/// The start of a file.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) bytes: Vec<u8>,
    pub(super) truncated: bool,
}

/// The process ended, or never was.
#[derive(Debug)]
pub(super) struct Gone;

impl ProcReader {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            buffer: Vec::new(),
            memory: MemoryReader::default(),
        }
    }

    /// Where procfs is mounted.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Processes whose arguments and environment could not be read in time.
    pub(super) fn abandoned(&self) -> u64 {
        self.memory.abandoned()
    }

    /// The ids of every process now; empty if the directory cannot be read.
    pub(super) fn pids(&self) -> Vec<Pid> {
        let Ok(directory) = std::fs::read_dir(&self.root) else {
            return Vec::new();
        };
        directory
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid))
            .collect()
    }

    /// Which process has this pid now.
    pub(super) fn key_of(&mut self, pid: Pid) -> Result<ProcessKey, Gone> {
        let directory = self.open(pid)?;
        self.read(&directory, "stat", FILE_LIMIT).ok_or(Gone)?;
        Ok(parse_stat(&self.buffer).ok_or(Gone)?.key(pid))
    }

    /// Everything about the process that has this pid now.
    ///
    /// All files are opened through one handle of the process's directory, so that they are of one
    /// process even if it ends and its pid is used again meanwhile.
    pub(super) fn snapshot(&mut self, pid: Pid) -> Result<Snapshot, Gone> {
        let directory = self.open(pid)?;
        self.read(&directory, "stat", FILE_LIMIT).ok_or(Gone)?;
        let stat = parse_stat(&self.buffer).ok_or(Gone)?;
        let mut ids = ProcessIds {
            vpid: pid,
            pgid: Pid(stat.pgid),
            sid: Pid(stat.sid),
            vpgid: Pid(stat.pgid),
            vsid: Pid(stat.sid),
            tty: stat.tty,
            loginuid: Uid::UNSET,
            ..ProcessIds::default()
        };
        self.read(&directory, "status", FILE_LIMIT).ok_or(Gone)?;
        parse_status(&self.buffer, &mut ids);
        let capabilities = parse_capabilities(&self.buffer);
        // Absent on a kernel without audit.
        if self.read(&directory, "loginuid", FILE_LIMIT).is_some()
            && let Some(uid) = number(&self.buffer)
        {
            ids.loginuid = Uid(uid);
        }
        let link = |name: &str| {
            readlinkat(&directory, name, Vec::new())
                .ok()
                .map(std::ffi::CString::into_bytes)
        };
        let (exe_path, cwd) = (link("exe"), link("cwd"));
        let Texts { args, env } = self.memory.read(&directory);
        let cgroup = match self.read(&directory, "cgroup", FILE_LIMIT) {
            Some(()) => self.buffer.clone(),
            None => Vec::new(),
        };
        Ok(Snapshot {
            key: stat.key(pid),
            parent: Pid(stat.parent),
            comm: stat.comm,
            ids,
            exe_path,
            cwd,
            args,
            env,
            cgroup,
            capabilities,
            file: executable(&directory),
        })
    }

    /// Whether a process has this thread now.
    pub(super) fn has_thread(&self, pid: Pid, tid: Tid) -> bool {
        statat(
            CWD,
            self.root.join(format!("{pid}/task/{tid}")),
            AtFlags::empty(),
        )
        .is_ok()
    }

    fn open(&self, pid: Pid) -> Result<OwnedFd, Gone> {
        openat(
            CWD,
            self.root.join(pid.to_string()),
            OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH,
            Mode::empty(),
        )
        .map_err(|_| Gone)
    }

    /// Reads the start of a file into the buffer; `None` if it cannot be read.
    fn read(&mut self, directory: &OwnedFd, name: &str, limit: usize) -> Option<()> {
        self.buffer.clear();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = loop {
            match openat(directory, name, flags, Mode::empty()) {
                Err(Errno::INTR) => {}
                opened => break opened.ok()?,
            }
        };
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        File::from(file)
            .take(limit)
            .read_to_end(&mut self.buffer)
            .ok()
            .map(|_| ())
    }
}

/// Which process this directory of `/proc` is of; `None` if it is gone.
pub(super) fn key_in(directory: &OwnedFd, pid: Pid) -> Option<ProcessKey> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(directory, "stat", flags, Mode::empty()).ok()?;
    let mut stat = Vec::new();
    let limit = u64::try_from(FILE_LIMIT).ok()?;
    File::from(file).take(limit).read_to_end(&mut stat).ok()?;
    Some(parse_stat(&stat)?.key(pid))
}

/// The members of `/proc/PID/stat` that are used.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    comm: Comm,
    parent: u32,
    pgid: u32,
    sid: u32,
    tty: u32,
    start_ticks: u64,
}

impl Stat {
    fn key(&self, pid: Pid) -> ProcessKey {
        ProcessKey::from_ticks(pid, self.start_ticks)
    }
}

/// `proc_pid_stat(5)`. The name is in parentheses and can hold any byte, parentheses too: it ends at
/// the last one.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let open = memchr::memchr(b'(', stat)?;
    let close = memchr::memrchr(b')', stat)?;
    let comm = Comm::from_bytes(stat.get(open + 1..close)?);
    // From field 3, the state.
    let mut fields = stat
        .get(close + 1..)?
        .split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty());
    let parent = number(fields.nth(1)?)?;
    let pgid = number(fields.next()?)?;
    let sid = number(fields.next()?)?;
    // Printed as a signed number, though it is a device number.
    let tty: i32 = number(fields.next()?)?;
    let start_ticks = number(fields.nth(14)?)?;
    Some(Stat {
        comm,
        parent,
        pgid,
        sid,
        tty: tty.cast_unsigned(),
        start_ticks,
    })
}

/// `proc_pid_status(5)`. The kernel escapes the newlines in the name, so a line is a line.
fn parse_status(status: &[u8], ids: &mut ProcessIds) {
    for line in status.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let (name, values) = (&line[..colon], &line[colon + 1..]);
        let mut values = values
            .split(u8::is_ascii_whitespace)
            .filter(|value| !value.is_empty());
        match name {
            // Real, effective, saved, filesystem.
            b"Uid" => set(&mut ids.uid.0, values.nth(1)),
            b"Gid" => set(&mut ids.gid.0, values.nth(1)),
            // From the reader's namespace inwards.
            b"NStgid" => set(&mut ids.vpid.0, values.next_back()),
            b"NSpgid" => set(&mut ids.vpgid.0, values.next_back()),
            b"NSsid" => set(&mut ids.vsid.0, values.next_back()),
            _ => {}
        }
    }
}

/// The sets of capabilities in `proc_pid_status(5)`, in hexadecimal digits.
fn parse_capabilities(status: &[u8]) -> Option<Capabilities> {
    let set = |name: &[u8]| {
        let line = status
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(std::str::from_utf8(line.trim_ascii()).ok()?, 16).ok()
    };
    Some(Capabilities {
        permitted: set(b"CapPrm:")?,
        effective: set(b"CapEff:")?,
        inheritable: set(b"CapInh:")?,
    })
}

/// The file behind `exe`. Neither its layer nor who could write it when it was started is in `/proc`.
fn executable(directory: &OwnedFd) -> Option<ExecutableFile> {
    let stat = statat(directory, "exe", AtFlags::empty()).ok()?;
    let nanoseconds = |seconds: i64, rest: u64| {
        u64::try_from(seconds)
            .unwrap_or(0)
            .saturating_mul(1_000_000_000)
            .saturating_add(rest)
    };
    Some(ExecutableFile {
        inode: stat.st_ino,
        device: kernel_device(stat.st_dev),
        ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        writable: None,
        layer: None,
    })
}

/// A device number as the kernel encodes it internally.
pub(super) fn kernel_device(device: u64) -> u32 {
    (rustix::fs::major(device) << 20) | (rustix::fs::minor(device) & 0xf_ffff)
}

fn set(slot: &mut u32, value: Option<&[u8]>) {
    if let Some(value) = value.and_then(number) {
        *slot = value;
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_own_process() {
        let mut reader = ProcReader::new("/proc".into());
        let pid = Pid(std::process::id());
        let snapshot = reader.snapshot(pid).unwrap();
        assert_eq!(snapshot.key, reader.key_of(pid).unwrap());
        assert_eq!(snapshot.parent, Pid(std::os::unix::process::parent_id()));
        assert_eq!(
            snapshot.cwd.unwrap(),
            std::env::current_dir()
                .unwrap()
                .as_os_str()
                .as_encoded_bytes()
        );
        let first = std::env::args_os().next().unwrap();
        assert!(
            snapshot
                .args
                .unwrap()
                .bytes
                .starts_with(first.as_encoded_bytes())
        );
        assert_eq!(snapshot.ids.uid.0, rustix::process::geteuid().as_raw());
        assert!(reader.pids().contains(&pid));
        assert!(reader.snapshot(Pid(u32::MAX)).is_err());
    }

    #[test]
    fn a_name_can_hold_anything() {
        let stat = parse_stat(
            b"7 (a) R 1 (\n) S 5 6 8 34816 9 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 10",
        )
        .unwrap();
        assert_eq!(
            stat,
            Stat {
                comm: Comm::from_bytes(b"a) R 1 (\n"),
                parent: 5,
                pgid: 6,
                sid: 8,
                tty: 34816,
                start_ticks: 12345,
            }
        );
    }

    #[test]
    fn ids_of_the_own_namespace_are_the_last() {
        let mut ids = ProcessIds::default();
        parse_status(
            b"Name:\ta\\nUid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNStgid:\t900\t12\t1\n\
              NSpid:\t901\t13\t2\nNSpgid:\t900\t0\nNSsid:\t800\n",
            &mut ids,
        );
        assert_eq!((ids.uid, ids.gid), (Uid(2), crate::event::Gid(6)));
        assert_eq!((ids.vpid, ids.vpgid, ids.vsid), (Pid(1), Pid(0), Pid(800)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(&bytes);
            parse_status(&bytes, &mut ProcessIds::default());
        }
    }
}
