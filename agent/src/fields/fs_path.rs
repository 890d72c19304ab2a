//! The `fs.path.*` fields: the paths of successful calls about files.

use super::call_path::{absolute, path_of};
use super::path_text::join_normalised;
use super::resolved::ResolvedName;
use super::{Context, Extractor, Value, View, fd};
use crate::event::table::{Parameter, Source};
use crate::event::{CallPath, KernelPath, Payload};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "fs.path.name" => |context, _| single(context, false),
        "fs.path.nameraw" => |context, _| single(context, true),
        "fs.path.source" => |context, _| end(context, End::Source, false),
        "fs.path.sourceraw" => |context, _| end(context, End::Source, true),
        "fs.path.target" => |context, _| end(context, End::Target, false),
        "fs.path.targetraw" => |context, _| end(context, End::Target, true),
        RESOLVED_NAME => |context, _| resolved(context, |context| single_name(context)),
        RESOLVED_SOURCE => |context, _| resolved(context, |context| Some(ends(context)?.0)),
        RESOLVED_TARGET => |context, _| resolved(context, |context| Some(ends(context)?.1)),
        _ => return None,
    })
}

/// [`extractor`]: of a call on one path, what the kernel found under it.
const RESOLVED_NAME: &str = "fs.path.resolved_name";
/// The same of the source of a call with two.
const RESOLVED_SOURCE: &str = "fs.path.resolved_source";
/// The same of the target.
const RESOLVED_TARGET: &str = "fs.path.resolved_target";

/// Which of two paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

fn succeeded(context: &Context<'_>) -> bool {
    context.origin().result.is_some_and(|result| result >= 0)
}

/// The path of a call that has one.
fn single<'c>(context: &Context<'c>, raw: bool) -> Option<Value<'c>> {
    if !succeeded(context) {
        return None;
    }
    let event = context.event.event_type.name();
    match &context.event.payload {
        Payload::Open(_) if event == "creat" => None,
        Payload::Open(open) if raw => Some(Value::text(open.path.bytes)),
        Payload::Open(_) => context.file_name().map(Value::text),
        Payload::Call(_) => {
            if let "fchmod" | "fchown" = event {
                return fd::name_of(context);
            }
            value(context, single_name(context)?, raw)
        }
        _ => None,
    }
}

/// The parameter with the path of a call that has one.
fn single_name(context: &Context<'_>) -> Option<&'static str> {
    Some(match context.event.event_type.name() {
        "mkdir" | "mkdirat" | "rmdir" | "unlink" | "chown" | "lchown" => "path",
        "unlinkat" | "umount" | "umount2" => "name",
        "chmod" | "fchmodat" => "filename",
        "fchownat" => "pathname",
        "quotactl" => "special",
        _ => return None,
    })
}

/// The parameters with the source and the target of a call that has two paths.
fn ends(context: &Context<'_>) -> Option<(&'static str, &'static str)> {
    // Of a link the source is the new name, and the target what it leads to.
    Some(match context.event.event_type.name() {
        "rename" | "renameat" | "renameat2" => ("oldpath", "newpath"),
        "link" | "linkat" => ("newpath", "oldpath"),
        "symlink" | "symlinkat" => ("linkpath", "target"),
        "mount" => ("dev", "dir"),
        _ => return None,
    })
}

/// What the kernel found under the path in a parameter; of a call that failed too, if it came that far.
fn resolved<'c>(
    context: &Context<'c>,
    name: impl FnOnce(&Context<'c>) -> Option<&'static str>,
) -> Option<Value<'c>> {
    let path = path_named(context, name(context)?)?;
    Some(Value::Bytes(path.used?.to_vec().into()))
}

fn path_named<'c>(context: &Context<'c>, name: &str) -> Option<&'c CallPath<'c>> {
    let definition = context.event.event_type.definition()?;
    path_of(context, definition.parameter(name)?)
}

/// The fields with what the kernel found, of those paths that say something else.
pub(super) fn differing(context: &Context<'_>, out: &mut Vec<ResolvedName>) {
    let (source, target) = ends(context).unzip();
    for (field, label, name) in [
        (RESOLVED_NAME, "resolved", single_name(context)),
        (RESOLVED_SOURCE, "resolved_source", source),
        (RESOLVED_TARGET, "resolved_target", target),
    ] {
        if let Some(path) = name.and_then(|name| path_named(context, name))
            && let Some(used) = path.used
            && absolute(path, View::Passed) != used.to_vec()
        {
            out.push(ResolvedName::new(field, label, &used.to_vec()));
        }
    }
}

/// One path of a call that has two.
fn end<'c>(context: &Context<'c>, which: End, raw: bool) -> Option<Value<'c>> {
    if !succeeded(context) {
        return None;
    }
    let (source, target) = ends(context)?;
    value(
        context,
        if which == End::Source { source } else { target },
        raw,
    )
}

fn value<'c>(context: &Context<'c>, name: &str, raw: bool) -> Option<Value<'c>> {
    let parameter = context.event.event_type.definition()?.parameter(name)?;
    if let Some(path) = path_of(context, parameter) {
        return Some(if raw {
            Value::text(path.path.bytes)
        } else {
            Value::Bytes(absolute(path, context.view).into())
        });
    }
    let text = super::parameter::text_of(context, parameter)?;
    if raw || name != "target" {
        return Some(Value::text(text));
    }
    Some(Value::Bytes(link_target(context, parameter, text).into()))
}

/// What a symbolic link leads to, as text: a relative one starts from the directory of the link.
///
/// Falco starts from the working directory, which is where the link does not lead.
fn link_target(context: &Context<'_>, target: &Parameter, text: &[u8]) -> Vec<u8> {
    let definition = context.event.event_type.definition();
    let link = definition
        .and_then(|definition| definition.parameter("linkpath"))
        .filter(|_| matches!(target.source, Source::Text(_)))
        .and_then(|parameter| path_of(context, parameter));
    let mut base = link
        .map(|link| absolute(link, context.view))
        .unwrap_or_default();
    let length = super::path_text::directory(&base).len();
    base.truncate(length);
    if base.is_empty() {
        base = link
            .and_then(|link| link.base.as_ref().map(KernelPath::to_vec))
            .unwrap_or_default();
    }
    let mut out = Vec::new();
    join_normalised(&base, text, &mut out);
    out
}
