//! The tokens of a condition.
//!
//! Which token may come next depends on the place: `in` is an operator behind a field and text behind
//! `=`. So there is no stream of tokens; the parser asks for what the place allows.

use thiserror::Error;

use super::ast::is_bare;

/// Why a condition cannot be understood.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct SyntaxError {
    /// What was expected and what to do.
    pub message: String,
    /// Bytes from the start of the condition.
    pub offset: usize,
}

/// A condition and how far it has been read.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, position: 0 }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> usize {
        self.position
    }

    /// Goes back to an offset that [`Self::offset`] gave.
    pub(super) fn rewind(&mut self, offset: usize) {
        self.position = offset;
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            message: message.into(),
            offset: self.position,
        }
    }

    /// Skips blanks; whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let is_blank = |character: char| " \t\u{8}\r\n".contains(character);
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(is_blank);
        self.position += rest.len() - trimmed.len();
        trimmed.len() < rest.len()
    }

    /// Takes this text if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.position += text.len();
        }
        found
    }

    /// Takes a word if it comes next with a blank behind it, and that blank.
    pub(super) fn take_word_and_blank(&mut self, word: &str) -> bool {
        let start = self.position;
        if self.take(word) && self.blanks() {
            return true;
        }
        self.position = start;
        false
    }

    /// Takes as many characters as satisfy `wanted`.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest
            .find(|character| !wanted(character))
            .unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    /// A name with a dot, and an argument in brackets.
    pub(super) fn field(&mut self) -> Option<&'t str> {
        let length = scan(self.rest());
        (length > 0).then(|| {
            let field = &self.rest()[..length];
            self.position += length;
            field
        })
    }

    /// A letter, then letters, digits and underscores.
    pub(super) fn identifier(&mut self) -> Option<&'t str> {
        if !self
            .rest()
            .starts_with(|first: char| first.is_ascii_alphabetic())
        {
            return None;
        }
        Some(self.take_while(|character| character.is_ascii_alphanumeric() || character == '_'))
    }

    /// What stands in brackets: quoted, or without blanks, quotes and brackets.
    pub(super) fn bracketed(&mut self) -> Result<Option<String>, SyntaxError> {
        if !self.take("[") {
            return Ok(None);
        }
        let inner = match self.quoted()? {
            Some(text) => text,
            None => self
                .take_while(|character| !"][\"'".contains(character) && !character.is_whitespace())
                .to_owned(),
        };
        if inner.is_empty() || !self.take("]") {
            return Err(self.error("expected an argument and then ']'"));
        }
        Ok(Some(inner))
    }

    /// A number, as written.
    pub(super) fn number(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
        if let Some(digits) = hex {
            let length = digits
                .find(|digit: char| !digit.is_ascii_hexdigit())
                .unwrap_or(digits.len());
            if length > 0 {
                self.position += 2 + length;
                return Some(&rest[..2 + length]);
            }
        }
        let start = self.position;
        self.take_while(|_| false);
        if self.rest().starts_with(['+', '-']) {
            self.position += 1;
        }
        if self.take_while(|digit| digit.is_ascii_digit()).is_empty() {
            self.position = start;
            return None;
        }
        if self.take(".") {
            self.take_while(|digit| digit.is_ascii_digit());
        }
        let before_exponent = self.position;
        if (self.take("e") || self.take("E"))
            && (self.take("+") || self.take("-"))
            && !self.take_while(|digit| digit.is_ascii_digit()).is_empty()
        {
            return Some(&self.text[start..self.position]);
        }
        self.position = before_exponent;
        Some(&self.text[start..self.position])
    }

    /// A text in quotes or without; `None` if neither comes next.
    pub(super) fn text(&mut self) -> Result<Option<String>, SyntaxError> {
        if let Some(text) = self.quoted()? {
            return Ok(Some(text));
        }
        let bare = self.take_while(is_bare);
        Ok((!bare.is_empty()).then(|| bare.to_owned()))
    }

    /// A text in quotes, its escapes resolved.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, SyntaxError> {
        let Some(quote) = self
            .rest()
            .chars()
            .next()
            .filter(|first| "\"'".contains(*first))
        else {
            return Ok(None);
        };
        let opening = self.position;
        self.position += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|character| character != quote && character != '\\'));
            let escape = self.position;
            let mut next = self.rest().chars();
            match (next.next(), next.next()) {
                (None, _) => {
                    self.position = opening;
                    return Err(self.error(format!("this text has no closing {quote}")));
                }
                (Some('\\'), Some(escaped)) => {
                    self.position += 1 + escaped.len_utf8();
                    match escaped {
                        'b' => text.push('\u{8}'),
                        'f' => text.push('\u{c}'),
                        'n' => text.push('\n'),
                        'r' => text.push('\r'),
                        't' => text.push('\t'),
                        // A backslash before a space swallows it, in every Falco so far.
                        '\\' | ' ' => text.push('\\'),
                        '/' => text.push('/'),
                        'x' => text.push(self.hexadecimal(escape)?),
                        escaped if escaped == quote => text.push(quote),
                        other => {
                            self.position = escape;
                            return Err(self.error(format!(
                                "'\\{other}' is no escape here: expected one of \\b \\f \\n \\r \\t \\\\ \\/ \\xHH \\{quote}; for a backslash write \\\\"
                            )));
                        }
                    }
                }
                (Some('\\'), None) => return Err(self.error("the text ends within an escape")),
                (Some(_), _) => {
                    self.position += 1;
                    return Ok(Some(text));
                }
            }
        }
    }

    fn hexadecimal(&mut self, escape: usize) -> Result<char, SyntaxError> {
        let digits = self
            .rest()
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match digits {
            Some(0) => Err(SyntaxError {
                message: "a value cannot hold a NUL byte".to_owned(),
                offset: escape,
            }),
            Some(byte) => {
                self.position += 2;
                Ok(char::from(byte))
            }
            None => Err(SyntaxError {
                message: "expected two hexadecimal digits after \\x".to_owned(),
                offset: escape,
            }),
        }
    }
}

/// How many bytes at the start of `text` can be a field: a dotted name, then perhaps an argument in
/// brackets (with quotes or without). The name need not be known. Zero if there is none.
fn scan(text: &str) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

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
