//! Keeps up with the pods of this node: a list, then what changes, and again when that ends.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::access::Access;
use super::api_error::ApiError;
use super::pod_object::{PodList, PodObject, WatchLine};
use super::request;
use super::{KubernetesApi, KubernetesStats};
use crate::container::pod_details::PodUpdate;

/// Pods remembered; a node has 110 of them unless configured otherwise, and some hundreds at most.
const LIMIT: usize = 4096;
/// Pods in one answer.
const PAGE: u32 = 100;
/// After this the API ends a watch itself, in seconds ...
const WATCH_SECONDS: u64 = 290;
/// ... and when it says nothing for longer, it is not there any more.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS + 30);
/// The waits after failures: from the first to the longest, each twice the one before.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often is said that the API does not answer well.
const COMPLAINTS: Duration = Duration::from_mins(1);

/// The task that watches.
pub(super) struct PodWatch {
    api: KubernetesApi,
    updates: mpsc::Sender<PodUpdate>,
    stats: Arc<KubernetesStats>,
    /// The uids that were told.
    known: HashSet<Box<str>>,
    last_complaint: Option<Instant>,
}

/// Why a watch ended.
enum Ended {
    /// The API did not answer well.
    Failed(ApiError),
    /// Nobody takes the updates any more.
    Unwanted,
}

impl From<ApiError> for Ended {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl PodWatch {
    pub(super) fn new(
        api: KubernetesApi,
        updates: mpsc::Sender<PodUpdate>,
        stats: Arc<KubernetesStats>,
    ) -> Self {
        Self {
            api,
            updates,
            stats,
            known: HashSet::new(),
            last_complaint: None,
        }
    }

    /// Watches until nobody takes the updates any more.
    pub(super) async fn run(mut self) {
        let unwanted = self.updates.clone();
        tokio::select! {
            () = self.keep_watching() => {}
            () = unwanted.closed() => {}
        }
    }

    async fn keep_watching(&mut self) {
        let (shortest, longest) = WAITS;
        let mut wait = shortest;
        loop {
            let mut listed = false;
            match self.list_and_follow(&mut listed).await {
                Ended::Unwanted => return,
                // The list is old, which is no fault: a new one is due.
                Ended::Failed(ApiError::Expired) if listed => {}
                Ended::Failed(error) => self.complain(&error),
            }
            if listed {
                wait = shortest;
            }
            tokio::time::sleep(spread(wait)).await;
            wait = (wait * 2).min(longest);
        }
    }

    /// Returns when something fails. `listed` tells whether a list was read.
    async fn list_and_follow(&mut self, listed: &mut bool) -> Ended {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(ended) => return ended,
        };
        *listed = true;
        loop {
            if let Err(ended) = self.follow(&mut version).await {
                return ended;
            }
        }
    }

    /// Tells of all pods, and of those that are gone; returns the version of the list.
    async fn list(&mut self) -> Result<String, Ended> {
        let mut listed = HashSet::new();
        let mut next = String::new();
        loop {
            let page = format!("limit={PAGE}&continue={}", escape(&next));
            let list: PodList = self.get(&page).await?.json().await?;
            for pod in list.items {
                if let Some(uid) = pod.uid()
                    && self.tell(pod).await?
                {
                    listed.insert(uid);
                }
            }
            next = list.metadata.next;
            if next.is_empty() {
                let gone: Vec<Box<str>> = self.known.difference(&listed).cloned().collect();
                for uid in gone {
                    self.forget(uid).await?;
                }
                return Ok(list.metadata.resource_version);
            }
        }
    }

    /// Tells what changes from a version on, until the API ends the watch.
    async fn follow(&mut self, version: &mut String) -> Result<(), Ended> {
        let query = format!(
            "watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
            escape(version)
        );
        let started = Instant::now();
        let mut response = self.get(&query).await?;
        let mut is_empty = true;
        while let Some(line) = response.line(SILENCE).await? {
            is_empty = false;
            match line {
                WatchLine::Added(pod) | WatchLine::Modified(pod) => {
                    version.clone_from(&pod.metadata.resource_version);
                    self.tell(pod).await?;
                }
                WatchLine::Deleted(pod) => {
                    version.clone_from(&pod.metadata.resource_version);
                    if let Some(uid) = pod.uid() {
                        self.forget(uid).await?;
                    }
                }
                WatchLine::Bookmark(mark) => version.clone_from(&mark.metadata.resource_version),
                WatchLine::Error(status) if status.code == 410 => {
                    return Err(ApiError::Expired.into());
                }
                WatchLine::Error(status) => {
                    return Err(Ended::Failed(ApiError::Refused {
                        status: status.code,
                        message: status.message,
                    }));
                }
            }
        }
        // An API that ends every watch at once must not be asked all the time.
        if is_empty && started.elapsed() < WAITS.0 {
            tokio::time::sleep(spread(WAITS.0)).await;
        }
        Ok(())
    }

    async fn get(&self, query: &str) -> Result<request::Response, ApiError> {
        let api = self.api.clone();
        let access = tokio::task::spawn_blocking(move || Access::load(&api))
            .await
            .map_err(|error| ApiError::Protocol(error.to_string()))??;
        let node = escape(&self.api.node);
        let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}&{query}");
        request::get(&access, &path).await
    }

    /// Tells of a pod; false if there are too many.
    async fn tell(&mut self, pod: PodObject) -> Result<bool, Ended> {
        let Some(uid) = pod.uid() else {
            return Ok(false);
        };
        if !self.known.contains(&uid) && self.known.len() >= LIMIT {
            self.stats.left_out.fetch_add(1, Ordering::Relaxed);
            return Ok(false);
        }
        self.known.insert(uid.clone());
        let update = PodUpdate::Present(uid, Arc::new(pod.details()));
        self.updates
            .send(update)
            .await
            .map_err(|_| Ended::Unwanted)?;
        Ok(true)
    }

    async fn forget(&mut self, uid: Box<str>) -> Result<(), Ended> {
        self.known.remove(&uid);
        let update = PodUpdate::Gone(uid);
        self.updates.send(update).await.map_err(|_| Ended::Unwanted)
    }

    fn complain(&mut self, error: &ApiError) {
        self.stats.errors.fetch_add(1, Ordering::Relaxed);
        if self
            .last_complaint
            .is_none_or(|last| last.elapsed() >= COMPLAINTS)
        {
            self.last_complaint = Some(Instant::now());
            tracing::warn!("pods lack what only the Kubernetes API knows: {error}");
        }
    }
}

/// Between half of a wait and the whole of it: the agents of many nodes must not come back at once.
fn spread(wait: Duration) -> Duration {
    /// Parts of half a wait.
    const PARTS: u32 = 1024;
    // The keys of this hasher are random.
    let random = RandomState::new().hash_one(0_u8) % u64::from(PARTS);
    let part = u32::try_from(random).unwrap_or(0);
    wait / 2 + wait / 2 * part / PARTS
}

/// A text of the API's as it may stand in a query.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                escaped.push(digit.to_ascii_uppercase());
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
