//! A runtime that is asked, with a bound of its own on what is asked at once.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore};

use super::super::runtime::{RuntimeClient, RuntimeError, describe, in_time};
use super::super::{ContainerMetadata, Runtime};

/// Requests at once to one runtime.
const REQUESTS: usize = 8;
/// How often is said that a runtime does not answer well.
const COMPLAINTS: Duration = Duration::from_mins(1);

/// One of the runtimes.
pub(super) struct Client {
    runtime: Box<dyn RuntimeClient>,
    requests: Semaphore,
    glimpses: Semaphore,
    last_complaint: Mutex<Option<Instant>>,
}

impl Client {
    pub(super) fn new(runtime: Box<dyn RuntimeClient>) -> Self {
        Self {
            runtime,
            requests: Semaphore::new(REQUESTS),
            glimpses: Semaphore::new(REQUESTS),
            last_complaint: Mutex::new(None),
        }
    }

    /// Whether its socket is there now.
    pub(super) fn is_present(&self) -> bool {
        self.runtime.socket().exists()
    }

    /// Whether it is likely the one that made a container of this runtime.
    pub(super) fn is_likely(&self, runtime: Runtime) -> bool {
        self.runtime.is_likely(runtime)
    }

    /// All that it tells of a container. That it fails is logged here.
    pub(super) async fn describe(
        &self,
        id: &str,
    ) -> Result<Option<ContainerMetadata>, RuntimeError> {
        // The semaphore is never closed; if it were, the bound would be gone and nothing else.
        let permit = self.requests.acquire().await;
        let answer = describe(&*self.runtime, id).await;
        drop(permit);
        if let Err(error) = &answer {
            self.complain(error).await;
        }
        answer
    }

    /// What it tells at once. Those that wait for a whole answer are not in the way.
    pub(super) async fn glimpse(&self, id: &str) -> Option<ContainerMetadata> {
        let _permit = self.glimpses.acquire().await;
        // Whoever fails here fails to give the whole answer as well, and is heard of then.
        in_time(self.runtime.glimpse(id)).await.ok().flatten()
    }

    async fn complain(&self, error: &RuntimeError) {
        let mut last = self.last_complaint.lock().await;
        if last.is_none_or(|last| last.elapsed() >= COMPLAINTS) {
            *last = Some(Instant::now());
            tracing::warn!(
                socket = %self.runtime.socket().display(),
                "a container runtime does not answer well: {error}"
            );
        }
    }
}
