//! What kind of volume a mount is, by where it comes from.
//!
//! kubelet keeps a pod's volumes in `.../pods/UID/volumes/PLUGIN/NAME`, so the source tells the plugin. The
//! pod's uid has to be right: nobody can choose it, and a directory of the host with such a name is no
//! volume of this pod.

use crate::container::{Mount, PodMetadata};

/// A kind of volume, as far as the Pod Security Standards tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// The runtime or kubelet made it for the container itself: its host name, its termination log.
    Own,
    /// `configMap`, `secret`, `emptyDir`, ...: what the restricted standard allows.
    Allowed,
    /// Any other plugin: `nfs`, `iscsi`, ...
    Other,
    /// A part of the host's file system.
    HostPath,
}

/// Where every container has a file or directory of its own.
const OWN_DESTINATIONS: [&str; 11] = [
    "/etc/group",
    "/etc/passwd",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/dev/shm",
    "/dev/termination-log",
    "/run/.containerenv",
    "/run/secrets",
    "/sys/fs/cgroup",
    "/dev/init",
];

/// Plugins of the volumes that the restricted standard allows. A persistent volume claim shows the
/// plugin of the volume behind it: `csi`, or `local-volume`, which is nothing but that. An old one such
/// as `nfs` can be in the pod itself as well, and counts as such.
const ALLOWED_PLUGINS: [&str; 8] = [
    "kubernetes.io~configmap",
    "kubernetes.io~csi",
    "kubernetes.io~downward-api",
    "kubernetes.io~empty-dir",
    "kubernetes.io~ephemeral",
    "kubernetes.io~local-volume",
    "kubernetes.io~projected",
    "kubernetes.io~secret",
];

impl VolumeKind {
    /// Of a mount of the container with this full id, in this pod.
    pub fn of(mount: Mount<'_>, id: &str, pod: Option<&PodMetadata>) -> Self {
        let source = mount.source;
        // What is not a path is a file system in memory, or a volume's name (Docker).
        if !source.starts_with('/') {
            return Self::Allowed;
        }
        if let Some(below) = pod
            .and_then(|pod| pod.uid.as_deref())
            .and_then(|uid| below_pod(source, uid))
        {
            return match below.split_once('/') {
                Some(("volumes", volume)) => match volume.split('/').next() {
                    Some(plugin) if ALLOWED_PLUGINS.contains(&plugin) => Self::Allowed,
                    _ => Self::Other,
                },
                // A part of a volume: its path does not tell the plugin.
                Some(("volume-subpaths", _)) => Self::Allowed,
                _ => Self::Own,
            };
        }
        let sandbox = pod.and_then(|pod| pod.sandbox_id.as_deref());
        if OWN_DESTINATIONS.contains(&mount.destination)
            && (is_named_after(source, id) || sandbox.is_some_and(|id| is_named_after(source, id)))
        {
            return Self::Own;
        }
        if pod.is_none() && is_engine_volume(source) {
            return Self::Allowed;
        }
        Self::HostPath
    }
}

/// The rest of a path behind `/pods/UID/`.
fn below_pod<'s>(source: &'s str, uid: &str) -> Option<&'s str> {
    source.match_indices("/pods/").find_map(|(at, marker)| {
        source[at + marker.len()..]
            .strip_prefix(uid)?
            .strip_prefix('/')
    })
}

/// Whether a directory of this path is named after the container or its sandbox, as runtimes do.
fn is_named_after(source: &str, id: &str) -> bool {
    /// Shorter ids are names given by people.
    const GENERATED: usize = 64;
    id.len() == GENERATED && source.split('/').any(|part| part == id)
}

/// A named volume of Docker or Podman (`.../volumes/NAME/_data`): storage, not the host's. Pods have none.
fn is_engine_volume(source: &str) -> bool {
    source
        .rsplit_once("/volumes/")
        .and_then(|(_, volume)| volume.split_once('/'))
        .is_some_and(|(_, data)| data == "_data" || data.starts_with("_data/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";
    const UID: &str = "9b2c7f0e-6a51-4c39-8f0d-1c2b3a495867";

    #[test]
    fn kinds_by_source_and_destination() {
        let pod = PodMetadata {
            uid: Some(UID.into()),
            ..PodMetadata::default()
        };
        let kubelet = |rest: &str| format!("/var/lib/kubelet/pods/{UID}/{rest}");
        for (source, destination, expected) in [
            (
                kubelet("volumes/kubernetes.io~secret/s"),
                "/s",
                VolumeKind::Allowed,
            ),
            (
                kubelet("volumes/kubernetes.io~empty-dir/e/x"),
                "/e",
                VolumeKind::Allowed,
            ),
            (
                kubelet("volumes/kubernetes.io~nfs/n"),
                "/n",
                VolumeKind::Other,
            ),
            (kubelet("volume-subpaths/v/c/0"), "/v", VolumeKind::Allowed),
            (kubelet("etc-hosts"), "/etc/hosts", VolumeKind::Own),
            (
                kubelet("containers/c/1a2b"),
                "/dev/termination-log",
                VolumeKind::Own,
            ),
            (
                format!("/run/containerd/sandboxes/{ID}/shm"),
                "/dev/shm",
                VolumeKind::Own,
            ),
            (
                format!("/run/containers/storage/overlay-containers/{ID}/userdata/passwd"),
                "/etc/passwd",
                VolumeKind::Own,
            ),
            (format!("/srv/{ID}"), "/data", VolumeKind::HostPath),
            ("/etc/hosts".to_owned(), "/etc/hosts", VolumeKind::HostPath),
            ("/".to_owned(), "/host", VolumeKind::HostPath),
            (
                "/var/run/docker.sock".to_owned(),
                "/s",
                VolumeKind::HostPath,
            ),
            // Another pod's.
            (
                "/var/lib/kubelet/pods/x/volumes/kubernetes.io~secret/s".to_owned(),
                "/s",
                VolumeKind::HostPath,
            ),
            // Pods have no volumes of Docker's.
            (
                "/var/lib/docker/volumes/data/_data".to_owned(),
                "/data",
                VolumeKind::HostPath,
            ),
            (
                "/var/lib/docker/volumes".to_owned(),
                "/v",
                VolumeKind::HostPath,
            ),
            ("tmpfs".to_owned(), "/tmp", VolumeKind::Allowed),
        ] {
            let mount = Mount {
                source: &source,
                destination,
                ..Mount::default()
            };
            assert_eq!(VolumeKind::of(mount, ID, Some(&pod)), expected, "{source}");
        }
    }

    #[test]
    fn volumes_of_an_engine() {
        for (source, expected) in [
            ("/var/lib/docker/volumes/data/_data", VolumeKind::Allowed),
            ("/srv/docker/volumes/data/_data/sub", VolumeKind::Allowed),
            ("/var/lib/docker/volumes/data", VolumeKind::HostPath),
            ("/var/lib/docker/volumes", VolumeKind::HostPath),
            ("/srv/_data", VolumeKind::HostPath),
        ] {
            let mount = Mount {
                source,
                destination: "/data",
                ..Mount::default()
            };
            assert_eq!(VolumeKind::of(mount, ID, None), expected, "{source}");
        }
    }
}
