//! Output formats: `%proc.name (%proc.pid) opened %fd.name`, parsed once, rendered for each alert.

mod parse;
mod render;

use serde_json::Map;

use super::transformer::Transformer;
use crate::fields::registry::{FieldDef, FieldType};
use crate::fields::{FieldUse, Value};

/// An output format, with every field known to exist.
#[derive(Clone, Debug)]
pub struct OutputFormat {
    pieces: Vec<Piece>,
    /// Every field that the format reads, once each.
    fields: Vec<FieldUse>,
    /// The fields that an alert lists beside its message: as written, and which.
    listed: Vec<(String, Field)>,
    container_info: bool,
}

/// The text is no output format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset} of the output)")]
pub struct OutputError {
    /// What is wrong and what to do.
    pub message: String,
    /// Where in the text, in bytes from its start.
    pub offset: usize,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Token {
        /// Exactly so many characters, if the format says.
        width: Option<usize>,
        expression: Expression,
    },
}

/// A field with its definition, which decides how its value prints.
#[derive(Clone, Debug)]
struct Field {
    field_use: FieldUse,
    definition: &'static FieldDef,
}

#[derive(Clone, Debug)]
enum Expression {
    Field(Field),
    Text(String),
    Number(i64),
    List(Vec<Expression>),
    Call {
        transformer: Transformer,
        /// The type of the first argument.
        input: FieldType,
        arguments: Vec<Expression>,
        /// The letter in brackets after `getopt(..)`.
        option: Option<String>,
    },
}

impl OutputFormat {
    /// Parses a format. White space at its end and a `*` in front, which in Falco says that
    /// missing values print `<NA>` (here they always do), are dropped.
    pub fn parse(text: &str) -> Result<Self, OutputError> {
        parse::parse(text)
    }

    /// Every field whose value [`Self::render`] will ask for, each once.
    pub fn fields(&self) -> impl Iterator<Item = &FieldUse> {
        self.fields.iter()
    }

    /// Whether the text has `%container.info`. Falco dropped that field; it prints nothing, and
    /// the user should hear so.
    pub fn uses_container_info(&self) -> bool {
        self.container_info
    }

    /// The message, and the value of each field by its name as written; `values` gives the
    /// event's values. A transformed field is
    /// listed untransformed. The message may have any character in it that the values have: the
    /// sink escapes it.
    pub fn render<'v>(
        &self,
        values: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
    ) -> (String, Map<String, serde_json::Value>) {
        let mut message = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => message.push_str(text),
                Piece::Token { width, expression } => {
                    let text = render::text(expression, values);
                    match width {
                        Some(width) => message.push_str(&render::fit(&text, *width)),
                        None => message.push_str(&text),
                    }
                }
            }
        }
        let listed = self
            .listed
            .iter()
            .map(|(name, field)| (name.clone(), render::json(field, values)))
            .collect();
        (message, listed)
    }
}

#[cfg(test)]
mod tests;
