//! The `fs.path.*` fields: the paths of successful calls about files.

use super::call_path::{absolute, path_of};
use super::path_text::join_normalised;
use super::{Context, Extractor, Value, fd};
use crate::event::table::{Parameter, Source};
use crate::event::{KernelPath, Payload};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "fs.path.name" => |context, _| single(context, false),
        "fs.path.nameraw" => |context, _| single(context, true),
        "fs.path.source" => |context, _| end(context, End::Source, false),
        "fs.path.sourceraw" => |context, _| end(context, End::Source, true),
        "fs.path.target" => |context, _| end(context, End::Target, false),
        "fs.path.targetraw" => |context, _| end(context, End::Target, true),
        _ => return None,
    })
}

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
            let name = match event {
                "mkdir" | "mkdirat" | "rmdir" | "unlink" | "chown" | "lchown" => "path",
                "unlinkat" | "umount" | "umount2" => "name",
                "chmod" | "fchmodat" => "filename",
                "fchownat" => "pathname",
                "quotactl" => "special",
                "fchmod" | "fchown" => return fd::name_of(context),
                _ => return None,
            };
            value(context, name, raw)
        }
        _ => None,
    }
}

/// One path of a call that has two.
fn end<'c>(context: &Context<'c>, which: End, raw: bool) -> Option<Value<'c>> {
    if !succeeded(context) {
        return None;
    }
    // Of a link the source is the new name, and the target what it leads to.
    let (source, target) = match context.event.event_type.name() {
        "rename" | "renameat" | "renameat2" => ("oldpath", "newpath"),
        "link" | "linkat" => ("newpath", "oldpath"),
        "symlink" | "symlinkat" => ("linkpath", "target"),
        "mount" => ("dev", "dir"),
        _ => return None,
    };
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
            Value::Bytes(absolute(path).into())
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
    let mut base = link.map(absolute).unwrap_or_default();
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
