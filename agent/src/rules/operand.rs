//! What stands left of an operator (or right of it, or in an output), its fields looked up.

use super::ast::{Name, Operand, TransformerArgument};
use super::matcher::Shape;
use super::output::field_text;
use super::transformer::{Transformer, ValueType};
use crate::fields::registry::{self, Comparison, FieldType};
use crate::fields::{FieldArgument, FieldUse, Value};

/// Why an operand is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OperandError {
    pub(super) message: String,
    /// Bytes from the start of the text that it was parsed from.
    pub(super) offset: usize,
    /// The field is not known: what `skip-if-unknown-filter` forgives.
    pub(super) unknown_field: bool,
}

/// A field, or a function of fields and literals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum CompiledOperand {
    Field(FieldUse),
    Transformer {
        transformer: Transformer,
        arguments: Vec<CompiledOperand>,
        /// The letter in brackets: `getopt(...)[x]`.
        option: Option<String>,
    },
    Literal(Vec<u8>),
    List(Vec<CompiledOperand>),
}

impl CompiledOperand {
    /// The fields that it is made of.
    pub(super) fn fields(&self) -> Box<dyn Iterator<Item = &FieldUse> + '_> {
        match self {
            Self::Field(field) => Box::new(std::iter::once(field)),
            Self::Transformer {
                arguments: parts, ..
            }
            | Self::List(parts) => Box::new(parts.iter().flat_map(Self::fields)),
            Self::Literal(_) => Box::new(std::iter::empty()),
        }
    }

    /// Its value, from those of its fields.
    pub(super) fn value<'v>(
        &self,
        field_value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
    ) -> Option<Value<'v>> {
        match self {
            Self::Field(field) => field_value(field),
            Self::Transformer {
                transformer,
                arguments,
                option,
            } => {
                let input = arguments
                    .first()
                    .map_or(FieldType::Text, |first| first.shape().field_type);
                let values: Option<Vec<_>> = arguments
                    .iter()
                    .map(|argument| argument.value(field_value))
                    .collect();
                transformer.apply(input, values?, option.as_ref().map(String::as_bytes))
            }
            Self::Literal(text) => Some(Value::Bytes(text.clone().into())),
            Self::List(items) => Some(Value::List(
                items
                    .iter()
                    .filter_map(|item| item.value(field_value))
                    .collect(),
            )),
        }
    }

    fn value_type(&self) -> ValueType {
        let shape = self.shape();
        ValueType {
            field_type: shape.field_type,
            list: shape.list,
        }
    }

    /// What kind of value it gives.
    pub(super) fn shape(&self) -> Shape {
        let one = |field_type, list| Shape {
            field_type,
            list,
            comparison: Comparison::Normal,
        };
        match self {
            Self::Field(field) => match registry::parse_field(&field_text(field)) {
                Ok((_, definition)) => Shape {
                    field_type: definition.field_type,
                    list: definition.list,
                    comparison: match (definition.comparison, &field.argument) {
                        (Comparison::AnyAncestor, FieldArgument::None) => Comparison::AnyAncestor,
                        (Comparison::AnyAncestor, _) => Comparison::Normal,
                        (comparison, _) => comparison,
                    },
                },
                Err(_) => one(FieldType::Text, false),
            },
            Self::Transformer {
                transformer,
                arguments,
                option,
            } => {
                let types: Vec<ValueType> = arguments.iter().map(Self::value_type).collect();
                // Checked when it was compiled.
                transformer
                    .result(&types, option.is_some())
                    .map_or(one(FieldType::Text, false), |found| {
                        one(found.field_type, found.list)
                    })
            }
            Self::Literal(_) => one(FieldType::Text, false),
            Self::List(_) => one(FieldType::Text, true),
        }
    }
}

/// Looks up the fields of an operand and checks its transformers.
pub(super) fn compile(operand: &Operand) -> Result<CompiledOperand, OperandError> {
    match operand {
        Operand::Field(name) => field(name),
        Operand::Transformer {
            name,
            arguments,
            index,
        } => {
            let error = |message: String| OperandError {
                message,
                offset: name.offset,
                unknown_field: false,
            };
            let transformer = Transformer::from_name(&name.text)
                .ok_or_else(|| error(format!("unknown transformer '{}'", name.text)))?;
            let arguments: Vec<_> = arguments.iter().map(argument).collect::<Result<_, _>>()?;
            for field in arguments.iter().flat_map(CompiledOperand::fields) {
                if registry::find(field.name).is_some_and(|found| found.no_transformers) {
                    return Err(error(format!("'{}' takes no transformer", field.name)));
                }
            }
            let types: Vec<ValueType> = arguments.iter().map(CompiledOperand::value_type).collect();
            transformer
                .result(&types, index.is_some())
                .map_err(|problem| error(problem.to_string()))?;
            Ok(CompiledOperand::Transformer {
                transformer,
                arguments,
                option: index.clone(),
            })
        }
    }
}

fn field(name: &Name) -> Result<CompiledOperand, OperandError> {
    match registry::parse_field(&name.text) {
        Ok((field, _)) => Ok(CompiledOperand::Field(field)),
        Err(error) => Err(OperandError {
            unknown_field: matches!(error, registry::FieldError::UnknownField { .. }),
            message: error.to_string(),
            offset: name.offset,
        }),
    }
}

fn argument(argument: &TransformerArgument) -> Result<CompiledOperand, OperandError> {
    Ok(match argument {
        TransformerArgument::Operand(operand) => compile(operand)?,
        TransformerArgument::Text(text) | TransformerArgument::Number(text) => {
            CompiledOperand::Literal(text.clone().into_bytes())
        }
        TransformerArgument::List(items) => {
            CompiledOperand::List(items.iter().map(self::argument).collect::<Result<_, _>>()?)
        }
    })
}
