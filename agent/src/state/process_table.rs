//! Every process that is known, and how events change that.
//!
//! The table is a cache: who did something is in each event's header and does not depend on it.
//! What the header does not hold (arguments, executable, ancestors) is here, from exec, fork and
//! exit events, and from `/proc` where such an event is missing.

mod eviction;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::boot_clock::BootClock;
use super::proc_reader::{ARGS_LIMIT, ENV_LIMIT, Gone, Limited, ProcReader, Snapshot};
use super::process::{Process, ProcessIds, Program, Source};
use super::text_pool::{Text, TextPool};
use crate::container::{CgroupMembership, ContainerTable};
use crate::event::{
    self, BootTime, CgroupId, Event, Exec, Fork, KernelPath, Origin, Payload, Pid, ProcessKey,
};

/// Counts of a [`ProcessTable`], all since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessTableStats {
    /// Events whose process was looked up.
    pub lookups: u64,
    /// Of those, lookups of a process that was not known.
    pub misses: u64,
    /// Processes of which nothing but an event's header could be learnt.
    pub degraded: u64,
    /// Reads of a process from `/proc`, the scan at the start not counted.
    pub proc_reads: u64,
    /// Processes whose arguments and environment `/proc` did not give in time.
    pub abandoned_reads: u64,
    /// Known processes found to run another program than was known: an exec was lost.
    pub repaired: u64,
    /// Processes whose exit was not seen.
    pub lost_exits: u64,
    /// Processes dropped because the table, or the memory for its texts, was full.
    pub evictions: u64,
}

/// The processes of the machine.
///
/// One thread owns it. Looking up the process of an event is one hash lookup and allocates nothing
/// unless the process is new or changed.
#[derive(Debug)]
pub struct ProcessTable {
    /// In no order; a removal moves the last one into the gap.
    processes: Vec<Process>,
    index: HashMap<ProcessKey, usize, RandomState>,
    /// The newest process of each pid.
    pids: HashMap<Pid, ProcessKey, RandomState>,
    /// How many known processes have this parent, known or not.
    children: HashMap<ProcessKey, u32, RandomState>,
    /// Ended processes, in the order in which they ended.
    ended: VecDeque<(BootTime, ProcessKey)>,
    limit: usize,
    text_limit: usize,
    texts: TextPool,
    nothing: Arc<Program>,
    path: Vec<u8>,
    reader: ProcReader,
    containers: ContainerTable,
    /// The time of the newest event.
    now: BootTime,
    /// How often events were lost.
    losses: u32,
    /// The process of the event at hand, which must stay.
    pinned: ProcessKey,
    stats: ProcessTableStats,
}

/// The process of an event, and the table to find its ancestors in.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'t> {
    /// The process.
    pub process: &'t Process,
    /// The table that it is in.
    pub table: &'t ProcessTable,
}

impl<'t> Subject<'t> {
    /// The process's ancestors, its parent first.
    pub fn ancestors(self) -> Ancestors<'t> {
        self.table.ancestors(self.process)
    }
}

/// How long an ended process stays at least: events of other rings, and of other CPUs, that were
/// caused before its exit are read after it.
const GRACE: Duration = Duration::from_secs(5);

/// The smallest table: less could not hold one process and its ancestors.
const MIN_LIMIT: usize = 2 * MAX_ANCESTORS;

/// The longest line of ancestors that is followed.
const MAX_ANCESTORS: usize = 64;

impl ProcessTable {
    /// Processes kept unless configured otherwise.
    pub const DEFAULT_LIMIT: usize = 32_768;

    /// What all arguments, environments and paths may take together, in bytes.
    pub const DEFAULT_TEXT_LIMIT: usize = 12 * 1024 * 1024;

    /// An empty table of at most `limit` processes (but room for 128 at least).
    ///
    /// `proc_root` is a mount of the host's procfs: `/proc`, or inside a container
    /// `$HOST_ROOT/proc`.
    pub fn new(limit: usize, proc_root: PathBuf) -> Self {
        Self {
            processes: Vec::new(),
            index: HashMap::default(),
            pids: HashMap::default(),
            children: HashMap::default(),
            ended: VecDeque::new(),
            limit: limit.max(MIN_LIMIT),
            text_limit: Self::DEFAULT_TEXT_LIMIT,
            texts: TextPool::new(),
            nothing: Arc::default(),
            path: Vec::new(),
            containers: ContainerTable::new(ContainerTable::DEFAULT_LIMIT, proc_root.clone()),
            reader: ProcReader::new(proc_root),
            now: BootTime::default(),
            losses: 0,
            pinned: ProcessKey::default(),
            stats: ProcessTableStats::default(),
        }
    }

    /// Learns every process that runs now, and returns how many were new. Done once the sensor is
    /// attached, so that none is missed between; what events told already is kept.
    pub fn scan(&mut self) -> usize {
        self.now = self.now.max(BootClock::now());
        let mut snapshots: Vec<Snapshot> = self
            .reader
            .pids()
            .into_iter()
            .take(self.limit)
            .filter_map(|pid| self.reader.snapshot(pid).ok())
            .collect();
        // Parents before children, so that a full table drops the right ones.
        snapshots.sort_by_key(|snapshot| snapshot.key.start());
        let keys: HashMap<Pid, ProcessKey> = snapshots
            .iter()
            .map(|snapshot| (snapshot.key.pid, snapshot.key))
            .collect();
        let mut new = 0;
        for snapshot in snapshots {
            let parent = keys.get(&snapshot.parent).copied().unwrap_or_default();
            match self.get(snapshot.key).map(|process| process.source) {
                None => {
                    new += 1;
                    let process = self.process_from(snapshot, parent);
                    self.insert(process);
                }
                Some(Source::Degraded) => self.adopt(snapshot),
                Some(_) => {}
            }
        }
        new
    }

    /// Marks the processes that are no longer in `/proc` as ended: their exits were lost. One
    /// directory is read. Meant for every few minutes, and for some time after a loss.
    pub fn sweep(&mut self) {
        let mut running: Vec<Pid> = self.reader.pids();
        if running.is_empty() {
            return;
        }
        running.sort_unstable();
        // A process younger than the list may be missing from it.
        let recent = GRACE;
        let gone: Vec<ProcessKey> = self
            .processes
            .iter()
            .filter(|process| {
                process.exited.is_none()
                    && self.now.since(process.last_seen) > recent
                    && running.binary_search(&process.key.pid).is_err()
            })
            .map(|process| process.key)
            .collect();
        for key in gone {
            self.stats.lost_exits += 1;
            self.mark_ended(key, self.now);
        }
        self.reap();
    }

    /// Tells that exec, fork or exit events were lost: each known process is compared with `/proc`
    /// once more, at its next event.
    pub fn note_loss(&mut self) {
        self.losses = self.losses.wrapping_add(1);
    }

    /// Changes the table by an exec, fork, exit or new cgroup; other events change nothing.
    ///
    /// An ended process stays for a while, so the event can be matched before or after.
    pub fn apply(&mut self, event: &Event<'_>) {
        let origin = &event.origin;
        match &event.payload {
            Payload::Exec(exec) => self.apply_exec(origin, exec),
            Payload::Fork(fork) => self.apply_fork(origin, fork),
            Payload::Exit(_) => {
                self.observe(origin);
                self.mark_ended(origin.process, origin.time);
            }
            Payload::CgroupCreated(created) => {
                self.containers.learn(created.cgroup, created.path.bytes);
            }
            Payload::ExecFailed(_) | Payload::Open(_) | Payload::Connect(_) | Payload::Call(_) => {
                return;
            }
        }
        self.reap();
    }

    /// The process of an event.
    ///
    /// What the header tells (parent, ids, cgroup) is brought up to date. A process that is not
    /// known is read from `/proc`, once; if it is gone there, the header is all that is known.
    pub fn process_of(&mut self, origin: &Origin) -> Subject<'_> {
        let slot = self.observe(origin);
        Subject {
            process: &self.processes[slot],
            table: self,
        }
    }

    /// A process by its key, if it is known.
    pub fn get(&self, key: ProcessKey) -> Option<&Process> {
        self.processes.get(*self.index.get(&key)?)
    }

    /// The newest process of a pid (in the host's pid namespace), if one is known.
    pub fn by_pid(&self, pid: Pid) -> Option<&Process> {
        self.get(*self.pids.get(&pid)?)
    }

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

    /// Every known process, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter()
    }

    /// How many processes are known, ended ones included.
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Whether no process is known.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// What arguments, environments and paths take, in bytes.
    pub fn text_bytes(&self) -> usize {
        self.texts.bytes()
    }

    /// The counts so far.
    pub fn stats(&self) -> ProcessTableStats {
        ProcessTableStats {
            abandoned_reads: self.reader.abandoned(),
            ..self.stats
        }
    }

    /// The containers of the cgroups seen.
    pub fn containers(&self) -> &ContainerTable {
        &self.containers
    }

    /// The slot of an event's process, which is known and up to date afterwards.
    fn observe(&mut self, origin: &Origin) -> usize {
        self.stats.lookups += 1;
        self.now = self.now.max(origin.time);
        let Some(&slot) = self.index.get(&origin.process) else {
            return self.miss(origin);
        };
        let losses = self.losses;
        let process = &mut self.processes[slot];
        process.last_seen = process.last_seen.max(origin.time);
        process.ids = ProcessIds::of(origin);
        process.note_alive(origin.time);
        if process.parent == origin.parent
            && process.cgroup == origin.cgroup
            && process.losses == losses
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
            Ok(snapshot) if snapshot.key == origin.process => {
                self.process_from(snapshot, origin.parent)
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
        let process = &self.processes[slot];
        if process.losses != self.losses {
            self.verify(slot, origin);
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
    fn move_to_cgroup(&mut self, process: &mut Process, cgroup: CgroupId) {
        let was_known = process.cgroup.0 > 1;
        process.cgroup = cgroup;
        if was_known || cgroup.0 > 1 {
            process.container = self.containers.identity_for(cgroup, None, process.key.pid);
        }
    }

    /// After a loss of events, finds out whether a process runs another program than is known.
    ///
    /// Without a loss its start was seen, and that is believed: a process can change its name and its
    /// arguments by itself, and by the time its event is handled it may have started another program,
    /// whose exec is still to come.
    fn verify(&mut self, slot: usize, origin: &Origin) {
        let process = &mut self.processes[slot];
        let renamed = process.is_renamed(origin);
        if process.losses == self.losses || process.exited.is_some() {
            return;
        }
        process.losses = self.losses;
        self.stats.proc_reads += 1;
        match self.reader.snapshot(origin.process.pid) {
            Ok(snapshot) if snapshot.key == origin.process => {
                let process = &self.processes[slot];
                let same_file = process.source != Source::Degraded
                    && match (&process.program.exe_path, &snapshot.exe_path) {
                        (Some(known), Some(found)) => file_name(known) == file_name(found),
                        (known, found) => known.is_none() && found.is_none(),
                    };
                let same_args = process.program.args.as_deref().map(|args| &**args)
                    == snapshot.args.as_ref().map(|args| &*args.bytes);
                if !same_file || renamed || !same_args {
                    self.adopt(snapshot);
                }
            }
            // Gone: whether it ran another program cannot be told, only that it had another name.
            Ok(_) | Err(Gone) if renamed => {
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
            Ok(_) | Err(Gone) => {}
        }
    }

    /// Replaces what a known process runs by what `/proc` says.
    fn adopt(&mut self, snapshot: Snapshot) {
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

    fn apply_exec(&mut self, origin: &Origin, exec: &Exec<'_>) {
        self.stats.lookups += 1;
        self.now = self.now.max(origin.time);
        self.pinned = origin.process;
        let program = Arc::new(self.program_of(exec));
        let cwd = exec.cwd.as_ref().map(|path| self.path_text(path));
        let container = match &exec.cgroup_path {
            Some(path) => {
                self.path.clear();
                path.write_to(&mut self.path);
                self.containers
                    .identity_for(origin.cgroup, Some(&self.path), origin.process.pid)
            }
            None => self
                .containers
                .identity_for(origin.cgroup, None, origin.process.pid),
        };
        let mut process = self.bare(origin);
        process.program = program;
        process.capabilities = Some(exec.capabilities);
        process.namespace_start = exec.namespace_start;
        process.container = container;
        process.source = Source::Exec;
        process.execed = Some(origin.time);
        // Whatever was taken for a sign of its end before, it was none: its exit is yet to come.
        if let Some(&slot) = self.index.get(&origin.process) {
            let known = &self.processes[slot];
            process.cwd = cwd.or_else(|| known.cwd.clone());
            if process.cgroup.0 <= 1 && known.cgroup.0 <= 1 {
                process.container.clone_from(&known.container);
            }
            process.parent = known.parent;
            self.processes[slot] = process;
            if self.processes[slot].parent != origin.parent {
                self.set_parent(slot, origin.parent);
                self.load_ancestors(origin.parent);
            }
        } else {
            self.stats.misses += 1;
            process.cwd = cwd;
            self.load_ancestors(origin.parent);
            self.insert(process);
        }
    }

    fn apply_fork(&mut self, origin: &Origin, fork: &Fork) {
        if fork.child == origin.process {
            return;
        }
        let slot = self.observe(origin);
        let mut child = self.processes[slot].clone();
        child.key = fork.child;
        child.parent = fork.child_parent;
        if child.source == Source::Degraded {
            child.comm = origin.comm;
        }
        child.ids.vpid = fork.child_vpid;
        if fork.child_vpid == Pid(1) {
            child.namespace_start = Some(fork.child.start());
        }
        child.source = match child.source {
            Source::Degraded => Source::Degraded,
            Source::Exec | Source::Fork | Source::Proc => Source::Fork,
        };
        child.exited = None;
        child.last_seen = origin.time;
        if child.cgroup != fork.child_cgroup {
            self.move_to_cgroup(&mut child, fork.child_cgroup);
        }
        if let Some(known) = self.get(fork.child) {
            // An event of the child was read before this one. Only if that found nothing is its
            // parent's program the better answer.
            if known.source == Source::Degraded && child.source != Source::Degraded {
                child.parent = known.parent;
                // The kernel gives a child the name that its parent's thread has.
                if known.comm == origin.comm
                    && let Some(&slot) = self.index.get(&fork.child)
                {
                    self.processes[slot] = child;
                }
            }
            return;
        }
        self.load_ancestors(fork.child_parent);
        self.pinned = fork.child;
        self.insert(child);
    }

    /// Reads a parent that is not known from `/proc`, and its parents, up to one that is known.
    fn load_ancestors(&mut self, parent: ProcessKey) {
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

    /// What a header alone tells of a process.
    fn bare(&self, origin: &Origin) -> Process {
        Process {
            key: origin.process,
            parent: origin.parent,
            comm: origin.comm,
            program: Arc::clone(&self.nothing),
            cwd: None,
            ids: ProcessIds::of(origin),
            capabilities: None,
            namespace_start: None,
            cgroup: origin.cgroup,
            container: None,
            source: Source::Degraded,
            execed: None,
            exited: None,
            last_seen: origin.time,
            losses: self.losses,
        }
    }

    fn process_from(&mut self, snapshot: Snapshot, parent: ProcessKey) -> Process {
        let (cgroup, container) = self
            .containers
            .membership(CgroupMembership::new(&snapshot.cgroup));
        let mut limited = |found: Option<Limited>| match found {
            Some(found) => (Some(self.texts.text(&found.bytes)), found.truncated),
            None => (None, false),
        };
        let (args, args_truncated) = limited(snapshot.args);
        let (env, env_truncated) = limited(snapshot.env);
        let program = Program {
            exe_path: snapshot.exe_path.map(|path| self.texts.text(&path)),
            exe_path_truncated: false,
            args,
            args_truncated,
            env,
            env_truncated,
            file: snapshot.file,
        };
        Process {
            key: snapshot.key,
            parent,
            comm: snapshot.comm,
            program: Arc::new(program),
            cwd: snapshot.cwd.map(|path| self.texts.text(&path)),
            ids: snapshot.ids,
            capabilities: snapshot.capabilities,
            // Of another process than the first, `/proc` does not tell the namespace's age.
            namespace_start: (snapshot.ids.vpid == Pid(1)).then(|| snapshot.key.start()),
            cgroup,
            container,
            source: Source::Proc,
            execed: None,
            exited: None,
            last_seen: self.now,
            losses: self.losses,
        }
    }

    fn program_of(&mut self, exec: &Exec<'_>) -> Program {
        let mut limited = |strings: event::Strings<'_>, limit: usize| {
            let kept = strings.bytes.get(..limit).unwrap_or(strings.bytes);
            (
                Some(self.texts.text(kept)),
                strings.truncated || kept.len() < strings.bytes.len(),
            )
        };
        let (args, args_truncated) = limited(exec.args, ARGS_LIMIT);
        let (env, env_truncated) = limited(exec.env, ENV_LIMIT);
        Program {
            exe_path: exec.exe_path.as_ref().map(|path| self.path_text(path)),
            exe_path_truncated: exec.exe_path.is_some_and(|path| path.truncated),
            args,
            args_truncated,
            env,
            env_truncated,
            file: (exec.file.inode != 0).then_some(exec.file),
        }
    }

    fn path_text(&mut self, path: &KernelPath<'_>) -> Text {
        self.path.clear();
        path.write_to(&mut self.path);
        self.texts.text(&self.path)
    }
}

/// The path of an executable without what differs between the kernel's path and `/proc/PID/exe`:
/// `/proc` marks a deleted file, and gives a file outside of any tree a leading slash.
fn file_name(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.strip_prefix(b"/").unwrap_or(path)
}

impl Process {
    /// An event of a process that is taken for ended puts its end off.
    fn note_alive(&mut self, time: BootTime) {
        if let Some(exited) = &mut self.exited {
            *exited = time.max(*exited);
        }
    }

    /// Whether the main thread has another name than the program was started with. Other threads
    /// have names of their own.
    fn is_renamed(&self, origin: &Origin) -> bool {
        origin.comm != self.comm && origin.tid.0 == self.key.pid.0
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
