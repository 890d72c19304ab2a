//! What stands left of an operator (or right of it, or in an output), its fields looked up.

use super::ast::{Name, Operand, TransformerArgument};
use super::matcher::Shape;
use super::output::field_text;
use super::transformer::Transformer;
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
    Transformer(Transformer, Vec<CompiledOperand>),
    Literal(Vec<u8>),
    List(Vec<CompiledOperand>),
}

impl CompiledOperand {
    /// The fields that it is made of.
    pub(super) fn fields(&self) -> Box<dyn Iterator<Item = &FieldUse> + '_> {
        match self {
            Self::Field(field) => Box::new(std::iter::once(field)),
            Self::Transformer(_, parts) | Self::List(parts) => {
                Box::new(parts.iter().flat_map(Self::fields))
            }
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
            Self::Transformer(transformer, arguments) => {
                let values: Option<Vec<_>> = arguments
                    .iter()
                    .map(|argument| argument.value(field_value))
                    .collect();
                transformer.apply(values?)
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
            Self::Transformer(Transformer::Len, _) => one(FieldType::Uint, false),
            Self::Transformer(Transformer::Join | Transformer::Concat, _) | Self::Literal(_) => {
                one(FieldType::Text, false)
            }
            Self::Transformer(_, arguments) => arguments
                .first()
                .map_or(one(FieldType::Text, false), Self::shape),
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
            if index.is_some() {
                return Err(error(format!(
                    "'{}' takes no argument in brackets",
                    name.text
                )));
            }
            let (least, most) = transformer.arity();
            if arguments.len() < least || arguments.len() > most {
                return Err(error(format!(
                    "'{}' takes {least} argument(s), and {} are given",
                    name.text,
                    arguments.len()
                )));
            }
            let compiled: Vec<_> = arguments.iter().map(argument).collect::<Result<_, _>>()?;
            for part in &compiled {
                let forbidden = part.fields().find(|field| {
                    registry::find(field.name).is_some_and(|found| found.no_transformers)
                });
                if let Some(field) = forbidden {
                    return Err(error(format!("'{}' takes no transformer", field.name)));
                }
                let takes_text = !matches!(
                    transformer,
                    Transformer::Len | Transformer::Join | Transformer::Concat
                );
                let is_text =
                    matches!(part.shape().field_type, FieldType::Text | FieldType::Buffer);
                if takes_text && !is_text {
                    return Err(error(format!("'{}' takes text only", name.text)));
                }
            }
            Ok(CompiledOperand::Transformer(transformer, compiled))
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
