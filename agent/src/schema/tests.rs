//! The schemas against the readers: whatever a test of theirs reads without complaint about the
//! structure, the schema accepts.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value as Json;

use super::*;
use crate::rules::{Code, LoadReport, RuleSource, load};

static RULES: LazyLock<Validator> = LazyLock::new(|| validator(&rules()));
static CONFIG: LazyLock<Validator> = LazyLock::new(|| validator(&config()));
static RULE_TESTS: LazyLock<Validator> = LazyLock::new(|| validator(&rule_tests()));

fn validator(schema: &Json) -> Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap();
    jsonschema::draft202012::new(schema).unwrap()
}

/// The documents of a text as an editor's language server sees them.
fn documents(text: &str) -> Option<Vec<Json>> {
    let documents = Yaml::load_from_str(text.trim_start_matches('\u{feff}')).ok()?;
    documents.iter().map(as_json).collect()
}

fn as_json(yaml: &Yaml<'_>) -> Option<Json> {
    Some(match yaml {
        Yaml::Value(Scalar::Null) => Json::Null,
        Yaml::Value(Scalar::Boolean(truth)) => (*truth).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Representation(text, ..) => text.as_ref().into(),
        Yaml::Sequence(items) => items
            .iter()
            .map(as_json)
            .collect::<Option<Vec<_>>>()?
            .into(),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = match as_json(key)? {
                    Json::String(key) => key,
                    Json::Null => String::new(),
                    other => other.to_string(),
                };
                Some((key, as_json(value)?))
            };
            Json::Object(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        Yaml::Tagged(_, inner) => as_json(inner)?,
        Yaml::Alias(_) | Yaml::BadValue => return None,
    })
}

fn complaints(validator: &Validator, text: &str) -> Option<Vec<String>> {
    let found = documents(text)?;
    let complaints = found
        .iter()
        .flat_map(|document| validator.iter_errors(document))
        .map(|error| format!("{}: {error}", error.instance_path()));
    Some(complaints.collect())
}

fn accepts(validator: &Validator, text: &str) {
    let found = complaints(validator, text).unwrap_or_default();
    assert!(found.is_empty(), "{text}\n{found:#?}");
}

/// The schema of rules accepts what the loader has loaded without a word about keys or their values.
pub(crate) fn rules_agree(text: &str, report: &LoadReport) {
    let is_structural = |code| {
        matches!(
            code,
            Code::YamlParse | Code::YamlValidate | Code::UnknownItem | Code::UnknownKey
        )
    };
    // After an error, what follows in the file has not been read.
    let is_read = report.errors().next().is_none();
    if is_read
        && !report
            .findings
            .iter()
            .any(|finding| is_structural(finding.code))
    {
        accepts(&RULES, text);
    }
}

/// The schema of the configuration accepts this text, which has been read.
pub(crate) fn config_accepts(text: &str) {
    accepts(&CONFIG, text);
}

/// The schema of rule tests accepts this text, which has been run.
pub(crate) fn rule_tests_accept(text: &str) {
    accepts(&RULE_TESTS, text);
}

fn files(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder);
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    assert!(!texts.is_empty());
    texts
}

#[test]
fn our_own_files_are_valid() {
    for text in files("rules") {
        accepts(&RULES, &text);
    }
    for text in files("rules/tests") {
        accepts(&RULE_TESTS, &text);
    }
    // The configuration of the pods is inside of a manifest.
    let manifest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes/configmap.yaml");
    let manifest = documents(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    let config = manifest[0]["data"]["peregrine.yaml"].as_str().unwrap();
    assert!(config.contains("rules_files"));
    accepts(&CONFIG, config);
}

#[test]
fn every_key_has_a_schema_and_a_description() {
    use crate::rule_tests::{EXPECT_KEYS, FILE_KEYS, TEST_KEYS};
    use crate::rules::keys::{LIST_KEYS, MACRO_KEYS, RULE_KEYS};

    for (keys, value) in [
        (
            RULE_KEYS,
            rules::rule_key as fn(&str) -> Option<(Json, &'static str)>,
        ),
        (MACRO_KEYS, rules::macro_key),
        (LIST_KEYS, rules::list_key),
    ] {
        for key in keys {
            assert!(
                value(key).is_some_and(|(_, help)| !help.is_empty()),
                "{key}"
            );
        }
    }
    for (keys, value) in [
        (FILE_KEYS, rule_tests::file_key as fn(&str) -> Option<Json>),
        (TEST_KEYS, rule_tests::test_key),
        (EXPECT_KEYS, rule_tests::expect_key),
    ] {
        for (key, _) in keys {
            assert!(value(key).is_some(), "{key}");
        }
    }
}

const RULE: &str = "rule: r, desc: d, condition: c, output: o, priority: INFO";

#[test]
fn broken_rule_files_are_invalid_and_do_not_load_cleanly() {
    let with = |more: &str| format!("- {{{RULE}, {more}}}\n");
    accepts(&RULES, &with("tags: [a]"));
    for text in [
        "rule: r\n".to_owned(),
        "- r\n".to_owned(),
        "- {rule: r}\n".to_owned(),
        "- {rule: r, desc: d, condition: c, output: o}\n".to_owned(),
        "- {rule: '', desc: d, condition: c, output: o, priority: INFO}\n".to_owned(),
        "- {rule: r, desc: d, condition: ' ', output: o, priority: INFO}\n".to_owned(),
        "- {rule: r, desc: d, condition: [c], output: o, priority: INFO}\n".to_owned(),
        "- {rule: r, desc: d, condition: c, output: o, priority: URGENT}\n".to_owned(),
        "- {rule: r, desc: d, condition: c, output: o, priority: 8}\n".to_owned(),
        "- {rule: r, append: true}\n".to_owned(),
        with("tags: a"),
        with("tags: [[a]]"),
        with("enabled: maybe"),
        with("enable: true"),
        with("capture_duration: soon"),
        with("exceptions: {name: e}"),
        with("exceptions: [{fields: [proc.name]}]"),
        with("exceptions: [{name: e}]"),
        with("exceptions: [{name: e, fields: [proc.name], comps: [equals]}]"),
        with("exceptions: [{name: e, fields: [proc.name], values: x}]"),
        with("override: {condition: prepend}"),
        with("override: {priority: append}"),
        with("override: [condition]"),
        with("override: {}"),
        "- {rule: r, override: {}}\n".to_owned(),
        "- {list: l, items: [a], override: {}}\n".to_owned(),
        "- {required_engine_version: 5, x: 1}\n".to_owned(),
        "- {required_plugin_versions: [{name: container, version: 0.4.0}], x: 1}\n".to_owned(),
        "- {macro: m}\n".to_owned(),
        "- {macro: m, condition: c, items: []}\n".to_owned(),
        "- {macro: m, condition: c, override: {items: append}}\n".to_owned(),
        "- {list: l}\n".to_owned(),
        "- {list: l, items: a}\n".to_owned(),
        "- {lst: l, items: [a]}\n".to_owned(),
        "- {required_engine_version: new}\n".to_owned(),
        "- {required_plugin_versions: {name: x}}\n".to_owned(),
        "- {required_plugin_versions: [{name: x, version: new}]}\n".to_owned(),
    ] {
        let found = complaints(&RULES, &text).unwrap();
        assert!(!found.is_empty(), "the schema accepts {text}");
        let source = RuleSource {
            name: "r".to_owned(),
            text: text.clone(),
        };
        assert!(
            !load(&[source]).findings.is_empty(),
            "the loader accepts {text}"
        );
    }
}

#[test]
fn broken_configurations_are_invalid() {
    for text in [
        "[]",
        "json_output: maybe",
        "json_outputs: true",
        "priority: urgent",
        "priority: [info]",
        "rule_matching: some",
        "rules_files: {a: b}",
        "rules_files: [[a]]",
        "outputs_queue: 5",
        "outputs_queue: {capacity: -1}",
        "outputs_queue: {capacity: many}",
        "webserver: {listen: 1}",
        "webserver: {listen_port: [1]}",
        "process_table_size: 5",
        "static_fields: [a]",
        "static_fields: {a: [b]}",
        "log_level: loud",
        "http_output: {enabled: true}",
    ] {
        let found = complaints(&CONFIG, text).unwrap();
        assert!(!found.is_empty(), "the schema accepts {text}");
    }
}

#[test]
fn broken_rule_tests_are_invalid() {
    let with = |event: &str, expect: &str| {
        format!("tests: [{{name: n, event: {{{event}}}, expect: {{{expect}}}}}]\n")
    };
    accepts(
        &RULE_TESTS,
        &with("evt.type: openat, 'proc.aname[2]': x", "fires: r"),
    );
    for text in [
        "[]".to_owned(),
        "tests: []".to_owned(),
        "test: []".to_owned(),
        "tests: [{name: n}]".to_owned(),
        with("evt.type: opennat", "fires: r"),
        with("proc.nmae: x", "fires: r"),
        with("'proc.name[1]': x", "fires: r"),
        with("proc.name: [x]", "fires: r"),
        with("proc.aname: x", "fires: r"),
        with("fd.num: three", "fires: r"),
        with("user.uid: -1", "fires: r"),
        with("fd.sport: 70000", "fires: r"),
        with("evt.failed: maybe", "fires: r"),
        with("fd.name: {hex: 0}, fd.nam: x", "fires: r"),
        with("evt.type: openat", ""),
        with("evt.type: openat", "exact: false"),
        with("evt.type: openat", "fire: r"),
        with("evt.type: openat", "fires: {r: x}"),
        with("evt.type: openat", "fires: r, output: [x]"),
        format!("matching: some\n{}", with("evt.type: openat", "fires: r")),
    ] {
        let found = complaints(&RULE_TESTS, &text).unwrap();
        assert!(!found.is_empty(), "the schema accepts {text}");
        let read = crate::rule_tests::TestFile::parse("t", &text);
        assert!(read.is_err(), "the reader accepts {text}");
    }
}
