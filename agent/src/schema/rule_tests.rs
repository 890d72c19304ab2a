//! Files of rule tests.

use serde_json::{Map, Value as Json, json};

use super::{described, document, exactly, name, reference, scalar};
use crate::fields::registry::{self, ArgumentRule, Comparison, FieldDef, FieldType};
use crate::rule_tests::{EXPECT_KEYS, FILE_KEYS, MATCHING, TEST_KEYS};
use crate::rules::event_names;

/// The schema of rule-test files.
pub fn rule_tests() -> Json {
    let mut content = object(FILE_KEYS, file_key);
    content["required"] = json!(["tests"]);
    let mut test = object(TEST_KEYS, test_key);
    test["required"] = json!(["name", "event", "expect"]);
    let mut expect = object(EXPECT_KEYS, expect_key);
    expect["anyOf"] = json!([
        { "required": ["fires"] },
        { "required": ["silent"] },
        { "required": ["exact"], "properties": { "exact": { "enum": [true, "true"] } } },
    ]);
    let definitions = json!({
        "test": test,
        "expect": expect,
        "event": event(),
        "names": { "anyOf": [name(), { "type": "array", "items": name() }] },
        "matching": { "enum": MATCHING.map(|(name, _)| name) },
        "text": { "anyOf": [scalar(), {
            "type": "object",
            "required": ["hex"],
            "properties": { "hex": {
                "anyOf": [
                    { "type": "number" },
                    { "type": "string", "pattern": "^([0-9a-fA-F]{2})*$" },
                ],
            } },
            "additionalProperties": false,
        }] },
        "integer": { "anyOf": [{ "type": "integer" }, { "type": "string", "pattern": "^[-+]?[0-9]+$" }] },
        "whole": { "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^\\+?[0-9]+$" },
        ] },
        "truth": { "enum": [true, false, "true", "false"] },
    });
    document(
        "Peregrine rule tests",
        "Unit tests of rules, run by peregrine rules test",
        definitions,
        content,
    )
}

fn object(keys: &[(&str, &str)], value: fn(&str) -> Option<Json>) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|(key, description)| {
            let schema = value(key).unwrap_or_else(|| json!({}));
            ((*key).to_owned(), described(schema, description))
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// What a key of the file holds.
pub(super) fn file_key(key: &str) -> Option<Json> {
    Some(match key {
        "rules" => reference("names"),
        "matching" => reference("matching"),
        "defaults" => reference("event"),
        "tests" => json!({ "type": "array", "minItems": 1, "items": reference("test") }),
        _ => return None,
    })
}

/// What a key of a test holds.
pub(super) fn test_key(key: &str) -> Option<Json> {
    Some(match key {
        "name" => json!({ "type": ["string", "number", "boolean"], "pattern": "\\S" }),
        "tags" => reference("names"),
        "matching" => reference("matching"),
        "event" => reference("event"),
        "variants" => json!({ "type": "array", "minItems": 1, "items": reference("event") }),
        "expect" => reference("expect"),
        _ => return None,
    })
}

/// What a key of `expect` holds.
pub(super) fn expect_key(key: &str) -> Option<Json> {
    Some(match key {
        "fires" | "silent" => reference("names"),
        "exact" => reference("truth"),
        "output" => scalar(),
        "output_fields" => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        }),
        _ => return None,
    })
}

/// A map of fields, each with a value of its type.
fn event() -> Json {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for field in registry::all() {
        if field.argument != ArgumentRule::Required {
            properties.insert(
                field.name.to_owned(),
                described(value(field, true), field.help),
            );
        }
        if field.argument != ArgumentRule::None {
            let pattern = format!("^{}(\\[.+\\]|\\..+)$", exactly(field.name));
            // The type of a raw parameter is its own.
            let schema = if field.name == "evt.rawarg" {
                json!({})
            } else {
                value(field, false)
            };
            patterns.insert(pattern, described(schema, field.help));
        }
    }
    properties.insert(
        "evt.type".to_owned(),
        json!({
            "description": "name of the event, mostly of the syscall",
            "enum": event_names::all(),
        }),
    );
    json!({
        "type": ["object", "null"],
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    })
}

/// What an event may say of a field, with or without an argument.
fn value(field: &FieldDef, bare: bool) -> Json {
    let one = match field.field_type {
        FieldType::Text | FieldType::Buffer => reference("text"),
        FieldType::Int => reference("integer"),
        FieldType::Uint | FieldType::RelTime | FieldType::AbsTime => reference("whole"),
        FieldType::Double => json!({ "type": ["number", "string"] }),
        FieldType::Bool => reference("truth"),
        // A port may be the name of a service.
        FieldType::Port => json!({ "type": ["integer", "string"], "minimum": 0, "maximum": 65535 }),
        FieldType::Ip | FieldType::Net => json!({ "type": "string" }),
    };
    let list = json!({ "type": "array", "items": one });
    let nothing = json!({ "type": "null" });
    let any = match field.comparison {
        _ if field.list => vec![list, nothing],
        Comparison::AnyAncestor if bare => vec![list, nothing],
        Comparison::EitherEnd => vec![one, list, nothing],
        _ if field.name == "proc.args" && bare => vec![one, list, nothing],
        Comparison::AnyAncestor | Comparison::Normal => vec![one, nothing],
    };
    json!({ "anyOf": any })
}
