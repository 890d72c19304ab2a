//! Pods that were asked for, so that a container that is being started need not ask for its pod again:
//! containerd answers that only between two starts in the pod.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::container::metadata::{HostNamespaces, PodMetadata};

/// Pods remembered: more than a node has (110, unless it was configured).
const LIMIT: usize = 256;

/// What the containers of a pod have in common. It does not change while the pod runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) metadata: PodMetadata,
    /// Which namespaces are the host's; `None` if the runtime does not tell.
    pub(super) host_namespaces: Option<HostNamespaces>,
    /// Ports of the host lead to it; `None` if the runtime does not tell.
    pub(super) host_ports: Option<bool>,
}

/// The pods of one runtime, by the id of their sandbox.
#[derive(Debug, Default)]
pub(super) struct Pods(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    pods: HashMap<Box<str>, Pod>,
    /// Oldest first, for eviction.
    order: VecDeque<Box<str>>,
}

impl Pods {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, sandbox: &str) -> Option<Pod> {
        self.lock().pods.get(sandbox).cloned()
    }

    pub(super) fn remember(&self, sandbox: &str, pod: Pod) {
        let mut remembered = self.lock();
        if remembered.pods.insert(sandbox.into(), pod).is_none() {
            if remembered.order.len() >= LIMIT
                && let Some(oldest) = remembered.order.pop_front()
            {
                remembered.pods.remove(&oldest);
            }
            remembered.order.push_back(sandbox.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_when_full() {
        let pods = Pods::default();
        for number in 0..=LIMIT {
            for _ in 0..2 {
                pods.remember(&number.to_string(), Pod::default());
            }
        }
        assert_eq!(pods.get("0"), None);
        assert_eq!(pods.get("1"), Some(Pod::default()));
        let remembered = pods.lock();
        assert_eq!(
            (remembered.pods.len(), remembered.order.len()),
            (LIMIT, LIMIT)
        );
    }
}
