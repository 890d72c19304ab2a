//! Rule files.

use serde_json::{Map, Value as Json, json};

use super::{described, document, exactly, name, reference, scalar, words};
use crate::rules::keys::{
    APPENDABLE, LIST_CHANGEABLE, LIST_KEYS, MACRO_CHANGEABLE, MACRO_KEYS, REPLACEABLE, RULE_KEYS,
};
use crate::rules::{Modifier, Operator, Priority};

/// The schema of rule files.
pub fn rules() -> Json {
    let items = ["rule", "macro", "list", "engine_version", "plugin_versions"].map(reference);
    let content = json!({ "type": ["array", "null"], "items": { "anyOf": items } });
    let definitions = json!({
        "rule": rule(),
        "macro": macro_item(),
        "list": list(),
        "engine_version": engine_version(),
        "plugin_versions": plugin_versions(),
        "flag": flag(),
        "text": text(),
        "texts": { "type": ["array", "null"], "items": scalar() },
        "exception": exception(),
        "operator": operator(),
    });
    document(
        "Peregrine rules",
        "Rules in Falco's language: rules, macros and lists",
        definitions,
        content,
    )
}

/// A text that is not blank.
fn text() -> Json {
    json!({ "type": ["string", "number", "boolean"], "pattern": "\\S" })
}

fn flag() -> Json {
    let spellings = ["true", "false", "yes", "no", "on", "off", "y", "n"];
    json!({ "anyOf": [{ "type": "boolean" }, words(spellings.into_iter())] })
}

fn priority() -> Json {
    let names = Priority::ALL.iter().map(|priority| priority.name());
    let last = Priority::ALL.len() - 1;
    let number = json!({ "type": "integer", "minimum": 0, "maximum": last });
    let digit = json!({ "type": "string", "pattern": format!("^\\+?0*[0-{last}]$") });
    json!({ "anyOf": [words(names.chain(["INFO"])), number, digit] })
}

/// The map that says which keys are appended to and which replaced.
fn overrides(appendable: &[&str], replaceable: &[&str]) -> Json {
    let mut properties = Map::new();
    for key in appendable.iter().chain(replaceable) {
        let ways: Vec<&str> = [("append", appendable), ("replace", replaceable)]
            .into_iter()
            .filter(|(_, keys)| keys.contains(key))
            .map(|(way, _)| way)
            .collect();
        properties.insert((*key).to_owned(), json!({ "enum": ways }));
    }
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
    })
}

/// An item with these keys; `value` gives the schema and the description of each.
fn item(kind: &str, keys: &[&str], value: impl Fn(&str) -> Option<(Json, &'static str)>) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|key| {
            let schema = value(key).map(|(schema, description)| described(schema, description));
            ((*key).to_owned(), schema.unwrap_or(Json::Bool(true)))
        })
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": [kind],
        "additionalProperties": false,
    })
}

fn rule() -> Json {
    let mut schema = item("rule", RULE_KEYS, rule_key);
    let needed = ["condition", "output", "desc", "priority"];
    let has = |key: &&str| json!({ "required": [key] });
    let any_needed: Vec<Json> = needed.iter().map(has).collect();
    let true_flag = json!({ "anyOf": [
        { "const": true },
        words(["true", "yes", "on", "y"].into_iter()),
    ] });
    schema["anyOf"] = json!([
        // A new rule, whose exceptions cannot be additions to others.
        {
            "required": needed,
            "properties": { "exceptions": { "items": { "required": ["fields"] } } },
        },
        // A change of one.
        { "required": ["override"] },
        {
            "required": ["append"],
            "properties": { "append": true_flag },
            "anyOf": [{ "required": ["condition"] }, { "required": ["exceptions"] }],
        },
        // The switch of one.
        { "required": ["enabled"], "not": { "anyOf": any_needed } },
    ]);
    schema
}

/// What a key of a rule holds, and what it is for.
pub(super) fn rule_key(key: &str) -> Option<(Json, &'static str)> {
    Some(match key {
        "rule" => (
            name(),
            "The rule's name, which is also how others change it",
        ),
        "desc" => (scalar(), "What the rule is about, and what to do"),
        "condition" => (reference("text"), "Which events match"),
        "output" => (
            scalar(),
            "What the alert says: text with fields such as %proc.name",
        ),
        "priority" => (priority(), "How much a match matters"),
        "source" => (scalar(), "The source of the events: syscall"),
        "enabled" => (reference("flag"), "Whether the rule takes part"),
        "tags" => (
            reference("texts"),
            "Labels, for choosing rules and for readers",
        ),
        "exceptions" => (
            json!({ "type": ["array", "null"], "items": reference("exception") }),
            "What the rule is not to match, in a form that others can add to",
        ),
        "warn_evttypes" => (
            reference("flag"),
            "Whether to warn if the rule looks at nearly every type of event",
        ),
        "skip-if-unknown-filter" => (
            reference("flag"),
            "Whether to leave the rule out, rather than fail, if it names a field that is not known",
        ),
        "capture" => (reference("flag"), "Whether a match asks for a recording"),
        "capture_duration" => (
            json!({ "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^\\+?[0-9]+$" },
            ] }),
            "How long that recording is, in milliseconds",
        ),
        "append" => (
            reference("flag"),
            "Deprecated: add to a rule that is there; write 'override'",
        ),
        "override" => (
            overrides(APPENDABLE, REPLACEABLE),
            "Changes a rule that is there: which of the keys are appended to it, and which replace its own",
        ),
        _ => return None,
    })
}

fn macro_item() -> Json {
    let mut schema = item("macro", MACRO_KEYS, macro_key);
    schema["required"] = json!(["macro", "condition"]);
    schema
}

/// What a key of a macro holds, and what it is for.
pub(super) fn macro_key(key: &str) -> Option<(Json, &'static str)> {
    Some(match key {
        "macro" => (name(), "The macro's name, which conditions use"),
        "condition" => (reference("text"), "What the name stands for"),
        "append" => (
            reference("flag"),
            "Deprecated: add to a macro that is there; write 'override'",
        ),
        "override" => (
            overrides(MACRO_CHANGEABLE, MACRO_CHANGEABLE),
            "Changes a macro that is there",
        ),
        _ => return None,
    })
}

fn list() -> Json {
    let mut schema = item("list", LIST_KEYS, list_key);
    schema["required"] = json!(["list", "items"]);
    schema
}

/// What a key of a list holds, and what it is for.
pub(super) fn list_key(key: &str) -> Option<(Json, &'static str)> {
    Some(match key {
        "list" => (
            name(),
            "The list's name, which stands for its items in conditions",
        ),
        "items" => (
            reference("texts"),
            "The items, which may be names of other lists",
        ),
        "append" => (
            reference("flag"),
            "Deprecated: add to a list that is there; write 'override'",
        ),
        "override" => (
            overrides(LIST_CHANGEABLE, LIST_CHANGEABLE),
            "Changes a list that is there",
        ),
        _ => return None,
    })
}

fn engine_version() -> Json {
    json!({
        "type": "object",
        "required": ["required_engine_version"],
        "properties": { "required_engine_version": {
            "description": "The version of the rule engine that the file needs",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^\\+?[0-9]+(\\.\\+?[0-9]+\\.\\+?[0-9]+([-+].*)?)?$" },
            ],
        } },
        "additionalProperties": false,
    })
}

fn plugin_versions() -> Json {
    let plugin = json!({
        "type": "object",
        "required": ["name", "version"],
        "properties": {
            "name": scalar(),
            "version": { "type": "string", "pattern": "^\\+?[0-9]+\\.\\+?[0-9]+\\.\\+?[0-9]+([-+].*)?$" },
            "alternatives": { "type": "array", "items": {
                "type": "object",
                "required": ["name", "version"],
            } },
        },
    });
    json!({
        "type": "object",
        "required": ["required_plugin_versions"],
        "properties": { "required_plugin_versions": {
            "description": "The plugins that the file needs; 'container' is built in",
            "type": "array",
            "items": plugin,
        } },
        "additionalProperties": false,
    })
}

fn operator() -> Json {
    let spellings = Operator::ALL.iter().map(|(spelling, _)| exactly(spelling));
    let modifiers = Modifier::ALL.iter().map(|(spelling, _)| *spelling);
    let pattern = format!(
        "^\\s*({})(\\s+({}))?\\s*$",
        spellings.collect::<Vec<_>>().join("|"),
        modifiers.collect::<Vec<_>>().join("|")
    );
    let known: Vec<&str> = Operator::ALL
        .iter()
        .map(|(spelling, _)| *spelling)
        .collect();
    json!({ "anyOf": [{ "enum": known }, { "type": "string", "pattern": pattern }] })
}

fn exception() -> Json {
    let tuple = json!({ "type": "array", "items": {
        "anyOf": [scalar(), { "type": "array", "items": scalar() }],
    } });
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": described(scalar(), "The exception's name, by which others add to it"),
            "fields": {
                "description": "The field, or the fields, that are compared",
                "anyOf": [scalar(), { "type": "array", "items": scalar() }],
            },
            "comps": {
                "description": "The operator, or one for each field; '=' if there are none, 'in' for one field",
                "anyOf": [reference("operator"), { "type": "array", "items": reference("operator") }],
            },
            "values": {
                "description": "The values; for several fields, lists of one for each",
                "type": ["array", "null"],
                "items": { "anyOf": [scalar(), tuple] },
            },
        },
    })
}
