//! Whether the agent sees everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::metrics::Heartbeat;

/// How long the matching thread may stand still before the agent counts as ill. It goes on several times a second; a
/// large batch, or a machine that has no time for it, takes far less than this.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(15);

/// Shared between the thread that knows whether the agent is ready and the web server. Starts as
/// not ready.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    state: Arc<AtomicU8>,
    heartbeat: Heartbeat,
}

/// How far the agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Ready,
    Failed,
}

impl Readiness {
    /// Every program is attached: from now on nothing is missed. Has no effect after
    /// [`Readiness::fail`].
    pub fn ready(&self) {
        let (starting, ready) = (State::Starting as u8, State::Ready as u8);
        // Fails only if it is ready already, or failed.
        let _ = self
            .state
            .compare_exchange(starting, ready, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Events are not seen any more, for good.
    pub fn fail(&self) {
        self.state.store(State::Failed as u8, Ordering::Relaxed);
    }

    /// For the thread that reads events, to show that it goes on.
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat.clone()
    }

    /// Whether the thread that reads events stands still: events are not matched, though nothing ended.
    pub(super) fn stands_still(&self, now: Instant) -> bool {
        self.state() == State::Ready
            && self
                .heartbeat
                .age(now)
                .is_some_and(|age| age > LONGEST_STANDSTILL)
    }

    /// A guard for the thread that reads events: however that thread ends, panics included,
    /// dropping the guard makes this [`Readiness::fail`].
    pub fn fail_on_drop(&self) -> FailOnDrop {
        FailOnDrop(self.clone())
    }

    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Starting,
            1 => State::Ready,
            _ => State::Failed,
        }
    }
}

/// See [`Readiness::fail_on_drop`].
#[derive(Debug)]
#[must_use = "dropped at once, it makes the agent not ready"]
pub struct FailOnDrop(Readiness);

impl Drop for FailOnDrop {
    fn drop(&mut self) {
        self.0.fail();
    }
}
