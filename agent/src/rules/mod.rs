//! Rules: text to AST to a program that an event runs through.

pub mod event_names;
pub mod output;
mod priority;
pub mod transformer;

pub use priority::Priority;
