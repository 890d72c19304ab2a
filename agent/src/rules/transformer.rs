//! Functions over values: `tolower(proc.name)`, in conditions and in outputs.

use std::borrow::Cow;

use crate::fields::Value;
use crate::fields::registry::FieldType;

/// A function over values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Transformer {
    /// ASCII letters to lower case.
    ToLower,
    /// ASCII letters to upper case.
    ToUpper,
    /// Decodes base64.
    B64,
    /// What is after the last slash.
    Basename,
    /// Bytes of a text, elements of a list.
    Len,
    /// `join(separator, list)`: the elements as one text.
    Join,
    /// `concat(a, b, ..)`: texts one after another.
    Concat,
    /// `getopt(list, optstring)`: the short options of a command line.
    Getopt,
}

/// What a rule's value is known to be before there is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ValueType {
    /// The type of the value or its elements.
    pub(super) field_type: FieldType,
    /// It is a list.
    pub(super) list: bool,
}

impl ValueType {
    /// A single value.
    pub(super) const fn scalar(field_type: FieldType) -> Self {
        Self {
            field_type,
            list: false,
        }
    }

    /// A list of values.
    pub(super) const fn list(field_type: FieldType) -> Self {
        Self {
            field_type,
            list: true,
        }
    }
}

/// A transformer does not go with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}() expects {expected}")]
pub(super) struct TransformerError {
    /// The transformer.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) expected: &'static str,
}

impl Transformer {
    /// Every transformer.
    pub(super) const ALL: [Self; 8] = [
        Self::ToLower,
        Self::ToUpper,
        Self::B64,
        Self::Basename,
        Self::Len,
        Self::Join,
        Self::Concat,
        Self::Getopt,
    ];

    /// The name in the rule language.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ToLower => "tolower",
            Self::ToUpper => "toupper",
            Self::B64 => "b64",
            Self::Basename => "basename",
            Self::Len => "len",
            Self::Join => "join",
            Self::Concat => "concat",
            Self::Getopt => "getopt",
        }
    }

    /// The transformer of this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|transformer| transformer.name() == name)
    }

    /// What comes out for arguments of these types; `selects` says that one option follows in
    /// brackets, as in `getopt(..)[p]`.
    pub(super) fn result(
        self,
        arguments: &[ValueType],
        selects: bool,
    ) -> Result<ValueType, TransformerError> {
        use FieldType::{Buffer, Text, Uint};
        let text = ValueType::scalar(Text);
        let result = match (self, arguments) {
            (Self::Getopt, [options, wanted])
                if *options == ValueType::list(Text) && *wanted == text =>
            {
                return Ok(ValueType {
                    field_type: Text,
                    list: !selects,
                });
            }
            _ if selects => None,
            (Self::ToLower | Self::ToUpper | Self::Basename, [only]) if only.field_type == Text => {
                Some(*only)
            }
            (Self::B64, [only]) if matches!(only.field_type, Text | Buffer) => Some(*only),
            (Self::Len, [only]) if only.list || matches!(only.field_type, Text | Buffer) => {
                Some(ValueType::scalar(Uint))
            }
            (Self::Join, [separator, list]) if *separator == text && list.list => Some(text),
            (Self::Concat, [_, _, ..]) if arguments.iter().all(|one| *one == text) => Some(text),
            _ => None,
        };
        result.ok_or(TransformerError {
            name: self.name(),
            expected: self.expected(),
        })
    }

    fn expected(self) -> &'static str {
        match self {
            Self::ToLower | Self::ToUpper | Self::Basename => "one string",
            Self::B64 => "one string or byte buffer",
            Self::Len => "one string, byte buffer or list",
            Self::Join => "a separator and a list, as in join(\",\", (proc.name, proc.pname))",
            Self::Concat => "two or more strings",
            Self::Getopt => "a list of strings and an option string, as in \"ab:\"",
        }
    }

    /// The value for these arguments, of which the first is of the type `input`; `option` is the
    /// letter in brackets after `getopt(..)`. `None` if there is no value: base64 that is none, an
    /// option that is not there, arguments that [`Self::result`] does not allow.
    ///
    /// A list is transformed by element, except by `len`, and elements without a result are left
    /// out.
    pub(super) fn apply<'e>(
        self,
        input: FieldType,
        mut arguments: Vec<Value<'e>>,
        option: Option<&[u8]>,
    ) -> Option<Value<'e>> {
        match self {
            Self::ToLower => each(only(arguments)?, &|bytes| {
                Some(Cow::Owned(bytes.to_ascii_lowercase()))
            }),
            Self::ToUpper => each(only(arguments)?, &|bytes| {
                Some(Cow::Owned(bytes.to_ascii_uppercase()))
            }),
            Self::B64 => each(only(arguments)?, &|bytes| {
                decode_base64(&bytes).map(Cow::Owned)
            }),
            Self::Basename => each(only(arguments)?, &|bytes| Some(basename(bytes))),
            Self::Len => match only(arguments)? {
                Value::List(elements) => Some(Value::Uint(elements.len() as u64)),
                Value::Bytes(bytes) if input == FieldType::Buffer => {
                    Some(Value::Uint(bytes.len() as u64))
                }
                Value::Bytes(bytes) => Some(Value::Uint(until_nul(&bytes).len() as u64)),
                _ => None,
            },
            Self::Join => {
                let (list, separator) = (arguments.pop()?, arguments.pop()?);
                let (Value::List(elements), Value::Bytes(separator)) = (list, separator) else {
                    return None;
                };
                let texts: Vec<_> = elements.iter().map(as_text).collect();
                Some(Value::Bytes(Cow::Owned(texts.join(until_nul(&separator)))))
            }
            Self::Concat => {
                let mut joined = Vec::new();
                for argument in &arguments {
                    let Value::Bytes(bytes) = argument else {
                        return None;
                    };
                    joined.extend_from_slice(until_nul(bytes));
                }
                Some(Value::Bytes(Cow::Owned(joined)))
            }
            Self::Getopt => {
                let (wanted, words) = (arguments.pop()?, arguments.pop()?);
                let (Value::Bytes(wanted), Value::List(words)) = (wanted, words) else {
                    return None;
                };
                let found = getopt(&words, &wanted);
                match option {
                    Some(option) => select(found, option),
                    None => Some(Value::List(flatten(found))),
                }
            }
        }
    }
}

fn only(arguments: Vec<Value<'_>>) -> Option<Value<'_>> {
    let mut arguments = arguments.into_iter();
    arguments.next()
}

fn each<'e>(
    value: Value<'e>,
    transform: &dyn Fn(Cow<'e, [u8]>) -> Option<Cow<'e, [u8]>>,
) -> Option<Value<'e>> {
    match value {
        Value::Bytes(bytes) => transform(bytes).map(Value::Bytes),
        Value::List(elements) => Some(Value::List(
            elements
                .into_iter()
                .filter_map(|element| each(element, transform))
                .collect(),
        )),
        _ => None,
    }
}

/// Text as the language sees it: up to the first NUL.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes)
        .and_then(|end| bytes.get(..end))
        .unwrap_or(bytes)
}

fn basename(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let text = until_nul(&bytes);
    let end = text.len();
    let start = memchr::memrchr(b'/', text).map_or(0, |slash| slash + 1);
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(start..end).unwrap_or_default()),
        Cow::Owned(mut bytes) => {
            bytes.truncate(end);
            Cow::Owned(bytes.split_off(start))
        }
    }
}

fn as_text(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => until_nul(bytes).to_vec(),
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Uint(number) => number.to_string().into_bytes(),
        Value::Double(number) => format!("{number:.1}").into_bytes(),
        Value::Bool(truth) => truth.to_string().into_bytes(),
        Value::Ip(address) => address.to_string().into_bytes(),
        Value::List(elements) => {
            let elements: Vec<_> = elements.iter().map(as_text).collect();
            elements.join(&b","[..])
        }
    }
}

/// The standard alphabet; padding may be missing.
fn decode_base64(encoded: &[u8]) -> Option<Vec<u8>> {
    let encoded = until_nul(encoded);
    let end = encoded
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |last| last + 1);
    let (digits, padding) = encoded.split_at_checked(end)?;
    let missing = (4 - digits.len() % 4) % 4;
    if missing == 3 || (!padding.is_empty() && padding.len() != missing) {
        return None;
    }
    let mut decoded = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for position in 0..4 {
            let digit = match group.get(position) {
                Some(&byte) => base64_digit(byte)?,
                None => 0,
            };
            bits = bits << 6 | u32::from(digit);
        }
        let [_, first, second, third] = bits.to_be_bytes();
        decoded.extend([first, second, third].into_iter().take(group.len() - 1));
    }
    Some(decoded)
}

/// The standard alphabet, with padding.
pub(super) fn encode_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let digit = bits >> (18 - 6 * position) & 63;
            encoded.push(if position > group.len() {
                '='
            } else {
                char::from(DIGITS[digit as usize])
            });
        }
    }
    encoded
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// An option that a command line has: its letter, and its value if it takes one.
type FoundOption = (u8, Option<Vec<u8>>);

/// Short options as POSIX getopt(3) finds them, but long options are passed over. An option that
/// `wanted` does not have is `?`.
fn getopt(words: &[Value<'_>], wanted: &[u8]) -> Vec<FoundOption> {
    let mut found = Vec::new();
    let mut words = words.iter().filter_map(|word| match word {
        Value::Bytes(bytes) => Some(until_nul(bytes)),
        _ => None,
    });
    while let Some(word) = words.next() {
        match word {
            b"--" | b"-" => break,
            [b'-', b'-', ..] => {}
            [b'-', letters @ ..] => {
                let mut letters = letters;
                while let [letter, rest @ ..] = letters {
                    letters = rest;
                    let Some(position) = wanted
                        .iter()
                        .position(|one| one == letter && *letter != b':')
                    else {
                        found.push((b'?', None));
                        continue;
                    };
                    if wanted.get(position + 1) != Some(&b':') {
                        found.push((*letter, None));
                        continue;
                    }
                    let value = if letters.is_empty() {
                        words.next().unwrap_or_default()
                    } else {
                        letters
                    };
                    found.push((*letter, Some(value.to_vec())));
                    break;
                }
            }
            _ => break,
        }
    }
    found
}

fn flatten<'e>(found: Vec<FoundOption>) -> Vec<Value<'e>> {
    found
        .into_iter()
        .flat_map(|(letter, value)| [Some(vec![letter]), value])
        .flatten()
        .map(|bytes| Value::Bytes(Cow::Owned(bytes)))
        .collect()
}

/// The last value of one option, or its letter if it takes none.
fn select<'e>(found: Vec<FoundOption>, option: &[u8]) -> Option<Value<'e>> {
    let (letter, value) = found
        .into_iter()
        .rev()
        .find(|(letter, _)| option == [*letter])?;
    Some(Value::Bytes(Cow::Owned(
        value.unwrap_or_else(|| vec![letter]),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::text(text.as_bytes())
    }

    fn texts<'t>(texts: &[&'t str]) -> Value<'t> {
        Value::List(texts.iter().map(|one| text(one)).collect())
    }

    #[test]
    fn of_one_text() {
        use Transformer::{B64, Basename, ToLower, ToUpper};
        let cases = [
            (ToLower, "BaSH\u{c4}", Some("bash\u{c4}")),
            (ToUpper, "bash", Some("BASH")),
            (Basename, "/usr/bin/cat", Some("cat")),
            (Basename, "cat", Some("cat")),
            (Basename, "/usr/bin/", Some("")),
            (B64, "aGVsbG8=", Some("hello")),
            (B64, "aGVsbG8", Some("hello")),
            (B64, "", Some("")),
            (B64, "aGVsb", None),
            (B64, "aGV\u{7f}", None),
            (B64, "aGVsbG8==", None),
            (B64, "a=GV", None),
        ];
        for (transformer, input, expected) in cases {
            assert_eq!(
                transformer.apply(FieldType::Text, vec![text(input)], None),
                expected.map(text),
                "{}({input})",
                transformer.name()
            );
        }
    }

    #[test]
    fn lists_are_transformed_by_element() {
        let list = texts(&["aGk=", "!", "eW8="]);
        assert_eq!(
            Transformer::B64.apply(FieldType::Text, vec![list], None),
            Some(texts(&["hi", "yo"]))
        );
    }

    #[test]
    fn len_counts_bytes_or_elements() {
        let cases = [
            (FieldType::Text, text("abc\0def"), 3),
            (FieldType::Buffer, text("abc\0def"), 7),
            (FieldType::Text, texts(&["a", "b"]), 2),
        ];
        for (input, value, expected) in cases {
            let length = Transformer::Len.apply(input, vec![value], None);
            assert_eq!(length, Some(Value::Uint(expected)));
        }
    }

    #[test]
    fn join_and_concat() {
        let list = Value::List(vec![text("a"), Value::Int(-3), Value::Bool(true)]);
        assert_eq!(
            Transformer::Join.apply(FieldType::Text, vec![text(", "), list], None),
            Some(text("a, -3, true"))
        );
        assert_eq!(
            Transformer::Concat.apply(FieldType::Text, vec![text("a"), text("b")], None),
            Some(text("ab"))
        );
    }

    #[test]
    fn getopt_like_posix() {
        let cases: [(&[&str], &str, &[&str]); 7] = [
            (&["-a", "-b", "v"], "ab:", &["a", "b", "v"]),
            (&["-abv", "x"], "ab:", &["a", "b", "v"]),
            (&["-b"], "ab:", &["b", ""]),
            (&["-z"], "ab:", &["?"]),
            (&["--long", "-a"], "a", &["a"]),
            (&["-a", "--", "-b"], "ab", &["a"]),
            (&["word", "-a"], "a", &[]),
        ];
        for (words, wanted, expected) in cases {
            let arguments = vec![texts(words), text(wanted)];
            assert_eq!(
                Transformer::Getopt.apply(FieldType::Text, arguments, None),
                Some(texts(expected)),
                "{words:?} {wanted}"
            );
        }
    }

    #[test]
    fn getopt_selects_one_option() {
        let cases = [
            ("b", Some("two")),
            ("a", Some("a")),
            ("c", Some("")),
            ("x", None),
        ];
        for (option, expected) in cases {
            let words = texts(&["-a", "-b", "one", "-btwo", "-c"]);
            let arguments = vec![words, text("ab:c:x")];
            assert_eq!(
                Transformer::Getopt.apply(FieldType::Text, arguments, Some(option.as_bytes())),
                expected.map(text),
                "{option}"
            );
        }
    }

    #[test]
    fn result_types() {
        use FieldType::{Buffer, Int, Text, Uint};
        let scalar = ValueType::scalar;
        let list = ValueType::list;
        let cases: [(Transformer, &[ValueType], bool, Option<ValueType>); 11] = [
            (
                Transformer::ToLower,
                &[scalar(Text)],
                false,
                Some(scalar(Text)),
            ),
            (Transformer::ToLower, &[list(Text)], false, Some(list(Text))),
            (Transformer::ToLower, &[scalar(Int)], false, None),
            (Transformer::ToLower, &[], false, None),
            (
                Transformer::B64,
                &[scalar(Buffer)],
                false,
                Some(scalar(Buffer)),
            ),
            (Transformer::Len, &[list(Int)], false, Some(scalar(Uint))),
            (Transformer::Len, &[scalar(Int)], false, None),
            (Transformer::Join, &[scalar(Text)], false, None),
            (Transformer::Concat, &[scalar(Text)], false, None),
            (
                Transformer::Getopt,
                &[list(Text), scalar(Text)],
                true,
                Some(scalar(Text)),
            ),
            (
                Transformer::Concat,
                &[scalar(Text), scalar(Text)],
                true,
                None,
            ),
        ];
        for (transformer, arguments, selects, expected) in cases {
            assert_eq!(
                transformer.result(arguments, selects).ok(),
                expected,
                "{} {arguments:?}",
                transformer.name()
            );
        }
    }
}
