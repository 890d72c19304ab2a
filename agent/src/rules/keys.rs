//! The keys of each kind of item, for whoever describes rule files.

pub(crate) use super::loader::{LIST_CHANGEABLE, LIST_KEYS, MACRO_CHANGEABLE, MACRO_KEYS};
pub(crate) use super::rule_item::{APPENDABLE, REPLACEABLE, RULE_KEYS};
