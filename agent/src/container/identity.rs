//! The name of a container, read from the path of its cgroup.
//!
//! Which layouts count, and why:
//!
//! * **A component that only a runtime makes**: `docker-ID.scope`, `cri-containerd-ID.scope`,
//!   `crio-ID.scope`, `libpod-ID.scope` (systemd driver), `crio-ID`, `libpod-ID`,
//!   `libpod-payload-ID` (cgroupfs driver, and podman's split mode), or the bare ID below any
//!   parent (cgroupfs driver of Docker and containerd), where ID is 64 lower-case hex digits. No
//!   host service is named like that, so the parent does not matter, nor what is below: a container
//!   that divides its own cgroup (systemd in a container) still is that container.
//! * **`lxc.payload.NAME`, `lxc.payload/NAME` and `lxc/NAME`**, as LXC makes them.
//! * **`/NAMESPACE/ID` with free text**, as `ctr` and other clients of containerd make it. This has
//!   no mark of its own, so it must be the whole path, both parts must be valid containerd
//!   identifiers, neither a systemd unit, and the first not the well-known parent of something
//!   else. One level (`/ID`) is never taken for a container: any service may be called that.
//!
//! Everything else is the host: `/`, `/init.scope`, `/user.slice/...`, services, pods' own slices
//! (a pod's cgroup has no process), and the monitors that runtimes place beside containers
//! (`crio-conmon-ID.scope`, `libpod-conmon-ID.scope`, `lxc.monitor.NAME`).
//!
//! Of nested containers the innermost is the answer.

use std::fmt;

/// What made a container, as far as the cgroup shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// Docker Engine.
    Docker,
    /// containerd: through its own API, or as the runtime of Kubernetes.
    Containerd,
    /// CRI-O.
    CriO,
    /// podman, and whatever else uses libpod.
    Podman,
    /// LXC, LXD, Incus.
    Lxc,
    /// A container whose cgroup does not tell by whom it was made.
    Unknown,
}

impl Runtime {
    /// The name in the rule language (`container.type`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Podman => "podman",
            Self::Lxc => "lxc",
            Self::Unknown => "oci",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Which container: all that the cgroup alone tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerIdentity {
    full_id: Box<str>,
    /// What made it.
    pub runtime: Runtime,
    /// The Kubernetes pod's uid, for a container of a pod.
    pub pod_uid: Option<Box<str>>,
}

/// Length of the id that people see, in characters.
const SHORT_ID: usize = 12;
/// Length of a generated id: a SHA-256 in hex.
const GENERATED_ID: usize = 64;

/// First components below which a second one is not a containerd container: parents that other
/// software makes, and that look like a containerd namespace.
const NOT_NAMESPACES: [&[u8]; 13] = [
    b"docker",
    b"init",
    b"kubelet",
    b"kubepods",
    b"libpod_parent",
    b"lxc",
    b"lxc.payload",
    b"lxc.monitor",
    b"machine",
    b"podruntime",
    b"runtime",
    b"system",
    b"user",
];

impl ContainerIdentity {
    /// The id that is shown and compared (`container.id`): the first 12 characters.
    pub fn id(&self) -> &str {
        self.full_id.get(..SHORT_ID).unwrap_or(&self.full_id)
    }

    /// The whole id, as the runtime's API wants it.
    pub fn full_id(&self) -> &str {
        &self.full_id
    }

    /// Whether a runtime made the id, so that no other container ever has the same.
    pub fn is_generated(&self) -> bool {
        is_generated_id(self.full_id.as_bytes())
    }

    /// The container whose processes are in the cgroup of this path; `None` for the host's.
    ///
    /// A path without its leading slash (its start is unknown) can only show a container through a
    /// component that only runtimes make.
    pub fn from_cgroup_path(path: &[u8]) -> Option<Self> {
        Self::from_runtime_component(path).or_else(|| Self::from_containerd_path(path))
    }

    /// The container, if a component that only runtimes make is in the path.
    pub(super) fn from_runtime_component(path: &[u8]) -> Option<Self> {
        let path = without_deleted_mark(path);
        let mut rest = path;
        while !rest.is_empty() {
            let (outer, component) = match rest.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => (&rest[..slash], &rest[slash + 1..]),
                None => (&rest[..0], rest),
            };
            let parent = outer.rsplit(|byte| *byte == b'/').next().unwrap_or(b"");
            if let Some((runtime, id)) = classify(parent, component, outer) {
                return Some(Self {
                    full_id: text(id)?,
                    runtime,
                    // The pod is above its container; in the mixed form `SLICE:PREFIX:ID` the
                    // component itself has it.
                    pod_uid: pod_uid(component).or_else(|| {
                        outer
                            .rsplit(|byte| *byte == b'/')
                            .take_while(|above| !is_container_component(above))
                            .find_map(pod_uid)
                    }),
                });
            }
            rest = outer;
        }
        None
    }

    /// The container, if the whole path is `/NAMESPACE/ID` as containerd's own clients make it.
    pub(super) fn from_containerd_path(path: &[u8]) -> Option<Self> {
        let path = without_deleted_mark(path).strip_prefix(b"/")?;
        let slash = path.iter().position(|byte| *byte == b'/')?;
        let (namespace, id) = (&path[..slash], &path[slash + 1..]);
        if !is_containerd_identifier(namespace)
            || !is_containerd_identifier(id)
            || is_systemd_unit(namespace)
            || is_systemd_unit(id)
            || NOT_NAMESPACES.contains(&namespace)
        {
            return None;
        }
        Some(Self {
            full_id: text(id)?,
            runtime: Runtime::Containerd,
            pod_uid: None,
        })
    }
}

/// Cgroup names are bytes; ids that pass the checks here are ASCII.
fn text(id: &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(id).ok().map(Box::from)
}

/// The kernel appends this to the path of a removed cgroup that still has a process.
fn without_deleted_mark(path: &[u8]) -> &[u8] {
    path.strip_suffix(b" (deleted)").unwrap_or(path)
}

/// The runtime and id, if a runtime made this component.
fn classify<'p>(parent: &[u8], component: &'p [u8], outer: &[u8]) -> Option<(Runtime, &'p [u8])> {
    if let Some(name) = component.strip_prefix(b"lxc.payload.") {
        return is_name(name).then_some((Runtime::Lxc, name));
    }
    if (parent == b"lxc" || parent == b"lxc.payload") && !is_generated_id(component) {
        return is_name(component).then_some((Runtime::Lxc, component));
    }
    let scope = component.strip_suffix(b".scope").unwrap_or(component);
    if is_generated_id(scope) {
        return Some((runtime_of_bare_id(parent, outer), scope));
    }
    let (prefix, id) = split_generated_id(scope)?;
    // `SLICE:PREFIX:ID` is what a cgroupfs driver makes of a path meant for the systemd driver.
    let prefix = prefix.rsplit(|byte| *byte == b':').next().unwrap_or(b"");
    let runtime = match prefix {
        b"docker" => Runtime::Docker,
        b"cri-containerd" | b"containerd" | b"nerdctl" => Runtime::Containerd,
        b"crio" => Runtime::CriO,
        b"libpod" | b"libpod-payload" => Runtime::Podman,
        monitor if monitor.ends_with(b"conmon") => return None,
        // An unknown prefix before 64 hex digits is a runtime only as a scope: that is what runc
        // makes of `slice:prefix:id`.
        _ if scope.len() != component.len() => Runtime::Unknown,
        _ => return None,
    };
    Some((runtime, id))
}

fn is_container_component(component: &[u8]) -> bool {
    classify(b"", component, b"").is_some()
}

/// Who names a cgroup by nothing but the id.
fn runtime_of_bare_id(parent: &[u8], outer: &[u8]) -> Runtime {
    if parent == b"docker" {
        Runtime::Docker
    } else if pod_uid(parent).is_some() {
        Runtime::Containerd
    } else if parent == b"libpod_parent" {
        Runtime::Podman
    } else if parent.is_empty() {
        Runtime::Unknown
    } else if outer.strip_prefix(b"/") == Some(parent) && !is_systemd_unit(parent) {
        // `/NAMESPACE/ID`.
        Runtime::Containerd
    } else {
        // Docker with `--cgroup-parent`.
        Runtime::Docker
    }
}

/// `PREFIX-ID` or `PREFIX:ID`, where the id is 64 hex digits.
fn split_generated_id(component: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = component.len().checked_sub(GENERATED_ID)?;
    let (prefix, id) = component.split_at(start);
    let (separator, prefix) = prefix.split_last()?;
    (matches!(*separator, b'-' | b':') && is_generated_id(id)).then_some((prefix, id))
}

fn is_generated_id(id: &[u8]) -> bool {
    id.len() == GENERATED_ID && id.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name that a person gave to a container, as far as it can be shown safely.
fn is_name(name: &[u8]) -> bool {
    (1..=GENERATED_ID).contains(&name.len())
        && !is_systemd_unit(name)
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// containerd's rule for namespaces and ids: words of letters and digits, joined by single `-`,
/// `_` or `.`; and no longer than a generated id.
fn is_containerd_identifier(name: &[u8]) -> bool {
    name.len() <= GENERATED_ID
        && name
            .split(|byte| matches!(byte, b'-' | b'_' | b'.'))
            .all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_alphanumeric))
}

fn is_systemd_unit(name: &[u8]) -> bool {
    [
        &b".service"[..],
        b".slice",
        b".scope",
        b".mount",
        b".socket",
        b".swap",
    ]
    .iter()
    .any(|suffix| name.ends_with(suffix))
}

/// The uid in `podUID` (cgroupfs driver) or `...-podU_I_D.slice` (systemd driver, which cannot have
/// a dash in a name).
fn pod_uid(component: &[u8]) -> Option<Box<str>> {
    // In `SLICE:PREFIX:ID` only the slice can hold it.
    let component = component.split(|byte| *byte == b':').next()?;
    let uid = match component.strip_suffix(b".slice") {
        Some(slice) => {
            let dash = slice.iter().rposition(|byte| *byte == b'-')?;
            slice.get(dash + 1..)?.strip_prefix(b"pod")?
        }
        None => component.strip_prefix(b"pod")?,
    };
    // A uid is a UUID, or for a static pod the 32 digits of a hash.
    if !matches!(uid.len(), 32 | 36)
        || !uid
            .iter()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'_'))
    {
        return None;
    }
    let uid = std::str::from_utf8(uid).ok()?;
    Some(uid.replace('_', "-").into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";
    const OTHER: &str = "aa1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f6ff";
    const POD: &str = "0fd54ab2-3c1e-4b59-8a39-1f2e3d4c5b6a";
    const POD_SLICE: &str = "0fd54ab2_3c1e_4b59_8a39_1f2e3d4c5b6a";

    fn fill(path: &str) -> String {
        path.replace("OTHER", OTHER)
            .replace("ID", ID)
            .replace("PODSLICE", POD_SLICE)
            .replace("POD", POD)
    }

    fn identity(path: &str) -> Option<ContainerIdentity> {
        ContainerIdentity::from_cgroup_path(fill(path).as_bytes())
    }

    /// Path, runtime, id, and whether the container is one of the pod's.
    const LAYOUTS: &[(&str, Runtime, &str, bool)] = &[
        // Docker: cgroupfs, systemd, own parent, inside another hierarchy's prefix.
        ("/docker/ID", Runtime::Docker, "ID", false),
        (
            "/system.slice/docker-ID.scope",
            Runtime::Docker,
            "ID",
            false,
        ),
        ("/outer/prefix/docker/ID", Runtime::Docker, "ID", false),
        ("/batch/jobs/ID", Runtime::Docker, "ID", false),
        ("/batch.slice/docker-ID.scope", Runtime::Docker, "ID", false),
        // The container divides its own cgroup.
        ("/docker/ID/init.scope", Runtime::Docker, "ID", false),
        (
            "/docker/ID/system.slice/ssh.service",
            Runtime::Docker,
            "ID",
            false,
        ),
        // containerd by itself.
        ("/default/ID", Runtime::Containerd, "ID", false),
        ("/k8s.io/ID", Runtime::Containerd, "ID", false),
        ("/default/redis-1", Runtime::Containerd, "redis-1", false),
        ("/default/my.job_2", Runtime::Containerd, "my.job_2", false),
        (
            "/system.slice/nerdctl-ID.scope",
            Runtime::Containerd,
            "ID",
            false,
        ),
        // Kubernetes with containerd: cgroupfs, systemd, mixed.
        ("/kubepods/podPOD/ID", Runtime::Containerd, "ID", true),
        (
            "/kubepods/besteffort/podPOD/ID",
            Runtime::Containerd,
            "ID",
            true,
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPODSLICE.slice/cri-containerd-ID.scope",
            Runtime::Containerd,
            "ID",
            true,
        ),
        (
            "/kubepods.slice/kubepods-podPODSLICE.slice/cri-containerd-ID.scope",
            Runtime::Containerd,
            "ID",
            true,
        ),
        (
            "/system.slice/containerd.service/kubepods-burstable-podPODSLICE.slice:cri-containerd:ID",
            Runtime::Containerd,
            "ID",
            true,
        ),
        // Kubernetes with Docker.
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podPODSLICE.slice/docker-ID.scope",
            Runtime::Docker,
            "ID",
            true,
        ),
        // Kubernetes with CRI-O.
        (
            "/kubepods/burstable/podPOD/crio-ID",
            Runtime::CriO,
            "ID",
            true,
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podPODSLICE.slice/crio-ID.scope",
            Runtime::CriO,
            "ID",
            true,
        ),
        (
            "/kubepods.slice/kubepods-podPODSLICE.slice/crio-ID.scope/container",
            Runtime::CriO,
            "ID",
            true,
        ),
        // podman, root and not, cgroupfs, systemd, split, with crun's payload group.
        ("/libpod_parent/libpod-ID", Runtime::Podman, "ID", false),
        (
            "/machine.slice/libpod-ID.scope",
            Runtime::Podman,
            "ID",
            false,
        ),
        (
            "/machine.slice/libpod-ID.scope/container",
            Runtime::Podman,
            "ID",
            false,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            Runtime::Podman,
            "ID",
            false,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/libpod_parent/libpod-ID",
            Runtime::Podman,
            "ID",
            false,
        ),
        (
            "/system.slice/web.service/libpod-payload-ID",
            Runtime::Podman,
            "ID",
            false,
        ),
        // LXC.
        ("/lxc.payload.web1", Runtime::Lxc, "web1", false),
        (
            "/lxc.payload.web1/system.slice/cron.service",
            Runtime::Lxc,
            "web1",
            false,
        ),
        ("/lxc/web1", Runtime::Lxc, "web1", false),
        ("/lxc.payload/web1", Runtime::Lxc, "web1", false),
        // runc by itself.
        ("/ID", Runtime::Unknown, "ID", false),
        ("/user.slice/runc-ID.scope", Runtime::Unknown, "ID", false),
        // Nested: the inner one.
        ("/docker/OTHER/docker/ID", Runtime::Docker, "ID", false),
        (
            "/docker/OTHER/kubelet/kubepods/besteffort/podPOD/ID",
            Runtime::Containerd,
            "ID",
            true,
        ),
        (
            "/docker/OTHER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPODSLICE.slice/cri-containerd-ID.scope",
            Runtime::Containerd,
            "ID",
            true,
        ),
        // A container inside a pod's container still is in the pod only by the outer one.
        (
            "/kubepods/podPOD/OTHER/docker/ID",
            Runtime::Docker,
            "ID",
            false,
        ),
        // A removed cgroup, a path whose start is unknown, one seen from another namespace.
        ("/docker/ID (deleted)", Runtime::Docker, "ID", false),
        ("kubepods/podPOD/ID", Runtime::Containerd, "ID", true),
        ("/../../kubepods/podPOD/ID", Runtime::Containerd, "ID", true),
    ];

    #[test]
    fn every_runtime_and_driver() {
        for &(path, runtime, id, in_pod) in LAYOUTS {
            let found = identity(path).unwrap_or_else(|| panic!("no container in {path}"));
            assert_eq!(found.full_id(), fill(id), "{path}");
            assert_eq!(found.runtime, runtime, "{path}");
            assert_eq!(found.pod_uid.as_deref(), in_pod.then_some(POD), "{path}");
        }
    }

    #[test]
    fn the_host_is_no_container() {
        for path in [
            "",
            "/",
            "//",
            "/init.scope",
            "/user.slice",
            "/user.slice/session",
            "/user.slice/user-1000.slice/session-3.scope",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-terminal.scope",
            "/system.slice/docker.service",
            "/system.slice/containerd.service",
            "/system.slice/ssh.service",
            "/machine.slice/machine-vm.scope",
            "/kubepods",
            "/kubepods/besteffort",
            "/kubepods/podPOD",
            "/kubepods/besteffort/podPOD",
            "/kubepods.slice/kubepods-podPODSLICE.slice",
            "/kubelet/worker",
            "/podruntime/runtime",
            "/machine.slice/libpod-conmon-ID.scope",
            "/kubepods.slice/kubepods-podPODSLICE.slice/crio-conmon-ID.scope",
            "/lxc.monitor.web1",
            "/lxc.monitor/web1",
            "/docker",
            "/docker/short",
            "/libpod_parent",
            "/libpod_parent/conmon",
            "/myservice",
            "/a/b/c",
            "/my group/sub",
            "/namespace/id.service",
            "/namespace/-id",
            "/../..",
            // Its start is unknown: it may be anything's tail.
            "default/redis",
            // 63 and 65 digits, capitals.
            "/docker/f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601",
            "/a/b/IDf",
            "/x/y/3F1C0A5BE2D94C7786A1B0C9D8E7F60514233241506F7E8D9CABBAC9D8E7F601",
        ] {
            assert_eq!(identity(path), None, "{path}");
        }
    }

    #[test]
    fn the_short_id_is_twelve_characters_or_all() {
        for (path, id) in [("/docker/ID", "3f1c0a5be2d9"), ("/default/web", "web")] {
            assert_eq!(identity(path).unwrap().id(), id);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_path(path in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ContainerIdentity::from_cgroup_path(&path);
        }

        #[test]
        fn paths_of_likely_parts(parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "/", "-", ":", ".scope", ".slice", "docker", "libpod", "conmon", "crio", "pod", POD,
                POD_SLICE, ID, "lxc.payload.", "kubepods", "..", " (deleted)", "\u{e9}",
            ]), 0..12)) {
            let path = parts.concat();
            if let Some(found) = ContainerIdentity::from_cgroup_path(path.as_bytes()) {
                prop_assert!(!found.full_id().is_empty() && found.full_id().len() <= 64);
                prop_assert!(path.contains(found.full_id()));
            }
        }
    }
}
