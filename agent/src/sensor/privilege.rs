//! Which capabilities the agent needs, and which of them it lacks.

use std::{fs, io};

use thiserror::Error;

/// Why the privileges do not suffice.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// The agent's own capabilities cannot be read.
    #[error("cannot read the capabilities of this process from /proc/self/status: {0}")]
    Unknown(#[source] io::Error),
    /// Some are missing.
    #[error(
        "missing {}: Peregrine loads eBPF programs that watch every process; run it as root, or give it these capabilities",
        .0.join(" and ")
    )]
    Missing(Vec<&'static str>),
}

/// Bit numbers of include/uapi/linux/capability.h.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Whether this process may load and attach the programs.
pub(super) fn check() -> Result<(), PrivilegeError> {
    let status = fs::read_to_string("/proc/self/status").map_err(PrivilegeError::Unknown)?;
    let missing = missing(effective(&status));
    if missing.is_empty() {
        Ok(())
    } else {
        Err(PrivilegeError::Missing(missing))
    }
}

/// The effective set as /proc/PID/status prints it; empty if there is none.
fn effective(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn missing(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    // CAP_SYS_ADMIN stands for both: they were split from it in 5.8.
    if has(CAP_SYS_ADMIN) {
        return Vec::new();
    }
    [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")]
        .into_iter()
        .filter(|(bit, _)| !has(*bit))
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        for (capabilities, expected) in [
            ("0000000000000000", vec!["CAP_BPF", "CAP_PERFMON"]),
            ("0000008000000000", vec!["CAP_PERFMON"]),
            ("000000c000000000", vec![]),
            ("0000000000200000", vec![]),
        ] {
            let status = format!("Name:\tx\nCapEff:\t{capabilities}\n");
            assert_eq!(missing(effective(&status)), expected, "{capabilities}");
        }
    }
}
