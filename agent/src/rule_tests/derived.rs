//! Values that follow from others, so that a test need not repeat itself. What a test says itself,
//! `null` included, always wins. `docs/rule-tests.md` lists them.

use std::collections::HashMap;

use crate::fields::{FieldArgument, FieldUse, Value, errno_name};

type Values = HashMap<FieldUse, Option<Value<'static>>>;

/// A field of the process, the same of its parent, and of all ancestors.
const LINEAGES: [(&str, &str, &str); 5] = [
    ("proc.name", "proc.pname", "proc.aname"),
    ("proc.exe", "proc.pexe", "proc.aexe"),
    ("proc.exepath", "proc.pexepath", "proc.aexepath"),
    ("proc.cmdline", "proc.pcmdline", "proc.acmdline"),
    ("proc.pid", "proc.ppid", "proc.apid"),
];

/// Events that are no syscalls, of those that a rule may name alone.
const NO_SYSCALLS: [&str; 6] = [
    "procexit",
    "signaldeliver",
    "switch",
    "page_fault",
    "drop",
    "container",
];

const OPENS: [&str; 4] = ["open", "openat", "openat2", "open_by_handle_at"];

fn bare(name: &'static str) -> FieldUse {
    FieldUse {
        name,
        argument: FieldArgument::None,
    }
}

fn level(name: &'static str, level: u64) -> FieldUse {
    FieldUse {
        name,
        argument: FieldArgument::Index(level),
    }
}

/// Takes out of `values` what a value of `field` that comes later makes wrong: the ancestors that the
/// defaults describe, once the event describes its own.
pub(super) fn forget_superseded(field: &FieldUse, values: &mut Values) {
    for (_, parent, all) in LINEAGES {
        if field.name == all && field.argument == FieldArgument::None {
            values.retain(|other, _| {
                other.name != parent
                    && (other.name != all || !matches!(other.argument, FieldArgument::Index(1..)))
            });
        } else if field.name == parent || field.name == all {
            // One ancestor of a list: the others stay.
            if let Some(Some(Value::List(list))) = values.remove(&bare(all)) {
                for (index, ancestor) in (1..).zip(list) {
                    values.entry(level(all, index)).or_insert(Some(ancestor));
                }
            }
            if field.name == parent {
                values.remove(&level(all, 1));
            } else if field.argument == FieldArgument::Index(1) {
                values.remove(&bare(parent));
            }
        }
    }
    if *field == bare("proc.args") {
        values.retain(|other, _| other.name != "proc.args");
    }
}

/// Adds what follows from the values that are there.
pub(super) fn derive(event_type: &str, values: &mut Values) {
    let mut give = |field: FieldUse, value: Value<'static>| {
        values.entry(field).or_insert(Some(value));
    };
    give(bare("evt.num"), Value::Uint(1));
    give(bare("evt.dir"), Value::text(b"<"));
    give(bare("evt.source"), Value::text(b"syscall"));
    give(bare("evt.is_async"), Value::Bool(false));
    give(bare("container.id"), Value::text(b"host"));
    if !NO_SYSCALLS.contains(&event_type) {
        let name = event_type.as_bytes().to_vec();
        give(bare("syscall.type"), Value::Bytes(name.into()));
    }
    give(
        FieldUse {
            name: "evt.type.is",
            argument: FieldArgument::Key(event_type.to_owned()),
        },
        Value::Uint(1),
    );
    result(values);
    access(event_type, values);
    command_line(values);
    for lineage in LINEAGES {
        ancestors(lineage, values);
    }
    file(values);
    connection(values);
}

fn given<'v>(values: &'v Values, name: &'static str) -> Option<&'v Value<'static>> {
    values.get(&bare(name))?.as_ref()
}

fn give(values: &mut Values, name: &'static str, value: Option<Value<'static>>) {
    if let Some(value) = value {
        values.entry(bare(name)).or_insert(Some(value));
    }
}

fn bytes(text: impl AsRef<[u8]>) -> Value<'static> {
    Value::Bytes(text.as_ref().to_vec().into())
}

/// `evt.res` and `evt.failed` from `evt.rawres`.
fn result(values: &mut Values) {
    let Some(Value::Int(result)) = given(values, "evt.rawres").cloned() else {
        return;
    };
    let name = if result < 0 {
        bytes(errno_name(result).as_bytes())
    } else {
        bytes("SUCCESS")
    };
    give(values, "evt.res", Some(name));
    give(values, "evt.failed", Some(Value::Bool(result < 0)));
}

/// How a file was opened, from the flags as text.
fn access(event_type: &str, values: &mut Values) {
    let flags = FieldUse {
        name: "evt.arg",
        argument: FieldArgument::Key("flags".to_owned()),
    };
    let Some(Some(Value::Bytes(flags))) = values.get(&flags) else {
        return;
    };
    if !OPENS.contains(&event_type) {
        return;
    }
    let has = |wanted: &str| {
        flags
            .split(|byte| *byte == b'|')
            .any(|flag| flag == wanted.as_bytes())
    };
    let both = has("O_RDWR");
    let (reads, writes) = (both || has("O_RDONLY"), both || has("O_WRONLY"));
    let succeeded = !matches!(given(values, "evt.failed"), Some(Value::Bool(true)));
    let truth = |truth: bool| Some(Value::Bool(truth && succeeded));
    give(values, "evt.is_open_read", truth(reads));
    give(values, "evt.is_open_write", truth(writes));
}

/// `proc.cmdline` from `proc.name` and `proc.args`.
fn command_line(values: &mut Values) {
    let line = match (given(values, "proc.name"), given(values, "proc.args")) {
        (Some(Value::Bytes(name)), Some(Value::Bytes(arguments))) if !arguments.is_empty() => {
            bytes([&**name, &**arguments].join(&b' '))
        }
        (Some(name), _) => name.clone(),
        _ => return,
    };
    give(values, "proc.cmdline", Some(line));
}

/// The parent, each level and the list of all from one another.
fn ancestors((own, parent, all): (&'static str, &'static str, &'static str), values: &mut Values) {
    if let Some(value) = given(values, own).cloned() {
        values.entry(level(all, 0)).or_insert(Some(value));
    }
    if let Some(Value::List(list)) = given(values, all).cloned() {
        give(values, parent, list.first().cloned());
        for (index, ancestor) in (1..).zip(list) {
            values.entry(level(all, index)).or_insert(Some(ancestor));
        }
        return;
    }
    let first = values.get(&level(all, 1)).cloned().flatten();
    give(values, parent, first);
    if let Some(value) = given(values, parent).cloned() {
        values.entry(level(all, 1)).or_insert(Some(value));
    }
    // Those between two that are named are not known, but that both are ancestors is.
    let mut known: Vec<(u64, Value<'static>)> = values
        .iter()
        .filter_map(|(field, value)| match field.argument {
            FieldArgument::Index(index @ 1..) if field.name == all => Some((index, value.clone()?)),
            _ => None,
        })
        .collect();
    if !known.is_empty() {
        known.sort_by_key(|(index, _)| *index);
        let list = known.into_iter().map(|(_, value)| value).collect();
        give(values, all, Some(Value::List(list)));
    }
}

/// The parts of an absolute path in `fd.name`.
fn file(values: &mut Values) {
    let Some(Value::Bytes(path)) = given(values, "fd.name") else {
        return;
    };
    let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
        return;
    };
    if path.first() != Some(&b'/') {
        return;
    }
    let path = path.to_vec();
    let is_directory =
        matches!(given(values, "fd.typechar"), Some(Value::Bytes(kind)) if **kind == *b"d");
    give(values, "fd.nameraw", Some(bytes(&path)));
    if is_directory {
        give(values, "fd.directory", Some(bytes(&path)));
        return;
    }
    give(values, "fd.directory", Some(bytes(&path[..slash.max(1)])));
    give(values, "fd.filename", Some(bytes(&path[slash + 1..])));
    give(values, "fd.typechar", Some(bytes("f")));
}

/// Both ends of a connection from the client's and the server's.
fn connection(values: &mut Values) {
    for (client, server, both) in [
        ("fd.cip", "fd.sip", "fd.ip"),
        ("fd.cport", "fd.sport", "fd.port"),
    ] {
        let ends: Vec<_> = [client, server]
            .into_iter()
            .filter_map(|end| given(values, end).cloned())
            .collect();
        if !ends.is_empty() {
            give(values, both, Some(Value::List(ends)));
        }
    }
    for (address, network) in [
        ("fd.cip", "fd.cnet"),
        ("fd.sip", "fd.snet"),
        ("fd.lip", "fd.lnet"),
        ("fd.rip", "fd.rnet"),
        ("fd.ip", "fd.net"),
    ] {
        let value = given(values, address).cloned();
        give(values, network, value);
    }
    let kind = match given(values, "fd.sip").or_else(|| given(values, "fd.cip")) {
        Some(Value::Ip(address)) if address.is_ipv4() => "4",
        Some(Value::Ip(_)) => "6",
        _ => return,
    };
    give(values, "fd.typechar", Some(bytes(kind)));
}
