//! The line of a process's parents.

use super::super::process::Process;
use super::ProcessTable;
use crate::event::{Pid, ProcessKey};

/// The longest line of ancestors that is followed.
pub(super) const MAX_ANCESTORS: usize = 64;

impl ProcessTable {
    /// The ancestors of a process, its parent first, as far as they are known; at most 64, and none
    /// twice.
    pub fn ancestors(&self, process: &Process) -> Ancestors<'_> {
        Ancestors {
            table: self,
            next: process.parent,
            seen: [ProcessKey::default(); MAX_ANCESTORS],
            start: process.key,
            count: 0,
        }
    }

    /// Reads a parent that is not known from `/proc`, and its parents, up to one that is known.
    pub(super) fn load_ancestors(&mut self, parent: ProcessKey) {
        let mut wanted = parent;
        for _ in 0..MAX_ANCESTORS {
            if wanted.pid == Pid(0) || self.index.contains_key(&wanted) {
                return;
            }
            self.stats.proc_reads += 1;
            let Ok(snapshot) = self.reader.snapshot(wanted.pid) else {
                return;
            };
            if snapshot.key != wanted {
                return;
            }
            let above = match snapshot.parent {
                Pid(0) => ProcessKey::default(),
                pid => self.reader.key_of(pid).unwrap_or_default(),
            };
            let process = self.process_from(snapshot, above);
            self.insert(process);
            wanted = above;
        }
    }
}

/// An iterator over ancestors: see [`ProcessTable::ancestors`].
#[derive(Clone, Debug)]
pub struct Ancestors<'t> {
    table: &'t ProcessTable,
    next: ProcessKey,
    start: ProcessKey,
    seen: [ProcessKey; MAX_ANCESTORS],
    count: usize,
}

impl<'t> Iterator for Ancestors<'t> {
    type Item = &'t Process;

    fn next(&mut self) -> Option<&'t Process> {
        let slot = self.seen.get(self.count)?;
        debug_assert_eq!(*slot, ProcessKey::default());
        if self.next.pid == Pid(0)
            || self.next == self.start
            || self.seen[..self.count].contains(&self.next)
        {
            return None;
        }
        let process = self.table.get(self.next)?;
        self.seen[self.count] = self.next;
        self.count += 1;
        self.next = process.parent;
        Some(process)
    }
}
