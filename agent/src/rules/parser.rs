//! From a condition's text to its tree.

use std::sync::Arc;

use super::ast::{
    Comparison, Expression, Literal, Modifier, Name, Operand, Operator, Right, TransformerArgument,
};
use super::lexer::{Lexer, SyntaxError};
use super::suggestion::did_you_mean;
use super::transformer::Transformer;
use crate::fields::registry::closest;

/// Parentheses may nest so deep, as in Falco.
pub(super) const MAX_NESTING: usize = 1000;
/// Transformers may nest so deep: they do cost stack.
const MAX_TRANSFORMERS: usize = 100;

/// Parses a whole condition.
pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
    if let Some(offset) = text.find('\0') {
        let message = "a condition cannot hold a NUL byte".to_owned();
        return Err(SyntaxError { message, offset });
    }
    let mut parser = Parser {
        lexer: Lexer::new(text),
        depth: 0,
    };
    parser.lexer.blanks();
    if parser.lexer.rest().is_empty() {
        return Err(parser
            .lexer
            .error("the condition is empty: expected a test of a field"));
    }
    let expression = parser.expression()?;
    parser.lexer.blanks();
    if parser.lexer.rest().is_empty() {
        Ok(expression)
    } else {
        Err(parser
            .lexer
            .error("expected 'and', 'or', or the end of the condition"))
    }
}

/// Parses the whole text as what may stand left of an operator: a field or a transformer.
pub(super) fn parse_operand(text: &str) -> Result<Operand, SyntaxError> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        depth: 0,
    };
    parser.lexer.blanks();
    let operand = parser
        .operand()?
        .ok_or_else(|| parser.lexer.error("expected a field or a transformer"))?;
    parser.lexer.blanks();
    if parser.lexer.rest().is_empty() {
        Ok(operand)
    } else {
        Err(parser.lexer.error("expected nothing behind the field"))
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    depth: usize,
}

impl Parser<'_> {
    /// A whole condition, or what it has up to a text that cannot belong to it.
    ///
    /// Parentheses are levels on a list and not calls: how deep they nest costs no stack.
    fn expression(&mut self) -> Result<Expression, SyntaxError> {
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level::default();
        loop {
            level.negated ^= self.negations();
            if self.lexer.rest().starts_with('(') {
                if outer.len() == MAX_NESTING {
                    return Err(self.lexer.error(format!(
                        "more than {MAX_NESTING} parentheses inside of each other"
                    )));
                }
                self.lexer.take("(");
                outer.push(std::mem::take(&mut level));
                continue;
            }
            let mut part = self.check()?;
            loop {
                level.add(part);
                if self.connective("and")? {
                    break;
                }
                if self.connective("or")? {
                    level.next_alternative();
                    break;
                }
                let whole = level.finish();
                let Some(enclosing) = outer.pop() else {
                    return Ok(whole);
                };
                self.lexer.blanks();
                if !self.lexer.take(")") {
                    return Err(self.lexer.error("expected ')', 'and' or 'or'"));
                }
                part = whole;
                level = enclosing;
            }
        }
    }

    /// Whether `word` comes next, as a connective: a blank or a parenthesis has to follow it.
    fn connective(&mut self, word: &str) -> Result<bool, SyntaxError> {
        let start = self.lexer.offset();
        self.lexer.blanks();
        if self.lexer.take(word) {
            if self.lexer.rest().starts_with('(') || self.lexer.blanks() {
                return Ok(true);
            }
            if self.lexer.rest().is_empty() {
                return Err(self
                    .lexer
                    .error(format!("expected a condition after '{word}'")));
            }
        }
        self.lexer.rewind(start);
        Ok(false)
    }

    /// Takes every `not` that comes next; whether they negate.
    fn negations(&mut self) -> bool {
        let mut negated = false;
        loop {
            self.lexer.blanks();
            let start = self.lexer.offset();
            let is_not = self.lexer.take("not");
            if is_not && (self.lexer.rest().starts_with('(') || self.lexer.blanks()) {
                negated = !negated;
            } else {
                self.lexer.rewind(start);
                return negated;
            }
        }
    }

    /// A comparison or a macro's name.
    fn check(&mut self) -> Result<Expression, SyntaxError> {
        if let Some(left) = self.operand()? {
            return self
                .comparison(left)
                .map(|comparison| Expression::Comparison(Arc::new(comparison)));
        }
        let offset = self.lexer.offset();
        match self.lexer.identifier() {
            Some(name) => Ok(Expression::Macro(Name {
                text: name.to_owned(),
                offset,
            })),
            None => Err(self
                .lexer
                .error("expected a test such as proc.name = x, a macro's name, 'not', or '('")),
        }
    }

    /// A field or a transformer; `None` if neither comes next.
    fn operand(&mut self) -> Result<Option<Operand>, SyntaxError> {
        let offset = self.lexer.offset();
        if let Some(field) = self.lexer.field()? {
            return Ok(Some(Operand::Field(Name {
                text: field.to_owned(),
                offset,
            })));
        }
        self.transformer()
    }

    fn transformer(&mut self) -> Result<Option<Operand>, SyntaxError> {
        let offset = self.lexer.offset();
        let known = self
            .lexer
            .identifier()
            .filter(|name| Transformer::from_name(name).is_some());
        let Some(name) = known.filter(|_| self.lexer.take("(")) else {
            self.lexer.rewind(offset);
            return Ok(None);
        };
        self.depth += 1;
        if self.depth > MAX_TRANSFORMERS {
            return Err(self.lexer.error(format!(
                "more than {MAX_TRANSFORMERS} transformers inside of each other"
            )));
        }
        let mut arguments = Vec::new();
        loop {
            arguments.push(self.transformer_argument()?);
            self.lexer.blanks();
            if !self.lexer.take(",") {
                break;
            }
        }
        if !self.lexer.take(")") {
            return Err(self
                .lexer
                .error("expected ',' or ')' in the transformer's arguments"));
        }
        self.depth -= 1;
        let index = self.lexer.bracketed()?;
        Ok(Some(Operand::Transformer {
            name: Name {
                text: name.to_owned(),
                offset,
            },
            arguments,
            index,
        }))
    }

    fn transformer_argument(&mut self) -> Result<TransformerArgument, SyntaxError> {
        self.lexer.blanks();
        if self.lexer.take("(") {
            let mut items = Vec::new();
            self.lexer.blanks();
            if self.lexer.take(")") {
                return Ok(TransformerArgument::List(items));
            }
            loop {
                items.push(self.transformer_item()?);
                self.lexer.blanks();
                if self.lexer.take(")") {
                    return Ok(TransformerArgument::List(items));
                }
                if !self.lexer.take(",") {
                    return Err(self.lexer.error("expected ',' or ')' in the list"));
                }
            }
        }
        self.transformer_item()
    }

    fn transformer_item(&mut self) -> Result<TransformerArgument, SyntaxError> {
        self.lexer.blanks();
        let offset = self.lexer.offset();
        if let Some(operand) = self.operand()? {
            return Ok(TransformerArgument::Operand(operand));
        }
        if let Some(text) = self.lexer.quoted()? {
            let text = String::from_utf8(text)
                .map_err(|_| self.lexer.error("a transformer's text has to be UTF-8"))?;
            return Ok(TransformerArgument::Text(text));
        }
        match self.lexer.number() {
            Some(number) => Ok(TransformerArgument::Number(Name {
                text: number.to_owned(),
                offset,
            })),
            None => Err(self
                .lexer
                .error("expected a field, a transformer, a quoted text or a number")),
        }
    }

    fn comparison(&mut self, left: Operand) -> Result<Comparison, SyntaxError> {
        self.lexer.blanks();
        let operator = self.operator()?;
        if operator == Operator::Exists {
            return Ok(Comparison {
                left,
                operator,
                modifier: None,
                right: Right::Nothing,
            });
        }
        self.lexer.blanks();
        if let Some(right) = self.right_operand()? {
            return Ok(Comparison {
                left,
                operator,
                modifier: None,
                right: Right::Operand(right),
            });
        }
        let offset = self.lexer.offset();
        if operator.is_ordering() {
            let Some(number) = self.lexer.number() else {
                return Err(self
                    .lexer
                    .error(format!("expected a number after '{}'", operator.spelling())));
            };
            let right = Right::Text(Literal {
                bytes: number.as_bytes().to_vec(),
                offset,
            });
            return Ok(Comparison {
                left,
                operator,
                modifier: None,
                right,
            });
        }
        let modifier = if operator.takes_list() {
            None
        } else {
            self.modifier()
        };
        if operator.takes_list() || modifier.is_some() {
            let right = Right::List(self.list(operator)?);
            return Ok(Comparison {
                left,
                operator,
                modifier,
                right,
            });
        }
        let text = self.lexer.text()?.ok_or_else(|| {
            self.lexer
                .error(format!("expected a value after '{}'", operator.spelling()))
        })?;
        Ok(Comparison {
            left,
            operator,
            modifier,
            right: Right::Text(Literal {
                bytes: text,
                offset,
            }),
        })
    }

    fn operator(&mut self) -> Result<Operator, SyntaxError> {
        for (spelling, operator) in Operator::ALL {
            let start = self.lexer.offset();
            if !self.lexer.take(spelling) {
                continue;
            }
            // A word that takes a text needs a blank, or it is only the start of another word.
            let is_text_word = spelling.starts_with(|first: char| first.is_ascii_alphabetic())
                && operator != Operator::Exists
                && !operator.takes_list();
            if !is_text_word || self.lexer.blanks() {
                return Ok(operator);
            }
            self.lexer.rewind(start);
        }
        let word = self.lexer.clone().identifier().unwrap_or_default();
        let spellings = Operator::ALL.iter().map(|(spelling, _)| *spelling);
        let suggestion = closest(word, spellings).filter(|_| word.len() > 1);
        Err(self.lexer.error(format!(
            "expected an operator such as =, !=, in, contains or exists{}",
            did_you_mean(suggestion)
        )))
    }

    /// `val(FIELD)` or a transformer.
    fn right_operand(&mut self) -> Result<Option<Operand>, SyntaxError> {
        if !self.lexer.take("val(") {
            return self.transformer();
        }
        self.lexer.blanks();
        let offset = self.lexer.offset();
        let field = match self.lexer.field()? {
            Some(field) => Operand::Field(Name {
                text: field.to_owned(),
                offset,
            }),
            None => return Err(self.lexer.error("expected a field in val(...)")),
        };
        self.lexer.blanks();
        if !self.lexer.take(")") {
            return Err(self.lexer.error("expected ')' after the field in val(...)"));
        }
        Ok(Some(field))
    }

    /// `oneof`, `anyof`, `allof`, if a list follows; otherwise the word is a text like any other.
    fn modifier(&mut self) -> Option<Modifier> {
        let start = self.lexer.offset();
        for (spelling, modifier) in Modifier::ALL {
            if self.lexer.take_word_and_blank(spelling) {
                let mut ahead = self.lexer.clone();
                let list_follows = ahead.take("(")
                    || ahead
                        .identifier()
                        .is_some_and(|word| !["and", "or", "not"].contains(&word));
                if list_follows {
                    return Some(modifier);
                }
                self.lexer.rewind(start);
            }
        }
        None
    }

    fn list(&mut self, operator: Operator) -> Result<Vec<Literal>, SyntaxError> {
        self.lexer.blanks();
        if !self.lexer.take("(") {
            let offset = self.lexer.offset();
            // The name of a list that is not defined: a list of this one text.
            return match self.lexer.identifier() {
                Some(name) => Ok(vec![Literal {
                    bytes: name.as_bytes().to_vec(),
                    offset,
                }]),
                None => Err(self.lexer.error(format!(
                    "expected a list such as (a, b) after '{}'",
                    operator.spelling()
                ))),
            };
        }
        let mut values = Vec::new();
        self.lexer.blanks();
        if self.lexer.take(")") {
            return Ok(values);
        }
        loop {
            self.lexer.blanks();
            let offset = self.lexer.offset();
            match self.lexer.text()? {
                Some(bytes) => values.push(Literal { bytes, offset }),
                None => return Err(self.lexer.error("expected a value in the list")),
            }
            self.lexer.blanks();
            if self.lexer.take(")") {
                return Ok(values);
            }
            if !self.lexer.take(",") {
                return Err(self.lexer.error("expected ',' or ')' in the list"));
            }
        }
    }
}

/// What has been read of the inside of a pair of parentheses.
#[derive(Default)]
struct Level {
    alternatives: Vec<Expression>,
    conjunction: Vec<Expression>,
    /// The next part is negated.
    negated: bool,
}

impl Level {
    fn add(&mut self, part: Expression) {
        self.conjunction
            .push(match (std::mem::take(&mut self.negated), part) {
                (false, part) => part,
                (true, Expression::Not(inner)) => *inner,
                (true, part) => Expression::Not(Box::new(part)),
            });
    }

    fn next_alternative(&mut self) {
        let parts = std::mem::take(&mut self.conjunction);
        self.alternatives.push(one_or(parts, Expression::And));
    }

    fn finish(mut self) -> Expression {
        self.next_alternative();
        one_or(self.alternatives, Expression::Or)
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error} at {}", error.offset))
            .to_string()
    }

    #[test]
    fn conditions_and_their_canonical_form() {
        for (text, expected) in [
            // A macro may be named like the operator.
            ("a and not(not)", "(a and not (not))"),
            ("(not) and a", "((not) and a)"),
            ("proc.name=sh", "proc.name = sh"),
            (
                "proc.name == sh and evt.type in(a,b)",
                "(proc.name = sh and evt.type in (a, b))",
            ),
            ("a or b and c", "(a or (b and c))"),
            ("(a or b)and(c)", "((a or b) and c)"),
            ("not not a", "a"),
            ("not(a or b)", "not (a or b)"),
            ("not a and b", "(not a and b)"),
            ("proc.name = 'it''s'", ""),
            ("proc.name = \"a b\\n\"", "proc.name = \"a b\\n\""),
            ("proc.args contains \"-e \"", "proc.args contains \"-e \""),
            ("proc.aname[2] exists", "proc.aname[2] exists"),
            ("fd.num >= 0", "fd.num >= 0"),
            ("fd.num>=-1", "fd.num >= -1"),
            ("proc.name = oneof", "proc.name = \"oneof\""),
            (
                "proc.name startswith anyof (a, b)",
                "proc.name startswith anyof (a, b)",
            ),
            ("proc.name = val(proc.pname)", "proc.name = val(proc.pname)"),
            (
                "tolower(proc.name) = toupper(proc.pname)",
                "tolower(proc.name) = toupper(proc.pname)",
            ),
            (
                "join(\",\", (proc.name, \"x\", 1)) = y",
                "join(\",\", (proc.name, \"x\", 1)) = y",
            ),
            ("proc.name in ()", "proc.name in ()"),
            ("proc.name in some_list", "proc.name in (some_list)"),
            ("proc.name = a\\b", "proc.name = a\\b"),
            ("proc.name = \"a\\ b\"", "proc.name = a\\b"),
        ] {
            if expected.is_empty() {
                assert!(parse(text).is_err(), "{text}");
            } else {
                assert_eq!(canonical(text), expected, "{text}");
                assert_eq!(canonical(expected), expected);
            }
        }
    }

    #[test]
    fn errors_say_where_and_what_was_expected() {
        for (text, offset, part) in [
            ("", 0, "empty"),
            ("proc.name", 9, "operator"),
            ("proc.name contans x", 10, "did you mean 'contains'?"),
            ("proc.name = ", 12, "expected a value"),
            ("proc.name in (a,)", 16, "expected a value in the list"),
            ("proc.name in (a b)", 16, "',' or ')'"),
            ("(a or b", 7, "expected ')'"),
            ("a b", 2, "'and', 'or'"),
            ("a and", 5, "after 'and'"),
            ("fd.num > x", 9, "a number"),
            ("proc.name = \"x", 12, "closing"),
            ("proc.name = \"\\q\"", 13, "escape"),
            ("proc.name = \"\\x00\"", 13, "NUL"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        for depth in [1001, 100_000] {
            let error = parse(&nested(depth)).unwrap_err();
            assert!(error.message.contains("1000"), "{error}");
            assert_eq!(error.offset, 1000);
        }
        assert_eq!(canonical(&nested(1000)), "a");
        assert_eq!(canonical(&format!("{}a", "not ".repeat(100_000))), "a");
        let transformers = format!("{}proc.name{} = a", "tolower(".repeat(101), ")".repeat(101));
        assert!(
            parse(&transformers)
                .unwrap_err()
                .message
                .contains("100 transformers")
        );
    }
}
