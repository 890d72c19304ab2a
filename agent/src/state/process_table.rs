//! Every process that is known, and how events change that.
//!
//! The table is a cache: who did something is in each event's header and does not depend on it.
//! What the header does not hold (arguments, executable, ancestors) is here, from exec, fork and
//! exit events, and from `/proc` where such an event is missing.

mod ancestors;
mod eviction;
mod lookup;
#[cfg(test)]
mod tests;
mod text_limit;
mod verify;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

pub use ancestors::Ancestors;
use ancestors::MAX_ANCESTORS;

use super::boot_clock::BootClock;
use super::live_process::LiveProcess;
use super::proc_reader::{ARGS_LIMIT, ENV_LIMIT, Limited, ProcReader, Snapshot};
use super::process::{Process, ProcessIds, Program, Script, Source};
use super::text_pool::{Text, TextPool};
use crate::container::{CgroupMembership, ContainerTable};
use crate::event::{
    self, BootTime, Event, Exec, Fork, KernelPath, Origin, Payload, Pid, ProcessKey,
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
    /// Processes dropped because the table was full.
    pub evictions: u64,
    /// Environments, arguments and paths dropped because the memory for them was full.
    pub dropped_texts: u64,
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

    /// Tells that exec, fork or exit events were lost: each process of which no event was seen yet is
    /// compared with `/proc` once more, at its first. The others' events tell by themselves.
    pub fn note_loss(&mut self) {
        self.losses = self.losses.wrapping_add(1);
    }

    /// Changes the table by an exec, fork, exit, new directory or new cgroup; other events change nothing.
    ///
    /// An ended process stays for a while, so the event can be matched before or after.
    pub fn apply(&mut self, event: &Event<'_>) {
        let origin = &event.origin;
        match &event.payload {
            Payload::Exec(exec) => self.apply_exec(origin, exec),
            Payload::Fork(fork) => self.apply_fork(origin, fork),
            Payload::Exit(_) => {
                let slot = self.observe(origin);
                self.processes[slot].exit_seen = true;
                self.mark_ended(origin.process, origin.time);
            }
            Payload::WorkingDirectory(directory) => {
                let slot = self.observe(origin);
                self.processes[slot].cwd = Some(self.path_text(directory));
                self.limit_texts();
                return;
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

    /// Whether this is the end of a process of which an earlier event told it. When the last threads of a process end at
    /// one time, each of them may find that none but itself is left.
    pub fn is_repeated_exit(&self, event: &Event<'_>) -> bool {
        matches!(event.payload, Payload::Exit(_))
            && self
                .get(event.origin.process)
                .is_some_and(|process| process.exit_seen)
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

    /// What `/proc` says of a process right now; `None` if it ended.
    pub fn live(&self, process: &Process) -> Option<LiveProcess> {
        LiveProcess::find(self.reader.root(), process.key)
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

    fn apply_exec(&mut self, origin: &Origin, exec: &Exec<'_>) {
        self.stats.lookups += 1;
        self.now = self.now.max(origin.time);
        self.pinned = origin.process;
        let program = Arc::new(self.program_of(exec));
        let cwd = exec.cwd.as_ref().map(|path| self.path_text(path));
        let container = match &exec.cgroup_path {
            // Of a deep one the start is missing, and that is where the container is named.
            Some(path) if !path.truncated => {
                self.path.clear();
                path.write_to(&mut self.path);
                self.containers
                    .identity_for(origin.cgroup, Some(&self.path), origin.process.pid)
            }
            _ => self
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
            self.limit_texts();
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
                if known.exec_id == child.exec_id
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
            exit_seen: false,
            last_seen: origin.time,
            exec_id: Some(origin.exec_id),
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
            script: None,
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
            exit_seen: false,
            last_seen: self.now,
            exec_id: None,
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
            script: exec.interpreted.then(|| Script {
                path: self.texts.text(exec.filename.bytes),
                directory: exec.cwd.as_ref().map(|path| self.path_text(path)),
            }),
        }
    }

    fn path_text(&mut self, path: &KernelPath<'_>) -> Text {
        self.path.clear();
        path.write_to(&mut self.path);
        self.texts.text(&self.path)
    }
}
