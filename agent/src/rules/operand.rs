//! What stands left of an operator, or right of it: its fields looked up, its types checked.

use std::fmt;

use super::ast::{Name, Operand, TransformerArgument};
use super::transformer::{Transformer, ValueType, until_nul};
use crate::fields::registry::{self, Comparison, FieldDef, FieldError, FieldType};
use crate::fields::{FieldArgument, FieldUse, Value};

/// Why an operand is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OperandError {
    pub(super) message: String,
    /// Bytes from the start of the text that it was parsed from.
    pub(super) offset: usize,
    /// The field or event type is not known: what `skip-if-unknown-filter` forgives.
    pub(super) unknown: bool,
}

impl OperandError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            offset,
            unknown: false,
        }
    }
}

/// A field, or a function of fields and literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CompiledOperand {
    Field {
        field: FieldUse,
        definition: &'static FieldDef,
    },
    Call {
        transformer: Transformer,
        arguments: Vec<CompiledOperand>,
        /// The type of the first argument.
        input: FieldType,
        /// What stands in brackets behind `getopt(...)`.
        option: Option<String>,
        result: ValueType,
    },
    Text(String),
    Number(i64),
    List(Vec<CompiledOperand>),
}

impl CompiledOperand {
    /// Looks up the fields of an operand and checks its transformers.
    pub(super) fn compile(operand: &Operand) -> Result<Self, OperandError> {
        match operand {
            Operand::Field(name) => field(name),
            Operand::Transformer {
                name,
                arguments,
                index,
            } => call(name, arguments, index.as_deref()),
        }
    }

    /// Adds the fields that it is made of.
    pub(super) fn collect_fields<'o>(&'o self, found: &mut Vec<&'o FieldUse>) {
        match self {
            Self::Field { field, .. } => found.push(field),
            Self::Call {
                arguments: parts, ..
            }
            | Self::List(parts) => parts.iter().for_each(|part| part.collect_fields(found)),
            Self::Text(_) | Self::Number(_) => {}
        }
    }

    /// The field, if it is one and nothing more.
    pub(super) fn as_field(&self) -> Option<(&FieldUse, &'static FieldDef)> {
        match self {
            Self::Field { field, definition } => Some((field, definition)),
            _ => None,
        }
    }

    /// Its value, from those of its fields.
    pub(super) fn value<'v>(
        &self,
        field_value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
    ) -> Option<Value<'v>> {
        match self {
            Self::Field { field, .. } => field_value(field),
            Self::Call {
                transformer,
                arguments,
                input,
                option,
                ..
            } => {
                let values = arguments
                    .iter()
                    .map(|argument| argument.value(field_value))
                    .collect::<Option<Vec<_>>>()?;
                transformer.apply(*input, values, option.as_deref().map(str::as_bytes))
            }
            Self::Text(text) => Some(Value::Bytes(text.clone().into_bytes().into())),
            Self::Number(number) => Some(Value::Int(*number)),
            Self::List(items) => Some(Value::List(
                items
                    .iter()
                    .filter_map(|item| item.value(field_value))
                    .collect(),
            )),
        }
    }

    /// What kind of value it gives.
    pub(super) fn value_type(&self) -> ValueType {
        match self {
            Self::Field { definition, .. } => ValueType {
                field_type: definition.field_type,
                list: definition.list,
            },
            Self::Call { result, .. } => *result,
            Self::Text(_) => ValueType::scalar(FieldType::Text),
            Self::Number(_) => ValueType::scalar(FieldType::Int),
            Self::List(_) => ValueType::list(FieldType::Text),
        }
    }

    /// How a comparison looks at the value.
    pub(super) fn comparison(&self) -> Comparison {
        match self.as_field() {
            Some((field, definition))
                if definition.comparison != Comparison::AnyAncestor
                    || field.argument == FieldArgument::None =>
            {
                definition.comparison
            }
            _ => Comparison::Normal,
        }
    }
}

fn field(name: &Name) -> Result<CompiledOperand, OperandError> {
    let (mut field, definition) =
        registry::parse_field(&name.text).map_err(|error| OperandError {
            unknown: matches!(
                error,
                FieldError::UnknownField { .. } | FieldError::BadArgument { .. }
            ),
            message: error.to_string(),
            offset: name.offset,
        })?;
    // A level in a condition means every ancestor all the same: rules rely on it.
    if field.name == "proc.aenv" && matches!(field.argument, FieldArgument::Index(_)) {
        field.argument = FieldArgument::None;
    }
    Ok(CompiledOperand::Field { field, definition })
}

fn call(
    name: &Name,
    arguments: &[TransformerArgument],
    option: Option<&str>,
) -> Result<CompiledOperand, OperandError> {
    let error = |message: String| OperandError::new(name.offset, message);
    let transformer = Transformer::from_name(&name.text)
        .ok_or_else(|| error(format!("unknown transformer '{}'", name.text)))?;
    let arguments: Vec<_> = arguments.iter().map(argument).collect::<Result<_, _>>()?;
    for part in &arguments {
        let Some((_, definition)) = part.as_field() else {
            continue;
        };
        let is_event_type = matches!(definition.name, "evt.type" | "syscall.type");
        if definition.no_transformers || is_event_type {
            return Err(error(format!(
                "field '{}' cannot be transformed",
                definition.name
            )));
        }
    }
    let types: Vec<_> = arguments.iter().map(CompiledOperand::value_type).collect();
    let result = transformer
        .result(&types, option.is_some())
        .map_err(|problem| error(problem.to_string()))?;
    Ok(CompiledOperand::Call {
        transformer,
        input: types.first().map_or(FieldType::Text, |one| one.field_type),
        arguments,
        option: option.map(str::to_owned),
        result,
    })
}

fn argument(argument: &TransformerArgument) -> Result<CompiledOperand, OperandError> {
    Ok(match argument {
        TransformerArgument::Operand(operand) => CompiledOperand::compile(operand)?,
        TransformerArgument::Text(text) => CompiledOperand::Text(text.clone()),
        TransformerArgument::Number(number) => number.text.parse().map_or_else(
            |_| {
                Err(OperandError::new(
                    number.offset,
                    format!("'{}' is not a whole number", number.text),
                ))
            },
            |number| Ok(CompiledOperand::Number(number)),
        )?,
        TransformerArgument::List(items) => {
            CompiledOperand::List(items.iter().map(self::argument).collect::<Result<_, _>>()?)
        }
    })
}

/// A field whose value is one text gives one text, if it stands for several: all ancestors' arguments,
/// say, are compared as one line.
pub(super) fn as_one_text(value: Value<'_>) -> Value<'_> {
    let Value::List(items) = value else {
        return value;
    };
    let texts: Vec<&[u8]> = items
        .iter()
        .filter_map(|item| match item {
            Value::Bytes(text) => Some(until_nul(text)),
            _ => None,
        })
        .collect();
    Value::Bytes(texts.join(&b' ').into())
}

/// A field as a rule writes it: the key in `output_fields`, and in the canonical form.
pub fn field_text(field: &FieldUse) -> String {
    FieldText(field).to_string()
}

struct FieldText<'f>(&'f FieldUse);

impl fmt::Display for FieldText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(FieldUse { name, argument }) = self;
        match argument {
            FieldArgument::None => formatter.write_str(name),
            FieldArgument::Index(index) => write!(formatter, "{name}[{index}]"),
            FieldArgument::Key(key) if is_dotted(name) => write!(formatter, "{name}.{key}"),
            FieldArgument::Key(key) => write!(formatter, "{name}[{key}]"),
        }
    }
}

/// Whether the field's argument can only follow a dot, or follows one by custom.
fn is_dotted(name: &str) -> bool {
    use registry::ArgumentSyntax::{DottedKey, EventType, Parameter, ParameterName, Side};
    registry::find(name).is_some_and(|definition| {
        matches!(
            definition.syntax,
            DottedKey | EventType | Parameter | ParameterName | Side
        )
    })
}
