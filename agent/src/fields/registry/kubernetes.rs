//! Fields of the pod. What only an API server knows (services, deployments, ...) has names for old
//! rules and no values.

use super::definition::FieldType::Text;
use super::definition::{ArgumentSyntax, FieldDef, FieldType};

const fn field(name: &'static str, field_type: FieldType, help: &'static str) -> FieldDef {
    FieldDef::new("k8s", name, field_type, help)
}

pub(super) const FIELDS: &[FieldDef] = &[
    field("k8s.pod.name", Text, "name of the pod").suggested(),
    field("k8s.ns.name", Text, "namespace of the pod").suggested(),
    field("k8s.pod.id", Text, "the same as k8s.pod.uid"),
    field("k8s.pod.uid", Text, "uid of the pod"),
    field(
        "k8s.pod.sandbox_id",
        Text,
        "first 12 characters of the sandbox's id",
    ),
    field("k8s.pod.full_sandbox_id", Text, "id of the sandbox"),
    field("k8s.pod.label", Text, "one label of the pod").required(ArgumentSyntax::Key),
    field("k8s.pod.labels", Text, "all labels of the pod"),
    field("k8s.pod.ip", Text, "first IPv4 address of the pod"),
    field("k8s.pod.cni.json", Text, "network setup of the pod in JSON"),
    field(
        "k8s.pod.annotation",
        Text,
        "one annotation of the pod; asks the Kubernetes API",
    )
    .required(ArgumentSyntax::Key),
    field(
        "k8s.pod.owner.kind",
        Text,
        "kind of what keeps the pod, such as ReplicaSet; asks the Kubernetes API",
    ),
    field(
        "k8s.pod.owner.name",
        Text,
        "name of what keeps the pod; asks the Kubernetes API",
    ),
    field(
        "k8s.pod.service_account",
        Text,
        "service account of the pod; asks the Kubernetes API",
    ),
    field(
        "k8s.node.name",
        Text,
        "node that the pod is on; asks the Kubernetes API",
    ),
    field(
        "k8s.pod.security",
        Text,
        "Pod Security Standard that the container meets: privileged, baseline or restricted",
    ),
    field(
        "k8s.pod.security.violations",
        Text,
        "controls of the standards that it breaks",
    )
    .list(),
    field("k8s.rc.name", Text, "no longer has a value").deprecated(),
    field("k8s.rc.id", Text, "no longer has a value").deprecated(),
    field("k8s.rc.label", Text, "no longer has a value")
        .required(ArgumentSyntax::Key)
        .deprecated(),
    field("k8s.rc.labels", Text, "no longer has a value").deprecated(),
    field("k8s.svc.name", Text, "no longer has a value").deprecated(),
    field("k8s.svc.id", Text, "no longer has a value").deprecated(),
    field("k8s.svc.label", Text, "no longer has a value")
        .required(ArgumentSyntax::Key)
        .deprecated(),
    field("k8s.svc.labels", Text, "no longer has a value").deprecated(),
    field("k8s.ns.id", Text, "no longer has a value").deprecated(),
    field("k8s.ns.label", Text, "no longer has a value")
        .required(ArgumentSyntax::Key)
        .deprecated(),
    field("k8s.ns.labels", Text, "no longer has a value").deprecated(),
    field("k8s.rs.name", Text, "no longer has a value").deprecated(),
    field("k8s.rs.id", Text, "no longer has a value").deprecated(),
    field("k8s.rs.label", Text, "no longer has a value")
        .required(ArgumentSyntax::Key)
        .deprecated(),
    field("k8s.rs.labels", Text, "no longer has a value").deprecated(),
    field("k8s.deployment.name", Text, "no longer has a value").deprecated(),
    field("k8s.deployment.id", Text, "no longer has a value").deprecated(),
    field("k8s.deployment.label", Text, "no longer has a value")
        .required(ArgumentSyntax::Key)
        .deprecated(),
    field("k8s.deployment.labels", Text, "no longer has a value").deprecated(),
];
