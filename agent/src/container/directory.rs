//! Asks the runtimes for what they know of containers, beside the matching thread.
//!
//! Every client is asked at once, each with a bound of its own on open requests: one that hangs holds
//! up nobody else. A runtime may not know a container yet whose cgroup exists (a pod's sandbox is
//! registered after its start), so the question is repeated for a while.

mod asker;
mod client;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use asker::Asker;
use tokio::sync::mpsc;

use super::runtime::Socket;
use super::{ContainerIdentity, ContainerMetadata};

/// Questions and answers under way; more are dropped, and asked again at the container's next event.
const QUEUE: usize = 8192;
/// What was found out about a container.
#[derive(Clone, Debug)]
pub struct Description {
    /// Which one.
    pub identity: Arc<ContainerIdentity>,
    /// What is known; `None` if nothing is.
    pub metadata: Option<Arc<ContainerMetadata>>,
    /// All that an alert may ask for is there, or nothing more will come: events need not wait.
    pub is_settled: bool,
}

/// Counts of a [`Directory`], all since the start.
#[derive(Debug, Default)]
pub struct DirectoryStats {
    /// Questions to runtimes that failed.
    pub errors: AtomicU64,
    /// Containers that no runtime knew.
    pub unknown: AtomicU64,
}

/// The matching thread's end: asks, and takes answers, without ever waiting.
#[derive(Debug)]
pub struct Directory {
    questions: mpsc::Sender<Arc<ContainerIdentity>>,
    answers: mpsc::Receiver<Description>,
}

/// Whom a [`Directory`] asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// The sockets of the runtimes.
    pub sockets: &'a [Socket],
    /// Below which the bundles are.
    pub host_root: &'a Path,
    /// Somebody wants to know addresses, which a runtime tells only once it has started a container.
    pub needs_address: bool,
}

/// Wakes whoever takes the answers.
pub type WakeUp = Box<dyn Fn() -> io::Result<()> + Send + Sync>;

impl Directory {
    /// Starts the asking side on the current tokio runtime. It ends with this end.
    pub fn start(inquiry: Inquiry<'_>, stats: Arc<DirectoryStats>, wake_up: WakeUp) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE);
        let (told, answers) = mpsc::channel(QUEUE);
        let asker = Arc::new(Asker::new(inquiry, stats, told, wake_up));
        tokio::spawn(asker.run(asked));
        Self { questions, answers }
    }

    /// Asks for a container; false if too many questions are waiting.
    pub fn ask(&self, identity: &Arc<ContainerIdentity>) -> bool {
        self.questions.try_send(Arc::clone(identity)).is_ok()
    }

    /// The next answer, if one is there.
    pub fn answer(&mut self) -> Option<Description> {
        self.answers.try_recv().ok()
    }

    /// Waits for the next answer; `None` if no more can come.
    pub async fn next_answer(&mut self) -> Option<Description> {
        self.answers.recv().await
    }

    /// Both ends of a directory that nobody answers but the caller.
    #[cfg(test)]
    pub(crate) fn manual() -> (
        Self,
        mpsc::Receiver<Arc<ContainerIdentity>>,
        mpsc::Sender<Description>,
    ) {
        let (questions, asked) = mpsc::channel(QUEUE);
        let (told, answers) = mpsc::channel(QUEUE);
        (Self { questions, answers }, asked, told)
    }
}

#[cfg(test)]
mod tests;
