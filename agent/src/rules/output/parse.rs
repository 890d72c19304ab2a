//! Text to output format.

use super::{Buffers, Expression, Field, Listed, OutputError, OutputFormat, Piece, render};
use crate::fields::FieldUse;
use crate::fields::registry::{FieldType, parse_prefix};
use crate::rules::transformer::{Transformer, ValueType};

/// How deep transformers may stand in one another, as in Falco's outputs.
const DEEPEST: usize = 100;
/// The widest padding; a wider one is a typing error and would only cost memory.
const WIDEST: usize = 1024;

pub(super) fn parse(text: &str) -> Result<OutputFormat, OutputError> {
    let end = text.trim_end().len();
    let mut parser = Parser {
        text: text.get(..end).unwrap_or(text),
        position: usize::from(text.starts_with('*')),
        format: OutputFormat {
            pieces: Vec::new(),
            fields: Vec::new(),
            listed: Vec::new(),
            container_info: false,
            buffers: Buffers::default(),
        },
    };
    parser.pieces()?;
    Ok(parser.format)
}

struct Parser<'t> {
    text: &'t str,
    position: usize,
    format: OutputFormat,
}

impl<'t> Parser<'t> {
    fn pieces(&mut self) -> Result<(), OutputError> {
        while !self.rest().is_empty() {
            let rest = self.rest();
            let plain = rest.find('%').unwrap_or(rest.len());
            if plain > 0 {
                let text = rest.get(..plain).unwrap_or(rest).to_owned();
                self.format.pieces.push(Piece::Text(text));
                self.position += plain;
            } else {
                self.token()?;
            }
        }
        Ok(())
    }

    /// What follows a `%`.
    fn token(&mut self) -> Result<(), OutputError> {
        let start = self.position;
        self.position += 1;
        let width = self.width()?;
        if !self
            .rest()
            .starts_with(|character: char| character.is_ascii_alphabetic())
        {
            return Err(OutputError {
                message: "expected a field or a transformer after '%', which cannot be escaped: \
                          remove it or write 'percent'"
                    .to_owned(),
                offset: start,
            });
        }
        if self.container_info() {
            return Ok(());
        }
        let (expression, _) = match self.transformer() {
            Some(transformer) => self.call(transformer, 0)?,
            None => self.field(false)?,
        };
        self.format.pieces.push(Piece::Token { width, expression });
        Ok(())
    }

    fn width(&mut self) -> Result<Option<usize>, OutputError> {
        let rest = self.rest();
        let end = rest
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(width @ 0..=WIDEST) => {
                self.position += end;
                // No width and zero width are the same to Falco.
                Ok((width > 0).then_some(width))
            }
            _ => Err(self.error(format!("the width {digits} is more than {WIDEST}"))),
        }
    }

    fn container_info(&mut self) -> bool {
        let found = self
            .rest()
            .strip_prefix("container.info")
            .is_some_and(|after| {
                !after.starts_with(|character: char| {
                    character.is_ascii_alphanumeric() || character == '_'
                })
            });
        if found {
            self.format.container_info = true;
            self.position += "container.info".len();
        }
        found
    }

    /// The transformer that a call starts with here.
    fn transformer(&self) -> Option<Transformer> {
        let (name, _) = self.rest().split_once('(')?;
        Transformer::from_name(name)
    }

    /// `name(argument, ..)`, the name known.
    fn call(
        &mut self,
        transformer: Transformer,
        depth: usize,
    ) -> Result<(Expression, ValueType), OutputError> {
        let start = self.position;
        if depth >= DEEPEST {
            return Err(self.error(format!("more than {DEEPEST} transformers in one another")));
        }
        self.position += transformer.name().len() + 1;
        let mut arguments = Vec::new();
        let mut types = Vec::new();
        loop {
            self.blanks();
            let (argument, argument_type) = self.argument(depth + 1)?;
            arguments.push(argument);
            types.push(argument_type);
            self.blanks();
            if self.take(')') {
                break;
            }
            self.expect(',', "',' or ')' after an argument")?;
        }
        let option = if transformer == Transformer::Getopt && self.take('[') {
            let rest = self.rest();
            let option: String = rest.chars().take(1).collect();
            self.position += option.len();
            self.expect(']', "one option's letter and ']'")?;
            Some(option)
        } else {
            None
        };
        let result = transformer
            .result(&types, option.is_some())
            .map_err(|error| OutputError {
                message: error.to_string(),
                offset: start,
            })?;
        let input = types.first().map_or(FieldType::Text, |one| one.field_type);
        let call = Expression::Call {
            transformer,
            input,
            arguments,
            option,
        };
        Ok((call, result))
    }

    fn argument(&mut self, depth: usize) -> Result<(Expression, ValueType), OutputError> {
        if self.take('(') {
            let mut elements = Vec::new();
            self.blanks();
            while !self.take(')') {
                if !elements.is_empty() {
                    self.expect(',', "',' or ')' after an element of a list")?;
                    self.blanks();
                }
                elements.push(self.item(depth)?.0);
                self.blanks();
            }
            return Ok((Expression::List(elements), ValueType::list(FieldType::Text)));
        }
        self.item(depth)
    }

    fn item(&mut self, depth: usize) -> Result<(Expression, ValueType), OutputError> {
        if let Some(transformer) = self.transformer() {
            return self.call(transformer, depth);
        }
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => Ok((
                Expression::Text(self.quoted(quote)?),
                ValueType::scalar(FieldType::Text),
            )),
            Some('0'..='9' | '-' | '+') => Ok((
                Expression::Number(self.number()?),
                ValueType::scalar(FieldType::Int),
            )),
            _ => self.field(true),
        }
    }

    fn field(&mut self, transformed: bool) -> Result<(Expression, ValueType), OutputError> {
        let (field_use, definition, consumed) =
            parse_prefix(self.rest()).map_err(|error| self.error(error.to_string()))?;
        if definition.filter_only {
            return Err(self.error(format!(
                "field '{}' is only for conditions; print one end, such as '{}' or '{}'",
                definition.name,
                definition.name.replacen('.', ".c", 1),
                definition.name.replacen('.', ".s", 1)
            )));
        }
        if transformed && definition.no_transformers {
            return Err(self.error(format!("field '{}' cannot be transformed", definition.name)));
        }
        let written = self.rest().get(..consumed).unwrap_or_default().to_owned();
        self.position += consumed;
        self.read(&field_use);
        let field = Field {
            field_use,
            definition,
        };
        if render::is_clock(definition.name) {
            self.read(&render::RAW_TIME);
        }
        if self.format.listed.iter().all(|(name, _)| *name != written) {
            let listed = Listed::Value(field.clone());
            self.format.listed.push((written, listed));
        }
        let value_type = ValueType {
            field_type: definition.field_type,
            list: definition.list,
        };
        Ok((Expression::Field(field), value_type))
    }

    fn read(&mut self, field: &FieldUse) {
        if !self.format.fields.contains(field) {
            self.format.fields.push(field.clone());
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, OutputError> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, other @ ('\\' | '/' | '"' | '\''))) => text.push(other),
                    _ => {
                        return Err(self.error(
                            "expected one of \\n \\t \\r \\\\ \\/ \\\" \\' in quotes".to_owned(),
                        ));
                    }
                },
                _ if character == quote => {
                    self.position += index + 1;
                    return Ok(text);
                }
                _ => text.push(character),
            }
        }
        Err(self.error(format!("the text has no closing {quote}")))
    }

    fn number(&mut self) -> Result<i64, OutputError> {
        let rest = self.rest();
        let end = rest
            .find(|character: char| !(character.is_ascii_digit() || "+-".contains(character)))
            .unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        let number = digits
            .parse()
            .map_err(|_| self.error(format!("'{digits}' is not a whole number")))?;
        self.position += end;
        Ok(number)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, character: char) -> bool {
        let found = self.rest().starts_with(character);
        if found {
            self.position += character.len_utf8();
        }
        found
    }

    fn expect(&mut self, character: char, expected: &str) -> Result<(), OutputError> {
        if self.take(character) {
            Ok(())
        } else {
            Err(self.error(format!("expected {expected}")))
        }
    }

    fn error(&self, message: String) -> OutputError {
        OutputError {
            message,
            offset: self.position,
        }
    }
}
