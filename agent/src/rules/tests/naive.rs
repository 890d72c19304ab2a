//! Compiled programs match what the naive evaluator says, and printed conditions are read back.

use proptest::prelude::*;
use proptest::strategy::Union;

use super::*;
use crate::rules::naive::NaiveCondition;

/// Texts that rules and events are made of: few, so that they meet. As rules write them: the last three
/// are bytes of no text, or of more than a line.
const TEXTS: [&str; 15] = [
    "a",
    "b",
    "ab",
    "abc",
    "bash",
    "/etc/ab",
    "/etc/abc/d",
    "/a/b",
    "c.sh",
    "AB",
    "x y",
    "a[b]",
    "\\xff",
    "a\\nb",
    "\\xc3\\xa9",
];
/// What only events have: a NUL ends a text for all comparisons but those of bytes.
const HOSTILE: [&[u8]; 9] = [
    b"",
    b"a\0b",
    b"ab\0",
    b"\0",
    b"a\xffb",
    b"\xff",
    b"a\nb",
    "\u{e9}".as_bytes(),
    b"/etc//ab/\xff",
];
const ADDRESSES: [&str; 5] = ["127.0.0.1", "10.0.0.1", "10.1.2.3", "::1", "fe80::1"];
const NETWORKS: [&str; 4] = ["10.0.0.0/8", "127.0.0.0/8", "::/0", "0.0.0.0/0"];
const EVENTS: [&str; 8] = [
    "open", "openat", "execve", "connect", "mkdir", "sendto", "procexit", "kill",
];

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn texts(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let text = prop::sample::select(&TEXTS[..]).prop_map(quoted);
    prop::collection::vec(text, count).prop_map(|all| format!("({})", all.join(", ")))
}

fn list(items: &'static [&'static str]) -> impl Strategy<Value = String> {
    let item = prop::sample::select(items).prop_map(quoted);
    prop::collection::vec(item, 1..3).prop_map(|all| format!("({})", all.join(", ")))
}

fn text_comparison(field: &'static str) -> BoxedStrategy<String> {
    let text = prop::sample::select(&TEXTS[..]);
    let one = prop::sample::select(vec![
        "=",
        "!=",
        "contains",
        "icontains",
        "startswith",
        "endswith",
        "glob",
        "iglob",
    ]);
    let regex = prop::sample::select(vec!["a.*", "[ab]+", "/etc/.*", "(a|b)c?", "b"]);
    let glob = prop::sample::select(vec![
        "a*",
        "?b",
        "[ab]*",
        "*.sh",
        "/etc/*",
        "*",
        "[!a]*",
        "[[:upper:]]*",
        "*[[:lower:]]",
        "[A-B]*",
        "[a-\\\\c]*",
        "[[.a.]]*",
        "[[=b=]]*",
        "[[:nothing:]]*",
        "a[[]b]",
        "[a",
        "*[^[:alpha:]]*",
    ]);
    let modifier = prop::sample::select(vec!["oneof", "anyof", "allof"]);
    let modified = prop::sample::select(vec!["=", "!=", "startswith", "contains", "endswith"]);
    Union::new(vec![
        (one, text)
            .prop_map(move |(operator, text)| format!("{field} {operator} {}", quoted(text)))
            .boxed(),
        regex
            .prop_map(move |pattern| format!("{field} regex {}", quoted(pattern)))
            .boxed(),
        (prop::sample::select(vec!["glob", "iglob"]), glob)
            .prop_map(move |(operator, pattern)| format!("{field} {operator} {}", quoted(pattern)))
            .boxed(),
        texts(0..4)
            .prop_map(move |list| format!("{field} in {list}"))
            .boxed(),
        texts(1..3)
            .prop_map(move |list| format!("{field} pmatch {list}"))
            .boxed(),
        (modified, modifier, texts(0..3))
            .prop_map(move |(operator, modifier, list)| {
                format!("{field} {operator} {modifier} {list}")
            })
            .boxed(),
        Just(format!("{field} exists")).boxed(),
    ])
    .boxed()
}

fn number_comparison(field: &'static str) -> BoxedStrategy<String> {
    let operator = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    prop_oneof![
        (operator, 0..5_u8)
            .prop_map(move |(operator, number)| format!("{field} {operator} {number}")),
        prop::collection::vec("[0-4]", 0..3)
            .prop_map(move |numbers| format!("{field} in ({})", numbers.join(", "))),
        Just(format!("{field} exists")),
    ]
    .boxed()
}

fn address_comparison(
    field: &'static str,
    items: &'static [&'static str],
) -> BoxedStrategy<String> {
    let operator = prop::sample::select(vec!["=", "!="]);
    prop_oneof![
        (operator, prop::sample::select(items))
            .prop_map(move |(operator, item)| format!("{field} {operator} {}", quoted(item))),
        list(items).prop_map(move |list| format!("{field} in {list}")),
    ]
    .boxed()
}

/// Of bytes that were read or written.
fn buffer_comparison() -> BoxedStrategy<String> {
    let text = prop::sample::select(&TEXTS[..]);
    let operator = prop::sample::select(vec!["=", "!=", "contains", "startswith", "endswith"]);
    let digits = prop::sample::select(vec!["61", "6100", "00", "ff", "620a", ""]);
    let bytewise = prop::sample::select(vec!["bcontains", "bstartswith"]);
    prop_oneof![
        (operator, text)
            .prop_map(|(operator, text)| format!("evt.buffer {operator} {}", quoted(text))),
        (bytewise, digits)
            .prop_map(|(operator, digits)| format!("evt.buffer {operator} {}", quoted(digits))),
        texts(0..3).prop_map(|list| format!("evt.buffer in {list}")),
        Just("len(evt.buffer) > 1".to_owned()),
        Just("evt.buffer exists".to_owned()),
    ]
    .boxed()
}

/// Of fields that are lists, and of others that are compared as if they were.
fn list_comparison() -> BoxedStrategy<String> {
    let field = prop::sample::select(vec![
        "fd.types",
        "toupper(fd.types)",
        "proc.name",
        "proc.aname",
        "proc.pname",
    ]);
    let operator = prop::sample::select(vec!["in", "intersects"]);
    prop_oneof![
        (field, operator.clone(), texts(0..4))
            .prop_map(|(field, operator, list)| format!("{field} {operator} {list}")),
        (operator.clone(), prop::collection::vec("[0-4]", 0..3))
            .prop_map(|(operator, numbers)| format!("fd.num {operator} ({})", numbers.join(", "))),
        (operator, list(&ADDRESSES))
            .prop_map(|(operator, list)| format!("fd.sip {operator} {list}")),
        Just("fd.types exists".to_owned()),
        Just("len(fd.types) = 2".to_owned()),
        Just("join(\",\", fd.types) = \"a,b\"".to_owned()),
    ]
    .boxed()
}

/// Of two fields.
fn field_comparison() -> BoxedStrategy<String> {
    let ordered = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let of_text = prop::sample::select(vec![
        "=",
        "!=",
        "<",
        ">=",
        "contains",
        "icontains",
        "startswith",
        "endswith",
        "in",
    ]);
    prop_oneof![
        ordered
            .clone()
            .prop_map(|operator| format!("evt.rawres {operator} val(fd.num)")),
        ordered.prop_map(|operator| format!("fd.sport {operator} val(fd.cport)")),
        prop::sample::select(vec!["=", "!=", "in"])
            .prop_map(|operator| format!("fd.sip {operator} val(fd.cip)")),
        of_text.prop_map(|operator| format!("fd.name {operator} val(proc.name)")),
        Just("evt.buffer = val(evt.buffer)".to_owned()),
    ]
    .boxed()
}

fn any_comparison() -> impl Strategy<Value = String> {
    let event = prop::sample::select(&EVENTS[..]);
    Union::new(vec![
        text_comparison("proc.name"),
        text_comparison("fd.name"),
        text_comparison("proc.pname"),
        text_comparison("proc.aname"),
        text_comparison("proc.aname[2]"),
        text_comparison("toupper(proc.name)"),
        text_comparison("basename(fd.name)"),
        buffer_comparison(),
        list_comparison(),
        field_comparison(),
        number_comparison("fd.num"),
        number_comparison("fd.sport"),
        number_comparison("fd.port"),
        number_comparison("evt.rawres"),
        number_comparison("evt.num"),
        number_comparison("len(proc.name)"),
        address_comparison("fd.sip", &ADDRESSES),
        address_comparison("fd.ip", &ADDRESSES),
        address_comparison("fd.snet", &NETWORKS),
        address_comparison("fd.net", &NETWORKS),
        Just("evt.is_open_write = true".to_owned()).boxed(),
        Just("evt.is_open_write = false".to_owned()).boxed(),
        Just("evt.is_open_read != true".to_owned()).boxed(),
        prop::sample::select(vec![
            "evt.is_open_write exists",
            "evt.is_open_read exists",
            "evt.arg.res exists",
            "evt.res exists",
            "evt.res startswith \"\"",
            "evt.failed exists",
            "evt.failed != true",
            "evt.rawres exists",
            "b64(proc.name) exists",
            "len(fd.name) > 3",
        ])
        .prop_map(str::to_owned)
        .boxed(),
        Just("evt.arg.res != SUCCESS".to_owned()).boxed(),
        Just("evt.arg.res startswith E".to_owned()).boxed(),
        Just("evt.res in (ENOENT, \"-512\")".to_owned()).boxed(),
        Just("evt.failed = false".to_owned()).boxed(),
        Just("evt.res = SUCCESS".to_owned()).boxed(),
        Just("evt.res != ENOENT".to_owned()).boxed(),
        Just("evt.res startswith E".to_owned()).boxed(),
        Just("proc.name = val(proc.pname)".to_owned()).boxed(),
        Just("fd.name startswith val(proc.pname)".to_owned()).boxed(),
        event
            .clone()
            .prop_map(|name| format!("evt.type = {name}"))
            .boxed(),
        event
            .clone()
            .prop_map(|name| format!("evt.type != {name}"))
            .boxed(),
        prop::collection::vec(event, 1..4)
            .prop_map(|names| format!("evt.type in ({})", names.join(", ")))
            .boxed(),
        Just("evt.type startswith open".to_owned()).boxed(),
    ])
}

fn any_condition() -> impl Strategy<Value = String> {
    any_comparison().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("not ({part})")),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner, 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
        ]
    })
}

/// An event with its fields, and what is known of it beforehand.
#[derive(Clone, Debug)]
struct MadeUp {
    event: EventType,
    class: EventClass,
    values: HashMap<String, Value<'static>>,
    /// The kernel's path, where it is another one than that in `values`.
    second_path: Option<Value<'static>>,
}

fn any_bytes() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        3 => prop::sample::select(&TEXTS[..]).prop_map(text),
        1 => prop::sample::select(&HOSTILE[..]).prop_map(|bytes| Value::Bytes(bytes.into())),
    ]
}

fn any_event() -> impl Strategy<Value = MadeUp> {
    let maybe_text = || prop::option::of(any_bytes());
    let maybe_address = || prop::option::of(prop::sample::select(&ADDRESSES[..]));
    (
        prop::sample::select(&EVENTS[..]),
        (maybe_text(), maybe_text(), maybe_text()),
        (
            prop::collection::vec(any_bytes(), 0..4),
            prop::option::of(prop::collection::vec(any_bytes(), 0..3)),
            maybe_text(),
            maybe_text(),
        ),
        (
            prop::option::of(0..5_i64),
            prop::option::of(0..5_u64),
            prop::option::of(0..5_u64),
        ),
        (maybe_address(), maybe_address()),
        (
            prop::sample::select(vec![-2_i64, 0, 3]),
            any::<bool>(),
            any::<bool>(),
        ),
    )
        .prop_map(
            |(
                event,
                (name, parent, path),
                (ancestors, types, data, second_path),
                (number, port, client_port),
                (own, other),
                (result, writes, is_told),
            )| {
                let event = EventType::from_name(event).unwrap();
                let is_open = knowledge::is_open(event);
                let has_result = event != EventType::PROCEXIT;
                let mut values = HashMap::from([
                    ("evt.type".to_owned(), text(event.name())),
                    ("evt.num".to_owned(), Value::Uint(3)),
                ]);
                let mut add = |field: &str, value: Option<Value<'static>>| {
                    values.extend(value.map(|value| (field.to_owned(), value)));
                };
                add("proc.name", name);
                add("proc.pname", parent);
                add("fd.name", path);
                add("evt.buffer", data);
                add("fd.types", types.map(Value::List));
                add("proc.aname[2]", ancestors.get(1).cloned());
                add("proc.aname", Some(Value::List(ancestors)));
                let ip = |address: &str| Value::Ip(address.parse().unwrap());
                add("fd.cip", own.map(ip));
                add("fd.sip", other.map(ip));
                add("fd.cport", client_port.map(Value::Uint));
                add("fd.snet", other.map(ip));
                let ends: Vec<_> = [own, other].into_iter().flatten().map(ip).collect();
                let ends = (!ends.is_empty()).then_some(Value::List(ends));
                add("fd.ip", ends.clone());
                add("fd.net", ends);
                add("fd.sport", port.map(Value::Uint));
                add(
                    "fd.port",
                    port.map(|port| Value::List(vec![Value::Uint(4), Value::Uint(port)])),
                );
                if has_result {
                    add("evt.rawres", Some(Value::Int(result)));
                    add("evt.failed", Some(Value::Bool(result < 0)));
                    // An error that has no name is its number.
                    let name = match (result < 0, writes) {
                        (false, _) => "SUCCESS",
                        (true, false) => "ENOENT",
                        (true, true) => "-512",
                    };
                    add("evt.res", Some(text(name)));
                    // An open has no such parameter.
                    let shown = if result < 0 { name } else { "0" };
                    add("evt.arg.res", (!is_open).then(|| text(shown)));
                }
                if is_open {
                    add("fd.num", Some(Value::Int(result.max(-1))));
                    add(
                        "evt.is_open_read",
                        Some(Value::Bool(result >= 0 && !writes)),
                    );
                    add(
                        "evt.is_open_write",
                        Some(Value::Bool(result >= 0 && writes)),
                    );
                } else {
                    add("fd.num", number.map(Value::Int));
                }
                let class = match (has_result && is_told, result < 0, is_open, writes) {
                    (false, ..) => EventClass::Unknown,
                    (true, true, ..) => EventClass::Failed,
                    (true, false, true, true) => EventClass::OpenedForWriting,
                    (true, false, true, false) => EventClass::OpenedForReading,
                    (true, false, false, _) => EventClass::Succeeded,
                };
                MadeUp {
                    event,
                    class,
                    values,
                    second_path: second_path.filter(|_| is_open),
                }
            },
        )
}

/// What a rule means by a text that it writes.
fn text(written: &str) -> Value<'static> {
    let bytes = match written {
        "\\xff" => b"\xff".to_vec(),
        "\\xc3\\xa9" => "\u{e9}".as_bytes().to_vec(),
        plain => plain.replace("\\n", "\n").into_bytes(),
    };
    Value::Bytes(bytes.into())
}

proptest! {
    #[test]
    fn printing_and_parsing_give_the_same_tree(condition in any_condition()) {
        let tree = parse(&condition).unwrap();
        prop_assert_eq!(parse(&tree.to_string()).unwrap(), tree);
    }

    #[test]
    fn the_program_matches_what_the_tree_matches(
        conditions in prop::collection::vec(any_condition(), 1..6),
        events in prop::collection::vec(any_event(), 1..8),
        first in any::<bool>(),
    ) {
        let rules: String = conditions
            .iter()
            .enumerate()
            .map(|(index, condition)| rule(condition).replacen(": r", &format!(": r{index}"), 1))
            .collect();
        let report = load_text(&rules);
        let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
        prop_assert!(errors.is_empty(), "{:?}", errors);
        let matching = if first { Matching::First } else { Matching::All };
        let options = CompileOptions { matching, failed_exec: true, ..CompileOptions::default() };
        let program = Program::compile(&report.rules, options);
        let naive: Vec<_> = report
            .rules
            .rules()
            .map(|rule| NaiveCondition::new(&rule.condition))
            .collect();
        let mut cache = EvaluationCache::default();
        // One cache for all: nothing of an event may be left for the next.
        for MadeUp { event, class, values, second_path } in events {
            let given = Given { program: &program, values: values.clone() };
            let mut other = Given { program: &program, values: values.clone() };
            let mut views: Vec<&dyn FieldSource> = vec![&given];
            if let Some(path) = &second_path {
                other.values.insert("fd.name".to_owned(), path.clone());
                views.push(&other);
            }
            let mut found = Vec::new();
            program.evaluate(event, class, &views, &mut cache, &mut found);
            let lookup = |field: &FieldUse| values.get(&field_text(field)).cloned();
            let in_other = |field: &FieldUse| match (field.name, &second_path) {
                ("fd.name", Some(path)) => Some(path.clone()),
                _ => lookup(field),
            };
            // Each view by itself: a rule must not take one half from each.
            let holding = (0..naive.len())
                .filter(|index| naive[*index].holds(&lookup) || naive[*index].holds(&in_other));
            let expected: Vec<_> = holding
                .map(RuleIndex)
                .take(if first { 1 } else { usize::MAX })
                .collect();
            prop_assert_eq!(
                found, expected, "{:?} {:?} {:?} {:?}", event, class, values, second_path
            );
        }
    }

    #[test]
    fn no_text_makes_the_parser_or_the_loader_panic(text in "[a-z.=()\"'\\\\ \\[\\],<>!%:\\-\n]{0,80}") {
        let _tree = parse(&text);
        let _report = load_text(&text);
        let _report = load_text(&rule(&text));
    }
}
