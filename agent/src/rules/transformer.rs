//! Functions of values in conditions and outputs.

use std::borrow::Cow;

use crate::fields::Value;

/// A function of one or more values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transformer {
    /// ASCII letters to lower case.
    ToLower,
    /// ASCII letters to upper case.
    ToUpper,
    /// Decodes base64.
    Base64,
    /// What follows the last slash.
    Basename,
    /// Bytes of a text, elements of a list.
    Len,
    /// Joins a list with a separator.
    Join,
    /// Joins texts.
    Concat,
}

impl Transformer {
    /// Every transformer with its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("tolower", Self::ToLower),
        ("toupper", Self::ToUpper),
        ("b64", Self::Base64),
        ("basename", Self::Basename),
        ("len", Self::Len),
        ("join", Self::Join),
        ("concat", Self::Concat),
    ];

    /// The transformer of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, transformer)| *transformer)
    }

    /// How many arguments it takes: at least, and at most.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Self::Join => (2, 2),
            Self::Concat => (2, usize::MAX),
            _ => (1, 1),
        }
    }

    /// Applies it; `None` if an argument does not fit (base64 that is none, say).
    pub fn apply<'e>(self, mut arguments: Vec<Value<'e>>) -> Option<Value<'e>> {
        match self {
            Self::ToLower => each_text(arguments.pop()?, |text| Some(text.to_ascii_lowercase())),
            Self::ToUpper => each_text(arguments.pop()?, |text| Some(text.to_ascii_uppercase())),
            Self::Base64 => each_text(arguments.pop()?, decode_base64),
            Self::Basename => each_text(arguments.pop()?, |text| {
                Some(
                    text.rsplit(|byte| *byte == b'/')
                        .next()
                        .unwrap_or_default()
                        .to_vec(),
                )
            }),
            Self::Len => Some(Value::Uint(match arguments.pop()? {
                Value::List(items) => items.len() as u64,
                Value::Bytes(text) => text
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(text.len()) as u64,
                _ => return None,
            })),
            Self::Join => {
                let items = match arguments.pop()? {
                    Value::List(items) => items,
                    single => vec![single],
                };
                let separator = to_text(&arguments.pop()?);
                let texts: Vec<Vec<u8>> = items.iter().map(to_text).collect();
                Some(Value::Bytes(Cow::Owned(texts.join(&separator[..]))))
            }
            Self::Concat => {
                let texts: Vec<Vec<u8>> = arguments.iter().map(to_text).collect();
                Some(Value::Bytes(Cow::Owned(texts.concat())))
            }
        }
    }
}

/// A value as the bytes that outputs show.
fn to_text(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Bytes(text) => text.to_vec(),
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Uint(number) => number.to_string().into_bytes(),
        Value::Double(number) => format!("{number:.1}").into_bytes(),
        Value::Bool(truth) => truth.to_string().into_bytes(),
        Value::Ip(address) => address.to_string().into_bytes(),
        Value::List(items) => items
            .iter()
            .map(to_text)
            .collect::<Vec<_>>()
            .join(&b","[..]),
    }
}

/// Applies a function to a text, or to each text of a list.
fn each_text<'e>(
    value: Value<'e>,
    function: impl Fn(&[u8]) -> Option<Vec<u8>> + Copy,
) -> Option<Value<'e>> {
    match value {
        Value::Bytes(text) => Some(Value::Bytes(Cow::Owned(function(&text)?))),
        Value::List(items) => Some(Value::List(
            items
                .into_iter()
                .filter_map(|item| each_text(item, function))
                .collect(),
        )),
        _ => None,
    }
}

/// Standard alphabet, padding optional.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text
        .strip_suffix(b"==")
        .or_else(|| text.strip_suffix(b"="))
        .unwrap_or(text);
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transformers_of_one_text() {
        let text = |text: &'static [u8]| Value::text(text);
        for (name, given, expected) in [
            ("tolower", text(b"AbC"), Some(text(b"abc"))),
            ("toupper", text(b"AbC"), Some(text(b"ABC"))),
            ("basename", text(b"/usr/bin/sh"), Some(text(b"sh"))),
            ("basename", text(b"sh"), Some(text(b"sh"))),
            ("basename", text(b"/usr/"), Some(text(b""))),
            ("b64", text(b"aGk="), Some(text(b"hi"))),
            ("b64", text(b"aGk"), Some(text(b"hi"))),
            ("b64", text(b"!"), None),
            ("b64", text(b"aGkxx"), None),
            ("len", text(b"abc\0def"), Some(Value::Uint(3))),
            (
                "len",
                Value::List(vec![text(b"a"), text(b"b")]),
                Some(Value::Uint(2)),
            ),
            ("len", Value::Int(1), None),
        ] {
            let transformer = Transformer::from_name(name).unwrap();
            assert_eq!(transformer.apply(vec![given]), expected, "{name}");
        }
    }

    #[test]
    fn joining() {
        let items = Value::List(vec![Value::text(b"a"), Value::Uint(1)]);
        let joined = Transformer::Join.apply(vec![Value::text(b", "), items]);
        assert_eq!(joined, Some(Value::text(b"a, 1")));
        let both = Transformer::Concat.apply(vec![Value::text(b"a"), Value::text(b"b")]);
        assert_eq!(both, Some(Value::text(b"ab")));
    }
}
