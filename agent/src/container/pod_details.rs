//! What the Kubernetes API knows of a pod beyond what runtimes do.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::ContainerIdentity;
use super::metadata::{ContainerMetadata, Labels, text};

/// A pod as the API describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodDetails {
    /// Name.
    pub name: Option<Box<str>>,
    /// Namespace.
    pub namespace: Option<Box<str>>,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// What made it and keeps it: the owner that is its controller.
    pub owner: Option<PodOwner>,
    /// The service account that its programs act as.
    pub service_account: Option<Box<str>>,
    /// The node that it is on.
    pub node: Option<Box<str>>,
}

/// The owner of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodOwner {
    /// Such as `ReplicaSet`.
    pub kind: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl PodOwner {
    /// `None` if a part is missing.
    pub(super) fn new(kind: &str, name: &str) -> Option<Self> {
        Some(Self {
            kind: text(kind)?,
            name: text(name)?,
        })
    }
}

/// A change of a pod on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodUpdate {
    /// The pod of this uid is there, or has changed.
    Present(Box<str>, Arc<PodDetails>),
    /// The pod of this uid is gone.
    Gone(Box<str>),
}

/// The pods of this node by uid. Whoever sends the updates bounds how many there are.
#[derive(Debug)]
pub(super) struct Pods {
    updates: mpsc::Receiver<PodUpdate>,
    known: HashMap<Box<str>, Arc<PodDetails>, foldhash::fast::RandomState>,
}

impl Pods {
    pub(super) fn new(updates: mpsc::Receiver<PodUpdate>) -> Self {
        Self {
            updates,
            known: HashMap::default(),
        }
    }

    /// The next change, if there is one: the pod's uid.
    pub(super) fn take_update(&mut self) -> Option<Box<str>> {
        match self.updates.try_recv().ok()? {
            PodUpdate::Present(uid, details) => {
                self.known.insert(uid.clone(), details);
                Some(uid)
            }
            PodUpdate::Gone(uid) => {
                self.known.remove(&uid);
                Some(uid)
            }
        }
    }

    /// Adds what is known of the container's pod; a pod that is gone keeps what was known.
    pub(super) fn complete(
        &self,
        identity: &ContainerIdentity,
        metadata: &mut Option<Arc<ContainerMetadata>>,
    ) {
        let Some(uid) = pod_uid(identity, metadata.as_deref()) else {
            return;
        };
        let Some(details) = self.known.get(uid) else {
            return;
        };
        let mut completed = metadata.as_deref().cloned().unwrap_or_default();
        let pod = completed.pod.get_or_insert_default();
        if pod.details.as_ref() == Some(details) {
            return;
        }
        if pod.name.is_none() {
            pod.name.clone_from(&details.name);
        }
        if pod.namespace.is_none() {
            pod.namespace.clone_from(&details.namespace);
        }
        pod.details = Some(Arc::clone(details));
        *metadata = Some(Arc::new(completed));
    }
}

/// The uid of the container's pod: the runtime's, or the one in the cgroup's path.
pub(super) fn pod_uid<'c>(
    identity: &'c ContainerIdentity,
    metadata: Option<&'c ContainerMetadata>,
) -> Option<&'c str> {
    metadata
        .and_then(|known| known.pod.as_deref()?.uid.as_deref())
        .or(identity.pod_uid.as_deref())
}
