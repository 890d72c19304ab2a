//! Pods as the API writes them, with those parts that are of interest.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::container::metadata::{Labels, text};
use crate::container::pod_details::{PodDetails, PodOwner};

/// Annotations longer than this, in bytes, are left out: tools keep whole documents in them.
const ANNOTATION_LIMIT: usize = 1024;

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodObject {
    pub(super) metadata: ObjectMetadata,
    spec: PodSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ObjectMetadata {
    name: String,
    namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: String,
    name: String,
    controller: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    service_account_name: String,
    node_name: String,
}

/// A page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodList {
    pub(super) metadata: ListMetadata,
    pub(super) items: Vec<PodObject>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMetadata {
    pub(super) resource_version: String,
    /// Where the next page begins; empty on the last.
    #[serde(rename = "continue")]
    pub(super) next: String,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "object")]
pub(super) enum WatchLine {
    #[serde(rename = "ADDED")]
    Added(PodObject),
    #[serde(rename = "MODIFIED")]
    Modified(PodObject),
    #[serde(rename = "DELETED")]
    Deleted(PodObject),
    /// Nothing happened up to this version.
    #[serde(rename = "BOOKMARK")]
    Bookmark(PodObject),
    #[serde(rename = "ERROR")]
    Error(Status),
}

/// Why the API refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) message: String,
}

impl PodObject {
    /// Its uid, if it has one that can be one.
    pub(super) fn uid(&self) -> Option<Box<str>> {
        text(&self.metadata.uid)
    }

    pub(super) fn details(self) -> PodDetails {
        let metadata = self.metadata;
        let owners = metadata.owner_references.unwrap_or_default();
        let owner = owners.into_iter().find(|owner| owner.controller);
        PodDetails {
            name: text(&metadata.name),
            namespace: text(&metadata.namespace),
            labels: Labels::new(metadata.labels.unwrap_or_default()),
            annotations: Labels::within(ANNOTATION_LIMIT, metadata.annotations.unwrap_or_default()),
            owner: owner.and_then(|owner| PodOwner::new(&owner.kind, &owner.name)),
            service_account: text(&self.spec.service_account_name),
            node: text(&self.spec.node_name),
        }
    }
}
