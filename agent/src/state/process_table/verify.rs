//! Finding out what a process runs when the start of its program was missed.
//!
//! Each event's header counts the programs that the process started ([`Origin::exec_id`]), so a
//! missed exec is known for certain, and nothing is asked where none was missed: a process can change
//! its name, and its arguments as `/proc` shows them, by itself.

use std::sync::Arc;

use super::super::proc_reader::{Gone, Snapshot};
use super::super::process::{Process, Source};
use super::ProcessTable;
use crate::event::Origin;

impl ProcessTable {
    /// Whether a process may run another program than is known.
    pub(super) fn missed_exec(&self, process: &Process, origin: &Origin) -> bool {
        match process.exec_id {
            // Of another thread an event before the exec may be read after it.
            Some(known) => known < origin.exec_id,
            // From `/proc`, after the kernel side was attached.
            None => process.losses != self.losses,
        }
    }

    /// Learns the program whose start was missed from `/proc`.
    pub(super) fn verify(&mut self, slot: usize, origin: &Origin) {
        let process = &mut self.processes[slot];
        process.exec_id = Some(origin.exec_id);
        process.losses = self.losses;
        self.stats.proc_reads += 1;
        match self.reader.snapshot(origin.process.pid) {
            Ok(snapshot) if self.is_at(&snapshot, origin) => self.adopt(snapshot),
            Ok(_) | Err(Gone) => self.degrade(slot, origin),
        }
    }

    /// Whether what `/proc` says is of the program that caused the event, and not of one that the
    /// process started since: that one's event is still to come.
    pub(super) fn is_at(&self, snapshot: &Snapshot, origin: &Origin) -> bool {
        snapshot.key == origin.process
            && if origin.tid.0 == origin.process.pid.0 {
                // Its own name may be any, but an exec gives it another.
                snapshot.comm == origin.comm
            } else {
                // An exec ends all threads but the main one.
                self.reader.has_thread(origin.process.pid, origin.tid)
            }
    }

    /// Replaces what a known process runs by what `/proc` says.
    pub(super) fn adopt(&mut self, snapshot: Snapshot) {
        let Some(&slot) = self.index.get(&snapshot.key) else {
            return;
        };
        self.stats.repaired += 1;
        let parent = self.processes[slot].parent;
        let read = self.process_from(snapshot, parent);
        let process = &mut self.processes[slot];
        process.comm = read.comm;
        process.program = read.program;
        process.capabilities = read.capabilities;
        process.cwd = read.cwd;
        process.source = Source::Proc;
        process.execed = None;
        process.exited = None;
    }

    /// What a process runs is not what was known, and cannot be told any more: the event's header is
    /// all that is known.
    fn degrade(&mut self, slot: usize, origin: &Origin) {
        self.stats.degraded += 1;
        let nothing = Arc::clone(&self.nothing);
        let process = &mut self.processes[slot];
        process.comm = origin.comm;
        process.program = nothing;
        process.capabilities = None;
        process.cwd = None;
        process.execed = None;
        process.source = Source::Degraded;
    }
}
