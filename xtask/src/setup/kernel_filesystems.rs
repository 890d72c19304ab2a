//! The file systems through which the kernel shows tracepoints and eBPF objects.

use std::process::Command;

use anyhow::Result;
use rustix::fs::statfs;

use super::Outcome;
use crate::tool;

/// Type, place, and the type's number in `statfs` (include/uapi/linux/magic.h).
const FILE_SYSTEMS: [(&str, &str, u32); 2] = [
    ("tracefs", "/sys/kernel/tracing", 0x7472_6163),
    ("bpf", "/sys/fs/bpf", 0xcafe_4a11),
];

/// Mounts those that are not. What cannot be mounted is no failure yet: the agent says it better, with
/// what it needed it for.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a part of the set-up may fail; this one leaves that to the agent"
)]
pub(super) fn ensure() -> Result<Outcome> {
    let mut outcome = Outcome::AlreadyThere;
    for (kind, place, magic) in FILE_SYSTEMS {
        if is_mounted(place, magic) {
            continue;
        }
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, kind, place]);
        if !tool::is_root() {
            tool::say(&format!(
                "{kind} is not mounted; as root, run: mount -t {kind} {kind} {place}"
            ));
        } else if let Err(error) = tool::output(&mut mount) {
            tool::say(&format!("{kind} cannot be mounted: {error:#}"));
        } else {
            tool::say(&format!("mounted {kind} at {place}"));
            outcome = Outcome::SetUp;
        }
    }
    Ok(outcome)
}

fn is_mounted(place: &str, magic: u32) -> bool {
    // Signed or not, 32 or 64 bits: f_type differs by architecture. The numbers have 32 bits.
    statfs(place).is_ok_and(|status| i128::from(status.f_type) & 0xffff_ffff == i128::from(magic))
}
