//! Identities that the kernel gives: each a type of its own, so that none is taken for another.

use std::fmt;
use std::time::Duration;

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }
    };
}

identity! {
    /// A process (thread group) id, or the id of a process group or session; the comment where it
    /// is used says in which pid namespace.
    Pid(u32)
}
identity! {
    /// A thread id.
    Tid(u32)
}
identity! {
    /// A user id in the initial user namespace.
    Uid(u32)
}
identity! {
    /// A group id in the initial user namespace.
    Gid(u32)
}
identity! {
    /// A cgroup: the inode number of its directory, as `bpf_get_current_cgroup_id` gives it.
    CgroupId(u64)
}
identity! {
    /// Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    BootTime(u64)
}

impl Uid {
    /// "No user": what the audit login uid is before a login.
    pub const UNSET: Self = Self(u32::MAX);
}

impl BootTime {
    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// What tells one process from every other since boot: pids are used again, a pid with its start
/// time is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// The process id in the host's pid namespace.
    pub pid: Pid,
    /// When the process (its first thread) was created.
    ///
    /// The kernel prints this in `/proc/PID/stat` only in clock ticks, so it is kept in ticks
    /// everywhere: see [`ProcessKey::new`].
    start_ticks: u64,
}

impl ProcessKey {
    /// `USER_HZ`, the unit of `/proc/PID/stat`: 100 on every architecture that we run on.
    pub const TICKS_PER_SECOND: u64 = 100;

    /// The key of a process whose start time is known exactly, from the kernel side.
    pub fn new(pid: Pid, start: BootTime) -> Self {
        Self {
            pid,
            start_ticks: start.0 / (1_000_000_000 / Self::TICKS_PER_SECOND),
        }
    }

    /// The key of a process as `/proc/PID/stat` tells it: field 22, in ticks since boot.
    pub fn from_ticks(pid: Pid, start_ticks: u64) -> Self {
        Self { pid, start_ticks }
    }

    /// When the process started, to 10 ms.
    pub fn start(self) -> BootTime {
        BootTime(self.start_ticks * (1_000_000_000 / Self::TICKS_PER_SECOND))
    }
}

/// A thread's name: at most 15 bytes, any but NUL.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Comm([u8; 16]);

impl Comm {
    /// From the kernel's `task_struct.comm`; what follows the first NUL is not part of it.
    pub fn from_kernel(bytes: [u8; 16]) -> Self {
        Self::from_bytes(&bytes)
    }

    /// The first 15 bytes of a name, up to its first NUL.
    pub fn from_bytes(name: &[u8]) -> Self {
        let mut bytes = [0; 16];
        for (slot, byte) in bytes
            .iter_mut()
            .take(15)
            .zip(name.iter().take_while(|b| **b != 0))
        {
            *slot = *byte;
        }
        Self(bytes)
    }

    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(15);
        &self.0[..end]
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?}",
            self.as_bytes().escape_ascii().to_string()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comm_ends_at_the_first_nul_and_at_15_bytes() {
        for (given, expected) in [
            (&b"sh\0rest"[..], &b"sh"[..]),
            (b"", b""),
            (b"exactly-fifteen", b"exactly-fifteen"),
            (b"sixteen-bytes-xx", b"sixteen-bytes-x"),
        ] {
            assert_eq!(Comm::from_bytes(given).as_bytes(), expected);
        }
    }

    #[test]
    fn key_from_kernel_and_from_proc_agree() {
        let kernel = ProcessKey::new(Pid(7), BootTime(123_456_789_012));
        assert_eq!(kernel, ProcessKey::from_ticks(Pid(7), 12_345));
    }
}
