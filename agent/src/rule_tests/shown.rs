//! A field's value as a message shows it.

use crate::escape::OneLine;
use crate::fields::Value;

/// Longer values are cut.
const LONGEST: usize = 120;

/// A value on one line, without anything that a terminal would obey.
pub(super) fn value(value: &Value<'_>) -> String {
    match value {
        Value::Bytes(bytes) => text(&String::from_utf8_lossy(bytes)),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Ip(address) => address.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(self::value).collect();
            cut(&format!("({})", items.join(", ")))
        }
    }
}

/// Text in quotes where it would not be seen as one value otherwise.
fn text(text: &str) -> String {
    let escaped = OneLine(text).to_string();
    let is_plain = !text.is_empty()
        && !text
            .contains(|character: char| character.is_whitespace() || ",()\"'".contains(character));
    if is_plain {
        cut(&escaped)
    } else {
        format!("\"{}\"", cut(&escaped))
    }
}

/// At most so many characters.
pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start}…")
}
