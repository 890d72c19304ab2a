//! `peregrine rules test`, as a rule author's build server runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot start has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn rules_test(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peregrine"))
        .args(["rules", "test"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn default_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

#[test]
fn the_default_rules_pass_their_tests() {
    let output = rules_test(&default_tests(), &["tests"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).ends_with(" passed, 0 failed\n"));
}

#[test]
fn exit_codes_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let test = |expect: &str| {
        format!(
            "tests:\n- {{name: n, tags: [t], event: {{evt.type: openat, fd.name: /a}}, expect: {{{expect}}}}}\n"
        )
    };
    write("good.yaml", &test("exact: true"));
    write("bad.yaml", &test("fires: Write below /etc"));
    write("broken.yaml", "tests:\n- {name: n}\n");
    write(
        "local.yaml",
        "- macro: user_expected_etc_changes\n  condition: (evt.num = 1)\n",
    );
    for (arguments, code, part) in [
        (&["good.yaml"][..], 0, "1 passed, 0 failed"),
        (&["good.yaml", "-r", "local.yaml"], 0, "1 passed, 0 failed"),
        (&["bad.yaml"], 1, "✗ "),
        (
            &["broken.yaml"],
            1,
            "broken.yaml:2:3: the test needs the key 'event'",
        ),
        (&["none.yaml"], 1, "cannot read none.yaml"),
        (
            &["good.yaml", "bad.yaml", "--tag", "t"],
            1,
            "1 passed, 1 failed",
        ),
        (&["good.yaml", "--tag", "x"], 1, "1 not selected"),
        (
            &["bad.yaml", "--format", "tap"],
            1,
            "not ok 1 - bad.yaml: n\n",
        ),
        (
            &["bad.yaml", "--format", "junit"],
            1,
            "<failure message=\"rule &apos;Write below",
        ),
        (&["bad.yaml", "--json"], 1, "\"outcome\": \"failed\""),
        (&[], 2, ""),
        (&["good.yaml", "--format", "html"], 2, ""),
        (&["good.yaml", "--json", "--format", "tap"], 2, ""),
    ] {
        let output = rules_test(folder.path(), arguments);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}");
        assert!(text.contains(part), "{arguments:?}\n{text}");
    }
    let output = rules_test(
        folder.path(),
        &["good.yaml", "--format", "junit", "--output", "report.xml"],
    );
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).ends_with("1 passed, 0 failed\n"));
    let report = fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(report.starts_with("<?xml"), "{report}");
}

/// The YAML of a text's blocks, in order.
fn yaml_blocks(text: &str) -> Vec<&str> {
    let blocks = text.split("```yaml\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .collect()
}

#[test]
fn the_examples_of_the_documentation_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let guide = fs::read_to_string(root.join("docs/rule-tests.md")).unwrap();
    let (readme, guide) = (yaml_blocks(&readme), yaml_blocks(&guide));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let rules = readme
        .iter()
        .find(|block| block.contains("- rule:"))
        .unwrap();
    write("compilers.yaml", rules);
    let is_test = |block: &&&str| block.starts_with("rules: [compilers.yaml]");
    write("readme.yaml", readme.iter().find(is_test).unwrap());
    let guide_test = guide.iter().find(is_test).unwrap();
    let variants = guide
        .iter()
        .find(|block| block.contains("variants:"))
        .unwrap();
    write("guide.yaml", &format!("{guide_test}\n{variants}"));
    let output = rules_test(folder.path(), &["readme.yaml", "guide.yaml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.ends_with("7 passed, 0 failed\n"), "{text}");
}
