//! What happened: an [`Event`] is one decoded record of the kernel side.
//!
//! An event borrows the bytes of its record, so decoding allocates nothing.

mod call;
mod decode;
mod executable;
mod identity;
mod kernel_path;
mod kind;
pub mod table;

pub use call::{Call, CallPath, File, Listed, ListedDescriptor, Object, Queue, SocketAddress};
pub use decode::{DecodeError, decode};
pub use executable::{Capabilities, ExecutableFile, OverlayLayer};
pub use identity::{BootTime, CgroupId, Comm, Gid, Pid, ProcessKey, Tid, Uid};
pub use kernel_path::KernelPath;
pub use kind::{EventSet, EventType};

use std::net::IpAddr;

/// One thing that a thread did.
#[derive(Clone, Debug)]
pub struct Event<'r> {
    /// The event's name in the rule language; [`EventType::STATE`] for what only feeds the state.
    pub event_type: EventType,
    /// Who did it and when.
    pub origin: Origin,
    /// What is special to this kind of event.
    pub payload: Payload<'r>,
}

/// How a process called the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// As 64-bit programs do.
    #[default]
    Bits64,
    /// As 32-bit programs do, and any program by `int 0x80`.
    Bits32,
    /// By the x32 ABI.
    X32,
    /// By an operation of `io_uring`.
    IoUring,
}

impl Via {
    /// As `evt.via` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bits64 => "64-bit",
            Self::Bits32 => "32-bit",
            Self::X32 => "x32",
            Self::IoUring => "io_uring",
        }
    }
}

/// Who caused an event, and when: true even if every earlier event was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When it happened.
    pub time: BootTime,
    /// The process (thread group).
    pub process: ProcessKey,
    /// The thread.
    pub tid: Tid,
    /// The process that is the real parent now (after re-parenting: the reaper).
    pub parent: ProcessKey,
    /// The process id in the process's own pid namespace.
    pub vpid: Pid,
    /// The thread id in the process's own pid namespace.
    pub vtid: Tid,
    /// Process group, in the host's pid namespace.
    pub pgid: Pid,
    /// Session, in the host's pid namespace.
    pub sid: Pid,
    /// Process group, in the process's own pid namespace.
    pub vpgid: Pid,
    /// Session, in the process's own pid namespace.
    pub vsid: Pid,
    /// Effective user.
    pub uid: Uid,
    /// Effective group.
    pub gid: Gid,
    /// The audit login uid; `Uid::UNSET` when nobody logged in.
    pub loginuid: Uid,
    /// The controlling terminal as an encoded device number, 0 for none.
    pub tty: u32,
    /// The cgroup (v2, or the v1 controller that the sensor chose).
    pub cgroup: CgroupId,
    /// Goes up with each program that the process starts; a child begins with its parent's. So it
    /// tells whether an exec was missed.
    pub exec_id: u64,
    /// The thread's name.
    pub comm: Comm,
    /// CPU number.
    pub cpu: u32,
    /// How the kernel was called.
    pub via: Via,
    /// The system call's return value; `None` for an event that has none.
    pub result: Option<i64>,
}

/// The part of an event that differs by kind.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, on the stack; a box would be an allocation an event"
)]
pub enum Payload<'r> {
    /// A program was started.
    Exec(Exec<'r>),
    /// An exec that failed: the process is still the old program.
    ExecFailed(ExecFailed<'r>),
    /// A process was created by `origin.process`.
    Fork(Fork),
    /// The last thread of a process ended.
    Exit(Exit),
    /// A file was opened, or was not.
    Open(Open<'r>),
    /// A socket was connected, or was not.
    Connect(Connect<'r>),
    /// Any other system call.
    Call(Call<'r>),
    /// A cgroup was made; not an event of the rule language.
    CgroupCreated(CgroupCreated<'r>),
    /// The process has another working directory now; not an event of the rule language.
    WorkingDirectory(KernelPath<'r>),
}

/// A string taken from user memory or the kernel, with what is known to be missing from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<'r> {
    /// The bytes; hostile: any byte but NUL may be in them.
    pub bytes: &'r [u8],
    /// More was there than fits the limit.
    pub truncated: bool,
}

/// NUL-separated strings, as the kernel keeps argv and the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strings<'r> {
    /// The strings, each ended by a NUL (the last one may lack it).
    pub bytes: &'r [u8],
    /// More was there than fits the limit.
    pub truncated: bool,
}

/// A successful exec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exec<'r> {
    /// The executable as the kernel opened it (for a script: the interpreter).
    pub exe_path: Option<KernelPath<'r>>,
    /// The kernel ran an interpreter in place of the file that was passed: a script, or one of the
    /// formats of `binfmt_misc`.
    pub interpreted: bool,
    /// The working directory.
    pub cwd: Option<KernelPath<'r>>,
    /// The path as passed to the call.
    pub filename: Text<'r>,
    /// argv, including argv[0].
    pub args: Strings<'r>,
    /// The environment.
    pub env: Strings<'r>,
    /// The cgroup's path from the root of its hierarchy.
    pub cgroup_path: Option<KernelPath<'r>>,
    /// The thread id that called exec, when it was not the leader (it becomes the leader).
    pub old_tid: Option<Tid>,
    /// The file that is run.
    pub file: ExecutableFile,
    /// What the program may do.
    pub capabilities: Capabilities,
    /// When the first process of its pid namespace was created; `None` if that is not known.
    pub namespace_start: Option<BootTime>,
}

/// A failed exec.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecFailed<'r> {
    /// The path as passed to the call.
    pub filename: Text<'r>,
    /// argv as passed.
    pub args: Strings<'r>,
}

/// A new process.
#[derive(Clone, Copy, Debug)]
pub struct Fork {
    /// The child.
    pub child: ProcessKey,
    /// The child's pid in its own pid namespace.
    pub child_vpid: Pid,
    /// The parent that the kernel gave the child (differs with `CLONE_PARENT`).
    pub child_parent: ProcessKey,
    /// The child's cgroup (differs with `CLONE_INTO_CGROUP`).
    pub child_cgroup: CgroupId,
}

/// The end of a process.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// The status as `wait(2)` gives it.
    pub status: u32,
}

/// An open of the open family.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open<'r> {
    /// The path as passed to the call.
    pub path: Text<'r>,
    /// The directory a relative path starts from (cwd or dirfd); absent for an absolute path.
    pub base: Option<KernelPath<'r>>,
    /// The path of the file that was really opened, from the process's root; absent on failure.
    pub opened: Option<KernelPath<'r>>,
    /// The flags as the kernel defines them (`O_*` of the architecture).
    pub flags: u32,
    /// The mode of a file to be created; 0 if none was to be.
    pub mode: u32,
    /// The descriptor of the directory that a relative path starts from, or `AT_FDCWD`.
    pub directory: i32,
    /// `openat2`'s `RESOLVE_*`.
    pub resolve: u32,
    /// `i_mode` of the opened file: type and permission bits; 0 on failure.
    pub inode_mode: u32,
    /// Device number of the opened file as the kernel encodes it internally (20 bits of minor).
    pub dev: u32,
    /// Inode number of the opened file.
    pub inode: u64,
    /// Where it is in an overlay; `None` outside of one.
    pub layer: Option<OverlayLayer>,
    /// This open made the file.
    pub created: bool,
}

impl Open<'_> {
    /// Whether the file was to be opened for writing, perhaps among others.
    pub fn can_write(&self) -> bool {
        // `O_ACCMODE`: 0 is reading alone.
        self.flags & 3 != 0
    }
}

/// A connect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connect<'r> {
    /// The socket's file descriptor.
    pub fd: i32,
    /// What it connects, from the kernel's socket.
    pub socket: Option<Socket<'r>>,
    /// The destination as passed to the call, when it is an internet address.
    pub passed: Option<(IpAddr, u16)>,
    /// The path as passed to the call, when it is a unix address.
    pub passed_unix: Text<'r>,
}

/// A connected socket, as the kernel knows it.
#[derive(Clone, Copy, Debug)]
pub enum Socket<'r> {
    /// IPv4 or IPv6.
    Inet {
        /// Our end.
        local: (IpAddr, u16),
        /// The other end.
        remote: (IpAddr, u16),
        /// `IPPROTO_*`.
        protocol: u16,
        /// `SOCK_*`.
        socket_type: u16,
    },
    /// A unix socket.
    Unix {
        /// The peer's path; an abstract name starts with NUL.
        path: Text<'r>,
        /// Kernel addresses of our and the other socket, 0 when there is none.
        pointers: (u64, u64),
        /// `SOCK_*`.
        socket_type: u16,
    },
    /// Any other family.
    Other {
        /// `AF_*`.
        family: u16,
    },
}

/// A cgroup came into being.
#[derive(Clone, Copy, Debug)]
pub struct CgroupCreated<'r> {
    /// Its id.
    pub cgroup: CgroupId,
    /// Its path from the root of its hierarchy.
    pub path: Text<'r>,
}
