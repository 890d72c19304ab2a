//! Fields of the container.

use super::definition::FieldType::{AbsTime, Bool, RelTime, Text};
use super::definition::{ArgumentSyntax, FieldDef, FieldType};

const fn field(name: &'static str, field_type: FieldType, help: &'static str) -> FieldDef {
    FieldDef::new("container", name, field_type, help)
}

pub(super) const FIELDS: &[FieldDef] = &[
    field(
        "container.id",
        Text,
        "first 12 characters of the id; host outside",
    )
    .suggested(),
    field("container.full_id", Text, "whole id"),
    field("container.name", Text, "name; host outside").suggested(),
    field("container.image", Text, "image as the runtime was told"),
    field("container.image.id", Text, "id of the image"),
    field(
        "container.type",
        Text,
        "runtime: docker, containerd, cri-o, podman, ...; host outside",
    ),
    field("container.privileged", Bool, "is privileged"),
    field("container.mounts", Text, "all mounts"),
    field("container.mount", Text, "one mount").required(ArgumentSyntax::IndexOrKey),
    field("container.mount.source", Text, "source of a mount").required(ArgumentSyntax::IndexOrKey),
    field("container.mount.dest", Text, "destination of a mount")
        .required(ArgumentSyntax::IndexOrKey),
    field("container.mount.mode", Text, "mode of a mount").required(ArgumentSyntax::IndexOrKey),
    field(
        "container.mount.rdwr",
        Text,
        "whether a mount can be written to",
    )
    .required(ArgumentSyntax::IndexOrKey),
    field(
        "container.mount.propagation",
        Text,
        "propagation of a mount",
    )
    .required(ArgumentSyntax::IndexOrKey),
    field(
        "container.image.repository",
        Text,
        "image without tag and digest",
    )
    .suggested(),
    field("container.image.tag", Text, "tag of the image").suggested(),
    field("container.image.digest", Text, "digest of the image"),
    field(
        "container.image.pinned",
        Bool,
        "the image was named by its digest",
    ),
    field("container.healthcheck", Text, "no longer has a value").deprecated(),
    field("container.liveness_probe", Text, "no longer has a value").deprecated(),
    field("container.readiness_probe", Text, "no longer has a value").deprecated(),
    field("container.start_ts", AbsTime, "when the container began"),
    field(
        "container.duration",
        RelTime,
        "ns since the container began",
    ),
    field("container.ip", Text, "first IPv4 address"),
    field(
        "container.cni.json",
        Text,
        "network setup of the pod in JSON",
    ),
    field("container.host_pid", Bool, "shares the host's processes"),
    field("container.host_network", Bool, "shares the host's network"),
    field("container.host_ipc", Bool, "shares the host's IPC"),
    field(
        "container.security.cap_effective",
        Text,
        "effective capabilities of the first process",
    ),
    field(
        "container.security.cap_bounding",
        Text,
        "capabilities that a process in it can get",
    ),
    field(
        "container.security.seccomp",
        Text,
        "filter of system calls: disabled, strict or filter",
    ),
    field(
        "container.security.apparmor",
        Text,
        "AppArmor profile, or unconfined",
    ),
    field("container.security.selinux", Text, "SELinux context"),
    field(
        "container.security.no_new_privs",
        Bool,
        "no program in it gains privileges",
    ),
    field(
        "container.security.read_only_root",
        Bool,
        "its root file system cannot be written to",
    ),
    field(
        "container.security.host_pid",
        Bool,
        "shares the host's processes; as container.host_pid",
    ),
    field(
        "container.security.host_network",
        Bool,
        "shares the host's network; as container.host_network",
    ),
    field(
        "container.security.host_ipc",
        Bool,
        "shares the host's IPC; as container.host_ipc",
    ),
    field(
        "container.security.host_user",
        Bool,
        "shares the host's users: its root is the host's",
    ),
    field(
        "container.security.run_as_root",
        Bool,
        "its first process is root in it",
    ),
    field("container.label", Text, "one label").required(ArgumentSyntax::Key),
    field("container.labels", Text, "all labels"),
];
