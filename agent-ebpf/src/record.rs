//! The records of the ring buffers.

/// The layout's version. The object is embedded in the agent, so the two always match; the field is
/// there so that a recording made by one version is not misread by another.
pub const WIRE_VERSION: u16 = 1;

/// Every section, and so every record, starts at a multiple of this.
pub const ALIGNMENT: usize = 8;

/// No record is longer: more than the sum of the largest sections of an exec (arguments 8 KiB,
/// environment 4, path 4, twice [`MAX_WALK`], 24 levels of cgroup) and of a call with two
/// paths, so that the write position never comes round. Also the mask (minus one) that bounds that
/// position for the verifier.
pub const MAX_RECORD: usize = 64 * 1024;

/// Bytes of a path or string as passed to a system call: `PATH_MAX`, its NUL included.
pub const MAX_STRING: usize = 4096;

/// Bytes of argv that are taken: `argv[0]` and the arguments may have 4 KiB each, as in Falco.
pub const MAX_ARGS: usize = 8192;

/// Bytes of the environment that are taken, as in Falco.
pub const MAX_ENV: usize = 4096;

/// Bytes of components after which the walk up a path ends; what is above is cut off and flagged. A path of `PATH_MAX` bytes needs at most
/// `PATH_MAX` and 15 for each component.
pub const MAX_WALK: u64 = 16 * 1024;

/// Words of a file's name that the kernel keeps in its directory entry.
pub const SHORT_NAME_WORDS: usize = 4;

/// Levels of a cgroup path that a walk goes up.
pub const MAX_CGROUP_LEVELS: u32 = 24;

/// What a record tells.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A program was started: [`ExecPart`].
    Exec = 1,
    /// An exec failed: no fixed part.
    ExecFailed = 2,
    /// A process was created: [`ForkPart`].
    Fork = 3,
    /// A process ended: [`ExitPart`].
    Exit = 4,
    /// An open: [`OpenPart`].
    Open = 5,
    /// A connect: [`ConnectPart`].
    Connect = 6,
    /// A cgroup was made: [`CgroupPart`].
    CgroupCreated = 7,
    /// Any other system call: [`CallPart`].
    Call = 8,
    /// A process changed its working directory: no fixed part.
    WorkingDirectory = 9,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Exec,
        Self::ExecFailed,
        Self::Fork,
        Self::Exit,
        Self::Open,
        Self::Connect,
        Self::CgroupCreated,
        Self::Call,
        Self::WorkingDirectory,
    ];

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == number)
    }

    /// The name that counters of drops carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::ExecFailed => "exec_failed",
            Self::Fork => "fork",
            Self::Exit => "exit",
            Self::Open => "open",
            Self::Connect => "connect",
            Self::CgroupCreated => "cgroup_created",
            Self::Call => "call",
            Self::WorkingDirectory => "working_directory",
        }
    }
}

/// [`Header::flags`]: the event has a result.
pub const HAS_RESULT: u32 = 1;

/// [`Header::flags`]: the call came by the 32-bit ABI.
pub const VIA_32_BIT: u32 = 2;
/// [`Header::flags`]: the call came by the x32 ABI.
pub const VIA_X32: u32 = 4;
/// [`Header::flags`]: it was no call but an operation of `io_uring`.
pub const VIA_IO_URING: u32 = 8;

/// What every record starts with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// [`WIRE_VERSION`]
    pub version: u16,
    /// [`RecordKind`]
    pub kind: u16,
    /// A set of [`HAS_RESULT`], [`VIA_32_BIT`], [`VIA_X32`], [`VIA_IO_URING`].
    pub flags: u32,
    /// Bytes of the whole record.
    pub length: u32,
    /// CPU number.
    pub cpu: u32,
    /// `CLOCK_BOOTTIME` in ns.
    pub time: u64,
    /// When the process (its leader) was created, `CLOCK_BOOTTIME` in ns.
    pub start_time: u64,
    /// The same of the parent.
    pub parent_start_time: u64,
    /// The cgroup's id; see [`CGROUP_V1`].
    pub cgroup: u64,
    /// How many programs the process and its ancestors have started, one after the other: each exec
    /// adds one, and a child begins with its parent's number.
    pub exec_id: u64,
    /// The system call's return value.
    pub result: i64,
    /// Number of the system call the thread is in.
    pub syscall: u32,
    /// Thread id, initial pid namespace.
    pub tid: u32,
    /// Process id, initial pid namespace.
    pub pid: u32,
    /// The parent's process id, initial pid namespace.
    pub ppid: u32,
    /// Thread id, the task's pid namespace.
    pub vtid: u32,
    /// Process id, the task's pid namespace.
    pub vpid: u32,
    /// Process group, initial pid namespace.
    pub pgid: u32,
    /// Process group, the task's pid namespace.
    pub vpgid: u32,
    /// Session, initial pid namespace.
    pub sid: u32,
    /// Session, the task's pid namespace.
    pub vsid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Audit login uid.
    pub loginuid: u32,
    /// Controlling terminal, encoded as in [`Header`]'s user-space twin `proc.tty`.
    pub tty: u32,
    /// Thread name, NUL padded.
    pub comm: [u8; 16],
}

/// The fixed part of [`RecordKind::Exec`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecPart {
    /// The id that the calling thread had before it became the leader.
    pub old_tid: u32,
    /// `i_mode` of the executable.
    pub inode_mode: u32,
    /// Owner of the executable, in the initial user namespace.
    pub inode_uid: u32,
    /// Group of the executable, in the initial user namespace.
    pub inode_gid: u32,
    /// `i_flags` of the executable.
    pub inode_flags: u32,
    /// [`LAYER_NONE`], [`LAYER_UPPER`] or [`LAYER_LOWER`]
    pub layer: u32,
    /// `s_flags` of the executable's file system.
    pub superblock_flags: u64,
    /// Inode number of the executable.
    pub inode: u64,
    /// Its last change of status, seconds since the epoch.
    pub ctime_seconds: u64,
    /// Its last change of content, seconds since the epoch.
    pub mtime_seconds: u64,
    /// The rest of the first, in ns; the kernel keeps a flag of its own above bit 29.
    pub ctime_nanoseconds: u32,
    /// The rest of the second.
    pub mtime_nanoseconds: u32,
    /// The capabilities that the new program may use, a bit each.
    pub permitted: u64,
    /// Those that it uses.
    pub effective: u64,
    /// Those that it may pass on.
    pub inheritable: u64,
    /// When the first process of its pid namespace was created, `CLOCK_BOOTTIME` in ns; 0 if that
    /// is not known.
    pub namespace_start: u64,
    /// How deep its user namespace is; 0 for the initial one.
    pub user_namespace_level: u32,
    /// `s_dev` of the executable's file system.
    pub device: u32,
    /// 1 if the kernel ran an interpreter in place of the file that was passed, as for a script.
    pub interpreted: u32,
    /// Zero.
    pub reserved: u32,
}

/// [`ExecPart::layer`]: the file is not on an overlay.
pub const LAYER_NONE: u32 = 0;
/// [`ExecPart::layer`]: the file is in the upper, writable layer of an overlay.
pub const LAYER_UPPER: u32 = 1;
/// [`ExecPart::layer`]: the file is in a lower layer of an overlay.
pub const LAYER_LOWER: u32 = 2;

/// The fixed part of [`RecordKind::Fork`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForkPart {
    /// When the child was created, `CLOCK_BOOTTIME` in ns.
    pub child_start_time: u64,
    /// When the child's parent was created.
    pub child_parent_start_time: u64,
    /// The child's cgroup.
    pub child_cgroup: u64,
    /// The child.
    pub child_pid: u32,
    /// The child in its own pid namespace.
    pub child_vpid: u32,
    /// The child's parent.
    pub child_ppid: u32,
    /// Zero.
    pub reserved: u32,
}

/// The fixed part of [`RecordKind::Exit`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitPart {
    /// As `wait(2)` gives it.
    pub status: u32,
    /// Zero.
    pub reserved: u32,
}

/// The fixed part of [`RecordKind::Open`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenPart {
    /// Inode number.
    pub inode: u64,
    /// `O_*`; on success the access mode is that of the open file.
    pub flags: u32,
    /// Mode of a file to be created.
    pub mode: u32,
    /// `i_mode`
    pub inode_mode: u32,
    /// `s_dev`
    pub device: u32,
    /// 1 if this open created the file.
    pub created: u32,
    /// The descriptor of the directory that a relative path starts from, or `AT_FDCWD`.
    pub directory: i32,
    /// `openat2`'s `resolve`, of which 32 bits have a meaning.
    pub resolve: u32,
    /// [`LAYER_NONE`], [`LAYER_UPPER`] or [`LAYER_LOWER`]; asked for with the inode.
    pub layer: u32,
}

/// The fixed part of [`RecordKind::Connect`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectPart {
    /// Kernel address of our socket.
    pub own_pointer: u64,
    /// Kernel address of the peer's socket (unix only).
    pub peer_pointer: u64,
    /// Our address; an IPv4 address is in the first four bytes.
    pub local: [u8; 16],
    /// The peer's address.
    pub remote: [u8; 16],
    /// The destination as passed.
    pub passed: [u8; 16],
    /// The file descriptor.
    pub fd: i32,
    /// `AF_*` of the socket; 0 when the descriptor is no socket.
    pub family: u16,
    /// `SOCK_*`
    pub socket_type: u16,
    /// `IPPROTO_*`
    pub protocol: u16,
    /// Our port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// `AF_*` of the address passed; 0 when it could not be read.
    pub passed_family: u16,
    /// The port passed.
    pub passed_port: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// Set in the id of a cgroup of a v1 hierarchy: each hierarchy numbers its groups by itself, so an
/// id alone could mean two groups. The kernel uses the upper half as a generation, and never comes
/// to this bit.
pub const CGROUP_V1: u64 = 1 << 63;

/// The fixed part of [`RecordKind::CgroupCreated`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupPart {
    /// The new cgroup's id.
    pub created: u64,
}

/// The fixed part of [`RecordKind::Call`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallPart {
    /// The six arguments, the result, and what the call was asked to move of a vector or message, in
    /// bytes: what a number of an argument less one is an index into.
    pub values: [u64; 8],
}

/// The start of [`SectionTag::Descriptor`]: what a file descriptor stands for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescriptorPart {
    /// Inode number.
    pub inode: u64,
    /// Kernel address of the socket.
    pub own_pointer: u64,
    /// Kernel address of the peer's socket (unix only).
    pub peer_pointer: u64,
    /// The socket's own address; an IPv4 address is in the first four bytes.
    pub local: [u8; 16],
    /// The peer's address.
    pub remote: [u8; 16],
    /// `i_mode`; 0 when the descriptor is not open.
    pub inode_mode: u32,
    /// `s_dev`
    pub device: u32,
    /// `O_*` of the open file.
    pub file_flags: u32,
    /// `AF_*`; 0 for what is no socket.
    pub family: u16,
    /// `SOCK_*`
    pub socket_type: u16,
    /// `IPPROTO_*`
    pub protocol: u16,
    /// The socket's own port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// `TCP_*`, the state of a connection.
    pub state: u16,
}

const _: () = assert!(size_of::<DescriptorPart>() == 80);

/// The content of [`SectionTag::Queue`]: connections that wait to be accepted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueuePart {
    /// How many there are.
    pub length: u32,
    /// How many there may be.
    pub limit: u32,
}

/// What a section holds.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionTag {
    /// argv, NUL-separated.
    Args = 1,
    /// The environment, NUL-separated.
    Env = 2,
    /// The executable, as components.
    ExePath = 3,
    /// The working directory, as components.
    Cwd = 4,
    /// The path as passed to the system call.
    Path = 5,
    /// The cgroup's path, as components.
    Cgroup = 6,
    /// The directory that a relative path starts from, as components.
    Base = 7,
    /// The file that was opened, as components.
    Opened = 8,
    /// The peer's unix address, from the kernel.
    PeerPath = 9,
    /// The unix address as passed.
    PassedPath = 10,
    /// A path as text.
    Text = 11,
    /// The second path of a call, as passed.
    SecondPath = 12,
    /// The directory that it starts from, as components.
    SecondBase = 13,
    /// A string that the first argument with one points to.
    FirstText = 14,
    /// The second one.
    SecondText = 15,
    /// The third one.
    ThirdText = 16,
    /// Memory that the first argument with some points to.
    FirstMemory = 17,
    /// The second one.
    SecondMemory = 18,
    /// The third one.
    ThirdMemory = 19,
    /// The start of the data that was moved.
    Buffer = 20,
    /// A socket address as passed.
    Address = 21,
    /// [`DescriptorPart`]
    Descriptor = 22,
    /// The descriptor's file, as components.
    DescriptorPath = 23,
    /// The unix address of the descriptor's socket itself.
    OwnPath = 24,
    /// The file, or the place for one, that the kernel found under the first path of a call, as components.
    UsedPath = 26,
    /// The same of the second path.
    SecondUsedPath = 27,
    /// An entry of a list of descriptors, as it is in memory; the sections about its descriptor follow, so the list
    /// is the last of its record. An empty one, flagged [`TRUNCATED`], says that the list had more entries.
    Listed = 30,
    /// [`QueuePart`]
    Queue = 31,
    /// Control data that came with a message.
    Control = 32,
}

impl SectionTag {
    /// Every tag.
    pub const ALL: [Self; 29] = [
        Self::Args,
        Self::Env,
        Self::ExePath,
        Self::Cwd,
        Self::Path,
        Self::Cgroup,
        Self::Base,
        Self::Opened,
        Self::PeerPath,
        Self::PassedPath,
        Self::Text,
        Self::SecondPath,
        Self::SecondBase,
        Self::FirstText,
        Self::SecondText,
        Self::ThirdText,
        Self::FirstMemory,
        Self::SecondMemory,
        Self::ThirdMemory,
        Self::Buffer,
        Self::Address,
        Self::Descriptor,
        Self::DescriptorPath,
        Self::OwnPath,
        Self::UsedPath,
        Self::SecondUsedPath,
        Self::Listed,
        Self::Queue,
        Self::Control,
    ];

    /// The tag with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| *tag as u16 == number)
    }
}

/// [`SectionHeader::flags`]: there was more than fits.
pub const TRUNCATED: u16 = 1;
/// [`SectionHeader::flags`]: the bytes could not be read (a page was not in memory).
pub const UNREADABLE: u16 = 2;
/// [`SectionHeader::flags`]: the path does not lead to the process's root.
pub const DETACHED: u16 = 4;

/// What every section starts with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectionHeader {
    /// [`SectionTag`]
    pub tag: u16,
    /// [`TRUNCATED`], [`UNREADABLE`], [`DETACHED`]
    pub flags: u16,
    /// Bytes that follow, padding not counted.
    pub length: u32,
}

/// Why a record was lost, as an index into the array of drop counters: the kinds come first (the
/// ring had no room for a record of that kind), by number; these follow.
pub const DROP_SCRATCH_BUSY: u32 = 16;
/// A call moved more messages than are recorded of one: counted once a call.
pub const DROP_MESSAGES: u32 = 17;
/// The names of an operation of `io_uring` were forgotten before it ended: too many at the same time.
pub const DROP_OPERATIONS: u32 = 18;
/// What the kernel used of a call was not noted: too many threads were in such calls at the same time.
pub const DROP_USED: u32 = 19;
/// Counters in the array.
pub const DROP_COUNTERS: u32 = 20;

/// Buffers beside those of the CPUs, for programs at functions of the kernel: one a CPU, but at least as many.
pub const MIN_SHARED_BUFFERS: u32 = 8;
/// No more: as many as the table of those in use has places.
pub const MAX_SHARED_BUFFERS: u32 = 1024;

/// The reader sleeps, and the next record wakes it.
pub const WAKE_FOR_ANY: u32 = 1;
/// The reader looks at the rings every now and then, but a program that starts wakes it at once.
pub const WAKE_FOR_EXEC: u32 = 2;

/// Names of the maps and globals that the agent looks up.
pub mod names {
    /// Global: [`crate::Offsets`].
    pub const OFFSETS: &str = "OFFSETS";
    /// Global: [`crate::Settings`].
    pub const SETTINGS: &str = "SETTINGS";
    /// The ring for exec, fork, exit and cgroups, which bulk events cannot fill.
    pub const PROCESS_RING: &str = "PROCESS_RING";
    /// The ring for everything else.
    pub const EVENT_RING: &str = "EVENT_RING";
    /// Drop counters, per CPU.
    pub const DROPS: &str = "DROPS";
    /// One cell: [`crate::WAKE_FOR_ANY`] or [`crate::WAKE_FOR_EXEC`] while the reader sleeps and wants to
    /// be woken, else 0.
    pub const READER_ASLEEP: &str = "READER_ASLEEP";
    /// Operations of `io_uring` under way.
    pub const OPERATIONS: &str = "OPERATIONS";
    /// Operations of `io_uring` under way of which less is noted: most of those on sockets, reads, writes and others.
    pub const SHORT_NOTES: &str = "SHORT_NOTES";
    /// Requests of `io_uring` that complete many times.
    pub const MULTISHOTS: &str = "MULTISHOTS";
    /// Buffers in which records are put together: one a CPU, and [`crate::SHARED_BUFFERS`].
    pub const SCRATCH: &str = "SCRATCH";
    /// [`crate::Capture`] by number of the system call.
    pub const CAPTURES: &str = "CAPTURES";
    /// Paths that security hooks told, by thread.
    pub const USED_PATHS: &str = "USED_PATHS";
    /// Destinations that they told.
    pub const DESTINATIONS: &str = "DESTINATIONS";
    /// [`crate::ForeignCall`] by number of the call in its ABI.
    pub const FOREIGN: &str = "FOREIGN";
    /// The programs of [`crate::FOREIGN_PROGRAMS`].
    pub const PROGRAMS: &str = "PROGRAMS";
    /// The programs for calls of 64-bit programs, by number of the call.
    pub const NATIVE: &str = "NATIVE";
    /// The program at the exit of every system call.
    pub const SYS_EXIT: &str = "sys_exit";
}
