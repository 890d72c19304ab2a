//! From conditions to types of events. Each row says which rule of the language it shows.

use super::*;

/// The names of a rule's event types, or how many there are if it is nearly all of them.
fn types(condition: &str) -> Result<Vec<String>, usize> {
    let report = load_text(&rule(condition));
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{condition}: {errors:#?}");
    let types = &report.rules.rules().next().unwrap().event_types;
    if types.len() > 100 {
        Err(event_names::all().len() - types.len())
    } else {
        Ok(types.iter().map(str::to_owned).collect())
    }
}

#[test]
fn event_types_of_conditions() {
    for (sentence, condition, expected) in [
        ("=", "evt.type = open", Ok("open")),
        ("==", "evt.type == open", Ok("open")),
        ("in", "evt.type in (open, connect)", Ok("connect open")),
        ("syscall.type", "syscall.type = open", Ok("open")),
        ("!= leaves the others", "evt.type != open", Err(1)),
        ("exists says nothing", "evt.type exists", Err(0)),
        (
            "nor does a test of the text",
            "evt.type startswith open",
            Err(0),
        ),
        ("nor does any other field", "proc.name = x", Err(0)),
        (
            "and intersects",
            "evt.type in (open, connect) and evt.type = open",
            Ok("open"),
        ),
        (
            "and of two that exclude each other",
            "evt.type = open and evt.type = connect",
            Ok(""),
        ),
        (
            "or unites",
            "evt.type = open or evt.type = connect",
            Ok("connect open"),
        ),
        (
            "or with what says nothing",
            "evt.type = open or proc.name = x",
            Err(0),
        ),
        ("not excludes", "not evt.type = open", Err(1)),
        (
            "not of a set excludes all",
            "not evt.type in (open, connect)",
            Err(2),
        ),
        (
            "not goes down to each part of or",
            "not (evt.type = open or evt.type = connect)",
            Err(2),
        ),
        (
            "and to each part of and",
            "not (evt.type = open and proc.name = x)",
            Err(0),
        ),
        ("not twice", "not (not evt.type = open)", Ok("open")),
        (
            "not of what says nothing",
            "evt.type = open and not proc.name = x",
            Ok("open"),
        ),
        (
            "no event has the number zero",
            "evt.type = open and evt.num = 0",
            Ok(""),
        ),
        ("each has one of at least zero", "evt.num >= 0", Err(0)),
        (
            "the name of a call that has no event of its own",
            "evt.type = getrandom",
            Ok("getrandom"),
        ),
        (
            "a name that only old events have",
            "evt.type = drop",
            Ok("drop"),
        ),
        (
            "a tracepoint that is no system call",
            "evt.type = switch",
            Ok("switch"),
        ),
    ] {
        let expected = expected.map(|names| {
            names
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        assert_eq!(types(condition), expected, "{sentence}: {condition}");
    }
}
