//! Output formats: `%proc.name (%proc.pid) opened %fd.name`, parsed once, rendered for each alert.

mod parse;
mod render;

use serde_json::Map;

use super::append_output::ExtraField;
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
    listed: Vec<(String, Listed)>,
    container_info: bool,
    buffers: Buffers,
}

/// What an alert lists under a name.
#[derive(Clone, Debug)]
enum Listed {
    /// A field's value, of its own type.
    Value(Field),
    /// A text put together.
    Text(Vec<Piece>),
}

/// How byte buffers print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Buffers {
    /// As text, a dot for each byte that is none.
    #[default]
    Dotted,
    Base64,
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
        let message = render::pieces(&self.pieces, self.buffers, values);
        let value = |listed: &Listed| match listed {
            Listed::Value(field) => render::json(field, self.buffers, values),
            Listed::Text(pieces) => render::pieces(pieces, self.buffers, values).into(),
        };
        let listed = self
            .listed
            .iter()
            .map(|(name, listed)| (name.clone(), value(listed)))
            .collect();
        (message, listed)
    }

    /// Lists one more field; it replaces one of the same name.
    pub(super) fn add_field(&mut self, extra: &ExtraField) -> Result<(), OutputError> {
        let listed = match extra {
            ExtraField::Value(name) => {
                let more = Self::parse(&format!("%{name}"))?;
                let [(_, Listed::Value(field))] = more.listed.as_slice() else {
                    return Err(not_a_field(name));
                };
                let [
                    Piece::Token {
                        width: None,
                        expression: Expression::Field(_),
                    },
                ] = more.pieces.as_slice()
                else {
                    return Err(not_a_field(name));
                };
                let field = field.clone();
                self.read_fields_of(more);
                Listed::Value(field)
            }
            ExtraField::Text { format, .. } => {
                let more = Self::parse(format)?;
                let pieces = more.pieces.clone();
                self.read_fields_of(more);
                Listed::Text(pieces)
            }
        };
        self.listed.retain(|(name, _)| name != extra.key());
        self.listed.push((extra.key().to_owned(), listed));
        Ok(())
    }

    fn read_fields_of(&mut self, other: Self) {
        for field in other.fields {
            if !self.fields.contains(&field) {
                self.fields.push(field);
            }
        }
    }

    /// Byte buffers print in base64 from now on.
    pub(super) fn print_buffers_in_base64(&mut self) {
        self.buffers = Buffers::Base64;
    }
}

fn not_a_field(name: &str) -> OutputError {
    OutputError {
        message: format!("'{name}' is no field alone: for a text with fields write KEY: TEXT"),
        offset: 0,
    }
}

#[cfg(test)]
mod tests;
