//! The `container.*` fields that the cgroup alone can answer.

use super::{Context, Extractor, Value};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "container.id" => |context, _| id(context).map(Value::text),
        "container.full_id" => |context, _| {
            Some(match &context.process.container {
                Some(container) => Value::text(container.full_id().as_bytes()),
                None => Value::text(HOST),
            })
        },
        // The runtime knows the name; the cgroup knows it only of the host.
        "container.name" => |context, _| {
            context
                .process
                .container
                .is_none()
                .then(|| Value::text(HOST))
        },
        "container.type" => |context, _| {
            Some(match &context.process.container {
                Some(container) => Value::text(container.runtime.name().as_bytes()),
                None => Value::text(HOST),
            })
        },
        "k8s.pod.uid" | "k8s.pod.id" => |context, _| {
            let container = context.process.container.as_ref()?;
            container
                .pod_uid
                .as_ref()
                .map(|uid| Value::text(uid.as_bytes()))
        },
        _ => return None,
    })
}

const HOST: &[u8] = b"host";

/// The container's short id, or `host`.
pub(super) fn id<'c>(context: &Context<'c>) -> Option<&'c [u8]> {
    Some(match &context.process.container {
        Some(container) => container.id().as_bytes(),
        None => HOST,
    })
}
