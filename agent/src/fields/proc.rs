//! The `proc.*` and `thread.*` fields: the process that acted, and its ancestors.

use super::path_text::join_normalised;
use super::{Context, Extractor, FieldArgument, Value};
use crate::event::{Capabilities, ExecutableFile, OverlayLayer, Pid, ProcessKey};
use crate::state::{HashText, NoHash, Process};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "proc.name" => |context, _| Some(comm(context.process)),
        "proc.exe" => |context, _| exe(context.process),
        "proc.exepath" => |context, _| exe_path(context.process),
        "proc.interpreter" => |context, _| {
            context.process.program.script.as_ref()?;
            exe_path(context.process)
        },
        "proc.script" => |context, _| {
            let script = context.process.program.script.as_ref()?;
            let directory = script.directory.as_deref().map_or(&[][..], |path| path);
            let mut path = Vec::new();
            join_normalised(directory, &script.path, &mut path);
            Some(Value::Bytes(path.into()))
        },
        "proc.exe_sha256" => |context, _| {
            let hash = hash(context).ok()?;
            Some(Value::Bytes(hash.to_vec().into()))
        },
        "proc.exe_sha256.missing" => |context, _| {
            let reason = hash(context).err()?;
            Some(Value::Bytes(reason.to_string().into_bytes().into()))
        },
        "proc.args" => |context, argument| match argument {
            FieldArgument::Index(index) => {
                // Out of range is an empty text, and not no value.
                let nth = usize::try_from(*index).unwrap_or(usize::MAX);
                Some(Value::text(
                    context.process.args()?.nth(nth).unwrap_or_default(),
                ))
            }
            _ => joined(context.process),
        },
        "proc.cmdline" => |context, _| Some(command_line(context.process)),
        "proc.exeline" => |context, _| Some(exe_line(context.process)),
        "proc.cmdnargs" => |context, _| Some(Value::Uint(context.process.args()?.count() as u64)),
        "proc.cmdlenargs" => |context, _| {
            Some(Value::Uint(
                context.process.args()?.map(|text| text.len() as u64).sum(),
            ))
        },
        "proc.env" => |context, argument| environment(context.process, argument),
        "proc.cwd" => |context, _| working_directory(context.process),
        "proc.tty" => |context, _| Some(Value::Uint(u64::from(context.origin().tty))),
        "proc.pid" => |context, _| Some(number(context.origin().process.pid)),
        "proc.ppid" => |context, _| Some(number(context.origin().parent.pid)),
        "proc.vpid" => |context, _| Some(number(context.origin().vpid)),
        "proc.pvpid" => |context, _| parent(context).map(|parent| number(parent.ids.vpid)),
        "proc.sid" => |context, _| Some(number(context.origin().vsid)),
        "proc.pgid" => |context, _| Some(number(context.origin().pgid)),
        "proc.vpgid" => |context, _| Some(number(context.origin().vpgid)),
        "proc.is_sid_leader" => |context, _| {
            Some(Value::Bool(
                context.origin().sid == context.origin().process.pid,
            ))
        },
        "proc.is_pgid_leader" | "proc.is_vpgid_leader" => |context, _| {
            Some(Value::Bool(
                context.origin().pgid == context.origin().process.pid,
            ))
        },
        "proc.pname" => |context, _| parent(context).map(comm),
        "proc.pexe" => |context, _| parent(context).and_then(exe),
        "proc.pexepath" => |context, _| parent(context).and_then(exe_path),
        "proc.pcmdline" => |context, _| parent(context).map(command_line),
        "proc.aname" => |context, argument| ancestor(context, argument, |found| Some(comm(found))),
        "proc.aexe" => |context, argument| ancestor(context, argument, exe),
        "proc.aexepath" => |context, argument| ancestor(context, argument, exe_path),
        "proc.acmdline" => {
            |context, argument| ancestor(context, argument, |found| Some(command_line(found)))
        }
        "proc.apid" => {
            |context, argument| ancestor(context, argument, |found| Some(number(found.key.pid)))
        }
        "proc.aargs" => |context, argument| ancestor(context, argument, joined),
        "proc.sname" => |context, _| Some(leader(context, session).map_or(EMPTY, comm)),
        "proc.sid.exe" => {
            |context, _| Some(leader(context, session).and_then(exe).unwrap_or(EMPTY))
        }
        "proc.sid.exepath" => {
            |context, _| Some(leader(context, session).and_then(exe_path).unwrap_or(EMPTY))
        }
        "proc.pgid.name" | "proc.vpgid.name" => {
            |context, _| Some(leader(context, group).map_or(EMPTY, comm))
        }
        "proc.pgid.exe" | "proc.vpgid.exe" => {
            |context, _| Some(leader(context, group).and_then(exe).unwrap_or(EMPTY))
        }
        "proc.pgid.exepath" | "proc.vpgid.exepath" => {
            |context, _| Some(leader(context, group).and_then(exe_path).unwrap_or(EMPTY))
        }
        "proc.duration" => |context, _| Some(age(context, context.origin().process)),
        "proc.ppid.duration" => |context, _| Some(age(context, context.origin().parent)),
        "proc.pid.ts" => |context, _| Some(started(context, context.origin().process)),
        "proc.ppid.ts" => |context, _| Some(started(context, context.origin().parent)),
        "proc.is_exe_from_memfd" => |context, _| Some(Value::Bool(is_memfd(context.process))),
        "proc.is_exe_writable" => {
            |context, _| Some(Value::Bool(context.process.program.file?.writable?))
        }
        "proc.is_exe_upper_layer" => |context, _| in_layer(context.process, OverlayLayer::Upper),
        "proc.is_exe_lower_layer" => |context, _| in_layer(context.process, OverlayLayer::Lower),
        "proc.exe_ino" => |context, _| file_number(context, |file| file.inode).map(signed),
        "proc.exe_ino.ctime" => {
            |context, _| file_number(context, |file| file.ctime_ns).map(Value::Uint)
        }
        "proc.exe_ino.mtime" => {
            |context, _| file_number(context, |file| file.mtime_ns).map(Value::Uint)
        }
        "proc.exe_ino.ctime_duration_proc_start" => |context, _| {
            let created = context.clock.wall_ns(context.origin().process.start());
            later_by(created, file_number(context, |file| file.ctime_ns)?)
        },
        "proc.exe_ino.ctime_duration_pidns_start" => |context, _| {
            let start = context.clock.wall_ns(context.process.namespace_start?);
            later_by(file_number(context, |file| file.ctime_ns)?, start)
        },
        "proc.pidns_init_start_ts" => |context, _| {
            let start = context.process.namespace_start?;
            Some(Value::Uint(context.clock.wall_ns(start)))
        },
        "proc.aenv" => ancestor_environment,
        "thread.cap_permitted" => |context, _| capabilities(context, |sets| sets.permitted),
        "thread.cap_effective" => |context, _| capabilities(context, |sets| sets.effective),
        "thread.cap_inheritable" => |context, _| capabilities(context, |sets| sets.inheritable),
        "proc.loginshellid" => |context, _| login_shell(context).map(number),
        "thread.tid" => |context, _| Some(Value::Int(i64::from(context.origin().tid.0))),
        "thread.vtid" => |context, _| Some(Value::Int(i64::from(context.origin().vtid.0))),
        "thread.ismain" => |context, _| {
            Some(Value::Bool(
                context.origin().tid.0 == context.origin().process.pid.0,
            ))
        },
        "thread.nametid" => |context, _| {
            let mut text = context.process.comm.as_bytes().to_vec();
            text.extend(format!(":{}", context.origin().tid).bytes());
            Some(Value::Bytes(text.into()))
        },
        _ => return None,
    })
}

/// The value of a session or group leader's name when there is no such process.
const EMPTY: Value<'static> = Value::Bytes(std::borrow::Cow::Borrowed(b""));

fn number<'c>(pid: Pid) -> Value<'c> {
    Value::Int(i64::from(pid.0))
}

fn comm(process: &Process) -> Value<'_> {
    Value::text(process.comm.as_bytes())
}

fn exe(process: &Process) -> Option<Value<'_>> {
    process.exe().map(Value::text)
}

fn exe_path(process: &Process) -> Option<Value<'_>> {
    process
        .program
        .exe_path
        .as_deref()
        .map(|path| Value::text(path))
}

/// The hash of the executable. Ancestors in the same container see the same files, by which it may be
/// found when the process is gone.
fn hash(context: &Context<'_>) -> Result<HashText, NoHash> {
    const RELATIVES: usize = 3;
    let process = context.process;
    let relatives = context
        .processes
        .ancestors(process)
        .filter(|ancestor| ancestor.container == process.container);
    context.hashes.of(process, relatives.take(RELATIVES))
}

/// With a slash at its end, which a rule can take for the start of a path.
fn working_directory(process: &Process) -> Option<Value<'_>> {
    let directory = process.cwd.as_deref()?;
    Some(if directory.ends_with(b"/") {
        Value::text(directory)
    } else {
        Value::Bytes([&**directory, b"/"].concat().into())
    })
}

/// The arguments, joined by spaces.
fn joined(process: &Process) -> Option<Value<'_>> {
    process
        .args()
        .map(|arguments| Value::Bytes(join(arguments).into()))
}

/// Texts with a space between each two.
pub(super) fn join<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(text);
    }
    out
}

fn with_arguments<'c>(first: &[u8], process: &Process) -> Value<'c> {
    let arguments = process.args().into_iter().flatten();
    Value::Bytes(join(std::iter::once(first).chain(arguments)).into())
}

/// The name and the arguments: what Falco means by a command line.
fn command_line<'c>(process: &Process) -> Value<'c> {
    with_arguments(process.comm.as_bytes(), process)
}

fn exe_line<'c>(process: &Process) -> Value<'c> {
    with_arguments(process.exe().unwrap_or_default(), process)
}

fn environment<'c>(process: &'c Process, argument: &FieldArgument) -> Option<Value<'c>> {
    match argument {
        FieldArgument::None => Some(Value::Bytes(join(process.program.environment()?).into())),
        FieldArgument::Key(name) => {
            // A variable that is not set is an empty text, and not no value.
            let value = process
                .program
                .environment_variable(name.as_bytes())
                .unwrap_or_default();
            Some(Value::text(value.trim_ascii()))
        }
        FieldArgument::Index(_) => None,
    }
}

/// Whether the executable is a memfd: its path has no place in the file system.
pub(super) fn is_memfd(process: &Process) -> bool {
    let path: &[u8] = process.program.exe_path.as_deref().map_or(&[], |path| path);
    path.strip_prefix(b"/")
        .unwrap_or(path)
        .starts_with(b"memfd:")
}

/// Whether the executable is in this layer of an overlay; no value where the start was not seen.
fn in_layer<'c>(process: &Process, layer: OverlayLayer) -> Option<Value<'c>> {
    let file = process.program.file?;
    // What is known from `/proc` alone is without it.
    file.writable?;
    Some(Value::Bool(file.layer == Some(layer)))
}

/// A number of the executable's file; 0 stands for one that is not known.
fn file_number(context: &Context<'_>, number: fn(&ExecutableFile) -> u64) -> Option<u64> {
    let file = context.process.program.file.as_ref()?;
    Some(number(file)).filter(|number| *number != 0)
}

fn signed<'c>(number: u64) -> Value<'c> {
    Value::Int(number.cast_signed())
}

/// How much the first time is after the second, in ns; no value if it is not.
fn later_by<'c>(time: u64, earlier: u64) -> Option<Value<'c>> {
    let difference = time.checked_sub(earlier)?;
    (difference != 0).then_some(Value::Uint(difference))
}

fn capabilities<'c>(context: &Context<'c>, set: fn(&Capabilities) -> u64) -> Option<Value<'c>> {
    let sets = context.process.capabilities.as_ref()?;
    let names = crate::capability::names(set(sets));
    Some(Value::Bytes(names.into_bytes().into()))
}

/// With a name: that variable of the nearest ancestor that has it and is not empty.
fn ancestor_environment<'c>(context: &Context<'c>, argument: &FieldArgument) -> Option<Value<'c>> {
    match argument {
        FieldArgument::Key(_) => {
            let mut nearest = context.processes.ancestors(context.process).take(20);
            nearest.find_map(|found| environment(found, argument).filter(|value| *value != EMPTY))
        }
        _ => ancestor(context, argument, |found| {
            environment(found, &FieldArgument::None)
        }),
    }
}

fn parent<'c>(context: &Context<'c>) -> Option<&'c Process> {
    context.processes.ancestors(context.process).next()
}

/// With a level: that ancestor, 0 being the process itself. Without: all of them, nearest first.
fn ancestor<'c>(
    context: &Context<'c>,
    argument: &FieldArgument,
    value: impl Fn(&'c Process) -> Option<Value<'c>>,
) -> Option<Value<'c>> {
    match argument {
        FieldArgument::Index(0) => value(context.process),
        FieldArgument::Index(level) => {
            let above = usize::try_from(*level).ok()?.checked_sub(1)?;
            value(context.processes.ancestors(context.process).nth(above)?)
        }
        FieldArgument::None => {
            let values = context
                .processes
                .ancestors(context.process)
                .filter_map(value);
            Some(Value::List(values.collect()))
        }
        FieldArgument::Key(_) => None,
    }
}

fn session(process: &Process) -> Pid {
    process.ids.sid
}

fn group(process: &Process) -> Pid {
    process.ids.pgid
}

/// The leader of the process's session or group: the process whose pid is its id; where that one is
/// gone, the oldest ancestor that is still in it.
fn leader<'c>(context: &Context<'c>, id_of: fn(&Process) -> Pid) -> Option<&'c Process> {
    let id = id_of(context.process);
    let lineage = || {
        std::iter::once(context.process)
            .chain(context.processes.ancestors(context.process))
            .take_while(move |process| id_of(process) == id)
    };
    lineage()
        .find(|process| process.key.pid == id)
        .or_else(|| context.processes.by_pid(id))
        .or_else(|| lineage().last())
}

/// The oldest ancestor whose name ends with `sh`: what the user logged in with.
fn login_shell(context: &Context<'_>) -> Option<Pid> {
    std::iter::once(context.process)
        .chain(context.processes.ancestors(context.process))
        .filter(|process| process.comm.as_bytes().ends_with(b"sh"))
        .last()
        .map(|process| process.key.pid)
}

fn age<'c>(context: &Context<'_>, process: ProcessKey) -> Value<'c> {
    let age = context.origin().time.since(process.start());
    Value::Uint(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX))
}

fn started<'c>(context: &Context<'_>, process: ProcessKey) -> Value<'c> {
    Value::Uint(context.clock.wall_ns(process.start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_with_their_empty_ones() {
        for (texts, expected) in [
            (vec![], &b""[..]),
            (vec![&b"-c"[..], b"id; ls"], b"-c id; ls"),
            (vec![b"", b"x"], b" x"),
        ] {
            assert_eq!(join(texts.into_iter()), expected);
        }
    }
}
