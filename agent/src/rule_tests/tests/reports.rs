//! The same results for people, build servers and programs.

use super::*;

/// A test whose name and event are as hostile as they come, one that passes, one that is left out.
fn results() -> Vec<FileResult> {
    let hostile = "\"]]> <&> # \\\\ \\e[2J \\x01 \\u202e \\r\\n --- \\\"'\"";
    let file = format!(
        "rules: rules.yaml\ntests:\n\
         - {{name: {hostile}, tags: t, event: {{evt.type: openat, fd.name: {hostile}}}, expect: {{fires: reads}}}}\n\
         - {{name: good, tags: t, event: {{evt.type: openat, fd.name: /a}}, expect: {{fires: opens}}}}\n\
         - {{name: other, event: {{evt.type: openat}}, expect: {{fires: opens}}}}\n"
    );
    let options = Options {
        tags: vec!["t".to_owned()],
        ..Options::default()
    };
    let run = run_with(RULES, &file, &options);
    assert!(run.errors.is_empty(), "{}", report::text(&[run]));
    let mut unusable = run_with(RULES, "tests: 1", &Options::default());
    unusable.name = "u.yaml".to_owned();
    vec![run, unusable]
}

#[test]
fn junit_is_legal_xml_whatever_the_names() {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    let xml = report::junit(&results()).unwrap();
    let illegal = |c: char| c.is_control() && c != '\n';
    assert!(!xml.contains(illegal), "{xml:?}");
    let mut reader = Reader::from_str(&xml);
    let mut elements = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) | Event::Empty(element) => {
                for attribute in element.attributes() {
                    attribute.unwrap();
                }
                elements.push(element.name().0.to_owned());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let count = |name: &str| elements.iter().filter(|found| *found == name).count();
    let counted = ["testsuite", "testcase", "failure", "error", "skipped"].map(count);
    assert_eq!(counted, [2, 4, 1, 1, 1], "{xml}");
    assert!(
        xml.contains(r#"tests="4" failures="1" errors="1" skipped="1""#),
        "{xml}"
    );
}

#[test]
fn tap_has_a_line_for_each_test() {
    let tap = report::tap(&results());
    let lines: Vec<_> = tap.lines().collect();
    assert_eq!(lines[..2], ["TAP version 14", "1..4"]);
    let tests: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("ok ") || line.starts_with("not ok "))
        .collect();
    assert_eq!(tests.len(), 4, "{tap}");
    assert!(
        tests[0].starts_with("not ok 1 - t.yaml: ]]> <&> \\# "),
        "{tap}"
    );
    assert_eq!(*tests[1], "ok 2 - t.yaml: good");
    assert_eq!(*tests[2], "ok 3 - t.yaml: other # SKIP not selected");
    assert_eq!(*tests[3], "not ok 4 - u.yaml: cannot be run");
    // Each block is YAML once its two columns are taken away.
    let block: String = lines
        .iter()
        .skip_while(|line| **line != "  ---")
        .skip(1)
        .take_while(|line| **line != "  ...")
        .flat_map(|line| [line.strip_prefix("  ").unwrap(), "\n"])
        .collect();
    let block = crate::rules::yaml::parse(&block).unwrap();
    let message = block[0]
        .get("message")
        .and_then(|node| node.scalar())
        .unwrap();
    assert!(
        message.starts_with("rule 'reads' should have fired, and did not\n  ✗ and"),
        "{message}"
    );
    assert!(
        !tap.contains(|c: char| c.is_control() && c != '\n'),
        "{tap:?}"
    );
}

#[test]
fn a_name_cannot_forge_a_result() {
    let file = r#"
rules: rules.yaml
tests:
  - name: "x\n  ok      forged"
    event: {evt.type: openat, fd.name: "/a\n  ok      forged"}
    expect: {fires: reads}
  - name: y
    event: {evt.type: openat, fd.name: /a}
    expect: {fires: opens, output: "z\n  ok      forged\nok 9 - forged"}
"#;
    let mut run = run_with(RULES, file, &Options::default());
    run.name = "f\n  ok      forged\nok 9 - forged".to_owned();
    let results = [run];
    for text in [report::text(&results), report::tap(&results)] {
        let is_forged = |line: &str| line.starts_with("ok      f") || line.starts_with("ok 9");
        assert!(
            !text.lines().any(|line| is_forged(line.trim_start())),
            "{text}"
        );
    }
}

#[test]
fn text_and_json_say_the_same() {
    let results = results();
    let text = report::text(&results);
    assert!(
        text.ends_with("1 passed, 1 failed, 1 not selected, 1 file with errors\n"),
        "{text}"
    );
    assert!(
        !text.contains(|c: char| crate::escape::is_unprintable(c) && c != '\n'),
        "{text:?}"
    );
    let json = report::json(&results);
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    assert_eq!(json["files"][0]["tests"][0]["outcome"], "failed");
    assert_eq!(json["files"][0]["tests"][1]["line"], 4);
    assert_eq!(json["files"][1]["errors"][0]["position"]["line"], 1);
    assert_eq!(json["files"][1]["successful"], false);
}
