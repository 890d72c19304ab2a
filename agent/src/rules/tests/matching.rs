//! What conditions match, and what programs know of themselves.

use std::cell::Cell;

use super::*;

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
        let found = matches(&program(&rule(condition)), EventType::OPENAT, &values);
        assert_eq!(!found.is_empty(), expected, "{condition}");
    }
}

#[test]
fn event_types_are_folded() {
    let program = program(&rule(
        "evt.type in (execve, open) and evt.num > 0 and not evt.num = 0",
    ));
    let events: Vec<_> = program.events().iter().collect();
    assert_eq!(events, [EventType::EXECVE, EventType::OPEN]);
    assert_eq!(matches(&program, EventType::OPEN, &[]), ["r"]);
    assert!(matches(&program, EventType::CONNECT, &[]).is_empty());
    for (condition, is_inert, is_switched_off) in [
        ("evt.type = open and evt.num = 0", false, true),
        ("evt.type = open and proc.name in ()", false, true),
        ("evt.type = container", true, false),
        ("evt.type = open", false, false),
    ] {
        let program = super::program(&rule(condition));
        assert_eq!(program.inert_rules().count() == 1, is_inert, "{condition}");
        let rule = &program.rules()[0];
        assert_eq!(rule.is_switched_off, is_switched_off, "{condition}");
        assert_eq!(
            rule.events.is_empty(),
            is_inert || is_switched_off,
            "{condition}"
        );
    }
}

#[test]
fn what_a_runtime_knows_is_asked_for_last() {
    struct Asked(Cell<bool>, usize);
    impl FieldSource for Asked {
        fn value(&self, slot: usize) -> Option<Value<'_>> {
            if slot == self.1 {
                self.0.set(true);
            }
            (slot != self.1).then_some(Value::Int(7))
        }
    }
    let text = rule("container.privileged = true and evt.type = execve and proc.vpid = 1");
    let program = program(&text);
    let privileged = program
        .fields()
        .iter()
        .position(|field| field.name == "container.privileged");
    let event = Asked(Cell::new(false), privileged.unwrap());
    let mut found = Vec::new();
    let mut cache = EvaluationCache::default();
    program.evaluate(
        EventType::EXECVE,
        EventClass::Unknown,
        &[&event],
        &mut cache,
        &mut found,
    );
    assert!(found.is_empty() && !event.0.get());
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
            matches(&program, EventType::OPEN, &[("proc.name", text("a"))]),
            expected
        );
        assert_eq!(
            matches(&program, EventType::OPEN, &[("proc.name", text("b"))]),
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
        program.evaluate(
            EventType::OPEN,
            EventClass::Unknown,
            &[&link, &file],
            &mut cache,
            &mut found,
        );
        assert_eq!(found, [RuleIndex(0)]);
        found.clear();
        program.evaluate(
            EventType::OPEN,
            EventClass::Unknown,
            &[&link],
            &mut cache,
            &mut found,
        );
        assert!(found.is_empty());
    }
}

#[test]
fn failed_execs_are_shown_to_rules_that_ask_about_results() {
    let rules: String = [
        ("plain", "evt.type in (execve, execveat) and proc.name = a"),
        ("asks", "evt.type = execve and evt.failed = true"),
        ("any", "proc.name = a"),
        (
            "asks elsewhere",
            "evt.type = execve and proc.name = a or evt.type = connect and evt.res != SUCCESS",
        ),
        ("counts", "evt.type = execve and evt.count.error.other = 1"),
        ("unless", "evt.type = execve and not evt.res = ENOENT"),
    ]
    .iter()
    .map(|(name, condition)| rule(condition).replacen(": r", &format!(": {name}"), 1))
    .collect();
    let report = load_text(&rules);
    for (class, failed_exec, expected) in [
        (EventClass::Failed, false, &["asks", "counts"][..]),
        (
            EventClass::Failed,
            true,
            &["plain", "asks", "any", "asks elsewhere", "counts"],
        ),
        // Nothing says that this one failed.
        (
            EventClass::Unknown,
            false,
            &["plain", "asks", "any", "asks elsewhere", "counts"],
        ),
    ] {
        let options = CompileOptions {
            matching: Matching::All,
            failed_exec,
            ..CompileOptions::default()
        };
        let program = Program::compile(&report.rules, options);
        let given = Given {
            program: &program,
            values: HashMap::from([
                ("proc.name".to_owned(), text("a")),
                ("evt.failed".to_owned(), Value::Bool(true)),
                ("evt.res".to_owned(), text("ENOENT")),
                ("evt.count.error.other".to_owned(), Value::Uint(1)),
            ]),
        };
        let mut found = Vec::new();
        let mut cache = EvaluationCache::default();
        program.evaluate(EventType::EXECVE, class, &[&given], &mut cache, &mut found);
        let names: Vec<_> = found
            .iter()
            .map(|rule| &*program.rule(*rule).name)
            .collect();
        assert_eq!(names, expected, "{class:?} {failed_exec}");
        assert_eq!(
            program.asks_about_failure(EventType::EXECVEAT),
            failed_exec,
            "{failed_exec}"
        );
    }
}

#[test]
fn what_rules_ask_of_the_kernel() {
    for (condition, event, asks) in [
        (
            "evt.type = execve and proc.name = x",
            EventType::EXECVE,
            false,
        ),
        (
            "evt.type = execve and evt.res = ENOENT",
            EventType::EXECVE,
            true,
        ),
        (
            "evt.type = execve and evt.failed = true",
            EventType::EXECVE,
            true,
        ),
        (
            "evt.type = execve and evt.failed = false",
            EventType::EXECVE,
            false,
        ),
        (
            "evt.type = execve and evt.arg.res = EPERM",
            EventType::EXECVE,
            true,
        ),
        (
            "evt.type = openat and fd.num >= 0",
            EventType::OPENAT,
            false,
        ),
        ("evt.type = openat and fd.name = x", EventType::OPENAT, true),
        (
            "evt.type = openat and evt.is_open_write = true",
            EventType::OPENAT,
            false,
        ),
        (
            "evt.type = connect and evt.res = SUCCESS",
            EventType::CONNECT,
            false,
        ),
        (
            "evt.type = connect and (evt.rawres >= 0 or evt.res = EINPROGRESS)",
            EventType::CONNECT,
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
    assert!(writes.can_match(EventType::OPENAT, &knowledge::of_open(true)));
    assert!(!writes.can_match(EventType::OPENAT, &knowledge::of_open(false)));
}

#[test]
fn special_values_and_their_comparisons() {
    let list = |texts: &[&'static str]| Value::List(texts.iter().map(|item| text(item)).collect());
    let values = [
        ("proc.name", text("sh\0hidden")),
        ("proc.pname", text("sh")),
        ("fd.name", text("/etc/shadow\0/x")),
        ("proc.exe", Value::text(b"a\xffb")),
        ("proc.cmdline", text("sh -c a\nb")),
        ("proc.aargs", list(&["-a", "-b"])),
        ("proc.args", text("-x 1")),
        ("evt.buffer", Value::text(b"\x7fELF\0\x02")),
        ("evt.rawtime", Value::Uint(5_000_000_000)),
        (
            "fd.port",
            Value::List(vec![Value::Uint(80), Value::Uint(4000)]),
        ),
        ("fd.sip", Value::Ip("::1".parse().unwrap())),
        ("thread.cpu", Value::Double(2.5)),
        ("fs.path.name", text("/tmp//x/")),
        ("fd.types", list(&["/a", "/b"])),
        ("fd.types[7]", Value::List(vec![])),
    ];
    for (condition, expected) in [
        // Text ends at its first NUL.
        ("proc.name = sh", true),
        ("proc.name contains hidden", false),
        ("proc.name endswith sh", true),
        ("fd.name = /etc/shadow", true),
        ("basename(fd.name) = shadow", true),
        ("basename(fd.name) = x", false),
        ("basename(toupper(fd.name)) = SHADOW", true),
        ("join(fd.name, (\"a\", \"b\")) = a/etc/shadowb", true),
        ("proc.name in (sh, bash)", true),
        ("len(proc.name) = 2", true),
        ("proc.name = val(proc.pname)", true),
        ("proc.name != val(proc.pname)", false),
        ("proc.name = val(proc.pexe)", false),
        ("proc.name != val(proc.pexe)", false),
        ("proc.name in val(proc.pname)", true),
        ("proc.name <= val(proc.pname)", true),
        ("proc.pname < 5", false),
        ("proc.pname > 5", true),
        // Bytes that are no UTF-8.
        ("proc.exe = \"a\\xffb\"", true),
        ("proc.exe contains \"\\xff\"", true),
        ("proc.exe regex \"a.b\"", true),
        ("proc.cmdline regex \"sh.*b\"", true),
        ("proc.cmdline regex \"sh.*a\"", false),
        ("proc.cmdline glob \"sh*b\"", true),
        ("proc.aargs = \"-a -b\"", true),
        ("evt.buffer bcontains 454c46", true),
        ("evt.buffer bstartswith 7f45", true),
        ("evt.buffer endswith \"\\x02\"", true),
        // Within 6 s of the time, and not.
        ("evt.around[10000000000] = 6000", true),
        ("evt.around[10000000000] = 4000", false),
        // Both ends.
        ("fd.port = 80", true),
        ("fd.port != 80", false),
        ("fd.port != 81", true),
        ("fd.port < 100", true),
        ("fd.port in (1, 4000)", true),
        ("fd.port = oneof (80, 81)", true),
        ("fd.port = oneof (80, 4000)", false),
        ("fd.port = allof (80, 4000)", true),
        ("fd.port != allof (81, 4000)", false),
        ("fd.port != anyof (81, 4000)", true),
        ("fd.sip = ::1", true),
        ("fd.sip = 0.0.0.1", false),
        ("fd.sip != 0.0.0.1", true),
        ("thread.cpu > 2", true),
        ("thread.cpu = 2", false),
        ("fs.path.name pmatch (/tmp)", true),
        ("fs.path.name pmatch (/tmp/x/y)", false),
        ("fs.path.name pmatch (/t*)", true),
        // Lists.
        ("fd.types in (/a, /b, /c)", true),
        ("fd.types in (/a)", false),
        ("fd.types intersects (/a)", true),
        ("fd.types intersects (/c)", false),
        ("fd.types exists", true),
        ("fd.types[7] in (1)", true),
        ("fd.types[7] intersects (1)", false),
        ("len(fd.types) = 2", true),
        ("join(\":\", fd.types) = /a:/b", true),
        ("toupper(fd.types) intersects (/A)", true),
        ("concat(proc.name, \"-\", proc.pname) = sh-sh", true),
        ("b64(proc.exe) exists", false),
        ("proc.name = toupper(proc.pname)", false),
        ("toupper(proc.name) = toupper(proc.pname)", true),
    ] {
        let found = matches(&program(&rule(condition)), EventType::OPENAT, &values);
        assert_eq!(!found.is_empty(), expected, "{condition}");
    }
}

#[test]
fn what_cannot_be_is_known_from_what_is_missing() {
    for (condition, event, expected) in [
        ("syscall.type exists", EventType::PROCEXIT, false),
        (
            "syscall.type = procexit or evt.res exists",
            EventType::PROCEXIT,
            false,
        ),
        ("not evt.res exists", EventType::PROCEXIT, true),
        ("evt.type.is.open = 1", EventType::OPEN, true),
        ("evt.type.is.open = 1", EventType::CONNECT, false),
        ("evt.dir = >", EventType::OPEN, false),
        ("proc.name in () or evt.num < 1", EventType::OPEN, false),
        ("evt.type startswith open", EventType::OPENAT, true),
        ("evt.type startswith open", EventType::CONNECT, false),
        ("evt.type in (openat2, bpf)", EventType::OPENAT2, true),
    ] {
        let program = program(&rule(condition));
        assert_eq!(program.events().contains(event), expected, "{condition}");
    }
}

#[test]
fn a_program_asks_for_each_field_once() {
    struct Counting(std::cell::RefCell<Vec<usize>>);
    impl FieldSource for Counting {
        fn value(&self, slot: usize) -> Option<Value<'_>> {
            self.0.borrow_mut().push(slot);
            None
        }
    }
    let two = rule("proc.name = a or proc.name = b or proc.exe = val(proc.name)")
        + &rule("proc.name contains c").replace(": r", ": s");
    let program = program(&two);
    let mut cache = EvaluationCache::default();
    for _ in 0..3 {
        let source = Counting(std::cell::RefCell::default());
        program.evaluate(
            EventType::OPEN,
            EventClass::Unknown,
            &[&source],
            &mut cache,
            &mut Vec::new(),
        );
        let mut asked = source.0.into_inner();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1]);
    }
}
