//! Test files in, verdicts and reports out.

mod default_rules;
mod reports;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::rules::RuleSource;

const RULES: &str = "\
- list: names
  items: [cat, \"two words\"]
- rule: reads
  desc: d
  condition: >-
    evt.type in (openat, mount) and (proc.name in (names) or proc.aname[2] = bash)
    and not (fd.name startswith /tmp/ or user.uid = 0)
  output: read %fd.name by %proc.cmdline uid=%user.uid
  priority: INFO
- rule: opens
  desc: d
  condition: evt.type = openat and fd.name exists
  output: o
  priority: INFO
- rule: off
  desc: d
  condition: evt.type = openat
  output: o
  priority: INFO
  enabled: false
";

/// Runs a test file beside a file with these rules.
fn run_with(rules: &str, tests: &str, options: &Options) -> FileResult {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules).unwrap();
    let path = folder.path().join("t.yaml");
    fs::write(&path, tests).unwrap();
    let mut result = run_file(&path, options);
    if result.errors.is_empty() {
        crate::schema::tests::rule_tests_accept(tests);
    }
    result.name = "t.yaml".to_owned();
    result
}

fn run(tests: &str) -> FileResult {
    let file = format!("rules: [rules.yaml]\ntests:\n{tests}");
    run_with(RULES, &file, &Options::default())
}

fn failures(result: &FileResult) -> Vec<&Failure> {
    assert!(
        result.errors.is_empty(),
        "{}",
        report::text(std::slice::from_ref(result))
    );
    let failures = |test| match test {
        &TestResult {
            outcome: Outcome::Failed(ref failures),
            ..
        } => failures.as_slice(),
        _ => &[],
    };
    result.tests.iter().flat_map(failures).collect()
}

/// The errors of a file, each in lines.
fn errors(tests: &str) -> Vec<String> {
    let result = run_with(RULES, tests, &Options::default());
    assert!(result.tests.is_empty() && result.is_failure(), "{tests}");
    result.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn events_and_what_fires() {
    for (event, expect, passes) in [
        (
            "fd.name: /a, proc.name: cat",
            "fires: [reads, opens], exact: true",
            true,
        ),
        ("fd.name: /a, proc.name: cat", "fires: [opens]", true),
        (
            "fd.name: /a, proc.name: cat",
            "fires: opens, exact: true",
            false,
        ),
        ("fd.name: /a, proc.name: cat", "silent: [reads]", false),
        ("fd.name: /tmp/a, proc.name: cat", "silent: [reads]", true),
        ("fd.name: /a, proc.name: two words", "fires: [reads]", true),
        (
            "fd.name: /a, proc.name: cat, user.uid: 0",
            "fires: [reads]",
            false,
        ),
        // What has no value makes each comparison of it false, and its negation true.
        ("proc.name: cat", "fires: [reads], silent: [opens]", true),
        (
            "fd.name: null, proc.name: cat",
            "fires: [reads], exact: true",
            true,
        ),
        ("proc.aname: [sh, bash]", "fires: [reads]", true),
        ("'proc.aname[2]': bash", "fires: [reads]", true),
        ("proc.aname: [bash, sh]", "silent: [reads]", true),
        // A type that no sensor need deliver.
        (
            "evt.type: mount, proc.name: cat",
            "fires: [reads], exact: true",
            true,
        ),
        ("evt.type: close, proc.name: cat", "exact: true", true),
        ("fd.name: /a", "fires: [off]", false),
        (
            "fd.name: /a, proc.name: cat, proc.args: [a, b c]",
            "fires: [reads], output: read /a by cat a b c uid=<NA>",
            true,
        ),
        (
            "fd.name: /a, proc.name: cat",
            "fires: [reads], output_fields: {fd.name: /a, user.uid: null}",
            true,
        ),
        (
            "fd.name: /a, proc.name: cat, user.uid: 5",
            "fires: [reads], output_fields: {user.uid: 5}",
            true,
        ),
        (
            "fd.name: /a, proc.name: cat",
            "fires: [reads], output: read",
            false,
        ),
        (
            "fd.name: /a, proc.name: cat",
            "fires: [reads], output_fields: {fd.name: /b}",
            false,
        ),
        (
            "fd.name: /a, proc.name: cat",
            "fires: [reads], output_fields: {fd.num: 1}",
            false,
        ),
    ] {
        let kind = if event.contains("evt.type") {
            ""
        } else {
            "evt.type: openat, "
        };
        let result = run(&format!(
            "- name: x\n  event: {{{kind}{event}}}\n  expect: {{{expect}}}\n"
        ));
        assert_eq!(failures(&result).is_empty(), passes, "{event}: {expect}");
        assert_eq!(result.is_failure(), !passes);
    }
}

#[test]
fn defaults_and_what_an_event_says_itself() {
    let file = "\
rules: rules.yaml
matching: first
defaults:
  evt.type: openat
  fd.name: /a
  proc.name: cat
  proc.aname: [sh, bash]
tests:
- {name: defaults, event: {}, expect: {fires: [reads], exact: true}}
- {name: null takes away, event: {proc.name: null, proc.aname: null}, expect: {fires: [opens], exact: true}}
- {name: other ancestors, event: {proc.name: x, proc.aname: [a, b]}, expect: {fires: [opens], exact: true}}
- {name: another parent, event: {proc.name: x, proc.pname: b}, expect: {fires: [reads]}}
- {name: variants, event: {fd.name: /b}, variants: [{proc.name: x, proc.args: [a]}, {proc.aname: null}], expect: {fires: [reads], exact: true}}
- {name: all of them, matching: all, event: {}, expect: {fires: [reads, opens], exact: true}}
";
    let result = run_with(RULES, file, &Options::default());
    let failures: Vec<_> = failures(&result);
    assert!(failures.is_empty(), "{failures:#?}");
    let names: Vec<_> = result.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(
        names[4..],
        [
            "variants (variant 1)",
            "variants (variant 2)",
            "all of them"
        ]
    );
}

#[test]
fn a_failed_test_says_why() {
    let why = |tests: &str| {
        let result = run(tests);
        let lines = failures(&result).into_iter();
        let lines = lines.map(|failure| [failure.message.as_str(), &failure.details].join("\n"));
        lines.collect::<String>()
    };
    assert_eq!(
        why(
            "- name: x\n  event: {evt.type: openat, proc.name: dd, fd.name: \"/tmp/\\e[2J\"}\n  expect: {fires: reads}\n"
        ),
        "\
rule 'reads' should have fired, and did not
✗ and: not all of these hold
  ✓ evt.type in (openat, mount)  <- evt.type is openat
  ✗ or: none of these holds
    ✗ proc.name in (cat, \"two words\")  <- proc.name is dd
    ✗ proc.aname[2] = bash  <- proc.aname[2] has no value, so the comparison is false
  ✗ not: this holds
    ✓ or: one of these holds
      ✓ fd.name startswith /tmp/  <- fd.name is /tmp/\\u001b[2J
"
    );
    assert_eq!(
        why("- name: x\n  event: {evt.type: openat, fd.name: ''}\n  expect: {silent: opens}\n"),
        "\
rule 'opens' should not have fired, and did
✓ and: all of these hold
  ✓ evt.type = openat  <- evt.type is openat
  ✓ fd.name exists  <- fd.name is \"\"
"
    );
    for (test, part) in [
        (
            "event: {evt.type: openat}, expect: {fires: off}",
            "the rule is disabled",
        ),
        (
            "event: {evt.type: close}, expect: {fires: reads}",
            "the rule is about events of these types: mount, openat",
        ),
        (
            "matching: first, event: {evt.type: openat, fd.name: /a, proc.name: cat}, expect: {fires: opens}",
            "rule 'reads', which is defined before it, matched first",
        ),
        (
            "event: {evt.type: openat, fd.name: /a}, expect: {fires: opens, output: p}",
            "expected: p\nfound:    o\n",
        ),
        (
            "event: {evt.type: openat, fd.name: /a, proc.name: cat}, expect: {fires: reads, output_fields: {fd.nam: 1}}",
            "fd.nam: the alert has no such field; did you mean 'fd.name'?",
        ),
    ] {
        let found = why(&format!("- {{name: x, {test}}}\n"));
        assert!(found.contains(part), "{test}\n{found}");
    }
}

#[test]
fn rules_fire_where_the_agent_asks_them() {
    let rules = [
        ("by path", "fd.name = /etc/shadow"),
        ("by name", "evt.type = read and fd.name = /etc/shadow"),
        ("exec", "evt.type = execve and proc.name = a"),
        ("failed exec", "evt.type = execve and evt.failed = true"),
        ("writes", "evt.type = openat and evt.is_open_write = false"),
        ("negative", "evt.type = connect and evt.rawres < 0"),
    ]
    .map(|(name, condition)| {
        format!(
            "- {{rule: {name}, desc: d, condition: \"{condition}\", output: o, priority: INFO}}\n"
        )
    })
    .concat();
    for (event, expect, expected) in [
        (
            "evt.type: read, fd.name: /etc/shadow",
            "fires: by name, exact: true",
            Ok(()),
        ),
        (
            "evt.type: openat, fd.name: /etc/shadow",
            "fires: by path",
            Ok(()),
        ),
        (
            "evt.type: read, fd.name: /etc/shadow",
            "fires: by path",
            Err("only if its condition names it: evt.type = read"),
        ),
        // What the sensor does not have may be tested.
        (
            "evt.type: notification, fd.name: /etc/shadow",
            "fires: by path",
            Ok(()),
        ),
        (
            "evt.type: execve, proc.name: a",
            "fires: exec, exact: true",
            Ok(()),
        ),
        (
            "evt.type: execve, proc.name: a, evt.rawres: -2",
            "fires: failed exec, exact: true",
            Ok(()),
        ),
        (
            "evt.type: execve, proc.name: a, evt.failed: true",
            "silent: exec",
            Ok(()),
        ),
        (
            "evt.type: execve, proc.name: a, evt.rawres: -2",
            "fires: exec",
            Err("does not ask about the result"),
        ),
        (
            "evt.type: openat, evt.rawres: -2, evt.arg.flags: O_RDWR",
            "fires: writes",
            Ok(()),
        ),
        // There is no such event.
        (
            "evt.type: openat, evt.rawres: -2, evt.is_open_write: true",
            "silent: writes",
            Err("evt.is_open_write: such an event always has false, and the test's has true"),
        ),
        (
            "evt.type: connect, evt.res: ENOENT",
            "silent: negative",
            Err(
                "evt.rawres: such an event always has a number up to -1, and the test's has no value",
            ),
        ),
    ] {
        let file = format!(
            "rules: rules.yaml\ntests:\n- {{name: x, event: {{{event}}}, expect: {{{expect}}}}}\n"
        );
        let text = report::text(&[run_with(&rules, &file, &Options::default())]);
        match expected {
            Ok(()) => assert!(text.contains("1 passed, 0 failed"), "{event}\n{text}"),
            Err(part) => assert!(
                text.contains("FAILED") && text.contains(part),
                "{event}\n{text}"
            ),
        }
    }
}

#[test]
fn names_of_hosts_are_those_of_the_test() {
    let rules = [
        ("is", "= github.example"),
        ("is not", "!= github.example"),
        ("is among", "in (gitlab.example, github.example)"),
        ("is local", "= localhost"),
    ]
    .map(|(name, comparison)| {
        let condition = format!("evt.type=connect and fd.sip.name {comparison}");
        format!(
            "- {{rule: {name}, desc: d, condition: \"{condition}\", output: o, priority: INFO}}\n"
        )
    })
    .concat();
    for (event, fires) in [
        (
            "fd.sip: 192.0.2.1, fd.sip.name: github.example",
            "is, is among",
        ),
        ("fd.sip.name: github.example", "is, is among"),
        ("fd.sip: 192.0.2.1, fd.sip.name: other.example", "is not"),
        // Nothing is looked up, in no file and with no resolver.
        ("fd.sip: 192.0.2.1", ""),
        ("fd.sip: 127.0.0.1", ""),
        ("fd.sip.name: localhost", "is not, is local"),
    ] {
        let file = format!(
            "rules: rules.yaml\ntests:\n- name: x\n  event: {{evt.type: connect, {event}}}\n  \
             expect: {{fires: [{fires}], exact: true}}\n"
        );
        let result = run_with(&rules, &file, &Options::default());
        let text = report::text(&[result]);
        assert!(text.contains("1 passed, 0 failed"), "{event}\n{text}");
    }
    let file = "rules: rules.yaml\ntests:\n- name: x\n  event: {evt.type: connect, fd.sip: 192.0.2.1}\n  \
                expect: {fires: is not}\n";
    let text = report::text(&[run_with(&rules, file, &Options::default())]);
    let why = "fd.sip.name has no value, so the comparison is false, fd.sip is 192.0.2.1";
    assert!(text.contains(why), "{text}");
}

#[test]
fn values_are_of_the_fields_type() {
    for (value, expected) in [
        ("fd.name: 0755", "fd.name = 0755"),
        ("fd.name: {hex: 2fff}", "fd.name = \"/\\xff\""),
        ("evt.buffer: {hex: 00ff}", "evt.buffer bcontains 00ff"),
        ("fd.num: -1", "fd.num < 0"),
        (
            "evt.rawres: -13",
            "evt.rawres = -13 and evt.res = EACCES and evt.failed = true",
        ),
        ("evt.rawres: 3", "evt.res = SUCCESS and evt.failed = false"),
        ("evt.is_open_write: true", "evt.is_open_write = true"),
        (
            "evt.arg.flags: O_RDWR|O_CREAT",
            "evt.is_open_write = true and evt.is_open_read = true",
        ),
        (
            "evt.arg.flags: O_WRONLY, evt.rawres: -2",
            "evt.is_open_write = false",
        ),
        ("fd.sport: 443", "fd.sport >= 443 and fd.port = 443"),
        (
            "fd.sip: 10.1.2.3, fd.cip: '::1'",
            "fd.snet in (10.0.0.0/8) and fd.ip = ::1 and fd.typechar = 4",
        ),
        ("fd.ip: [10.1.2.3, 10.0.0.1]", "fd.net = 10.1.0.0/16"),
        ("fd.ip: 10.1.2.3", "fd.ip != 10.1.2.4"),
        ("evt.arg.flags: O_RDONLY", "evt.arg.flags = O_RDONLY"),
        ("'container.label[a.b]': c", "container.label[a.b] = c"),
        (
            "proc.name: sh, proc.args: [-c, x y]",
            "proc.args[1] = \"x y\" and proc.cmdline = \"sh -c x y\"",
        ),
        ("proc.name: sh", "proc.cmdline = sh and proc.aname[0] = sh"),
        ("proc.pname: a", "proc.aname = a and proc.aname[1] = a"),
        (
            "proc.apid: [7, 1]",
            "proc.ppid = 7 and proc.apid[2] = 1 and proc.apid in (1)",
        ),
        (
            "fd.name: /etc/x",
            "fd.directory = /etc and fd.filename = x and fd.nameraw = /etc/x and fd.typechar = f",
        ),
        ("fd.name: /x", "fd.directory = / and fd.filename = x"),
        ("fd.name: /x/y, fd.filename: null", "not fd.filename exists"),
        ("fd.name: 10.0.0.1:1->10.0.0.2:2", "not fd.directory exists"),
        (
            "{}",
            "container.id = host and evt.num > 0 and evt.source = syscall and evt.dir = <",
        ),
        ("{}", "evt.type.is.openat = 1 and syscall.type = openat"),
        ("thread.cgroups: a", "thread.cgroups = a"),
    ] {
        let rules = serde_json::json!([{
            "rule": "r", "desc": "d", "condition": format!("evt.type = openat and {expected}"),
            "output": "o", "priority": "INFO",
        }]);
        let value = value.trim_matches(['{', '}']).trim().to_owned()
            + if value.starts_with('{') || !value.ends_with('}') {
                ""
            } else {
                "}"
            };
        let file = format!(
            "rules: rules.yaml\ntests:\n- name: x\n  event: {{evt.type: openat, {value}}}\n  expect: {{fires: r}}\n"
        );
        let result = run_with(&rules.to_string(), &file, &Options::default());
        let text = report::text(&[result]);
        assert!(text.contains("1 passed, 0 failed"), "{value}\n{text}");
    }
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let of_event = |event: &str| {
        format!(
            "rules: rules.yaml\ntests:\n- name: x\n  event: {{{event}}}\n  expect: {{exact: true}}\n"
        )
    };
    let of_test = |test: &str| format!("rules: rules.yaml\ntests:\n- {{{test}}}\n");
    for (file, place, part) in [
        (of_event("evt.type: opennat"), "4:21", "unknown event type 'opennat'; did you mean 'openat'?"),
        (of_event("proc.name: x"), "4:10", "the event has no type: expected 'evt.type: NAME'"),
        (of_event("evt.type: openat, proc.nmae: x"), "4:29", "unknown field 'proc.nmae'; did you mean 'proc.name'?"),
        (of_event("evt.type: openat, fd.num: three"), "4:37", "fd.num: 'three' is not a valid number"),
        (of_event("evt.type: openat, user.uid: -1"), "4:39", "user.uid: '-1' is negative"),
        (of_event("evt.type: openat, fd.sport: 70000"), "4:39", "fd.sport: '70000' is no port"),
        (of_event("evt.type: openat, fd.sip: x"), "4:37", "fd.sip: 'x' is no IPv4 or IPv6 address"),
        (of_event("evt.type: openat, evt.failed: maybe"), "4:41", "evt.failed: 'maybe' is neither true nor false"),
        (of_event("evt.type: openat, proc.name: [a]"), "4:40", "proc.name: expected one value of type string, and found a list"),
        (of_event("evt.type: openat, proc.aname: a"), "4:41", "proc.aname: expected a list, such as [a, b], of string"),
        (of_event("evt.type: openat, fd.name: {hex: 0}"), "4:44", "fd.name: '0' is no even number of hexadecimal digits"),
        (of_event("evt.type: openat, fd.name: {octal: 0}"), "4:38", "or bytes as {hex: 00ff}, and found a map"),
        ("[]".to_owned(), "1:1", "expected a map with the key 'tests', and found a list"),
        (String::new(), "1:1", "the file is empty"),
        ("tests: [".to_owned(), "2:1", "not YAML"),
        ("rules: rules.yaml\n".to_owned(), "1:1", "the file has no tests"),
        ("rules: rules.yaml\ntests: []\n".to_owned(), "2:8", "the file has no tests"),
        ("tests: []\n---\ntests: []\n".to_owned(), "3:1", "another one starts"),
        ("test: []\ntests: []\n".to_owned(), "1:1", "unknown key 'test'; did you mean 'tests'?"),
        ("rules: [nothing.yaml]\ntests:\n- {name: x, event: {evt.type: openat}, expect: {exact: true}}\n".to_owned(), "1:9", "cannot read"),
        (of_test("event: {evt.type: openat}, expect: {exact: true}"), "3:3", "needs the key 'name'"),
        (of_test("name: x, expect: {exact: true}"), "3:3", "needs the key 'event'"),
        (of_test("name: x, event: {evt.type: openat}"), "3:3", "needs the key 'expect'"),
        (of_test("name: x, event: {evt.type: openat}, expect: {}"), "3:48", "nothing is expected"),
        (of_test("name: x, event: {evt.type: openat}, expect: {fires: reeds}"), "3:56", "no rule is named 'reeds'; did you mean 'reads'?"),
        (of_test("name: x, event: {evt.type: openat}, expect: {fires: reads, silent: reads}"), "3:71", "cannot be both"),
        (of_test("name: x, event: {evt.type: openat}, expect: {fire: reads}"), "3:49", "unknown key 'fire'; did you mean 'fires'?"),
        (of_test("name: x, event: {evt.type: openat}, expect: {silent: reads, output: x}"), "3:72", "'fires' has to name exactly one rule"),
        (of_test("name: x, event: {evt.type: openat}, expect: {exact: perhaps}"), "3:56", "'exact' has to be true or false"),
        (of_test("name: x, event: {}, variants: [{evt.type: openat}, {}], expect: {exact: true}"), "3:55", "the event has no type"),
        (of_test("name: x, event: {evt.type: openat}, variants: [], expect: {exact: true}"), "3:50", "'variants' has to be a list of events"),
        (of_test("name: x, matching: some, event: {evt.type: openat}, expect: {exact: true}"), "3:23", "'matching' has to be all or first"),
        (of_test("name: x, tags: {a: b}, event: {evt.type: openat}, expect: {exact: true}"), "3:19", "'tags' has to be a list of texts"),
    ] {
        let found = errors(&file);
        let matching = found
            .iter()
            .find(|error| error.contains(&format!("t.yaml:{place}: ")) && error.contains(part));
        assert!(matching.is_some(), "{place} {part}\n{file}\n{found:#?}");
    }
    let shown = errors(&of_event("evt.type: opennat"));
    let (_, excerpt) = shown[0].split_once('\n').unwrap();
    assert_eq!(
        excerpt,
        "      event: {evt.type: opennat}\n                        ^"
    );
    let twice = format!(
        "{}- {{name: x, event: {{evt.type: close}}, expect: {{exact: true}}}}\n",
        of_test("name: x, event: {evt.type: openat}, expect: {exact: true}")
    );
    assert!(errors(&twice)[0].contains("another test of this file is named 'x'"));
    let broken = run_with(
        "- rule: x\n",
        &of_event("evt.type: openat"),
        &Options::default(),
    );
    assert!(
        matches!(broken.errors.as_slice(), [FileError::Rules(_)]),
        "{broken:?}"
    );
}

#[test]
fn more_rules_come_last_and_tags_select() {
    let options = Options {
        more_rules: vec![RuleSource {
            name: "more.yaml".to_owned(),
            text: "- rule: opens\n  condition: and fd.name = /b\n  override: {condition: append}\n"
                .to_owned(),
        }],
        tags: vec!["b".to_owned(), "c".to_owned()],
    };
    let file = "\
rules: rules.yaml
tests:
- {name: x, tags: [a], event: {evt.type: openat, fd.name: /a}, expect: {fires: opens}}
- {name: y, tags: [a, b], event: {evt.type: openat, fd.name: /a}, expect: {silent: opens}}
- {name: z, event: {evt.type: openat, fd.name: /b}, expect: {fires: opens}}
";
    let result = run_with(RULES, file, &options);
    let outcomes: Vec<_> = result.tests.iter().map(|test| &test.outcome).collect();
    assert_eq!(
        outcomes,
        [&Outcome::Deselected, &Outcome::Passed, &Outcome::Deselected]
    );
    let text = report::text(&[result]);
    assert!(
        text.ends_with("1 passed, 0 failed, 2 not selected\n"),
        "{text}"
    );
}

#[test]
fn a_deep_condition_is_explained() {
    let deep = "not (fd.num > 0 or ".repeat(300) + "fd.num = 1" + &")".repeat(300);
    let rules = serde_json::json!([{
        "rule": "r", "desc": "d", "condition": deep, "output": "o", "priority": "INFO",
    }]);
    let file = "rules: rules.yaml\ntests:\n- {name: x, event: {evt.type: openat, fd.num: 1}, expect: {fires: r}}\n";
    let result = run_with(&rules.to_string(), file, &Options::default());
    assert_eq!(failures(&result).len(), 1);
}

proptest::proptest! {
    /// A test file with a piece cut out or put in elsewhere is run or refused, and either can be shown.
    #[test]
    fn no_text_makes_the_reader_panic(
        noise in "[a-z.:,{}\\[\\]'\"\n -]{0,60}",
        start in 0_usize..2000,
        length in 0_usize..200,
    ) {
        let _ = TestFile::parse("t", &noise);
        let text = include_str!("../../../rules/tests/shells.yaml");
        let end = (start + length).min(text.len());
        let start = start.min(end);
        if text.is_char_boundary(start) && text.is_char_boundary(end) {
            let changed = format!("{}{noise}{}", &text[..start], &text[end..]);
            if let Err(problems) = TestFile::parse("t", &changed) {
                proptest::prop_assert!(!problems.is_empty());
                let _shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
            }
        }
    }
}
