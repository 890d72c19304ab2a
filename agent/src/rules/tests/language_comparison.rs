//! What comparisons take and mean: literals by type, operators by type, special fields, transformers,
//! comparisons of fields. Each row says which rule of the language it shows.

use super::*;

/// A field of each type that rules can compare.
const FIELDS: &[(&str, &str)] = &[
    ("fd.num", "1"),
    ("proc.pid", "1"),
    ("proc.vmsize", "1"),
    ("evt.rawtime", "1"),
    ("proc.duration", "1"),
    ("fd.sport", "1"),
    ("thread.cpu", "1"),
];

fn error_of(condition: &str) -> Option<String> {
    let report = load_text(&rule(condition));
    report.errors().next().map(|error| {
        assert_eq!(error.code, Code::CompileCondition, "{condition}: {error}");
        error.message.clone()
    })
}

#[test]
fn literals_by_type() {
    for (sentence, condition, expected) in [
        ("a signed number", "fd.num = -1", None),
        ("with a plus sign", "fd.num = +1", None),
        (
            "the whole text has to be a number",
            "fd.num = 1x",
            Some("not a valid number"),
        ),
        (
            "a signed number is decimal",
            "fd.num = 0x10",
            Some("in decimal"),
        ),
        ("so it is behind <", "fd.num < 0x10", Some("in decimal")),
        ("an unsigned number", "user.uid = 1000", None),
        ("a negative one wraps", "user.uid = -1", None),
        (
            "an unsigned number in hexadecimal",
            "user.uid > 0xff",
            Some("in decimal"),
        ),
        ("no fraction", "fd.num = 1.5", Some("not a valid number")),
        (
            "none for a double either",
            "thread.cpu > 1.5",
            Some("not a valid number"),
        ),
        ("a whole number for a double", "thread.cpu > 1", None),
        ("a length of time", "proc.duration < 5000000000", None),
        ("true", "evt.is_open_read = true", None),
        ("false", "evt.is_open_read = false", None),
        (
            "no other case",
            "evt.is_open_read = True",
            Some("neither true nor false"),
        ),
        (
            "no number",
            "evt.is_open_read = 1",
            Some("neither true nor false"),
        ),
        ("a port by number", "fd.sport = 443", None),
        ("an empty port is zero", "fd.sport = \"\"", None),
        ("a port that is none", "fd.sport = 65536", Some("no port")),
        (
            "an address with a dot is of version 4",
            "fd.sip = 10.0.0.1",
            None,
        ),
        ("one without is of version 6", "fd.sip = ::1", None),
        (
            "half an address",
            "fd.sip = 10.0.0",
            Some("no IPv4 or IPv6 address"),
        ),
        (
            "a name is no address",
            "fd.sip = localhost",
            Some("no IPv4 or IPv6 address"),
        ),
        ("a network", "fd.snet = \"10.0.0.0/8\"", None),
        ("a network of version 6", "fd.snet in (\"fd00::/8\")", None),
        (
            "an address is no network",
            "fd.snet = 10.0.0.1",
            Some("no network"),
        ),
        (
            "a prefix that is too long",
            "fd.snet = \"10.0.0.0/33\"",
            Some("no network"),
        ),
        (
            "raw bytes of a buffer",
            "evt.buffer contains \"\\x01\"",
            None,
        ),
        (
            "an even number of digits",
            "evt.buffer bcontains 0aFF",
            None,
        ),
        (
            "an odd number of digits",
            "evt.buffer bcontains 0af",
            Some("hexadecimal"),
        ),
        (
            "digits that are none",
            "evt.buffer bstartswith zz",
            Some("hexadecimal"),
        ),
        ("a name of an event", "evt.type = open", None),
        (
            "a name of a system call that has no event",
            "evt.type = getrandom",
            None,
        ),
        (
            "a name of no event",
            "evt.type = opne",
            Some("unknown event type 'opne'"),
        ),
        (
            "one of many",
            "evt.type in (open, opne)",
            Some("unknown event type 'opne'"),
        ),
        (
            "a pattern that is none",
            "proc.name regex \"a(\"",
            Some("no regular expression"),
        ),
        (
            "each pattern of a modifier",
            "proc.name regex anyof (a, \"b(\")",
            Some("no regular expression"),
        ),
        (
            "an unknown field",
            "proc.nothing = a",
            Some("unknown field 'proc.nothing'"),
        ),
        (
            "a field and more",
            "proc.namex = a",
            Some("unknown field 'proc.namex'"),
        ),
        (
            "a field that is for outputs only",
            "evt.plugininfo exists",
            None,
        ),
    ] {
        let found = error_of(condition);
        match (&found, expected) {
            (None, None) => {}
            (Some(message), Some(part)) if message.contains(part) => {}
            _ => panic!("{sentence}: {condition}: {found:?}"),
        }
    }
}

#[test]
fn operators_by_type() {
    let all = |operators: &str, fields: &[(&str, &str)], fits: bool| {
        for (field, literal) in fields {
            for operator in operators.split(' ') {
                let condition = match operator {
                    "exists" => format!("{field} exists"),
                    "in" | "intersects" | "pmatch" => format!("{field} {operator} (\"{literal}\")"),
                    "<" | "<=" | ">" | ">=" => format!("{field} {operator} 1"),
                    _ => format!("{field} {operator} \"{literal}\""),
                };
                let error = error_of(&condition);
                assert_eq!(error.is_none(), fits, "{condition}: {error:?}");
            }
        }
    };
    let equality = "exists = == != in intersects";
    let order = "< <= > >=";
    let part = "contains startswith endswith";
    let text_only = "icontains glob iglob regex pmatch";
    let bytes_only = "bcontains bstartswith";
    all(equality, FIELDS, true);
    all(order, FIELDS, true);
    for operators in [part, text_only, bytes_only] {
        all(operators, FIELDS, false);
    }
    let flag = [("evt.is_open_read", "true")];
    all(equality, &flag, true);
    for operators in [order, part, text_only, bytes_only] {
        all(operators, &flag, false);
    }
    let text = [("proc.name", "ab"), ("fd.name", "/a")];
    for operators in [equality, order, part, text_only] {
        all(operators, &text, true);
    }
    all(bytes_only, &text, false);
    let buffer = [("evt.buffer", "0a")];
    for operators in [equality, part, bytes_only] {
        all(operators, &buffer, true);
    }
    for operators in [order, text_only] {
        all(operators, &buffer, false);
    }
    let addresses = [("fd.sip", "10.0.0.1"), ("fd.snet", "10.0.0.0/8")];
    all(equality, &addresses, true);
    for operators in [order, part, text_only, bytes_only] {
        all(operators, &addresses, false);
    }
    let list = [("fd.types", "file")];
    all("exists in intersects", &list, true);
    for operators in ["= !=", order, part, text_only, bytes_only] {
        all(operators, &list, false);
    }
}

#[test]
fn transformers_and_fields_are_checked_when_a_rule_loads() {
    for (sentence, condition, expected) in [
        (
            "case of a number",
            "toupper(fd.num) = 1",
            Some("expects one string"),
        ),
        ("case of a path", "tolower(fd.name) = a", None),
        ("base64 of a buffer", "b64(evt.buffer) contains x", None),
        (
            "base64 of a number",
            "b64(fd.num) = x",
            Some("expects one string or byte buffer"),
        ),
        (
            "the length of a text is a number",
            "len(proc.name) > 3",
            None,
        ),
        (
            "and no text",
            "len(proc.name) contains 3",
            Some("does not go with"),
        ),
        ("the length of a list", "len(fd.types) = 2", None),
        ("the length of a buffer", "len(evt.buffer) = 2", None),
        (
            "the length of a number",
            "len(fd.num) = 2",
            Some("len() expects"),
        ),
        (
            "a list is transformed by element and stays one",
            "toupper(fd.types) in (A)",
            None,
        ),
        (
            "so it takes no equals sign",
            "toupper(fd.types) = A",
            Some("does not go with"),
        ),
        ("join takes a list field", "join(\",\", fd.types) = a", None),
        (
            "join takes a transformed list",
            "join(\",\", toupper(fd.types)) = a",
            None,
        ),
        (
            "join of one argument",
            "join(fd.types) = a",
            Some("join() expects"),
        ),
        (
            "join of two texts",
            "join(\",\", proc.name) = a",
            Some("join() expects"),
        ),
        (
            "concat of one argument",
            "concat(proc.name) = a",
            Some("two or more"),
        ),
        (
            "concat of a number",
            "concat(proc.name, fd.num) = a",
            Some("two or more"),
        ),
        (
            "getopt of a list",
            "getopt(fd.types, \"a\") intersects (a)",
            None,
        ),
        (
            "getopt of a text",
            "getopt(proc.args, \"a\") intersects (a)",
            Some("getopt() expects"),
        ),
        (
            "one option of getopt is a text",
            "getopt(fd.types, \"a\")[a] contains x",
            None,
        ),
        (
            "brackets behind another transformer",
            "tolower(proc.name)[a] = x",
            Some("expects"),
        ),
        (
            "a field that takes no transformer",
            "tolower(fd.cip.name) = x",
            Some("cannot be transformed"),
        ),
        (
            "the type of the event",
            "tolower(evt.type) = open",
            Some("cannot be transformed"),
        ),
        (
            "two fields of one type",
            "proc.name = val(proc.pname)",
            None,
        ),
        (
            "two types",
            "proc.name = val(fd.num)",
            Some("expected the same"),
        ),
        (
            "a transformer changes the type",
            "fd.num = len(proc.name)",
            Some("expected the same"),
        ),
        (
            "a list field that is not compared",
            "fd.types intersects val(fd.types)",
            Some("cannot be compared"),
        ),
        (
            "pmatch takes literals",
            "fd.name pmatch val(proc.exepath)",
            Some("literals only"),
        ),
        (
            "regex takes literals",
            "proc.name regex val(proc.pname)",
            Some("literals only"),
        ),
        (
            "a network takes literals",
            "fd.snet = val(fd.cnet)",
            Some("cannot be compared"),
        ),
        (
            "a field that is not compared, on the left",
            "proc.aname = val(proc.name)",
            Some("cannot be compared"),
        ),
        (
            "and on the right",
            "proc.name = val(proc.aname)",
            Some("cannot be compared"),
        ),
        (
            "the type of the event on the left",
            "evt.type = val(proc.name)",
            Some("cannot be compared"),
        ),
        (
            "and on the right",
            "proc.name = val(evt.type)",
            Some("cannot be compared"),
        ),
        (
            "time around takes = only",
            "evt.around[1] > 5",
            Some("takes only '='"),
        ),
    ] {
        let found = error_of(condition);
        match (&found, expected) {
            (None, None) => {}
            (Some(message), Some(part)) if message.contains(part) => {}
            _ => panic!("{sentence}: {condition}: {found:?}"),
        }
    }
}
