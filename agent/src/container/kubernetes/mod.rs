//! Watches the pods of this node through the Kubernetes API.
//!
//! It only adds to what runtimes tell: where the API is down, or refuses, everything else goes on, and
//! the watch is tried again, with growing waits.
//!
//! The three parts of the protocol that are needed (a list in pages, a watch from the list's version on,
//! a new list when the API has forgotten that version) are less than a hundred lines; the usual client
//! library would make the agent's binary larger by two thirds.

mod access;
mod api_error;
mod kubeconfig;
mod pod_object;
mod request;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::pod_details::PodUpdate;
use watch::PodWatch;

/// Changes that the matching thread has not taken yet; the watch waits for it.
const QUEUE: usize = 256;

/// Where the API is, and whose pods are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesApi {
    /// The name of this node: letters, digits, `-` and `.`.
    pub node: String,
    /// The file that says how to reach the API; `None` for the service account of the agent's own pod.
    pub kubeconfig: Option<PathBuf>,
}

/// Counts of a watch, all since the start.
#[derive(Debug, Default)]
pub struct KubernetesStats {
    /// Requests that failed, and watches that ended with an error.
    pub errors: AtomicU64,
    /// Pods that were left out because there are too many.
    pub left_out: AtomicU64,
}

impl KubernetesApi {
    /// Starts watching on the current tokio runtime. It ends when the other end is dropped.
    pub fn watch(self, stats: Arc<KubernetesStats>) -> mpsc::Receiver<PodUpdate> {
        let (updates, receiver) = mpsc::channel(QUEUE);
        let watch = PodWatch::new(self, updates, stats);
        tokio::spawn(watch.run());
        receiver
    }
}
