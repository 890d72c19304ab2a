//! Finds the containers and asks everybody about them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::ContainersError;
use crate::container::runtime::Socket;
use crate::container::security::{ProcessSecurity, Verdict};
use crate::container::{
    ContainerIdentity, ContainerMetadata, Directory, DirectoryStats, Inquiry, first_processes,
};

/// How long all answers together may take: longer than the time for which a runtime that does not
/// answer is asked for one container.
const PATIENCE: Duration = Duration::from_secs(15);

/// A container with a process.
pub(super) struct Surveyed {
    pub(super) identity: Arc<ContainerIdentity>,
    /// Its first process, in the host's pid namespace.
    pub(super) pid: u32,
    /// What is known; nothing, if nobody knows it.
    pub(super) metadata: Arc<ContainerMetadata>,
}

/// The containers that have a process, sorted by namespace, pod, name and id.
pub(super) async fn survey(
    sockets: &[Socket],
    host_root: &Path,
) -> Result<Vec<Surveyed>, ContainersError> {
    let proc_root = host_root.join("proc");
    let processes = first_processes(&proc_root).map_err(|source| ContainersError::Processes {
        path: proc_root.clone(),
        source,
    })?;
    let nobody_to_wake = Box::new(|| Ok(()));
    let stats = Arc::<DirectoryStats>::default();
    let inquiry = Inquiry {
        sockets,
        host_root,
        // It is shown, too.
        needs_address: true,
    };
    let mut directory = Directory::start(inquiry, stats, nobody_to_wake);
    let mut known: HashMap<Arc<ContainerIdentity>, Arc<ContainerMetadata>> = HashMap::new();
    let answers = async {
        let mut unasked: Vec<_> = processes.keys().cloned().map(Arc::new).collect();
        let mut open = unasked.len();
        while open > 0 {
            // The queue is bounded: what does not fit is asked for when an answer has made room.
            while let Some(next) = unasked.last()
                && directory.ask(next)
            {
                unasked.pop();
            }
            let Some(answer) = directory.next_answer().await else {
                return;
            };
            // One whose first program starts just now is answered twice.
            let is_first = answer.is_settled && !known.contains_key(&answer.identity);
            let metadata = answer.metadata.unwrap_or_default();
            if answer.is_settled {
                open -= usize::from(is_first);
                known.insert(answer.identity, metadata);
            }
        }
    };
    if tokio::time::timeout(PATIENCE, answers).await.is_err() {
        tracing::warn!(
            "the container runtimes did not describe every container within {PATIENCE:?}"
        );
    }
    let mut found: Vec<Surveyed> = processes
        .into_iter()
        .map(|(identity, pid)| {
            let identity = Arc::new(identity);
            let mut metadata = known.remove(&identity).unwrap_or_default();
            // The agent is told this a little later than the runtime's answer.
            if let Some(process) = ProcessSecurity::read(&proc_root, pid, &identity) {
                let metadata = Arc::make_mut(&mut metadata);
                process.correct(metadata);
                metadata.verdict = Verdict::of(identity.full_id(), metadata);
            }
            Surveyed {
                identity,
                pid,
                metadata,
            }
        })
        .collect();
    found.sort_by_cached_key(|container| {
        let pod = container.metadata.pod.as_deref();
        (
            pod.and_then(|pod| pod.namespace.clone()),
            pod.and_then(|pod| pod.name.clone()),
            container.metadata.name.clone(),
            container.identity.full_id().to_owned(),
        )
    });
    Ok(found)
}
