//! From compiled rules to what the sensor has to do: the one place that knows both.

use crate::event::EventSet;
use crate::fields::{FieldArgument, FieldUse};
use crate::rules::{Program, knowledge};
use crate::sensor::Wanted;

/// What the rules ask of the kernel.
pub(super) fn wanted_by(program: &Program, other_abis: bool, io_uring: bool) -> Wanted {
    let events = program.events();
    let failures: EventSet = events
        .iter()
        .filter(|event| program.asks_about_failure(*event))
        .collect();
    let opens = |can_write| {
        let known = knowledge::of_open(can_write);
        events
            .iter()
            .filter(|event| knowledge::is_open(*event))
            .any(|event| program.can_match(event, &known))
    };
    Wanted {
        events,
        failures,
        open_read: opens(false),
        open_write: opens(true),
        other_abis,
        io_uring,
        working_directory: program.fields().iter().any(asks_for_working_directory),
        open_inode: program.fields().iter().any(asks_for_inode),
        listed: program.fields().iter().any(asks_for_list),
        exec_at_once: program
            .fields()
            .iter()
            .any(|field| field.name.starts_with("proc.exe_sha256")),
    }
}

/// Whether a rule or output asks what a user or group is called.
pub(super) fn asks_for_names(program: &Program) -> bool {
    program.fields().iter().any(|field| {
        matches!(
            field.name,
            "user.name"
                | "user.homedir"
                | "user.shell"
                | "user.loginname"
                | "group.name"
                | "evt.arg"
                | "evt.args"
                | "evt.info"
        )
    })
}

/// Whether a field is, or may show, the working directory.
fn asks_for_working_directory(field: &FieldUse) -> bool {
    match (field.name, &field.argument) {
        ("proc.cwd" | "evt.args" | "evt.info", _) => true,
        ("evt.arg" | "evt.rawarg", FieldArgument::Key(name)) => name == "cwd",
        ("evt.arg", FieldArgument::Index(_)) => true,
        _ => false,
    }
}

/// Whether a field is computed from the inode's number, device or layer.
fn asks_for_inode(field: &FieldUse) -> bool {
    match (field.name, &field.argument) {
        (
            "fd.dev" | "fd.dev.major" | "fd.dev.minor" | "fd.ino" | "fd.is_upper_layer"
            | "fd.is_lower_layer" | "evt.args" | "evt.info",
            _,
        ) => true,
        ("evt.arg" | "evt.rawarg", FieldArgument::Key(name)) => name == "dev" || name == "ino",
        ("evt.arg", FieldArgument::Index(_)) => true,
        _ => false,
    }
}

/// Whether a field is computed from the descriptors that a call has in memory.
fn asks_for_list(field: &FieldUse) -> bool {
    match (field.name, &field.argument) {
        ("evt.args" | "evt.info", _) => true,
        ("evt.arg" | "evt.rawarg", FieldArgument::Key(name)) => {
            matches!(name.as_str(), "fds" | "ino" | "source" | "peer")
        }
        ("evt.arg", FieldArgument::Index(_)) => true,
        (name, _) => name.starts_with("fdlist."),
    }
}
