//! A condition as a tree, as it was written.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A condition or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// All of them hold; at least two.
    And(Vec<Expression>),
    /// One of them holds; at least two.
    Or(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
    /// A macro's name.
    Macro(Name),
    /// A test of a field. Macros repeat it in many conditions.
    Comparison(Arc<Comparison>),
}

impl Expression {
    /// The fields that it names, as written; some perhaps twice.
    pub fn fields(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::And(parts) | Self::Or(parts) => Box::new(parts.iter().flat_map(Self::fields)),
            Self::Not(inner) => inner.fields(),
            Self::Macro(_) => Box::new(std::iter::empty()),
            Self::Comparison(comparison) => {
                let right = match &comparison.right {
                    Right::Operand(operand) => Some(operand),
                    _ => None,
                };
                Box::new(
                    std::iter::once(&comparison.left)
                        .chain(right)
                        .flat_map(Operand::fields),
                )
            }
        }
    }
}

/// A name and where it starts in the condition.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Bytes from the start of the condition.
    pub offset: usize,
}

impl PartialEq for Name {
    /// Where it stands does not make it another.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Name {}

/// A value in a condition, quotes and escapes resolved, and where it starts in the condition.
#[derive(Clone, Debug)]
pub struct Literal {
    /// Its bytes; `\xHH` makes it any but NUL.
    pub bytes: Vec<u8>,
    /// Bytes from the start of the condition.
    pub offset: usize,
}

impl Literal {
    /// As text, for numbers, addresses, patterns and messages.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

impl PartialEq for Literal {
    /// Where it stands does not make it another.
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Literal {}

/// `LEFT OPERATOR RIGHT`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What is tested.
    pub left: Operand,
    /// How.
    pub operator: Operator,
    /// `oneof`, `anyof` or `allof` before a list.
    pub modifier: Option<Modifier>,
    /// With what.
    pub right: Right,
}

/// What gives a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A field with its argument, as written.
    Field(Name),
    /// A function of other values.
    Transformer {
        /// Which.
        name: Name,
        /// Of what.
        arguments: Vec<TransformerArgument>,
        /// What stands in brackets behind it (`getopt(...)[x]`).
        index: Option<String>,
    },
}

impl Operand {
    /// The fields that it names, as written.
    fn fields(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Field(name) => Box::new(std::iter::once(name.text.as_str())),
            Self::Transformer { arguments, .. } => {
                Box::new(arguments.iter().flat_map(TransformerArgument::fields))
            }
        }
    }

    /// Bytes from the start of the condition.
    pub fn offset(&self) -> usize {
        match self {
            Self::Field(name) | Self::Transformer { name, .. } => name.offset,
        }
    }
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransformerArgument {
    /// A field or another transformer.
    Operand(Operand),
    /// Quoted text.
    Text(String),
    /// A number, as written.
    Number(Name),
    /// A list of the former.
    List(Vec<TransformerArgument>),
}

impl TransformerArgument {
    fn fields(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Operand(operand) => operand.fields(),
            Self::List(items) => Box::new(items.iter().flat_map(Self::fields)),
            Self::Text(_) | Self::Number(_) => Box::new(std::iter::empty()),
        }
    }
}

/// What stands right of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: `exists`.
    Nothing,
    /// One value.
    Text(Literal),
    /// Values.
    List(Vec<Literal>),
    /// The value of a field (`val(...)`) or of a transformer.
    Operand(Operand),
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each is named after its spelling in `Operator::ALL`"
)]
pub enum Operator {
    Exists,
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    Glob,
    GlobIgnoringCase,
    Contains,
    ContainsIgnoringCase,
    BytesContain,
    StartsWith,
    BytesStartWith,
    EndsWith,
    Regex,
    Intersects,
    In,
    PathMatch,
}

impl Operator {
    /// Every operator with its spelling, in the order in which a text is tried against them.
    pub const ALL: [(&'static str, Self); 20] = [
        ("exists", Self::Exists),
        ("<=", Self::LessOrEqual),
        ("<", Self::Less),
        (">=", Self::GreaterOrEqual),
        (">", Self::Greater),
        ("==", Self::Equal),
        ("=", Self::Equal),
        ("!=", Self::NotEqual),
        ("glob", Self::Glob),
        ("iglob", Self::GlobIgnoringCase),
        ("contains", Self::Contains),
        ("icontains", Self::ContainsIgnoringCase),
        ("bcontains", Self::BytesContain),
        ("startswith", Self::StartsWith),
        ("bstartswith", Self::BytesStartWith),
        ("endswith", Self::EndsWith),
        ("regex", Self::Regex),
        ("intersects", Self::Intersects),
        ("in", Self::In),
        ("pmatch", Self::PathMatch),
    ];

    /// The spelling; of two, the shorter.
    pub fn spelling(self) -> &'static str {
        match self {
            Self::Equal => "=",
            other => Self::ALL
                .iter()
                .find(|(_, operator)| *operator == other)
                .map_or("", |(text, _)| text),
        }
    }

    /// `<`, `<=`, `>`, `>=`: takes a number.
    pub fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::LessOrEqual | Self::Less | Self::GreaterOrEqual | Self::Greater
        )
    }

    /// `in`, `intersects`, `pmatch`: takes a list.
    pub fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::Intersects | Self::PathMatch)
    }
}

/// How many elements of a list have to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// Exactly one.
    OneOf,
    /// At least one.
    AnyOf,
    /// Every one.
    AllOf,
}

impl Modifier {
    /// Every modifier with its spelling.
    pub const ALL: [(&'static str, Self); 3] = [
        ("oneof", Self::OneOf),
        ("anyof", Self::AnyOf),
        ("allof", Self::AllOf),
    ];

    /// The spelling.
    pub fn spelling(self) -> &'static str {
        match self {
            Self::OneOf => "oneof",
            Self::AnyOf => "anyof",
            Self::AllOf => "allof",
        }
    }
}

/// Whether a character may be in a value without quotes.
pub(super) fn is_bare(character: char) -> bool {
    !character.is_ascii_whitespace() && !"()\"'=,".contains(character) && character != '\u{b}'
}

impl fmt::Display for Expression {
    /// The canonical form: every `and` and `or` in parentheses, one space between words.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], word: &str, formatter: &mut fmt::Formatter<'_>| {
            formatter.write_str("(")?;
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(formatter, " {word} ")?;
                }
                write!(formatter, "{part}")?;
            }
            formatter.write_str(")")
        };
        match self {
            Self::And(parts) => joined(parts, "and", formatter),
            Self::Or(parts) => joined(parts, "or", formatter),
            Self::Not(inner) => write!(formatter, "not {inner}"),
            // Followed by a blank it would be the operator.
            Self::Macro(name) if name.text == "not" => formatter.write_str("(not)"),
            Self::Macro(name) => formatter.write_str(&name.text),
            Self::Comparison(comparison) => write!(formatter, "{comparison}"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.left, self.operator.spelling())?;
        if let Some(modifier) = self.modifier {
            write!(formatter, " {}", modifier.spelling())?;
        }
        match &self.right {
            Right::Nothing => Ok(()),
            Right::Text(value) => write!(formatter, " {value}"),
            Right::List(values) => {
                formatter.write_str(" (")?;
                for (index, value) in values.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(formatter, "{comma}{value}")?;
                }
                formatter.write_str(")")
            }
            Right::Operand(operand @ Operand::Field(_)) => write!(formatter, " val({operand})"),
            Right::Operand(operand) => write!(formatter, " {operand}"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => formatter.write_str(&name.text),
            Self::Transformer {
                name,
                arguments,
                index,
            } => {
                write!(formatter, "{}({})", name.text, Arguments(arguments))?;
                match index {
                    Some(index) => write!(formatter, "[{index}]"),
                    None => Ok(()),
                }
            }
        }
    }
}

struct Arguments<'a>(&'a [TransformerArgument]);

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, argument) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            match argument {
                TransformerArgument::Operand(operand) => write!(formatter, "{operand}")?,
                TransformerArgument::Text(text) => write_quoted(text.as_bytes(), formatter)?,
                TransformerArgument::Number(number) => formatter.write_str(&number.text)?,
                TransformerArgument::List(list) => write!(formatter, "({})", Arguments(list))?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Literal {
    /// In quotes only if it has to be.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A control character may be a blank where a value starts.
        let is_plain = |character: char| is_bare(character) && !character.is_ascii_control();
        match std::str::from_utf8(&self.bytes) {
            Ok(text)
                if !text.is_empty()
                    && !Modifier::ALL.iter().any(|(word, _)| *word == text)
                    && text.chars().all(is_plain) =>
            {
                formatter.write_str(text)
            }
            _ => write_quoted(&self.bytes, formatter),
        }
    }
}

fn write_quoted(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_str("\"")?;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => formatter.write_str("\\\"")?,
                '\\' => formatter.write_str("\\\\")?,
                '\n' => formatter.write_str("\\n")?,
                '\r' => formatter.write_str("\\r")?,
                '\t' => formatter.write_str("\\t")?,
                control if control.is_ascii_control() => {
                    write!(formatter, "\\x{:02x}", u32::from(control))?;
                }
                other => write!(formatter, "{other}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(formatter, "\\x{byte:02x}")?;
        }
    }
    formatter.write_str("\"")
}
