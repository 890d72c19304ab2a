//! The event table: every event that a rule can name and the sensor can deliver, with the system call
//! behind it, its parameters and where each comes from.
//!
//! What the kernel side captures of a call, what the decoder gives, `evt.arg`, `peregrine events` and
//! the list of programs to attach all come from here: an event is one entry.

mod attribute;
mod commands;
mod core;
mod file;
pub mod flags;
pub mod foreign;
mod generic;
mod input_output;
mod kernel_event;
mod memory;
mod network;
mod process;
mod quota;
mod system;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use agent_ebpf::{Capture, CaptureProgram};

pub use commands::Commands;
pub use flags::FlagTable;

/// One kind of event.
#[derive(Debug)]
pub struct EventDefinition {
    /// The name in the rule language.
    pub name: &'static str,
    /// The number of the system call whose exit it is; `None` for what is none.
    pub syscall: Option<u32>,
    /// The name of the call in the kernel's `sys_exit_*` tracepoints.
    pub tracepoint: &'static str,
    /// What `evt.category` says.
    pub category: Category,
    /// How data flows, for `evt.is_io` and its like.
    pub flow: Flow,
    /// The descriptor that the `fd.*` fields are about.
    pub descriptor: EventDescriptor,
    /// The data that is moved, for `evt.buffer`.
    pub buffer: Option<Buffer>,
    /// The argument with a socket address, and the one with its length.
    pub address: Option<(u8, u8)>,
    /// The argument with a listening socket.
    pub queue: Option<u8>,
    /// Descriptors in memory.
    pub listed: Option<ListIn>,
    /// The parameters in their order.
    pub parameters: &'static [Parameter],
    /// How the event is seen.
    pub seen_by: SeenBy,
}

/// How an event is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// A program of its own records it.
    OwnProgram,
    /// The exit of its system call, captured as its entry says.
    Capture,
    /// Programs at these tracepoints record it, under this number in the place of a system call's.
    Tracepoints(&'static [&'static str], u32),
}

/// What `evt.category` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "named after the categories of the rule language"
)]
pub enum Category {
    File,
    Net,
    Ipc,
    Memory,
    Process,
    Sleep,
    System,
    Signal,
    User,
    Time,
    Wait,
    Scheduler,
    IoRead,
    IoWrite,
    IoOther,
    Other,
}

impl Category {
    /// The name as `evt.category` has it; what moves data takes that of its descriptor there.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Net => "net",
            Self::Ipc => "IPC",
            Self::Memory => "memory",
            Self::Process => "process",
            Self::Sleep => "sleep",
            Self::System => "system",
            Self::Signal => "signal",
            Self::User => "user",
            Self::Time => "time",
            Self::Wait => "wait",
            Self::Scheduler => "scheduler",
            Self::IoRead => "IO read",
            Self::IoWrite => "IO write",
            Self::IoOther => "IO other",
            Self::Other => "other",
        }
    }
}

/// How data flows in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// It does not.
    #[default]
    None,
    /// From the descriptor.
    Read,
    /// To the descriptor.
    Write,
    /// From one descriptor to another.
    Both,
    /// The call waits for something.
    Wait,
}

/// Which descriptor the `fd.*` fields are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventDescriptor {
    /// None.
    #[default]
    None,
    /// The one in this argument (from 1).
    Argument(u8),
    /// The one that the call made.
    Result,
    /// The one in this argument, which is closed when the call ends: what it stood for cannot be told.
    Gone(u8),
    /// The directory in this argument, which a relative path starts from.
    Directory(u8),
}

/// Data that a call moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    /// A plain buffer: the argument with its address, and the one with its length.
    Plain(u8, u8),
    /// An array of `struct iovec`: the arguments with its address and number.
    Vector(u8, u8),
    /// A `struct msghdr`: the argument with its address.
    Message(u8),
    /// An array of `struct mmsghdr`: the argument with its address. The result is their number.
    Messages(u8),
}

/// Descriptors that a call has in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListIn {
    /// `struct pollfd`s: the arguments with their address and number.
    Polled(u8, u8),
    /// Two that the call made: the argument with their address.
    Pair(u8),
}

/// A parameter of an event: what `evt.arg.NAME` is.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// What it is, which decides how it is shown.
    pub kind: Kind,
    /// Where its value comes from.
    pub source: Source,
    /// The commands of the call in which it means something; `None` for all.
    pub commands: Option<&'static Commands>,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A return value: a number, or the name of an error.
    Outcome,
    /// A file descriptor; shown with what it stands for.
    Descriptor,
    /// A process or thread id; shown with its name.
    Process,
    /// A user id; shown as a name.
    User,
    /// A group id; shown as a name.
    Group,
    /// Text.
    Text,
    /// A path; shown absolute.
    Path,
    /// Bytes.
    Bytes,
    /// A number, shown in this base.
    Unsigned(Base),
    /// A number with a sign, of this many bits.
    Signed(u8),
    /// A set of flags.
    Flags(&'static FlagTable),
    /// One of several numbers with names.
    Enumeration(&'static FlagTable),
    /// Permission bits.
    Mode,
    /// A socket address.
    Address,
    /// Both ends of a socket.
    Tuple,
    /// ns.
    Duration,
    /// A signal's number.
    Signal,
    /// A set of signals, a bit each.
    SignalSet,
    /// A list of descriptors with what a poll found of each.
    Descriptors,
}

/// In which base a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// 10.
    Decimal,
    /// 16.
    Hexadecimal,
    /// 8.
    Octal,
}

/// Where a parameter's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The return value.
    Result,
    /// The argument at this position (from 1).
    Argument(u8),
    /// The path that an argument points to, relative to the directory in another argument; to the
    /// working directory where that is 0.
    Path(u8, u8),
    /// The string that an argument points to.
    Text(u8),
    /// A number of some bytes in the memory that an argument points to: argument, offset, bytes.
    Memory(u8, u8, u8),
    /// So many bits of an argument: argument, the first bit, their number.
    Bits(u8, u8, u8),
    /// The data that is moved.
    Buffer,
    /// The same, as long as this argument, an `int`, says.
    BufferOf(u8),
    /// The descriptors in memory.
    Listed,
    /// The inode of the first of the descriptors in memory.
    InodeOfListed,
    /// The kernel's address of the socket that the descriptor at this position (from 0) of those in memory stands for.
    SocketOfListed(u8),
    /// The queue of the listening socket.
    Queue(QueueNumber),
    /// Control data that came with a message.
    Control,
    /// The number of bytes that the call was asked to move, of a vector or message.
    RequestedSize,
    /// The socket address passed.
    Address,
    /// Both ends of the socket.
    Tuple,
    /// The number of the system call.
    CallNumber,
    /// The value of a field.
    Field(&'static str),
    /// The event's own program records it; the fields that give it know how.
    Own,
    /// It cannot be seen, for this reason.
    Unseen(&'static str),
}

/// What there is to tell of a listening socket's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueNumber {
    /// How many connections wait.
    Length,
    /// How many may wait.
    Limit,
    /// The first in percent of the second.
    Share,
}

impl EventDefinition {
    const NEW: Self = Self {
        name: "",
        syscall: None,
        tracepoint: "",
        category: Category::Other,
        flow: Flow::None,
        descriptor: EventDescriptor::None,
        buffer: None,
        address: None,
        queue: None,
        listed: None,
        parameters: &[],
        seen_by: SeenBy::Capture,
    };

    /// A system call with its parameters.
    const fn call(
        name: &'static str,
        syscall: libc::c_long,
        category: Category,
        parameters: &'static [Parameter],
    ) -> Self {
        Self {
            name,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "numbers of system calls are small"
            )]
            syscall: Some(syscall as u32),
            tracepoint: name,
            category,
            parameters,
            ..Self::NEW
        }
    }

    /// With the name that the kernel's tracepoint has.
    const fn traced_as(self, tracepoint: &'static str) -> Self {
        Self { tracepoint, ..self }
    }

    const fn about(self, descriptor: EventDescriptor) -> Self {
        Self { descriptor, ..self }
    }

    /// About the descriptor in this argument.
    const fn fd(self, argument: u8) -> Self {
        self.about(EventDescriptor::Argument(argument))
    }

    /// About the descriptor that it returns.
    const fn makes_fd(self) -> Self {
        self.about(EventDescriptor::Result)
    }

    /// About the directory in this argument.
    const fn directory(self, argument: u8) -> Self {
        self.about(EventDescriptor::Directory(argument))
    }

    const fn flow(self, flow: Flow) -> Self {
        Self { flow, ..self }
    }

    const fn moves(self, buffer: Buffer) -> Self {
        Self {
            buffer: Some(buffer),
            ..self
        }
    }

    const fn address(self, address: u8, length: u8) -> Self {
        Self {
            address: Some((address, length)),
            ..self
        }
    }

    /// With the queue of the listening socket in this argument.
    const fn queue(self, argument: u8) -> Self {
        Self {
            queue: Some(argument),
            ..self
        }
    }

    const fn lists(self, listed: ListIn) -> Self {
        Self {
            listed: Some(listed),
            ..self
        }
    }

    /// The position of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|one| one.name == name)
    }

    /// What the kernel side has to capture of the call.
    pub fn capture(&self) -> Capture {
        let mut capture = Capture::default();
        let mut paths = capture.paths.iter_mut();
        let mut texts = capture.texts.iter_mut();
        for parameter in self.parameters {
            match parameter.source {
                Source::Path(argument, directory) => {
                    if let Some(slot) = paths.next() {
                        slot.argument = argument;
                        slot.directory = directory;
                    }
                }
                Source::Text(argument) => {
                    if let Some(slot) = texts.next() {
                        *slot = argument;
                    }
                }
                Source::Memory(argument, offset, bytes) => {
                    let slot = capture
                        .memory
                        .iter_mut()
                        .find(|slot| slot.argument == 0 || slot.argument == argument);
                    if let Some(slot) = slot {
                        slot.argument = argument;
                        slot.length = slot.length.max(offset + bytes);
                        let valid = parameter.commands.and_then(|commands| commands.valid);
                        slot.length = slot.length.max(valid.map_or(0, |(offset, _)| offset + 4));
                    }
                }
                _ => {}
            }
        }
        capture.descriptor = match self.descriptor {
            EventDescriptor::None | EventDescriptor::Gone(_) => 0,
            EventDescriptor::Argument(argument) => argument,
            EventDescriptor::Result => agent_ebpf::RESULT,
            EventDescriptor::Directory(_) => {
                capture.always_base = 1;
                0
            }
        };
        match self.buffer {
            None => {}
            Some(Buffer::Plain(address, length)) => {
                capture.buffer_kind = agent_ebpf::BUFFER_PLAIN;
                (capture.buffer, capture.buffer_length) = (address, length);
            }
            Some(Buffer::Vector(address, number)) => {
                capture.buffer_kind = agent_ebpf::BUFFER_VECTOR;
                (capture.buffer, capture.buffer_length) = (address, number);
            }
            Some(Buffer::Message(address)) => {
                capture.buffer_kind = agent_ebpf::BUFFER_MESSAGE;
                capture.buffer = address;
            }
            Some(Buffer::Messages(address)) => {
                capture.buffer_kind = agent_ebpf::BUFFER_MESSAGES;
                capture.buffer = address;
            }
        }
        capture.is_read = u8::from(self.flow == Flow::Read);
        if let Some((address, length)) = self.address {
            (capture.address, capture.address_length) = (address, length);
        }
        capture.queue = self.queue.unwrap_or(0);
        (capture.listed, capture.listed_number) = match self.listed {
            None => (0, 0),
            Some(ListIn::Polled(address, number)) => (address, number),
            Some(ListIn::Pair(address)) => (address, 0),
        };
        capture
    }

    /// Which of the capturing programs can do it.
    pub fn program(&self) -> CaptureProgram {
        let capture = self.capture();
        if capture.paths[0].argument != 0 {
            CaptureProgram::Path
        } else if capture.listed != 0 {
            CaptureProgram::List
        } else if capture.descriptor != 0 || capture.buffer != 0 || capture.address != 0 {
            CaptureProgram::Descriptor
        } else {
            CaptureProgram::Plain
        }
    }
}

/// A parameter.
const fn parameter(name: &'static str, kind: Kind, source: Source) -> Parameter {
    Parameter {
        name,
        kind,
        source,
        commands: None,
    }
}

impl Parameter {
    /// Which means something in these commands only.
    const fn in_commands(self, commands: &'static Commands) -> Self {
        Self {
            commands: Some(commands),
            ..self
        }
    }
}

/// `res`: the return value.
const RES: Parameter = parameter("res", Kind::Outcome, Source::Result);
/// `fd`: the descriptor that the call returns.
const NEW_FD: Parameter = parameter("fd", Kind::Descriptor, Source::Result);

const fn fd(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Descriptor, Source::Argument(argument))
}

const fn number(name: &'static str, argument: u8) -> Parameter {
    let kind = Kind::Unsigned(Base::Decimal);
    parameter(name, kind, Source::Argument(argument))
}

const fn hex(name: &'static str, argument: u8) -> Parameter {
    let kind = Kind::Unsigned(Base::Hexadecimal);
    parameter(name, kind, Source::Argument(argument))
}

/// A 32-bit number with a sign.
const fn int(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Signed(32), Source::Argument(argument))
}

/// A 64-bit number with a sign.
const fn long(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Signed(64), Source::Argument(argument))
}

const fn pid(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Process, Source::Argument(argument))
}

const fn uid(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::User, Source::Argument(argument))
}

const fn gid(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Group, Source::Argument(argument))
}

const fn signal(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Signal, Source::Argument(argument))
}

/// A path relative to the working directory.
const fn path(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Path, Source::Path(argument, 0))
}

/// A path relative to the directory in another argument.
const fn path_at(name: &'static str, argument: u8, directory: u8) -> Parameter {
    parameter(name, Kind::Path, Source::Path(argument, directory))
}

const fn text(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Text, Source::Text(argument))
}

const fn flags(name: &'static str, argument: u8, table: &'static FlagTable) -> Parameter {
    parameter(name, Kind::Flags(table), Source::Argument(argument))
}

const fn choice(name: &'static str, argument: u8, table: &'static FlagTable) -> Parameter {
    parameter(name, Kind::Enumeration(table), Source::Argument(argument))
}

const fn mode(name: &'static str, argument: u8) -> Parameter {
    parameter(name, Kind::Mode, Source::Argument(argument))
}

/// A number in the memory that an argument points to.
const fn memory(name: &'static str, kind: Kind, argument: u8, offset: u8, bytes: u8) -> Parameter {
    parameter(name, kind, Source::Memory(argument, offset, bytes))
}

const fn field(name: &'static str, kind: Kind, field: &'static str) -> Parameter {
    parameter(name, kind, Source::Field(field))
}

const fn own(name: &'static str, kind: Kind) -> Parameter {
    parameter(name, kind, Source::Own)
}

const fn unseen(name: &'static str, kind: Kind, reason: &'static str) -> Parameter {
    parameter(name, kind, Source::Unseen(reason))
}

const DECIMAL: Kind = Kind::Unsigned(Base::Decimal);
const HEX: Kind = Kind::Unsigned(Base::Hexadecimal);
const DATA: Parameter = parameter("data", Kind::Bytes, Source::Buffer);
const TUPLE: Parameter = parameter("tuple", Kind::Tuple, Source::Tuple);
const REQUESTED_SIZE: Parameter = parameter("size", DECIMAL, Source::RequestedSize);

/// Whether an event is so frequent that a rule gets it only by its name: reading and writing, as in
/// Falco, and what a CPU does some thousand times a second.
pub fn is_high_volume(name: &str) -> bool {
    matches!(
        name,
        "read"
            | "readv"
            | "pread"
            | "preadv"
            | "recv"
            | "write"
            | "writev"
            | "pwrite"
            | "pwritev"
            | "send"
            | "sendfile"
            | "switch"
            | "page_fault"
    )
}

/// Every event, those of [`core`] first: their positions are constants of
/// [`EventType`](super::EventType).
pub(super) static EVENTS: LazyLock<Vec<&'static EventDefinition>> = LazyLock::new(|| {
    [
        core::EVENTS,
        file::EVENTS,
        input_output::EVENTS,
        network::EVENTS,
        process::EVENTS,
        memory::EVENTS,
        system::EVENTS,
        kernel_event::EVENTS,
        attribute::EVENTS,
        generic::EVENTS,
    ]
    .into_iter()
    .flatten()
    .collect()
});
