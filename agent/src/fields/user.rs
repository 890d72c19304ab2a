//! The `user.*` and `group.*` fields.

use super::{Context, Extractor, Value};
use crate::event::Uid;

/// What Falco prints for an id that has no name.
const UNKNOWN: Value<'static> = Value::Bytes(std::borrow::Cow::Borrowed(b"<NA>"));

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "user.uid" => |context, _| Some(Value::Uint(u64::from(context.origin().uid.0))),
        "user.name" => |context, _| Some(user_name(context, context.origin().uid)),
        "user.homedir" => |context, _| {
            Some(
                context
                    .names_of_ids()
                    .home(context.origin().uid)
                    .map_or(UNKNOWN, Value::text),
            )
        },
        "user.shell" => |context, _| {
            Some(
                context
                    .names_of_ids()
                    .user(context.origin().uid)
                    .map_or(UNKNOWN, |user| Value::text(&user.shell)),
            )
        },
        // -1 when nobody logged in.
        "user.loginuid" => |context, _| {
            Some(Value::Int(i64::from(
                context.origin().loginuid.0.cast_signed(),
            )))
        },
        "user.loginname" => |context, _| Some(user_name(context, context.origin().loginuid)),
        "group.gid" => |context, _| Some(Value::Uint(u64::from(context.origin().gid.0))),
        "group.name" => |context, _| {
            Some(
                context
                    .names_of_ids()
                    .group_name(context.origin().gid)
                    .map_or(UNKNOWN, Value::text),
            )
        },
        _ => return None,
    })
}

fn user_name<'c>(context: &Context<'c>, uid: Uid) -> Value<'c> {
    context
        .names_of_ids()
        .user_name(uid)
        .map_or(UNKNOWN, Value::text)
}
