//! Every field that a rule can name.
//!
//! [`registry`] says which fields there are, of which type and with which argument. The other
//! modules, one a class, say how a value is computed.

pub mod registry;
mod value;

pub use value::{FieldArgument, FieldSource, FieldUse, Value};
