//! A text that remembers where each part of it came from, through appending and the expansion of
//! lists, so that what is wrong with it can be shown in the file.

use std::ops::Range;
use std::sync::Arc;

use super::report::{Place, Position};
use super::yaml::Node;

/// A file's name and text.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) name: Arc<str>,
    pub(super) text: Arc<str>,
}

/// A text with its origins.
#[derive(Clone, Debug)]
pub(super) struct TracedText {
    text: String,
    /// In order of `start`; the first starts at 0.
    spans: Vec<Span>,
}

/// From `start` to the next span the text is this part of a scalar.
#[derive(Clone, Debug)]
struct Span {
    start: usize,
    scalar: Arc<Scalar>,
    offset: usize,
    /// The text stands in for the word at `offset`; otherwise it is a copy from there on.
    replaced: bool,
}

/// A scalar of a YAML file.
#[derive(Debug)]
struct Scalar {
    file: Arc<SourceFile>,
    /// Where it starts.
    position: Position,
    text: String,
}

impl TracedText {
    /// A scalar of a file.
    pub(super) fn new(file: &Arc<SourceFile>, node: &Node, text: &str) -> Self {
        let scalar = Arc::new(Scalar {
            file: Arc::clone(file),
            position: node.position,
            text: text.to_owned(),
        });
        Self {
            text: text.to_owned(),
            spans: vec![Span {
                start: 0,
                scalar,
                offset: 0,
                replaced: false,
            }],
        }
    }

    /// No text yet, for text that belongs to the start of another.
    pub(super) fn empty_at_start_of(other: &Self) -> Self {
        let mut spans: Vec<Span> = other.spans.first().cloned().into_iter().collect();
        for span in &mut spans {
            span.replaced = true;
        }
        Self {
            text: String::new(),
            spans,
        }
    }

    /// Adds text that stands for the whole scalar.
    pub(super) fn push_replacement_of_all(&mut self, text: &str) {
        for span in &mut self.spans {
            span.replaced = true;
        }
        self.text.push_str(text);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Adds text that stands for nothing in a file; it counts to what is before it.
    pub(super) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a part of another.
    pub(super) fn push_part(&mut self, other: &Self, range: Range<usize>) {
        let first = other.span_at(range.start);
        for (index, span) in other.spans.iter().enumerate().skip(first) {
            if span.start >= range.end && index > first {
                break;
            }
            let skipped = range.start.saturating_sub(span.start);
            let offset = if span.replaced { 0 } else { skipped };
            self.spans.push(Span {
                start: self.text.len() + span.start.saturating_sub(range.start),
                scalar: Arc::clone(&span.scalar),
                offset: span.offset + offset,
                replaced: span.replaced,
            });
        }
        self.text.push_str(&other.text[range]);
    }

    /// Adds all of another.
    pub(super) fn push(&mut self, other: &Self) {
        self.push_part(other, 0..other.text.len());
    }

    /// Adds text that replaces what stands at an offset of another.
    pub(super) fn push_replacement(&mut self, text: &str, other: &Self, offset: usize) {
        let start = self.text.len();
        self.push_part(other, offset..offset);
        if let Some(span) = self.spans.last_mut() {
            span.start = start;
            span.replaced = true;
        }
        self.text.push_str(text);
    }

    fn span_at(&self, offset: usize) -> usize {
        self.spans
            .partition_point(|span| span.start <= offset)
            .saturating_sub(1)
    }

    /// Where in a file the text at an offset stands.
    pub(super) fn place(&self, offset: usize) -> Place {
        let Some(span) = self.spans.get(self.span_at(offset)) else {
            return Place::default();
        };
        let skipped = if span.replaced {
            0
        } else {
            offset.saturating_sub(span.start)
        };
        Place {
            file: Arc::clone(&span.scalar.file.name),
            position: span.scalar.position_of(span.offset + skipped),
        }
    }
}

impl Scalar {
    /// Where in the file a byte of the scalar stands.
    ///
    /// YAML changes nothing but blanks in a plain or block scalar, so counting the other characters
    /// finds the place. Where an escape of a quoted scalar breaks that, the place is the last one
    /// found.
    fn position_of(&self, offset: usize) -> Position {
        if self.text.is_empty() {
            return self.position;
        }
        let mut source = Walk::new(&self.file.text, self.position);
        source.enter_scalar();
        let mut found = source.position;
        for (index, wanted) in self.text.char_indices() {
            if wanted.is_whitespace() {
                if index >= offset {
                    return found;
                }
                continue;
            }
            source.skip_blanks();
            match source.next() {
                Some((position, character)) if character == wanted => found = position,
                _ => return found,
            }
            if index >= offset {
                return found;
            }
        }
        // Behind the last character.
        Position {
            column: found.column + 1,
            ..found
        }
    }
}

/// Walks over a file's characters from a position on.
struct Walk<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    position: Position,
}

impl<'t> Walk<'t> {
    fn new(text: &'t str, position: Position) -> Self {
        let line = text
            .split_inclusive('\n')
            .take(position.line.saturating_sub(1))
            .map(str::len)
            .sum();
        let rest = text.get(line..).unwrap_or_default();
        let mut walk = Self {
            rest: rest.chars().peekable(),
            position: Position {
                column: 1,
                ..position
            },
        };
        while walk.position.column < position.column && walk.next().is_some() {}
        walk
    }

    fn next(&mut self) -> Option<(Position, char)> {
        let here = self.position;
        let character = self.rest.next()?;
        if character == '\n' {
            self.position.line += 1;
            self.position.column = 1;
        } else {
            self.position.column += 1;
        }
        Some((here, character))
    }

    fn skip_blanks(&mut self) {
        while self.rest.peek().is_some_and(|next| next.is_whitespace()) {
            self.next();
        }
    }

    /// Skips a quote, or the line that announces a block.
    fn enter_scalar(&mut self) {
        match self.rest.peek() {
            Some('"' | '\'') => {
                self.next();
            }
            Some('>' | '|') => while self.next().is_some_and(|(_, character)| character != '\n') {},
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::yaml;

    fn scalar(text: &str, key: &str) -> TracedText {
        let file = Arc::new(SourceFile {
            name: "f".into(),
            text: text.into(),
        });
        let documents = yaml::parse(text).unwrap();
        let node = documents[0].get(key).unwrap();
        TracedText::new(&file, node, node.scalar().unwrap())
    }

    fn at(text: &TracedText, word: &str) -> (usize, usize) {
        let offset = text.as_str().find(word).unwrap();
        let Position { line, column } = text.place(offset).position;
        (line, column)
    }

    #[test]
    fn every_style_of_scalar_is_found_in_the_file() {
        for (text, expected) in [
            ("x: 1\nc: a and word", (2, 10)),
            ("c: \"a and word\"", (1, 11)),
            ("c: 'a and word'", (1, 11)),
            ("c: >\n  a and\n  word or b\n", (3, 3)),
            ("c: |-\n    a and\n\n    (word or b)\n", (4, 6)),
            ("c: a and\n   word\n", (2, 4)),
        ] {
            assert_eq!(at(&scalar(text, "c"), "word"), expected, "{text:?}");
        }
    }

    #[test]
    fn appended_and_replaced_text_keeps_its_origin() {
        let base = scalar("c: first part", "c");
        let more = scalar("x: 1\ny: 2\nc: or list end", "c");
        let mut text = base.clone();
        text.push_str(" ");
        text.push(&more);
        assert_eq!(at(&text, "part"), (1, 10));
        assert_eq!(at(&text, "list"), (3, 7));
        let list = text.as_str().find("list").unwrap();
        let mut expanded = TracedText::empty_at_start_of(&text);
        expanded.push_part(&text, 0..list);
        expanded.push_replacement("a, b, c", &text, list);
        expanded.push_part(&text, list + 4..text.as_str().len());
        assert_eq!(expanded.as_str(), "first part or a, b, c end");
        for (word, expected) in [
            ("part", (1, 10)),
            ("a, b", (3, 7)),
            ("c end", (3, 7)),
            ("end", (3, 12)),
        ] {
            assert_eq!(at(&expanded, word), expected, "{word}");
        }
    }
}
