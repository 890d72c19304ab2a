//! The containers of the cgroups seen so far.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::ContainerIdentity;
use super::bounded_file::read_start;
use super::cgroup::{CgroupHierarchies, CgroupMembership, Confirmation};
use crate::event::{CgroupId, Pid};

/// Counts of a [`ContainerTable`], all since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerTableStats {
    /// Cgroups whose path the kernel side told.
    pub learned: u64,
    /// Reads of `/proc/PID/cgroup` for a cgroup whose path was not told.
    pub proc_reads: u64,
    /// Of those, reads that gave nothing: the process was gone, or in another cgroup by then.
    pub proc_failures: u64,
    /// Cgroups forgotten because the table was full.
    pub evictions: u64,
}

/// Which container a cgroup belongs to: a bounded cache.
///
/// A cgroup's id is never used again while the machine is up (its upper half is a generation), so
/// an entry never becomes wrong.
#[derive(Debug)]
pub struct ContainerTable {
    cgroups: HashMap<CgroupId, Entry, foldhash::fast::RandomState>,
    /// Oldest first, for eviction.
    order: VecDeque<CgroupId>,
    limit: usize,
    proc_root: PathBuf,
    hierarchies: CgroupHierarchies,
    stats: ContainerTableStats,
}

#[derive(Debug)]
struct Entry {
    identity: Option<Arc<ContainerIdentity>>,
    knowledge: Knowledge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// The kernel side told the cgroup's path.
    Path,
    /// `/proc/PID/cgroup` of a process in it.
    Proc,
    /// So many processes were asked in vain.
    Failed(u8),
}

/// The longest `/proc/PID/cgroup` that is read, in bytes: 13 hierarchies with a path each of
/// kubelet's length take about 3 KiB.
const MEMBERSHIP_LIMIT: u64 = 32 * 1024;

/// After so many processes that could not be asked, a cgroup is taken for the host's.
const ATTEMPTS: u8 = 8;

impl ContainerTable {
    /// Cgroups remembered unless configured otherwise.
    pub const DEFAULT_LIMIT: usize = 8192;

    /// An empty table of at most `limit` cgroups.
    ///
    /// `proc_root` is a mount of the host's procfs: `/proc`, or inside a container
    /// `$HOST_ROOT/proc`.
    pub fn new(limit: usize, proc_root: PathBuf) -> Self {
        Self {
            cgroups: HashMap::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
            hierarchies: CgroupHierarchies::discover(&proc_root),
            proc_root,
            stats: ContainerTableStats::default(),
        }
    }

    /// The counts so far.
    pub fn stats(&self) -> ContainerTableStats {
        self.stats
    }

    /// The container that a cgroup belongs to; `None` for the host.
    ///
    /// `path` is the cgroup's path where the event tells it. Without one, and for a cgroup not seen
    /// before, `/proc/PID/cgroup` is read, once.
    pub fn identity_for(
        &mut self,
        cgroup: CgroupId,
        path: Option<&[u8]>,
        pid: Pid,
    ) -> Option<Arc<ContainerIdentity>> {
        if is_root(cgroup) {
            // The root cgroup is the same for all who have no other: it tells nothing.
            return None;
        }
        let mut failures = 0;
        if let Some(entry) = self.cgroups.get(&cgroup) {
            match (entry.knowledge, path) {
                (Knowledge::Path, _) | (Knowledge::Proc | Knowledge::Failed(ATTEMPTS..), None) => {
                    return entry.identity.clone();
                }
                (Knowledge::Failed(count), None) => failures = count,
                (Knowledge::Proc | Knowledge::Failed(_), Some(_)) => {}
            }
        }
        if let Some(path) = path {
            return self.learn(cgroup, path);
        }
        self.stats.proc_reads += 1;
        let entry = self.ask_process(cgroup, pid).unwrap_or_else(|| {
            self.stats.proc_failures += 1;
            Entry {
                identity: None,
                knowledge: Knowledge::Failed(failures + 1),
            }
        });
        self.store(cgroup, entry)
    }

    /// Remembers the path of a cgroup, as an exec or the making of the cgroup tells it.
    pub fn learn(&mut self, cgroup: CgroupId, path: &[u8]) -> Option<Arc<ContainerIdentity>> {
        if is_root(cgroup) {
            return None;
        }
        self.stats.learned += 1;
        let identity = ContainerIdentity::from_cgroup_path(path).map(Arc::new);
        self.store(
            cgroup,
            Entry {
                identity,
                knowledge: Knowledge::Path,
            },
        )
    }

    /// The cgroup and container of a process found in `/proc`, from its `/proc/PID/cgroup`. The
    /// cgroup is `CgroupId(0)` if its id cannot be found out.
    pub fn membership(
        &mut self,
        membership: CgroupMembership<'_>,
    ) -> (CgroupId, Option<Arc<ContainerIdentity>>) {
        let cgroup = self.hierarchies.unified_id(membership).unwrap_or_default();
        if let Some(entry) = self.cgroups.get(&cgroup)
            && !matches!(entry.knowledge, Knowledge::Failed(_))
        {
            return (cgroup, entry.identity.clone());
        }
        let identity = membership.container().map(Arc::new);
        if is_root(cgroup) {
            return (cgroup, identity);
        }
        let entry = Entry {
            identity,
            knowledge: Knowledge::Proc,
        };
        (cgroup, self.store(cgroup, entry))
    }

    /// The entry of a cgroup by what a process in it shows; `None` if the process is gone or in
    /// another cgroup by now.
    fn ask_process(&self, cgroup: CgroupId, pid: Pid) -> Option<Entry> {
        let path = self.proc_root.join(format!("{pid}/cgroup"));
        let text = read_start(&path, MEMBERSHIP_LIMIT)?;
        if text.is_empty() {
            return None;
        }
        let membership = CgroupMembership::new(&text);
        match self.hierarchies.confirm(membership, cgroup) {
            Confirmation::Confirmed | Confirmation::Unknown => Some(Entry {
                identity: membership.container().map(Arc::new),
                knowledge: Knowledge::Proc,
            }),
            Confirmation::Refuted => None,
        }
    }

    fn store(&mut self, cgroup: CgroupId, entry: Entry) -> Option<Arc<ContainerIdentity>> {
        let identity = entry.identity.clone();
        if self.cgroups.insert(cgroup, entry).is_none() {
            if self.order.len() >= self.limit
                && let Some(oldest) = self.order.pop_front()
            {
                self.cgroups.remove(&oldest);
                self.stats.evictions += 1;
            }
            self.order.push_back(cgroup);
        }
        identity
    }
}

/// No cgroup, or the root of the hierarchy, whose directory has inode 1.
fn is_root(cgroup: CgroupId) -> bool {
    cgroup.0 & !agent_ebpf::CGROUP_V1 <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";

    struct Host {
        root: tempfile::TempDir,
    }

    impl Host {
        fn new() -> Self {
            Self {
                root: tempfile::tempdir().unwrap(),
            }
        }

        fn process(&self, pid: u32, cgroup: &str) {
            let directory = self.root.path().join(pid.to_string());
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("cgroup"), cgroup.replace("ID", ID)).unwrap();
        }

        fn table(&self, limit: usize) -> ContainerTable {
            ContainerTable::new(limit, self.root.path().to_owned())
        }
    }

    #[test]
    fn a_told_path_is_remembered() {
        let mut table = Host::new().table(10);
        let path = format!("/docker/{ID}");
        let told = table.identity_for(CgroupId(50), Some(path.as_bytes()), Pid(1));
        assert_eq!(told.as_ref().unwrap().full_id(), ID);
        let again = table.identity_for(CgroupId(50), None, Pid(2)).unwrap();
        assert!(Arc::ptr_eq(&again, &told.unwrap()));
        assert_eq!(table.stats().proc_reads, 0);
    }

    #[test]
    fn an_unknown_cgroup_is_asked_of_proc_once() {
        let host = Host::new();
        host.process(7, "0::/docker/ID\n");
        host.process(8, "0::/system.slice/cron.service\n");
        let mut table = host.table(10);
        for _ in 0..3 {
            assert!(table.identity_for(CgroupId(50), None, Pid(7)).is_some());
            assert!(table.identity_for(CgroupId(51), None, Pid(8)).is_none());
        }
        assert_eq!(table.stats().proc_reads, 2);
    }

    #[test]
    fn a_cgroup_of_vanished_processes_is_not_asked_for_ever() {
        let host = Host::new();
        let mut table = host.table(10);
        for pid in 0..100 {
            assert!(table.identity_for(CgroupId(50), None, Pid(pid)).is_none());
        }
        assert_eq!(table.stats().proc_reads, u64::from(ATTEMPTS));
        // But its path, once told, is believed.
        let path = format!("/docker/{ID}");
        assert!(table.learn(CgroupId(50), path.as_bytes()).is_some());
        assert!(table.identity_for(CgroupId(50), None, Pid(1)).is_some());
    }

    #[test]
    fn the_root_cgroup_is_no_container_whoever_is_in_it() {
        let host = Host::new();
        host.process(7, "4:memory:/docker/ID\n0::/\n");
        let mut table = host.table(10);
        assert!(table.identity_for(CgroupId(1), None, Pid(7)).is_none());
        // The process itself, found in /proc, is in one by its v1 cgroups.
        let text = format!("4:memory:/docker/{ID}\n0::/\n");
        let (_, found) = table.membership(CgroupMembership::new(text.as_bytes()));
        assert!(found.is_some());
    }

    #[test]
    fn the_oldest_is_forgotten_when_full() {
        let mut table = Host::new().table(2);
        for cgroup in 10..14 {
            table.learn(CgroupId(cgroup), b"/");
        }
        assert_eq!(table.cgroups.len(), 2);
        assert_eq!(table.order.len(), 2);
        assert_eq!(table.stats().evictions, 2);
        assert!(table.cgroups.contains_key(&CgroupId(13)));
    }
}
