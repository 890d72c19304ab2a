//! Which rules take part, and in which order.

use super::*;

fn named(name: &str, tags: &str, enabled: bool) -> String {
    rule("evt.type = open").replace(": r", &format!(": {name}"))
        + &format!("  tags: [{tags}]\n  enabled: {enabled}\n")
}

fn by_name(enable: bool, name: &str) -> RuleSwitch {
    RuleSwitch {
        enable,
        rule: Some(name.to_owned()),
        tag: None,
    }
}

fn by_tag(enable: bool, tag: &str) -> RuleSwitch {
    RuleSwitch {
        enable,
        rule: None,
        tag: Some(tag.to_owned()),
    }
}

#[test]
fn the_configuration_enables_and_disables_rules() {
    let text =
        named("one a", "x", true) + &named("one b", "x, y", true) + &named("two", "y", false);
    let both = RuleSwitch {
        tag: Some("y".to_owned()),
        ..by_name(false, "one a")
    };
    for (sentence, switches, expected) in [
        (
            "without entries each rule's own setting counts",
            vec![],
            "one a,one b",
        ),
        (
            "a name without a star is exact",
            vec![by_name(false, "one")],
            "one a,one b",
        ),
        ("by exact name", vec![by_name(false, "one a")], "one b"),
        (
            "a star stands for any text",
            vec![by_name(false, "one*")],
            "",
        ),
        (
            "stars may be several",
            vec![by_name(false, "*n*b*")],
            "one a",
        ),
        (
            "nothing but the star is special",
            vec![by_name(false, "on? a")],
            "one a,one b",
        ),
        ("by tag", vec![by_tag(false, "y")], "one a"),
        (
            "a tag has no wildcard",
            vec![by_tag(false, "*")],
            "one a,one b",
        ),
        (
            "with a name and a tag both count, and a rule needs one of them only",
            vec![both],
            "",
        ),
        (
            "entries apply in order",
            vec![by_name(false, "*"), by_name(true, "one b")],
            "one b",
        ),
        (
            "a rule that is enabled here comes after all others",
            vec![by_name(false, "one a"), by_tag(true, "x")],
            "one b,one a",
        ),
        (
            "one that was enabled all along keeps its turn",
            vec![by_name(true, "*")],
            "one a,one b,two",
        ),
    ] {
        let mut rules = load_text(&text).rules;
        let unused = rules.switch(&switches).len();
        let program = Program::compile(
            &rules,
            CompileOptions {
                matching: Matching::All,
                ..CompileOptions::default()
            },
        );
        let found = matches(&program, event("open"), &[]).join(",");
        assert_eq!(found, expected, "{sentence}");
        let without_rule = sentence.contains("exact is") || found == "one a,one b";
        assert_eq!(
            unused,
            usize::from(without_rule && !switches.is_empty()),
            "{sentence}"
        );
    }
}

#[test]
fn rules_that_matter_less_than_asked_for_are_not_there() {
    let text = named("info", "", true) + &named("late", "", true).replace("INFO", "ERROR");
    let report = load_text(&text);
    for (minimum_priority, expected) in [
        (Priority::Debug, &["info", "late"][..]),
        (Priority::Informational, &["info", "late"]),
        (Priority::Error, &["late"]),
        (Priority::Critical, &[]),
    ] {
        let options = CompileOptions {
            matching: Matching::All,
            minimum_priority,
            ..CompileOptions::default()
        };
        let program = Program::compile(&report.rules, options);
        assert_eq!(matches(&program, event("open"), &[]), expected);
    }
}
