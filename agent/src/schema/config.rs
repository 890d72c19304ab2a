//! The configuration.

use serde_json::{Map, Value as Json, json};

use super::{described, document, reference, scalar, words};
use crate::config::{Key, KeyKind, keys};

/// The schema of the configuration file.
pub fn config() -> Json {
    let definitions = json!({
        "variable": {
            "type": "string",
            "pattern": "\\$\\{",
            "description": "a value with a variable of the environment: ${NAME}",
        },
    });
    let keys = keys();
    let mut content = section("", &keys);
    content["type"] = json!(["object", "null"]);
    document(
        "Peregrine configuration",
        "Configuration of peregrine run",
        definitions,
        content,
    )
}

/// The keys that start with this prefix, without those of deeper sections.
fn section(prefix: &str, keys: &[Key]) -> Json {
    let mut properties = Map::new();
    for key in keys {
        let Some(name) = key
            .path
            .strip_prefix(prefix)
            .filter(|name| !name.contains('.'))
        else {
            continue;
        };
        let schema = described(value(key, keys), key.help().unwrap_or_default());
        properties.insert(name.to_owned(), schema);
    }
    json!({ "properties": properties, "additionalProperties": false })
}

fn value(key: &Key, keys: &[Key]) -> Json {
    // A key without a value is as if it were not there.
    let or_nothing = |schemas: &[Json]| {
        let mut any = schemas.to_vec();
        any.push(reference("variable"));
        any.push(json!({ "type": "null" }));
        json!({ "anyOf": any })
    };
    match &key.kind {
        KeyKind::Section => {
            let mut schema = section(&format!("{}.", key.path), keys);
            schema["type"] = json!(["object", "null"]);
            schema
        }
        KeyKind::Switch { default } => {
            let spellings = ["true", "false", "yes", "no", "on", "off"];
            let mut schema =
                or_nothing(&[json!({ "type": "boolean" }), words(spellings.into_iter())]);
            schema["default"] = (*default).into();
            schema
        }
        KeyKind::Number {
            default,
            least,
            most,
        } => {
            let number = json!({ "type": "integer", "minimum": least, "maximum": most });
            let mut schema = or_nothing(&[
                number,
                json!({ "type": "string", "pattern": "^\\+?[0-9]+$" }),
            ]);
            schema["default"] = (*default).into();
            schema
        }
        KeyKind::Choice { words: all } => or_nothing(&[words(all.iter().map(String::as_str))]),
        KeyKind::Text => or_nothing(&[scalar()]),
        KeyKind::Texts => or_nothing(&[scalar(), json!({ "type": "array", "items": scalar() })]),
        KeyKind::Items => {
            let mut item = section(&format!("{}[].", key.path), keys);
            item["type"] = json!(["object", "null"]);
            json!({ "type": ["array", "null"], "items": item })
        }
        KeyKind::Formats => {
            let format = json!({
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": scalar(),
            });
            let item = json!({ "anyOf": [scalar(), format] });
            json!({ "type": ["array", "null"], "items": item })
        }
        KeyKind::TextMap => json!({
            "type": ["object", "null"],
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        }),
    }
}
