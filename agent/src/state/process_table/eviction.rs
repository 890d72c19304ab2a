//! What comes into the table and what leaves it.

use std::collections::hash_map::Entry;

use super::{GRACE, ProcessTable};
use crate::event::{BootTime, Pid, ProcessKey};
use crate::state::process::Process;

/// One eviction makes room for this part of the table, so that its cost (a look at every process)
/// is shared by many insertions.
const PART: usize = 16;

impl ProcessTable {
    /// Adds a process, in place of what was known of it, and returns its slot.
    pub(super) fn insert(&mut self, process: Process) -> usize {
        self.remove(process.key);
        if self.processes.len() >= self.limit {
            self.evict();
        }
        let key = process.key;
        *self.children.entry(process.parent).or_default() += 1;
        let exited = process.exited;
        let slot = self.processes.len();
        self.processes.push(process);
        self.index.insert(key, slot);
        match self.pids.entry(key.pid) {
            Entry::Vacant(entry) => {
                entry.insert(key);
            }
            Entry::Occupied(mut entry) => {
                let other = *entry.get();
                if key.start() >= other.start() {
                    // The pid is used again, so its former process is gone.
                    entry.insert(key);
                    self.lose(other);
                } else {
                    self.lose(key);
                }
            }
        }
        if let Some(time) = exited {
            self.queue_ended(time, key);
        }
        self.limit_texts();
        slot
    }

    /// A process whose end was not told, but whose pid is another's.
    fn lose(&mut self, key: ProcessKey) {
        if self
            .get(key)
            .is_some_and(|process| process.exited.is_none())
        {
            self.stats.lost_exits += 1;
            self.mark_ended(key, self.now);
        }
    }

    /// Marks a process as ended; it leaves the table when nobody needs it any more.
    pub(super) fn mark_ended(&mut self, key: ProcessKey, time: BootTime) {
        let Some(&slot) = self.index.get(&key) else {
            return;
        };
        let process = &mut self.processes[slot];
        if process.exited.is_none() {
            process.exited = Some(time);
            self.queue_ended(time, key);
        }
    }

    /// Only [`reap`](Self::reap) removes, at a time when nobody holds a slot.
    fn queue_ended(&mut self, time: BootTime, key: ProcessKey) {
        self.ended.push_back((time, key));
    }

    /// Removes the ended processes whose time is over and who have no child in the table. If very
    /// many ended at once, the oldest do not get all of their time.
    pub(super) fn reap(&mut self) {
        while let Some((time, key)) = self.ended.front().copied() {
            let crowded = self.ended.len() > self.limit;
            if !crowded && self.now.since(time) <= GRACE {
                return;
            }
            self.ended.pop_front();
            match self.get(key).and_then(|process| process.exited) {
                // It was put off by a later event.
                Some(exited) if !crowded && self.now.since(exited) <= GRACE => {
                    self.queue_ended(exited, key);
                }
                _ => self.remove_if_unneeded(key),
            }
        }
    }

    /// Removes an ended process without children; then its parent, if that only waited for it.
    fn remove_if_unneeded(&mut self, key: ProcessKey) {
        let mut key = key;
        while !self.children.contains_key(&key)
            && self
                .get(key)
                .is_some_and(|process| process.exited.is_some())
        {
            let Some(parent) = self.remove(key) else {
                return;
            };
            let waits = self.get(parent).is_some_and(|process| {
                process
                    .exited
                    .is_some_and(|exited| self.now.since(exited) > GRACE)
            });
            if !waits {
                return;
            }
            key = parent;
        }
    }

    /// Takes a process out, and returns its parent.
    fn remove(&mut self, key: ProcessKey) -> Option<ProcessKey> {
        let slot = self.index.remove(&key)?;
        let process = self.processes.swap_remove(slot);
        if let Some(moved) = self.processes.get(slot) {
            self.index.insert(moved.key, slot);
        }
        if self.pids.get(&key.pid) == Some(&key) {
            self.pids.remove(&key.pid);
        }
        self.forget_child(process.parent);
        Some(process.parent)
    }

    /// Gives a process another parent.
    pub(super) fn set_parent(&mut self, slot: usize, parent: ProcessKey) {
        let former = std::mem::replace(&mut self.processes[slot].parent, parent);
        *self.children.entry(parent).or_default() += 1;
        self.forget_child(former);
        if self.get(former).is_some_and(|process| {
            process
                .exited
                .is_some_and(|exited| self.now.since(exited) > GRACE)
        }) {
            self.remove_if_unneeded(former);
        }
    }

    fn forget_child(&mut self, parent: ProcessKey) {
        if let Entry::Occupied(mut count) = self.children.entry(parent) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Makes room: ended processes first, then those without children, the longest idle first.
    fn evict(&mut self) {
        let mut candidates: Vec<_> = self
            .processes
            .iter()
            .filter(|process| process.key != self.pinned && process.key.pid != Pid(1))
            .map(|process| {
                let needed = self.children.contains_key(&process.key);
                (
                    process.exited.is_none(),
                    needed,
                    process.last_seen,
                    process.key,
                )
            })
            .collect();
        let count = (self.limit.min(self.processes.len()) / PART)
            .max(1)
            .min(candidates.len());
        if count == 0 {
            return;
        }
        candidates.select_nth_unstable(count - 1);
        for (.., key) in &candidates[..count] {
            if self.remove(*key).is_some() {
                self.stats.evictions += 1;
            }
        }
    }

    /// Whether all parts of the table agree; for tests.
    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        assert!(self.processes.len() <= self.limit);
        assert_eq!(self.index.len(), self.processes.len());
        for (slot, process) in self.processes.iter().enumerate() {
            assert_eq!(self.index.get(&process.key), Some(&slot));
        }
        let mut children = std::collections::HashMap::new();
        for process in &self.processes {
            *children.entry(process.parent).or_insert(0_u32) += 1;
        }
        assert_eq!(children.len(), self.children.len());
        for (parent, count) in children {
            assert_eq!(self.children.get(&parent), Some(&count));
        }
        for (pid, key) in &self.pids {
            assert_eq!(key.pid, *pid);
            assert!(self.index.contains_key(key));
        }
        assert!(self.ended.len() <= self.limit + super::MAX_ANCESTORS + 2);
    }
}
