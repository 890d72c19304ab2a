//! Rules: text to AST to a program that an event runs through.

mod append_output;
mod ast;
mod comparison;
mod compiler;
mod definitions;
mod estimate;
pub mod event_names;
mod event_types;
mod exceptions;
mod execution;
mod expansion;
mod glob;
mod host_test;
mod item;
pub(crate) mod keys;
pub mod knowledge;
mod lexer;
mod lists;
pub(crate) mod literal;
mod loader;
mod macros;
mod matcher;
#[cfg(any(test, feature = "naive"))]
pub mod naive;
mod operand;
mod output;
mod parser;
mod path_set;
mod priority;
mod program;
mod regular_expression;
pub(crate) mod report;
mod resolve;
mod result_fields;
mod rule_item;
mod rule_set;
mod rule_switch;
mod schema;
pub(crate) mod suggestion;
mod test;
mod text_index;
mod text_test;
mod transformer;
mod trie;
mod warnings;
pub(crate) mod yaml;

#[cfg(test)]
mod tests;

pub use append_output::{AppendOutput, ExtraField, OutputSettings};
pub use ast::{
    Comparison, Expression, Literal, Modifier, Name, Operand, Operator, Right, TransformerArgument,
};
pub use comparison::{CompiledComparison, NotComparable};
pub use event_types::EventTypes;
pub(crate) use glob::glob_matches;
pub use knowledge::EventClass;
pub use lexer::SyntaxError;
pub use loader::{RuleSource, load, load_with};
pub use operand::field_text;
pub use output::{OutputError, OutputFormat};
pub use parser::parse;
pub use priority::{Priority, UnknownPriority};
pub use program::{
    CompileOptions, CompiledRule, EvaluationCache, Matching, NotShown, Program, RuleIndex,
};
pub use report::{Code, Excerpt, Finding, Item, LoadReport, Place, Position};
pub use rule_set::{Rule, RuleSet};
pub use rule_switch::RuleSwitch;
