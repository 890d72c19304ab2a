//! What the programs that record system calls in general take down of each.

/// The number that stands for a call's result where the number of an argument is expected (from 1).
pub const RESULT: u8 = 7;

/// No buffer.
pub const BUFFER_NONE: u8 = 0;
/// A plain buffer with its length.
pub const BUFFER_PLAIN: u8 = 1;
/// An array of `struct iovec` and its length.
pub const BUFFER_VECTOR: u8 = 2;
/// A `struct msghdr`.
pub const BUFFER_MESSAGE: u8 = 3;
/// An array of `struct mmsghdr`: a record for each message that was moved, up to [`MAX_MESSAGES`].
pub const BUFFER_MESSAGES: u8 = 4;

/// Messages of one call that are recorded; the first that is not is counted as lost.
pub const MAX_MESSAGES: u64 = 8;

/// Descriptors of one call that are looked up; that there were more is noted. As many as a program with some dozens of
/// connections waits for, and no more than a reader of an alert takes in: each costs a microsecond or so.
pub const MAX_LISTED: u64 = 64;

/// Bytes of a list's entry, `struct pollfd`, at most.
pub const LISTED_ENTRY: usize = 8;

/// Calls that succeed are recorded.
pub const RECORD_SUCCESS: u8 = 1;
/// Calls that fail are recorded.
pub const RECORD_FAILURE: u8 = 2;

/// System calls of which the programs can know: numbers below this.
pub const SYSCALLS: u32 = 512;

/// What stands in the place of a system call's number in a record of a delivered signal.
pub const SIGNAL_DELIVER: u32 = SYSCALLS;
/// The same of a CPU's switch to another thread.
pub const SWITCH: u32 = SYSCALLS + 1;
/// The same of a page fault.
pub const PAGE_FAULT: u32 = SYSCALLS + 2;
/// Such numbers are below this.
pub const RECORD_NUMBERS: u32 = SYSCALLS + 3;

/// The programs that record system calls in general.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureProgram {
    /// Arguments, strings and memory only.
    Plain,
    /// Paths besides.
    Path,
    /// A descriptor, data and a socket address besides.
    Descriptor,
    /// Descriptors that stand in memory besides.
    List,
}

impl CaptureProgram {
    /// The program's name in the object.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "sys_exit_plain",
            Self::Path => "sys_exit_path",
            Self::Descriptor => "sys_exit_descriptor",
            Self::List => "sys_exit_list",
        }
    }
}

/// A path among the arguments.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCapture {
    /// The argument that points to it, from 1; 0 for none.
    pub argument: u8,
    /// The argument with the directory that it is relative to; 0 for the working directory.
    pub directory: u8,
}

/// Memory that an argument points to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryCapture {
    /// The argument, from 1; 0 for none.
    pub argument: u8,
    /// Bytes.
    pub length: u8,
}

/// What to take down of one system call. Arguments count from 1, so that 0 means none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// A set of [`RECORD_SUCCESS`], [`RECORD_FAILURE`].
    pub outcomes: u8,
    /// 1: the directory is recorded even if the path is absolute.
    pub always_base: u8,
    /// Paths.
    pub paths: [PathCapture; 2],
    /// Strings.
    pub texts: [u8; 3],
    /// Memory.
    pub memory: [MemoryCapture; 3],
    /// The descriptor that the event is about: an argument or [`RESULT`].
    pub descriptor: u8,
    /// `BUFFER_*`
    pub buffer_kind: u8,
    /// The argument with the buffer.
    pub buffer: u8,
    /// The argument with its length.
    pub buffer_length: u8,
    /// 1: the data is what the call returned, as long as its result says.
    pub is_read: u8,
    /// The argument with a socket address.
    pub address: u8,
    /// The argument with its length.
    pub address_length: u8,
    /// The argument with a listening socket, whose queue is recorded.
    pub queue: u8,
    /// The argument that points to descriptors in memory; 0 if nothing asks for them.
    pub listed: u8,
    /// The argument with their number, if they are `struct pollfd`s; 0: they are the two that the call made.
    pub listed_number: u8,
    /// Which security hook of the kernel tells what the call used: one of `HOOK_*`.
    pub hook: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Capture>() == 28);

/// [`Capture::hook`]: none, or it cannot be asked.
pub const HOOK_NONE: u8 = 0;
/// Something is removed.
pub const HOOK_REMOVE: u8 = 1;
/// A directory is made.
pub const HOOK_MKDIR: u8 = 2;
/// Something is renamed.
pub const HOOK_RENAME: u8 = 3;
/// A hard link is made.
pub const HOOK_LINK: u8 = 4;
/// A symbolic link is made.
pub const HOOK_SYMLINK: u8 = 5;
/// A file, device or pipe is made.
pub const HOOK_MKNOD: u8 = 6;
/// Permissions are changed.
pub const HOOK_CHMOD: u8 = 7;
/// The owner is changed.
pub const HOOK_CHOWN: u8 = 8;
/// The root directory is changed.
pub const HOOK_CHROOT: u8 = 9;
/// Something is mounted.
pub const HOOK_MOUNT: u8 = 10;
/// Something is unmounted.
pub const HOOK_UMOUNT: u8 = 11;
/// A message is sent.
pub const HOOK_SENDMSG: u8 = 12;

/// What a system call of another ABI stands for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForeignCall {
    /// The number of the same call in the 64-bit ABI.
    pub number: u16,
    /// The program that records it, from 1, as an index into the table of programs; 0 for none.
    /// [`FOREIGN_SOCKETCALL`] and [`FOREIGN_IPC`] stand for the call that its first argument names.
    pub program: u8,
    /// A set of [`REARRANGED`] and [`IN_MEMORY`].
    pub flags: u8,
    /// Where each argument of the 64-bit call comes from, if it is [`REARRANGED`]: the position among the
    /// words of the foreign call, and one of [`WORD`], [`NARROW`], [`PAGES`], or, for the upper half of 64 bits,
    /// [`UPPER`] with the position of another word.
    pub sources: [u8; 6],
    /// Zero.
    pub reserved: [u8; 2],
}

/// [`ForeignCall::program`]: i386's socketcall(2), whose arguments are in memory.
pub const FOREIGN_SOCKETCALL: u8 = 255;
/// [`ForeignCall::program`]: i386's ipc(2).
pub const FOREIGN_IPC: u8 = 254;

/// [`ForeignCall::flags`]: the arguments are not those of the 64-bit call, but [`ForeignCall::sources`].
pub const REARRANGED: u8 = 1;
/// [`ForeignCall::flags`]: the only argument is the address of the arguments.
pub const IN_MEMORY: u8 = 2;

/// [`ForeignCall::sources`]: the position of a word that is always zero.
pub const NOTHING: u8 = 6;
/// [`ForeignCall::sources`]: the word as it is.
pub const WORD: u8 = NOTHING << 4;
/// [`ForeignCall::sources`]: the word is an id of 16 bits, of which all ones stand for -1.
pub const NARROW: u8 = 8 << 4;
/// [`ForeignCall::sources`]: the word counts pages of 4 KiB.
pub const PAGES: u8 = 9 << 4;
/// [`ForeignCall::sources`]: the upper half is the word at this position times this.
pub const UPPER: u8 = 1 << 4;

/// Numbers of i386 come first in the table of foreign calls, from here those of x32, from here those of
/// socketcall(2), from here those of ipc(2).
pub const FOREIGN_X32: u32 = 512;
/// See [`FOREIGN_X32`].
pub const FOREIGN_SOCKET: u32 = 1088;
/// See [`FOREIGN_X32`].
pub const FOREIGN_IPCS: u32 = 1120;
/// Entries of the table.
pub const FOREIGN_CALLS: u32 = 1152;

/// The programs for foreign calls, in the order of their numbers in [`ForeignCall::program`].
pub const FOREIGN_PROGRAMS: [&str; 11] = [
    "foreign_open",
    "foreign_connect",
    "foreign_execve",
    "foreign_execveat",
    "foreign_plain",
    "foreign_path",
    "foreign_descriptor",
    "foreign_list",
    "foreign_chdir",
    "foreign_chdir_plain",
    "foreign_chdir_descriptor",
];

/// The programs that make the records of operations of `io_uring` where tracepoints tell of them: they follow those of
/// foreign calls in the table of programs.
pub const RING_PROGRAMS: [&str; 6] = [
    "ring_open",
    "ring_connect",
    "ring_call",
    "ring_network",
    "ring_read_write",
    "ring_plain",
];
/// The place of the first of [`RING_PROGRAMS`].
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
pub const RING_OPEN: u32 = FOREIGN_PROGRAMS.len() as u32;
/// The place of the second.
pub const RING_CONNECT: u32 = RING_OPEN + 1;
/// The place of the third.
pub const RING_CALL: u32 = RING_OPEN + 2;
/// The place of the fourth.
pub const RING_NETWORK: u32 = RING_OPEN + 3;
/// The place of the fifth.
pub const RING_READ_WRITE: u32 = RING_OPEN + 4;
/// The place of the sixth.
pub const RING_PLAIN: u32 = RING_OPEN + 5;
/// Places of the table of programs.
pub const CALLED_PROGRAMS: u32 = RING_PLAIN + 1;
