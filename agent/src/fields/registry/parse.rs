//! A field as text, and back to the registry.

use super::{ArgumentRule, ArgumentSyntax, FieldDef, all, closest, parameters};
use crate::fields::{FieldArgument, FieldUse};

/// The text names no field, or not in the way that the field wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// There is no such field.
    #[error("unknown field '{name}'{}", did_you_mean(*suggestion))]
    UnknownField {
        /// As written.
        name: String,
        /// The closest that there is.
        suggestion: Option<&'static str>,
    },
    /// The field means nothing without an argument.
    #[error("field '{name}' needs an argument: {name}{usage}")]
    MissingArgument {
        /// The field.
        name: &'static str,
        /// How to write it.
        usage: &'static str,
    },
    /// The field takes no argument, or not in this place.
    #[error("field '{name}' takes no argument: remove '{argument}'")]
    UnexpectedArgument {
        /// The field.
        name: &'static str,
        /// As written, with its brackets.
        argument: String,
    },
    /// The argument is not one of the field's.
    #[error("bad argument '{argument}' of field '{name}': expected {expected}")]
    BadArgument {
        /// The field.
        name: &'static str,
        /// As written.
        argument: String,
        /// What it may be.
        expected: String,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

/// The argument as the text has it.
struct RawArgument<'t> {
    /// Without brackets, quotes or the dot.
    text: String,
    /// As written.
    written: &'t str,
}

/// Reads a field with its argument; all of `text` must be the field.
pub fn parse_field(text: &str) -> Result<(FieldUse, &'static FieldDef), FieldError> {
    let Some((field, rest)) = longest(text, |field, rest| {
        rest.is_empty() || rest.starts_with('[') || (rest.starts_with('.') && field.syntax.dotted())
    }) else {
        return Err(unknown(text));
    };
    let raw = if rest.is_empty() {
        None
    } else if let Some(dotted) = rest.strip_prefix('.') {
        if dotted.is_empty() || dotted.contains(is_unquotable) {
            return Err(bad(field, dotted, field.syntax.usage()));
        }
        Some(RawArgument {
            text: dotted.to_owned(),
            written: rest,
        })
    } else {
        if !field.syntax.bracketed() {
            return Err(not_bracketed(field, rest));
        }
        match bracketed(rest) {
            Some((argument, length)) if length == rest.len() => Some(argument),
            _ => return Err(bad(field, rest, field.syntax.usage())),
        }
    };
    resolve(field, raw)
}

/// Reads the longest field at the start of `text`, as an output format has it, and says how many
/// bytes it took.
pub fn parse_prefix(text: &str) -> Result<(FieldUse, &'static FieldDef, usize), FieldError> {
    let Some((field, rest)) = longest(text, |_, _| true) else {
        return Err(unknown(text));
    };
    let raw = if rest.starts_with('[') && field.syntax.bracketed() {
        match bracketed(rest) {
            Some((argument, _)) => Some(argument),
            None => return Err(bad(field, rest, field.syntax.usage())),
        }
    } else if field.syntax.dotted() {
        dotted(rest, field.syntax)
    } else {
        None
    };
    let consumed = field.name.len() + raw.as_ref().map_or(0, |argument| argument.written.len());
    let (field_use, field) = resolve(field, raw)?;
    Ok((field_use, field, consumed))
}

/// How many bytes the longest field at the start of `text` takes.
pub fn field_prefix(text: &str) -> Option<usize> {
    parse_prefix(text).ok().map(|(_, _, consumed)| consumed)
}

/// The field with the longest name that `text` starts with and `fits`, and what follows it.
fn longest(
    text: &str,
    fits: impl Fn(&FieldDef, &str) -> bool,
) -> Option<(&'static FieldDef, &str)> {
    all()
        .iter()
        .filter_map(|field| Some((field, text.strip_prefix(field.name)?)))
        .filter(|(field, rest)| fits(field, rest))
        .max_by_key(|(field, _)| field.name.len())
}

fn unknown(text: &str) -> FieldError {
    // A condition's field ends at its argument; an output's anywhere, so take what looks like one.
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric() && !"._".contains(character))
        .unwrap_or(text.len());
    let name = text.get(..end).unwrap_or(text).trim_end_matches('.');
    FieldError::UnknownField {
        name: name.to_owned(),
        suggestion: closest(name, all().iter().map(|field| field.name)),
    }
}

fn bad(field: &FieldDef, argument: &str, expected: &str) -> FieldError {
    FieldError::BadArgument {
        name: field.name,
        argument: argument.to_owned(),
        expected: expected.to_owned(),
    }
}

fn not_bracketed(field: &FieldDef, written: &str) -> FieldError {
    if field.argument == ArgumentRule::None {
        FieldError::UnexpectedArgument {
            name: field.name,
            argument: written.to_owned(),
        }
    } else {
        bad(field, written, field.syntax.usage())
    }
}

/// Characters that an argument has only in quotes.
fn is_unquotable(character: char) -> bool {
    matches!(character, '[' | ']' | '"' | '\'') || character.is_whitespace()
}

/// The argument in brackets at the start of `text` and the length of it all. `None` if it has no
/// end or is empty.
fn bracketed(text: &str) -> Option<(RawArgument<'_>, usize)> {
    let inner = text.strip_prefix('[')?;
    let (argument, inner_length) = if let quote @ ('"' | '\'') = inner.chars().next()? {
        quoted(inner, quote)?
    } else {
        let end = inner.find(is_unquotable).filter(|&end| end > 0)?;
        (inner.get(..end)?.to_owned(), end)
    };
    inner.get(inner_length..)?.strip_prefix(']')?;
    let length = inner_length + 2;
    let written = text.get(..length)?;
    Some((
        RawArgument {
            text: argument,
            written,
        },
        length,
    ))
}

/// Text in quotes, where a backslash takes the next character as it is, and its length.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut argument = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => argument.push(characters.next()?.1),
            _ if character == quote => {
                return (!argument.is_empty()).then_some((argument, index + 1));
            }
            _ => argument.push(character),
        }
    }
    None
}

/// The argument after a dot at the start of `text`. In an output whatever can not belong to it
/// is text again.
fn dotted(text: &str, syntax: ArgumentSyntax) -> Option<RawArgument<'_>> {
    let inner = text.strip_prefix('.')?;
    // Label keys have dots; no other argument has.
    let many = matches!(syntax, ArgumentSyntax::Key | ArgumentSyntax::DottedKey);
    let end = inner
        .find(|character: char| {
            !(character.is_ascii_alphanumeric() || character == '_' || (many && character == '.'))
        })
        .unwrap_or(inner.len());
    let argument = inner.get(..end)?.trim_end_matches('.');
    if argument.is_empty() {
        return None;
    }
    Some(RawArgument {
        text: argument.to_owned(),
        written: text.get(..=argument.len())?,
    })
}

/// Gives the argument its meaning.
fn resolve(
    field: &'static FieldDef,
    raw: Option<RawArgument<'_>>,
) -> Result<(FieldUse, &'static FieldDef), FieldError> {
    let found = |argument| FieldUse {
        name: field.name,
        argument,
    };
    let Some(raw) = raw else {
        if field.argument == ArgumentRule::Required {
            return Err(FieldError::MissingArgument {
                name: field.name,
                usage: field.syntax.usage(),
            });
        }
        return Ok((found(FieldArgument::None), field));
    };
    let text = raw.text;
    let argument = match field.syntax {
        ArgumentSyntax::None => {
            return Err(FieldError::UnexpectedArgument {
                name: field.name,
                argument: raw.written.to_owned(),
            });
        }
        ArgumentSyntax::Index => match text.parse() {
            Ok(index) => FieldArgument::Index(index),
            Err(_) => return Err(bad(field, &text, "a number")),
        },
        ArgumentSyntax::IndexOrKey | ArgumentSyntax::EventType => text
            .parse()
            .map_or(FieldArgument::Key(text), FieldArgument::Index),
        ArgumentSyntax::Name | ArgumentSyntax::Key | ArgumentSyntax::DottedKey => {
            FieldArgument::Key(text)
        }
        ArgumentSyntax::Parameter if raw.written.starts_with('[') => {
            let Ok(index) = text.parse() else {
                let expected = format!("a number; by name write {}.{text}", field.name);
                return Err(bad(field, &text, &expected));
            };
            FieldArgument::Index(index)
        }
        ArgumentSyntax::Parameter => {
            parameters::check(&text).map_err(|expected| bad(field, &text, &expected))?;
            FieldArgument::Key(text)
        }
        ArgumentSyntax::ParameterName => {
            let typed =
                parameters::check(&text).map_err(|expected| bad(field, &text, &expected))?;
            return Ok((found(FieldArgument::Key(text)), typed));
        }
        ArgumentSyntax::Side if text == "src" || text == "dst" => FieldArgument::Key(text),
        ArgumentSyntax::Side => return Err(bad(field, &text, field.syntax.usage())),
    };
    Ok((found(argument), field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::registry::{FieldType, PrintFormat};

    fn key(text: &str) -> FieldArgument {
        FieldArgument::Key(text.to_owned())
    }

    #[test]
    fn fields_with_and_without_arguments() {
        let cases = [
            ("proc.name", "proc.name", FieldArgument::None),
            ("proc.aname", "proc.aname", FieldArgument::None),
            ("proc.aname[2]", "proc.aname", FieldArgument::Index(2)),
            ("proc.env[HOME]", "proc.env", key("HOME")),
            ("proc.env[1]", "proc.env", key("1")),
            ("proc.aenv[1]", "proc.aenv", FieldArgument::Index(1)),
            ("proc.aenv[PATH]", "proc.aenv", key("PATH")),
            ("evt.arg.flags", "evt.arg", key("flags")),
            ("evt.arg[1]", "evt.arg", FieldArgument::Index(1)),
            ("evt.args", "evt.args", FieldArgument::None),
            ("evt.type.is.open", "evt.type.is", key("open")),
            ("evt.type.is.3", "evt.type.is", FieldArgument::Index(3)),
            ("evt.abspath", "evt.abspath", FieldArgument::None),
            ("evt.abspath.src", "evt.abspath", key("src")),
            ("container.label[x]", "container.label", key("x")),
            ("container.label.a.b/c-d", "container.label", key("a.b/c-d")),
            (
                "container.label[\"a \\\"b\"]",
                "container.label",
                key("a \"b"),
            ),
            ("container.labels", "container.labels", FieldArgument::None),
            (
                "container.mount.dest[/proc*]",
                "container.mount.dest",
                key("/proc*"),
            ),
            (
                "container.mount[0]",
                "container.mount",
                FieldArgument::Index(0),
            ),
            ("static.cluster", "static", key("cluster")),
            ("fd.name_changed", "fd.name_changed", FieldArgument::None),
            ("thread.cgroup.cpu", "thread.cgroup", key("cpu")),
        ];
        for (text, name, argument) in cases {
            let (field_use, field) = parse_field(text).unwrap();
            assert_eq!(field_use, FieldUse { name, argument }, "{text}");
            assert_eq!(field.name, name, "{text}");
        }
    }

    #[test]
    fn raw_arguments_have_the_type_of_the_parameter() {
        let cases = [
            ("evt.rawarg.flags", FieldType::Uint, PrintFormat::Hex),
            ("evt.rawarg.res", FieldType::Int, PrintFormat::Decimal),
            ("evt.rawarg.path", FieldType::Text, PrintFormat::Decimal),
            ("evt.rawarg.mode", FieldType::Uint, PrintFormat::Octal),
        ];
        for (text, field_type, print) in cases {
            let (_, field) = parse_field(text).unwrap();
            assert_eq!(
                (field.field_type, field.print),
                (field_type, print),
                "{text}"
            );
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let cases = [
            (
                "proc.nmae",
                "unknown field 'proc.nmae'; did you mean 'proc.name'?",
            ),
            (
                "proc.namex",
                "unknown field 'proc.namex'; did you mean 'proc.name'?",
            ),
            (
                "nothing.like.it.here",
                "unknown field 'nothing.like.it.here'",
            ),
            ("", "unknown field ''"),
            (
                "evt.arg",
                "field 'evt.arg' needs an argument: evt.arg.PARAMETER or [NUMBER]",
            ),
            (
                "proc.name[1]",
                "field 'proc.name' takes no argument: remove '[1]'",
            ),
            (
                "proc.aname[x]",
                "bad argument 'x' of field 'proc.aname': expected a number",
            ),
            (
                "proc.aname[2",
                "bad argument '[2' of field 'proc.aname': expected [NUMBER]",
            ),
            (
                "proc.aname[]",
                "bad argument '[]' of field 'proc.aname': expected [NUMBER]",
            ),
            (
                "proc.aname[2]x",
                "bad argument '[2]x' of field 'proc.aname': expected [NUMBER]",
            ),
            (
                "evt.arg.flgs",
                "bad argument 'flgs' of field 'evt.arg': expected a parameter of an event; did you mean 'flags'?",
            ),
            (
                "evt.arg[flags]",
                "bad argument 'flags' of field 'evt.arg': expected a number; by name write evt.arg.flags",
            ),
            (
                "evt.abspath.up",
                "bad argument 'up' of field 'evt.abspath': expected .src or .dst",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(
                parse_field(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
    }

    #[test]
    fn the_longest_prefix_is_the_field() {
        let cases = [
            ("proc.name of", Some(9)),
            ("proc.names", Some(9)),
            ("proc.name.", Some(9)),
            ("proc.name[proc.pid]", Some(9)),
            ("fd.name_changed", Some(15)),
            ("proc.aname[2] x", Some(13)),
            ("proc.aname.", Some(10)),
            ("evt.arg.flags.", Some(13)),
            ("evt.args", Some(8)),
            ("evt.arg ", None),
            ("container.label.a.b. c", Some(19)),
            ("static.key=1", Some(10)),
            ("proc.aname[", None),
            ("\u{e9}", None),
        ];
        for (text, expected) in cases {
            assert_eq!(field_prefix(text), expected, "{text}");
        }
    }
}
