//! The `container.*` and `k8s.*` fields: from the cgroup, and from what the runtime knows.

use super::{Context, Extractor, FieldArgument, Value};
use crate::capability;
use crate::container::security::{PodSecurity, SeccompMode};
use crate::container::{ContainerMetadata, Image, Labels, Mount, PodDetails, PodMetadata};
use crate::rules::glob_matches;

/// Computes a field from a container's metadata alone.
pub type MetadataExtractor = for<'c> fn(&'c ContainerMetadata, &FieldArgument) -> Option<Value<'c>>;

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "container.id" => |context, _| Some(Value::text(id(context))),
        "container.full_id" => |context, _| {
            Some(match &context.process.container {
                Some(container) => Value::text(container.full_id().as_bytes()),
                None => Value::text(HOST),
            })
        },
        "container.type" => |context, _| {
            Some(match &context.process.container {
                Some(container) => Value::text(container.runtime.name().as_bytes()),
                None => Value::text(HOST),
            })
        },
        // As in Falco, a container is as old as the first process of its pid namespace.
        "container.start_ts" => |context, _| start(context).map(Value::Uint),
        "container.duration" => {
            |context, _| Some(Value::Uint(context.time().saturating_sub(start(context)?)))
        }
        // The runtime knows the name; the cgroup knows it only of the host.
        "container.name" => |context, _| {
            context
                .process
                .container
                .is_none()
                .then(|| Value::text(HOST))
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

/// How the field of this name is computed from the container's metadata; `None` for a field that
/// does not depend on it. Where the metadata has no value, the field's [`extractor`] may have one.
pub fn metadata_extractor(name: &str) -> Option<MetadataExtractor> {
    Some(match name {
        "container.name" => |container, _| text(container.name.as_deref()),
        "container.image" => |container, _| text(container.image.reference.as_deref()),
        "container.image.id" => |container, _| text(container.image.id.as_deref()),
        "container.image.repository" => |container, _| text(container.image.repository.as_deref()),
        "container.image.tag" => |container, _| text(container.image.tag.as_deref()),
        "container.image.digest" => |container, _| text(container.image.digest.as_deref()),
        "container.image.pinned" => |container, _| {
            let Image {
                reference, pinned, ..
            } = &container.image;
            reference.as_ref().map(|_| Value::Bool(*pinned))
        },
        "container.privileged" => |container, _| container.privileged.map(Value::Bool),
        "container.mounts" => |container, _| {
            let mounts: Vec<String> = container
                .mounts
                .iter()
                .map(|mount| mount.to_string())
                .collect();
            (!mounts.is_empty()).then(|| owned(mounts.join(",")))
        },
        "container.mount" => {
            |container, at| Some(owned(mount(container, at, by_source)?.to_string()))
        }
        "container.mount.source" => {
            |container, at| text(Some(mount(container, at, by_destination)?.source))
        }
        "container.mount.dest" => {
            |container, at| text(Some(mount(container, at, by_source)?.destination))
        }
        "container.mount.mode" => |container, at| text(Some(mount(container, at, by_source)?.mode)),
        "container.mount.rdwr" => |container, at| {
            let writable = mount(container, at, by_source)?.writable;
            text(Some(if writable { "true" } else { "false" }))
        },
        "container.mount.propagation" => {
            |container, at| text(Some(mount(container, at, by_source)?.propagation))
        }
        "container.ip" => |container, _| text(container.ip.as_deref()),
        "container.host_pid" => |container, _| container.host_namespaces.pid.map(Value::Bool),
        "container.host_network" => {
            |container, _| container.host_namespaces.network.map(Value::Bool)
        }
        "container.host_ipc" => |container, _| container.host_namespaces.ipc.map(Value::Bool),
        "container.security.cap_effective" => {
            |container, _| container.security.effective.map(capabilities)
        }
        "container.security.cap_bounding" => {
            |container, _| container.security.bounding.map(capabilities)
        }
        "container.security.seccomp" => {
            |container, _| text(container.security.seccomp.map(SeccompMode::name))
        }
        "container.security.apparmor" => {
            |container, _| text(container.security.apparmor.as_deref())
        }
        "container.security.selinux" => |container, _| text(container.security.selinux.as_deref()),
        "container.security.no_new_privs" => {
            |container, _| container.security.no_new_privileges.map(Value::Bool)
        }
        "container.security.read_only_root" => {
            |container, _| container.read_only_root.map(Value::Bool)
        }
        "container.security.host_pid" => {
            |container, _| container.host_namespaces.pid.map(Value::Bool)
        }
        "container.security.host_network" => {
            |container, _| container.host_namespaces.network.map(Value::Bool)
        }
        "container.security.host_ipc" => {
            |container, _| container.host_namespaces.ipc.map(Value::Bool)
        }
        "container.security.host_user" => {
            |container, _| container.host_namespaces.user.map(Value::Bool)
        }
        "container.security.run_as_root" => {
            |container, _| container.security.runs_as_root.map(Value::Bool)
        }
        "k8s.pod.security" => {
            |container, _| text(container.verdict.standard().map(PodSecurity::name))
        }
        "k8s.pod.security.violations" => |container, _| {
            let broken = container.verdict.violations();
            let broken: Vec<Value<'_>> = broken
                .map(|control| Value::text(control.name().as_bytes()))
                .collect();
            (!broken.is_empty()).then_some(Value::List(broken))
        },
        "container.label" => |container, key| label(&container.labels, key),
        "container.labels" => |container, _| container.labels.shown().map(owned),
        "container.cni.json" | "k8s.pod.cni.json" => {
            |container, _| text(pod(container)?.network_json.as_deref())
        }
        "k8s.pod.name" => |container, _| text(pod(container)?.name.as_deref()),
        "k8s.ns.name" => |container, _| text(pod(container)?.namespace.as_deref()),
        "k8s.pod.uid" | "k8s.pod.id" => |container, _| text(pod(container)?.uid.as_deref()),
        "k8s.pod.full_sandbox_id" => |container, _| text(pod(container)?.sandbox_id.as_deref()),
        "k8s.pod.sandbox_id" => |container, _| {
            let id = pod(container)?.sandbox_id.as_deref()?;
            text(Some(id.get(..12).unwrap_or(id)))
        },
        // The API's labels are of now, the runtime's of when the pod was made.
        "k8s.pod.label" => |container, key| {
            let of_api = || label(&details(container)?.labels, key);
            of_api().or_else(|| label(&pod(container)?.labels, key))
        },
        "k8s.pod.labels" => |container, _| {
            let of_api = || details(container)?.labels.shown();
            of_api()
                .or_else(|| pod(container)?.labels.shown())
                .map(owned)
        },
        "k8s.pod.annotation" => |container, key| label(&details(container)?.annotations, key),
        "k8s.pod.owner.kind" => {
            |container, _| text(Some(&details(container)?.owner.as_ref()?.kind))
        }
        "k8s.pod.owner.name" => {
            |container, _| text(Some(&details(container)?.owner.as_ref()?.name))
        }
        "k8s.pod.service_account" => {
            |container, _| text(details(container)?.service_account.as_deref())
        }
        "k8s.node.name" => |container, _| text(details(container)?.node.as_deref()),
        "k8s.pod.ip" => |container, _| text(pod(container)?.ip.as_deref()),
        _ => return None,
    })
}

const HOST: &[u8] = b"host";

/// The container's short id, or `host`.
pub(super) fn id<'c>(context: &Context<'c>) -> &'c [u8] {
    match &context.process.container {
        Some(container) => container.id().as_bytes(),
        None => HOST,
    }
}

/// When the container began, ns since the epoch; `None` on the host.
fn start(context: &Context<'_>) -> Option<u64> {
    context.process.container.as_ref()?;
    Some(context.clock.wall_ns(context.process.namespace_start?))
}

fn text(text: Option<&str>) -> Option<Value<'_>> {
    text.map(|text| Value::text(text.as_bytes()))
}

fn owned(text: String) -> Value<'static> {
    Value::Bytes(text.into_bytes().into())
}

fn capabilities(set: u64) -> Value<'static> {
    owned(capability::names(set))
}

fn pod(container: &ContainerMetadata) -> Option<&PodMetadata> {
    container.pod.as_deref()
}

/// What the Kubernetes API says of the pod.
fn details(container: &ContainerMetadata) -> Option<&PodDetails> {
    pod(container)?.details.as_deref()
}

fn label<'c>(labels: &'c Labels, argument: &FieldArgument) -> Option<Value<'c>> {
    match argument {
        FieldArgument::Key(key) => text(labels.get(key)),
        FieldArgument::None | FieldArgument::Index(_) => None,
    }
}

fn by_source<'m>(mount: &Mount<'m>) -> &'m str {
    mount.source
}

fn by_destination<'m>(mount: &Mount<'m>) -> &'m str {
    mount.destination
}

/// The mount at a position, or the first one whose path matches a pattern.
fn mount<'c>(
    container: &'c ContainerMetadata,
    argument: &FieldArgument,
    path: for<'m> fn(&Mount<'m>) -> &'m str,
) -> Option<Mount<'c>> {
    match argument {
        FieldArgument::None => None,
        FieldArgument::Index(index) => container.mounts.get(usize::try_from(*index).ok()?),
        FieldArgument::Key(pattern) => container
            .mounts
            .iter()
            .find(|mount| glob_matches(pattern.as_bytes(), path(mount).as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::container::PodOwner;
    use crate::container::security::{SecurityState, Verdict};

    fn container() -> ContainerMetadata {
        let mount = |source: &'static str, destination: &'static str, writable| Mount {
            source,
            destination,
            writable,
            propagation: "rprivate",
            ..Mount::default()
        };
        ContainerMetadata {
            name: Some("web".into()),
            image: Image::new("reg:5000/app:2", "sha256:12", &[]),
            privileged: Some(true),
            mounts: [
                mount("/proc", "/host/proc", false),
                mount("/var/run/docker.sock", "/sock", true),
            ]
            .into_iter()
            .collect(),
            labels: Labels::new([("a.b".to_owned(), "1".to_owned())]),
            pod: Some(Box::new(PodMetadata {
                name: Some("web-0".into()),
                namespace: Some("shop".into()),
                sandbox_id: Some("0123456789abcdef".into()),
                labels: Labels::new([("tier".to_owned(), "old".to_owned())]),
                details: Some(Arc::new(PodDetails {
                    labels: Labels::new([("tier".to_owned(), "new".to_owned())]),
                    annotations: Labels::new([("note".to_owned(), "x".to_owned())]),
                    owner: Some(PodOwner {
                        kind: "StatefulSet".into(),
                        name: "web".into(),
                    }),
                    service_account: Some("shop-web".into()),
                    node: Some("node-1".into()),
                    ..PodDetails::default()
                })),
                ..PodMetadata::default()
            })),
            security: SecurityState {
                effective: Some(1 << 5),
                bounding: Some(1 << 5 | 1),
                seccomp: Some(SeccompMode::Filter),
                apparmor: Some("docker-default".into()),
                runs_as_root: Some(true),
                ..SecurityState::default()
            },
            ..ContainerMetadata::default()
        }
    }

    #[test]
    fn fields_of_metadata() {
        let key = |key: &str| FieldArgument::Key(key.to_owned());
        let none = FieldArgument::None;
        let mut container = container();
        container.verdict = Verdict::of("", &container);
        for (name, argument, expected) in [
            ("container.name", none.clone(), Some("web")),
            ("container.image", none.clone(), Some("reg:5000/app:2")),
            (
                "container.image.repository",
                none.clone(),
                Some("reg:5000/app"),
            ),
            ("container.image.tag", none.clone(), Some("2")),
            ("container.image.id", none.clone(), Some("12")),
            ("container.image.digest", none.clone(), None),
            (
                "container.mounts",
                none.clone(),
                Some("/proc:/host/proc::false:rprivate,/var/run/docker.sock:/sock::true:rprivate"),
            ),
            ("container.mount.dest", key("/proc*"), Some("/host/proc")),
            ("container.mount.dest", key("/etc"), None),
            (
                "container.mount.source",
                key("/sock"),
                Some("/var/run/docker.sock"),
            ),
            (
                "container.mount.source",
                FieldArgument::Index(0),
                Some("/proc"),
            ),
            ("container.mount.source", FieldArgument::Index(9), None),
            ("container.mount.rdwr", key("/proc"), Some("false")),
            (
                "container.mount",
                FieldArgument::Index(0),
                Some("/proc:/host/proc::false:rprivate"),
            ),
            ("container.label", key("a.b"), Some("1")),
            ("container.labels", none.clone(), Some("a.b:1")),
            ("k8s.pod.name", none.clone(), Some("web-0")),
            ("k8s.ns.name", none.clone(), Some("shop")),
            ("k8s.pod.sandbox_id", none.clone(), Some("0123456789ab")),
            (
                "k8s.pod.full_sandbox_id",
                none.clone(),
                Some("0123456789abcdef"),
            ),
            ("k8s.pod.label", key("x"), None),
            ("k8s.pod.label", key("tier"), Some("new")),
            ("k8s.pod.labels", none.clone(), Some("tier:new")),
            ("k8s.pod.annotation", key("note"), Some("x")),
            ("k8s.pod.owner.kind", none.clone(), Some("StatefulSet")),
            ("k8s.pod.owner.name", none.clone(), Some("web")),
            ("k8s.pod.service_account", none.clone(), Some("shop-web")),
            ("k8s.node.name", none.clone(), Some("node-1")),
            (
                "container.security.cap_effective",
                none.clone(),
                Some("CAP_KILL"),
            ),
            (
                "container.security.cap_bounding",
                none.clone(),
                Some("CAP_CHOWN CAP_KILL"),
            ),
            ("container.security.seccomp", none.clone(), Some("filter")),
            (
                "container.security.apparmor",
                none.clone(),
                Some("docker-default"),
            ),
            ("container.security.selinux", none.clone(), None),
            ("k8s.pod.security", none.clone(), Some("privileged")),
        ] {
            let value = metadata_extractor(name).unwrap()(&container, &argument);
            assert_eq!(value, text(expected), "{name}");
        }
        let violations = metadata_extractor("k8s.pod.security.violations").unwrap();
        let broken = [
            "privileged",
            "host_path_volumes",
            "volume_types",
            "run_as_root",
            "drop_capabilities",
        ]
        .map(|name| Value::text(name.as_bytes()));
        assert_eq!(
            violations(&container, &none),
            Some(Value::List(broken.into()))
        );
        assert_eq!(violations(&ContainerMetadata::default(), &none), None);
        for (name, expected) in [
            ("container.privileged", Some(true)),
            ("container.image.pinned", Some(false)),
            ("container.host_pid", None),
            ("container.security.host_pid", None),
            ("container.security.host_user", None),
            ("container.security.no_new_privs", None),
            ("container.security.read_only_root", None),
            ("container.security.run_as_root", Some(true)),
        ] {
            let value = metadata_extractor(name).unwrap()(&container, &none);
            assert_eq!(value, expected.map(Value::Bool), "{name}");
        }
    }
}
