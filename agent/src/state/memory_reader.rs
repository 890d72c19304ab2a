//! Reads the files of `/proc` that the kernel takes from a process's own memory: its arguments and its
//! environment.
//!
//! Such a read waits for whoever provides that memory, and a process can see to it that nobody does: it
//! maps a file of a file system that it serves itself. So the reads are done by a thread beside, which
//! is left behind if it takes too long. What was not read is missing, and counted.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};

use super::proc_reader::{ARGS_LIMIT, ENV_LIMIT, Limited};

/// How long a read may take. One that needs no disk takes microseconds.
const PATIENCE: Duration = Duration::from_millis(50);
/// While so many threads wait for memory that nobody provides, nothing more is asked for.
const MOST_STUCK: usize = 8;

/// A process's arguments and environment; what could not be read is `None`.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) args: Option<Limited>,
    pub(super) env: Option<Limited>,
}

/// Asks the thread, and waits for it for a while.
#[derive(Debug, Default)]
pub(super) struct MemoryReader {
    worker: Option<Worker>,
    /// Threads that were left behind and still wait.
    stuck: Arc<AtomicUsize>,
    abandoned: u64,
}

#[derive(Debug)]
struct Worker {
    /// Directories of processes.
    requests: SyncSender<OwnedFd>,
    answers: Receiver<Texts>,
}

impl MemoryReader {
    /// Reads from the directory of a process.
    pub(super) fn read(&mut self, directory: &OwnedFd) -> Texts {
        self.read_with(directory, texts)
    }

    /// How many processes' memory was given up on.
    pub(super) fn abandoned(&self) -> u64 {
        self.abandoned
    }

    fn read_with(&mut self, directory: &OwnedFd, read: fn(&OwnedFd) -> Texts) -> Texts {
        let Ok(directory) = directory.try_clone() else {
            return Texts::default();
        };
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None if self.stuck.load(Relaxed) >= MOST_STUCK => {
                self.abandoned += 1;
                return Texts::default();
            }
            None => match Worker::start(Arc::clone(&self.stuck), read) {
                Ok(worker) => worker,
                Err(problem) => {
                    tracing::warn!(%problem, "cannot start a thread to read arguments");
                    self.abandoned += 1;
                    return Texts::default();
                }
            },
        };
        if worker.requests.send(directory).is_ok()
            && let Ok(texts) = worker.answers.recv_timeout(PATIENCE)
        {
            self.worker = Some(worker);
            return texts;
        }
        self.stuck.fetch_add(1, Relaxed);
        self.abandoned += 1;
        Texts::default()
    }
}

impl Worker {
    fn start(stuck: Arc<AtomicUsize>, read: fn(&OwnedFd) -> Texts) -> std::io::Result<Self> {
        let (requests, asked) = sync_channel::<OwnedFd>(1);
        // Without room: an answer is taken, or the thread learns that nobody waits for it.
        let (answer, answers) = sync_channel(0);
        thread::Builder::new()
            .name("proc-memory".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                for directory in asked {
                    if answer.send(read(&directory)).is_err() {
                        // Nobody waited.
                        stuck.fetch_sub(1, Relaxed);
                        return;
                    }
                }
            })?;
        Ok(Self { requests, answers })
    }
}

fn texts(directory: &OwnedFd) -> Texts {
    Texts {
        args: limited(directory, "cmdline", ARGS_LIMIT),
        env: limited(directory, "environ", ENV_LIMIT),
    }
}

/// The start of a file; `None` if it cannot be read.
fn limited(directory: &OwnedFd, name: &str, limit: usize) -> Option<Limited> {
    let file = openat(
        directory,
        name,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).ok()? + 1;
    let mut file = File::from(file.ok()?).take(most);
    file.read_to_end(&mut bytes).ok()?;
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Some(Limited { bytes, truncated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_directory() -> OwnedFd {
        File::open("/proc/self").unwrap().into()
    }

    #[test]
    fn own_arguments_are_read() {
        let mut reader = MemoryReader::default();
        for _ in 0..3 {
            let texts = reader.read(&own_directory());
            let program = std::env::args().next().unwrap();
            assert!(texts.args.unwrap().bytes.starts_with(program.as_bytes()));
            assert!(texts.env.is_some());
        }
        assert_eq!(reader.abandoned(), 0);
    }

    #[test]
    fn what_takes_for_ever_is_left_behind_and_bounded() {
        fn for_ever(_: &OwnedFd) -> Texts {
            loop {
                thread::park();
            }
        }
        let mut reader = MemoryReader::default();
        for round in 1..=MOST_STUCK as u64 + 3 {
            let texts = reader.read_with(&own_directory(), for_ever);
            assert!(texts.args.is_none());
            assert_eq!(reader.abandoned(), round);
        }
        assert_eq!(reader.stuck.load(Relaxed), MOST_STUCK);
    }
}
