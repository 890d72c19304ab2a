//! Makes hostile text fit for a line of output.
//!
//! What a watched process chooses (names, arguments, paths) ends up in alerts and logs. Nothing in
//! it may end a line early, move a terminal's cursor or turn the reading order around, or the
//! process could forge what an operator reads.

use std::fmt;

/// Whether a character must never be written to a line as it is: control characters (C0, DEL, C1),
/// line and paragraph separators, and the characters that change the direction of text.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Writes one character as JSON escapes it.
pub fn write_escaped(out: &mut dyn fmt::Write, character: char) -> fmt::Result {
    match character {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        other => write!(out, "\\u{:04x}", u32::from(other)),
    }
}

/// Displays text as the inside of a JSON string, with every unprintable character escaped.
#[derive(Clone, Copy, Debug)]
pub struct JsonEscaped<'t>(pub &'t str);

impl fmt::Display for JsonEscaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaping(formatter, self.0, |character| {
            is_unprintable(character) || matches!(character, '"' | '\\')
        })
    }
}

/// A writer that escapes unprintable characters and leaves all others, quotes included.
#[derive(Debug)]
pub struct EscapingWriter<W>(pub W);

impl<W: fmt::Write> fmt::Write for EscapingWriter<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_escaping(&mut self.0, text, is_unprintable)
    }
}

/// Displays text on one line: with every unprintable character escaped, quotes left.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'t>(pub &'t str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaping(formatter, self.0, is_unprintable)
    }
}

fn write_escaping(
    out: &mut dyn fmt::Write,
    text: &str,
    must_escape: impl Fn(char) -> bool,
) -> fmt::Result {
    let mut rest = text;
    while let Some((at, character)) = rest.char_indices().find(|(_, c)| must_escape(*c)) {
        out.write_str(&rest[..at])?;
        write_escaped(out, character)?;
        rest = &rest[at + character.len_utf8()..];
    }
    out.write_str(rest)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn hostile_text_becomes_the_inside_of_a_json_string() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("Zürich ▲", "Zürich ▲"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("say \"hi\" \\ there", r#"say \"hi\" \\ there"#),
            ("\u{1b}[2J\u{7f}\u{0}", r"\u001b[2J\u007f\u0000"),
            ("\u{9b}31m\u{85}", r"\u009b31m\u0085"),
            ("\u{202e}txt\u{2066}\u{200f}", r"\u202etxt\u2066\u200f"),
            ("\u{2028}\u{2029}", r"\u2028\u2029"),
        ] {
            let escaped = JsonEscaped(text).to_string();
            assert_eq!(escaped, expected);
            let back: String = serde_json::from_str(&format!("\"{escaped}\"")).unwrap();
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_log_line_keeps_its_quotes() {
        let mut out = String::new();
        EscapingWriter(&mut out)
            .write_str("a \"b\\c\"\n\u{1b}[m")
            .unwrap();
        assert_eq!(out, "a \"b\\c\"\\n\\u001b[m");
        assert_eq!(OneLine("a \"b\\c\"\n\u{1b}[m").to_string(), out);
    }
}
