//! Which fields there are: name, type, argument, and what a rule may do with them.

mod parameters;
mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use thiserror::Error;

use super::{FieldArgument, FieldUse};

/// The type of a field's value, which decides the operators and literals that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A signed number.
    Int,
    /// An unsigned number.
    Uint,
    /// A number with a fraction.
    Double,
    /// True or false.
    Bool,
    /// Text or a path.
    Text,
    /// Bytes.
    Buffer,
    /// A port; a literal may be a service's name.
    Port,
    /// An address.
    Ip,
    /// An address that is compared with networks.
    Net,
    /// A duration in ns.
    RelativeTime,
    /// ns since the epoch.
    AbsoluteTime,
    /// That of the event's parameter.
    Dynamic,
}

/// Whether a field takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// It must have none.
    None,
    /// It may have one.
    Optional,
    /// It must have one.
    Required,
}

/// How a comparison looks at the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// At the one value.
    One,
    /// At both ends of a connection: `=` holds if it does for either, `!=` only if it does for both.
    EitherEnd,
    /// At every ancestor: holds if it does for any. Only without an argument.
    AnyAncestor,
}

/// How a number is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the type suggests.
    Plain,
    /// Hexadecimal without a prefix.
    Hexadecimal,
    /// Decimal with zeros in front, nine digits in all.
    Padded,
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties, named by Falco's flags"
)]
pub struct FieldDefinition {
    /// The name, without an argument.
    pub name: &'static str,
    /// The value's type.
    pub field_type: FieldType,
    /// Whether it takes an argument.
    pub argument: Argument,
    /// The value is a list.
    pub list: bool,
    /// How a comparison looks at it.
    pub quantifier: Quantifier,
    /// How it is printed.
    pub format: Format,
    /// Takes no field on the right side of a comparison.
    pub no_right_side: bool,
    /// Takes no transformer.
    pub no_transformers: bool,
    /// Only in conditions, not in outputs.
    pub filter_only: bool,
    /// Should not be used any more.
    pub deprecated: bool,
    /// Appended to outputs by `suggested_output`.
    pub suggested: bool,
}

impl FieldDefinition {
    const fn new(name: &'static str, field_type: FieldType, argument: Argument) -> Self {
        Self {
            name,
            field_type,
            argument,
            list: false,
            quantifier: Quantifier::One,
            format: Format::Plain,
            no_right_side: false,
            no_transformers: false,
            filter_only: false,
            deprecated: false,
            suggested: false,
        }
    }

    const fn list(mut self) -> Self {
        self.list = true;
        self
    }

    const fn either_end(mut self) -> Self {
        self.quantifier = Quantifier::EitherEnd;
        self
    }

    const fn any_ancestor(mut self) -> Self {
        self.quantifier = Quantifier::AnyAncestor;
        self
    }

    const fn hex(mut self) -> Self {
        self.format = Format::Hexadecimal;
        self
    }

    const fn padded(mut self) -> Self {
        self.format = Format::Padded;
        self
    }

    const fn no_right_side(mut self) -> Self {
        self.no_right_side = true;
        self
    }

    const fn no_transformers(mut self) -> Self {
        self.no_transformers = true;
        self
    }

    const fn filter_only(mut self) -> Self {
        self.filter_only = true;
        self
    }

    const fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    const fn suggested(mut self) -> Self {
        self.suggested = true;
        self
    }
}

/// Why a text is no field.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FieldError {
    /// There is no field of this name.
    #[error("unknown field '{name}'{}", did_you_mean(.suggestion))]
    Unknown {
        /// The name.
        name: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// The argument is missing.
    #[error("field '{0}' needs an argument, such as {0}[1] or {0}.name")]
    MissingArgument(&'static str),
    /// There is an argument.
    #[error("field '{0}' takes no argument")]
    UnexpectedArgument(&'static str),
    /// No event has this parameter.
    #[error("no event has a parameter '{name}'{}", did_you_mean(.suggestion))]
    UnknownParameter {
        /// The name.
        name: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// The argument is not closed.
    #[error("the argument of field '{0}' does not end in ']'")]
    Unclosed(&'static str),
}

/// `; did you mean 'x'?` or nothing.
pub(crate) fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

/// The name that is nearest to `wanted`, if any is near.
pub(crate) fn nearest<'n>(
    wanted: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= 1 + wanted.len() / 4)
        .min()
        .map(|(_, name)| name.to_owned())
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static FieldDefinition>> =
    LazyLock::new(|| all().map(|field| (field.name, field)).collect());

/// Every field, class by class.
pub fn all() -> impl Iterator<Item = &'static FieldDefinition> {
    table::CLASSES.iter().copied().flatten()
}

/// The field of this name.
pub fn find(name: &str) -> Option<&'static FieldDefinition> {
    BY_NAME.get(name).copied()
}

/// How many bytes at the start of `text` can be a field: a dotted name, then perhaps an argument in
/// brackets (with quotes or without). The name need not be known. Zero if there is none.
pub fn scan(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    let mut dotted = false;
    let mut at_part_start = true;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => at_part_start = false,
            b'0'..=b'9' | b'_' if !at_part_start => {}
            b'.' if !at_part_start && bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic) => {
                dotted = true;
                at_part_start = true;
            }
            _ => break,
        }
        end += 1;
    }
    if !dotted {
        return 0;
    }
    if bytes.get(end) == Some(&b'[') {
        let inner = &text[end + 1..];
        let closing = match inner.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => {
                inner[1..].find(char::from(*quote)).map(|quote| quote + 2)
            }
            _ => inner
                .find(|character: char| "][\"'".contains(character) || character.is_whitespace()),
        };
        if let Some(closing) = closing
            && inner.as_bytes().get(closing) == Some(&b']')
        {
            return end + 1 + closing + 1;
        }
    }
    end
}

/// Parses the whole text as a field with its argument.
pub fn parse(text: &str) -> Result<(FieldUse, &'static FieldDefinition), FieldError> {
    let (name, bracket) = match text.find('[') {
        Some(open) => (&text[..open], Some(&text[open + 1..])),
        None => (text, None),
    };
    // `evt.arg.flags`: the longest name that is known, the rest being the argument.
    let mut cut = name.len();
    let (definition, dotted) = loop {
        if let Some(definition) = find(&name[..cut]) {
            break (definition, name.get(cut + 1..));
        }
        cut = name[..cut].rfind('.').ok_or_else(|| FieldError::Unknown {
            name: name.to_owned(),
            suggestion: nearest(name, all().map(|field| field.name)),
        })?;
    };
    if dotted.is_some() && definition.argument == Argument::None {
        return Err(FieldError::Unknown {
            name: name.to_owned(),
            suggestion: nearest(name, all().map(|field| field.name)),
        });
    }
    let argument = match (dotted, bracket) {
        (Some(key), None) => FieldArgument::Key(key.to_owned()),
        (None, Some(rest)) => {
            let inner = rest
                .strip_suffix(']')
                .ok_or(FieldError::Unclosed(definition.name))?;
            bracket_argument(inner)
        }
        (None, None) => FieldArgument::None,
        (Some(_), Some(_)) => return Err(FieldError::UnexpectedArgument(definition.name)),
    };
    match (definition.argument, &argument) {
        (Argument::None, FieldArgument::None) | (Argument::Optional, _) => {}
        (Argument::None, _) => return Err(FieldError::UnexpectedArgument(definition.name)),
        (Argument::Required, FieldArgument::None) => {
            return Err(FieldError::MissingArgument(definition.name));
        }
        (Argument::Required, FieldArgument::Key(key))
            if matches!(definition.name, "evt.arg" | "evt.rawarg")
                && parameters::PARAMETERS.binary_search(&key.as_str()).is_err() =>
        {
            return Err(FieldError::UnknownParameter {
                name: key.clone(),
                suggestion: nearest(key, parameters::PARAMETERS.iter().copied()),
            });
        }
        (Argument::Required, _) => {}
    }
    Ok((
        FieldUse {
            name: definition.name,
            argument,
        },
        definition,
    ))
}

fn bracket_argument(inner: &str) -> FieldArgument {
    let quoted = ['"', '\'']
        .iter()
        .find_map(|quote| inner.strip_prefix(*quote)?.strip_suffix(*quote));
    match (quoted, inner.parse()) {
        (Some(key), _) => FieldArgument::Key(key.to_owned()),
        (None, Ok(index)) => FieldArgument::Index(index),
        (None, Err(_)) => FieldArgument::Key(inner.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        assert_eq!(BY_NAME.len(), all().count());
    }

    #[test]
    fn fields_with_and_without_arguments() {
        let key = |key: &str| FieldArgument::Key(key.to_owned());
        for (text, name, argument) in [
            ("proc.name", "proc.name", FieldArgument::None),
            ("proc.aname[2]", "proc.aname", FieldArgument::Index(2)),
            ("proc.aname", "proc.aname", FieldArgument::None),
            ("evt.arg.flags", "evt.arg", key("flags")),
            ("evt.arg[1]", "evt.arg", FieldArgument::Index(1)),
            ("proc.env[HOME]", "proc.env", key("HOME")),
            (
                "container.label[\"a.b/c\"]",
                "container.label",
                key("a.b/c"),
            ),
        ] {
            let (found, _) = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((found.name, found.argument), (name, argument), "{text}");
        }
    }

    #[test]
    fn what_is_no_field_is_explained() {
        for (text, expected) in [
            (
                "proc.nam",
                "unknown field 'proc.nam'; did you mean 'proc.name'?",
            ),
            ("proc.name[1]", "field 'proc.name' takes no argument"),
            (
                "proc.name.x",
                "unknown field 'proc.name.x'; did you mean 'proc.pname'?",
            ),
            (
                "evt.arg",
                "field 'evt.arg' needs an argument, such as evt.arg[1] or evt.arg.name",
            ),
            (
                "evt.arg.flag",
                "no event has a parameter 'flag'; did you mean 'flags'?",
            ),
            ("nothing.like.it", "unknown field 'nothing.like.it'"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(
                error == expected || text == "proc.name.x" && error.starts_with("unknown field"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_longest_field_at_the_start() {
        for (text, expected) in [
            ("proc.name rest", "proc.name"),
            ("proc.aname[2])", "proc.aname[2]"),
            ("evt.arg.flags,", "evt.arg.flags"),
            ("proc.env[\"a b\"]x", "proc.env[\"a b\"]"),
            ("proc.env[a b]", "proc.env"),
            ("fd.name.", "fd.name"),
            ("proc", ""),
            ("%", ""),
        ] {
            assert_eq!(&text[..scan(text)], expected, "{text}");
        }
    }
}
