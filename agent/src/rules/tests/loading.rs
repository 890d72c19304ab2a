//! Items, redefinition, exceptions, errors and warnings.

use super::*;

/// The conditions of the rules, in canonical form.
fn conditions(text: &str) -> Vec<String> {
    let report = load_text(text);
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{text}\n{}", errors.join("\n"));
    let rules = report.rules.rules();
    rules.map(|rule| rule.condition.to_string()).collect()
}

/// The only error of a text.
fn error(text: &str) -> Finding {
    let report = load_text(text);
    assert!(report.rules.is_empty(), "{text}");
    let mut errors = report.errors();
    let error = errors.next().unwrap_or_else(|| panic!("no error: {text}"));
    assert_eq!(errors.count(), 0, "{text}");
    error.clone()
}

fn warnings(text: &str) -> Vec<&'static str> {
    let report = load_text(text);
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{text}\n{}", errors.join("\n"));
    report
        .warnings()
        .map(|warning| warning.code.name())
        .collect()
}

#[test]
fn lists_macros_overrides_and_appends() {
    let base = "- list: l\n  items: [a, \"b c\"]\n- macro: m\n  condition: proc.name in (l)\n";
    for (more, expected) in [
        (rule("m"), "proc.name in (a, \"b c\")"),
        (
            rule("m") + "- list: l\n  items: [d]\n  override: {items: append}\n",
            "proc.name in (a, \"b c\", d)",
        ),
        (
            rule("m") + "- list: l\n  items: [d]\n  append: true\n",
            "proc.name in (a, \"b c\", d)",
        ),
        (
            rule("m") + "- list: l\n  items: [d]\n  override: {items: replace}\n",
            "proc.name in (d)",
        ),
        (rule("m") + "- list: l\n  items: []\n", "proc.name in ()"),
        (
            rule("m and fd.num > 0") + "- macro: m\n  condition: or fd.num = 1\n  append: true\n",
            "((proc.name in (a, \"b c\") or fd.num = 1) and fd.num > 0)",
        ),
        (
            rule("m and fd.num > 0") + "- macro: m\n  condition: fd.num = 1\n",
            "(fd.num = 1 and fd.num > 0)",
        ),
        (
            rule("m")
                + "- rule: r\n  condition: and proc.pid = 1\n  override: {condition: append}\n",
            "(proc.name in (a, \"b c\") and proc.pid = 1)",
        ),
        // Text is appended before it is parsed: what belongs together may change.
        (
            rule("m and fd.num = 1") + "- rule: r\n  condition: or proc.pid = 1\n  append: true\n",
            "((proc.name in (a, \"b c\") and fd.num = 1) or proc.pid = 1)",
        ),
        (
            rule("m") + "- rule: r\n  condition: proc.pid = 1\n  override: {condition: replace}\n",
            "proc.pid = 1",
        ),
        // The name of a list that is not defined is a text.
        (
            rule("m and proc.exe in (nolist)"),
            "(proc.name in (a, \"b c\") and proc.exe in (nolist))",
        ),
    ] {
        assert_eq!(conditions(&format!("{base}{more}")), [expected], "{more}");
    }
}

#[test]
fn every_key_of_a_rule_can_be_overridden() {
    let text = rule("proc.pid = 1")
        + "  tags: [b]\n\
- rule: r\n  desc: more\n  output: and %proc.pid\n  tags: [a, b]\n  priority: 2\n  enabled: no\n  \
warn_evttypes: false\n  skip-if-unknown-filter: true\n  capture: true\n  capture_duration: 500\n  \
override: {desc: append, output: append, tags: append, priority: replace, enabled: replace, \
warn_evttypes: replace, skip-if-unknown-filter: replace, capture: replace, capture_duration: replace}\n";
    let report = load_text(&text);
    let shown: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    let rule = report.rules.rules().next().unwrap();
    assert_eq!(rule.description, "d more");
    assert_eq!(rule.output_text, "o and %proc.pid");
    assert_eq!(rule.tags.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rule.priority, Priority::Critical);
    assert_eq!(rule.capture, Some(std::time::Duration::from_millis(500)));
    assert!(!rule.enabled);
}

#[test]
fn a_rule_that_is_defined_again_keeps_its_turn() {
    let named = |name: &str, condition: &str| rule(condition).replace(": r", &format!(": {name}"));
    let text = named("a", "fd.num = 1") + &named("b", "fd.num = 2") + &named("a", "fd.num = 3");
    assert_eq!(conditions(&text), ["fd.num = 3", "fd.num = 2"]);
}

#[test]
fn exceptions_in_all_their_forms() {
    let with = |exceptions: &str| rule("fd.num = 1") + "  exceptions:\n" + exceptions;
    let append = |exceptions: &str| {
        format!("- rule: r\n  exceptions:\n{exceptions}  override: {{exceptions: append}}\n")
    };
    for (text, expected) in [
        (
            with(
                "  - {name: e, fields: [proc.name, fd.name], comps: [=, in], values: [[x, [y, z]]]}\n",
            ),
            "(fd.num = 1 and not (proc.name = x and fd.name in (y, z)))",
        ),
        (
            with("  - {name: e, fields: [proc.name, fd.name], values: [[x, a b], [y, z]]}\n"),
            "(fd.num = 1 and not ((proc.name = x and fd.name = \"a b\") or (proc.name = y and fd.name = z)))",
        ),
        (
            with(
                "  - {name: e, fields: [proc.name], comps: [in], values: [[\"a, b\"], [\"(c, d)\"], [e]]}\n",
            ),
            "(fd.num = 1 and not (proc.name in (a, b) or proc.name in (c, d) or proc.name in (e)))",
        ),
        (
            with("  - {name: e, fields: proc.name, values: [x, a b, l]}\n"),
            "(fd.num = 1 and not proc.name in (x, \"a b\", p, q))",
        ),
        (
            with("  - {name: e, fields: fd.name, comps: pmatch, values: [/a, /b]}\n"),
            "(fd.num = 1 and not fd.name pmatch (/a, /b))",
        ),
        (
            with("  - {name: e, fields: fd.name, comps: startswith anyof, values: [/a, /b]}\n"),
            "(fd.num = 1 and not fd.name startswith anyof (/a, /b))",
        ),
        (
            with(
                "  - {name: e, fields: [tolower(proc.name)], comps: [startswith], values: [[x]]}\n",
            ),
            "(fd.num = 1 and not tolower(proc.name) startswith x)",
        ),
        (with("  - {name: e, fields: proc.name}\n"), "fd.num = 1"),
        (
            with("  - {name: e, fields: proc.name}\n") + &append("  - {name: e, values: [x]}\n"),
            "(fd.num = 1 and not proc.name in (x))",
        ),
        (
            with("  - {name: e, fields: [proc.name], values: [[x]]}\n")
                + &append(
                    "  - {name: e, values: [[y]]}\n  - {name: f, fields: proc.exe, values: [z]}\n",
                ),
            "(fd.num = 1 and not (proc.name = x or proc.name = y) and not proc.exe in (z))",
        ),
        (
            with("  - {name: e, fields: proc.name, values: [x]}\n")
                + "- rule: r\n  exceptions: [{name: e, values: [y]}]\n  append: true\n",
            "(fd.num = 1 and not proc.name in (x, y))",
        ),
        (
            with("  - {name: e, fields: proc.name, values: [x]}\n")
                + "- rule: r\n  exceptions: [{name: f, fields: proc.exe, values: [y]}]\n  override: {exceptions: replace}\n",
            "(fd.num = 1 and not proc.exe in (y))",
        ),
    ] {
        let text = format!("- list: l\n  items: [p, q]\n{text}");
        assert_eq!(conditions(&text), [expected], "{text}");
    }
    for (exceptions, part) in [
        ("  - {fields: proc.name}\n", "needs the key 'name'"),
        ("  - {name: e}\n", "needs the key 'fields'"),
        (
            "  - {name: e, fields: proc.nme}\n",
            "did you mean 'proc.name'?",
        ),
        (
            "  - {name: e, fields: [proc.name], comps: [=, in]}\n",
            "a list of 1 operators",
        ),
        (
            "  - {name: e, fields: [proc.name], comps: [equals]}\n",
            "'equals' is no operator",
        ),
        (
            "  - {name: e, fields: [proc.name], comps: [contans]}\n",
            "did you mean 'contains'?",
        ),
        (
            "  - {name: e, fields: proc.name, comps: startswith}\n",
            "'startswith' cannot be used with one",
        ),
        (
            "  - {name: e, fields: proc.name, comps: [in]}\n",
            "one operator",
        ),
        (
            "  - {name: e, fields: proc.name, values: [[x]]}\n",
            "a list of single values",
        ),
        (
            "  - {name: e, fields: [proc.name, fd.name], values: [[x]]}\n",
            "a list of 2 values",
        ),
        (
            "  - {name: e, fields: [proc.name], values: [x]}\n",
            "a list of 1 values",
        ),
    ] {
        let finding = error(&with(exceptions));
        assert!(finding.message.contains(part), "{exceptions}: {finding}");
    }
    for (exceptions, part) in [
        (
            "  - {name: e, fields: proc.exe, values: [x]}\n",
            "only 'values' can be added",
        ),
        (
            "  - {name: f, fields: proc.exe}\n",
            "needs the key 'values'",
        ),
        ("  - {name: f, values: [x]}\n", "needs the key 'fields'"),
    ] {
        let text = with("  - {name: e, fields: proc.name}\n") + &append(exceptions);
        let finding = error(&text);
        assert!(finding.message.contains(part), "{exceptions}: {finding}");
        let items: Vec<_> = finding.items.iter().map(|item| item.kind).collect();
        assert_eq!(items, ["rule", "exception"], "{finding}");
    }
}

#[test]
fn macros_see_those_before_them_and_rules_see_all() {
    let late = rule("m") + "- macro: m\n  condition: fd.num = 1\n";
    assert_eq!(conditions(&late), ["fd.num = 1"]);
    let before = "- macro: a\n  condition: b\n- macro: b\n  condition: fd.num = 1\n";
    let finding = error(&format!("{before}{}", rule("a")));
    assert_eq!(finding.code, Code::Validate);
    assert!(finding.message.contains("Undefined macro 'b'"), "{finding}");
    assert!(finding.message.contains("move it up"), "{finding}");
    // One that is defined again sees what was defined meanwhile.
    let again = format!("{before}- macro: a\n  condition: b\n{}", rule("a")).replacen(
        "condition: b",
        "condition: fd.num = 2",
        1,
    );
    assert_eq!(conditions(&again), ["fd.num = 1"]);
    let around = "- macro: a\n  condition: fd.num = 1\n- macro: b\n  condition: a\n- macro: a\n  condition: b\n";
    let finding = error(&format!("{around}{}", rule("a")));
    assert!(
        finding.message.contains("reference loop in macro 'a'"),
        "{finding}"
    );
}

#[test]
fn macros_that_multiply_are_refused() {
    use std::fmt::Write as _;
    let mut text = "- macro: m0\n  condition: fd.num = 1\n".to_owned();
    for level in 1..40 {
        let inner = level - 1;
        let _ = write!(
            text,
            "- macro: m{level}\n  condition: m{inner} or m{inner}\n"
        );
    }
    assert!(
        error(&(text + &rule("m39")))
            .message
            .contains("100000 tests")
    );
    let mut text = "- macro: m0\n  condition: fd.num = 1\n".to_owned();
    for level in 1..1200 {
        let inner = level - 1;
        let (word, number) = if level % 2 == 0 {
            ("and", level)
        } else {
            ("or", inner)
        };
        let _ = write!(
            text,
            "- macro: m{level}\n  condition: fd.num = {number} {word} m{inner}\n"
        );
    }
    assert!(error(&text).message.contains("1000 levels"));
}

#[test]
fn nesting_has_a_limit_and_no_depth_overflows_the_stack() {
    let nested = |depth: usize| {
        rule(&format!(
            "{}fd.num=1{}",
            "(fd.num=2 or (fd.num=3 and ".repeat(depth / 2),
            "))".repeat(depth / 2)
        ))
    };
    assert!(error(&nested(100_000)).message.contains("1000"));
    assert!(error(&nested(1002)).message.contains("1000"));
    let report = load_text(&nested(998));
    assert!(report.errors().next().is_none());
    let program = Program::compile(&report.rules, CompileOptions::default());
    assert_eq!(
        matches(&program, EventType::OPEN, &[("fd.num", Value::Int(2))]),
        ["r"]
    );
    let negated = "not ".repeat(100_000) + "fd.num>0";
    assert_eq!(conditions(&rule(&negated)), ["fd.num > 0"]);
}

#[test]
fn all_conditions_together_have_a_limit() {
    // The last macro has 2^16 tests, and all of them twice as many.
    let macros: Vec<String> = (1..16)
        .map(|level| {
            let below = level - 1;
            format!("- macro: m{level}\n  condition: m{below} or fd.num={level} or m{below}\n")
        })
        .collect();
    let macros = "- macro: m0\n  condition: fd.num=1\n".to_owned() + &macros.concat();
    let rules = |count: usize| {
        let rule = |number| rule("evt.type=open and m15").replace(": r", &format!(": r{number}"));
        macros.clone() + &(0..count).map(rule).collect::<Vec<_>>().concat()
    };
    let found = error(&rules(14));
    assert!(found.message.contains("more than 1000000 tests"), "{found}");
    assert_eq!(found.items[0].name, "r13");
}

#[test]
fn errors_name_file_line_and_remedy() {
    let good = rule("fd.num>0");
    for (text, code, part) in [
        (
            "rule: x".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "expected a list of rules",
        ),
        (
            "- x".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "expected an item",
        ),
        ("- a: [".to_owned(), "LOAD_ERR_YAML_PARSE", ""),
        (
            "- rule: r\n  desc: d".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "needs the key 'condition'",
        ),
        (
            "- rule:\n  desc: d".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "the rule has no name",
        ),
        (
            "- rule: r\n".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "or 'enabled' alone",
        ),
        (
            "- list: l\n".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "needs the key 'items'",
        ),
        (
            "- list: l\n  items: [[a]]".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "single values",
        ),
        (
            "- macro: m\n".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "needs the key 'condition'",
        ),
        (
            "- macro: m\n  condition: ''".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "is empty",
        ),
        (
            good.replace("INFO", "LOUD"),
            "LOAD_ERR_YAML_VALIDATE",
            "unknown priority 'LOUD'",
        ),
        (
            good.replace("INFO", "8"),
            "LOAD_ERR_YAML_VALIDATE",
            "unknown priority '8'",
        ),
        (
            good.clone() + "  enabled: perhaps\n",
            "LOAD_ERR_YAML_VALIDATE",
            "true or false",
        ),
        (
            good.clone() + "  tags: x\n",
            "LOAD_ERR_YAML_VALIDATE",
            "has to be a list",
        ),
        (
            good.clone() + "  override: {priority: append}\n",
            "LOAD_ERR_YAML_VALIDATE",
            "'priority' cannot be appended",
        ),
        (
            good.clone() + "  override: {source: replace}\n",
            "LOAD_ERR_YAML_VALIDATE",
            "'source' cannot be replaced",
        ),
        (
            good.clone() + "  override: {output: replace}\n",
            "LOAD_ERR_YAML_VALIDATE",
            "does not name it",
        ),
        (
            good.clone() + "  override: {tags: replace}\n",
            "LOAD_ERR_YAML_VALIDATE",
            "does not have it",
        ),
        (
            good.clone() + "  override: {output: remove}\n",
            "LOAD_ERR_YAML_VALIDATE",
            "'append' or 'replace'",
        ),
        (
            good.clone() + "  override: {}\n  append: true\n",
            "LOAD_ERR_YAML_VALIDATE",
            "together",
        ),
        (
            good.clone() + "- rule: s\n  output: x\n  override: {output: append}\n",
            "LOAD_ERR_VALIDATE",
            "nothing to change",
        ),
        (
            good.clone() + "- rule: r\n  tags: [x]\n  append: true\n",
            "LOAD_ERR_VALIDATE",
            "needs the key 'condition' or",
        ),
        (
            good.clone() + "- rule: rr\n  enabled: false\n",
            "LOAD_ERR_VALIDATE",
            "did you mean 'r'?",
        ),
        (
            good.clone() + &good + "  source: k8s_audit\n",
            "LOAD_ERR_VALIDATE",
            "source is 'syscall'",
        ),
        (
            "- list: l\n  items: [a]\n  append: true".to_owned(),
            "LOAD_ERR_VALIDATE",
            "no list 'l'",
        ),
        (
            "- macro: l\n  condition: a\n  append: true".to_owned(),
            "LOAD_ERR_VALIDATE",
            "no macro 'l'",
        ),
        (
            "- required_engine_version: 99".to_owned(),
            "LOAD_ERR_VALIDATE",
            "version 99",
        ),
        (
            "- required_engine_version: 1.0.0".to_owned(),
            "LOAD_ERR_VALIDATE",
            "version 1.0.0",
        ),
        (
            "- required_engine_version: x".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "is no version",
        ),
        (
            "- required_plugin_versions: [{name: k8saudit, version: 0.1.0}]\n- x".to_owned(),
            "LOAD_ERR_VALIDATE",
            "'k8saudit' 0.1.0",
        ),
        (
            "- required_plugin_versions: [{name: container, version: 0.8.0}]".to_owned(),
            "LOAD_ERR_VALIDATE",
            "'container' 0.7.1",
        ),
        (
            "- required_plugin_versions: [{name: container}]".to_owned(),
            "LOAD_ERR_YAML_VALIDATE",
            "'version'",
        ),
        (
            rule("proc.nme = a"),
            "LOAD_ERR_COMPILE_CONDITION",
            "did you mean 'proc.name'?",
        ),
        (
            rule("proc.name contans a"),
            "LOAD_ERR_COMPILE_CONDITION",
            "did you mean 'contains'?",
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
            rule("fd.num < 0x10"),
            "LOAD_ERR_COMPILE_CONDITION",
            "in decimal",
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
            rule("evt.is_open_read = yes"),
            "LOAD_ERR_COMPILE_CONDITION",
            "neither true nor false",
        ),
        (
            rule("fd.sip = x.y"),
            "LOAD_ERR_COMPILE_CONDITION",
            "no IPv4 or IPv6 address",
        ),
        (
            rule("fd.snet = 10.0.0.1"),
            "LOAD_ERR_COMPILE_CONDITION",
            "no network",
        ),
        (
            rule("fd.sport = nosuchservice"),
            "LOAD_ERR_COMPILE_CONDITION",
            "neither a port",
        ),
        (
            rule("proc.name = val(fd.num)"),
            "LOAD_ERR_COMPILE_CONDITION",
            "expected the same",
        ),
        (
            rule("proc.name regex val(proc.pname)"),
            "LOAD_ERR_COMPILE_CONDITION",
            "literals only",
        ),
        (
            rule("proc.aname = val(proc.name)"),
            "LOAD_ERR_COMPILE_CONDITION",
            "cannot be compared",
        ),
        (
            rule("evt.type = val(proc.name)"),
            "LOAD_ERR_COMPILE_CONDITION",
            "cannot be compared",
        ),
        (
            rule("tolower(evt.type) = open"),
            "LOAD_ERR_COMPILE_CONDITION",
            "cannot be transformed",
        ),
        (
            rule("tolower(fd.num) = open"),
            "LOAD_ERR_COMPILE_CONDITION",
            "expects one string",
        ),
        (
            rule("join(proc.name) = open"),
            "LOAD_ERR_COMPILE_CONDITION",
            "join() expects",
        ),
        (
            rule("nothing"),
            "LOAD_ERR_VALIDATE",
            "Undefined macro 'nothing'",
        ),
        (
            rule("evt.num>0").replace(": o", ": 50%"),
            "LOAD_ERR_COMPILE_OUTPUT",
            "expected a field",
        ),
        (
            rule("evt.num>0").replace(": o", ": \"%proc.nme\""),
            "LOAD_ERR_COMPILE_OUTPUT",
            "did you mean",
        ),
        (
            "- macro: m\n  condition: m\n".to_owned() + &rule("m"),
            "LOAD_ERR_VALIDATE",
            "Undefined macro 'm'",
        ),
    ] {
        let error = error(&text);
        assert_eq!(error.code.name(), code, "{text}\n{error}");
        let shown = error.to_string();
        assert!(shown.contains(part), "{shown}");
        assert!(shown.starts_with("rules.yaml:"), "{shown}");
        assert!(error.excerpt.is_some(), "{shown}");
    }
}

#[test]
fn errors_point_at_the_word() {
    for (text, line, column, excerpt) in [
        (
            "- rule: r\n  desc: d\n  condition: >\n    fd.num = 1 and\n    proc.nme = x\n  output: o\n  priority: INFO\n",
            5,
            5,
            "    proc.nme = x",
        ),
        (
            "- macro: m\n  condition: (fd.num = one)\n- rule: r\n  desc: d\n  condition: m\n  output: o\n  priority: INFO\n",
            2,
            24,
            "  condition: (fd.num = one)",
        ),
        (
            "- list: l\n  items: [1, two]\n- rule: r\n  desc: d\n  condition: fd.num in (l)\n  output: o\n  priority: INFO\n",
            5,
            25,
            "  condition: fd.num in (l)",
        ),
        (
            "- rule: r\n  desc: d\n  condition: fd.num = 1\n  output: o\n  priority: INFO\n- rule: r\n  condition: and x\n  append: true\n",
            7,
            18,
            "  condition: and x",
        ),
        (
            "- rule: r\n  desc: d\n  condition: fd.num = 1\n  output: |\n    a\n    b %nope.x\n  priority: INFO\n",
            6,
            8,
            "    b %nope.x",
        ),
        (
            "- rule: r\n  desc: d\n  condition: fd.num = 1\n  output: o\n  priority: INFO\n  exceptions:\n  - name: e\n    fields: fd.num\n    values: [1, two]\n",
            9,
            17,
            "    values: [1, two]",
        ),
        (
            "- rule: r\n  desc: [d]\n  condition: x\n  output: x\n",
            2,
            9,
            "  desc: [d]",
        ),
    ] {
        let error = error(text);
        let position = error.place.position;
        assert_eq!((position.line, position.column), (line, column), "{error}");
        assert_eq!(error.excerpt.unwrap().text, excerpt);
    }
}

#[test]
fn the_json_has_the_shape_that_falco_prints() {
    let json = load_text(&(rule("proc.nme = a") + "- x: y\n")).to_json();
    let file = &json[0];
    assert_eq!(file["name"], "rules.yaml");
    assert_eq!(file["successful"], false);
    assert_eq!(file["warnings"][0]["code"], "LOAD_UNKNOWN_ITEM");
    let error = &file["errors"][0];
    assert_eq!(error["code"], "LOAD_ERR_COMPILE_CONDITION");
    assert_eq!(error["position"]["line"], 3);
    let locations = &error["context"]["locations"];
    assert_eq!(locations[0]["item_type"], "rule");
    assert_eq!(locations[0]["item_name"], "r");
    assert_eq!(locations[1]["position"]["column"], 15);
    assert!(error["context"]["snippet"].as_str().unwrap().contains('^'));
}

#[test]
fn later_files_change_what_earlier_ones_mean() {
    let sources = [
        (
            "a.yaml",
            "- list: l\n  items: [a]\n".to_owned() + &rule("proc.name in (l)"),
        ),
        (
            "b.yaml",
            "- list: l\n  items: [b]\n  override: {items: append}\n".to_owned(),
        ),
        ("c.yaml", "- rule: s\n  enabled: true\n".to_owned()),
        ("d.yaml", "nonsense".to_owned()),
    ];
    let sources = sources.map(|(name, text)| RuleSource {
        name: name.to_owned(),
        text,
    });
    let report = load(&sources[..2]);
    assert!(report.errors().next().is_none());
    let rule = report.rules.rules().next().unwrap();
    assert_eq!(rule.condition.to_string(), "proc.name in (a, b)");
    assert_eq!(rule.lists.iter().collect::<Vec<_>>(), ["l"]);
    // The first file that fails ends it.
    let report = load(&sources);
    assert_eq!(report.files, ["a.yaml", "b.yaml", "c.yaml"]);
    assert_eq!(report.errors().count(), 1);
    assert_eq!(&*report.errors().next().unwrap().place.file, "c.yaml");
}

#[test]
fn versions_that_are_compatible() {
    for text in [
        "- required_engine_version: 63",
        "- required_engine_version: 0.57.0",
        "- required_plugin_versions: [{name: container, version: 0.4.0}]",
        "- required_plugin_versions: [{name: x, version: 9.0.0, alternatives: [{name: container, version: 0.7.1}]}]",
        "---\n- required_engine_version: 1\n---\n# nothing\n",
        "",
    ] {
        let report = load_text(text);
        assert!(report.findings.is_empty(), "{text}: {}", report.findings[0]);
    }
}

#[test]
fn of_a_key_that_is_there_twice_the_first_counts() {
    let text = rule("evt.type = open") + "  desc: second\n  condition: evt.type = close\n";
    let report = load_text(&text);
    let rule = report.rules.rules().next().unwrap();
    assert_eq!(
        (&*rule.description, rule.condition.to_string().as_str()),
        ("d", "evt.type = open")
    );
    let found: Vec<_> = report.warnings().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("rules.yaml:6:3: LOAD_UNKNOWN_KEY")
            && found[0].contains("the key 'desc' is there twice: this one is ignored"),
        "{found:?}"
    );
}

#[test]
fn warnings_do_not_keep_rules_from_loading() {
    let good = rule("fd.num > 0 and evt.type = open");
    let with = |more: &str| good.clone() + more;
    let unlimited = |condition: &str| rule(condition);
    for (text, expected) in [
        (good.clone(), &[][..]),
        (with("  colour: red\n"), &["LOAD_UNKNOWN_KEY"]),
        (
            with("  desc: other\n  priority: nonsense\n"),
            &["LOAD_UNKNOWN_KEY", "LOAD_UNKNOWN_KEY"],
        ),
        (with("- thing: x\n"), &["LOAD_UNKNOWN_ITEM"]),
        (with("- list: l\n  items: []\n"), &["LOAD_UNUSED_LIST"]),
        (
            with("- list: a b\n  items: []\n"),
            &["LOAD_INVALID_LIST_NAME", "LOAD_UNUSED_LIST"],
        ),
        (
            with("- macro: m\n  condition: fd.num > 0\n"),
            &["LOAD_UNUSED_MACRO"],
        ),
        (
            with("- macro: m-x\n  condition: fd.num > 0\n"),
            &["LOAD_INVALID_MACRO_NAME", "LOAD_UNUSED_MACRO"],
        ),
        // What only an unused macro names is used, and its fields may be unknown.
        (
            with("- macro: a\n  condition: nope.x = 1\n- macro: b\n  condition: a\n"),
            &["LOAD_UNUSED_MACRO"],
        ),
        (
            with("- rule: r\n  enabled: false\n"),
            &["LOAD_DEPRECATED_ITEM"],
        ),
        (
            with("- rule: r\n  condition: and fd.num > 1\n  append: true\n"),
            &["LOAD_DEPRECATED_ITEM"],
        ),
        (
            with("  exceptions:\n  - {name: e, fields: fd.num}\n  - {name: e, fields: fd.num}\n"),
            &["LOAD_EXCEPTION_NAME_NOT_UNIQUE"],
        ),
        (
            with(
                "  exceptions:\n  - {name: e, fields: fd.num}\n- rule: r\n  exceptions: [{name: e}]\n  override: {exceptions: append}\n",
            ),
            &["LOAD_APPEND_NO_VALUES"],
        ),
        (unlimited("fd.num > 0"), &["LOAD_NO_EVTTYPE"]),
        (unlimited("fd.num > 0") + "  warn_evttypes: false\n", &[]),
        (
            rule("evt.type = open and evt.dir = <").replace('<', "\\u003c"),
            &["LOAD_DEPRECATED_ITEM"],
        ),
        (
            good.replace(": o", ": \"%container.info\""),
            &["LOAD_DEPRECATED_ITEM"],
        ),
        (
            good.replace(": o", ": \"%evt.latency\""),
            &["LOAD_DEPRECATED_ITEM"],
        ),
        (
            rule("evt.type = open and proc.name regex bash"),
            &["LOAD_COMPILE_CONDITION"],
        ),
        (
            rule("evt.type = open and proc.name = proc.pname"),
            &["LOAD_COMPILE_CONDITION"],
        ),
        (
            rule("evt.type = open and proc.name = \"tolower(proc.pname)\""),
            &["LOAD_COMPILE_CONDITION"],
        ),
        (
            with("  source: k8s_audit\n").replace("fd.num", "ka.x"),
            &["LOAD_UNKNOWN_SOURCE"],
        ),
    ] {
        assert_eq!(warnings(&text), expected, "{text}");
    }
}

#[test]
fn a_rule_that_may_be_unknown_is_left_out() {
    let skip = "  skip-if-unknown-filter: true\n";
    for text in [
        rule("nope.x = 1") + skip,
        rule("evt.type = nope") + skip,
        rule("m") + skip + "- macro: m\n  condition: nope.x = 1\n",
        rule("evt.type = open").replace(": o", ": \"%nope.x\"") + skip,
    ] {
        let report = load_text(&text);
        assert!(report.rules.is_empty());
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::UnknownFilter], "{text}");
    }
    assert_eq!(
        error(&(rule("fd.num = x") + skip)).code,
        Code::CompileCondition
    );
    assert_eq!(error(&(rule("fd.num") + skip)).code, Code::CompileCondition);
}
