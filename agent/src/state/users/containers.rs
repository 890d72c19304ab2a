//! Names in containers, as the matching thread knows them.
//!
//! They are asked for when a container is first seen and at each program that it starts, and again when
//! they are used and a second old. The first answer is waited for, since it takes a fraction of a
//! millisecond; a container that makes it take longer is named without, and costs no more than that.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::database::Databases;
use super::reader::{Answer, Found, IdMap, ReadNames, Request, Worker};
use crate::container::ContainerIdentity;
use crate::event::{BootTime, Pid};
use crate::state::process::Process;

/// How old names may be when they are used.
const FRESH: Duration = Duration::from_secs(1);
/// How soon a container without an answer is asked for again: the first time, and at most.
const RETRY: Duration = Duration::from_millis(10);
const LONGEST_RETRY: Duration = Duration::from_secs(1);
/// How soon a container is asked for again that let the reader wait.
const AFTER_STALL: Duration = Duration::from_mins(5);
/// How long a first answer is waited for,
const PATIENCE: Duration = Duration::from_millis(20);
/// and all of them together in each [`PERIOD`].
const PATIENCE_IN_ALL: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_secs(10);
/// A thread that takes longer is left behind.
const STALLED: Duration = Duration::from_secs(1);
/// While so many threads are there, all but one of them left behind, no other is started.
const MOST_THREADS: usize = 4;
/// Containers remembered, and questions waiting.
const MOST_CONTAINERS: usize = 1024;
/// Bytes of files whose entries are remembered; an entry takes some three times its line.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerUsersStats {
    /// Questions that were not answered in time, or could not be asked.
    pub abandoned: u64,
    /// Containers whose names were dropped for want of room.
    pub evictions: u64,
}

/// The names of one container.
#[derive(Debug)]
pub struct ContainerNames {
    pub(super) files: Databases,
    pub(super) user_ids: IdMap,
    pub(super) group_ids: IdMap,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    names: Option<ContainerNames>,
    found: Option<Found>,
    /// A question waits or is being answered.
    asked: bool,
    next: BootTime,
    failures: u32,
    /// It let a reader wait, and is not asked about by the next program that it starts.
    stalled: bool,
    used: BootTime,
}

/// A question, and whom it is about.
#[derive(Debug)]
struct Question {
    container: Box<str>,
    request: Request,
}

/// The names of all containers.
#[derive(Debug)]
pub(super) struct ContainerUsers {
    host_root: PathBuf,
    entries: HashMap<Box<str>, Entry, foldhash::fast::RandomState>,
    bytes: usize,
    questions: VecDeque<Question>,
    worker: Option<Worker>,
    /// What the worker is at, and since when.
    current: Option<(Question, Instant)>,
    threads: Arc<AtomicUsize>,
    waited: Duration,
    period: BootTime,
    stats: ContainerUsersStats,
}

impl ContainerUsers {
    pub(super) fn new(host_root: &Path) -> Self {
        Self {
            host_root: host_root.to_owned(),
            entries: HashMap::default(),
            bytes: 0,
            questions: VecDeque::new(),
            worker: None,
            current: None,
            threads: Arc::default(),
            waited: Duration::ZERO,
            period: BootTime::default(),
            stats: ContainerUsersStats::default(),
        }
    }

    pub(super) fn stats(&self) -> ContainerUsersStats {
        self.stats
    }

    pub(super) fn of(&self, container: &ContainerIdentity) -> Option<&ContainerNames> {
        self.entries.get(container.full_id())?.names.as_ref()
    }

    /// See [`Users::prepare`](super::Users::prepare).
    pub(super) fn prepare(
        &mut self,
        container: &ContainerIdentity,
        process: &Process,
        now: BootTime,
        is_exec: bool,
    ) {
        self.collect(now);
        let entry = self.entries.get(container.full_id());
        let is_known = entry.is_some_and(|entry| entry.names.is_some());
        // A container's own first program is the first to be in its root directory for certain.
        let is_start = is_exec && (!is_known || process.ids.vpid == Pid(1));
        let is_due = entry.is_none_or(|entry| now >= entry.next || (is_start && !entry.stalled));
        if is_due {
            self.put(container, process, now, is_start);
        }
        if !is_known {
            self.wait_for(container, now);
            // What was waited for may be about an earlier process, which was not in there yet.
            let is_unanswered = self
                .entries
                .get(container.full_id())
                .is_some_and(|entry| entry.names.is_none() && !entry.stalled && !entry.asked);
            if is_start && is_unanswered {
                self.put(container, process, now, is_start);
                self.wait_for(container, now);
            }
        }
    }

    /// Asks for a container's names unless they are known or asked for.
    pub(super) fn ask(&mut self, container: &ContainerIdentity, process: &Process, now: BootTime) {
        if !self.entries.contains_key(container.full_id()) {
            self.put(container, process, now, false);
        }
        self.collect(now);
    }

    /// Puts a question.
    fn put(
        &mut self,
        container: &ContainerIdentity,
        process: &Process,
        now: BootTime,
        may_move: bool,
    ) {
        if !self.entries.contains_key(container.full_id()) {
            self.make_room(1, 0);
        }
        let entry = self
            .entries
            .entry(container.full_id().into())
            .or_insert_with(|| Entry {
                names: None,
                found: None,
                asked: false,
                next: now,
                failures: 0,
                stalled: false,
                used: now,
            });
        entry.used = now;
        if entry.asked || process.exited.is_some() {
            return;
        }
        if self.questions.len() >= MOST_CONTAINERS {
            self.stats.abandoned += 1;
            return;
        }
        entry.asked = true;
        entry.next = later(now, FRESH);
        self.questions.push_back(Question {
            container: container.full_id().into(),
            request: Request {
                process: process.key,
                known: entry.found,
                may_move,
            },
        });
        self.send();
    }

    /// Gives the worker its next question.
    fn send(&mut self) {
        if self.current.is_some() || self.questions.is_empty() {
            return;
        }
        if self.worker.is_none() {
            if self.threads.load(Relaxed) >= MOST_THREADS {
                return;
            }
            self.threads.fetch_add(1, Relaxed);
            match Worker::start(&self.host_root, Arc::clone(&self.threads)) {
                Ok(worker) => self.worker = Some(worker),
                Err(problem) => {
                    self.threads.fetch_sub(1, Relaxed);
                    tracing::warn!(%problem, "cannot start a thread to read names of users");
                    return;
                }
            }
        }
        if let Some(worker) = &self.worker
            && let Some(question) = self.questions.pop_front()
        {
            // The worker has room for one question, and has none.
            if worker.requests.try_send(question.request.clone()).is_err() {
                self.worker = None;
                self.questions.push_front(question);
                return;
            }
            self.current = Some((question, Instant::now()));
        }
    }

    /// Takes the answers that are there.
    fn collect(&mut self, now: BootTime) {
        while let (Some((_, since)), Some(worker)) = (&self.current, &self.worker) {
            match worker.answers.try_recv() {
                Ok(answer) => self.answered(answer, now),
                Err(TryRecvError::Empty) if since.elapsed() < STALLED => return,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => self.leave_behind(now),
            }
        }
        self.send();
    }

    /// Waits for a container's first answer.
    fn wait_for(&mut self, container: &ContainerIdentity, now: BootTime) {
        if now.since(self.period) > PERIOD {
            self.period = now;
            self.waited = Duration::ZERO;
        }
        let start = Instant::now();
        let patience = PATIENCE.min(PATIENCE_IN_ALL.saturating_sub(self.waited));
        while self
            .entries
            .get(container.full_id())
            .is_some_and(|entry| entry.asked)
        {
            let left = patience.saturating_sub(start.elapsed());
            let Some(worker) = self.worker.as_ref().filter(|_| !left.is_zero()) else {
                break;
            };
            match worker.answers.recv_timeout(left) {
                Ok(answer) => {
                    self.answered(answer, now);
                    self.send();
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    self.leave_behind(now);
                    break;
                }
            }
        }
        self.waited += start.elapsed();
    }

    /// The worker's answer to the current question.
    fn answered(&mut self, answer: Answer, now: BootTime) {
        let Some((question, _)) = self.current.take() else {
            return;
        };
        if let Answer::Names(names) = &answer {
            self.make_room(0, names.bytes);
        }
        let Some(entry) = self.entries.get_mut(&question.container) else {
            return;
        };
        entry.asked = false;
        entry.stalled = false;
        match answer {
            Answer::Names(names) => {
                let ReadNames {
                    found,
                    files,
                    user_ids,
                    group_ids,
                    bytes,
                } = *names;
                let before = entry.names.take();
                self.bytes -= before.as_ref().map_or(0, |names| names.bytes);
                self.bytes += bytes;
                let moved = question.request.may_move;
                // The mapping is the one of the container's first process: another may have its own.
                let (user_ids, group_ids) = match before {
                    Some(names) if !moved => (names.user_ids, names.group_ids),
                    _ => (user_ids, group_ids),
                };
                entry.names = Some(ContainerNames {
                    files,
                    user_ids,
                    group_ids,
                    bytes,
                });
                entry.found = Some(found);
                entry.failures = 0;
                entry.next = later(now, FRESH);
            }
            Answer::AsBefore => entry.next = later(now, FRESH),
            Answer::NotYet | Answer::Gone => {
                let wait = RETRY.saturating_mul(1 << entry.failures.min(7));
                entry.failures = entry.failures.saturating_add(1);
                entry.next = later(now, wait.min(LONGEST_RETRY));
            }
        }
    }

    /// Goes on without the worker, which waits for a container's file system.
    fn leave_behind(&mut self, now: BootTime) {
        self.worker = None;
        self.stats.abandoned += 1;
        if let Some((question, _)) = self.current.take()
            && let Some(entry) = self.entries.get_mut(&question.container)
        {
            entry.asked = false;
            entry.next = later(now, AFTER_STALL);
            entry.stalled = true;
        }
    }

    /// Forgets containers, those first that were not used for longest, and all that waits for them.
    fn make_room(&mut self, entries: usize, bytes: usize) {
        while self.entries.len() + entries > MOST_CONTAINERS
            || (self.bytes + bytes > MOST_BYTES && self.bytes > 0)
        {
            let oldest = self
                .entries
                .iter()
                .filter(|(_, entry)| entries > 0 || entry.names.is_some())
                .min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                return;
            };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.names.map_or(0, |names| names.bytes);
                self.stats.evictions += 1;
            }
            self.questions
                .retain(|question| question.container != oldest);
        }
    }
}

fn later(time: BootTime, by: Duration) -> BootTime {
    BootTime(
        time.0
            .saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ProcessTable;

    fn container(digit: char) -> ContainerIdentity {
        let id: String = std::iter::repeat_n(digit, 64).collect();
        ContainerIdentity::from_cgroup_path(format!("/docker/{id}").as_bytes()).unwrap()
    }

    fn later_by(milliseconds: u64) -> BootTime {
        later(BootTime(0), Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_container_that_is_being_made_has_no_names_and_never_the_hosts() {
        let mut table = ProcessTable::new(1000, "/proc".into());
        table.scan();
        let own = table.by_pid(Pid(std::process::id())).unwrap();
        let mut users = ContainerUsers::new(Path::new("/"));
        let new = container('a');
        for milliseconds in 0..50 {
            users.prepare(&new, own, later_by(milliseconds), milliseconds % 7 == 0);
            assert!(users.of(&new).is_none());
        }
        users.prepare(&new, own, later_by(5000), false);
        assert!(users.entries[new.full_id()].failures > 1);
    }

    #[test]
    fn what_does_not_answer_costs_little_and_is_left_behind() {
        let mut table = ProcessTable::new(1000, "/proc".into());
        table.scan();
        let own = table.by_pid(Pid(std::process::id())).unwrap();
        let mut users = ContainerUsers::new(Path::new("/"));
        let (requests, _asked) = std::sync::mpsc::sync_channel(1);
        let (_answer, answers) = std::sync::mpsc::sync_channel(1);
        users.worker = Some(Worker { requests, answers });
        let hostile = container('b');
        for milliseconds in 0..1000 {
            users.prepare(&hostile, own, later_by(milliseconds), true);
        }
        assert!(users.waited >= PATIENCE_IN_ALL / 2);
        // The question about another one waits; the thread is given up a second later.
        users.ask(&container('c'), own, later_by(1000));
        assert_eq!(users.questions.len(), 1);
        users.leave_behind(later_by(2000));
        assert_eq!(users.stats().abandoned, 1);
        users.prepare(&hostile, own, later_by(3000), true);
        assert!(!users.entries[hostile.full_id()].asked, "not soon again");
        assert!(users.questions.is_empty() && users.worker.is_some());
    }

    #[test]
    fn containers_are_bounded() {
        let mut table = ProcessTable::new(1000, "/proc".into());
        table.scan();
        let own = table.by_pid(Pid(std::process::id())).unwrap();
        let mut users = ContainerUsers::new(Path::new("/nonexistent"));
        for number in 0..MOST_CONTAINERS + 50 {
            let path = format!("/docker/{number:064x}");
            let one = ContainerIdentity::from_cgroup_path(path.as_bytes()).unwrap();
            users.ask(&one, own, later_by(number as u64));
        }
        assert_eq!(users.entries.len(), MOST_CONTAINERS);
        assert_eq!(users.stats().evictions, 50);
    }
}
