//! Values to text and JSON, as Falco prints them.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{Buffers, Expression, Field, Piece};
use crate::fields::registry::{Comparison, FieldType, PrintFormat};
use crate::fields::{FieldArgument, FieldUse, Value};
use crate::rules::transformer::{Transformer, encode_base64, until_nul};

/// What a missing value prints.
const MISSING: &str = "<NA>";
/// A list or a byte buffer prints no longer than about this.
const LONGEST: usize = 1024;

/// Nanoseconds since the epoch, which JSON has for every clock field.
pub(super) const RAW_TIME: FieldUse = FieldUse {
    name: "evt.rawtime",
    argument: FieldArgument::None,
};

/// Whether the field prints the event's time.
pub(super) fn is_clock(name: &str) -> bool {
    matches!(
        name,
        "evt.time" | "evt.time.s" | "evt.time.iso8601" | "evt.datetime" | "evt.datetime.s"
    )
}

/// How a value prints, when its field is not at hand any more.
#[derive(Clone, Copy)]
struct Style {
    /// It is a byte buffer, to print so.
    buffer: Option<Buffers>,
    print: PrintFormat,
}

fn style(field: &Field, buffers: Buffers) -> Style {
    let is_buffer = field.definition.field_type == FieldType::Buffer;
    Style {
        buffer: is_buffer.then_some(buffers),
        print: field.definition.print,
    }
}

/// The text of a whole format.
pub(super) fn pieces<'v>(
    pieces: &[Piece],
    buffers: Buffers,
    values: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
) -> String {
    let mut message = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(plain) => message.push_str(plain),
            Piece::Token { width, expression } => {
                let shown = text(expression, buffers, values);
                match width {
                    Some(width) => message.push_str(&fit(&shown, *width)),
                    None => message.push_str(&shown),
                }
            }
        }
    }
    message
}

/// The text of a field or transformer.
fn text<'v>(
    expression: &Expression,
    buffers: Buffers,
    values: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
) -> String {
    if let Expression::Field(field) = expression {
        let Some(value) = values(&field.field_use) else {
            return MISSING.to_owned();
        };
        return field_text(field, &value, style(field, buffers));
    }
    let style = Style {
        buffer: is_buffer(expression).then_some(buffers),
        print: PrintFormat::Decimal,
    };
    evaluate(expression, values)
        .map_or_else(|| MISSING.to_owned(), |value| value_text(&value, style))
}

fn field_text(field: &Field, value: &Value<'_>, style: Style) -> String {
    match value {
        Value::List(ancestors) if is_ancestry(field) => {
            let ancestors: Vec<_> = ancestors
                .iter()
                .map(|ancestor| value_text(ancestor, style))
                .collect();
            ancestors.join(" ")
        }
        _ => value_text(value, style),
    }
}

/// Whether the value is all ancestors', which print as one text.
fn is_ancestry(field: &Field) -> bool {
    field.definition.comparison == Comparison::AnyAncestor && !field.definition.list
}

/// `b64` keeps its argument's type, and buffers print differently from text.
fn is_buffer(expression: &Expression) -> bool {
    match expression {
        Expression::Field(field) => field.definition.field_type == FieldType::Buffer,
        Expression::Call {
            transformer: Transformer::B64,
            input,
            ..
        } => *input == FieldType::Buffer,
        _ => false,
    }
}

fn evaluate<'v>(
    expression: &Expression,
    values: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
) -> Option<Value<'v>> {
    match expression {
        Expression::Field(field) => values(&field.field_use),
        Expression::Text(text) => Some(Value::Bytes(Cow::Owned(text.clone().into_bytes()))),
        Expression::Number(number) => Some(Value::Int(*number)),
        // An element without a value is left out, as in conditions.
        Expression::List(elements) => Some(Value::List(
            elements
                .iter()
                .filter_map(|element| evaluate(element, values))
                .collect(),
        )),
        Expression::Call {
            transformer,
            input,
            arguments,
            option,
        } => {
            let arguments = arguments
                .iter()
                .map(|argument| evaluate(argument, values))
                .collect::<Option<_>>()?;
            transformer.apply(*input, arguments, option.as_deref().map(str::as_bytes))
        }
    }
}

fn value_text(value: &Value<'_>, style: Style) -> String {
    match value {
        Value::Bytes(bytes) => bytes_text(bytes, style.buffer).into_owned(),
        Value::Int(number) => match style.print {
            PrintFormat::Decimal => number.to_string(),
            PrintFormat::Hex => format!("{number:X}"),
            PrintFormat::Octal => format!("{number:o}"),
            PrintFormat::PaddedDecimal10 => format!("{number:09}"),
        },
        Value::Uint(number) => match style.print {
            PrintFormat::Decimal => number.to_string(),
            PrintFormat::Hex => format!("{number:X}"),
            PrintFormat::Octal => format!("{number:o}"),
            PrintFormat::PaddedDecimal10 => format!("{number:09}"),
        },
        Value::Double(number) => format!("{number:.1}"),
        Value::Bool(truth) => truth.to_string(),
        Value::Ip(address) => address.to_string(),
        Value::List(elements) => {
            let mut text = String::from("(");
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                if text.len() > LONGEST {
                    text.push_str("...");
                    break;
                }
                // Writing to a String cannot fail.
                let _ = write!(text, "{}", value_text(element, style));
            }
            text.push(')');
            text
        }
    }
}

fn bytes_text(bytes: &[u8], buffer: Option<Buffers>) -> Cow<'_, str> {
    let shown = bytes.get(..LONGEST).unwrap_or(bytes);
    let printable = |&byte: &u8| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    };
    match buffer {
        Some(Buffers::Dotted) => Cow::Owned(shown.iter().map(printable).collect()),
        Some(Buffers::Base64) => Cow::Owned(encode_base64(shown)),
        None => String::from_utf8_lossy(until_nul(bytes)),
    }
}

/// Cuts or pads with spaces to `width` characters.
fn fit(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    format!("{cut:<width$}")
}

/// The value of a field as an alert lists it.
pub(super) fn json<'v>(
    field: &Field,
    buffers: Buffers,
    values: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
) -> Json {
    let style = style(field, buffers);
    let name = if is_clock(field.definition.name) {
        &RAW_TIME
    } else {
        &field.field_use
    };
    match values(name) {
        None => Json::Null,
        Some(value @ Value::List(_)) if is_ancestry(field) => {
            field_text(field, &value, style).into()
        }
        Some(value) => value_json(&value, style),
    }
}

fn value_json(value: &Value<'_>, style: Style) -> Json {
    match value {
        Value::Int(number) if style.print == PrintFormat::Decimal => (*number).into(),
        Value::Uint(number) if style.print == PrintFormat::Decimal => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::List(elements) => elements
            .iter()
            .map(|element| value_json(element, style))
            .collect(),
        Value::Bytes(_) | Value::Int(_) | Value::Uint(_) | Value::Ip(_) => {
            value_text(value, style).into()
        }
    }
}
