use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::*;
use crate::fields::FieldArgument;

fn value<'e>(field: &FieldUse) -> Option<Value<'e>> {
    let text = |text: &'static str| Some(Value::text(text.as_bytes()));
    match (field.name, &field.argument) {
        ("proc.name", _) => text("cat"),
        ("proc.pid", _) => Some(Value::Int(42)),
        ("proc.exepath", _) => text("/usr/bin/cat"),
        ("proc.aname", FieldArgument::Index(2)) => text("systemd"),
        ("proc.aname", _) => Some(Value::List(vec![
            Value::text(b"bash"),
            Value::text(b"sshd"),
        ])),
        ("proc.cmdline", _) => Some(Value::Bytes(Cow::Borrowed(b"cat \xff\n\x1b[0m"))),
        ("proc.is_exe_writable", _) => Some(Value::Bool(true)),
        ("evt.arg", FieldArgument::Key(_)) => text("O_RDONLY"),
        ("evt.args", _) => text("all"),
        ("evt.time", _) => text("01:02:03.000000004"),
        ("evt.rawtime", _) => Some(Value::Uint(3_723_000_000_004)),
        ("evt.rawtime.ns", _) => Some(Value::Uint(4)),
        ("evt.buffer", _) => Some(Value::Bytes(Cow::Borrowed(b"a\0b\xff"))),
        ("fd.dev", _) => Some(Value::Int(0xfd)),
        ("fd.sip", _) => Some(Value::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        ("fd.sport", _) => Some(Value::Uint(443)),
        ("fd.types", _) => Some(Value::List(vec![
            Value::text(b"file"),
            Value::text(b"ipv4"),
        ])),
        ("proc.fdusage", _) => Some(Value::Double(1.25)),
        _ => None,
    }
}

fn render(format: &str) -> (String, serde_json::Value) {
    let (message, fields) = OutputFormat::parse(format).unwrap().render(&value);
    (message, fields.into())
}

#[test]
fn messages() {
    let cases = [
        ("plain", "plain"),
        ("", ""),
        ("trimmed \n", "trimmed"),
        ("*by %proc.name", "by cat"),
        ("%proc.name", "cat"),
        ("%proc.name.", "cat."),
        ("%proc.name[%proc.pid]", "cat[42]"),
        ("(%proc.name)=%proc.pid", "(cat)=42"),
        ("a %proc.aname[2] b", "a systemd b"),
        ("up=%proc.aname", "up=bash sshd"),
        ("%evt.arg.flags %evt.args", "O_RDONLY all"),
        ("%container.id|%5container.id", "<NA>|<NA> "),
        ("%5proc.name|", "cat  |"),
        ("%2proc.name|", "ca|"),
        ("%0proc.name|", "cat|"),
        ("%toupper(proc.name)", "CAT"),
        ("%6toupper(basename(proc.exepath))|", "CAT   |"),
        ("%concat( proc.name , '-' , \"x\")", "cat-x"),
        ("%join(\",\", (proc.name, proc.pid, 7))", "cat,42,7"),
        ("%join('+', fd.types)", "file+ipv4"),
        ("%len(fd.types)", "2"),
        ("%len(evt.buffer)", "4"),
        ("%toupper(fd.types)", "(FILE,IPV4)"),
        ("%tolower(container.id)", "<NA>"),
        ("%b64(concat(proc.name, '!'))", "<NA>"),
        ("%fd.types", "(file,ipv4)"),
        ("%fd.dev %fd.sip:%fd.sport", "FD 127.0.0.1:443"),
        ("%evt.rawtime.ns", "000000004"),
        ("%evt.buffer", "a.b."),
        ("%proc.fdusage %proc.is_exe_writable", "1.2 true"),
        ("%proc.cmdline", "cat \u{fffd}\n\u{1b}[0m"),
        ("in %container.info here", "in  here"),
        ("%evt.time", "01:02:03.000000004"),
    ];
    for (format, message) in cases {
        assert_eq!(render(format).0, message, "{format}");
    }
}

#[test]
fn listed_fields() {
    let cases = [
        ("none", json!({})),
        ("%proc.pid %proc.pid", json!({"proc.pid": 42})),
        ("%toupper(proc.name)", json!({"proc.name": "cat"})),
        ("%5proc.name", json!({"proc.name": "cat"})),
        ("%proc.aname[2]", json!({"proc.aname[2]": "systemd"})),
        ("%proc.aname", json!({"proc.aname": "bash sshd"})),
        ("%evt.arg.flags", json!({"evt.arg.flags": "O_RDONLY"})),
        ("%container.id", json!({"container.id": null})),
        ("%fd.types", json!({"fd.types": ["file", "ipv4"]})),
        ("%fd.dev", json!({"fd.dev": "FD"})),
        ("%evt.rawtime.ns", json!({"evt.rawtime.ns": "000000004"})),
        (
            "%fd.sport %fd.sip",
            json!({"fd.sport": 443, "fd.sip": "127.0.0.1"}),
        ),
        ("%evt.time", json!({"evt.time": 3_723_000_000_004_u64})),
        ("%evt.buffer", json!({"evt.buffer": "a.b."})),
        (
            "%proc.is_exe_writable",
            json!({"proc.is_exe_writable": true}),
        ),
        (
            "%join(',', (proc.name, proc.pid))",
            json!({"proc.name": "cat", "proc.pid": 42}),
        ),
    ];
    for (format, fields) in cases {
        assert_eq!(render(format).1, fields, "{format}");
    }
}

#[test]
fn fields_are_named_once_with_the_clock_behind_a_time() {
    let format = OutputFormat::parse("%evt.time %proc.name %toupper(proc.name)").unwrap();
    let names: Vec<_> = format.fields().map(|field| field.name).collect();
    assert_eq!(names, ["evt.time", "evt.rawtime", "proc.name"]);
}

#[test]
fn errors_have_the_place() {
    let cases = [
        ("100%", 3, "cannot be escaped"),
        ("50% of", 2, "cannot be escaped"),
        ("%%proc.name", 0, "cannot be escaped"),
        ("a %proc.nmae", 3, "did you mean 'proc.name'?"),
        ("*a %nothing", 4, "unknown field 'nothing'"),
        ("%evt.arg x", 1, "needs an argument"),
        ("%fd.ip", 1, "'fd.cip' or 'fd.sip'"),
        ("%evt.around[1]", 1, "only for conditions"),
        ("%9999proc.name", 1, "more than 1024"),
        ("%99999999999999999999999proc.name", 1, "more than 1024"),
        ("%upper(proc.name)", 1, "unknown field 'upper'"),
        ("%toupper(proc.pid)", 1, "expects one string"),
        ("%toupper(proc.name", 18, "',' or ')'"),
        ("%toupper(proc.aname)", 9, "cannot be transformed"),
        ("%toupper(fd.ip)", 9, "only for conditions"),
        ("%toupper()", 9, "unknown field"),
        ("%concat('a, proc.name)", 8, "no closing '"),
        ("%join(',', (proc.name proc.pid))", 22, "',' or ')'"),
        ("%concat(proc.name, 3", 20, "',' or ')'"),
    ];
    for (format, offset, part) in cases {
        let error = OutputFormat::parse(format).unwrap_err();
        assert_eq!(error.offset, offset, "{format}: {error}");
        assert!(error.message.contains(part), "{format}: {error}");
    }
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = format!("%{}", "tolower(".repeat(100_000));
    assert!(OutputFormat::parse(&deep).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_parses_or_errs(text in "[%a-z.\\[\\](),'\"0-9 \u{e9}\u{0}]{0,60}") {
        if let Ok(format) = OutputFormat::parse(&text) {
            format.render(&value);
        }
    }
}
