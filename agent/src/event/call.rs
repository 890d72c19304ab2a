//! A system call in general: its arguments, and what they point to.

use std::net::IpAddr;

use agent_ebpf::LISTED_ENTRY;

use super::{KernelPath, Socket, Text};

/// A system call as its exit was recorded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'r> {
    /// The six arguments as they were in the registers.
    pub arguments: [u64; 6],
    /// Bytes that the call was asked to move.
    pub requested: u64,
    /// The paths that arguments point to, in the order of the parameters.
    pub paths: [Option<CallPath<'r>>; 2],
    /// The strings that arguments point to, in the order of the parameters.
    pub texts: [Option<Text<'r>>; 3],
    /// Memory that arguments point to, in the order of the parameters.
    pub memory: [Option<&'r [u8]>; 3],
    /// The start of the data that was moved.
    pub buffer: Option<Text<'r>>,
    /// The socket address that was passed.
    pub address: Option<SocketAddress<'r>>,
    /// What the event's descriptor stands for.
    pub object: Option<Object<'r>>,
    /// The queue of the listening socket.
    pub queue: Option<Queue>,
    /// The control data that came with a message.
    pub control: Option<Text<'r>>,
    /// The descriptors that stand in memory.
    pub listed: Listed<'r>,
}

/// Connections that wait at a listening socket to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many there are.
    pub length: u32,
    /// How many there may be.
    pub limit: u32,
}

/// Descriptors in a call's memory, as their sections of the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listed<'r> {
    /// The sections, each entry's before the next.
    pub(super) sections: &'r [u8],
    /// There were more entries, or some could not be read.
    pub truncated: bool,
}

/// One of several descriptors.
#[derive(Clone, Copy, Debug)]
pub struct ListedDescriptor<'r> {
    /// Memory: the descriptor, and the rest of a `struct pollfd`.
    pub(super) entry: [u8; LISTED_ENTRY],
    /// What it stands for.
    pub object: Option<Object<'r>>,
}

impl ListedDescriptor<'_> {
    /// The descriptor.
    pub fn number(&self) -> i32 {
        let [one, two, three, four, ..] = self.entry;
        i32::from_ne_bytes([one, two, three, four])
    }

    /// What a poll found: `POLL*`.
    pub fn returned(&self) -> u16 {
        let [.., one, two] = self.entry;
        u16::from_ne_bytes([one, two])
    }
}

/// A path that an argument points to.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallPath<'r> {
    /// As passed.
    pub path: Text<'r>,
    /// The directory that a relative path starts from.
    pub base: Option<KernelPath<'r>>,
    /// What the kernel found under it: no symlink is left in it, and no other thread can have changed it. Absent where
    /// the kernel does not tell.
    pub used: Option<KernelPath<'r>>,
}

/// A socket address in a call's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAddress<'r> {
    /// An internet address with its port.
    Inet(IpAddr, u16),
    /// A unix address; an abstract name starts with NUL.
    Unix(Text<'r>),
    /// Of another family: `AF_*`.
    Other(u16),
}

/// What a file descriptor stands for.
#[derive(Clone, Copy, Debug)]
pub enum Object<'r> {
    /// A file, directory, pipe, or something that looks like a file.
    File(File<'r>),
    /// A socket.
    Socket {
        /// Its ends.
        socket: Socket<'r>,
        /// `TCP_*`: the state of a connection.
        state: u16,
        /// The path that a unix socket is bound to.
        own_path: Text<'r>,
        /// Inode number.
        inode: u64,
    },
}

/// An open file.
#[derive(Clone, Copy, Debug, Default)]
pub struct File<'r> {
    /// Its path from the process's root.
    pub path: Option<KernelPath<'r>>,
    /// `i_mode`: type and permission bits.
    pub inode_mode: u32,
    /// `O_*` of the open file.
    pub flags: u32,
    /// Device number as the kernel encodes it internally (20 bits of minor).
    pub device: u32,
    /// Inode number.
    pub inode: u64,
}
