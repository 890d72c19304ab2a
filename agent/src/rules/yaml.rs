//! YAML of rule files as a tree that remembers where everything stands.

use saphyr::{MarkedYaml, Marker, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::Parser;

use super::report::Position;

/// A value and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) position: Position,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    /// A scalar's text, and whether it was quoted or a block.
    Scalar(String, bool),
    List(Vec<Node>),
    /// Keys in their order.
    Map(Vec<(String, Position, Node)>),
}

impl Node {
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(name, _, _)| name == key)
                .map(|(_, _, node)| node),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(..) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// All documents of a text; or what is wrong with it, and where.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, (String, Position)> {
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    // Scalars stay text: what type they are is up to the key they belong to.
    loader.early_parse(false);
    let describe =
        |error: &saphyr::ScanError| (format!("{}", error.info()), position(*error.marker()));
    Parser::new_from_str(text)
        .load(&mut loader, true)
        .map_err(|error| describe(&error))?;
    if let Some(error) = loader.error() {
        return Err(describe(error));
    }
    loader.into_documents().iter().map(convert).collect()
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

fn convert(node: &MarkedYaml<'_>) -> Result<Node, (String, Position)> {
    let position = position(node.span.start);
    let value = match &node.data {
        YamlData::Representation(text, style, _) => {
            let plain = *style == ScalarStyle::Plain;
            if plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL") {
                Value::Null
            } else {
                Value::Scalar(text.to_string(), !plain)
            }
        }
        YamlData::Sequence(items) => {
            Value::List(items.iter().map(convert).collect::<Result<_, _>>()?)
        }
        YamlData::Mapping(entries) => {
            let mut map: Vec<(String, Position, Node)> = Vec::new();
            for (key, value) in entries {
                let key = convert(key)?;
                let name = key
                    .scalar()
                    .ok_or_else(|| ("a key has to be text".to_owned(), key.position))?;
                map.push((name.to_owned(), key.position, convert(value)?));
            }
            Value::Map(map)
        }
        YamlData::Tagged(_, inner) => return convert(inner),
        YamlData::Value(scalar) => Value::Scalar(format!("{scalar:?}"), false),
        YamlData::Alias(_) | YamlData::BadValue => {
            return Err(("this value cannot be read".to_owned(), position));
        }
    };
    Ok(Node { value, position })
}
