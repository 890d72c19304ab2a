//! The `evt.*` and `syscall.*` fields: what happened, when, and how it ended.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::errno::errno_name;
use super::flags::{exec_flags, open_flags};
use super::{Context, Extractor, FieldArgument, Value, connection, proc};
use crate::event::{EventType, Payload};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "evt.num" => |context, _| Some(Value::Uint(context.number)),
        "evt.time" => |context, _| local_time(context, "%H:%M:%S.%9f"),
        "evt.time.s" => |context, _| local_time(context, "%H:%M:%S"),
        "evt.datetime" => |context, _| local_time(context, "%Y-%m-%d %H:%M:%S.%9f"),
        "evt.datetime.s" => |context, _| local_time(context, "%Y-%m-%d %H:%M:%S"),
        "evt.time.iso8601" => |context, _| {
            let time = timestamp(context)?.to_zoned(TimeZone::UTC);
            Some(owned(
                time.strftime("%Y-%m-%dT%H:%M:%S.%9f+0000").to_string(),
            ))
        },
        "evt.rawtime" => |context, _| Some(Value::Uint(context.time())),
        "evt.rawtime.s" => |context, _| Some(Value::Uint(context.time() / SECOND)),
        "evt.rawtime.ns" => |context, _| Some(Value::Uint(context.time() % SECOND)),
        "evt.type" => |context, _| Some(Value::text(context.event.event_type.name().as_bytes())),
        "syscall.type" => |context, _| {
            (context.event.event_type != EventType::Procexit)
                .then(|| Value::text(context.event.event_type.name().as_bytes()))
        },
        "evt.category" => |context, _| Some(Value::text(category(context.event.event_type))),
        "evt.source" => |_, _| Some(Value::text(b"syscall")),
        "evt.is_async" => |_, _| Some(Value::Bool(false)),
        "evt.hostname" => |context, _| Some(Value::text(context.hostname.as_bytes())),
        // Only exits of system calls come to the rules, in Falco too.
        "evt.dir" => |_, _| Some(Value::text(b"<")),
        "evt.cpu" => |context, _| Some(Value::Int(i64::from(context.origin().cpu))),
        "evt.count" => |_, _| Some(Value::Uint(1)),
        "evt.count.exit" => |_, _| Some(Value::Uint(1)),
        "evt.count.error" => |context, _| {
            context
                .origin()
                .result
                .map(|result| Value::Uint(u64::from(result < 0)))
        },
        "evt.res" => |context, _| context.origin().result.map(result_name),
        "evt.rawres" => |context, _| context.origin().result.map(Value::Int),
        "evt.failed" => |context, _| {
            context
                .origin()
                .result
                .map(|result| Value::Bool(result < 0))
        },
        "evt.is_open_read" => |context, _| open_is(context, |flags| flags & ACCESS != WRITE_ONLY),
        "evt.is_open_write" => |context, _| open_is(context, |flags| flags & ACCESS != 0),
        "evt.is_open_exec" => |context, _| {
            let Payload::Open(open) = &context.event.payload else {
                return None;
            };
            let can_create = open.created || context.event.event_type == EventType::Creat;
            Some(Value::Bool(
                succeeded(context) && can_create && open.mode & ANY_EXECUTE != 0,
            ))
        },
        "evt.is_open_create" => |context, _| {
            let Payload::Open(open) = &context.event.payload else {
                return None;
            };
            Some(Value::Bool(succeeded(context) && open.created))
        },
        "evt.is_io" | "evt.is_io_read" | "evt.is_io_write" | "evt.is_wait" => {
            // None of the events delivered so far reads, writes or waits.
            |_, _| Some(Value::Bool(false))
        }
        "evt.arg" => argument,
        "evt.rawarg" => raw_argument,
        _ => return None,
    })
}

const SECOND: u64 = 1_000_000_000;
/// `O_ACCMODE`, `O_WRONLY`
const ACCESS: u32 = 3;
const WRITE_ONLY: u32 = 1;
/// `S_IXUSR | S_IXGRP | S_IXOTH`
const ANY_EXECUTE: u32 = 0o111;

fn owned<'c>(text: String) -> Value<'c> {
    Value::Bytes(text.into_bytes().into())
}

fn timestamp(context: &Context<'_>) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(context.time())).ok()
}

fn local_time<'c>(context: &Context<'c>, format: &str) -> Option<Value<'c>> {
    let time = timestamp(context)?.to_zoned(TimeZone::system());
    Some(owned(time.strftime(format).to_string()))
}

fn succeeded(context: &Context<'_>) -> bool {
    context.origin().result.is_some_and(|result| result >= 0)
}

fn open_is<'c>(context: &Context<'c>, test: impl FnOnce(u32) -> bool) -> Option<Value<'c>> {
    let Payload::Open(open) = &context.event.payload else {
        return None;
    };
    Some(Value::Bool(succeeded(context) && test(open.flags)))
}

/// `SUCCESS`, or the name of the error.
fn result_name<'c>(result: i64) -> Value<'c> {
    if result >= 0 {
        Value::text(b"SUCCESS")
    } else {
        owned(errno_name(result).into_owned())
    }
}

fn category(event: EventType) -> &'static [u8] {
    match event {
        EventType::Open | EventType::Openat | EventType::Openat2 | EventType::Creat => b"file",
        EventType::Connect => b"net",
        _ => b"process",
    }
}

/// `evt.arg.NAME`: an argument of the event as text.
fn argument<'c>(context: &Context<'c>, argument: &FieldArgument) -> Option<Value<'c>> {
    let name = match argument {
        FieldArgument::Key(name) => name.as_str(),
        FieldArgument::Index(index) => *arguments(context).get(usize::try_from(*index).ok()?)?,
        FieldArgument::None => return None,
    };
    let origin = context.origin();
    match (&context.event.payload, name) {
        (Payload::Exec(_) | Payload::ExecFailed(_) | Payload::Connect(_), "res")
        | (Payload::Fork(_), "res") => origin.result.map(result_or_number),
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
        (Payload::Exec(_) | Payload::Fork(_), name) => {
            let field = match name {
                "exe" => "proc.exe",
                "args" => "proc.args",
                "tid" => "thread.tid",
                "pid" => "proc.pid",
                "ptid" => "proc.ppid",
                "cwd" => "proc.cwd",
                "comm" => "proc.name",
                "env" => "proc.env",
                "tty" => "proc.tty",
                "pgid" => "proc.pgid",
                "loginuid" => "user.loginuid",
                "uid" => "user.uid",
                "gid" => "group.gid",
                "vtid" => "thread.vtid",
                "vpid" => "proc.vpid",
                "trusted_exepath" => "proc.exepath",
                _ => return None,
            };
            super::extractor(field)?(context, &FieldArgument::None).map(as_text)
        }
        (Payload::Open(_), "fd") => origin.result.map(|result| {
            if result < 0 {
                result_name(result)
            } else {
                owned(format!("<f>{}", file(context)))
            }
        }),
        (Payload::Open(_), "name") => context.file_name().map(Value::text),
        (Payload::Open(open), "flags") => Some(owned(open_flags(open.flags, open.created))),
        (Payload::Open(open), "mode") => Some(owned(format!("0{:o}", open.mode))),
        (Payload::Open(open), "dev") => Some(owned(format!("{:x}", open.device()))),
        (Payload::Open(open), "ino") => Some(owned(open.inode.to_string())),
        (Payload::Connect(_), "tuple") => connection::name(context).map(owned_bytes),
        (Payload::Connect(connect), "fd") => Some(owned(match connection::name(context) {
            Some(name) => format!(
                "<{}>{}",
                connection::type_character(connect),
                String::from_utf8_lossy(&name)
            ),
            None => connect.fd.to_string(),
        })),
        (Payload::Exit(exit), "status") => Some(owned(exit.status.to_string())),
        (Payload::Exit(exit), "ret") => Some(owned((exit.status >> 8 & 0xff).to_string())),
        (Payload::Exit(exit), "sig") => Some(owned((exit.status & 0x7f).to_string())),
        _ => None,
    }
}

/// `evt.rawarg.NAME`: an argument in its own type.
fn raw_argument<'c>(context: &Context<'c>, argument: &FieldArgument) -> Option<Value<'c>> {
    let FieldArgument::Key(name) = argument else {
        return None;
    };
    let origin = context.origin();
    match (&context.event.payload, name.as_str()) {
        (
            Payload::Exec(_) | Payload::ExecFailed(_) | Payload::Connect(_) | Payload::Fork(_),
            "res",
        )
        | (Payload::Open(_), "fd") => origin.result.map(Value::Int),
        (Payload::Open(open), "name") => Some(Value::text(open.path.bytes)),
        (Payload::Open(open), "mode") => Some(Value::Uint(u64::from(open.mode))),
        (Payload::Open(open), "ino") => Some(Value::Uint(open.inode)),
        (Payload::Open(open), "dev") => Some(Value::Uint(u64::from(open.device()))),
        (Payload::Connect(connect), "fd") => Some(Value::Int(i64::from(connect.fd))),
        (Payload::Exit(exit), "status") => Some(Value::Int(i64::from(exit.status))),
        _ => None,
    }
}

/// The arguments that `evt.arg[N]` counts, in Falco's order.
fn arguments(context: &Context<'_>) -> &'static [&'static str] {
    match &context.event.payload {
        Payload::Open(_) => &["fd", "name", "flags", "mode", "dev", "ino"],
        Payload::Connect(_) => &["res", "tuple", "fd"],
        Payload::Exec(_) | Payload::ExecFailed(_) => {
            &["res", "exe", "args", "tid", "pid", "ptid", "cwd"]
        }
        Payload::Fork(_) => &["res", "exe", "args", "tid", "pid", "ptid", "cwd"],
        Payload::Exit(_) => &["status", "ret", "sig"],
        Payload::CgroupCreated(_) => &[],
    }
}

fn file(context: &Context<'_>) -> String {
    String::from_utf8_lossy(context.file_name().unwrap_or_default()).into_owned()
}

fn owned_bytes<'c>(bytes: Vec<u8>) -> Value<'c> {
    Value::Bytes(bytes.into())
}

fn result_or_number<'c>(result: i64) -> Value<'c> {
    if result < 0 {
        result_name(result)
    } else {
        owned(result.to_string())
    }
}

fn as_text(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Int(number) => owned(number.to_string()),
        Value::Uint(number) => owned(number.to_string()),
        other => other,
    }
}
