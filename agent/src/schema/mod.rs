//! JSON Schemas (draft 2020-12) of the files that people write, for their editors.
//!
//! They are made from the tables by which the files are read, so that they cannot say something else. A
//! schema accepts whatever the reader accepts without complaint about the file's structure; what only
//! the reader can know (that a condition compiles, that a macro exists) it does not check.

mod config;
mod rule_tests;
mod rules;
#[cfg(test)]
pub(crate) mod tests;

pub use config::config;
pub use rule_tests::rule_tests;
pub use rules::rules;

use serde_json::{Map, Value as Json, json};

/// A whole schema of what `content` describes.
fn document(title: &str, description: &str, definitions: Json, content: Json) -> Json {
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".to_owned(), title.into());
    schema.insert("description".to_owned(), description.into());
    if let Json::Object(content) = content {
        schema.extend(content);
    }
    schema.insert("$defs".to_owned(), definitions);
    Json::Object(schema)
}

fn reference(definition: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

/// The same with a description.
fn described(schema: Json, description: &str) -> Json {
    match schema {
        Json::Object(mut schema) => {
            schema.insert("description".to_owned(), description.into());
            Json::Object(schema)
        }
        other => other,
    }
}

/// One value: what YAML takes for a number or for true is a text too where a text is wanted.
fn scalar() -> Json {
    json!({ "type": ["string", "number", "boolean"] })
}

/// A scalar that is not empty.
fn name() -> Json {
    json!({ "type": ["string", "number", "boolean"], "minLength": 1 })
}

/// One of some words in any case; editors offer them as they are here.
fn words<'w>(words: impl Iterator<Item = &'w str> + Clone) -> Json {
    let patterns: Vec<String> = words.clone().map(any_case).collect();
    json!({ "anyOf": [
        { "enum": words.collect::<Vec<_>>() },
        { "type": "string", "pattern": format!("^({})$", patterns.join("|")) },
    ] })
}

/// A pattern that the word matches in any case.
fn any_case(word: &str) -> String {
    word.chars()
        .map(|character| {
            if character.is_ascii_alphabetic() {
                let (upper, lower) = (
                    character.to_ascii_uppercase(),
                    character.to_ascii_lowercase(),
                );
                format!("[{upper}{lower}]")
            } else {
                escaped(character)
            }
        })
        .collect()
}

/// A pattern that is exactly this text.
fn exactly(text: &str) -> String {
    text.chars().map(escaped).collect()
}

fn escaped(character: char) -> String {
    if "\\^$.|?*+()[]{}/".contains(character) {
        format!("\\{character}")
    } else {
        character.to_string()
    }
}
