//! What confines a container, and which Pod Security Standard it meets.
//!
//! Two sources tell: the runtime's specification, before the container's own program starts, and the
//! kernel, of the container's first process. The kernel's word counts more: a profile that was
//! configured and is not supported confines nobody.

mod process;
mod standard;
mod volumes;

pub use process::ProcessSecurity;
pub use standard::{Control, PodSecurity, Verdict};
pub use volumes::VolumeKind;

/// What confines a container, beside what [`ContainerMetadata`](super::ContainerMetadata) has. What is
/// not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityState {
    /// Effective capabilities of the first process, by number.
    pub effective: Option<u64>,
    /// Capabilities that any process of the container can ever have, unless it gets into another user
    /// namespace.
    pub bounding: Option<u64>,
    /// No program gains privileges when it is started, whatever its file says.
    pub no_new_privileges: Option<bool>,
    /// Which system calls are let through.
    pub seccomp: Option<SeccompMode>,
    /// The AppArmor profile; `unconfined` if there is none. A profile that does not enforce has its
    /// mode behind it, as the kernel shows it. `None` also where there is no AppArmor.
    pub apparmor: Option<Box<str>>,
    /// The SELinux context.
    pub selinux: Option<Box<str>>,
    /// The first process is user 0 of its user namespace.
    pub runs_as_root: Option<bool>,
    /// Parts of /proc that tell of the host are hidden.
    pub proc_masked: Option<bool>,
    /// Kernel parameters that were set for it, by name.
    pub sysctls: Option<Box<[Box<str>]>>,
    /// Ports of the host lead to it.
    pub host_ports: Option<bool>,
}

/// What seccomp does to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeccompMode {
    /// Nothing.
    Disabled,
    /// Only read, write and exit are left.
    Strict,
    /// A filter decides.
    Filter,
}

impl SeccompMode {
    /// The value of `container.security.seccomp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Strict => "strict",
            Self::Filter => "filter",
        }
    }
}

/// What AppArmor calls a process without a profile.
pub(super) const UNCONFINED: &str = "unconfined";

impl SecurityState {
    /// Fills what is missing here from another description of the same container.
    pub(super) fn complete_from(&mut self, other: Self) {
        let Self {
            effective,
            bounding,
            no_new_privileges,
            seccomp,
            apparmor,
            selinux,
            runs_as_root,
            proc_masked,
            sysctls,
            host_ports,
        } = other;
        self.effective = self.effective.or(effective);
        self.bounding = self.bounding.or(bounding);
        self.no_new_privileges = self.no_new_privileges.or(no_new_privileges);
        self.seccomp = self.seccomp.or(seccomp);
        self.apparmor = self.apparmor.take().or(apparmor);
        self.selinux = self.selinux.take().or(selinux);
        self.runs_as_root = self.runs_as_root.or(runs_as_root);
        self.proc_masked = self.proc_masked.or(proc_masked);
        self.sysctls = self.sysctls.take().or(sysctls);
        self.host_ports = self.host_ports.or(host_ports);
    }
}
