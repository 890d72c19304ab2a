//! The Pod Security Standards of Kubernetes: which of them a container really meets.
//!
//! Kubernetes judges what a pod's author wrote. Here the container is judged as it runs, whoever made it:
//! a control counts as broken if its effect is not there, for whatever reason.

use super::{SeccompMode, UNCONFINED, VolumeKind};
use crate::capability::set_of;
use crate::container::ContainerMetadata;

/// A Pod Security Standard: the strictest that a container meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodSecurity {
    /// None: anything goes.
    Privileged,
    /// No known way to become root of the host.
    Baseline,
    /// Hardened by today's practice.
    Restricted,
}

impl PodSecurity {
    /// The value of `k8s.pod.security`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// A control of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Processes, network and IPC are not the host's.
    HostNamespaces,
    /// Not privileged.
    Privileged,
    /// No capabilities beyond those that runtimes give to every container.
    Capabilities,
    /// No part of the host's file system is mounted.
    HostPathVolumes,
    /// No port of the host leads to it.
    HostPorts,
    /// An AppArmor profile, where the host has AppArmor.
    AppArmor,
    /// The SELinux type is one for containers, where the host has SELinux.
    SeLinux,
    /// Parts of /proc are hidden.
    ProcMount,
    /// Only kernel parameters are set that are the pod's own and harm nobody else.
    Sysctls,
    /// Restricted: only volumes that hold no more than the pod's own data.
    VolumeTypes,
    /// Restricted: no program gains privileges.
    PrivilegeEscalation,
    /// Restricted: does not run as root.
    RunAsRoot,
    /// Restricted: system calls are filtered.
    Seccomp,
    /// Restricted: no capability but `NET_BIND_SERVICE`.
    DropCapabilities,
}

impl Control {
    /// All, in the order of the standards.
    pub const ALL: [Self; 14] = [
        Self::HostNamespaces,
        Self::Privileged,
        Self::Capabilities,
        Self::HostPathVolumes,
        Self::HostPorts,
        Self::AppArmor,
        Self::SeLinux,
        Self::ProcMount,
        Self::Sysctls,
        Self::VolumeTypes,
        Self::PrivilegeEscalation,
        Self::RunAsRoot,
        Self::Seccomp,
        Self::DropCapabilities,
    ];

    /// The name in `k8s.pod.security.violations`.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostNamespaces => "host_namespaces",
            Self::Privileged => "privileged",
            Self::Capabilities => "capabilities",
            Self::HostPathVolumes => "host_path_volumes",
            Self::HostPorts => "host_ports",
            Self::AppArmor => "apparmor",
            Self::SeLinux => "selinux",
            Self::ProcMount => "proc_mount",
            Self::Sysctls => "sysctls",
            Self::VolumeTypes => "volume_types",
            Self::PrivilegeEscalation => "privilege_escalation",
            Self::RunAsRoot => "run_as_root",
            Self::Seccomp => "seccomp",
            Self::DropCapabilities => "drop_capabilities",
        }
    }

    /// The weakest standard that wants it.
    pub fn standard(self) -> PodSecurity {
        match self {
            Self::HostNamespaces
            | Self::Privileged
            | Self::Capabilities
            | Self::HostPathVolumes
            | Self::HostPorts
            | Self::AppArmor
            | Self::SeLinux
            | Self::ProcMount
            | Self::Sysctls => PodSecurity::Baseline,
            Self::VolumeTypes
            | Self::PrivilegeEscalation
            | Self::RunAsRoot
            | Self::Seccomp
            | Self::DropCapabilities => PodSecurity::Restricted,
        }
    }

    /// Whether a host without the feature, or a runtime that does not tell, says nothing against a
    /// container: the standards do not want these to be set.
    fn may_be_unknown(self) -> bool {
        matches!(
            self,
            Self::HostPorts | Self::AppArmor | Self::SeLinux | Self::Sysctls
        )
    }
}

/// What was found about a container: the standard, and the controls that it breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    standard: Option<PodSecurity>,
    /// A bit for each of [`Control::ALL`].
    broken: u16,
}

/// Capabilities that the baseline standard lets a container have, and `NET_RAW`: most runtimes give that
/// to every container, and nothing shows whether somebody asked for it.
const BASELINE_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Kernel parameters that the baseline standard lets a pod set.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// SELinux types that the baseline standard lets a container have.
const CONTAINER_TYPES: [&str; 4] = [
    "container_engine_t",
    "container_init_t",
    "container_kvm_t",
    "container_t",
];

impl Verdict {
    /// Judges the container with this full id.
    pub fn of(id: &str, container: &ContainerMetadata) -> Self {
        let findings = Control::ALL.map(|control| (control, control.is_kept(id, container)));
        let meets = |standard: PodSecurity| {
            let of_it = || {
                findings
                    .iter()
                    .filter(|(control, _)| control.standard() == standard)
            };
            if of_it().any(|(_, kept)| *kept == Some(false)) {
                return Some(false);
            }
            let is_known = |(control, kept): &(Control, Option<bool>)| {
                kept.is_some() || control.may_be_unknown()
            };
            of_it().all(is_known).then_some(true)
        };
        let standard = match (meets(PodSecurity::Baseline), meets(PodSecurity::Restricted)) {
            (Some(false), _) => Some(PodSecurity::Privileged),
            (Some(true), Some(false)) => Some(PodSecurity::Baseline),
            (Some(true), Some(true)) => Some(PodSecurity::Restricted),
            (None, _) | (_, None) => None,
        };
        let bits = findings
            .iter()
            .enumerate()
            .filter(|(_, (_, kept))| *kept == Some(false));
        Self {
            standard,
            broken: bits.fold(0, |broken, (bit, _)| broken | 1 << bit),
        }
    }

    /// The strictest standard that the container meets; `None` if too little is known.
    pub fn standard(self) -> Option<PodSecurity> {
        self.standard
    }

    /// The controls that are known to be broken, in the order of the standards.
    pub fn violations(self) -> impl Iterator<Item = Control> {
        Control::ALL
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.broken >> bit & 1 == 1)
            .map(|(_, control)| control)
    }
}

impl Control {
    /// Whether the container keeps to it; `None` if that is not known.
    fn is_kept(self, id: &str, container: &ContainerMetadata) -> Option<bool> {
        let security = &container.security;
        let only = |allowed: &[&str]| {
            let allowed = set_of(allowed.iter().copied());
            security.bounding.map(|set| set & !allowed == 0)
        };
        let no_volume = |refused: fn(VolumeKind) -> bool| {
            // An empty list of a runtime is an answer; without any runtime it is none.
            container.is_described().then(|| {
                let mut mounts = container.mounts.iter();
                !mounts.any(|mount| refused(VolumeKind::of(mount, id, container.pod.as_deref())))
            })
        };
        match self {
            Self::HostNamespaces => {
                let shared = container.host_namespaces;
                let shared = [shared.pid, shared.network, shared.ipc];
                if shared.contains(&Some(true)) {
                    Some(false)
                } else {
                    (!shared.contains(&None)).then_some(true)
                }
            }
            Self::Privileged => container.privileged.map(|privileged| !privileged),
            Self::Capabilities => only(&BASELINE_CAPABILITIES),
            Self::HostPathVolumes => no_volume(|kind| kind == VolumeKind::HostPath),
            Self::HostPorts => security.host_ports.map(|has| !has),
            Self::AppArmor => security.apparmor.as_deref().map(is_confining),
            Self::SeLinux => security.selinux.as_deref().map(is_container_context),
            Self::ProcMount => security.proc_masked,
            Self::Sysctls => security.sysctls.as_deref().map(|names| {
                names
                    .iter()
                    .all(|name| SAFE_SYSCTLS.contains(&&*name.replace('/', ".")))
            }),
            Self::VolumeTypes => {
                no_volume(|kind| matches!(kind, VolumeKind::HostPath | VolumeKind::Other))
            }
            Self::PrivilegeEscalation => security.no_new_privileges,
            Self::RunAsRoot => security.runs_as_root.map(|root| !root),
            Self::Seccomp => security.seccomp.map(|mode| mode != SeccompMode::Disabled),
            Self::DropCapabilities => only(&["NET_BIND_SERVICE"]),
        }
    }
}

/// Whether a profile of AppArmor is there and forbids anything.
fn is_confining(profile: &str) -> bool {
    profile != UNCONFINED
        && !profile.ends_with(" (complain)")
        && !profile.ends_with(" (unconfined)")
}

/// Whether a context `USER:ROLE:TYPE:LEVEL` is one that a pod may have: the user and role that all
/// containers have, and a type for containers.
fn is_container_context(context: &str) -> bool {
    let mut parts = context.split(':');
    let user = parts.next() == Some("system_u");
    let role = parts.next() == Some("system_r");
    user && role
        && parts
            .next()
            .is_some_and(|kind| CONTAINER_TYPES.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::security::SecurityState;
    use crate::container::{HostNamespaces, Mount, Mounts, PodMetadata};

    const UID: &str = "9b2c7f0e-6a51-4c39-8f0d-1c2b3a495867";

    /// A container that meets the restricted standard, of which everything is known.
    fn restricted() -> ContainerMetadata {
        ContainerMetadata {
            name: Some("web".into()),
            privileged: Some(false),
            host_namespaces: HostNamespaces {
                pid: Some(false),
                network: Some(false),
                ipc: Some(false),
                user: Some(true),
            },
            mounts: mounts(&format!(
                "/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~secret/s"
            )),
            pod: Some(Box::new(PodMetadata {
                uid: Some(UID.into()),
                ..PodMetadata::default()
            })),
            security: SecurityState {
                effective: Some(0),
                bounding: Some(set_of(["NET_BIND_SERVICE"])),
                no_new_privileges: Some(true),
                seccomp: Some(SeccompMode::Filter),
                apparmor: Some("cri-containerd.apparmor.d".into()),
                selinux: Some("system_u:system_r:container_t:s0:c1,c2".into()),
                runs_as_root: Some(false),
                proc_masked: Some(true),
                sysctls: Some(["net/ipv4/ping_group_range".into()].into()),
                host_ports: Some(false),
            },
            ..ContainerMetadata::default()
        }
    }

    fn mounts(source: &str) -> Mounts {
        let mount = Mount {
            source,
            destination: "/data",
            ..Mount::default()
        };
        [mount].into_iter().collect()
    }

    fn names(verdict: Verdict) -> Vec<&'static str> {
        verdict.violations().map(Control::name).collect()
    }

    #[test]
    fn a_hardened_container_meets_the_restricted_standard() {
        let verdict = Verdict::of("c", &restricted());
        assert_eq!(verdict.standard(), Some(PodSecurity::Restricted));
        assert!(names(verdict).is_empty());
    }

    #[test]
    fn each_control_is_broken_by_what_it_forbids() {
        use PodSecurity::{Baseline, Privileged, Restricted};
        type Change = fn(&mut ContainerMetadata);
        let table: &[(Change, PodSecurity, &[&str])] = &[
            (
                |c| c.host_namespaces.pid = Some(true),
                Privileged,
                &["host_namespaces"],
            ),
            (
                |c| c.host_namespaces.network = Some(true),
                Privileged,
                &["host_namespaces"],
            ),
            (
                |c| c.host_namespaces.ipc = Some(true),
                Privileged,
                &["host_namespaces"],
            ),
            (|c| c.privileged = Some(true), Privileged, &["privileged"]),
            (
                |c| c.security.bounding = Some(set_of(["SYS_ADMIN"])),
                Privileged,
                &["capabilities", "drop_capabilities"],
            ),
            (
                |c| c.security.bounding = Some(set_of(["CHOWN", "NET_RAW"])),
                Baseline,
                &["drop_capabilities"],
            ),
            (|c| c.security.bounding = Some(0), Restricted, &[]),
            (
                |c| c.mounts = mounts("/var/log"),
                Privileged,
                &["host_path_volumes", "volume_types"],
            ),
            (
                |c| {
                    c.mounts = mounts(&format!("/x/pods/{UID}/volumes/kubernetes.io~iscsi/v"));
                },
                Baseline,
                &["volume_types"],
            ),
            (|c| c.mounts = Mounts::default(), Restricted, &[]),
            (
                |c| c.security.host_ports = Some(true),
                Privileged,
                &["host_ports"],
            ),
            (|c| c.security.host_ports = None, Restricted, &[]),
            (
                |c| c.security.apparmor = Some("unconfined".into()),
                Privileged,
                &["apparmor"],
            ),
            (
                |c| c.security.apparmor = Some("own (complain)".into()),
                Privileged,
                &["apparmor"],
            ),
            (|c| c.security.apparmor = None, Restricted, &[]),
            (
                |c| c.security.selinux = Some("system_u:system_r:spc_t:s0".into()),
                Privileged,
                &["selinux"],
            ),
            (
                |c| c.security.selinux = Some("root:system_r:container_t:s0".into()),
                Privileged,
                &["selinux"],
            ),
            (
                |c| c.security.selinux = Some("nonsense".into()),
                Privileged,
                &["selinux"],
            ),
            (|c| c.security.selinux = None, Restricted, &[]),
            (
                |c| c.security.proc_masked = Some(false),
                Privileged,
                &["proc_mount"],
            ),
            (
                |c| c.security.sysctls = Some(["kernel.msgmax".into()].into()),
                Privileged,
                &["sysctls"],
            ),
            (
                |c| c.security.sysctls = Some(Box::default()),
                Restricted,
                &[],
            ),
            (
                |c| c.security.no_new_privileges = Some(false),
                Baseline,
                &["privilege_escalation"],
            ),
            (
                |c| c.security.runs_as_root = Some(true),
                Baseline,
                &["run_as_root"],
            ),
            (
                |c| c.security.seccomp = Some(SeccompMode::Disabled),
                Baseline,
                &["seccomp"],
            ),
            (
                |c| c.security.seccomp = Some(SeccompMode::Strict),
                Restricted,
                &[],
            ),
        ];
        for (number, (change, standard, violations)) in table.iter().enumerate() {
            let mut container = restricted();
            change(&mut container);
            let verdict = Verdict::of("c", &container);
            assert_eq!(verdict.standard(), Some(*standard), "case {number}");
            assert_eq!(names(verdict), *violations, "case {number}");
        }
        let mut seen: Vec<&str> = table.iter().flat_map(|case| case.2).copied().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), Control::ALL.len(), "a control has no case");
    }

    #[test]
    fn what_is_unknown_is_not_praised() {
        type Change = fn(&mut ContainerMetadata);
        let unknown: &[Change] = &[
            |c| c.host_namespaces.pid = None,
            |c| c.privileged = None,
            |c| c.security.bounding = None,
            |c| c.security.proc_masked = None,
            |c| c.security.no_new_privileges = None,
            |c| c.security.runs_as_root = None,
            |c| c.security.seccomp = None,
            // No runtime told, so the mounts are unknown.
            |c| c.name = None,
        ];
        for (number, change) in unknown.iter().enumerate() {
            let mut container = restricted();
            change(&mut container);
            let verdict = Verdict::of("c", &container);
            assert_eq!(verdict.standard(), None, "case {number}");
            assert!(names(verdict).is_empty(), "case {number}");
            // What is known to be broken is certain all the same.
            container.host_namespaces.network = Some(true);
            let verdict = Verdict::of("c", &container);
            assert_eq!(
                verdict.standard(),
                Some(PodSecurity::Privileged),
                "case {number}"
            );
        }
        assert_eq!(
            Verdict::of("c", &ContainerMetadata::default()),
            Verdict::default()
        );
    }
}
