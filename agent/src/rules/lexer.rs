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

/// How many bytes at the start of a text are words with dots between them; zero without a dot.
fn dotted_name(text: &str) -> usize {
    let mut length = 0;
    let mut dotted = false;
    while text[length..].starts_with(|first: char| first.is_ascii_alphabetic()) {
        let word = &text[length..];
        let rest = word.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        length += word.len() - rest.len();
        let next = rest.strip_prefix('.').unwrap_or_default();
        if !next.starts_with(|first: char| first.is_ascii_alphabetic()) {
            break;
        }
        dotted = true;
        length += 1;
    }
    if dotted { length } else { 0 }
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

    /// A name with a dot and perhaps an argument in brackets, as written. Whether there is such a
    /// field is not asked.
    pub(super) fn field(&mut self) -> Result<Option<&'t str>, SyntaxError> {
        let start = self.position;
        let length = dotted_name(self.rest());
        if length == 0 {
            return Ok(None);
        }
        self.position += length;
        self.bracketed()?;
        Ok(Some(&self.text[start..self.position]))
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
            Some(text) => String::from_utf8_lossy(&text).into_owned(),
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
    pub(super) fn text(&mut self) -> Result<Option<Vec<u8>>, SyntaxError> {
        if let Some(text) = self.quoted()? {
            return Ok(Some(text));
        }
        let bare = self.take_while(is_bare);
        Ok((!bare.is_empty()).then(|| bare.as_bytes().to_vec()))
    }

    /// A text in quotes, its escapes resolved: any bytes but NUL.
    pub(super) fn quoted(&mut self) -> Result<Option<Vec<u8>>, SyntaxError> {
        let Some(quote) = self.rest().chars().next().filter(|c| "\"'".contains(*c)) else {
            return Ok(None);
        };
        let opening = self.position;
        self.position += 1;
        let mut text = Vec::new();
        loop {
            let plain = self.take_while(|character| character != quote && character != '\\');
            text.extend_from_slice(plain.as_bytes());
            let start = self.position;
            let mut next = self.rest().chars();
            match (next.next(), next.next()) {
                (None, _) => {
                    self.position = opening;
                    return Err(self.error(format!("this text has no closing {quote}")));
                }
                (Some('\\'), Some(escaped)) => {
                    self.position += 1 + escaped.len_utf8();
                    text.push(self.escape(escaped, quote, start)?);
                }
                (Some('\\'), None) => return Err(self.error("the text ends within an escape")),
                (Some(_), _) => {
                    self.position += 1;
                    return Ok(Some(text));
                }
            }
        }
    }

    /// What a backslash with this character behind it stands for.
    fn escape(&mut self, escaped: char, quote: char, start: usize) -> Result<u8, SyntaxError> {
        let error = |message: String| SyntaxError {
            message,
            offset: start,
        };
        Ok(match escaped {
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            // A backslash before a space swallows it, in every Falco so far.
            '\\' | ' ' => b'\\',
            '/' => b'/',
            '"' if quote == '"' => b'"',
            '\'' if quote == '\'' => b'\'',
            'x' => {
                let digits = self.rest().get(..2);
                let is_digits =
                    |digits: &&str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                match digits
                    .filter(is_digits)
                    .map(|digits| u8::from_str_radix(digits, 16))
                {
                    Some(Ok(0)) => return Err(error("a value cannot hold a NUL byte".to_owned())),
                    Some(Ok(byte)) => {
                        self.position += 2;
                        byte
                    }
                    _ => {
                        let message = "expected two hexadecimal digits after \\x";
                        return Err(error(message.to_owned()));
                    }
                }
            }
            other => {
                return Err(error(format!(
                    "'\\{other}' is no escape here: expected one of \\b \\f \\n \\r \\t \\\\ \\/ \\xHH \\{quote}; \
                     for a backslash write \\\\"
                )));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (text, expected) in [
            ("proc.name rest", Some("proc.name")),
            ("proc.aname[2])", Some("proc.aname[2]")),
            ("evt.arg.flags,", Some("evt.arg.flags")),
            ("proc.env[\"a b\"]x", Some("proc.env[\"a b\"]")),
            ("proc.env['a]']x", Some("proc.env['a]']")),
            ("fd.name.", Some("fd.name")),
            ("fd.name.1", Some("fd.name")),
            ("fd.", None),
            ("proc", None),
            ("1a.b", None),
            ("%", None),
        ] {
            assert_eq!(Lexer::new(text).field().unwrap(), expected, "{text}");
        }
        for text in ["proc.env[a b]", "proc.env[", "proc.env[]", "proc.env['a]"] {
            assert!(Lexer::new(text).field().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("12 ", Some("12")),
            ("-1)", Some("-1")),
            ("+1", Some("+1")),
            ("0x1F", Some("0x1F")),
            ("0x", Some("0")),
            ("1.5e+3", Some("1.5e+3")),
            ("1.", Some("1.")),
            ("1e3", Some("1")),
            ("x", None),
            ("-", None),
        ] {
            assert_eq!(Lexer::new(text).number(), expected, "{text}");
        }
    }

    #[test]
    fn escapes() {
        for (text, expected) in [
            (r#""a\"b\t""#, &b"a\"b\t"[..]),
            (r#""a\ b\x41\xff""#, b"a\\bA\xff"),
            (r"'it\'s'", b"it's"),
            (r#""\b\f\n\r\/\\""#, b"\x08\x0c\n\r/\\"),
            ("\"\u{e9}\"", b"\xc3\xa9"),
        ] {
            let found = Lexer::new(text).quoted().unwrap();
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        for text in [
            r#""\'""#,
            r#"'\"'"#,
            r#""\x4""#,
            r#""\x00""#,
            r#""\q""#,
            "\"a",
            "\"a\\",
        ] {
            assert!(Lexer::new(text).quoted().is_err(), "{text}");
        }
    }
}
