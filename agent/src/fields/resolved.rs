//! What an alert shows besides where the kernel used something else than a path as passed says.

use super::{Context, fs_path};
use crate::event::Payload;

/// The field that shows the kernel's path of an opened file.
pub(super) const OPENED: &str = "fd.resolved_name";

/// A path as the kernel resolved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedName {
    /// The field whose value it is.
    pub field: &'static str,
    /// How it is called in an alert's text.
    pub label: &'static str,
    /// The path; what is not UTF-8 is replaced.
    pub path: String,
}

impl ResolvedName {
    pub(super) fn new(field: &'static str, label: &'static str, path: &[u8]) -> Self {
        Self {
            field,
            label,
            path: String::from_utf8_lossy(path).into_owned(),
        }
    }
}

/// Those of an event whose paths differ under its two views.
pub fn resolved_names(context: &Context<'_>) -> Vec<ResolvedName> {
    let mut names = Vec::new();
    if context.names.differ() {
        match &context.event.payload {
            Payload::Open(_) => {
                names.push(ResolvedName::new(OPENED, "resolved", &context.names.kernel));
            }
            Payload::Call(_) => fs_path::differing(context, &mut names),
            _ => {}
        }
    }
    names
}
