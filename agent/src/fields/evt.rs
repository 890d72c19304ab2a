//! The `evt.*` and `syscall.*` fields: what happened, when, and how it ended.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::errno::errno_name;
use super::{Context, Extractor, FieldArgument, Value, parameter};
use crate::event::table::{Category, Flow};
use crate::event::{BootTime, EventType, Payload};

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
        // Of two CPUs, the later event may be read first: then there is no time between them.
        "evt.reltime" => |context, _| Some(Value::Uint(since(context, context.times.first))),
        "evt.reltime.s" => {
            |context, _| Some(Value::Uint(since(context, context.times.first) / SECOND))
        }
        "evt.reltime.ns" => {
            |context, _| Some(Value::Uint(since(context, context.times.first) % SECOND))
        }
        "evt.deltatime" => |context, _| Some(Value::Uint(since(context, context.times.previous))),
        "evt.deltatime.s" => {
            |context, _| Some(Value::Uint(since(context, context.times.previous) / SECOND))
        }
        "evt.deltatime.ns" => {
            |context, _| Some(Value::Uint(since(context, context.times.previous) % SECOND))
        }
        "evt.outputtime" => |context, _| local_time(context, "%H:%M:%S.%9f"),
        "evt.type.is" => |context, argument| match argument {
            FieldArgument::Key(name) => {
                let is_it = context.event.event_type.name() == name;
                Some(Value::Uint(u64::from(is_it)))
            }
            // The numbers are those of Falco's driver, which nothing here has.
            FieldArgument::Index(_) | FieldArgument::None => None,
        },
        "evt.type" => |context, _| Some(Value::text(context.event.event_type.name().as_bytes())),
        "syscall.type" => |context, _| {
            let definition = context.event.event_type.definition()?;
            definition.syscall?;
            Some(Value::text(definition.name.as_bytes()))
        },
        "evt.category" => |context, _| category(context).map(|name| Value::text(name.as_bytes())),
        "evt.source" => |_, _| Some(Value::text(b"syscall")),
        "evt.is_async" => |_, _| Some(Value::Bool(false)),
        "evt.hostname" => |context, _| Some(Value::text(context.hostname.as_bytes())),
        // Only exits of system calls come to the rules, in Falco too.
        "evt.dir" => |_, _| Some(Value::text(b"<")),
        "evt.cpu" => |context, _| Some(Value::Int(i64::from(context.origin().cpu))),
        "evt.via" => |context, _| Some(Value::text(context.origin().via.name().as_bytes())),
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
            let can_create = open.created || context.event.event_type == EventType::CREAT;
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
        "evt.is_io" => |context, _| {
            Some(Value::Bool(matches!(
                flow(context),
                Flow::Read | Flow::Write | Flow::Both
            )))
        },
        "evt.is_io_read" => |context, _| {
            Some(Value::Bool(matches!(
                flow(context),
                Flow::Read | Flow::Both
            )))
        },
        "evt.is_io_write" => |context, _| {
            Some(Value::Bool(matches!(
                flow(context),
                Flow::Write | Flow::Both
            )))
        },
        "evt.is_wait" => |context, _| Some(Value::Bool(flow(context) == Flow::Wait)),
        "evt.io_dir" => |context, _| match flow(context) {
            Flow::Read => Some(Value::text(b"read")),
            Flow::Write | Flow::Both => Some(Value::text(b"write")),
            Flow::None | Flow::Wait => None,
        },
        "evt.is_syslog" => |context, _| {
            let writes = matches!(flow(context), Flow::Write | Flow::Both);
            let is_log = |name: &[u8]| name.ends_with(b"/dev/log");
            let name = super::fd::name_of(context);
            Some(Value::Bool(
                writes && matches!(name, Some(Value::Bytes(name)) if is_log(&name)),
            ))
        },
        "evt.buffer" => |context, _| parameter::data(context),
        "evt.buflen" => |context, _| moved(context, &[Flow::Read, Flow::Write, Flow::Both], &[]),
        "evt.buflen.in" => |context, _| moved(context, &[Flow::Read], &[]),
        "evt.buflen.out" => |context, _| moved(context, &[Flow::Write], &[]),
        "evt.buflen.file" => |context, _| moved(context, &[Flow::Read, Flow::Write], &["file"]),
        "evt.buflen.file.in" => |context, _| moved(context, &[Flow::Read], &["file"]),
        "evt.buflen.file.out" => |context, _| moved(context, &[Flow::Write], &["file"]),
        "evt.buflen.net" => {
            |context, _| moved(context, &[Flow::Read, Flow::Write], &["ipv4", "ipv6"])
        }
        "evt.buflen.net.in" => |context, _| moved(context, &[Flow::Read], &["ipv4", "ipv6"]),
        "evt.buflen.net.out" => |context, _| moved(context, &[Flow::Write], &["ipv4", "ipv6"]),
        "evt.count.error.file" => {
            |context, _| failed_about(context, |context| error_class(context) == "file")
        }
        "evt.count.error.net" => {
            |context, _| failed_about(context, |context| error_class(context) == "net")
        }
        "evt.count.error.memory" => {
            |context, _| failed_about(context, |context| error_class(context) == "memory")
        }
        "evt.count.error.other" => {
            |context, _| failed_about(context, |context| error_class(context) == "other")
        }
        "evt.abspath" => absolute_path,
        // Falco has had no start of a call since it sees only ends; its constants are kept.
        "evt.latency"
        | "evt.latency.s"
        | "evt.latency.ns"
        | "evt.latency.quantized"
        | "evt.wait_latency" => |_, _| Some(Value::Uint(0)),
        "evt.latency.human" => |_, _| Some(Value::text(b"0ns")),
        "evt.arg" => parameter::argument,
        "evt.rawarg" => parameter::raw_argument,
        "evt.args" | "evt.info" => |context, _| parameter::all(context),
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

/// ns since an earlier event.
fn since(context: &Context<'_>, earlier: BootTime) -> u64 {
    let passed = context.origin().time.since(earlier);
    u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
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

/// `evt.category`: of what moves data, by the kind of descriptor that it moves it through.
fn category(context: &Context<'_>) -> Option<&'static str> {
    let category = context.event.event_type.definition()?.category;
    if !matches!(
        category,
        Category::IoRead | Category::IoWrite | Category::IoOther
    ) {
        return Some(category.name());
    }
    Some(match super::fd::kind(context) {
        Some(("file" | "directory", _)) => "file",
        Some(("ipv4" | "ipv6", _)) => "net",
        Some(("unix" | "pipe" | "event" | "signalfd" | "eventpoll" | "inotify" | "timerfd", _)) => {
            "IPC"
        }
        _ => "unknown",
    })
}

/// How data flows in the event.
fn flow(context: &Context<'_>) -> Flow {
    let definition = context.event.event_type.definition();
    definition.map_or(Flow::None, |definition| definition.flow)
}

/// The bytes that a successful call moved, if it moved them in one of these directions and its
/// descriptor is of one of these kinds (any if none is given).
fn moved<'c>(context: &Context<'c>, flows: &[Flow], kinds: &[&str]) -> Option<Value<'c>> {
    let bytes = u64::try_from(context.origin().result?).ok()?;
    let kind = super::fd::kind(context)?.0;
    let fits = flows.contains(&flow(context)) && (kinds.is_empty() || kinds.contains(&kind));
    fits.then_some(Value::Uint(bytes))
}

/// 1 if the event failed, and is about one of these.
fn failed_about<'c>(
    context: &Context<'c>,
    test: impl FnOnce(&Context<'c>) -> bool,
) -> Option<Value<'c>> {
    let result = context.origin().result?;
    test(context).then_some(Value::Uint(u64::from(result < 0)))
}

/// What an error is counted as.
fn error_class(context: &Context<'_>) -> &'static str {
    let event = context.event.event_type;
    let Some(definition) = event.definition() else {
        return "other";
    };
    match super::fd::kind(context).map(|(kind, _)| kind) {
        Some("file" | "directory") => return "file",
        Some("ipv4" | "ipv6" | "unix") => return "net",
        _ => {}
    }
    match (definition.category, definition.name) {
        (Category::Memory, _) => "memory",
        (_, "open" | "openat" | "openat2" | "creat" | "open_by_handle_at") => "file",
        (_, "accept" | "accept4" | "connect") => "net",
        _ => "other",
    }
}

/// `evt.abspath`: of calls with a directory's descriptor, the path made absolute.
fn absolute_path<'c>(context: &Context<'c>, argument: &FieldArgument) -> Option<Value<'c>> {
    let is_source = !matches!(argument, FieldArgument::Key(side) if side == "dst");
    let definition = context.event.event_type.definition()?;
    let name = match (definition.name, is_source) {
        ("renameat" | "renameat2" | "linkat", true) => "oldpath",
        ("renameat" | "renameat2" | "linkat", false) => "newpath",
        ("openat" | "openat2" | "open_by_handle_at", true) => {
            return super::fd::name_of(context);
        }
        ("symlinkat", true) => "linkpath",
        ("unlinkat", true) => "name",
        ("mkdirat", true) => "path",
        ("fchmodat", true) => "filename",
        ("fchownat", true) => "pathname",
        _ => return None,
    };
    let path = super::call_path::path_of(context, definition.parameter(name)?)?;
    Some(Value::Bytes(
        super::call_path::absolute(path, context.view).into(),
    ))
}
