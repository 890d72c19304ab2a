//! The value of every field, on events that were put together for it.
//!
//! A field that is registered and in none of these tables, nor in the list of those that are tested
//! elsewhere or not at all, fails [`every_field_has_a_test_of_its_value`].

mod descriptor_values;
mod event_values;
mod parameter_kinds;
mod process_values;
mod scene;
mod untested;

use std::collections::{BTreeMap, BTreeSet};

use self::scene::{NONE, NOW, SECOND, Scene};
use self::untested::{Elsewhere, UNTESTED};
use super::registry::{self, ArgumentRule, FieldType};
use super::{FieldArgument, FieldUse, View, extractor};
use crate::event::{Call, CallPath, Event, Payload, Text};
use crate::rules::EventClass;
use crate::rules::knowledge::Known;

/// What a field has to say of an event.
struct Case {
    event: Event<'static>,
    /// With its argument, as a rule writes it.
    field: &'static str,
    expected: String,
}

impl Case {
    fn new(event: Event<'static>, field: &'static str, expected: &str) -> Self {
        Self {
            event,
            field,
            expected: expected.to_owned(),
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = process_values::cases();
    cases.extend(event_values::cases());
    cases.extend(descriptor_values::cases());
    cases.extend(local_times());
    cases
}

/// The time of day, which depends on where the machine is: as the C library has it.
fn local_times() -> Vec<Case> {
    let seconds = i64::try_from((scene::BOOT + NOW) / SECOND).unwrap();
    // SAFETY: all zeros is a `tm`, which the call fills in.
    let local = unsafe {
        let mut local = std::mem::zeroed();
        assert!(!libc::localtime_r(&raw const seconds, &raw mut local).is_null());
        local
    };
    let date = format!(
        "{:04}-{:02}-{:02}",
        local.tm_year + 1900,
        local.tm_mon + 1,
        local.tm_mday
    );
    let time = format!(
        "{:02}:{:02}:{:02}",
        local.tm_hour, local.tm_min, local.tm_sec
    );
    [
        ("evt.time", format!("{time}.000000123")),
        ("evt.time.s", time.clone()),
        ("evt.datetime", format!("{date} {time}.000000123")),
        ("evt.datetime.s", format!("{date} {time}")),
        ("evt.outputtime", format!("{time}.000000123")),
    ]
    .map(|(field, expected)| Case::new(scene::Actor::Program.started(), field, &expected))
    .into()
}

#[test]
fn every_field_has_its_value() {
    let scene = Scene::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let found = scene.field(&case.event, case.field, View::Passed);
        if found != case.expected {
            let event = case.event.event_type.name();
            wrong.push(format!(
                "{event}: {} is {found:?}, not {:?}",
                case.field, case.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_kernels_view_has_the_file_behind_the_link() {
    let scene = Scene::new();
    for (field, expected) in [
        ("fd.name", "/etc/secret"),
        ("fd.directory", "/etc"),
        ("fd.filename", "secret"),
        ("fd.nameraw", "link"),
        ("fd.resolved_name", "/etc/secret"),
        ("fs.path.name", "/etc/secret"),
        ("evt.arg.name", "/etc/secret"),
        ("fd.containername", "host:/etc/secret"),
    ] {
        let found = scene.field(&descriptor_values::opened(), field, View::Kernel);
        assert_eq!(found, expected, "{field}");
    }
}

#[test]
fn the_kernels_view_has_what_a_call_really_used() {
    let scene = Scene::new();
    let of = |name: &str, result: i64, paths| {
        let call = Call {
            paths,
            ..Call::default()
        };
        scene::call(name, result, &call)
    };
    let link = Some(scene::resolved(b"link/x", "/etc/x"));
    let unreadable = Some(CallPath {
        path: Text {
            bytes: b"",
            truncated: true,
        },
        ..scene::resolved(b"", "/etc/x")
    });
    let plain = Some(scene::relative(b"y"));
    for (event, field, passed, kernel) in [
        (
            of("unlink", 0, [link, None]),
            "fs.path.name",
            "/home/u/link/x",
            "/etc/x",
        ),
        (
            of("unlink", 0, [link, None]),
            "fs.path.nameraw",
            "link/x",
            "link/x",
        ),
        (
            of("unlink", 0, [link, None]),
            "evt.arg.path",
            "/home/u/link/x",
            "/etc/x",
        ),
        (
            of("unlink", 0, [link, None]),
            "fs.path.resolved_name",
            "/etc/x",
            "/etc/x",
        ),
        (of("unlink", -1, [link, None]), "fs.path.name", NONE, NONE),
        (
            of("unlink", -1, [link, None]),
            "evt.arg.path",
            "/home/u/link/x",
            "/etc/x",
        ),
        (
            of("unlink", -1, [link, None]),
            "fs.path.resolved_name",
            "/etc/x",
            "/etc/x",
        ),
        (
            of("unlink", 0, [plain, None]),
            "fs.path.resolved_name",
            NONE,
            NONE,
        ),
        (
            of("unlink", 0, [plain, None]),
            "fs.path.name",
            "/home/u/y",
            "/home/u/y",
        ),
        // Its memory was gone when the call ended.
        (
            of("chmod", 0, [unreadable, None]),
            "fs.path.name",
            "/etc/x",
            "/etc/x",
        ),
        (
            of("rename", 0, [plain, link]),
            "fs.path.source",
            "/home/u/y",
            "/home/u/y",
        ),
        (
            of("rename", 0, [plain, link]),
            "fs.path.target",
            "/home/u/link/x",
            "/etc/x",
        ),
        (
            of("rename", 0, [plain, link]),
            "fs.path.resolved_source",
            NONE,
            NONE,
        ),
        (
            of("rename", 0, [plain, link]),
            "fs.path.resolved_target",
            "/etc/x",
            "/etc/x",
        ),
        // Of a link the new name is the source.
        (
            of("link", 0, [plain, link]),
            "fs.path.resolved_source",
            "/etc/x",
            "/etc/x",
        ),
        (
            of("link", 0, [plain, link]),
            "fs.path.resolved_target",
            NONE,
            NONE,
        ),
        (
            of("mount", 0, [link, None]),
            "fs.path.resolved_target",
            "/etc/x",
            "/etc/x",
        ),
    ] {
        for (view, expected) in [(View::Passed, passed), (View::Kernel, kernel)] {
            let found = scene.field(&event, field, view);
            let name = event.event_type.name();
            assert_eq!(found, expected, "{name} {field} {view:?}");
        }
    }
}

#[test]
fn an_alert_shows_what_was_used_only_where_it_differs() {
    let scene = Scene::new();
    let paths = [
        Some(scene::resolved(b"y", "/home/u/y")),
        Some(scene::resolved(b"link/x", "/etc/x")),
    ];
    let call = Call {
        paths,
        ..Call::default()
    };
    for (name, expected) in [
        (
            "rename",
            &[("fs.path.resolved_target", "resolved_target", "/etc/x")][..],
        ),
        (
            "link",
            &[("fs.path.resolved_source", "resolved_source", "/etc/x")],
        ),
        ("unlink", &[]),
    ] {
        let found = scene.resolved(&scene::call(name, 0, &call));
        let found: Vec<_> = found
            .iter()
            .map(|name| (name.field, name.label, name.path.as_str()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// What is known of the event before its fields are asked for: by that, rules are filed, and events
/// not recorded.
fn class_of(event: &Event<'_>) -> EventClass {
    match (event.origin.result, &event.payload) {
        (None, _) => EventClass::Unknown,
        (Some(..0), _) => EventClass::Failed,
        (Some(_), Payload::Open(open)) if open.can_write() => EventClass::OpenedForWriting,
        (Some(_), Payload::Open(_)) => EventClass::OpenedForReading,
        (Some(_), _) => EventClass::Succeeded,
    }
}

#[test]
fn what_is_known_beforehand_is_what_the_fields_say() {
    let scene = Scene::new();
    let parameter = FieldUse {
        name: "evt.arg",
        argument: FieldArgument::Key("res".to_owned()),
    };
    let plain = registry::all()
        .iter()
        .filter(|field| field.argument != ArgumentRule::Required)
        .map(|field| FieldUse {
            name: field.name,
            argument: FieldArgument::None,
        });
    let fields: Vec<FieldUse> = plain.chain([parameter]).collect();
    let mut judged = 0;
    let mut events: Vec<Event<'static>> = cases().into_iter().map(|case| case.event).collect();
    events.dedup_by_key(|event| (event.event_type, event.origin.result));
    for event in &events {
        let knowledge = class_of(event).knowledge(event.event_type);
        for field in &fields {
            let written = match &field.argument {
                FieldArgument::Key(name) => format!("{}.{name}", field.name),
                _ => field.name.to_owned(),
            };
            for view in [View::Passed, View::Kernel] {
                let found = scene.value(event, &written, view);
                let agrees = match knowledge(field) {
                    Known::Unknown => continue,
                    Known::Missing => found == NONE,
                    Known::Value(value) => found == scene::shown(&value),
                    Known::Between(least, most) => found
                        .parse()
                        .is_ok_and(|number| (least..=most).contains(&number)),
                    Known::ErrorName => found.starts_with(['E', '-']),
                };
                assert!(
                    agrees,
                    "{:?} {:?}: {written} is {found:?}, known is {:?}",
                    event.event_type,
                    event.origin.result,
                    knowledge(field)
                );
                judged += 1;
            }
        }
    }
    assert!(judged > 500, "{judged}");
}

/// What a value is that nobody computed.
fn is_default(value: &str) -> bool {
    matches!(value, NONE | "" | "0" | "false")
}

/// Fields that always have the same value.
const CONSTANT: [&str; 6] = [
    "evt.is_async",
    "evt.latency",
    "evt.latency.ns",
    "evt.latency.quantized",
    "evt.latency.s",
    "evt.wait_latency",
];

#[test]
fn every_field_has_a_test_of_its_value() {
    // A test counts if it expects something that does not come about by itself.
    let mut tested: BTreeSet<&str> = CONSTANT.into();
    for case in cases() {
        let (field, _) = registry::parse_field(case.field).unwrap();
        if !is_default(&case.expected) {
            tested.insert(field.name);
        }
    }
    let untested: BTreeMap<&str, &Elsewhere> =
        UNTESTED.iter().map(|(name, why)| (*name, why)).collect();
    assert_eq!(untested.len(), UNTESTED.len(), "a field is listed twice");
    for field in registry::all() {
        if matches!(field.class, "container" | "k8s") {
            continue;
        }
        match (tested.contains(field.name), untested.get(field.name)) {
            (true, None) => {}
            (false, Some(Elsewhere::Test(file))) => {
                let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("..")
                    .join(file);
                let content = std::fs::read_to_string(&path)
                    .unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
                assert!(
                    content.contains(field.name),
                    "{file} is said to test {}, and does not name it",
                    field.name
                );
            }
            (false, Some(Elsewhere::NoValue(reason))) => assert!(
                extractor(field.name).is_none(),
                "{} has a value now, though {reason}: it needs a test of it",
                field.name
            ),
            (true, Some(_)) => panic!("{} is tested: take it off the list", field.name),
            (false, None) => panic!(
                "{} has no test of its value: add a case that expects one, or list it in \
                 untested.rs with the reason",
                field.name
            ),
        }
    }
    for (name, _) in UNTESTED {
        assert!(registry::find(name).is_some(), "there is no field {name}");
    }
}

#[test]
fn every_type_of_value_is_among_the_cases() {
    let types: Vec<FieldType> = cases()
        .iter()
        .map(|case| registry::parse_field(case.field).unwrap().1.field_type)
        .collect();
    for field in registry::all() {
        // The usage of a CPU, of which there are no events.
        if field.field_type != FieldType::Double {
            assert!(
                types.contains(&field.field_type),
                "{:?}: {}",
                field.field_type,
                field.name
            );
        }
    }
}
