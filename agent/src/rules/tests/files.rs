//! Whole rule files: ours, and Falco's where they are at hand.

use std::path::Path;

use super::*;

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

/// Falco's files, if this tree stands beside them.
fn falco_files() -> Option<Vec<RuleSource>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco-rules");
    let folder = [
        folder.clone(),
        Path::new("../").join("../shared/falco-rules"),
    ]
    .into_iter()
    .chain([Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/falco-rules")])
    .find(|folder| folder.is_dir())?;
    let read = |name: &str| {
        let path = folder.join(name);
        RuleSource {
            name: name.to_owned(),
            text: std::fs::read_to_string(path).unwrap(),
        }
    };
    Some(
        ["falco_rules.yaml", "falco-incubating_rules.yaml"]
            .map(read)
            .into(),
    )
}

#[test]
fn the_files_of_falco_load_unmodified() {
    let Some(sources) = falco_files() else { return };
    let report = load(&sources);
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert_eq!(report.rules.len(), 56);
    for warning in report.warnings() {
        // Templates that users fill in, and macros for their own use.
        let expected = matches!(warning.code, Code::UnusedMacro | Code::UnusedList);
        assert!(expected, "{warning}");
    }
}
