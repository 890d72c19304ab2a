//! What an exec tells of the file that it runs, and of what the program may do.

use agent_ebpf::{ExecPart, LAYER_LOWER, LAYER_UPPER};

use super::{Gid, Uid};

/// The layer of an overlay that a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayLayer {
    /// The writable one: the file was made or changed in the container.
    Upper,
    /// One below it: the file is the image's.
    Lower,
}

impl OverlayLayer {
    /// From the kernel side's number.
    pub(super) fn of(number: u32) -> Option<Self> {
        match number {
            LAYER_UPPER => Some(Self::Upper),
            LAYER_LOWER => Some(Self::Lower),
            _ => None,
        }
    }
}

/// The file that a process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutableFile {
    /// Its inode number; 0 if it could not be read.
    pub inode: u64,
    /// The device of its file system as the kernel encodes it internally (20 bits of minor).
    pub device: u32,
    /// Last change of its status, in ns since the epoch; 0 if the kernel does not say.
    pub ctime_ns: u64,
    /// Last change of its content, in ns since the epoch; 0 if the kernel does not say.
    pub mtime_ns: u64,
    /// Whether the user who started it could have written to it, at that time. `None` if that is not
    /// known.
    pub writable: Option<bool>,
    /// Where it is in an overlay; `None` outside of one.
    pub layer: Option<OverlayLayer>,
}

/// Sets of capabilities, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// May be used.
    pub permitted: u64,
    /// Are used.
    pub effective: u64,
    /// May be passed on.
    pub inheritable: u64,
}

/// `SB_RDONLY`
const READ_ONLY: u64 = 1;
/// `S_IMMUTABLE`
const IMMUTABLE: u32 = 8;
const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_FOWNER: u64 = 1 << 3;

impl ExecutableFile {
    /// What the kernel side recorded, of a program started by this user and group.
    pub(super) fn of(part: &ExecPart, uid: Uid, gid: Gid) -> Self {
        Self {
            inode: part.inode,
            device: part.device,
            ctime_ns: nanoseconds(part.ctime_seconds, part.ctime_nanoseconds),
            mtime_ns: nanoseconds(part.mtime_seconds, part.mtime_nanoseconds),
            writable: (part.inode != 0).then(|| is_writable(part, uid, gid)),
            layer: OverlayLayer::of(part.layer),
        }
    }
}

impl Capabilities {
    /// What the kernel side recorded.
    pub(super) fn of(part: &ExecPart) -> Self {
        Self {
            permitted: part.permitted,
            effective: part.effective,
            inheritable: part.inheritable,
        }
    }
}

/// The kernel marks times that were read, above the bits that nanoseconds need.
fn nanoseconds(seconds: u64, nanoseconds: u32) -> u64 {
    let rest = u64::from(nanoseconds & ((1 << 30) - 1));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// As Falco decides it, but for supplementary groups, which are not recorded. Capabilities of another
/// user namespace than the first reach only files whose owners it maps, so they do not count.
fn is_writable(part: &ExecPart, uid: Uid, gid: Gid) -> bool {
    if part.superblock_flags & READ_ONLY != 0 || part.inode_flags & IMMUTABLE != 0 {
        return false;
    }
    let overrides =
        part.user_namespace_level == 0 && part.effective & (CAP_DAC_OVERRIDE | CAP_FOWNER) != 0;
    let group_writes = part.inode_gid == gid.0 && part.inode_mode & 0o020 != 0;
    part.inode_uid == uid.0 || group_writes || part.inode_mode & 0o002 != 0 || overrides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_write_the_executable() {
        let part = ExecPart {
            inode: 7,
            inode_mode: 0o100_755,
            inode_uid: 5,
            inode_gid: 6,
            ..ExecPart::default()
        };
        let writable =
            |part: ExecPart, uid, gid| ExecutableFile::of(&part, Uid(uid), Gid(gid)).writable;
        let with = |change: fn(&mut ExecPart)| {
            let mut part = part;
            change(&mut part);
            part
        };
        for (part, uid, gid, expected) in [
            (part, 5, 0, Some(true)),
            (part, 9, 6, Some(false)),
            (with(|part| part.inode_mode = 0o775), 9, 6, Some(true)),
            (with(|part| part.inode_mode = 0o775), 9, 9, Some(false)),
            (with(|part| part.inode_mode = 0o757), 9, 9, Some(true)),
            (
                with(|part| part.effective = CAP_DAC_OVERRIDE),
                9,
                9,
                Some(true),
            ),
            (
                with(|part| part.superblock_flags = READ_ONLY),
                5,
                6,
                Some(false),
            ),
            (with(|part| part.inode_flags = IMMUTABLE), 5, 6, Some(false)),
            (
                with(|part| {
                    part.effective = CAP_DAC_OVERRIDE;
                    part.user_namespace_level = 1;
                }),
                9,
                9,
                Some(false),
            ),
            (with(|part| part.inode = 0), 5, 6, None),
        ] {
            assert_eq!(writable(part, uid, gid), expected, "{part:?} {uid} {gid}");
        }
    }

    #[test]
    fn times_lose_the_flag_of_the_kernel() {
        let part = ExecPart {
            ctime_seconds: 2,
            ctime_nanoseconds: (1 << 31) | 3,
            ..ExecPart::default()
        };
        let file = ExecutableFile::of(&part, Uid(0), Gid(0));
        assert_eq!((file.ctime_ns, file.mtime_ns), (2_000_000_003, 0));
    }
}
