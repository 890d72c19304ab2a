//! Rules: text to AST to a program that an event runs through.

mod priority;

pub use priority::Priority;
