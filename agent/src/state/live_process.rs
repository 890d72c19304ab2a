//! What `/proc` says of a process right now: its memory, limits, threads, cgroups and descriptors.
//!
//! Read when a rule or an output asks, and so a little after the event. Nothing here waits for the
//! process, its memory or its file systems: only what the kernel itself knows is asked for.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, StatxFlags, getxattr, open, openat, readlinkat, statx,
};
use rustix::net::{AddressFamily, SocketType, socket};

use super::proc_reader::key_in;
use crate::event::{ProcessKey, Tid};

/// `stat`, `status`, `limits` and `cgroup` are shorter than this, in bytes.
const FILE_LIMIT: u64 = 32 * 1024;
/// Where the kernel does not tell their number (before 6.2), no more descriptors are counted.
const MOST_COUNTED: usize = 4096;
/// Of a process with more descriptors, their types are not looked at: each takes some calls of the matching thread.
const MOST_LOOKED_AT: u64 = 256;

/// The directory of a process in `/proc`.
#[derive(Debug)]
pub struct LiveProcess {
    directory: OwnedFd,
}

/// Page faults of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFaults {
    /// With a page from a disk.
    pub major: u64,
    /// Without.
    pub minor: u64,
}

/// What a descriptor stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// `file`, `directory`, `pipe`, `ipv4` and so on, as `fd.type` has them.
    pub kind: &'static str,
    /// The path, or the kernel's name of what has none; `None` for a socket, whose name it does not
    /// tell.
    pub name: Option<Vec<u8>>,
}

impl LiveProcess {
    /// Looks for a process in a mount of procfs; `None` if it ended.
    pub(super) fn find(proc_root: &Path, process: ProcessKey) -> Option<Self> {
        let directory = open(
            proc_root.join(process.pid.to_string()),
            OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH,
            Mode::empty(),
        )
        .ok()?;
        (key_in(&directory, process.pid)? == process).then_some(Self { directory })
    }

    /// A number of `proc_pid_status(5)`, such as `VmSize` in kB; `None` if there is no such line,
    /// as of a process without memory of its own.
    pub fn status(&self, name: &str) -> Option<u64> {
        let status = self.read("status")?;
        status.split(|byte| *byte == b'\n').find_map(|line| {
            let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
            let text = std::str::from_utf8(value).ok()?;
            text.split_ascii_whitespace().next()?.parse().ok()
        })
    }

    /// The page faults of a thread since it began.
    pub fn page_faults(&self, thread: Tid) -> Option<PageFaults> {
        let stat = self.read(&format!("task/{thread}/stat"))?;
        // The name before it can hold anything.
        let end = memchr::memrchr(b')', &stat)?;
        let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        // Fields 10 and 12 of proc_pid_stat(5); the first here is field 3.
        let mut fields = rest.split_ascii_whitespace().skip(7);
        let minor = fields.next()?.parse().ok()?;
        let major = fields.nth(1)?.parse().ok()?;
        Some(PageFaults { major, minor })
    }

    /// The soft limit of open descriptors.
    pub fn descriptor_limit(&self) -> Option<u64> {
        let limits = self.read("limits")?;
        let line = limits
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(b"Max open files"))?;
        let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        words.next()?.parse().ok()
    }

    fn directory_of_descriptors(&self) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.directory, "fd", flags, Mode::empty()).ok()
    }

    /// The types of all descriptors, each once; `None` of a process that has very many.
    pub fn kinds_of_descriptors(&self) -> Option<Vec<&'static str>> {
        if self.open_descriptors()? > MOST_LOOKED_AT {
            return None;
        }
        let mut kinds = Vec::new();
        for entry in Dir::read_from(self.directory_of_descriptors()?).ok()? {
            let entry = entry.ok()?;
            let Ok(Ok(number)) = entry.file_name().to_str().map(str::parse) else {
                // The directory itself and the one above.
                continue;
            };
            // It may have been closed by now.
            if let Some(descriptor) = self.descriptor(number)
                && !kinds.contains(&descriptor.kind)
            {
                kinds.push(descriptor.kind);
            }
        }
        kinds.sort_unstable();
        Some(kinds)
    }

    /// How many descriptors are open.
    pub fn open_descriptors(&self) -> Option<u64> {
        let directory = self.directory_of_descriptors()?;
        // Since 6.2 the directory's size.
        let size = rustix::fs::fstat(&directory).ok()?.st_size;
        if size > 0 {
            return u64::try_from(size).ok();
        }
        let mut count = 0;
        for entry in Dir::read_from(&directory).ok()? {
            if !entry.ok()?.file_name().to_bytes().starts_with(b".") {
                count += 1;
            }
            if count > MOST_COUNTED {
                return None;
            }
        }
        u64::try_from(count).ok()
    }

    /// The cgroups of a thread: each controller with its path. What the unified hierarchy controls
    /// has the path there.
    pub fn cgroups(&self, thread: Tid) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let membership = self.read(&format!("task/{thread}/cgroup"))?;
        let mut controllers = Vec::new();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        // The table is the same for all processes.
        if let Ok(file) = openat(&self.directory, "../cgroups", flags, Mode::empty()) {
            File::from(file)
                .take(FILE_LIMIT)
                .read_to_end(&mut controllers)
                .ok()?;
        }
        Some(paths_of_controllers(&membership, &controllers))
    }

    /// What a descriptor stands for; `None` if it is not open.
    pub fn descriptor(&self, number: u32) -> Option<Descriptor> {
        let path = format!("fd/{number}");
        let link = readlinkat(&self.directory, &path, Vec::new())
            .ok()?
            .into_bytes();
        if let Some(kind) = kind_by_name(&link) {
            return Some(Descriptor {
                kind,
                name: Some(link),
            });
        }
        // A handle for its type alone: neither this nor the question after it reaches a file system.
        let handle = openat(
            &self.directory,
            &path,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .ok()?;
        let kind = file_type(&handle)?;
        Some(match kind {
            Kind::Socket => Descriptor {
                kind: protocol_of(&handle).unwrap_or("unknown"),
                name: None,
            },
            Kind::Directory => Descriptor {
                kind: "directory",
                name: Some(link),
            },
            Kind::Pipe => Descriptor {
                kind: "pipe",
                name: Some(link),
            },
            Kind::Other => Descriptor {
                kind: "file",
                name: Some(link),
            },
        })
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty()).ok()?;
        let mut content = Vec::new();
        File::from(file)
            .take(FILE_LIMIT)
            .read_to_end(&mut content)
            .ok()?;
        Some(content)
    }
}

/// The type of what has no place in the file system, by the kernel's name of it. A file's path has a
/// slash at its start.
fn kind_by_name(link: &[u8]) -> Option<&'static str> {
    if link.starts_with(b"/memfd:") {
        return Some("memfd");
    }
    if link.starts_with(b"pipe:[") {
        return Some("pipe");
    }
    let name = link.strip_prefix(b"anon_inode:")?;
    let name = name.strip_prefix(b"[").unwrap_or(name);
    let kinds: [(&[u8], &str); 9] = [
        (b"eventfd", "event"),
        (b"eventpoll", "eventpoll"),
        (b"signalfd", "signalfd"),
        (b"timerfd", "timerfd"),
        (b"inotify", "inotify"),
        (b"bpf", "bpf"),
        (b"userfaultfd", "userfaultfd"),
        (b"io_uring", "io_uring"),
        (b"pidfd", "pidfd"),
    ];
    let found = kinds.iter().find(|(start, _)| name.starts_with(start));
    Some(found.map_or("file", |(_, kind)| kind))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    Pipe,
    /// A real one, and not the name of one in a file system.
    Socket,
    Other,
}

fn file_type(handle: &OwnedFd) -> Option<Kind> {
    let look = |handle: &OwnedFd| {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        statx(handle, "", flags, StatxFlags::TYPE).ok()
    };
    let found = look(handle)?;
    Some(match FileType::from_raw_mode(found.stx_mode.into()) {
        FileType::Directory => Kind::Directory,
        FileType::Fifo => Kind::Pipe,
        FileType::Socket => {
            // All sockets are on one device of the kernel's own.
            let own = socket(AddressFamily::UNIX, SocketType::STREAM, None).ok()?;
            let own = look(&own)?;
            let device = (found.stx_dev_major, found.stx_dev_minor);
            if device == (own.stx_dev_major, own.stx_dev_minor) {
                Kind::Socket
            } else {
                Kind::Other
            }
        }
        _ => Kind::Other,
    })
}

/// The type of a socket by the name of its protocol, which `sockfs_xattr_get` (net/socket.c) gives.
fn protocol_of(handle: &OwnedFd) -> Option<&'static str> {
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let mut name = [0_u8; 64];
    let length = getxattr(path, "system.sockprotoname", &mut name).ok()?;
    let name = name.get(..length)?;
    Some(if name.starts_with(b"UNIX") {
        "unix"
    } else if name.starts_with(b"NETLINK") {
        "netlink"
    } else if name.ends_with(b"v6\0") || name.ends_with(b"v6") {
        "ipv6"
    } else if [&b"TCP"[..], b"UDP", b"PING", b"RAW", b"MPTCP", b"SCTP"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        "ipv4"
    } else {
        return None;
    })
}

/// From `cgroups(7)`: `/proc/PID/cgroup` and `/proc/cgroups`.
fn paths_of_controllers(membership: &[u8], controllers: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    for line in membership.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (Some(hierarchy), Some(names), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if hierarchy == b"0" {
            let unified = controllers
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.starts_with(b"#"))
                .filter_map(|line| {
                    let mut words = line.split(u8::is_ascii_whitespace);
                    let name = words.next()?;
                    (words.next()? == b"0").then_some(name)
                });
            found.extend(unified.map(|name| (name.to_vec(), path.to_vec())));
        } else {
            let names = names.split(|byte| *byte == b',');
            found.extend(names.map(|name| (name.to_vec(), path.to_vec())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::event::Pid;

    fn own() -> LiveProcess {
        let pid = Pid(std::process::id());
        let directory = File::open("/proc/self").unwrap().into();
        let key = key_in(&directory, pid).unwrap();
        LiveProcess::find(Path::new("/proc"), key).unwrap()
    }

    /// What getrusage(2) says of this thread.
    fn own_page_faults() -> PageFaults {
        // SAFETY: zeros are a usage, and the kernel writes no more than one.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
            usage
        };
        PageFaults {
            minor: usage.ru_minflt.cast_unsigned(),
            major: usage.ru_majflt.cast_unsigned(),
        }
    }

    #[test]
    fn our_own_process() {
        let own = own();
        assert!(own.status("VmSize").unwrap() >= own.status("VmRSS").unwrap());
        assert!(own.status("VmSwap").is_some());
        assert!(own.status("Threads").unwrap() >= 1);
        assert_eq!(own.status("Vm"), None);
        let thread = Tid(rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .cast_unsigned());
        let before = own_page_faults();
        let faults = own.page_faults(thread).unwrap();
        let after = own_page_faults();
        assert!((before.minor..=after.minor).contains(&faults.minor));
        assert!((before.major..=after.major).contains(&faults.major));
        assert_eq!(
            own.descriptor_limit(),
            rustix::process::getrlimit(rustix::process::Resource::Nofile).current
        );
        assert!(own.open_descriptors().unwrap() > 2);
        let key = ProcessKey::default();
        assert!(LiveProcess::find(Path::new("/proc"), key).is_none());
    }

    #[test]
    fn what_descriptors_stand_for() {
        let own = own();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file: OwnedFd = File::create(&path).unwrap().into();
        let directory: OwnedFd = File::open(folder.path()).unwrap().into();
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        let bound = folder.path().join("socket");
        let unix: OwnedFd = UnixListener::bind(&bound).unwrap().into();
        let name_of_socket = open(&bound, OFlags::PATH, Mode::empty()).unwrap();
        let tcp: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
        let udp6: OwnedFd = UdpSocket::bind("[::1]:0").unwrap().into();
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
        let null: OwnedFd = File::open("/dev/null").unwrap().into();
        for (descriptor, kind, name) in [
            (&file, "file", Some(path.as_path())),
            (&directory, "directory", Some(folder.path())),
            (&pipe, "pipe", None),
            (&unix, "unix", None),
            (&name_of_socket, "file", Some(bound.as_path())),
            (&tcp, "ipv4", None),
            (&udp6, "ipv6", None),
            (&event, "event", None),
            (&null, "file", Some(Path::new("/dev/null"))),
        ] {
            let number = u32::try_from(descriptor.as_raw_fd()).unwrap();
            let found = own.descriptor(number).unwrap();
            assert_eq!(found.kind, kind);
            if let Some(name) = name {
                assert_eq!(found.name.unwrap(), name.as_os_str().as_encoded_bytes());
            }
        }
        assert_eq!(own.descriptor(1_000_000), None);
        // Those of other tests are among them.
        let kinds = own.kinds_of_descriptors().unwrap();
        assert!(kinds.is_sorted_by(|one, next| one < next), "{kinds:?}");
        for kind in ["directory", "event", "file", "ipv4", "ipv6", "pipe", "unix"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
    }

    #[test]
    fn controllers_of_both_hierarchies() {
        let controllers =
            b"#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\ncpuacct\t2\t1\t1\n\
            memory\t0\t1\t1\nio\t0\t1\t1\n";
        let membership = b"2:cpu,cpuacct:/a\n1:name=systemd:/b:c\n0::/docker/x\n";
        let found = paths_of_controllers(membership, controllers);
        let shown: Vec<String> = found
            .iter()
            .map(|(name, path)| {
                format!(
                    "{}={}",
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(path)
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "cpu=/a",
                "cpuacct=/a",
                "name=systemd=/b:c",
                "memory=/docker/x",
                "io=/docker/x"
            ]
        );
    }
}
