//! A test's event: fields with values, each of the type that the registry gives the field.

use std::collections::HashMap;

use super::derived;
use crate::fields::registry::{self, Comparison, FieldDef, FieldType};
use crate::fields::{FieldArgument, FieldUse, Value};
use crate::rules::Position;
use crate::rules::event_names;
use crate::rules::literal::{
    parse_address, parse_bool, parse_hexadecimal, parse_number, parse_port,
};
use crate::rules::suggestion::did_you_mean;
use crate::rules::yaml::{self, Node};

/// The values of an event's fields; every other field has none.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDescription {
    event_type: String,
    values: HashMap<FieldUse, Value<'static>>,
}

/// What is wrong, and where.
pub(super) type Wrong = (Position, String);

/// The fields as written, before anything is derived. `None` is a field that is said to have no value.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    values: HashMap<FieldUse, Option<Value<'static>>>,
}

impl EventDescription {
    /// The name of the event: the value of `evt.type`.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The value of a field, if the event has one.
    pub fn value(&self, field: &FieldUse) -> Option<Value<'_>> {
        self.values.get(field).cloned()
    }

    /// The event of these fields. `at` is where it is, for the error that it has no type.
    pub(super) fn new(mut written: Written, at: Position) -> Result<Self, Wrong> {
        let event_type = match written.values.get(&EVENT_TYPE) {
            Some(Some(Value::Bytes(name))) => String::from_utf8_lossy(name).into_owned(),
            _ => {
                let message = "the event has no type: expected 'evt.type: NAME', such as openat";
                return Err((at, message.to_owned()));
            }
        };
        derived::derive(&event_type, &mut written.values);
        let values = written
            .values
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)))
            .collect();
        Ok(Self { event_type, values })
    }
}

const EVENT_TYPE: FieldUse = FieldUse {
    name: "evt.type",
    argument: FieldArgument::None,
};

impl Written {
    /// These fields over those, which they win over.
    pub(super) fn over(self, below: &Self) -> Self {
        let mut written = below.clone();
        // A list of ancestors replaces the levels below it, and the other way round.
        for field in self.values.keys() {
            derived::forget_superseded(field, &mut written.values);
        }
        written.values.extend(self.values);
        written
    }

    /// Reads a map of fields; what is wrong is added to `wrong`.
    pub(super) fn read(node: &Node, wrong: &mut Vec<Wrong>) -> Self {
        let mut written = Self::default();
        if matches!(node.value, yaml::Value::Null) {
            return written;
        }
        let Some(entries) = node.entries() else {
            let message = format!(
                "expected fields with values, such as 'evt.type: openat', and found {}",
                node.kind()
            );
            wrong.push((node.position, message));
            return written;
        };
        for (key, position, node) in entries {
            let (field, definition) = match registry::parse_field(key) {
                Ok(found) => found,
                Err(error) => {
                    wrong.push((*position, error.to_string()));
                    continue;
                }
            };
            if let Err((at, message)) = written.add(field, definition, node) {
                wrong.push((at, format!("{key}: {message}")));
            }
        }
        written
    }

    fn add(
        &mut self,
        field: FieldUse,
        definition: &'static FieldDef,
        node: &Node,
    ) -> Result<(), Wrong> {
        let bare = field.argument == FieldArgument::None;
        let value = match &node.value {
            yaml::Value::Null => None,
            // Arguments as a program gets them: the field is the line of all, and each of them.
            yaml::Value::List(items) if field.name == "proc.args" && bare => {
                let arguments = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                for (index, argument) in arguments.iter().enumerate() {
                    let nth = FieldUse {
                        name: field.name,
                        argument: FieldArgument::Index(index as u64),
                    };
                    self.values
                        .insert(nth, Some(Value::Bytes(argument.clone().into())));
                }
                Some(Value::Bytes(arguments.join(&b' ').into()))
            }
            yaml::Value::List(items) => {
                if !takes_list(definition, bare) {
                    let message = format!("expected {}, and found a list", expected(definition));
                    return Err((node.position, message));
                }
                let items = items.iter().map(|item| single(definition, item));
                Some(Value::List(items.collect::<Result<_, _>>()?))
            }
            _ if takes_list(definition, bare) && definition.comparison != Comparison::EitherEnd => {
                let message = format!(
                    "expected a list, such as [a, b], of {}, and found {}",
                    definition.field_type.name(),
                    node.kind()
                );
                return Err((node.position, message));
            }
            _ => Some(single(definition, node)?),
        };
        if field == EVENT_TYPE || field.name == "syscall.type" {
            check_event_name(value.as_ref(), node.position)?;
        }
        self.values.insert(field, value);
        Ok(())
    }
}

/// Whether the field's value is a list: by its type, or since it stands for both ends of a connection or
/// for all ancestors.
fn takes_list(definition: &FieldDef, bare: bool) -> bool {
    definition.list
        || match definition.comparison {
            Comparison::Normal => false,
            Comparison::EitherEnd => true,
            Comparison::AnyAncestor => bare,
        }
}

fn expected(definition: &FieldDef) -> String {
    format!("one value of type {}", definition.field_type.name())
}

fn check_event_name(value: Option<&Value<'_>>, at: Position) -> Result<(), Wrong> {
    let Some(Value::Bytes(name)) = value else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(name);
    if event_names::is_known(&name) {
        return Ok(());
    }
    let suggestion = did_you_mean(event_names::suggest(&name));
    Err((at, format!("unknown event type '{name}'{suggestion}")))
}

/// One value, or one element of a list.
fn single(definition: &FieldDef, node: &Node) -> Result<Value<'static>, Wrong> {
    let field_type = definition.field_type;
    if matches!(field_type, FieldType::Text | FieldType::Buffer) {
        return text(node).map(|bytes| Value::Bytes(bytes.into()));
    }
    let Some(text) = node.scalar() else {
        let message = format!(
            "expected {}, and found {}",
            expected(definition),
            node.kind()
        );
        return Err((node.position, message));
    };
    let unsigned = |number: i128| {
        u64::try_from(number)
            .map(Value::Uint)
            .map_err(|_| format!("'{text}' is negative, and the field's numbers are not"))
    };
    let value = match field_type {
        FieldType::Int => parse_number(field_type, text).and_then(|number| {
            i64::try_from(number)
                .map(Value::Int)
                .map_err(|_| format!("'{text}' is too large for this field"))
        }),
        // A negative literal of a rule wraps; an event has no such value.
        FieldType::Uint | FieldType::RelTime | FieldType::AbsTime if text.starts_with('-') => {
            unsigned(-1)
        }
        FieldType::Uint | FieldType::RelTime | FieldType::AbsTime => {
            parse_number(field_type, text).and_then(unsigned)
        }
        FieldType::Port => parse_port(text).and_then(unsigned),
        FieldType::Double => text
            .parse()
            .map(Value::Double)
            .map_err(|_| format!("'{text}' is not a number")),
        FieldType::Bool => parse_bool(text).map(Value::Bool),
        FieldType::Ip | FieldType::Net => parse_address(text).map(Value::Ip),
        FieldType::Text | FieldType::Buffer => Ok(Value::Bytes(text.as_bytes().to_vec().into())),
    };
    value.map_err(|message| (node.position, message))
}

/// Text, or bytes as `{hex: 00ff}`.
fn text(node: &Node) -> Result<Vec<u8>, Wrong> {
    if let Some(text) = node.scalar() {
        return Ok(text.as_bytes().to_vec());
    }
    let hexadecimal = node.entries().and_then(|entries| match entries {
        [(key, _, node)] if key == "hex" => Some((node.scalar()?, node.position)),
        _ => None,
    });
    match hexadecimal {
        Some((digits, at)) => parse_hexadecimal(digits).map_err(|message| (at, message)),
        None => {
            let message = format!(
                "expected a text, or bytes as {{hex: 00ff}}, and found {}",
                node.kind()
            );
            Err((node.position, message))
        }
    }
}
