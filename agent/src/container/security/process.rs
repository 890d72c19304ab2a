//! What the kernel says of a container's first process.

use std::fs;
use std::path::Path;

use super::{SeccompMode, UNCONFINED};
use crate::container::bounded_file::read_start;
use crate::container::{CgroupMembership, ContainerIdentity, ContainerMetadata, HostNamespaces};

/// The longest file that is read, in bytes. A container's table of mounts can have hundreds of lines.
const FILE_LIMIT: u64 = 1 << 20;

/// Names of a process that a runtime is still preparing: its own program comes when it has confined
/// itself.
const PREPARING: [&str; 4] = ["runc:[", "youki:[", "runc", "crun"];

/// Parts of /proc that runtimes hide.
const MASKED: [&[u8]; 8] = [
    b"/proc/acpi",
    b"/proc/asound",
    b"/proc/kcore",
    b"/proc/keys",
    b"/proc/latency_stats",
    b"/proc/sched_debug",
    b"/proc/scsi",
    b"/proc/timer_list",
];

/// What confines one process. What cannot be read is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSecurity {
    /// The container's own program has not been started yet, so the rest is not final.
    pub is_preparing: bool,
    effective: Option<u64>,
    bounding: Option<u64>,
    /// The bounding set of the host's first process: all that there is to be given.
    host_bounding: Option<u64>,
    no_new_privileges: Option<bool>,
    seccomp: Option<SeccompMode>,
    apparmor: Option<Box<str>>,
    selinux: Option<Box<str>>,
    runs_as_root: Option<bool>,
    proc_masked: Option<bool>,
    read_only_root: Option<bool>,
    host_namespaces: HostNamespaces,
}

impl ProcessSecurity {
    /// Reads it from a mount of the host's procfs; `None` if the process is gone, or is not in this
    /// container.
    pub fn read(proc_root: &Path, pid: u32, identity: &ContainerIdentity) -> Option<Self> {
        let of_process = proc_root.join(pid.to_string());
        let host = proc_root.join("1");
        let status = Status::parse(&read(&of_process.join("status"))?);
        let mounts = read(&of_process.join("mountinfo")).unwrap_or_default();
        let label = read(&of_process.join("attr/apparmor/current"))
            .or_else(|| read(&of_process.join("attr/current")))
            .map(|text| Label::parse(&text))
            .unwrap_or_default();
        let shares = |namespace: &str| shares_with_host(proc_root, &of_process, namespace);
        let users = read(&of_process.join("uid_map")).unwrap_or_default();
        let found = Self {
            is_preparing: PREPARING.iter().any(|name| match name.strip_suffix('[') {
                Some(_) => status.name.starts_with(name),
                None => status.name == *name,
            }),
            effective: status.effective,
            bounding: status.bounding,
            host_bounding: read(&host.join("status"))
                .and_then(|text| Status::parse(&text).bounding),
            no_new_privileges: status.no_new_privileges,
            seccomp: status.seccomp,
            apparmor: label.apparmor,
            selinux: label.selinux,
            runs_as_root: status
                .uid
                .and_then(|uid| Some(id_inside(&users, uid)? == 0)),
            proc_masked: (!mounts.is_empty()).then(|| masks_proc(&mounts)),
            read_only_root: is_root_read_only(&mounts),
            host_namespaces: HostNamespaces {
                pid: shares("pid"),
                network: shares("net"),
                ipc: shares("ipc"),
                user: shares("user"),
            },
        };
        // Asked last: had the id been given to another process meanwhile, this would be its answer.
        let cgroups = read(&of_process.join("cgroup"))?;
        is_in(&cgroups, identity).then_some(found)
    }

    /// Puts what is known here in the place of what a runtime said.
    pub fn correct(self, container: &mut ContainerMetadata) {
        fn put<T>(slot: &mut Option<T>, known: Option<T>) {
            if known.is_some() {
                *slot = known;
            }
        }
        // Whoever could get every capability, and sees all of /proc unfiltered, is privileged, whoever
        // made it so. A runtime knows it better: it knows about devices.
        if container.privileged.is_none() {
            container.privileged = self.is_privileged();
        }
        let security = &mut container.security;
        put(&mut security.effective, self.effective);
        put(&mut security.bounding, self.bounding);
        put(&mut security.no_new_privileges, self.no_new_privileges);
        put(&mut security.seccomp, self.seccomp);
        put(&mut security.apparmor, self.apparmor);
        put(&mut security.selinux, self.selinux);
        put(&mut security.runs_as_root, self.runs_as_root);
        put(&mut security.proc_masked, self.proc_masked);
        put(&mut container.read_only_root, self.read_only_root);
        let shared = &mut container.host_namespaces;
        put(&mut shared.pid, self.host_namespaces.pid);
        put(&mut shared.network, self.host_namespaces.network);
        put(&mut shared.ipc, self.host_namespaces.ipc);
        put(&mut shared.user, self.host_namespaces.user);
    }

    fn is_privileged(&self) -> Option<bool> {
        let all = self.host_bounding?;
        let has_all = self.bounding? & all == all;
        Some(has_all && self.seccomp? == SeccompMode::Disabled && !self.proc_masked?)
    }
}

/// Whether a process is in the same namespace of a kind as the host's first process. Where that one may
/// not be looked at, the number of the initial namespace tells, which the kernel has fixed.
fn shares_with_host(proc_root: &Path, process: &Path, namespace: &str) -> Option<bool> {
    let link = |process: &Path| fs::read_link(process.join("ns").join(namespace)).ok();
    let own = link(process)?;
    if let Some(of_host) = link(&proc_root.join("1")) {
        return Some(own == of_host);
    }
    // `include/uapi/linux/nsfs.h`; that of the network only since Linux 6.18.
    let initial = match namespace {
        "ipc" => 0xefff_ffff_u32,
        "user" => 0xefff_fffd,
        "pid" => 0xefff_fffc,
        "net" => 0xefff_fff9,
        _ => return None,
    };
    let initial = Path::new(&format!("{namespace}:[{initial}]")).to_owned();
    let is_fixed =
        namespace != "net" || fs::read_link("/proc/self/ns/net").is_ok_and(|ours| ours == initial);
    (own == initial || is_fixed).then_some(own == initial)
}

/// Whether a process is in the container, by its `/proc/PID/cgroup`. A name given by a person may not
/// be seen from within another cgroup namespace.
fn is_in(cgroups: &[u8], identity: &ContainerIdentity) -> bool {
    match CgroupMembership::new(cgroups).container() {
        Some(container) => container.full_id() == identity.full_id(),
        None => !identity.is_generated(),
    }
}

/// The lines of a `/proc/PID/status` that are of interest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    name: String,
    uid: Option<u32>,
    effective: Option<u64>,
    bounding: Option<u64>,
    no_new_privileges: Option<bool>,
    seccomp: Option<SeccompMode>,
}

impl Status {
    /// A process chooses its name; the kernel escapes newlines in it here, so it forges no line.
    fn parse(text: &[u8]) -> Self {
        let mut status = Self::default();
        let text = String::from_utf8_lossy(text);
        let set = |value: &str| u64::from_str_radix(value, 16).ok();
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match key {
                "Name" => value.clone_into(&mut status.name),
                // Real, effective, saved, for files.
                "Uid" => {
                    let effective = value.split_ascii_whitespace().nth(1);
                    status.uid = effective.and_then(|uid| uid.parse().ok());
                }
                "CapEff" => status.effective = set(value),
                "CapBnd" => status.bounding = set(value),
                "NoNewPrivs" => status.no_new_privileges = Some(value != "0"),
                "Seccomp" => {
                    status.seccomp = match value {
                        "0" => Some(SeccompMode::Disabled),
                        "1" => Some(SeccompMode::Strict),
                        "2" => Some(SeccompMode::Filter),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        status
    }
}

/// What a security module calls the process.
#[derive(Debug, Default, PartialEq, Eq)]
struct Label {
    apparmor: Option<Box<str>>,
    selinux: Option<Box<str>>,
}

impl Label {
    /// `PROFILE (MODE)` and `unconfined` are AppArmor's, `USER:ROLE:TYPE:LEVEL` is SELinux's.
    fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = text.trim_end_matches(['\n', '\0']);
        let profile = text.strip_suffix(" (enforce)");
        if profile.is_some() || text == UNCONFINED || text.ends_with(')') {
            Self {
                apparmor: Some(profile.unwrap_or(text).into()),
                selinux: None,
            }
        } else if text.split(':').count() >= 3 {
            Self {
                apparmor: None,
                selinux: Some(text.into()),
            }
        } else {
            Self::default()
        }
    }
}

/// A user's id in the namespace of this `uid_map`; `None` if it has none there.
fn id_inside(map: &[u8], id: u32) -> Option<u32> {
    let map = String::from_utf8_lossy(map);
    map.lines().find_map(|line| {
        let mut numbers = line
            .split_ascii_whitespace()
            .map(|number| number.parse::<u32>().ok());
        let (inside, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let offset = id.checked_sub(outside)?;
        (offset < count).then(|| inside.checked_add(offset))?
    })
}

/// The mount points of a `mountinfo`, each with its options and those of its file system.
fn mounts(mountinfo: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    mountinfo.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let (point, options) = (fields.nth(4)?, fields.next()?);
        let mut end = fields.skip_while(|field| *field != b"-");
        Some((point, options, end.nth(3)?))
    })
}

fn masks_proc(mountinfo: &[u8]) -> bool {
    mounts(mountinfo).any(|(point, _, _)| MASKED.contains(&point))
}

/// Whether nothing can be written to the root file system; the last mount is on top.
fn is_root_read_only(mountinfo: &[u8]) -> Option<bool> {
    let (_, mount, file_system) = mounts(mountinfo)
        .filter(|(point, ..)| *point == b"/")
        .last()?;
    let read_only = |options: &[u8]| options.split(|byte| *byte == b',').any(|one| one == b"ro");
    Some(read_only(mount) || read_only(file_system))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    read_start(path, FILE_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";

    fn identity() -> ContainerIdentity {
        ContainerIdentity::from_cgroup_path(format!("/docker/{ID}").as_bytes()).unwrap()
    }

    /// A procfs with the host's first process and one of the container.
    fn procfs(status: &str, mountinfo: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (pid, cgroup) in [
            ("1", "0::/init.scope".to_owned()),
            ("7", format!("0::/docker/{ID}")),
        ] {
            let at = |file: &str| root.path().join(pid).join(file);
            fs::create_dir_all(at("ns")).unwrap();
            fs::create_dir_all(at("attr/apparmor")).unwrap();
            fs::write(at("cgroup"), cgroup + "\n").unwrap();
            fs::write(at("status"), "Name:\tinit\nCapBnd:\t00000000000000ff\n").unwrap();
            for namespace in ["net", "ipc", "user"] {
                symlink(format!("{namespace}:[1]"), at("ns").join(namespace)).unwrap();
            }
            symlink(format!("pid:[{pid}]"), at("ns/pid")).unwrap();
        }
        let at = |file: &str| root.path().join("7").join(file);
        fs::write(at("status"), status).unwrap();
        fs::write(at("mountinfo"), mountinfo).unwrap();
        fs::write(at("uid_map"), "0 100000 65536\n").unwrap();
        fs::write(at("attr/apparmor/current"), "docker-default (enforce)\n").unwrap();
        root
    }

    #[test]
    fn the_kernel_corrects_the_runtime() {
        let root = procfs(
            "Name:\tweb\nUid:\t100000\t100000\t100000\t100000\nCapEff:\t0000000000000021\nCapBnd:\t00000000000000ff\nNoNewPrivs:\t1\nSeccomp:\t0\n",
            "30 20 0:5 / / ro,relatime - overlay overlay rw\n31 30 0:6 / /proc rw - proc proc rw\n",
        );
        let found = ProcessSecurity::read(root.path(), 7, &identity()).unwrap();
        assert!(!found.is_preparing);
        let mut container = ContainerMetadata::default();
        container.security.seccomp = Some(SeccompMode::Filter);
        container.security.sysctls = Some(Box::default());
        found.correct(&mut container);
        let security = &container.security;
        assert_eq!(
            (security.effective, security.bounding),
            (Some(0x21), Some(0xff))
        );
        assert_eq!(security.seccomp, Some(SeccompMode::Disabled));
        assert_eq!(security.no_new_privileges, Some(true));
        assert_eq!(security.apparmor.as_deref(), Some("docker-default"));
        assert_eq!(security.runs_as_root, Some(true));
        assert_eq!(security.proc_masked, Some(false));
        // The kernel says nothing about it.
        assert_eq!(security.sysctls, Some(Box::default()));
        assert_eq!(container.read_only_root, Some(true));
        // All that the host has to give.
        assert_eq!(container.privileged, Some(true));
        let shared = container.host_namespaces;
        assert_eq!((shared.pid, shared.network), (Some(false), Some(true)));
        assert_eq!((shared.ipc, shared.user), (Some(true), Some(true)));
    }

    #[test]
    fn a_host_that_may_not_be_looked_at_has_the_initial_namespaces() {
        let root = procfs("Name:\tx\n", "");
        fs::remove_dir_all(root.path().join("1/ns")).unwrap();
        let ns = root.path().join("7/ns");
        for (namespace, number, expected) in [
            ("ipc", 4_026_531_839_u32, true),
            ("user", 4_026_531_837, true),
            ("pid", 4_026_531_836, true),
            ("net", 4_026_531_833, true),
            ("ipc", 4_026_532_000, false),
            ("pid", 4_026_532_001, false),
        ] {
            fs::remove_file(ns.join(namespace)).unwrap();
            symlink(format!("{namespace}:[{number}]"), ns.join(namespace)).unwrap();
            let shared = shares_with_host(root.path(), &root.path().join("7"), namespace);
            assert_eq!(shared, Some(expected), "{namespace} {number}");
        }
    }

    #[test]
    fn another_process_under_the_same_id_tells_nothing() {
        let root = procfs("Name:\tx\n", "");
        assert!(ProcessSecurity::read(root.path(), 7, &identity()).is_some());
        assert_eq!(ProcessSecurity::read(root.path(), 1, &identity()), None);
        assert_eq!(ProcessSecurity::read(root.path(), 8, &identity()), None);
    }

    #[test]
    fn a_process_that_is_being_prepared() {
        for (name, expected) in [
            ("runc:[2:INIT]", true),
            ("crun", true),
            ("runcible", false),
            ("sh", false),
        ] {
            let root = procfs(&format!("Name:\t{name}\n"), "");
            let found = ProcessSecurity::read(root.path(), 7, &identity()).unwrap();
            assert_eq!(found.is_preparing, expected, "{name}");
        }
    }

    #[test]
    fn labels_of_security_modules() {
        for (text, apparmor, selinux) in [
            ("docker-default (enforce)\n", Some("docker-default"), None),
            ("own (complain)\n", Some("own (complain)"), None),
            ("unconfined\n", Some("unconfined"), None),
            (
                "system_u:system_r:spc_t:s0\0",
                None,
                Some("system_u:system_r:spc_t:s0"),
            ),
            ("kernel", None, None),
            ("", None, None),
        ] {
            let label = Label::parse(text.as_bytes());
            assert_eq!(label.apparmor.as_deref(), apparmor, "{text:?}");
            assert_eq!(label.selinux.as_deref(), selinux, "{text:?}");
        }
    }

    #[test]
    fn ids_inside_a_user_namespace() {
        let map = b"         0     100000      65536\n     70000       1000          1\n";
        for (id, expected) in [
            (100_000, Some(0)),
            (101_000, Some(1000)),
            (1000, Some(70_000)),
            (0, None),
            (165_536, None),
        ] {
            assert_eq!(id_inside(map, id), expected, "{id}");
        }
        assert_eq!(id_inside(b"0 0 4294967295\n", 0), Some(0));
        assert_eq!(id_inside(b"nonsense\n1 2\n", 0), None);
    }

    #[test]
    fn mounts_tell_of_the_root_and_of_proc() {
        for (text, read_only, masked) in [
            ("1 0 0:1 / / rw - overlay o rw", Some(false), false),
            (
                "1 0 0:1 / / rw shared:1 - overlay o ro,x=y",
                Some(true),
                false,
            ),
            (
                "1 0 0:1 / / ro - a b rw\n2 1 0:2 / / rw - a b rw\n3 2 0:3 / /proc/kcore rw - tmpfs t rw",
                Some(false),
                true,
            ),
            ("nonsense", None, false),
        ] {
            assert_eq!(is_root_read_only(text.as_bytes()), read_only, "{text}");
            assert_eq!(masks_proc(text.as_bytes()), masked, "{text}");
        }
    }
}
