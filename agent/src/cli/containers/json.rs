//! A container as JSON.

use serde_json::{Value as Json, json};

use super::survey::Surveyed;
use crate::capability;
use crate::container::security::{Control, PodSecurity, SeccompMode};
use crate::container::{Labels, Mount};

/// All that is known; `null` is what is not.
pub(super) fn of(container: &Surveyed) -> Json {
    let (identity, known) = (&container.identity, &container.metadata);
    let image = &known.image;
    let security = &known.security;
    let capabilities = |set: Option<u64>| -> Option<Vec<String>> {
        let names = capability::names(set?);
        Some(names.split_ascii_whitespace().map(str::to_owned).collect())
    };
    json!({
        "id": identity.id(),
        "full_id": identity.full_id(),
        "runtime": identity.runtime.name(),
        "pid": container.pid,
        "name": known.name,
        "image": {
            "reference": image.reference,
            "repository": image.repository,
            "tag": image.tag,
            "digest": image.digest,
            "id": image.id,
            "pinned": image.reference.as_ref().map(|_| image.pinned),
        },
        "user": known.user,
        "ip": known.ip,
        "labels": labels(&known.labels),
        "mounts": known.mounts.iter().map(mount).collect::<Vec<_>>(),
        "pod": known.pod.as_ref().map(|pod| json!({
            "name": pod.name,
            "namespace": pod.namespace,
            "uid": pod.uid,
            "sandbox_id": pod.sandbox_id,
            "ip": pod.ip,
            "labels": labels(&pod.labels),
        })),
        "security": {
            "privileged": known.privileged,
            "cap_effective": capabilities(security.effective),
            "cap_bounding": capabilities(security.bounding),
            "seccomp": security.seccomp.map(SeccompMode::name),
            "apparmor": security.apparmor,
            "selinux": security.selinux,
            "no_new_privs": security.no_new_privileges,
            "read_only_root": known.read_only_root,
            "host_pid": known.host_namespaces.pid,
            "host_network": known.host_namespaces.network,
            "host_ipc": known.host_namespaces.ipc,
            "host_user": known.host_namespaces.user,
            "run_as_root": security.runs_as_root,
            "host_ports": security.host_ports,
            "proc_masked": security.proc_masked,
            "sysctls": security.sysctls,
        },
        "pod_security": {
            "standard": known.verdict.standard().map(PodSecurity::name),
            "violations": known.verdict.violations().map(Control::name).collect::<Vec<_>>(),
        },
    })
}

fn labels(labels: &Labels) -> Json {
    labels
        .iter()
        .map(|(key, value)| (key.to_owned(), Json::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn mount(mount: Mount<'_>) -> Json {
    json!({
        "source": mount.source,
        "destination": mount.destination,
        "mode": mount.mode,
        "writable": mount.writable,
        "propagation": mount.propagation,
    })
}
