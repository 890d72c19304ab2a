//! `peregrine events --list`: the event table.

use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::cli::{CliError, print};
use crate::event::EventType;
use crate::event::table::{EventDefinition, Kind, Parameter, Source, is_high_volume};

/// Prints the events that a rule can be about, by name.
pub(super) fn list(as_json: bool) -> Result<ExitCode, CliError> {
    let mut events: Vec<&EventDefinition> =
        EventType::all().filter_map(EventType::definition).collect();
    events.sort_unstable_by_key(|event| event.name);
    let text = if as_json {
        let list: Vec<Json> = events.into_iter().map(json_of).collect();
        format!("{:#}\n", Json::Array(list))
    } else {
        events.into_iter().map(line_of).collect()
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn line_of(event: &EventDefinition) -> String {
    let parameters: Vec<String> = event
        .parameters
        .iter()
        .map(|parameter| format!("{} {}", kind(parameter.kind), parameter.name))
        .collect();
    let note = if is_high_volume(event.name) {
        " [only for rules that name it]"
    } else {
        ""
    };
    format!(
        "{:<24} {:<10} {}{note}\n",
        event.name,
        event.category.name(),
        parameters.join(", ")
    )
}

fn json_of(event: &EventDefinition) -> Json {
    let parameters: Vec<Json> = event.parameters.iter().map(parameter_json).collect();
    json!({
        "name": event.name,
        "category": event.category.name(),
        "syscall": event.syscall,
        "only_by_name": is_high_volume(event.name),
        "parameters": parameters,
    })
}

fn parameter_json(parameter: &Parameter) -> Json {
    let values: Option<Vec<&str>> = match parameter.kind {
        Kind::Flags(table) | Kind::Enumeration(table) => {
            Some(table.iter().map(|(name, _)| *name).collect())
        }
        _ => None,
    };
    let unseen = match parameter.source {
        Source::Unseen(reason) => Some(reason),
        _ => None,
    };
    json!({
        "name": parameter.name,
        "type": kind(parameter.kind),
        "values": values,
        "without_value_because": unseen,
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Outcome => "result",
        Kind::Descriptor => "fd",
        Kind::Process => "pid",
        Kind::User => "uid",
        Kind::Group => "gid",
        Kind::Text => "text",
        Kind::Path => "path",
        Kind::Bytes => "bytes",
        Kind::Descriptors => "fd list",
        Kind::SignalSet => "signal set",
        Kind::Unsigned(_) => "number",
        Kind::Signed(_) => "signed",
        Kind::Flags(_) => "flags",
        Kind::Enumeration(_) => "choice",
        Kind::Mode => "mode",
        Kind::Address => "address",
        Kind::Tuple => "tuple",
        Kind::Duration => "duration",
        Kind::Signal => "signal",
    }
}
