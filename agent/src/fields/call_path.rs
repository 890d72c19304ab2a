//! Paths among the arguments of a call.

use super::path_text::join_normalised;
use super::{Context, FileNames, View};
use crate::event::table::{Parameter, Source};
use crate::event::{Call, CallPath, KernelPath, Payload};

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
    (is_readable(path) || path.used.is_some()).then_some(path)
}

/// Whether the path as passed is known. Empty and cut off: its memory could not be read. The directory may be there
/// nevertheless.
fn is_readable(path: &CallPath<'_>) -> bool {
    !(path.path.bytes.is_empty() && path.path.truncated)
}

/// Absolute, in the view that counts: normalised as text with symlinks kept, or as the kernel found it.
pub(super) fn absolute(path: &CallPath<'_>, view: View) -> Vec<u8> {
    let mut out = Vec::new();
    match (view, &path.used) {
        (View::Kernel, Some(used)) => used.write_to(&mut out),
        _ => write_passed(path, &mut out),
    }
    out
}

fn write_passed(path: &CallPath<'_>, out: &mut Vec<u8>) {
    if let (false, Some(used)) = (is_readable(path), &path.used) {
        used.write_to(out);
    } else if !path.path.bytes.is_empty() {
        let base = path.base.as_ref().map(KernelPath::to_vec);
        join_normalised(&base.unwrap_or_default(), path.path.bytes, out);
    }
}

/// Fills in the paths of a call under both views, one after the other with a NUL behind each: of those that the kernel
/// told, since only these can differ.
pub(super) fn call_names(call: &Call<'_>, names: &mut FileNames) {
    for path in call.paths.iter().flatten() {
        if let Some(used) = &path.used {
            write_passed(path, &mut names.passed);
            used.write_to(&mut names.kernel);
            names.passed.push(0);
            names.kernel.push(0);
        }
    }
}
