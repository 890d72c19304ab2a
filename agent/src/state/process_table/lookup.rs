//! The process of an event, brought up to date by the event's header.

use super::super::proc_reader::Gone;
use super::super::process::{Process, ProcessIds, Source};
use super::ProcessTable;
use crate::event::{BootTime, CgroupId, Origin};

impl ProcessTable {
    /// The slot of an event's process, which is known and up to date afterwards.
    pub(super) fn observe(&mut self, origin: &Origin) -> usize {
        self.stats.lookups += 1;
        self.now = self.now.max(origin.time);
        let Some(&slot) = self.index.get(&origin.process) else {
            return self.miss(origin);
        };
        let process = &mut self.processes[slot];
        process.last_seen = process.last_seen.max(origin.time);
        process.ids = ProcessIds::of(origin);
        process.note_alive(origin.time);
        if process.parent == origin.parent
            && process.cgroup == origin.cgroup
            && process.exec_id == Some(origin.exec_id)
        {
            return slot;
        }
        self.reconcile(origin)
    }

    /// Makes an entry for a process that an event names and the table does not know.
    fn miss(&mut self, origin: &Origin) -> usize {
        self.stats.misses += 1;
        self.pinned = origin.process;
        self.reap();
        self.load_ancestors(origin.parent);
        self.stats.proc_reads += 1;
        let mut process = match self.reader.snapshot(origin.process.pid) {
            Ok(snapshot) if self.is_at(&snapshot, origin) => {
                self.process_from(snapshot, origin.parent)
            }
            Ok(snapshot) if snapshot.key == origin.process => {
                self.stats.degraded += 1;
                self.bare(origin)
            }
            // Gone, or its pid is another's by now: it ended, and nobody will say so.
            Ok(_) | Err(Gone) => {
                self.stats.degraded += 1;
                let mut process = self.bare(origin);
                process.exited = Some(origin.time);
                process
            }
        };
        process.ids = ProcessIds::of(origin);
        process.exec_id = Some(origin.exec_id);
        process.last_seen = origin.time;
        if process.source == Source::Degraded || process.cgroup != origin.cgroup {
            self.move_to_cgroup(&mut process, origin.cgroup);
        }
        self.insert(process)
    }

    /// Brings a known process in step with an event's header where they differ.
    fn reconcile(&mut self, origin: &Origin) -> usize {
        self.pinned = origin.process;
        let slot = self.slot_of(origin);
        if self.processes[slot].parent != origin.parent {
            self.set_parent(slot, origin.parent);
            self.load_ancestors(origin.parent);
        }
        let slot = self.slot_of(origin);
        if self.processes[slot].cgroup != origin.cgroup {
            let mut process = self.processes[slot].clone();
            self.move_to_cgroup(&mut process, origin.cgroup);
            self.processes[slot] = process;
        }
        if self.missed_exec(&self.processes[slot], origin) {
            self.verify(slot, origin);
        } else if self.processes[slot].exec_id.is_none() {
            self.processes[slot].exec_id = Some(origin.exec_id);
        }
        self.slot_of(origin)
    }

    /// The slot of a process that is pinned, and so cannot have been evicted.
    fn slot_of(&mut self, origin: &Origin) -> usize {
        if let Some(&slot) = self.index.get(&origin.process) {
            slot
        } else {
            let process = self.bare(origin);
            self.insert(process)
        }
    }

    /// Records that a process is in a cgroup, and so in which container. A cgroup that says nothing
    /// (the root of a hierarchy without containers) leaves the answer from `/proc` standing.
    pub(super) fn move_to_cgroup(&mut self, process: &mut Process, cgroup: CgroupId) {
        let was_known = process.cgroup.0 > 1;
        process.cgroup = cgroup;
        if was_known || cgroup.0 > 1 {
            process.container = self.containers.identity_for(cgroup, None, process.key.pid);
        }
    }
}

impl Process {
    /// An event of a process that is taken for ended puts its end off.
    fn note_alive(&mut self, time: BootTime) {
        if let Some(exited) = &mut self.exited {
            *exited = time.max(*exited);
        }
    }
}
