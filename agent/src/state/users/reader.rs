//! Reads the files of a container's root directory, on a thread of its own.
//!
//! Whoever is root in a container decides what is there: a pipe, a device, a file system of its own
//! that never answers, a file without end. So only regular files are opened, without following a link
//! out of the container or as the last step, only their start is read, and the matching thread never
//! waits for long.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2, stat, statat,
};

use super::database::{Databases, Version, parse, parse_group, parse_user};
use crate::event::ProcessKey;
use crate::state::proc_reader::key_in;

/// The most that is read of a file, in bytes. The rest is not known.
const FILE_LIMIT: usize = 256 * 1024;

/// A mapping of ids has at most 340 lines (`UID_GID_MAP_MAX_EXTENTS`).
const MAP_LIMIT: usize = 32 * 1024;

/// What to look at.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// A process of the container.
    pub(super) process: ProcessKey,
    /// What was found before, to be looked at again.
    pub(super) known: Option<Found>,
    /// Another root directory than the known one takes its place.
    pub(super) may_move: bool,
}

/// Which root directory, and which files in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    root: Root,
    passwd: Option<Version>,
    group: Option<Version>,
}

/// A root directory, in a mount namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Root {
    mount_namespace: u64,
    device: u64,
    inode: u64,
}

/// What a container's files say.
#[derive(Debug)]
pub(super) struct ReadNames {
    pub(super) found: Found,
    pub(super) files: Databases,
    pub(super) user_ids: IdMap,
    pub(super) group_ids: IdMap,
    /// How many bytes the names were read from.
    pub(super) bytes: usize,
}

/// What the look gave.
#[derive(Debug)]
pub(super) enum Answer {
    /// The names.
    Names(Box<ReadNames>),
    /// Nothing changed, or the process has another root directory than the container.
    AsBefore,
    /// The process is still in the host's root directory: its container is being made.
    NotYet,
    /// The process is gone, or cannot be looked at.
    Gone,
}

/// `proc_pid_uid_map(5)`: which ids of a container are which of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IdMap {
    /// First id inside, first id outside, how many. Empty for "the same".
    ranges: Vec<(u32, u32, u32)>,
}

impl IdMap {
    pub(super) fn parse(text: &[u8]) -> Self {
        let ranges = text.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut numbers = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
            let mut next = || numbers.next()?.parse().ok();
            Some((next()?, next()?, next()?))
        });
        Self {
            ranges: ranges.collect(),
        }
    }

    /// The id that one of the host has inside.
    pub(super) fn inside(&self, outside: u32) -> Option<u32> {
        if self.ranges.is_empty() {
            return Some(outside);
        }
        self.ranges.iter().find_map(|(inside, first, count)| {
            let distance = outside.checked_sub(*first)?;
            (distance < *count).then(|| inside.checked_add(distance))?
        })
    }
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) requests: SyncSender<Request>,
    pub(super) answers: Receiver<Answer>,
}

impl Worker {
    /// `stuck` goes down when the thread ends after it was left behind.
    pub(super) fn start(host_root: &Path, stuck: Arc<AtomicUsize>) -> std::io::Result<Self> {
        let (requests, asked) = sync_channel::<Request>(1);
        // One question at a time: the answer never has to wait for room.
        let (answer, answers) = sync_channel(1);
        let mut reader = Reader::new(host_root);
        thread::Builder::new()
            .name("container-names".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || {
                for request in asked {
                    if answer.send(reader.look(&request)).is_err() {
                        break;
                    }
                }
                stuck.fetch_sub(1, Relaxed);
            })?;
        Ok(Self { requests, answers })
    }
}

struct Reader {
    proc_root: PathBuf,
    /// Device and inode of the host's root directory.
    host: Option<(u64, u64)>,
}

impl Reader {
    fn new(host_root: &Path) -> Self {
        Self {
            proc_root: host_root.join("proc"),
            host: stat(host_root).ok().map(|stat| (stat.st_dev, stat.st_ino)),
        }
    }

    fn look(&mut self, request: &Request) -> Answer {
        self.try_look(request).unwrap_or(Answer::Gone)
    }

    fn try_look(&mut self, request: &Request) -> Option<Answer> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let pid = request.process.pid;
        let process = open(
            self.proc_root.join(pid.to_string()),
            directory,
            Mode::empty(),
        )
        .ok()?;
        let root = openat(&process, "root", directory, Mode::empty()).ok()?;
        let stat = fstat(&root).ok()?;
        let identity = Root {
            mount_namespace: statat(&process, "ns/mnt", AtFlags::empty()).ok()?.st_ino,
            device: stat.st_dev,
            inode: stat.st_ino,
        };
        // The directory's handle is of one process, but is it the one that was meant?
        if key_in(&process, pid)? != request.process {
            return None;
        }
        if Some((identity.device, identity.inode)) == self.host {
            return Some(Answer::NotYet);
        }
        let known = match request.known {
            Some(known) if known.root == identity => Some(known),
            Some(_) if !request.may_move => return Some(Answer::AsBefore),
            _ => None,
        };
        let passwd = regular_file(&root, "etc/passwd");
        let group = regular_file(&root, "etc/group");
        let found = Found {
            root: identity,
            passwd: passwd.as_ref().map(|(_, version)| *version),
            group: group.as_ref().map(|(_, version)| *version),
        };
        if known == Some(found) {
            return Some(Answer::AsBefore);
        }
        let start = |file: Option<(OwnedFd, Version)>| {
            file.and_then(|(file, _)| start_of(file.as_fd(), FILE_LIMIT))
                .unwrap_or_default()
        };
        let (passwd, group) = (start(passwd), start(group));
        let map = |name: &str| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            openat(&process, name, flags, Mode::empty())
                .ok()
                .and_then(|file| read_start(file, MAP_LIMIT))
                .map_or_else(IdMap::default, |text| IdMap::parse(&text))
        };
        Some(Answer::Names(Box::new(ReadNames {
            found,
            files: Databases {
                users: parse(&passwd, parse_user),
                groups: parse(&group, parse_group),
            },
            user_ids: map("uid_map"),
            group_ids: map("gid_map"),
            bytes: passwd.len() + group.len(),
        })))
    }
}

/// A handle of a regular file below a root directory; opening it touches neither a device nor a pipe.
fn regular_file(root: &OwnedFd, path: &str) -> Option<(OwnedFd, Version)> {
    let file = openat2(
        root,
        path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
    .ok()?;
    let stat = fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let version = Version::of(&File::from(file.try_clone().ok()?).metadata().ok()?);
    Some((file, version))
}

/// The start of the file behind a handle, up to the end of the last whole line.
fn start_of(handle: impl AsFd, limit: usize) -> Option<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, link, flags, Mode::empty()).ok()?;
    let mut content = read_start(file, limit + 1)?;
    if content.len() > limit {
        let end = memchr::memrchr(b'\n', &content).unwrap_or(0);
        content.truncate(end);
    }
    Some(content)
}

fn read_start(file: OwnedFd, limit: usize) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let limit = u64::try_from(limit).ok()?;
    File::from(file)
        .take(limit)
        .read_to_end(&mut content)
        .ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn ids_are_mapped() {
        let map =
            IdMap::parse(b"         0     100000      65536\n     70000       1000          1\n");
        for (outside, inside) in [
            (100_000, Some(0)),
            (101_000, Some(1000)),
            (165_535, Some(65_535)),
            (165_536, None),
            (1000, Some(70_000)),
            (0, None),
        ] {
            assert_eq!(map.inside(outside), inside, "{outside}");
        }
        let same = IdMap::parse(b"0 0 4294967295\n");
        assert_eq!(same.inside(7), Some(7));
        assert_eq!(IdMap::default().inside(7), Some(7));
        assert_eq!(
            IdMap::parse(b"4294967295 0 10\nx\n1 2\n").inside(5),
            None,
            "beyond the last id"
        );
    }

    #[test]
    fn only_regular_files_inside_are_read_and_only_their_start() {
        let scratch = tempfile::tempdir().unwrap();
        let root_path = scratch.path().join("root");
        fs::create_dir_all(root_path.join("etc")).unwrap();
        fs::write(scratch.path().join("outside"), "secret\n").unwrap();
        let root = open(&root_path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let etc = |name: &str| root_path.join("etc").join(name);
        fs::write(etc("plain"), "a\nb\n").unwrap();
        fs::write(etc("long"), "first\nsecond\n".repeat(FILE_LIMIT)).unwrap();
        symlink("plain", etc("link")).unwrap();
        symlink("../../outside", etc("climbing")).unwrap();
        rustix::fs::mkfifoat(CWD, etc("pipe"), Mode::RUSR).unwrap();
        fs::create_dir(etc("directory")).unwrap();
        let content = |name: &str| {
            let (file, _) = regular_file(&root, &format!("etc/{name}"))?;
            start_of(&file, FILE_LIMIT)
        };
        assert_eq!(content("plain").unwrap(), b"a\nb\n");
        let long = content("long").unwrap();
        assert!(long.len() <= FILE_LIMIT);
        let whole = |line: &[u8]| line == b"first" || line == b"second";
        assert!(long.split(|byte| *byte == b'\n').all(whole));
        for name in ["link", "climbing", "pipe", "directory", "missing"] {
            assert!(content(name).is_none(), "{name}");
        }
        // A directory on the way may be a link, but not out of the root.
        symlink("/etc", root_path.join("inside")).unwrap();
        symlink(scratch.path(), root_path.join("out")).unwrap();
        assert!(regular_file(&root, "inside/plain").is_some());
        assert!(regular_file(&root, "out/outside").is_none());
    }

    #[test]
    fn a_process_in_the_hosts_root_has_no_container_yet() {
        let mut reader = Reader::new(Path::new("/"));
        let pid = crate::event::Pid(std::process::id());
        let directory = File::open("/proc/self").unwrap().into();
        let request = Request {
            process: key_in(&directory, pid).unwrap(),
            known: None,
            may_move: false,
        };
        assert!(matches!(reader.look(&request), Answer::NotYet));
        let other = Request {
            process: ProcessKey::default(),
            ..request
        };
        assert!(matches!(reader.look(&other), Answer::Gone));
    }
}
