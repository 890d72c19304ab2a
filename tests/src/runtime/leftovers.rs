//! What a runtime leaves behind when its daemon is killed: monitors, containers, mounts, cgroups.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Programs of runtimes that stay beside a container.
const MONITORS: [&str; 5] = ["containerd", "containerd-shim", "conmon", "runc", "podman"];

/// Ends every process that belongs to the runtime of this folder, and removes its mounts and cgroups.
pub(super) fn clear(folder: &Path) {
    let folder = folder.to_string_lossy();
    let mut cgroups = Vec::new();
    // Monitors first: they would start the next process, or clean up meanwhile. One that ends may leave
    // others to be found.
    for _ in 0..100 {
        let found: Vec<u32> = processes()
            .filter(|pid| is_monitor(*pid, &folder) || is_contained(*pid, &folder))
            .collect();
        if found.is_empty() {
            break;
        }
        for pid in found {
            cgroups.extend(cgroups_of(pid));
            let Ok(pid) = i32::try_from(pid) else {
                continue;
            };
            // SAFETY: kill takes two numbers. The process was the runtime's a moment ago; pids are
            // not used again that fast.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        sleep(Duration::from_millis(20));
    }
    unmount(&folder);
    for cgroup in cgroups {
        // Only an empty one goes, and each is found many times.
        let _ = fs::remove_dir(&cgroup);
        // As kubelet would: a runtime removes no pod's own.
        if let Some(pod) = cgroup.parent()
            && pod
                .parent()
                .is_some_and(|class| class.ends_with("kubepods/besteffort"))
        {
            let _ = fs::remove_dir(pod);
        }
    }
}

/// Removes the cgroups of a pod that has ended, as kubelet would.
pub(super) fn remove_pod_cgroups(parent: &str) {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
    for hierarchy in hierarchies.flatten() {
        // Not every hierarchy has it.
        let _ = fs::remove_dir(hierarchy.path().join(parent.trim_start_matches('/')));
    }
}

fn processes() -> impl Iterator<Item = u32> {
    let own = std::process::id();
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |pid| *pid != own)
}

/// A program of a runtime whose arguments name the folder.
fn is_monitor(pid: u32, folder: &str) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    MONITORS.iter().any(|monitor| name.starts_with(monitor))
        && String::from_utf8_lossy(&arguments).contains(folder)
}

/// A process whose root directory lies in the folder.
fn is_contained(pid: u32, folder: &str) -> bool {
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"));
    root.is_some_and(|line| line.contains(folder))
}

/// The folders of a process's cgroups, but not the roots.
fn cgroups_of(pid: u32) -> Vec<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let folder = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let hierarchy = match controllers {
            "" => "unified",
            other => other.trim_start_matches("name="),
        };
        (path != "/").then(|| PathBuf::from(format!("/sys/fs/cgroup/{hierarchy}{path}")))
    };
    text.lines().filter_map(folder).collect()
}

fn unmount(folder: &str) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| point.starts_with(folder))
        .collect();
    for point in below.into_iter().rev() {
        if let Err(error) = rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH) {
            eprintln!("cannot unmount {point}: {error}");
        }
    }
}
