//! The file system in which the kernel lists its tracepoints.

use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount};
use thiserror::Error;
use tracing::info;

/// There is no tracefs, and it cannot be mounted.
#[derive(Debug, Error)]
#[error(
    "tracefs is not mounted at {MOUNT_POINT} and cannot be: {0}; mount it (mount -t tracefs tracefs {MOUNT_POINT}), and in a container mount the host's /sys/kernel"
)]
pub struct TracefsError(#[source] io::Error);

/// Where everybody expects it.
const MOUNT_POINT: &str = "/sys/kernel/tracing";
/// Where it was before 4.1, and still is if debugfs is mounted.
const OLD_MOUNT_POINT: &str = "/sys/kernel/debug/tracing";

/// Whether the kernel has a tracepoint for the exit of this system call.
pub(super) fn has_syscall(name: &str) -> bool {
    [MOUNT_POINT, OLD_MOUNT_POINT].iter().any(|place| {
        Path::new(place)
            .join("events/syscalls")
            .join(format!("sys_exit_{name}"))
            .exists()
    })
}

/// Mounts tracefs unless it is there.
pub(super) fn ensure_mounted() -> Result<(), TracefsError> {
    let is_mounted = |place: &str| Path::new(place).join("events/syscalls").exists();
    if is_mounted(MOUNT_POINT) || is_mounted(OLD_MOUNT_POINT) {
        return Ok(());
    }
    mount(
        "tracefs",
        MOUNT_POINT,
        "tracefs",
        MountFlags::empty(),
        None::<&std::ffi::CStr>,
    )
    .map_err(|error| TracefsError(error.into()))?;
    info!("mounted tracefs at {MOUNT_POINT}");
    Ok(())
}
