//! What the `fd.*` fields of an event are about.

use super::Context;
use super::connection::{self, Connection};
use crate::event::table::EventDescriptor;
use crate::event::table::flags::{self, names_of_choice};
use crate::event::{Call, File, KernelPath, Object, Open, Payload};

/// `S_IFMT` and the types of files.
const TYPE_MASK: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const PIPE: u32 = 0o010_000;

/// What a descriptor stands for.
#[derive(Clone, Copy)]
pub(super) enum Subject<'c> {
    /// The file of an open, or the one that it failed to open.
    Opened(&'c Open<'c>),
    /// A file, or what looks like one.
    File(&'c File<'c>),
    /// The directory that a path starts from.
    Directory(&'c KernelPath<'c>),
    /// A socket.
    Socket(Connection<'c>),
}

/// What the event's descriptor stands for; `None` if it has none, or it is not open.
pub(super) fn subject<'c>(context: &Context<'c>) -> Option<Subject<'c>> {
    match &context.event.payload {
        Payload::Open(open) => Some(Subject::Opened(open)),
        Payload::Connect(_) => connection::of(context).map(Subject::Socket),
        Payload::Call(call) => match definition_descriptor(context)? {
            EventDescriptor::None | EventDescriptor::Gone(_) => None,
            EventDescriptor::Result if !makes_descriptor(context, call) => None,
            EventDescriptor::Directory(_) => {
                let base = call.paths[0].as_ref()?.base.as_ref()?;
                // The working directory is no descriptor.
                (number(context)? >= 0).then_some(Subject::Directory(base))
            }
            EventDescriptor::Argument(_) | EventDescriptor::Result => match call.object.as_ref()? {
                Object::File(file) => Some(Subject::File(file)),
                Object::Socket { .. } => connection::of(context).map(Subject::Socket),
            },
        },
        _ => None,
    }
}

/// Whether a call that can return a descriptor returned one: most commands of bpf return something else.
fn makes_descriptor(context: &Context<'_>, call: &Call<'_>) -> bool {
    context.event.event_type.name() != "bpf"
        || names_of_choice(&flags::BPF, call.arguments[0])
            .split('|')
            .any(|command| {
                matches!(
                    command,
                    "BPF_MAP_CREATE"
                        | "BPF_PROG_LOAD"
                        | "BPF_OBJ_GET"
                        | "BPF_RAW_TRACEPOINT_OPEN"
                        | "BPF_BTF_LOAD"
                        | "BPF_LINK_CREATE"
                        | "BPF_ENABLE_STATS"
                        | "BPF_ITER_CREATE"
                ) || command.ends_with("_GET_FD_BY_ID")
            })
}

fn definition_descriptor(context: &Context<'_>) -> Option<EventDescriptor> {
    Some(context.event.event_type.definition()?.descriptor)
}

/// The descriptor's number, -1 for one that was not made; `None` if the event has none.
pub(super) fn number(context: &Context<'_>) -> Option<i64> {
    let result = context.origin().result;
    match &context.event.payload {
        Payload::Open(_) => result.map(|result| result.max(-1)),
        Payload::Connect(connect) => Some(i64::from(connect.fd)),
        Payload::Call(call) => match definition_descriptor(context)? {
            EventDescriptor::None => None,
            EventDescriptor::Argument(argument)
            | EventDescriptor::Gone(argument)
            | EventDescriptor::Directory(argument) => {
                let value = call.arguments.get(usize::from(argument).checked_sub(1)?)?;
                Some(descriptor_number(*value))
            }
            EventDescriptor::Result => result.map(|result| result.max(-1)),
        },
        _ => None,
    }
}

/// A descriptor is an `int`, whatever the upper half of the register holds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is the number"
)]
pub(super) fn descriptor_number(register: u64) -> i64 {
    i64::from(register as i32)
}

/// What a file is, by its type and, for one without a place in the tree, by the name that the kernel
/// gives it: `fd.type` and `fd.typechar`.
pub(super) fn file_kind(file: &File<'_>) -> (&'static str, &'static str) {
    match file.inode_mode & TYPE_MASK {
        DIRECTORY => return ("directory", "d"),
        PIPE => return ("pipe", "p"),
        _ => {}
    }
    let Some(path) = file.path.filter(|path| path.detached) else {
        return ("file", "f");
    };
    let name = path.leaf();
    let starts = |start: &[u8]| name.starts_with(start);
    if starts(b"memfd:") {
        ("memfd", "m")
    } else if starts(b"[eventfd]") {
        ("event", "e")
    } else if starts(b"[eventpoll]") {
        ("eventpoll", "l")
    } else if starts(b"[signalfd]") {
        ("signalfd", "s")
    } else if starts(b"[timerfd]") {
        ("timerfd", "t")
    } else if starts(b"inotify") || starts(b"[inotify]") {
        ("inotify", "i")
    } else if starts(b"bpf") || starts(b"[bpf") {
        ("bpf", "b")
    } else if starts(b"[userfaultfd]") {
        ("userfaultfd", "u")
    } else if starts(b"[io_uring]") {
        ("io_uring", "r")
    } else if starts(b"[pidfd]") {
        ("pidfd", "P")
    } else {
        ("file", "f")
    }
}

/// Whether a directory was opened: known from the inode, not only from the flags as in Falco.
pub(super) fn is_directory(inode_mode: u32) -> bool {
    inode_mode & TYPE_MASK == DIRECTORY
}

/// The kernel's name of a file: its path, or what stands for one that has none.
pub(super) fn kernel_name(path: &KernelPath<'_>) -> Vec<u8> {
    let mut name = path.to_vec();
    // A memfd's name is all that there is of its path; the slash is how paths show it.
    if path.detached && name.starts_with(b"memfd:") {
        name.insert(0, b'/');
    }
    name
}
