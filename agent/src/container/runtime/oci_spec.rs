//! The OCI runtime specification of a container (`config.json`), as far as it describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::capability::set_of;
use crate::container::metadata::{
    ContainerMetadata, HostNamespaces, Image, Mount, PodMetadata, text,
};
use crate::container::security::{SeccompMode, SecurityState};

/// The parts of a `config.json` that are of interest; all may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OciSpec {
    annotations: BTreeMap<String, String>,
    mounts: Vec<OciMount>,
    root: Root,
    process: Process,
    linux: Linux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OciMount {
    destination: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    options: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Root {
    readonly: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Process {
    user: User,
    /// Absent: none.
    capabilities: Option<Capabilities>,
    #[serde(rename = "noNewPrivileges")]
    no_new_privileges: bool,
    #[serde(rename = "apparmorProfile")]
    apparmor_profile: String,
    #[serde(rename = "selinuxLabel")]
    selinux_label: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    bounding: Vec<String>,
    effective: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    uid: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Linux {
    namespaces: Option<Vec<Namespace>>,
    #[serde(rename = "maskedPaths")]
    masked_paths: Option<Vec<String>>,
    resources: Resources,
    /// Its filter is of no interest, only that it is there.
    seccomp: Option<IgnoredAny>,
    sysctl: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    devices: Vec<Device>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device {
    allow: bool,
    #[serde(rename = "type")]
    kind: Option<String>,
    major: Option<i64>,
    access: Option<String>,
}

impl OciSpec {
    /// All that it tells. `bind` mounts only are the container's own; the others every one has.
    pub(super) fn describe(&self) -> ContainerMetadata {
        let mut described = ContainerMetadata {
            privileged: Some(self.is_privileged()),
            read_only_root: Some(self.root.readonly),
            user: Some(self.process.user.uid.to_string().into()),
            host_namespaces: self.host_namespaces(),
            security: self.security(),
            ..ContainerMetadata::default()
        };
        described.mounts = self
            .mounts
            .iter()
            .filter(|mount| mount.is_bind())
            .map(OciMount::shown)
            .collect();
        let annotation = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| self.annotations.get(*name))
                .map(String::as_str)
        };
        described.name = annotation(&[
            "io.kubernetes.cri.container-name",
            "io.kubernetes.container.name",
            "io.podman.annotations.container.name",
            "nerdctl/name",
        ])
        .and_then(text);
        if let Some(image) = annotation(&[
            "io.kubernetes.cri.image-name",
            "io.kubernetes.cri-o.ImageName",
        ]) {
            let id = annotation(&["io.kubernetes.cri-o.ImageRef"]).unwrap_or_default();
            described.image = Image::new(image, id, &[]);
        }
        let pod_name = annotation(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]);
        if let Some(name) = pod_name {
            let namespace = annotation(&[
                "io.kubernetes.cri.sandbox-namespace",
                "io.kubernetes.pod.namespace",
            ]);
            let uid = annotation(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]);
            let sandbox = self.sandbox_id();
            described.pod = Some(Box::new(PodMetadata {
                name: text(name),
                namespace: namespace.and_then(text),
                uid: uid.and_then(text),
                sandbox_id: sandbox.and_then(text),
                ..PodMetadata::default()
            }));
        }
        described
    }

    /// The id of the pod's sandbox.
    pub(super) fn sandbox_id(&self) -> Option<&str> {
        [
            "io.kubernetes.cri.sandbox-id",
            "io.kubernetes.cri-o.SandboxID",
        ]
        .iter()
        .find_map(|name| self.annotations.get(*name))
        .map(String::as_str)
    }

    /// Runtimes hide parts of /proc from every container but a privileged one, and allow all devices
    /// to that one alone.
    fn is_privileged(&self) -> bool {
        let masked = self
            .linux
            .masked_paths
            .as_ref()
            .is_some_and(|paths| !paths.is_empty());
        let all_devices = self.linux.resources.devices.iter().any(|device| {
            device.allow
                && device.kind.as_deref().is_none_or(|kind| kind == "a")
                && device.major.is_none_or(|major| major < 0)
                && device.access.as_deref() == Some("rwm")
        });
        !masked && all_devices
    }

    /// A namespace that the container gets none of its own of is the host's. A path of another's
    /// namespace (a pod's) counts as its own.
    fn host_namespaces(&self) -> HostNamespaces {
        let shares = |kind: &str| {
            let own = self.linux.namespaces.as_ref()?;
            Some(!own.iter().any(|namespace| namespace.kind == kind))
        };
        HostNamespaces {
            pid: shares("pid"),
            network: shares("network"),
            ipc: shares("ipc"),
            user: shares("user"),
        }
    }

    /// What is to confine the container once its own program runs.
    fn security(&self) -> SecurityState {
        let set = |names: fn(&Capabilities) -> &[String]| {
            let capabilities = self.process.capabilities.as_ref();
            Some(capabilities.map_or(0, |all| set_of(names(all).iter().map(String::as_str))))
        };
        SecurityState {
            effective: set(|all| &all.effective),
            bounding: set(|all| &all.bounding),
            no_new_privileges: Some(self.process.no_new_privileges),
            seccomp: Some(match self.linux.seccomp {
                Some(_) => SeccompMode::Filter,
                None => SeccompMode::Disabled,
            }),
            // No profile may mean that the host has no such module: the kernel knows.
            apparmor: text(&self.process.apparmor_profile),
            selinux: text(&self.process.selinux_label),
            runs_as_root: Some(self.process.user.uid == 0),
            proc_masked: Some(self.masks_proc()),
            sysctls: Some(sysctl_names(&self.linux.sysctl)),
            host_ports: None,
        }
    }

    fn masks_proc(&self) -> bool {
        let paths = self.linux.masked_paths.as_ref();
        paths.is_some_and(|paths| paths.iter().any(|path| path.starts_with("/proc/")))
    }
}

impl OciMount {
    fn is_bind(&self) -> bool {
        self.kind == "bind"
            || self
                .options
                .iter()
                .any(|option| option == "bind" || option == "rbind")
    }

    fn shown(&self) -> Mount<'_> {
        let propagation = self.options.iter().find(|option| {
            ["shared", "slave", "private"].contains(&option.trim_start_matches('r'))
        });
        Mount {
            source: &self.source,
            destination: &self.destination,
            mode: "",
            writable: !self.options.iter().any(|option| option == "ro"),
            propagation: propagation.map_or("", String::as_str),
        }
    }
}

/// The names of kernel parameters that are set.
pub(super) fn sysctl_names(set: &BTreeMap<String, String>) -> Box<[Box<str>]> {
    /// More of them than there are kernel parameters of a namespace.
    const LIMIT: usize = 256;
    let names = set.keys().take(LIMIT);
    names.filter_map(|name| text(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bundle_of_a_pod_tells() {
        let spec: OciSpec = serde_json::from_str(
            r#"{"annotations": {
                    "io.kubernetes.cri.container-name": "web",
                    "io.kubernetes.cri.image-name": "registry:5000/shop/web:2",
                    "io.kubernetes.cri.sandbox-id": "abc",
                    "io.kubernetes.cri.sandbox-name": "web-0",
                    "io.kubernetes.cri.sandbox-namespace": "shop",
                    "io.kubernetes.cri.sandbox-uid": "1-2"},
                "mounts": [
                    {"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "rslave", "ro"]}],
                "root": {"path": "rootfs", "readonly": true},
                "process": {"user": {"uid": 1000, "gid": 0}, "noNewPrivileges": true,
                            "apparmorProfile": "own",
                            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": []}},
                "linux": {"maskedPaths": ["/proc/kcore"], "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"},
                          "sysctl": {"net.ipv4.ip_forward": "1"},
                          "namespaces": [{"type": "pid"}, {"type": "ipc", "path": "/proc/1/ns/ipc"}]}}"#,
        )
        .unwrap();
        let found = spec.describe();
        assert_eq!(found.name.as_deref(), Some("web"));
        assert_eq!(
            found.image.repository.as_deref(),
            Some("registry:5000/shop/web")
        );
        assert_eq!(found.privileged, Some(false));
        assert_eq!(found.read_only_root, Some(true));
        assert_eq!(found.user.as_deref(), Some("1000"));
        let mounts: Vec<String> = found.mounts.iter().map(|mount| mount.to_string()).collect();
        assert_eq!(mounts, ["/srv:/data::false:rslave"]);
        let shared = found.host_namespaces;
        assert_eq!(
            (shared.pid, shared.network, shared.ipc),
            (Some(false), Some(true), Some(false))
        );
        assert_eq!(
            found.security,
            SecurityState {
                effective: Some(0),
                bounding: Some(1),
                no_new_privileges: Some(true),
                seccomp: Some(SeccompMode::Filter),
                apparmor: Some("own".into()),
                selinux: None,
                runs_as_root: Some(false),
                proc_masked: Some(true),
                sysctls: Some(["net.ipv4.ip_forward".into()].into()),
                host_ports: None,
            }
        );
        let pod = found.pod.unwrap();
        assert_eq!(pod.name.as_deref(), Some("web-0"));
        assert_eq!(pod.namespace.as_deref(), Some("shop"));
        assert_eq!(pod.sandbox_id.as_deref(), Some("abc"));
    }

    #[test]
    fn a_privileged_container_has_all_devices_and_nothing_hidden() {
        for (linux, expected) in [
            (
                r#"{"resources": {"devices": [{"allow": true, "access": "rwm"}]}}"#,
                true,
            ),
            (
                r#"{"resources": {"devices": [{"allow": false, "access": "rwm"}]}}"#,
                false,
            ),
            (
                r#"{"maskedPaths": ["/x"], "resources": {"devices": [{"allow": true, "access": "rwm"}]}}"#,
                false,
            ),
        ] {
            let spec: OciSpec = serde_json::from_str(&format!(r#"{{"linux": {linux}}}"#)).unwrap();
            assert_eq!(spec.describe().privileged, Some(expected), "{linux}");
        }
    }
}
