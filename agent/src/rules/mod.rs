//! Rules: text to AST to a program that an event runs through.

mod ast;
mod definitions;
pub mod event_names;
mod exceptions;
mod glob;
pub mod knowledge;
mod lexer;
mod lists;
mod literal;
mod loader;
mod matcher;
mod operand;
mod output;
mod parser;
mod path_set;
mod priority;
mod program;
mod report;
mod resolve;
mod rule_set;
mod suggestion;
mod test;
mod transformer;
mod yaml;

#[cfg(test)]
mod tests;

pub use ast::{
    Comparison, Expression, Modifier, Name, Operand, Operator, Right, TransformerArgument,
};
pub use lexer::SyntaxError;
pub use loader::{RuleSource, load};
pub use output::{OutputError, OutputFormat, field_text};
pub use parser::parse;
pub use priority::{Priority, UnknownPriority};
pub use program::{CompileOptions, CompiledRule, EvaluationCache, Matching, Program, RuleIndex};
pub use report::{Code, Finding, LoadReport, Position};
pub use rule_set::{Rule, RuleSet};
