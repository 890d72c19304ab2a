//! One event as a line for people to read.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};

use crate::escape::EscapingWriter;

/// The rule's output whose fields fill a row.
pub(super) const OUTPUT: &str = "%evt.time %evt.type %evt.category %evt.res %evt.rawres %evt.args %evt.failed \
    %proc.name %proc.pid %proc.ppid %proc.pname %proc.exepath %proc.cmdline %thread.tid %user.name %user.uid \
    %container.id %fd.name";

/// Columns before the details, with the least width of each.
const COLUMNS: [(&str, usize); 6] = [
    ("TIME", 18),
    ("EVENT", 11),
    ("RESULT", 8),
    ("PROCESS", 22),
    ("USER", 8),
    ("CONTAINER", 12),
];

/// Whether rows have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

/// The line above all rows.
pub(super) fn heading(colours: Colours) -> String {
    let mut line = String::new();
    for (name, width) in COLUMNS {
        cell(&mut line, name, width, Style::new().bold(), colours);
    }
    cell(&mut line, "DETAILS", 0, Style::new().bold(), colours);
    finish(line)
}

/// A row. `time` is the time of day; everything else comes from watched processes and is escaped.
pub(super) fn row(time: &str, fields: &Map<String, Value>, colours: Colours) -> String {
    let get = |name: &str| fields.get(name).map_or_else(String::new, shown);
    let failed = fields.get("evt.failed") == Some(&Value::Bool(true));
    let event = get("evt.type");
    let result = match get("evt.res") {
        name if !name.is_empty() && name != "SUCCESS" => name,
        _ => get("evt.rawres"),
    };
    let container = match get("container.id") {
        id if id == "host" => String::new(),
        id => id,
    };
    let details = if event.starts_with("exec") {
        get("proc.cmdline")
    } else {
        get("evt.args")
    };
    let plain = Style::new();
    let outcome = if failed { red() } else { plain };
    let process = format!("{}[{}]", get("proc.name"), get("proc.pid"));
    let values = [
        (time.to_owned(), plain.dimmed()),
        (event, AnsiColor::Cyan.on_default()),
        (result, outcome),
        (process, plain.bold()),
        (get("user.name"), plain),
        (container, AnsiColor::Yellow.on_default()),
    ];
    let mut line = String::new();
    for ((value, style), (_, width)) in values.iter().zip(COLUMNS) {
        cell(&mut line, value, width, *style, colours);
    }
    cell(&mut line, &details, 0, plain, colours);
    finish(line)
}

fn red() -> Style {
    AnsiColor::Red.on_default()
}

/// A value as it is read; nothing for one that is missing.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Appends a value, escaped, filled up with spaces to `width` and one more.
fn cell(line: &mut String, value: &str, width: usize, style: Style, colours: Colours) {
    let mut escaped = String::new();
    // A String takes everything.
    let _infallible = EscapingWriter(&mut escaped).write_str(value);
    let missing = width.saturating_sub(escaped.chars().count());
    let _infallible = if colours == Colours::On && style != Style::new() {
        write!(line, "{style}{escaped}{style:#}")
    } else {
        write!(line, "{escaped}")
    };
    line.extend(std::iter::repeat_n(' ', missing + 1));
}

fn finish(mut line: String) -> String {
    line.truncate(line.trim_end_matches(' ').len());
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn columns_stand_below_their_heading() {
        let heading = heading(Colours::Off);
        let row = row(
            "12:00:00.000000001",
            &fields(json!({
                "evt.type": "openat", "evt.res": "ENOENT", "evt.rawres": -2, "evt.failed": true,
                "proc.name": "cat", "proc.pid": 7, "user.name": "root", "container.id": "3f2a9b41c0de",
                "evt.args": "fd=-2(ENOENT) name=/x",
            })),
            Colours::Off,
        );
        for (name, value) in [
            ("EVENT", "openat"),
            ("RESULT", "ENOENT"),
            ("PROCESS", "cat[7]"),
            ("USER", "root"),
            ("CONTAINER", "3f2a9b41c0de"),
            ("DETAILS", "fd=-2(ENOENT) name=/x"),
        ] {
            let column = heading.find(name).unwrap();
            assert!(row[column..].starts_with(value), "{name}\n{heading}{row}");
        }
    }

    #[test]
    fn what_a_process_chooses_stays_on_its_line() {
        let hostile = "a\nb\u{1b}[2J\u{202e}\r";
        let row = row(
            "12:00:00.000000001",
            &fields(json!({
                "evt.type": "execve", "evt.res": "SUCCESS", "evt.rawres": 0, "proc.name": hostile, "proc.pid": 7,
                "proc.cmdline": hostile, "user.name": null, "container.id": "host",
            })),
            Colours::On,
        );
        assert_eq!(row.lines().count(), 1);
        assert!(row.contains(r"a\nb\u001b[2J\u202e\r"), "{row}");
        assert!(!row.contains("\u{1b}[2J"));
        assert!(!row.contains("host"), "{row}");
    }

    #[test]
    fn a_failure_is_red_where_there_are_colours() {
        let fields = fields(json!({"evt.type": "open", "evt.res": "EPERM", "evt.failed": true}));
        assert!(row("", &fields, Colours::On).contains("\u{1b}[31mEPERM"));
        assert!(!row("", &fields, Colours::Off).contains('\u{1b}'));
    }
}
