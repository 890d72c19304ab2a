//! Whole rule files: ours, and Falco's, which whoever has them names in the environment.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

#[test]
fn the_default_rules_load_without_a_finding() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
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
            crate::fields::extractor(field.name).is_some()
                || crate::fields::metadata_extractor(field.name).is_some(),
            "{field:?} has no value"
        );
    }
}

/// Names the folder with Falco's own rule files, which are not part of this project.
const RULES: &str = "PEREGRINE_FALCO_RULES";
/// Names a table of what each of their rules looks at, found by other means.
const INVENTORY: &str = "PEREGRINE_FALCO_INVENTORY";

fn named_by(variable: &str) -> std::path::PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("set {variable}"),
    }
}

/// The rule files that people bring along.
fn files_that_people_bring() -> Vec<RuleSource> {
    let folder = named_by(RULES);
    let read = |name: &str| RuleSource {
        name: name.to_owned(),
        text: std::fs::read_to_string(folder.join(name)).unwrap(),
    };
    ["falco_rules.yaml", "falco-incubating_rules.yaml"]
        .map(read)
        .into()
}

#[test]
#[ignore = "needs PEREGRINE_FALCO_RULES"]
fn the_rules_that_people_bring_load_without_a_finding() {
    let sources = files_that_people_bring();
    let report = load(&sources);
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert_eq!(report.rules.len(), 56);
    for rule in report.rules.rules() {
        let condition = rule.condition.to_string();
        assert_eq!(parse(&condition).unwrap(), rule.condition, "{}", rule.name);
    }
}

/// What each rule looks at, as was found by other means.
#[test]
#[ignore = "needs PEREGRINE_FALCO_RULES and PEREGRINE_FALCO_INVENTORY"]
fn the_rules_that_people_bring_look_at_what_they_should() {
    let sources = files_that_people_bring();
    let inventory = std::fs::read_to_string(named_by(INVENTORY)).unwrap();
    let report = load(&sources);
    let mut checked = 0;
    for rule in report.rules.rules() {
        let cells = inventory
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>())
            .find(|cells| cells.get(2) == Some(&&*rule.name));
        let Some(
            [
                file,
                _,
                _,
                priority,
                _,
                _,
                tags,
                events,
                _,
                fields,
                shown,
                _,
                macros,
                ..,
            ],
        ) = cells.as_deref()
        else {
            continue;
        };
        if !sources.iter().any(|source| source.name == *file) {
            continue;
        }
        let words = |cell: &str| -> BTreeSet<String> {
            cell.split_whitespace().map(str::to_owned).collect()
        };
        let of = |names: Vec<String>| -> BTreeSet<String> { names.into_iter().collect() };
        let name = &rule.name;
        assert_eq!(rule.priority, priority.parse().unwrap(), "{name}");
        assert_eq!(rule.tags, words(tags), "{name}");
        assert_eq!(
            of(rule.event_types.iter().map(str::to_owned).collect()),
            words(events),
            "{name}"
        );
        assert_eq!(
            of(rule.condition.fields().map(str::to_owned).collect()),
            words(fields),
            "{name}"
        );
        assert_eq!(
            of(rule.output.fields().map(field_text).collect()),
            words(shown),
            "{name}"
        );
        let missing: Vec<_> = words(macros).difference(&rule.macros).cloned().collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
        checked += 1;
    }
    assert_eq!(checked, 56);
}
