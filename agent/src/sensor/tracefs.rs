//! The file system in which the kernel lists its tracepoints, and which of them it has.

use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};
use thiserror::Error;
use tracing::{info, warn};

use super::probe::{Hook, Probe};

/// Why system calls cannot be watched.
#[derive(Debug, Error)]
pub enum TracefsError {
    /// It is not there, and cannot be mounted.
    #[error(
        "tracefs is not mounted at {MOUNT_POINT} and cannot be: {0}; mount it (mount -t tracefs tracefs {MOUNT_POINT}), and in a container mount the host's /sys/kernel"
    )]
    NotMounted(#[source] io::Error),
    /// It is there, and this process may not look into it.
    #[error("cannot look for tracepoints at {path}: {source}; run Peregrine as root")]
    Unreadable {
        /// What was looked for.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It has no tracepoints of system calls.
    #[error(
        "this kernel has no tracepoints of system calls ({0} is missing), and rules ask for system calls; the kernel has to be built with CONFIG_FTRACE_SYSCALLS=y"
    )]
    NoSystemCalls(PathBuf),
    /// It lacks one that every kernel with tracepoints of system calls has.
    #[error("this kernel has no tracepoint {0}, which every other has, and a rule needs it")]
    Missing(PathBuf),
}

/// Where everybody expects it.
const MOUNT_POINT: &str = "/sys/kernel/tracing";
/// Where it was before 4.1, and still is if debugfs is mounted.
const OLD_MOUNT_POINT: &str = "/sys/kernel/debug/tracing";

/// Calls that no configuration of a kernel in use leaves out: others may be missing because the
/// kernel was built without them, these are not.
const IN_EVERY_KERNEL: [&str; 3] = ["openat", "execve", "connect"];

/// Leaves out the exits of system calls that this kernel does not have, and says which.
pub(super) fn retain_existing(probes: &mut Vec<Probe>) -> Result<(), TracefsError> {
    if !probes
        .iter()
        .any(|probe| matches!(probe.hook, Hook::SyscallExit(_)))
    {
        return Ok(());
    }
    let missing = SystemCalls::find_or_mount()?.remove_missing(probes)?;
    if !missing.is_empty() {
        warn!(
            calls = missing.join(" "),
            "this kernel has no tracepoints of these system calls, being older than they are or built without them: rules on them cannot match"
        );
    }
    Ok(())
}

/// Says of which calls the kernel has no tracepoints where they are seen by one program at the exit of all, which may see
/// them all the same.
pub(super) fn tell_missing(probes: &[Probe]) {
    let missing = SystemCalls::find_or_mount().and_then(|calls| calls.missing(probes));
    match missing {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => warn!(
            calls = missing.join(" "),
            "this kernel has no tracepoints of these system calls: if it is older than they are or was built without them, rules on them cannot match; otherwise they are seen at the exit of all calls"
        ),
        Err(error) => info!(
            %error,
            "it cannot be told which system calls this kernel lacks: all are seen at the exit of all calls"
        ),
    }
}

/// The folder with the tracepoints of system calls.
struct SystemCalls(PathBuf);

impl SystemCalls {
    /// Mounts tracefs unless it is there.
    fn find_or_mount() -> Result<Self, TracefsError> {
        for place in [MOUNT_POINT, OLD_MOUNT_POINT] {
            if let Some(found) = Self::find(Path::new(place))? {
                return Ok(found);
            }
        }
        mount(
            "tracefs",
            MOUNT_POINT,
            "tracefs",
            MountFlags::empty(),
            None::<&std::ffi::CStr>,
        )
        .map_err(|error| TracefsError::NotMounted(error.into()))?;
        info!("mounted tracefs at {MOUNT_POINT}");
        let place = Path::new(MOUNT_POINT);
        Self::find(place)?.ok_or_else(|| TracefsError::NoSystemCalls(place.join("events")))
    }

    /// In the tracefs at `place`; `None` if there is none.
    fn find(place: &Path) -> Result<Option<Self>, TracefsError> {
        let events = place.join("events");
        if !exists(&events)? {
            return Ok(None);
        }
        let calls = events.join("syscalls");
        if exists(&calls)? {
            Ok(Some(Self(calls)))
        } else {
            Err(TracefsError::NoSystemCalls(calls))
        }
    }

    /// Removes what the kernel does not have and returns the calls.
    fn remove_missing(&self, probes: &mut Vec<Probe>) -> Result<Vec<&'static str>, TracefsError> {
        let missing = self.missing(probes)?;
        if let Some(call) = missing.iter().find(|call| IN_EVERY_KERNEL.contains(call)) {
            return Err(TracefsError::Missing(self.exit_of(call)));
        }
        probes.retain(
            |probe| !matches!(probe.hook, Hook::SyscallExit(call) if missing.contains(&call.name)),
        );
        Ok(missing)
    }

    /// The calls of which the kernel has no tracepoint.
    fn missing(&self, probes: &[Probe]) -> Result<Vec<&'static str>, TracefsError> {
        let mut missing = Vec::new();
        for probe in probes {
            if let Hook::SyscallExit(call) | Hook::CalledExit(call) = probe.hook
                && !exists(&self.exit_of(call.name))?
            {
                missing.push(call.name);
            }
        }
        Ok(missing)
    }

    /// Where the tracepoint of a call's exit is.
    fn exit_of(&self, call: &str) -> PathBuf {
        self.0.join(format!("sys_exit_{call}"))
    }
}

fn exists(path: &Path) -> Result<bool, TracefsError> {
    path.try_exists()
        .map_err(|source| TracefsError::Unreadable {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::super::probe::SystemCall;
    use super::*;

    fn exit(call: &'static str) -> Probe {
        Probe {
            program: "sys_exit_plain",
            hook: Hook::SyscallExit(SystemCall {
                name: call,
                number: 0,
            }),
        }
    }

    /// A folder as tracefs has it, with the exits of these calls.
    fn tracefs(calls: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for call in calls {
            let path = folder
                .path()
                .join(format!("events/syscalls/sys_exit_{call}"));
            std::fs::create_dir_all(path).unwrap();
        }
        folder
    }

    #[test]
    fn what_the_kernel_was_built_without_is_left_out_and_named() {
        let folder = tracefs(&["openat", "kill"]);
        let calls = SystemCalls::find(folder.path()).unwrap().unwrap();
        let exec = Probe {
            program: "sched_process_exec",
            hook: Hook::RawTracepoint("sched_process_exec"),
        };
        let mut probes = vec![exec, exit("openat"), exit("init_module"), exit("kill")];
        let missing = calls.remove_missing(&mut probes).unwrap();
        assert_eq!(missing, ["init_module"]);
        assert_eq!(probes, [exec, exit("openat"), exit("kill")]);
    }

    #[test]
    fn the_lack_of_what_every_kernel_has_is_an_error() {
        let folder = tracefs(&["kill"]);
        let calls = SystemCalls::find(folder.path()).unwrap().unwrap();
        let error = calls
            .remove_missing(&mut vec![exit("connect")])
            .unwrap_err();
        assert!(error.to_string().contains("sys_exit_connect"), "{error}");
    }

    #[test]
    fn a_kernel_without_tracepoints_of_system_calls_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(SystemCalls::find(folder.path()).unwrap().is_none());
        std::fs::create_dir_all(folder.path().join("events/sched")).unwrap();
        let error = SystemCalls::find(folder.path()).err().unwrap();
        assert!(
            error.to_string().contains("CONFIG_FTRACE_SYSCALLS"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        // No folder: ENOTDIR, which root gets too.
        let error = SystemCalls(file).remove_missing(&mut vec![exit("kill")]);
        assert!(matches!(error, Err(TracefsError::Unreadable { .. })));
    }
}
