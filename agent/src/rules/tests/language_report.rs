//! The report of loading: the codes, and the JSON of `rules check`.

use serde_json::json;

use super::*;

#[test]
fn the_schema_is_checked_and_decides_nothing() {
    let good = rule("evt.type = open");
    for (sentence, text, expected) in [
        ("a file that keeps to it", good.clone(), &[][..]),
        (
            "priorities are upper case",
            good.replace("INFO", "info"),
            &[
                "line 5, column 13: expected one of EMERGENCY, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, INFORMATIONAL, DEBUG",
            ],
        ),
        (
            "a priority by number is not in it",
            good.replace("INFO", "3"),
            &["line 5, column 13: expected one of"],
        ),
        (
            "flags are true or false",
            good.clone() + "  enabled: yes\n",
            &["line 6, column 12: expected one of true, false"],
        ),
        (
            "unknown keys",
            good.clone() + "  colour: red\n",
            &["line 6, column 3: unknown key 'colour'"],
        ),
        (
            "unknown items",
            good.clone() + "- thing: x\n",
            &["line 6, column 3: unknown item"],
        ),
        (
            "keys of exceptions",
            good.clone() + "  exceptions: [{name: e, fields: proc.name, comment: x}]\n",
            &["line 6, column 45: unknown key 'comment'"],
        ),
    ] {
        let report = load_text(&text);
        assert!(
            report.errors().next().is_none(),
            "{sentence}: {:?}",
            report.findings
        );
        assert_eq!(report.rules.len(), 1, "{sentence}");
        let json = &report.to_json()[0];
        assert_eq!(json["schema_valid"], expected.is_empty(), "{sentence}");
        let found = json["schema_warnings"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{sentence}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                found.as_str().unwrap().starts_with(expected),
                "{sentence}: {found}"
            );
        }
    }
    for text in ["- a: [", "x: y", "- rule: r\n  capture_duration: soon\n"] {
        let json = &load_text(text).to_json()[0];
        assert_eq!(json["schema_valid"], false, "{text}");
        assert_eq!(json["successful"], false, "{text}");
    }
}

#[test]
fn a_finding_has_code_message_context_and_snippet() {
    let json = &load_text(&(rule("proc.nme = a") + "  colour: red\n")).to_json()[0];
    let keys: Vec<_> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "errors",
            "name",
            "schema_valid",
            "schema_warnings",
            "successful",
            "warnings"
        ]
    );
    for finding in [&json["errors"][0], &json["warnings"][0]] {
        for key in ["code", "codedesc", "message", "context"] {
            assert!(!finding[key].is_null(), "{key}: {finding:#}");
        }
        let context = &finding["context"];
        assert!(
            context["snippet"].as_str().unwrap().contains('^'),
            "{context:#}"
        );
        let location = &context["locations"][0];
        assert_eq!(location["item_type"], "rule");
        assert_eq!(location["item_name"], "r");
        assert_eq!(
            location["position"],
            json!({"name": "rules.yaml", "line": 1, "column": 3, "offset": 2})
        );
    }
}

/// Each code with a text that raises it, alone. `LOAD_ERR_FILE_READ` needs a file that cannot be
/// read; the two codes for extensions are reserved; and `LOAD_UNSAFE_NA_CHECK` is about fields of
/// sources that are not here, whose rules are ignored before anyone looks at their conditions.
#[test]
fn every_code_is_raised() {
    let good = rule("evt.type = open");
    for (code, text) in [
        ("LOAD_ERR_YAML_PARSE", "- a: [".to_owned()),
        ("LOAD_ERR_YAML_VALIDATE", "a: b".to_owned()),
        ("LOAD_ERR_COMPILE_CONDITION", rule("proc.name")),
        ("LOAD_ERR_COMPILE_OUTPUT", good.replace(": o", ": 5%")),
        ("LOAD_ERR_VALIDATE", rule("no_such_macro")),
        (
            "LOAD_UNKNOWN_SOURCE",
            good.clone() + "  source: aws_cloudtrail\n",
        ),
        ("LOAD_NO_EVTTYPE", rule("proc.name = x")),
        (
            "LOAD_UNKNOWN_FILTER",
            rule("evt.type = open and no.such = x") + "  skip-if-unknown-filter: true\n",
        ),
        (
            "LOAD_UNUSED_MACRO",
            "- macro: m\n  condition: fd.num > 0\n".to_owned(),
        ),
        ("LOAD_UNUSED_LIST", "- list: l\n  items: [a]\n".to_owned()),
        ("LOAD_UNKNOWN_ITEM", "- thing: x\n".to_owned()),
        ("LOAD_UNKNOWN_KEY", good.clone() + "  colour: red\n"),
        (
            "LOAD_UNKNOWN_KEY",
            "- required_engine_version: 1\n  colour: red\n".to_owned(),
        ),
        (
            "LOAD_UNKNOWN_KEY",
            "- required_plugin_versions: []\n  colour: red\n".to_owned(),
        ),
        (
            "LOAD_DEPRECATED_ITEM",
            good.clone() + "- rule: r\n  enabled: true\n",
        ),
        (
            "LOAD_APPEND_NO_VALUES",
            good.clone()
                + "  exceptions: [{name: e, fields: proc.name}]\n\
                   - rule: r\n  exceptions: [{name: e}]\n  override: {exceptions: append}\n",
        ),
        (
            "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
            good.clone()
                + "  exceptions: [{name: e, fields: proc.name}, {name: e, fields: proc.exe}]\n",
        ),
        (
            "LOAD_INVALID_MACRO_NAME",
            rule("evt.type = open") + "- macro: 1m\n  condition: fd.num > 0\n",
        ),
        (
            "LOAD_INVALID_LIST_NAME",
            "- list: a=b\n  items: [a]\n".to_owned(),
        ),
        (
            "LOAD_COMPILE_CONDITION",
            rule("evt.type = open and proc.name regex sh"),
        ),
    ] {
        let report = load_text(&text);
        let codes: Vec<_> = report.findings.iter().map(|one| one.code.name()).collect();
        // What has a name that cannot be used is not used either.
        let codes: Vec<_> = match code {
            "LOAD_INVALID_MACRO_NAME" | "LOAD_INVALID_LIST_NAME" => codes[..1].to_vec(),
            _ => codes,
        };
        assert_eq!(codes, [code], "{text}");
        let is_error = code.starts_with("LOAD_ERR");
        assert_eq!(report.errors().next().is_some(), is_error, "{text}");
    }
}
