//! Rule files: items, their keys, and how later ones change earlier ones. Each row says which rule of
//! the language it shows.

use super::*;

/// The conditions of the rules in canonical form, or the code of the error and its message.
fn loaded(text: &str) -> Result<Vec<String>, (Code, String)> {
    let report = load_text(text);
    match report.errors().next() {
        Some(error) => Err((error.code, error.message.clone())),
        None => Ok(report
            .rules
            .rules()
            .map(|rule| rule.condition.to_string())
            .collect()),
    }
}

pub(super) fn named(name: &str, condition: &str) -> String {
    rule(condition).replace("- rule: r", &format!("- rule: {name}"))
}

/// Conditions of the only rules that each text loads.
pub(super) fn check(rows: &[(&str, String, &[&str])]) {
    for (sentence, text, expected) in rows {
        let found = loaded(text).unwrap_or_else(|error| panic!("{sentence}: {error:?}\n{text}"));
        assert_eq!(found, *expected, "{sentence}\n{text}");
    }
}

pub(super) fn check_errors(rows: &[(&str, String, Code, &str)]) {
    for (sentence, text, code, part) in rows {
        let (found, message) = loaded(text).expect_err(sentence);
        assert_eq!(found, *code, "{sentence}: {message}\n{text}");
        assert!(message.contains(part), "{sentence}: {message}");
    }
}

#[test]
fn items() {
    let good = rule("fd.num = 1");
    check(&[
        (
            "several documents",
            format!("---\n{good}---\n{}", named("s", "fd.num = 2")),
            &["fd.num = 1", "fd.num = 2"],
        ),
        (
            "an empty document",
            format!("---\n---\n{good}"),
            &["fd.num = 1"],
        ),
        (
            "no variable of the environment is put in",
            rule("proc.name = \"${HOME}\""),
            &["proc.name = ${HOME}"],
        ),
        (
            "nor in an output",
            good.replace(": o", ": ${HOME}"),
            &["fd.num = 1"],
        ),
        (
            "an unknown item is ignored",
            format!("- thing: x\n  condition: (\n{good}"),
            &["fd.num = 1"],
        ),
        (
            "an unknown key is ignored",
            good.clone() + "  color: [red]\n",
            &["fd.num = 1"],
        ),
        (
            "a list comes before a macro, of which it may hold the key",
            format!(
                "- list: l\n  items: [1]\n  macro: m\n{}",
                rule("fd.num in (l)")
            ),
            &["fd.num in (1)"],
        ),
        (
            "a macro comes before a rule",
            format!(
                "- macro: m\n  condition: fd.num = 1\n  rule: x\n{}",
                rule("m")
            ),
            &["fd.num = 1"],
        ),
        (
            "an engine version comes before a rule",
            "- required_engine_version: 1\n  rule: x\n".to_owned(),
            &[],
        ),
        (
            "a description may be empty",
            good.replace("desc: d", "desc: ''"),
            &["fd.num = 1"],
        ),
        (
            "an output may be empty",
            good.replace("output: o", "output: ''"),
            &["fd.num = 1"],
        ),
        (
            "a version by number alone is the middle one",
            "- required_engine_version: 63\n".to_owned(),
            &[],
        ),
        (
            "a version with a suffix",
            "- required_plugin_versions: [{name: container, version: 0.4.0-rc1}]\n".to_owned(),
            &[],
        ),
        (
            "a version in three parts",
            "- required_engine_version: 0.63.0\n".to_owned(),
            &[],
        ),
    ]);
    check_errors(&[
        (
            "a newer engine",
            "- required_engine_version: 64\n".to_owned(),
            Code::Validate,
            "0.63.0",
        ),
        (
            "a newer patch",
            "- required_engine_version: 0.63.1\n".to_owned(),
            Code::Validate,
            "0.63.0",
        ),
        (
            "another major version",
            "- required_engine_version: 1.0.0\n".to_owned(),
            Code::Validate,
            "0.63.0",
        ),
        (
            "a plugin that is not there tells more than another error",
            "- required_plugin_versions: [{name: json, version: 0.1.0}]\n- rule: x\n".to_owned(),
            Code::Validate,
            "'json' 0.1.0",
        ),
        (
            "a plugin of another major version",
            "- required_plugin_versions: [{name: container, version: 1.0.0}]\n".to_owned(),
            Code::Validate,
            "'container' 1.0.0",
        ),
        (
            "no description",
            good.replace("  desc: d\n", ""),
            Code::YamlValidate,
            "needs the key 'desc'",
        ),
        (
            "no output",
            good.replace("  output: o\n", ""),
            Code::YamlValidate,
            "needs the key 'output'",
        ),
        (
            "no priority",
            good.replace("  priority: INFO\n", ""),
            Code::YamlValidate,
            "needs the key 'priority'",
        ),
        (
            "no condition",
            "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n".to_owned(),
            Code::YamlValidate,
            "needs the key 'condition'",
        ),
        (
            "a description with no text",
            good.replace("desc: d", "desc:"),
            Code::YamlValidate,
            "'desc' has to be a text",
        ),
        (
            "a rule with tags alone",
            "- rule: r\n  tags: [x]\n".to_owned(),
            Code::YamlValidate,
            "'enabled' alone",
        ),
        (
            "a recording of no whole number",
            good.clone() + "  capture_duration: 1s\n",
            Code::YamlValidate,
            "milliseconds",
        ),
        (
            "loading stops at the first error",
            format!("- macro: m\n{}", rule("(")),
            Code::YamlValidate,
            "needs the key 'condition'",
        ),
    ]);
}

#[test]
fn keys_of_a_rule_and_their_defaults() {
    let of = |more: &str| {
        let report = load_text(&(rule("evt.type = open") + more));
        report.rules.rules().next().unwrap().clone()
    };
    let plain = of("");
    assert!(plain.enabled && plain.tags.is_empty() && plain.capture.is_none());
    assert_eq!(plain.source, "syscall");
    let given = of("  source: syscall\n  enabled: false\n  tags: [b, a, b]\n  capture: true\n");
    assert!(!given.enabled);
    assert_eq!(given.tags.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(given.capture, Some(std::time::Duration::ZERO));
    let priorities = [
        ("EMERGENCY", Priority::Emergency, "Emergency"),
        ("alert", Priority::Alert, "Alert"),
        ("Critical", Priority::Critical, "Critical"),
        ("eRRor", Priority::Error, "Error"),
        ("WARNING", Priority::Warning, "Warning"),
        ("NOTICE", Priority::Notice, "Notice"),
        ("INFO", Priority::Informational, "Informational"),
        ("informational", Priority::Informational, "Informational"),
        ("DEBUG", Priority::Debug, "Debug"),
        ("0", Priority::Emergency, "Emergency"),
        ("7", Priority::Debug, "Debug"),
    ];
    for (text, priority, shown) in priorities {
        let text = rule("evt.type = open").replace("INFO", text);
        let found = load_text(&text).rules.rules().next().unwrap().priority;
        assert_eq!(
            (found, found.to_string().as_str()),
            (priority, shown),
            "{text}"
        );
    }
}

#[test]
fn redefinition_append_and_override() {
    let two = named("a", "fd.num = 1") + &named("b", "fd.num = 2");
    let list = "- list: l\n  items: [x]\n";
    let other_source = named("c", "no.such = 1") + "  source: other\n";
    check(&[
        (
            "a rule that is defined again keeps its turn",
            two.clone() + &named("a", "fd.num = 3"),
            &["fd.num = 3", "fd.num = 2"],
        ),
        (
            "and its source if it names none",
            other_source.clone() + &named("c", "no.such = 2") + &two,
            &["fd.num = 1", "fd.num = 2"],
        ),
        (
            "it loses what it had",
            two.clone()
                + "  exceptions: [{name: e, fields: fd.num, values: [7]}]\n"
                + &named("b", "fd.num = 4"),
            &["fd.num = 1", "fd.num = 4"],
        ),
        (
            "a list that is defined again",
            format!(
                "{list}{}- list: l\n  items: [y]\n",
                rule("proc.name in (l)")
            ),
            &["proc.name in (y)"],
        ),
        (
            "append: false appends nothing",
            two.clone() + &named("a", "fd.num = 3") + "  append: false\n",
            &["fd.num = 3", "fd.num = 2"],
        ),
        (
            "append to a condition puts a blank between",
            rule("fd.num = 1") + "- rule: r\n  append: true\n  condition: or fd.num = 2\n",
            &["(fd.num = 1 or fd.num = 2)"],
        ),
        (
            "append to a rule's exceptions",
            rule("fd.num = 1")
                + "- rule: r\n  append: true\n  exceptions: [{name: e, fields: proc.name, values: [x]}]\n",
            &["(fd.num = 1 and not proc.name in (x))"],
        ),
        (
            "what is appended may bind tighter than what is there",
            rule("proc.pid = 1 or fd.num = 1")
                + "- rule: r\n  override: {condition: append}\n  condition: and fd.num = 2\n",
            &["(proc.pid = 1 or (fd.num = 1 and fd.num = 2))"],
        ),
        (
            "one key appended, another replaced",
            rule("fd.num = 1")
                + "- rule: r\n  override: {condition: append, desc: replace}\n  condition: and fd.num = 2\n  desc: x\n",
            &["(fd.num = 1 and fd.num = 2)"],
        ),
        (
            "a macro's condition replaced",
            format!(
                "- macro: m\n  condition: fd.num = 1\n{}- macro: m\n  override: {{condition: replace}}\n  condition: fd.num = 2\n",
                rule("m")
            ),
            &["fd.num = 2"],
        ),
        (
            "a macro's condition appended",
            format!(
                "- macro: m\n  condition: fd.num = 1\n{}- macro: m\n  override: {{condition: append}}\n  condition: and fd.num = 2\n",
                rule("m")
            ),
            &["(fd.num = 1 and fd.num = 2)"],
        ),
        (
            "exceptions replaced",
            rule("fd.num = 1")
                + "  exceptions: [{name: e, fields: proc.name, values: [x]}]\n- rule: r\n  override: {exceptions: replace}\n  exceptions: [{name: e, fields: proc.exe, values: [y]}]\n",
            &["(fd.num = 1 and not proc.exe in (y))"],
        ),
    ]);
    check_errors(&[
        (
            "another source",
            two.clone() + &named("a", "fd.num = 3") + "  source: other\n",
            Code::Validate,
            "cannot become another",
        ),
        (
            "another source in an override",
            two.clone()
                + "- rule: a\n  source: other\n  override: {condition: append}\n  condition: or fd.num = 2\n",
            Code::Validate,
            "cannot become another",
        ),
        (
            "append to nothing",
            "- rule: x\n  append: true\n  condition: or fd.num = 1\n".to_owned(),
            Code::Validate,
            "no rule 'x'",
        ),
        (
            "override of nothing",
            "- rule: x\n  override: {condition: replace}\n  condition: fd.num = 1\n".to_owned(),
            Code::Validate,
            "no rule 'x'",
        ),
        (
            "the switch of nothing",
            "- rule: x\n  enabled: false\n".to_owned(),
            Code::Validate,
            "no rule 'x'",
        ),
        (
            "priority cannot be appended",
            two.clone() + "- rule: a\n  priority: INFO\n  override: {priority: append}\n",
            Code::YamlValidate,
            "cannot be appended",
        ),
        (
            "a key of the override that is not there",
            two.clone() + "- rule: a\n  override: {output: append}\n",
            Code::YamlValidate,
            "does not have it",
        ),
        (
            "a key that the override does not name",
            two.clone() + "- rule: a\n  output: x\n  desc: y\n  override: {output: append}\n",
            Code::YamlValidate,
            "does not name it",
        ),
        (
            "append beside override",
            two + "- rule: a\n  append: true\n  output: x\n  override: {output: append}\n",
            Code::YamlValidate,
            "together",
        ),
    ]);
}
