//! What conditions match, and what programs know of themselves.

use super::*;
use crate::rules::tests as this;

#[test]
fn comparisons() {
    let ip = |text: &str| Value::Ip(text.parse().unwrap());
    let ends = Value::List(vec![ip("127.0.0.1"), ip("10.0.0.9")]);
    let values = [
        ("proc.name", text("bash")),
        ("proc.pname", text("bash")),
        ("proc.cmdline", text("bash -c Id")),
        ("fd.name", text("/etc/shadow")),
        ("fd.num", Value::Int(3)),
        ("fd.sport", Value::Uint(443)),
        ("fd.sip", ip("10.0.0.9")),
        ("fd.ip", ends.clone()),
        ("fd.net", ends),
        ("fd.snet", ip("10.0.0.9")),
        ("evt.is_open_read", Value::Bool(true)),
        ("proc.aname", Value::List(vec![text("sshd"), text("init")])),
    ];
    for (condition, expected) in [
        ("proc.name = bash", true),
        ("proc.name != bash", false),
        ("not proc.name = bash", false),
        ("proc.name in (sh, bash)", true),
        ("proc.name in ()", false),
        ("not proc.name in ()", true),
        ("proc.name contains as", true),
        ("proc.cmdline icontains \"ID\"", true),
        ("proc.name startswith ba", true),
        ("proc.name endswith sh", true),
        ("proc.name glob b*h", true),
        ("proc.name iglob B?SH", true),
        ("proc.name regex \"b.sh\"", true),
        ("proc.name regex \"b.s\"", false),
        ("proc.name exists", true),
        ("proc.exe exists", false),
        ("proc.exe = x", false),
        ("proc.exe != x", false),
        ("not proc.exe = x", true),
        ("fd.name pmatch (/etc, /var)", true),
        ("fd.name pmatch (/etc/sha)", false),
        ("fd.num >= 0 and fd.num < 4", true),
        ("fd.num = -1", false),
        ("fd.sport = 443", true),
        ("fd.sip = 10.0.0.9", true),
        ("fd.sip in (\"10.0.0.8\", \"10.0.0.9\")", true),
        ("fd.snet = \"10.0.0.0/8\"", true),
        ("fd.snet in (\"11.0.0.0/8\", \"10.0.0.0/8\")", true),
        ("fd.ip = 127.0.0.1", true),
        ("fd.ip != 127.0.0.1", false),
        ("fd.ip != 1.1.1.1", true),
        ("fd.net != \"127.0.0.0/8\"", false),
        ("evt.is_open_read = true", true),
        ("evt.is_open_read = false", false),
        ("proc.aname = sshd", true),
        ("proc.aname != sshd", true),
        ("not proc.aname = nobody", true),
        ("proc.aname in (x, init)", true),
        ("proc.name = val(proc.pname)", true),
        ("toupper(proc.name) = BASH", true),
        ("basename(fd.name) = shadow", true),
        ("len(proc.name) > 3", true),
        ("proc.name startswith oneof (ba, x)", true),
        ("proc.name startswith oneof (ba, b)", false),
        ("proc.name startswith anyof (x, b)", true),
        ("proc.name startswith allof (ba, b)", true),
        ("proc.name = anyof ()", false),
    ] {
        let found = matches(&program(&rule(condition)), EventType::Openat, &values);
        assert_eq!(!found.is_empty(), expected, "{condition}");
    }
}

#[test]
fn event_types_are_folded() {
    let program = program(&rule(
        "evt.type in (execve, open) and evt.num > 0 and not evt.num = 0",
    ));
    let events: Vec<_> = program.events().iter().collect();
    assert_eq!(events, [EventType::Execve, EventType::Open]);
    assert_eq!(matches(&program, EventType::Open, &[]), ["r"]);
    assert!(matches(&program, EventType::Connect, &[]).is_empty());
    let never = this::program(&rule("evt.type = open and evt.num = 0"));
    assert!(never.events().is_empty());
    assert_eq!(never.inert_rules().collect::<Vec<_>>(), ["r"]);
}

#[test]
fn the_first_rule_wins_unless_all_are_wanted() {
    let two = format!(
        "{}{}",
        rule("proc.name = a"),
        rule("proc.name exists").replace(": r", ": s")
    );
    let report = load_text(&two);
    for (matching, expected) in [
        (Matching::First, vec!["r"]),
        (Matching::All, vec!["r", "s"]),
    ] {
        let options = CompileOptions {
            matching,
            ..CompileOptions::default()
        };
        let program = Program::compile(&report.rules, options);
        assert_eq!(
            matches(&program, EventType::Open, &[("proc.name", text("a"))]),
            expected
        );
        assert_eq!(
            matches(&program, EventType::Open, &[("proc.name", text("b"))]),
            ["s"]
        );
    }
}

#[test]
fn a_rule_matches_under_either_view() {
    let program = program(&rule("fd.name = /etc/shadow"));
    let view = |name| Given {
        program: &program,
        values: HashMap::from([("fd.name".to_owned(), text(name))]),
    };
    let (link, file) = (view("/tmp/link"), view("/etc/shadow"));
    let mut cache = EvaluationCache::default();
    for _ in 0..2 {
        let mut found = Vec::new();
        program.evaluate(EventType::Open, &[&link, &file], &mut cache, &mut found);
        assert_eq!(found, [RuleIndex(0)]);
        found.clear();
        program.evaluate(EventType::Open, &[&link], &mut cache, &mut found);
        assert!(found.is_empty());
    }
}

#[test]
fn what_rules_ask_of_the_kernel() {
    for (condition, event, asks) in [
        (
            "evt.type = execve and proc.name = x",
            EventType::Execve,
            false,
        ),
        (
            "evt.type = execve and evt.res = ENOENT",
            EventType::Execve,
            true,
        ),
        (
            "evt.type = execve and evt.failed = true",
            EventType::Execve,
            true,
        ),
        (
            "evt.type = execve and evt.failed = false",
            EventType::Execve,
            false,
        ),
        (
            "evt.type = execve and evt.arg.res = EPERM",
            EventType::Execve,
            true,
        ),
        (
            "evt.type = openat and fd.num >= 0",
            EventType::Openat,
            false,
        ),
        ("evt.type = openat and fd.name = x", EventType::Openat, true),
        (
            "evt.type = openat and evt.is_open_write = true",
            EventType::Openat,
            false,
        ),
        (
            "evt.type = connect and evt.res = SUCCESS",
            EventType::Connect,
            false,
        ),
        (
            "evt.type = connect and (evt.rawres >= 0 or evt.res = EINPROGRESS)",
            EventType::Connect,
            true,
        ),
    ] {
        assert_eq!(
            program(&rule(condition)).asks_about_failure(event),
            asks,
            "{condition}"
        );
    }
    let writes = program(&rule("evt.type = openat and evt.is_open_write = true"));
    assert!(writes.can_match(EventType::Openat, &knowledge::of_open(true)));
    assert!(!writes.can_match(EventType::Openat, &knowledge::of_open(false)));
}
