//! Exceptions: what a rule is not to match, in a form that others can add to.

use super::lists::quoted;
use super::loader::Fatal;
use super::report::{Code, Finding, Position};
use super::yaml::{Node, Value};

/// One exception of a rule.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    name: String,
    fields: Fields,
    /// The parts of a condition, each of which is an exception.
    values: Vec<String>,
}

#[derive(Clone, Debug)]
enum Fields {
    /// One field, compared with a flat list of values.
    One { field: String, operator: String },
    /// Some fields, compared with tuples of values.
    Several {
        fields: Vec<String>,
        operators: Vec<String>,
    },
}

/// Makes a finding at a position.
pub(super) type Report<'r> = &'r dyn Fn(Code, Position, String) -> Fatal;

/// Reads the key `exceptions` of an item into a rule's exceptions.
pub(super) fn collect(
    exceptions: &mut Vec<Exception>,
    node: &Node,
    is_append: bool,
    findings: &mut Vec<Finding>,
    report: Report<'_>,
) -> Result<(), Fatal> {
    let items = match &node.value {
        Value::Null => return Ok(()),
        Value::List(items) => items,
        _ => {
            let message = format!("'exceptions' has to be a list, and is {}", node.kind());
            return Err(report(Code::YamlValidate, node.position, message));
        }
    };
    let mut seen: Vec<&str> = Vec::new();
    for item in items {
        let Some(name) = item.get("name").and_then(Node::scalar) else {
            let message = "the exception needs a 'name'".to_owned();
            return Err(report(Code::YamlValidate, item.position, message));
        };
        if seen.contains(&name) {
            let message = format!("the name '{name}' is used twice");
            findings.push(*report(
                Code::ExceptionNameNotUnique,
                item.position,
                message,
            ));
        }
        seen.push(name);
        let values = item.get("values");
        let existing = exceptions
            .iter_mut()
            .find(|exception| exception.name == name);
        match (existing, is_append) {
            (Some(exception), true) => {
                if item.get("fields").is_some() || item.get("comps").is_some() {
                    let message = format!(
                        "the exception '{name}' is there already: only values can be added"
                    );
                    return Err(report(Code::Validate, item.position, message));
                }
                match values {
                    Some(values) => {
                        let more = read_values(&exception.fields, values, report)?;
                        exception.values.extend(more);
                    }
                    None => findings.push(*report(
                        Code::AppendNoValues,
                        item.position,
                        format!("the exception '{name}' adds no values"),
                    )),
                }
            }
            _ => {
                if is_append && values.is_none() {
                    findings.push(*report(
                        Code::AppendNoValues,
                        item.position,
                        format!("the exception '{name}' adds no values"),
                    ));
                }
                let fields = read_fields(name, item, report)?;
                let values = values.map_or(Ok(Vec::new()), |values| {
                    read_values(&fields, values, report)
                })?;
                exceptions.push(Exception {
                    name: name.to_owned(),
                    fields,
                    values,
                });
            }
        }
    }
    Ok(())
}

fn read_fields(name: &str, item: &Node, report: Report<'_>) -> Result<Fields, Fatal> {
    let error = |position, message| Err(report(Code::Validate, position, message));
    let Some(fields) = item.get("fields") else {
        return error(
            item.position,
            format!("the exception '{name}' needs 'fields'"),
        );
    };
    let comps = item.get("comps");
    if let Some(field) = fields.scalar() {
        let operator = match comps {
            None => "in",
            Some(comps) => match comps.scalar() {
                Some(operator) => operator,
                None => {
                    let message =
                        "'fields' is one field, so 'comps' has to be one operator".to_owned();
                    return error(comps.position, message);
                }
            },
        };
        if !takes_list(operator) {
            let position = comps.map_or(item.position, |comps| comps.position);
            let message = format!(
                "'{operator}' cannot be used with one field: expected in, pmatch, intersects, or an operator with oneof, anyof or allof"
            );
            return error(position, message);
        }
        return Ok(Fields::One {
            field: field.to_owned(),
            operator: operator.to_owned(),
        });
    }
    let texts = |node: &Node| -> Option<Vec<String>> {
        node.list()?
            .iter()
            .map(|item| item.scalar().map(str::to_owned))
            .collect()
    };
    let Some(names) = texts(fields) else {
        return error(
            fields.position,
            "'fields' has to be a field or a list of fields".to_owned(),
        );
    };
    let operators = match comps {
        None => vec!["=".to_owned(); names.len()],
        Some(comps) => match texts(comps).filter(|operators| operators.len() == names.len()) {
            Some(operators) => operators,
            None => {
                let message = format!(
                    "'comps' has to be a list of {} operators, one a field",
                    names.len()
                );
                return error(comps.position, message);
            }
        },
    };
    Ok(Fields::Several {
        fields: names,
        operators,
    })
}

fn takes_list(operator: &str) -> bool {
    let last = operator.split_whitespace().last().unwrap_or_default();
    matches!(operator, "in" | "pmatch" | "intersects")
        || (operator.contains(' ') && matches!(last, "oneof" | "anyof" | "allof"))
}

/// The values as parts of a condition.
fn read_values(fields: &Fields, values: &Node, report: Report<'_>) -> Result<Vec<String>, Fatal> {
    let error = |position, message| report(Code::Validate, position, message);
    let items = match &values.value {
        Value::Null => return Ok(Vec::new()),
        Value::List(items) => items,
        _ => {
            return Err(error(
                values.position,
                format!("'values' has to be a list, and is {}", values.kind()),
            ));
        }
    };
    match fields {
        Fields::One { .. } => items
            .iter()
            .map(|item| match item.scalar() {
                Some(text) => Ok(quoted(text)),
                None => Err(error(
                    item.position,
                    "'fields' is one field, so 'values' has to be a list of single values"
                        .to_owned(),
                )),
            })
            .collect(),
        Fields::Several { fields, operators } => {
            let tuple =
                |item: &Node| {
                    let Some(tuple) = item.list().filter(|tuple| tuple.len() == fields.len())
                    else {
                        let message =
                            format!("expected a list of {} values, one a field", fields.len());
                        return Err(error(item.position, message));
                    };
                    let parts = fields.iter().zip(operators).zip(tuple).map(
                        |((field, operator), value)| {
                            let value = match &value.value {
                                Value::List(items) => {
                                    let items: Option<Vec<String>> = items
                                        .iter()
                                        .map(|item| item.scalar().map(quoted))
                                        .collect();
                                    let Some(items) = items else {
                                        return Err(error(
                                            value.position,
                                            "expected single values".to_owned(),
                                        ));
                                    };
                                    format!("({})", items.join(", "))
                                }
                                Value::Scalar(text, _)
                                    if takes_list(operator) && !text.starts_with('(') =>
                                {
                                    format!("({})", quoted(text))
                                }
                                Value::Scalar(text, _) => {
                                    if text.starts_with('(') {
                                        text.clone()
                                    } else {
                                        quoted(text)
                                    }
                                }
                                _ => {
                                    return Err(error(
                                        value.position,
                                        "expected a value".to_owned(),
                                    ));
                                }
                            };
                            Ok(format!("{field} {operator} {value}"))
                        },
                    );
                    let parts: Vec<String> = parts.collect::<Result<_, _>>()?;
                    Ok(format!("({})", parts.join(" and ")))
                };
            items.iter().map(tuple).collect()
        }
    }
}

/// A condition with its exceptions taken out.
pub(super) fn apply(condition: &str, exceptions: &[Exception]) -> String {
    let parts: Vec<String> = exceptions.iter().filter_map(Exception::condition).collect();
    if parts.is_empty() {
        return condition.to_owned();
    }
    let mut text = format!("({condition})");
    for part in parts {
        text.push_str(" and not ");
        text.push_str(&part);
    }
    text
}

impl Exception {
    /// When it holds; `None` if it has no values.
    fn condition(&self) -> Option<String> {
        if self.values.is_empty() {
            return None;
        }
        Some(match &self.fields {
            Fields::One { field, operator } => {
                format!("({field} {operator} ({}))", self.values.join(", "))
            }
            Fields::Several { .. } => format!("({})", self.values.join(" or ")),
        })
    }
}
