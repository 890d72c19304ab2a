//! `evt.arg`, `evt.rawarg` and `evt.args`: the parameters of an event, by the table of events.

use std::io::Write;

use super::call_path::{absolute, path_of};
use super::connection::{self, write_unix_path};
use super::descriptor::{self, descriptor_number};
use super::errno::errno_name;
use super::flags::{exec_flags, open_flags};
use super::{Context, FieldArgument, Value, fd, listed, proc};
use crate::event::table::flags::{self, names, names_of_choice};
use crate::event::table::{Base, EventDescriptor, Kind, Parameter, QueueNumber, Source};
use crate::event::{Call, Gid, Open, Payload, Pid, SocketAddress, Uid};

/// What Falco prints for what it does not know.
const UNKNOWN: &[u8] = b"<NA>";

/// `evt.arg.NAME` and `evt.arg[N]`: a parameter as text.
pub(super) fn argument<'c>(context: &Context<'c>, argument: &FieldArgument) -> Option<Value<'c>> {
    let parameter = parameter(context, argument)?;
    shown(context, parameter)
}

/// `evt.rawarg.NAME`: a parameter in its own type.
pub(super) fn raw_argument<'c>(
    context: &Context<'c>,
    argument: &FieldArgument,
) -> Option<Value<'c>> {
    raw(context, parameter(context, argument)?)
}

/// `evt.args`: all parameters that have a value, with what they stand for in parentheses.
pub(super) fn all(context: &Context<'_>) -> Option<Value<'static>> {
    let definition = context.event.event_type.definition()?;
    let mut text = Vec::new();
    for parameter in definition.parameters {
        let Some(shown) = shown(context, parameter) else {
            continue;
        };
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(parameter.name.as_bytes());
        text.push(b'=');
        let plain = match parameter.kind {
            // Numbers in binary.
            Kind::Descriptors => None,
            kind => raw(context, parameter).map(|value| plain_text(kind, &value)),
        };
        let shown = plain_text(parameter.kind, &shown);
        match plain {
            Some(plain) if plain != shown => {
                text.extend_from_slice(&plain);
                text.push(b'(');
                text.extend_from_slice(&shown);
                text.push(b')');
            }
            _ => text.extend_from_slice(&shown),
        }
    }
    Some(Value::Bytes(text.into()))
}

fn parameter(context: &Context<'_>, argument: &FieldArgument) -> Option<&'static Parameter> {
    let definition = context.event.event_type.definition()?;
    match argument {
        FieldArgument::Key(name) => definition.parameter(name),
        FieldArgument::Index(index) => definition.parameters.get(usize::try_from(*index).ok()?),
        FieldArgument::None => None,
    }
}

fn owned<'c>(text: impl Into<String>) -> Value<'c> {
    Value::Bytes(text.into().into_bytes().into())
}

/// A value without its meaning: numbers in the base of their kind.
fn plain_text(kind: Kind, value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Bytes(text) => text.to_vec(),
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Uint(number) => match kind {
            Kind::Unsigned(Base::Hexadecimal) => format!("{number:x}").into_bytes(),
            Kind::Unsigned(Base::Octal) | Kind::Mode => octal(*number).into_bytes(),
            _ => number.to_string().into_bytes(),
        },
        Value::Bool(truth) => truth.to_string().into_bytes(),
        Value::Double(number) => number.to_string().into_bytes(),
        Value::Ip(address) => address.to_string().into_bytes(),
        Value::List(_) => Vec::new(),
    }
}

/// A parameter as `evt.arg` shows it.
fn shown<'c>(context: &Context<'c>, parameter: &Parameter) -> Option<Value<'c>> {
    if parameter.source == Source::Own {
        return own_shown(context, parameter.name);
    }
    if let Some(path) = path_of(context, parameter) {
        return Some(Value::Bytes(absolute(path, context.view).into()));
    }
    let value = raw(context, parameter)?;
    Some(match parameter.kind {
        Kind::Outcome => match value {
            Value::Int(result) if result < 0 => owned(errno_name(result)),
            other => as_text(parameter.kind, other),
        },
        Kind::Descriptor => shown_descriptor(context, parameter, &value)?,
        Kind::Process => match value {
            // The call's result is the child's id as its caller sees it.
            _ if let Payload::Fork(fork) = &context.event.payload
                && parameter.source == Source::Result =>
            {
                shown_process(context, i64::from(fork.child.pid.0))
            }
            Value::Int(result) if result < 0 && parameter.source == Source::Result => {
                owned(errno_name(result))
            }
            Value::Int(pid) => shown_process(context, pid),
            other => other,
        },
        Kind::User => match number(&value) {
            Some(id) => shown_id(id, context.names_of_ids().user_name(Uid(id))),
            None => value,
        },
        Kind::Group => match number(&value) {
            Some(id) => shown_id(id, context.names_of_ids().group_name(Gid(id))),
            None => value,
        },
        Kind::Flags(table) => shown_flags(&value, |number| names(table, number)),
        Kind::Mode => shown_flags(&value, |number| names(&flags::MODE, number)),
        Kind::Enumeration(table) => shown_flags(&value, |number| names_of_choice(table, number)),
        Kind::Signal => match &value {
            Value::Int(number) => {
                signal_name(*number).map_or_else(|| as_text(parameter.kind, value.clone()), owned)
            }
            _ => value,
        },
        Kind::SignalSet => match value {
            Value::Uint(set) => owned(signal_names(set)),
            other => other,
        },
        Kind::Descriptors => listed::shown(context)?,
        Kind::Text
        | Kind::Path
        | Kind::Bytes
        | Kind::Address
        | Kind::Tuple
        | Kind::Unsigned(_)
        | Kind::Signed(_)
        | Kind::Duration => as_text(parameter.kind, value),
    })
}

fn as_text(kind: Kind, value: Value<'_>) -> Value<'_> {
    match value {
        Value::Bytes(_) => value,
        other => Value::Bytes(plain_text(kind, &other).into()),
    }
}

fn number(value: &Value<'_>) -> Option<u32> {
    match value {
        Value::Uint(number) => u32::try_from(*number).ok(),
        // The login uid is -1 when nobody logged in.
        Value::Int(number) => u32::try_from(*number & 0xffff_ffff).ok(),
        _ => None,
    }
}

fn shown_id(id: u32, name: Option<&[u8]>) -> Value<'_> {
    match name {
        _ if id == u32::MAX => Value::text(b"<NONE>"),
        Some(name) => Value::text(name),
        None => Value::text(UNKNOWN),
    }
}

fn shown_flags<'c>(value: &Value<'c>, names: impl Fn(u64) -> String) -> Value<'c> {
    let Value::Uint(number) = value else {
        return value.clone();
    };
    let text = names(*number);
    owned(if text.is_empty() {
        number.to_string()
    } else {
        text
    })
}

/// A process by its name, if it is known.
fn shown_process<'c>(context: &Context<'c>, pid: i64) -> Value<'c> {
    let process = u32::try_from(pid)
        .ok()
        .filter(|pid| *pid != 0)
        .and_then(|pid| context.processes.by_pid(Pid(pid)));
    match process {
        Some(process) => Value::text(process.comm.as_bytes()),
        None => owned(pid.to_string()),
    }
}

/// A descriptor by what it stands for: `<f>/etc/passwd`.
fn shown_descriptor<'c>(
    context: &Context<'c>,
    parameter: &Parameter,
    value: &Value<'c>,
) -> Option<Value<'c>> {
    let Value::Int(number) = *value else {
        return Some(value.clone());
    };
    if number == i64::from(libc::AT_FDCWD) && parameter.source != Source::Result {
        return Some(Value::text(b"AT_FDCWD"));
    }
    let is_subject = match context.event.event_type.definition()?.descriptor {
        EventDescriptor::None | EventDescriptor::Gone(_) => false,
        EventDescriptor::Result => parameter.source == Source::Result,
        EventDescriptor::Argument(argument) | EventDescriptor::Directory(argument) => {
            parameter.source == Source::Argument(argument)
        }
    };
    let named = is_subject.then(|| fd::name_of(context)).flatten();
    let character = is_subject.then(|| fd::kind(context)).flatten();
    Some(match (named, character) {
        (Some(Value::Bytes(name)), Some((_, character))) => {
            let mut text = format!("<{character}>").into_bytes();
            text.extend_from_slice(&name);
            Value::Bytes(text.into())
        }
        // What is in the table of a ring only has a name and no number.
        _ if number < 0 => owned(errno_name(number)),
        _ => owned(number.to_string()),
    })
}

/// The directory that an open starts from: known where the path is relative.
fn shown_directory<'c>(open: &Open<'_>) -> Value<'c> {
    if open.directory == libc::AT_FDCWD {
        return Value::text(b"AT_FDCWD");
    }
    match &open.base {
        Some(base) => Value::Bytes([b"<d>", base.to_vec().as_slice()].concat().into()),
        None => owned(open.directory.to_string()),
    }
}

fn octal(number: u64) -> String {
    match number {
        0 => "0".to_owned(),
        _ => format!("0{number:o}"),
    }
}

/// A parameter in its own type.
fn raw<'c>(context: &Context<'c>, parameter: &Parameter) -> Option<Value<'c>> {
    let result = context.origin().result;
    if !is_of_command(context, parameter) {
        return None;
    }
    match parameter.source {
        Source::Result => {
            let result = result?;
            Some(match parameter.kind {
                Kind::Unsigned(_) | Kind::User | Kind::Group => Value::Uint(result.cast_unsigned()),
                _ => Value::Int(result),
            })
        }
        Source::Own => own_raw(context, parameter.name),
        Source::Field(name) => super::extractor(name)?(context, &FieldArgument::None),
        Source::Unseen(_) => None,
        Source::CallNumber => {
            let definition = context.event.event_type.definition()?;
            definition.syscall.map(|number| Value::Uint(number.into()))
        }
        Source::Argument(argument) => {
            let register = *call(context)?.arguments.get(usize::from(argument) - 1)?;
            Some(typed(parameter.kind, register))
        }
        Source::Path(..) => path_of(context, parameter).map(|path| Value::text(path.path.bytes)),
        Source::Text(_) => text_of(context, parameter).map(Value::text),
        Source::Memory(argument, offset, bytes) => {
            let memory = memory_of(context, argument)?;
            let (offset, bytes) = (usize::from(offset), usize::from(bytes));
            let part = memory.get(offset..offset + bytes)?;
            if let Kind::Duration = parameter.kind {
                return duration(part);
            }
            let mut register = [0; 8];
            register.get_mut(..part.len())?.copy_from_slice(part);
            Some(typed(parameter.kind, u64::from_le_bytes(register)))
        }
        Source::Bits(argument, first, number) => {
            let register = *call(context)?.arguments.get(usize::from(argument) - 1)?;
            Some(Value::Uint(register >> first & ((1 << number) - 1)))
        }
        Source::Buffer => call(context)?.buffer.map(|data| Value::text(data.bytes)),
        Source::BufferOf(argument) => {
            let call = call(context)?;
            let length = *call.arguments.get(usize::from(argument) - 1)?;
            let length = usize::try_from(descriptor_number(length)).ok()?;
            let data = call.buffer?.bytes;
            Some(Value::text(data.get(..length).unwrap_or(data)))
        }
        Source::Listed => listed::raw(context).map(|list| Value::Bytes(list.into())),
        Source::InodeOfListed => listed::inode(context).map(Value::Uint),
        Source::SocketOfListed(position) => listed::socket(context, position).map(Value::Uint),
        Source::Queue(number) => {
            let queue = call(context)?.queue?;
            let (length, limit) = (u64::from(queue.length), u64::from(queue.limit));
            Some(Value::Uint(match number {
                QueueNumber::Length => length,
                QueueNumber::Limit => limit,
                // As in Falco, 0 of none.
                QueueNumber::Share => (length * 100).checked_div(limit).unwrap_or(0),
            }))
        }
        Source::Control => call(context)?.control.map(|data| Value::text(data.bytes)),
        Source::RequestedSize => Some(Value::Uint(call(context)?.requested)),
        Source::Address => call(context)?
            .address
            .map(|address| shown_address(&address)),
        Source::Tuple => {
            let name = connection::of(context)?.name()?;
            Some(Value::Bytes(name.into()))
        }
    }
}

fn call<'c>(context: &Context<'c>) -> Option<&'c Call<'c>> {
    match &context.event.payload {
        Payload::Call(call) => Some(call),
        _ => None,
    }
}

/// Whether the call is one of those in which the parameter means something.
fn is_of_command(context: &Context<'_>, parameter: &Parameter) -> bool {
    let (Some(commands), Some(call)) = (parameter.commands, call(context)) else {
        return true;
    };
    let succeeded = context.origin().result.is_some_and(|result| result >= 0);
    let memory = match parameter.source {
        Source::Memory(argument, ..) => memory_of(context, argument),
        _ => None,
    };
    commands.hold(call, succeeded, memory)
}

/// The data that an event is about: of a call with several commands only where the command moves any.
pub(super) fn data<'c>(context: &Context<'c>) -> Option<Value<'c>> {
    let data = call(context)?.buffer?;
    let definition = context.event.event_type.definition()?;
    let source = |one: &&Parameter| matches!(one.source, Source::Buffer | Source::BufferOf(_));
    match definition.parameters.iter().find(source) {
        Some(parameter) => raw(context, parameter),
        None => Some(Value::text(data.bytes)),
    }
}

/// `struct timespec` in ns.
fn duration<'c>(bytes: &[u8]) -> Option<Value<'c>> {
    let seconds = u64::from_le_bytes(*bytes.first_chunk()?);
    let nanoseconds = u64::from_le_bytes(*bytes.last_chunk()?);
    let whole = seconds.checked_mul(1_000_000_000)?;
    Some(Value::Uint(whole.saturating_add(nanoseconds)))
}

/// The string behind a parameter.
pub(super) fn text_of<'c>(context: &Context<'c>, parameter: &Parameter) -> Option<&'c [u8]> {
    let call = call(context)?;
    let definition = context.event.event_type.definition()?;
    let position = definition
        .parameters
        .iter()
        .filter(|one| matches!(one.source, Source::Text(_)))
        .position(|one| one.name == parameter.name)?;
    Some(call.texts.get(position)?.as_ref()?.bytes)
}

/// The memory that was captured for an argument: slots are filled in the order in which parameters
/// name their arguments first.
fn memory_of<'c>(context: &Context<'c>, argument: u8) -> Option<&'c [u8]> {
    let definition = context.event.event_type.definition()?;
    let mut arguments: Vec<u8> = Vec::new();
    for parameter in definition.parameters {
        if let Source::Memory(argument, ..) = parameter.source
            && !arguments.contains(&argument)
        {
            arguments.push(argument);
        }
    }
    let slot = arguments.iter().position(|one| *one == argument)?;
    *call(context)?.memory.get(slot)?
}

/// What a register or word of memory means.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an argument is as wide as its type, whatever the rest of the register holds"
)]
fn typed<'c>(kind: Kind, register: u64) -> Value<'c> {
    match kind {
        Kind::Descriptor | Kind::Process | Kind::Outcome | Kind::Signal | Kind::Signed(32) => {
            Value::Int(descriptor_number(register))
        }
        Kind::Signed(16) => Value::Int(i64::from(register as i16)),
        Kind::Signed(_) => Value::Int(register.cast_signed()),
        Kind::User | Kind::Group | Kind::Flags(_) | Kind::Enumeration(_) | Kind::Mode => {
            Value::Uint(register & 0xffff_ffff)
        }
        _ => Value::Uint(register),
    }
}

fn shown_address<'c>(address: &SocketAddress<'_>) -> Value<'c> {
    let mut text = Vec::new();
    let written = match address {
        SocketAddress::Inet(address, port) => write!(text, "{address}:{port}"),
        SocketAddress::Unix(path) => {
            write_unix_path(&mut text, path.bytes);
            Ok(())
        }
        SocketAddress::Other(family) => {
            let name = names_of_choice(&flags::SOCKET_FAMILY, u64::from(*family));
            write!(text, "{name}")
        }
    };
    // Writing to memory does not fail.
    debug_assert!(written.is_ok());
    Value::Bytes(text.into())
}

macro_rules! signals {
    ($($name:ident)+) => {
        const SIGNALS: &[(libc::c_int, &str)] = &[$((libc::$name, stringify!($name)),)+];
    };
}

signals! {
    SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2
    SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU
    SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS
}

fn signal_name(number: i64) -> Option<&'static str> {
    SIGNALS
        .iter()
        .find(|(known, _)| i64::from(*known) == number)
        .map(|(_, name)| *name)
}

/// The names of the signals in a set, apart by blanks; of those without a name, the number.
fn signal_names(set: u64) -> String {
    let numbers = (1..=64).filter(|number| set >> (number - 1) & 1 == 1);
    let names: Vec<String> = numbers
        .map(|number| signal_name(number).map_or_else(|| number.to_string(), str::to_owned))
        .collect();
    names.join(" ")
}

/// A parameter of an event that has a program of its own, as text.
fn own_shown<'c>(context: &Context<'c>, name: &str) -> Option<Value<'c>> {
    match (&context.event.payload, name) {
        (Payload::Exec(_), "exe") => proc::extractor("proc.exe")?(context, &FieldArgument::None),
        (Payload::Exec(_), "args") => proc::extractor("proc.args")?(context, &FieldArgument::None),
        (Payload::Exec(_), "flags") => Some(owned(exec_flags(context.process))),
        (Payload::Exec(exec), "filename") => Some(Value::text(exec.filename.bytes)),
        (Payload::ExecFailed(failed), "filename") => Some(Value::text(failed.filename.bytes)),
        (Payload::ExecFailed(failed), "exe") => Some(Value::text(
            failed.args.bytes.split(|byte| *byte == 0).next()?,
        )),
        (Payload::ExecFailed(failed), "args") => {
            let arguments = failed
                .args
                .bytes
                .strip_suffix(b"\0")
                .unwrap_or(failed.args.bytes);
            Some(Value::Bytes(
                proc::join(arguments.split(|byte| *byte == 0).skip(1)).into(),
            ))
        }
        (Payload::Open(_), "name") => context.file_name().map(Value::text),
        (Payload::Open(open), "flags") => Some(owned(open_flags(open.flags, open.created))),
        (Payload::Open(open), "dirfd") => Some(shown_directory(open)),
        (Payload::Open(open), "resolve") => {
            Some(shown_flags(&Value::Uint(open.resolve.into()), |number| {
                names(&flags::OPENAT2_RESOLVE, number)
            }))
        }
        (Payload::Open(open), "mode") => Some(owned(octal(open.mode.into()))),
        (Payload::Open(open), "dev") => Some(owned(format!("{:x}", open.device()))),
        (Payload::Open(open), "ino") => Some(owned(open.inode.to_string())),
        (Payload::Connect(_), "tuple") => {
            let name = connection::of(context)?.name()?;
            Some(Value::Bytes(name.into()))
        }
        (Payload::Connect(connect), "fd") => {
            Some(match (fd::name_of(context), fd::kind(context)) {
                (Some(Value::Bytes(name)), Some((_, character))) => {
                    let mut text = format!("<{character}>").into_bytes();
                    text.extend_from_slice(&name);
                    Value::Bytes(text.into())
                }
                _ => owned(connect.fd.to_string()),
            })
        }
        (Payload::Connect(connect), "addr") => match connect.passed {
            Some((address, port)) => Some(shown_address(&SocketAddress::Inet(address, port))),
            None if connect.passed_unix.bytes.is_empty() => None,
            None => Some(shown_address(&SocketAddress::Unix(connect.passed_unix))),
        },
        (Payload::Exit(_), _) => own_raw(context, name).map(|value| as_text(Kind::Outcome, value)),
        _ => None,
    }
}

/// The same in its own type.
fn own_raw<'c>(context: &Context<'c>, name: &str) -> Option<Value<'c>> {
    match (&context.event.payload, name) {
        (Payload::Open(open), "name") => Some(Value::text(open.path.bytes)),
        (Payload::Open(open), "flags") => Some(Value::Uint(u64::from(open.flags))),
        (Payload::Open(open), "mode") => Some(Value::Uint(u64::from(open.mode))),
        (Payload::Open(open), "dirfd") => Some(Value::Int(open.directory.into())),
        (Payload::Open(open), "resolve") => Some(Value::Uint(open.resolve.into())),
        (Payload::Open(open), "ino") => Some(Value::Uint(open.inode)),
        (Payload::Open(open), "dev") => Some(Value::Uint(u64::from(open.device()))),
        (Payload::Connect(_), "fd") => descriptor::number(context).map(Value::Int),
        (Payload::Exit(exit), "status") => Some(Value::Int(i64::from(exit.status))),
        (Payload::Exit(exit), "ret") => Some(Value::Int(i64::from(exit.status >> 8 & 0xff))),
        (Payload::Exit(exit), "sig") => Some(Value::Int(i64::from(exit.status & 0x7f))),
        (Payload::Exit(exit), "core") => Some(Value::Uint(u64::from(exit.status >> 7 & 1))),
        _ => own_shown(context, name),
    }
}
