//! Paths among the arguments of a call.

use super::Context;
use super::path_text::join_normalised;
use crate::event::table::{Parameter, Source};
use crate::event::{CallPath, KernelPath, Payload};

/// The path behind a parameter; `None` if the parameter is no path, or it was not captured.
pub(super) fn path_of<'c>(
    context: &Context<'c>,
    parameter: &Parameter,
) -> Option<&'c CallPath<'c>> {
    let Payload::Call(call) = &context.event.payload else {
        return None;
    };
    let definition = context.event.event_type.definition()?;
    let position = definition
        .parameters
        .iter()
        .filter(|one| matches!(one.source, Source::Path(..)))
        .position(|one| one.name == parameter.name)?;
    let path = call.paths.get(position)?.as_ref()?;
    // Empty and cut off: its memory could not be read. The directory may be there nevertheless.
    let is_readable = !(path.path.bytes.is_empty() && path.path.truncated);
    is_readable.then_some(path)
}

/// Absolute and normalised as text; symlinks are kept.
pub(super) fn absolute(path: &CallPath<'_>) -> Vec<u8> {
    let base = path.base.as_ref().map(KernelPath::to_vec);
    let mut out = Vec::with_capacity(path.path.bytes.len() + base.as_ref().map_or(0, Vec::len));
    if path.path.bytes.is_empty() {
        return out;
    }
    join_normalised(&base.unwrap_or_default(), path.path.bytes, &mut out);
    out
}
