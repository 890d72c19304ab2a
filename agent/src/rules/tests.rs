//! The language end to end: files in, matches out.

use std::collections::HashMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::EventType;
use crate::fields::{FieldSource, FieldUse, Value};

fn source(text: &str) -> Vec<RuleSource> {
    vec![RuleSource {
        name: "rules.yaml".to_owned(),
        text: text.to_owned(),
    }]
}

fn load_text(text: &str) -> LoadReport {
    load(&source(text))
}

/// A rule with this condition, named `r`.
fn rule(condition: &str) -> String {
    let condition = serde_json::to_string(condition).unwrap();
    format!("- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n")
}

fn program(text: &str) -> Program {
    let report = load_text(text);
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    Program::compile(&report.rules, CompileOptions::default())
}

/// An event of given fields.
struct Given<'p> {
    program: &'p Program,
    values: HashMap<String, Value<'static>>,
}

impl FieldSource for Given<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.values
            .get(&field_text(&self.program.fields()[slot]))
            .cloned()
    }
}

fn matches(program: &Program, event: EventType, values: &[(&str, Value<'static>)]) -> Vec<String> {
    let values: HashMap<_, _> = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let given = Given { program, values };
    let mut found = Vec::new();
    program.evaluate(
        event,
        &[&given],
        &mut EvaluationCache::default(),
        &mut found,
    );
    found
        .iter()
        .map(|index| program.rule(*index).name.to_string())
        .collect()
}

fn text(text: &'static str) -> Value<'static> {
    Value::text(text.as_bytes())
}

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
    let never = self::program(&rule("evt.type = open and evt.num = 0"));
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

#[test]
fn lists_macros_overrides_and_exceptions() {
    let text_of = |text: &str| {
        let report = load_text(text);
        let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        report
            .rules
            .rules()
            .map(|rule| rule.condition.to_string())
            .collect::<Vec<_>>()
    };
    let base = "- list: l\n  items: [a, \"b c\"]\n- macro: m\n  condition: proc.name in (l)\n";
    for (more, expected) in [
        (rule("m"), "proc.name in (a, \"b c\")"),
        (
            rule("m") + "- list: l\n  items: [d]\n  override: {items: append}\n",
            "proc.name in (a, \"b c\", d)",
        ),
        (
            rule("m and evt.num > 0") + "- macro: m\n  condition: or evt.num = 1\n  append: true\n",
            "((proc.name in (a, \"b c\") or evt.num = 1) and evt.num > 0)",
        ),
        (
            rule("m")
                + "- rule: r\n  condition: and proc.pid = 1\n  override: {condition: append}\n",
            "(proc.name in (a, \"b c\") and proc.pid = 1)",
        ),
        (
            rule("m") + "- rule: r\n  condition: proc.pid = 1\n  override: {condition: replace}\n",
            "proc.pid = 1",
        ),
        (
            rule("m")
                + "  exceptions:\n  - name: e\n    fields: [proc.name, fd.name]\n    comps: [=, in]\n    values:\n    - [x, [y, z]]\n",
            "(proc.name in (a, \"b c\") and not (proc.name = x and fd.name in (y, z)))",
        ),
        (
            rule("m") + "  exceptions:\n  - name: e\n    fields: proc.pname\n    values: [x, l]\n",
            "(proc.name in (a, \"b c\") and not proc.pname in (x, a, \"b c\"))",
        ),
        (
            rule("m")
                + "  exceptions:\n  - name: e\n    fields: [proc.pname]\n- rule: r\n  exceptions:\n  - name: e\n    values: [[x]]\n  override: {exceptions: append}\n",
            "(proc.name in (a, \"b c\") and not proc.pname = x)",
        ),
    ] {
        assert_eq!(text_of(&format!("{base}{more}")), [expected], "{more}");
    }
}

#[test]
fn errors_name_file_line_and_remedy() {
    for (text, code, part) in [
        (
            "rule: x".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "expected a list of rules",
        ),
        ("- a: [".to_owned(), "LOAD_ERR_YAML_PARSE", ""),
        (
            "- rule: r\n  desc: d".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "the rule needs 'condition'",
        ),
        (
            rule("proc.nme = a"),
            "LOAD_ERR_COMPILE_CONDITION",
            "did you mean 'proc.name'?",
        ),
        (
            rule("nothing"),
            "LOAD_ERR_VALIDATE",
            "Undefined macro 'nothing'",
        ),
        (
            rule("evt.type = opne"),
            "LOAD_ERR_COMPILE_CONDITION",
            "did you mean 'open'?",
        ),
        (
            rule("fd.num = x"),
            "LOAD_ERR_COMPILE_CONDITION",
            "not a valid number",
        ),
        (
            rule("fd.num contains 1"),
            "LOAD_ERR_COMPILE_CONDITION",
            "does not go with",
        ),
        (
            rule("proc.name regex \"(\""),
            "LOAD_ERR_COMPILE_CONDITION",
            "regular expression",
        ),
        (
            rule("evt.num>0").replace("INFO", "LOUD"),
            "LOAD_ERR_YAML_VALIDATE",
            "unknown priority 'LOUD'",
        ),
        (
            rule("evt.num>0").replace(": o", ": 50%"),
            "LOAD_ERR_COMPILE_OUTPUT",
            "expected a field",
        ),
        (
            "- required_engine_version: 99".to_owned(),
            "LOAD_ERR_VALIDATE",
            "version 99",
        ),
        (
            "- list: l\n  items: [a]\n  append: true".to_owned(),
            "LOAD_ERR_VALIDATE",
            "no list",
        ),
        (
            "- macro: m\n  condition: m\n".to_owned() + &rule("m"),
            "LOAD_ERR_VALIDATE",
            "Undefined macro 'm'",
        ),
    ] {
        let report = load_text(&text);
        let error = report
            .errors()
            .next()
            .unwrap_or_else(|| panic!("no error: {text}"));
        assert_eq!(error.code.name(), code, "{error}");
        let shown = error.to_string();
        assert!(shown.contains(part), "{shown}");
        assert!(shown.starts_with("rules.yaml:"), "{shown}");
        assert!(report.rules.is_empty());
    }
}

#[test]
fn nesting_has_a_limit_and_no_depth_overflows_the_stack() {
    let nested = |depth: usize| {
        rule(&format!(
            "{}evt.num>0{}",
            "(".repeat(depth),
            ")".repeat(depth)
        ))
    };
    assert!(
        load_text(&nested(100_000)).findings[0]
            .message
            .contains("1000")
    );
    assert!(
        load_text(&nested(1001)).findings[0]
            .message
            .contains("1000")
    );
    assert_eq!(load_text(&nested(1000)).findings, []);
    let negated = "not ".repeat(100_000) + "evt.num>0";
    assert_eq!(load_text(&rule(&negated)).findings, []);
}

#[test]
fn warnings_do_not_keep_rules_from_loading() {
    let text = rule("evt.num > 0")
        + "  colour: red\n- list: unused\n  items: []\n- macro: unused\n  condition: evt.num > 0\n- thing: x\n";
    let report = load_text(&text);
    let codes: Vec<_> = report
        .warnings()
        .map(|warning| warning.code.name())
        .collect();
    assert_eq!(
        codes,
        [
            "LOAD_UNKNOWN_KEY",
            "LOAD_UNKNOWN_ITEM",
            "LOAD_UNUSED_MACRO",
            "LOAD_UNUSED_LIST"
        ]
    );
    assert_eq!(report.rules.len(), 1);
}

#[test]
fn the_default_rules_load_without_a_finding() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        sources.push(RuleSource {
            name: path.display().to_string(),
            text,
        });
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let report = load(&sources);
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let program = Program::compile(&report.rules, CompileOptions::default());
    assert_eq!(program.inert_rules().count(), 0);
    for field in program.fields() {
        assert!(
            crate::fields::extractor(field.name).is_some(),
            "{field:?} has no value"
        );
    }
}

/// The tree, evaluated as it stands.
fn naive(tree: &Expression, given: &dyn Fn(&FieldUse) -> Option<Value<'static>>) -> bool {
    match tree {
        Expression::And(parts) => parts.iter().all(|part| naive(part, given)),
        Expression::Or(parts) => parts.iter().any(|part| naive(part, given)),
        Expression::Not(inner) => !naive(inner, given),
        Expression::Comparison(comparison) => {
            test::Test::compile(comparison).is_ok_and(|test| test.holds(given))
        }
        Expression::Macro(_) => false,
    }
}

fn any_comparison() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("proc.name = a".to_owned()),
        Just("proc.name != a".to_owned()),
        Just("proc.name in (a, b)".to_owned()),
        Just("proc.pname startswith a".to_owned()),
        Just("fd.num > 0".to_owned()),
        Just("fd.num exists".to_owned()),
        Just("evt.type = open".to_owned()),
        Just("evt.type in (open, execve)".to_owned()),
        Just("evt.num = 0".to_owned()),
        Just("proc.name = val(proc.pname)".to_owned()),
        Just("proc.aname = a".to_owned()),
    ]
}

fn any_condition() -> impl Strategy<Value = String> {
    any_comparison().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("not ({part})")),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            proptest::collection::vec(inner, 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
        ]
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_give_the_same_tree(condition in any_condition()) {
        let tree = parse(&condition).unwrap();
        prop_assert_eq!(parse(&tree.to_string()).unwrap(), tree);
    }

    #[test]
    fn the_program_matches_what_the_tree_matches(
        conditions in proptest::collection::vec(any_condition(), 1..4),
        name in proptest::option::of("[abc]"),
        parent in proptest::option::of("[abc]"),
        number in proptest::option::of(-1..2_i64),
        event in 0..EventType::ALL.len(),
    ) {
        let event = EventType::ALL[event];
        let rules: String = conditions
            .iter()
            .enumerate()
            .map(|(index, condition)| rule(condition).replace(": r", &format!(": r{index}")))
            .collect();
        let report = load_text(&rules);
        let options = CompileOptions { matching: Matching::All, ..CompileOptions::default() };
        let program = Program::compile(&report.rules, options);
        let text = |text: &Option<String>| {
            text.clone().map(|text| Value::Bytes(text.into_bytes().into()))
        };
        let mut values = HashMap::from([
            ("evt.type".to_owned(), Value::text(event.name().as_bytes())),
            ("evt.num".to_owned(), Value::Uint(1)),
        ]);
        values.extend(text(&name).map(|value| ("proc.name".to_owned(), value)));
        values.extend(text(&parent).map(|value| ("proc.pname".to_owned(), value)));
        values.extend(text(&parent).map(|value| ("proc.aname".to_owned(), Value::List(vec![value]))));
        values.extend(number.map(|number| ("fd.num".to_owned(), Value::Int(number))));
        let given = Given { program: &program, values: values.clone() };
        let mut found = Vec::new();
        program.evaluate(event, &[&given], &mut EvaluationCache::default(), &mut found);
        let lookup = |field: &FieldUse| values.get(&field_text(field)).cloned();
        let expected: Vec<_> = report
            .rules
            .rules()
            .enumerate()
            .filter(|(_, rule)| naive(&rule.condition, &lookup))
            .map(|(index, _)| RuleIndex(index))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_text_makes_the_parser_or_the_loader_panic(text in "[a-z.=()\"'\\\\ \\[\\],<>!%:\\-\n]{0,80}") {
        let _tree = parse(&text);
        let _report = load_text(&text);
        let _report = load_text(&rule(&text));
    }
}

/// The public rule files that people bring along: what they hold is not ours, so they are read from
/// beside the project where they are there.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped check has to be seen")]
fn the_rules_that_people_bring_load_without_a_finding() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco-rules");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("{} is not there: nothing to load", folder.display());
        return;
    };
    let mut sources: Vec<RuleSource> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let text = std::fs::read_to_string(&path).ok()?;
            Some(RuleSource {
                name: path.display().to_string(),
                text,
            })
        })
        .collect();
    sources.sort_by(|a, b| b.name.cmp(&a.name));
    let report = load(&sources);
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert_eq!(report.rules.len(), 56);
    for rule in report.rules.rules() {
        let condition = rule.condition.to_string();
        assert_eq!(parse(&condition).unwrap(), rule.condition, "{}", rule.name);
    }
}
