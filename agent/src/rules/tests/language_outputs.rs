//! Outputs as rules have them after loading: what is appended, listed and printed.

use serde_json::json;

use super::*;

/// A rule with this output.
fn with_output(output: &str) -> String {
    let output = serde_json::to_string(output).unwrap();
    rule("evt.type = open").replace("output: o", &format!("output: {output}")) + "  tags: [a, b]\n"
}

fn value(field: &FieldUse) -> Option<Value<'static>> {
    match (field.name, &field.argument) {
        ("proc.name", _) => Some(text("cat")),
        ("proc.pid", _) => Some(Value::Int(42)),
        ("fd.dev", _) => Some(Value::Int(253)),
        ("container.id", _) => Some(text("host")),
        ("static", crate::fields::FieldArgument::Key(key)) if key == "site" => Some(text("lab")),
        ("evt.buffer", _) => Some(Value::text(b"a\0\xff")),
        _ => None,
    }
}

fn rendered(output: &str, settings: &OutputSettings) -> (String, serde_json::Value) {
    let report = load_with(&source(&with_output(output)), settings);
    let errors: Vec<_> = report.errors().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let rule = report.rules.rules().next().unwrap();
    let (message, listed) = rule.output.render(&value);
    (message, listed.into())
}

fn settings(appended: Vec<AppendOutput>) -> OutputSettings {
    OutputSettings {
        appended,
        static_fields: vec!["no field".to_owned(), "site".to_owned()],
        ..OutputSettings::default()
    }
}

fn text_entry(text: &str) -> AppendOutput {
    AppendOutput {
        extra_output: Some(text.to_owned()),
        ..AppendOutput::default()
    }
}

#[test]
fn extra_output_goes_to_the_rules_that_match() {
    let only = |change: fn(&mut AppendOutput)| {
        let mut entry = text_entry("pid=%proc.pid");
        change(&mut entry);
        entry
    };
    let tags = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    for (sentence, entries, expected) in [
        ("none is appended by default", vec![], "by cat"),
        (
            "an entry that names nothing matches every rule",
            vec![text_entry("pid=%proc.pid")],
            "by cat pid=42",
        ),
        (
            "all entries that match apply, in order, joined by one space",
            vec![text_entry("x  "), text_entry("y")],
            "by cat x y",
        ),
        (
            "by source",
            vec![only(|entry| entry.source = Some("syscall".to_owned()))],
            "by cat pid=42",
        ),
        (
            "by another source",
            vec![only(|entry| entry.source = Some("k8s_audit".to_owned()))],
            "by cat",
        ),
        (
            "by the exact name of the rule",
            vec![only(|entry| entry.rule = Some("r".to_owned()))],
            "by cat pid=42",
        ),
        (
            "no wildcard in the name of the rule",
            vec![only(|entry| entry.rule = Some("*".to_owned()))],
            "by cat",
        ),
        (
            "by tags that the rule has all",
            vec![AppendOutput {
                tags: tags(&["a", "b"]),
                ..text_entry("x")
            }],
            "by cat x",
        ),
        (
            "not by tags of which the rule has some",
            vec![AppendOutput {
                tags: tags(&["a", "c"]),
                ..text_entry("x")
            }],
            "by cat",
        ),
    ] {
        // White space at the end of the rule's own output is gone before anything is appended.
        let (message, _) = rendered("by %proc.name \n", &settings(entries));
        assert_eq!(message, expected, "{sentence}");
    }
}

#[test]
fn extra_fields_are_listed_and_not_printed() {
    let with = |fields: Vec<ExtraField>| {
        let entry = AppendOutput {
            extra_fields: fields,
            ..AppendOutput::default()
        };
        rendered("by %proc.name", &settings(vec![entry]))
    };
    let raw = |name: &str| ExtraField::Value(name.to_owned());
    let formatted = |key: &str, format: &str| ExtraField::Text {
        key: key.to_owned(),
        format: format.to_owned(),
    };
    for (sentence, fields, expected) in [
        (
            "a field by itself keeps its type and its name",
            vec![raw("proc.pid"), raw("container.id")],
            json!({"proc.name": "cat", "proc.pid": 42, "container.id": "host"}),
        ),
        (
            "a missing one is null",
            vec![raw("proc.exe")],
            json!({"proc.name": "cat", "proc.exe": null}),
        ),
        (
            "a key with a format is text",
            vec![
                formatted("who", "%proc.pid"),
                formatted("what", "a %toupper(proc.name)"),
            ],
            json!({"proc.name": "cat", "who": "42", "what": "a CAT"}),
        ),
        (
            "it replaces what the output lists under its name",
            vec![formatted("proc.name", "x")],
            json!({"proc.name": "x"}),
        ),
    ] {
        let (message, listed) = with(fields);
        assert_eq!(message, "by cat", "{sentence}");
        assert_eq!(listed, expected, "{sentence}");
    }
}

#[test]
fn a_program_extracts_what_is_appended() {
    let entry = AppendOutput {
        extra_output: Some("%proc.pid".to_owned()),
        extra_fields: vec![ExtraField::Value("proc.ppid".to_owned())],
        ..AppendOutput::default()
    };
    let report = load_with(&source(&with_output("x")), &settings(vec![entry]));
    let program = Program::compile(&report.rules, CompileOptions::default());
    let names: Vec<_> = program.fields().iter().map(|field| field.name).collect();
    assert!(
        names.contains(&"proc.pid") && names.contains(&"proc.ppid"),
        "{names:?}"
    );
}

#[test]
fn suggested_fields_are_appended_as_name_and_value() {
    let entry = AppendOutput {
        suggested_output: true,
        ..text_entry("and")
    };
    let (message, listed) = rendered("by %proc.name", &settings(vec![entry]));
    assert_eq!(
        message,
        "by cat and container_id=host container_image_repository=<NA> container_image_tag=<NA> \
         container_name=<NA> k8s_ns_name=<NA> k8s_pod_name=<NA> static_site=lab"
    );
    assert_eq!(
        listed,
        json!({
            "proc.name": "cat",
            "container.id": "host",
            "container.image.repository": null,
            "container.image.tag": null,
            "container.name": null,
            "k8s.ns.name": null,
            "k8s.pod.name": null,
            "static.site": "lab",
        })
    );
}

#[test]
fn byte_buffers_print_as_the_setting_says() {
    for (buffers_in_base64, expected) in [(false, "a.."), (true, "YQD/")] {
        let settings = OutputSettings {
            buffers_in_base64,
            ..OutputSettings::default()
        };
        let (message, listed) = rendered("%evt.buffer", &settings);
        assert_eq!(message, expected);
        assert_eq!(listed, json!({ "evt.buffer": expected }));
    }
}

#[test]
fn values_and_tokens() {
    for (sentence, output, message, listed) in [
        (
            "a static field is a constant, and missing if there is none of the name",
            "%static.site %static.other",
            "lab <NA>",
            json!({"static.site": "lab", "static.other": null}),
        ),
        (
            "a star in front is dropped: missing values print anyway",
            "*by %proc.exe",
            "by <NA>",
            json!({"proc.exe": null}),
        ),
        (
            "a missing element of a list literal is left out",
            "%join('-', (proc.name, proc.exe, 7))",
            "cat-7",
            json!({"proc.name": "cat", "proc.exe": null}),
        ),
        (
            "hexadecimal numbers are text in JSON",
            "%fd.dev",
            "FD",
            json!({"fd.dev": "FD"}),
        ),
        (
            "a width pads or cuts the text and leaves JSON alone",
            "%4proc.pid|%2proc.name|",
            "42  |ca|",
            json!({"proc.pid": 42, "proc.name": "cat"}),
        ),
    ] {
        let (found, fields) = rendered(output, &OutputSettings::default());
        assert_eq!(found, message, "{sentence}");
        assert_eq!(fields, listed, "{sentence}");
    }
}

#[test]
fn lists_and_buffers_print_no_longer_than_about_a_thousand_characters() {
    let long = |field: &FieldUse| match field.name {
        "evt.buffer" => Some(Value::Bytes(vec![b'x'; 5000].into())),
        "fd.types" => Some(Value::List(vec![text("0123456789"); 500])),
        "proc.cmdline" => Some(Value::Bytes(vec![b'y'; 5000].into())),
        _ => None,
    };
    let length = |output: &str| {
        let report = load_text(&with_output(output));
        let (message, _) = report.rules.rules().next().unwrap().output.render(&long);
        message.len()
    };
    assert_eq!(length("%evt.buffer"), 1024);
    assert!((1024..1100).contains(&length("%fd.types")));
    // A text is as long as the kernel side lets it be.
    assert_eq!(length("%proc.cmdline"), 5000);
}
