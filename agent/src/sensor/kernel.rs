//! What the running kernel is and has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent_ebpf::{ABSENT, FILE_SPAN, Need, Offsets};
use thiserror::Error;
use tracing::warn;

use super::btf::{Btf, BtfError};
use super::io_uring::{self, IoUringTracepoints};
use super::security_hook;

/// The oldest kernel: the BPF ring buffer came with it.
const OLDEST: (u32, u32) = (5, 8);

/// Why this kernel cannot be watched.
#[derive(Debug, Error)]
pub enum KernelError {
    /// The release is older than [`OLDEST`].
    #[error(
        "this kernel is {0}, and Peregrine needs Linux 5.8 or newer (the BPF ring buffer came with it)"
    )]
    TooOld(String),
    /// There is no BTF.
    #[error(
        "cannot read the kernel's type information at {path}: {source}; the kernel has to be built with CONFIG_DEBUG_INFO_BTF=y, and in a container the host's /sys/kernel has to be mounted"
    )]
    NoBtf {
        /// Where it was looked for.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is BTF, and it cannot be understood.
    #[error("cannot use the kernel's type information at {path}: {source}")]
    BadBtf {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        source: BtfError,
    },
    /// A structure looks different from all kernels known so far.
    #[error("this kernel's struct {structure} has no member {member}, which Peregrine needs")]
    NoMember {
        /// The structure.
        structure: &'static str,
        /// The member, under its newest name.
        member: &'static str,
    },
    /// The members that a path walk reads at once do not follow each other.
    #[error(
        "this kernel's struct dentry has its parent and name apart, which Peregrine cannot read"
    )]
    DentryLayout,
    /// The members that an open reads at once are too far from each other.
    #[error(
        "this kernel's struct file has its path, flags and inode too far apart for Peregrine to read"
    )]
    FileLayout,
}

/// Whether operations of `io_uring` can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoUring {
    /// The kernel was built without it.
    NotBuilt,
    /// Its structures are those of Linux 6.0 and newer.
    Known,
    /// They are, but for operations on sockets.
    WithoutNetwork,
    /// They are others.
    Unknown,
}

/// What the programs have to know of the kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Major and minor version.
    pub version: (u32, u32),
    /// Where structure members are.
    pub offsets: Offsets,
    /// Where in `struct file` the members start that an open reads at once.
    pub file_span: u32,
    /// Bytes of `struct pt_regs`.
    pub regs_size: u32,
    /// Bytes of `struct inode`.
    pub inode_size: u32,
    /// Bytes of `struct pid`.
    pub pid_size: u32,
    /// Whether it has the helper `bpf_get_current_task_btf` (5.11+, and older ones that got it later).
    pub has_current_task_btf: bool,
    /// Whether it has the helper `bpf_task_pt_regs` (5.15+, and older ones that got it later).
    pub has_task_pt_regs: bool,
    /// Whether operations of `io_uring` can be seen.
    pub io_uring: IoUring,
    /// The flag of a request of `io_uring` that is never tried again, that of one that completes many times, and that of
    /// one about the file's own position; 0 where there is none.
    pub request_flags: [u32; 3],
    /// `ITER_UBUF` and `ITER_IOVEC` of `enum iter_type`; [`ABSENT`] where there is none.
    pub iterator_types: [u32; 2],
    /// The functions of `io_uring` and of security hooks that programs can be attached to, and their numbers in the BTF.
    pub functions: Vec<(&'static str, u32)>,
    /// The tracepoint of a request's submission to `io_uring`, and how many arguments that and the one of its
    /// completion have.
    pub io_uring_tracepoints: Option<IoUringTracepoints>,
    /// Whether it has the helper `bpf_loop` (5.17+).
    pub has_loop: bool,
    /// Index of the v1 controller whose cgroups stand for a task that has none in v2.
    pub cgroup_v1_subsystem: u32,
}

impl Kernel {
    /// Where the kernel shows its BTF.
    pub const BTF_PATH: &'static str = "/sys/kernel/btf/vmlinux";

    /// Looks at the running kernel.
    pub fn detect() -> Result<Self, KernelError> {
        let uname = rustix::system::uname();
        let release = uname.release().to_string_lossy().into_owned();
        let version = parse_release(&release);
        if version < OLDEST {
            return Err(KernelError::TooOld(release));
        }
        let path = Path::new(Self::BTF_PATH);
        let bytes = fs::read(path).map_err(|source| KernelError::NoBtf {
            path: path.to_owned(),
            source,
        })?;
        let btf = Btf::parse(&bytes).map_err(|source| KernelError::BadBtf {
            path: path.to_owned(),
            source,
        })?;
        Self::from_btf(version, &btf)
    }

    fn from_btf(version: (u32, u32), btf: &Btf<'_>) -> Result<Self, KernelError> {
        let mut values = [ABSENT; Offsets::COUNT];
        let mut has_io_uring_members = true;
        let mut has_io_uring_network = true;
        for (value, member) in values.iter_mut().zip(Offsets::MEMBERS) {
            let found = member
                .names
                .iter()
                .find_map(|name| btf.offset_of(member.structure, name));
            match (found, member.need) {
                (Some(offset), _) => *value = offset,
                (None, Need::Required) => {
                    return Err(KernelError::NoMember {
                        structure: member.structure,
                        member: member.names[0],
                    });
                }
                (None, Need::IoUring) => has_io_uring_members = false,
                (None, Need::IoUringNetwork) => has_io_uring_network = false,
                (None, Need::Alternative) => {}
                (None, Need::Optional) => {
                    warn!(
                        structure = member.structure,
                        member = member.names[0],
                        "this kernel lacks the member; the fields computed from it have no value"
                    );
                }
            }
        }
        let offsets = Offsets::from_array(values);
        if offsets.dentry_name_len != offsets.dentry_parent + 12
            || offsets.dentry_name != offsets.dentry_parent + 16
            || ![offsets.dentry_parent + 32, ABSENT].contains(&offsets.dentry_short_name)
        {
            return Err(KernelError::DentryLayout);
        }
        let members = [
            offsets.file_mode,
            offsets.file_flags,
            offsets.file_inode,
            offsets.file_path,
        ];
        let file_span = members.into_iter().min().unwrap_or(0);
        // The last one, the path, is two pointers long.
        let end = members.into_iter().max().unwrap_or(0) + 16;
        if end - file_span > FILE_SPAN {
            return Err(KernelError::FileLayout);
        }
        // Container runtimes put each container into a group of every v1 controller; the first of
        // these that the kernel has decides.
        let cgroup_v1_subsystem = ["pids_cgrp_id", "memory_cgrp_id", "cpu_cgrp_id"]
            .iter()
            .find_map(|name| btf.enum_value("cgroup_subsys_id", name))
            .unwrap_or(ABSENT);
        let size_of = |structure, member| {
            let size = btf.size_of(structure);
            size.ok_or(KernelError::NoMember { structure, member })
        };
        let regs_size = size_of("pt_regs", "di")?;
        let inode_size = size_of("inode", "i_ino")?;
        let pid_size = size_of("pid", "numbers")?;
        // The version does not tell: distributions give newer helpers to older kernels.
        let has_helper = |name| btf.enum_value("bpf_func_id", name).is_some();
        Ok(Self {
            has_current_task_btf: has_helper("BPF_FUNC_get_current_task_btf"),
            has_task_pt_regs: has_helper("BPF_FUNC_task_pt_regs"),
            io_uring: match btf.size_of("io_kiocb") {
                None => IoUring::NotBuilt,
                Some(_) if !has_io_uring_members => IoUring::Unknown,
                Some(_) if has_io_uring_network => IoUring::Known,
                Some(_) => IoUring::WithoutNetwork,
            },
            // The enumeration has no name.
            request_flags: [
                "REQ_F_NOWAIT_BIT",
                "REQ_F_APOLL_MULTISHOT_BIT",
                "REQ_F_CUR_POS_BIT",
            ]
            .map(|name| btf.enum_value("", name))
            .map(|bit| bit.and_then(|bit| 1_u32.checked_shl(bit)).unwrap_or(0)),
            iterator_types: ["ITER_UBUF", "ITER_IOVEC"]
                .map(|name| btf.enum_value("iter_type", name).unwrap_or(ABSENT)),
            io_uring_tracepoints: IoUringTracepoints::find(btf),
            functions: io_uring::names()
                .chain(security_hook::functions())
                .filter_map(|name| Some((name, btf.function(name)?)))
                .collect(),
            has_loop: has_helper("BPF_FUNC_loop"),
            version,
            offsets,
            file_span,
            regs_size,
            inode_size,
            pid_size,
            cgroup_v1_subsystem,
        })
    }
}

/// Major and minor number of a release such as `6.1.0-13-amd64`; zeros for what is no number.
fn parse_release(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|character: char| !character.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        for (release, expected) in [
            ("6.1.0-13-amd64", (6, 1)),
            ("5.8", (5, 8)),
            ("6.18.44-custom", (6, 18)),
            ("4.19.0+", (4, 19)),
            ("odd", (0, 0)),
        ] {
            assert_eq!(parse_release(release), expected, "{release}");
        }
        assert!(parse_release("5.7.19") < OLDEST);
    }

    #[test]
    fn the_running_kernel_has_every_member() {
        let kernel = Kernel::detect().unwrap();
        assert!(kernel.version >= OLDEST);
        assert_ne!(kernel.offsets.task_tgid, kernel.offsets.task_pid);
        // An older kernel may have them; a newer one always has.
        assert_ne!(kernel.io_uring, IoUring::WithoutNetwork);
        if kernel.io_uring == IoUring::Known {
            assert!(kernel.request_flags.iter().all(|flag| *flag != 0));
            assert!(!kernel.iterator_types.contains(&ABSENT));
        }
        assert!(kernel.has_current_task_btf || kernel.version < (5, 11));
        assert!(kernel.has_task_pt_regs || kernel.version < (5, 15));
    }
}
