//! The first process of each container, found in `/proc`.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use super::bounded_file::read_start;
use super::{CgroupMembership, ContainerIdentity};

/// The longest file that is read, in bytes.
const FILE_LIMIT: u64 = 32 * 1024;

/// Looks through all processes below a mount of the host's procfs. A container's first process is the
/// one that is process 1 where it lives, and of several (a container in a container's pid namespace)
/// the one with the lowest id, as is that of a container without a pid namespace of its own.
///
/// Fails if the processes cannot be listed; one that ends meanwhile is left out.
pub fn first_processes(proc_root: &Path) -> io::Result<HashMap<ContainerIdentity, u32>> {
    let mut found: HashMap<ContainerIdentity, (bool, u32)> = HashMap::new();
    for process in fs::read_dir(proc_root)?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Some(cgroups) = read_start(&process.path().join("cgroup"), FILE_LIMIT) else {
            continue;
        };
        let Some(identity) = CgroupMembership::new(&cgroups).container() else {
            continue;
        };
        let status = read_start(&process.path().join("status"), FILE_LIMIT).unwrap_or_default();
        // False sorts first.
        let rank = (!is_first(&status), pid);
        found
            .entry(identity)
            .and_modify(|best| *best = rank.min(*best))
            .or_insert(rank);
    }
    let pid_alone = |(identity, (_, pid))| (identity, pid);
    Ok(found.into_iter().map(pid_alone).collect())
}

/// Whether a `/proc/PID/status` says that this is process 1 of a pid namespace below.
fn is_first(status: &[u8]) -> bool {
    let status = String::from_utf8_lossy(status);
    let mut ids = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .unwrap_or_default()
        .split_ascii_whitespace();
    ids.next().is_some() && ids.next_back() == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_of_each_container() {
        let root = tempfile::tempdir().unwrap();
        for (pid, cgroup, ids) in [
            ("1", "/init.scope", "1"),
            ("20", "/default/web", "20 5"),
            ("30", "/default/web", "30 1"),
            ("40", "/default/web", "40 1 1"),
            ("50", "/default/plain", "50"),
            ("45", "/default/plain", "45"),
            ("60", "/system.slice/x.service", "60"),
        ] {
            let at = |file: &str| root.path().join(pid).join(file);
            fs::create_dir(root.path().join(pid)).unwrap();
            fs::write(at("cgroup"), format!("0::{cgroup}\n")).unwrap();
            fs::write(at("status"), format!("Name:\tx\nNSpid:\t{ids}\n")).unwrap();
        }
        fs::create_dir(root.path().join("70")).unwrap();
        fs::create_dir(root.path().join("sys")).unwrap();
        let found = first_processes(root.path()).unwrap();
        let mut found: Vec<(&str, u32)> = found
            .iter()
            .map(|(identity, pid)| (identity.full_id(), *pid))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("plain", 45), ("web", 30)]);
        assert!(first_processes(&root.path().join("none")).is_err());
    }
}
