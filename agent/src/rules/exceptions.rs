//! Exceptions: what a rule is not to match, in a form that others can add to.

use super::ast::{Modifier, Operator};
use super::expansion::TracedText;
use super::item::{Fatal, NamedItem};
use super::lists::quoted;
use super::operand::CompiledOperand;
use super::parser;
use super::report::{Code, Finding, Item, Position};
use super::suggestion::did_you_mean;
use super::yaml::{Node, Value};
use crate::fields::registry::closest;

/// One exception of a rule.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    name: String,
    fields: Fields,
    /// The parts of a condition, each of which is an exception.
    values: Vec<TracedText>,
    /// What stands in the file for the condition's own words.
    origin: TracedText,
}

#[derive(Clone, Debug)]
enum Fields {
    /// One field, compared with a flat list of values.
    One { field: String, operator: String },
    /// Some fields, compared with tuples of values.
    Several(Vec<(String, String)>),
}

/// The item whose exceptions are read.
pub(super) struct Context<'c> {
    pub(super) item: &'c NamedItem<'c>,
    /// The fields can be looked up.
    pub(super) is_syscall: bool,
    /// They are added to those that are there.
    pub(super) appends: bool,
}

/// Reads the key `exceptions` of an item into a rule's exceptions.
pub(super) fn read(
    exceptions: &mut Vec<Exception>,
    context: &Context<'_>,
    findings: &mut Vec<Finding>,
) -> Result<(), Fatal> {
    let Some(node) = context.item.node.get("exceptions") else {
        return Ok(());
    };
    let nodes = match &node.value {
        Value::Null => return Ok(()),
        Value::List(items) => items,
        _ => {
            let message = format!("'exceptions' has to be a list, and is {}", node.kind());
            return Err(context.item.malformed(node.position, message));
        }
    };
    let mut seen: Vec<&str> = Vec::new();
    for node in nodes {
        let Some(name) = node.get("name").and_then(Node::scalar) else {
            let message = "the exception needs the key 'name'";
            return Err(context.item.malformed(node.position, message));
        };
        let reader = Reader {
            context,
            node,
            name,
        };
        if seen.contains(&name) {
            let message = "another exception of this rule has the same name";
            findings.push(*reader.finding(Code::ExceptionNameNotUnique, node.position, message));
        }
        seen.push(name);
        if context.appends && node.get("values").is_none() {
            let message = "the exception adds no values: expected the key 'values'";
            findings.push(*reader.finding(Code::AppendNoValues, node.position, message));
        }
        reader.read(exceptions)?;
    }
    Ok(())
}

/// Reads one exception.
struct Reader<'r> {
    context: &'r Context<'r>,
    node: &'r Node,
    name: &'r str,
}

impl Reader<'_> {
    fn finding(&self, code: Code, position: Position, message: impl Into<String>) -> Fatal {
        let item = self.context.item;
        item.finding(code, position, message).within(Item {
            kind: "exception",
            name: self.name.to_owned(),
            place: item.place(self.node.position),
        })
    }

    fn invalid(&self, position: Position, message: impl Into<String>) -> Fatal {
        self.finding(Code::Validate, position, message)
    }

    fn traced(&self, node: &Node, text: &str) -> TracedText {
        let mut traced = TracedText::new(self.context.item.file, node, "");
        traced.push_replacement_of_all(text);
        traced
    }

    fn read(&self, exceptions: &mut Vec<Exception>) -> Result<(), Fatal> {
        let existing = exceptions
            .iter_mut()
            .find(|exception| exception.name == self.name)
            .filter(|_| self.context.appends);
        if let Some(exception) = existing {
            if let Some(node) = self.node.get("fields").or_else(|| self.node.get("comps")) {
                let message = "the exception is there already, so only 'values' can be added";
                return Err(self.invalid(node.position, message));
            }
            let more = self.values(&exception.fields)?;
            exception.values.extend(more);
            return Ok(());
        }
        let fields = self.fields()?;
        if self.context.appends && self.node.get("values").is_none() {
            let message = "a new exception that is appended needs the key 'values'";
            return Err(self.invalid(self.node.position, message));
        }
        exceptions.push(Exception {
            name: self.name.to_owned(),
            values: self.values(&fields)?,
            fields,
            origin: self.traced(self.node, ""),
        });
        Ok(())
    }

    fn fields(&self) -> Result<Fields, Fatal> {
        let Some(fields) = self.node.get("fields") else {
            return Err(self.invalid(
                self.node.position,
                "the exception needs the key 'fields': a field, or a list of fields",
            ));
        };
        let comps = self.node.get("comps");
        if let Some(field) = fields.scalar() {
            self.check_field(field, fields.position)?;
            let operator = match comps {
                None => "in",
                Some(node) => node.scalar().ok_or_else(|| {
                    self.invalid(
                        node.position,
                        "'fields' is one field, so 'comps' has to be one operator",
                    )
                })?,
            };
            let position = comps.map_or(self.node.position, |node| node.position);
            if !takes_list(operator) {
                let message = format!(
                    "'{operator}' cannot be used with one field: expected in, pmatch, intersects, \
                     or an operator with oneof, anyof or allof"
                );
                return Err(self.invalid(position, message));
            }
            return Ok(Fields::One {
                field: field.to_owned(),
                operator: operator.to_owned(),
            });
        }
        let texts = |node: &Node| -> Option<Vec<(String, Position)>> {
            let text = |item: &Node| Some((item.scalar()?.to_owned(), item.position));
            node.list()?.iter().map(text).collect()
        };
        let names = texts(fields).ok_or_else(|| {
            let message = "'fields' has to be a field or a list of fields";
            self.invalid(fields.position, message)
        })?;
        for (field, position) in &names {
            self.check_field(field, *position)?;
        }
        let operators = match comps {
            None => vec![("=".to_owned(), self.node.position); names.len()],
            Some(comps) => texts(comps)
                .filter(|operators| operators.len() == names.len())
                .ok_or_else(|| {
                    let message = format!(
                        "'comps' has to be a list of {} operators, one for each field",
                        names.len()
                    );
                    self.invalid(comps.position, message)
                })?,
        };
        for (operator, position) in &operators {
            self.check_operator(operator, *position)?;
        }
        let pairs = names.into_iter().zip(operators);
        Ok(Fields::Several(
            pairs
                .map(|((field, _), (operator, _))| (field, operator))
                .collect(),
        ))
    }

    fn check_field(&self, field: &str, position: Position) -> Result<(), Fatal> {
        if !self.context.is_syscall {
            return Ok(());
        }
        parser::parse_operand(field)
            .map_err(|error| format!("'{field}' is no field: {error}"))
            .and_then(|operand| {
                CompiledOperand::compile(&operand)
                    .map(drop)
                    .map_err(|error| error.message)
            })
            .map_err(|message| self.invalid(position, message))
    }

    fn check_operator(&self, operator: &str, position: Position) -> Result<(), Fatal> {
        let mut words = operator.split_whitespace();
        let first = words.next().unwrap_or_default();
        let known = Operator::ALL.iter().any(|(spelling, _)| *spelling == first);
        let modified = match words.next() {
            None => true,
            Some(word) => Modifier::ALL.iter().any(|(spelling, _)| *spelling == word),
        };
        if known && modified && words.next().is_none() {
            return Ok(());
        }
        let spellings = Operator::ALL.iter().map(|(spelling, _)| *spelling);
        let suggestion = did_you_mean(closest(first, spellings).filter(|_| !known));
        Err(self.invalid(position, format!("'{operator}' is no operator{suggestion}")))
    }

    /// The values as parts of a condition.
    fn values(&self, fields: &Fields) -> Result<Vec<TracedText>, Fatal> {
        let Some(node) = self.node.get("values") else {
            return Ok(Vec::new());
        };
        let items = match &node.value {
            Value::Null => return Ok(Vec::new()),
            Value::List(items) => items,
            _ => {
                let message = format!("'values' has to be a list, and is {}", node.kind());
                return Err(self.invalid(node.position, message));
            }
        };
        items
            .iter()
            .map(|item| {
                let text = match fields {
                    Fields::One { .. } => quoted(item.scalar().ok_or_else(|| {
                        let message = "'fields' is one field, so 'values' has to be a list of \
                                       single values";
                        self.invalid(item.position, message)
                    })?),
                    Fields::Several(fields) => self.tuple(fields, item)?,
                };
                Ok(self.traced(item, &text))
            })
            .collect()
    }

    /// `(field operator value and ...)`
    fn tuple(&self, fields: &[(String, String)], item: &Node) -> Result<String, Fatal> {
        let values = item.list().filter(|values| values.len() == fields.len());
        let values = values.ok_or_else(|| {
            let message = format!(
                "expected a list of {} values, one for each field",
                fields.len()
            );
            self.invalid(item.position, message)
        })?;
        let parts = fields.iter().zip(values).map(|((field, operator), value)| {
            let error = |node: &Node| {
                let message = format!(
                    "expected a value or a list of values, and found {}",
                    node.kind()
                );
                self.invalid(node.position, message)
            };
            let value = match &value.value {
                Value::List(items) => {
                    let one = |item: &Node| item.scalar().map(quoted).ok_or_else(|| error(item));
                    let items: Vec<String> = items.iter().map(one).collect::<Result<_, _>>()?;
                    format!("({})", items.join(", "))
                }
                Value::Scalar(text) if takes_list(operator) && !text.starts_with('(') => {
                    format!("({text})")
                }
                Value::Scalar(text) if takes_list(operator) => text.clone(),
                Value::Scalar(text) => quoted(text),
                Value::Null | Value::Map(_) => return Err(error(value)),
            };
            Ok(format!("{field} {operator} {value}"))
        });
        let parts: Vec<String> = parts.collect::<Result<_, _>>()?;
        Ok(format!("({})", parts.join(" and ")))
    }
}

fn takes_list(operator: &str) -> bool {
    let mut words = operator.split_whitespace();
    let first = words.next().unwrap_or_default();
    let is_modifier = |word| Modifier::ALL.iter().any(|(spelling, _)| *spelling == word);
    let known = Operator::ALL
        .iter()
        .find(|(spelling, _)| *spelling == first);
    known.is_some_and(|(_, operator)| match words.next() {
        None => operator.takes_list(),
        Some(word) => is_modifier(word),
    })
}

/// A condition with its exceptions taken out.
pub(super) fn apply(condition: &TracedText, exceptions: &[Exception]) -> TracedText {
    let with_values = || {
        exceptions
            .iter()
            .filter(|exception| !exception.values.is_empty())
    };
    if with_values().next().is_none() {
        return condition.clone();
    }
    let mut text = TracedText::empty_at_start_of(condition);
    text.push_str("(");
    text.push(condition);
    text.push_str(")");
    for exception in with_values() {
        text.push(&exception.origin);
        text.push_str(" and not ");
        let (start, between) = match &exception.fields {
            Fields::One { field, operator } => (format!("({field} {operator} ("), ", "),
            Fields::Several(_) => ("(".to_owned(), " or "),
        };
        text.push_str(&start);
        for (index, value) in exception.values.iter().enumerate() {
            if index > 0 {
                text.push_str(between);
            }
            text.push(value);
        }
        text.push_str(match &exception.fields {
            Fields::One { .. } => "))",
            Fields::Several(_) => ")",
        });
    }
    text
}
