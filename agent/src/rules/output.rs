//! A rule's output: text with fields in it.

use serde_json::{Map, Number, Value as Json};
use thiserror::Error;

use super::operand::{self, CompiledOperand, OperandError};
use super::parser::operand_at_start;
use crate::fields::registry::{self, PrintFormat};
use crate::fields::{FieldArgument, FieldUse, Value};

/// What stands for a value that is missing.
const MISSING: &str = "<NA>";

/// Why a text is no output format.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct OutputError {
    /// What was expected.
    pub message: String,
    /// Bytes from the start of the output.
    pub offset: usize,
}

/// A parsed output format.
#[derive(Clone, Debug)]
pub struct OutputFormat {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Token(Token),
}

#[derive(Clone, Debug)]
struct Token {
    operand: CompiledOperand,
    /// Pad with blanks or cut to so many characters.
    width: Option<usize>,
}

impl OutputFormat {
    /// Parses a format. `%field`, `%field[arg]`, `%transformer(field)`, each perhaps with a width
    /// before it; there is no way to write a percent sign.
    pub fn parse(text: &str) -> Result<Self, OutputError> {
        let text = text.trim_end();
        let text = text.strip_prefix('*').unwrap_or(text);
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(percent) = rest.find('%') {
            if percent > 0 {
                parts.push(Part::Text(rest[..percent].to_owned()));
            }
            let offset = text.len() - rest.len() + percent;
            let after = &rest[percent + 1..];
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let width = after[..digits].parse().ok();
            let start = &after[digits..];
            let error = |message: String| OutputError { message, offset };
            let Some((parsed, mut length)) = operand_at_start(start) else {
                return Err(error(
                    "expected a field after '%'; there is no way to write a percent sign itself"
                        .to_owned(),
                ));
            };
            let compiled = match operand::compile(&parsed) {
                Ok(compiled) => compiled,
                // `%proc.name.` at the end of a sentence: the longest part that is a field.
                Err(problem) => {
                    let (shorter, used) = longest_field(&start[..length])
                        .ok_or_else(|| error(problem.message.clone()))?;
                    length = used;
                    shorter
                }
            };
            if let Some(definition) = compiled.fields().find_map(|field| {
                registry::find(field.name).filter(|definition| definition.filter_only)
            }) {
                return Err(error(format!(
                    "'{}' can only be used in conditions",
                    definition.name
                )));
            }
            parts.push(Part::Token(Token {
                operand: compiled,
                width,
            }));
            rest = &start[length..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// Every field in it, in order; some perhaps twice.
    pub fn fields(&self) -> impl Iterator<Item = &FieldUse> {
        self.tokens().flat_map(|token| token.operand.fields())
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.parts.iter().filter_map(|part| match part {
            Part::Token(token) => Some(token),
            Part::Text(_) => None,
        })
    }

    /// The text with its fields filled in, and the plain fields in their JSON types.
    pub fn render<'v>(
        &self,
        value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
    ) -> (String, Map<String, Json>) {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Token(token) => {
                    let field = token.operand.fields().next();
                    let shown = token
                        .operand
                        .value(value)
                        .map_or_else(|| MISSING.to_owned(), |value| as_text(field, &value));
                    match token.width {
                        Some(width) => {
                            let length = shown.chars().count();
                            text.extend(shown.chars().take(width));
                            text.extend(std::iter::repeat_n(' ', width.saturating_sub(length)));
                        }
                        None => text.push_str(&shown),
                    }
                }
            }
        }
        let mut fields = Map::new();
        for field in self.fields() {
            let json = if is_time_text(field.name) {
                let raw = FieldUse {
                    name: "evt.rawtime",
                    argument: FieldArgument::None,
                };
                value(&raw).map_or(Json::Null, |value| as_json(&raw, &value))
            } else {
                value(field).map_or(Json::Null, |value| as_json(field, &value))
            };
            fields.insert(field_text(field), json);
        }
        (text, fields)
    }
}

/// The longest start of `text` that is a field.
fn longest_field(text: &str) -> Option<(CompiledOperand, usize)> {
    let mut end = text.len();
    while let Some(dot) = text[..end].rfind('.') {
        if let Some((parsed, length)) = operand_at_start(&text[..dot])
            && let Ok(compiled) = operand::compile(&parsed)
        {
            return Some((compiled, length));
        }
        end = dot;
    }
    None
}

/// A field as it is written: the key in `output_fields`.
pub fn field_text(field: &FieldUse) -> String {
    match &field.argument {
        FieldArgument::None => field.name.to_owned(),
        FieldArgument::Index(index) => format!("{}[{index}]", field.name),
        FieldArgument::Key(key) if matches!(field.name, "evt.arg" | "evt.rawarg") => {
            format!("{}.{key}", field.name)
        }
        FieldArgument::Key(key) => format!("{}[{key}]", field.name),
    }
}

/// Fields that print a time as text; in JSON they are ns since the epoch.
fn is_time_text(name: &str) -> bool {
    matches!(
        name,
        "evt.time" | "evt.time.s" | "evt.time.iso8601" | "evt.datetime" | "evt.datetime.s"
    )
}

fn format_of(field: Option<&FieldUse>) -> PrintFormat {
    field
        .and_then(|field| registry::find(field.name))
        .map_or(PrintFormat::Decimal, |definition| definition.print)
}

fn as_text(field: Option<&FieldUse>, value: &Value<'_>) -> String {
    match (value, format_of(field)) {
        (Value::Bytes(bytes), _) => String::from_utf8_lossy(bytes).into_owned(),
        (Value::Int(number), PrintFormat::Hex) => format!("{number:X}"),
        (Value::Uint(number), PrintFormat::Hex) => format!("{number:X}"),
        (Value::Int(number), PrintFormat::Octal) => format!("{number:o}"),
        (Value::Uint(number), PrintFormat::Octal) => format!("{number:o}"),
        (Value::Int(number), PrintFormat::PaddedDecimal10) => format!("{number:09}"),
        (Value::Uint(number), PrintFormat::PaddedDecimal10) => format!("{number:09}"),
        (Value::Int(number), PrintFormat::Decimal) => number.to_string(),
        (Value::Uint(number), PrintFormat::Decimal) => number.to_string(),
        (Value::Double(number), _) => format!("{number:.1}"),
        (Value::Bool(truth), _) => truth.to_string(),
        (Value::Ip(address), _) => address.to_string(),
        (Value::List(items), _) => {
            let items: Vec<String> = items.iter().map(|item| as_text(None, item)).collect();
            // The ancestors are one text, nearest first; any other list is shown as one.
            let is_lineage = field.is_some_and(|field| field.name.starts_with("proc.a"));
            if is_lineage {
                items.join(" ")
            } else {
                format!("({})", items.join(","))
            }
        }
    }
}

fn as_json(field: &FieldUse, value: &Value<'_>) -> Json {
    match (value, format_of(Some(field))) {
        (Value::Int(number), PrintFormat::Decimal) => Json::Number((*number).into()),
        (Value::Uint(number), PrintFormat::Decimal) => Json::Number((*number).into()),
        (Value::Double(number), _) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        (Value::Bool(truth), _) => Json::Bool(*truth),
        (Value::List(items), _) if !field.name.starts_with("proc.a") => {
            Json::Array(items.iter().map(|item| as_json(field, item)).collect())
        }
        _ => Json::String(as_text(Some(field), value)),
    }
}

impl From<OperandError> for OutputError {
    fn from(error: OperandError) -> Self {
        Self {
            message: error.message,
            offset: error.offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(field: &FieldUse) -> Option<Value<'static>> {
        Some(match field_text(field).as_str() {
            "proc.name" => Value::text(b"a\xffb"),
            "proc.pid" => Value::Int(7),
            "proc.aname" => Value::List(vec![Value::text(b"sh"), Value::text(b"init")]),
            "evt.rawtime" => Value::Uint(5),
            "evt.time" => Value::text(b"00:00:00"),
            "evt.is_open_read" => Value::Bool(true),
            _ => return None,
        })
    }

    #[test]
    fn texts() {
        for (format, expected) in [
            ("plain  ", "plain"),
            ("*x %proc.name y", "x a\u{fffd}b y"),
            ("pid=%proc.pid.", "pid=7."),
            ("%proc.pname", "<NA>"),
            ("%5proc.pid|", "7    |"),
            ("%2proc.name", "a\u{fffd}"),
            ("%proc.aname", "sh init"),
            ("%toupper(proc.name)", "A\u{fffd}B"),
            ("(%proc.pid)", "(7)"),
        ] {
            let output = OutputFormat::parse(format).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(output.render(&value).0, expected, "{format}");
        }
    }

    #[test]
    fn fields_keep_their_types() {
        let format = "%evt.time %proc.pid %proc.pname %toupper(proc.name) %evt.is_open_read";
        let (_, fields) = OutputFormat::parse(format).unwrap().render(&value);
        let expected = serde_json::json!({
            "evt.time": 5, "proc.pid": 7, "proc.pname": null, "proc.name": "a\u{fffd}b",
            "evt.is_open_read": true,
        });
        assert_eq!(Json::Object(fields), expected);
    }

    #[test]
    fn errors() {
        for (format, offset, part) in [
            ("50% of", 2, "expected a field"),
            ("x %proc.nam", 2, "did you mean"),
            ("%", 0, "expected a field"),
            ("%evt.around[1]", 0, "only be used in conditions"),
        ] {
            let error = OutputFormat::parse(format).expect_err(format);
            assert_eq!(error.offset, offset, "{format}");
            assert!(error.message.contains(part), "{format}: {error}");
        }
    }
}
