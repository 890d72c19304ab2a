//! What the matching thread knows of containers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::directory::{Description, Directory};
use super::pod_details::{PodUpdate, Pods, pod_uid};
use super::{ContainerIdentity, ContainerMetadata};

/// Containers remembered, should they not be forgotten in time when they end. At some 4 KB each, as in a
/// pod with a dozen mounts and labels, they take 8 MB.
const LIMIT: usize = 2048;
/// When a container that nobody knew is asked for again: a runtime may have been restarted.
const RETRY: Duration = Duration::from_secs(5);

/// The metadata of containers, asked for at most once at a time.
#[derive(Debug)]
pub struct MetadataTable {
    directory: Directory,
    /// What the Kubernetes API tells, if it is asked.
    pods: Option<Pods>,
    containers: HashMap<Arc<ContainerIdentity>, Entry, foldhash::fast::RandomState>,
    /// Oldest first, for eviction.
    order: VecDeque<Arc<ContainerIdentity>>,
}

#[derive(Debug)]
struct Entry {
    metadata: Option<Arc<ContainerMetadata>>,
    state: State,
    /// At the last look, no process was in it.
    is_empty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Asked for, the first time: events wait.
    Awaited,
    /// Asked for, and no event waits.
    Asked,
    /// Answered.
    Known,
    /// Nobody knew it then.
    Unknown(Instant),
}

/// How far the knowledge of a container is.
#[derive(Clone, Debug)]
pub enum Known {
    /// The answer is on its way: hold the event.
    Awaited,
    /// This is all there is now.
    Now(Option<Arc<ContainerMetadata>>),
}

impl MetadataTable {
    /// An empty table, which asks there.
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            pods: None,
            containers: HashMap::default(),
            order: VecDeque::new(),
        }
    }

    /// With what the Kubernetes API tells of pods.
    #[must_use]
    pub fn with_pods(mut self, updates: mpsc::Receiver<PodUpdate>) -> Self {
        self.pods = Some(Pods::new(updates));
        self
    }

    /// The metadata of a container, which is asked for if it has not been.
    pub fn get(&mut self, identity: &Arc<ContainerIdentity>) -> Known {
        match self.containers.get_mut(identity) {
            Some(entry) => {
                match entry.state {
                    State::Awaited => return Known::Awaited,
                    State::Unknown(since) if since.elapsed() >= RETRY => {
                        if self.directory.ask(identity) {
                            entry.state = State::Asked;
                        }
                    }
                    State::Unknown(_) | State::Asked | State::Known => {}
                }
                Known::Now(entry.metadata.clone())
            }
            None => {
                self.ask(identity);
                match self.containers.get(identity) {
                    Some(_) => Known::Awaited,
                    None => Known::Now(None),
                }
            }
        }
    }

    /// Tells that a cgroup of a container was made: it is asked for before its first process comes.
    /// A name given by a person may be another container's by now, so what is known is forgotten.
    pub fn appeared(&mut self, identity: &Arc<ContainerIdentity>) {
        let is_settled = |entry: &Entry| matches!(entry.state, State::Known | State::Unknown(_));
        match self.containers.get(identity) {
            None => self.ask(identity),
            Some(entry) if is_settled(entry) && !identity.is_generated() => self.ask(identity),
            Some(_) => {}
        }
    }

    fn ask(&mut self, identity: &Arc<ContainerIdentity>) {
        if !self.directory.ask(identity) {
            // The queue is full. The container's next event asks again.
            return;
        }
        let entry = Entry {
            metadata: None,
            state: State::Awaited,
            is_empty: false,
        };
        if self
            .containers
            .insert(Arc::clone(identity), entry)
            .is_none()
        {
            if self.order.len() >= LIMIT
                && let Some(oldest) = self.order.pop_front()
            {
                self.containers.remove(&oldest);
            }
            self.order.push_back(Arc::clone(identity));
        }
    }

    /// Takes the answers that have come, and returns the containers whose events need not wait any
    /// more.
    pub fn take_answers(&mut self, mut settled: impl FnMut(&Arc<ContainerIdentity>)) {
        self.take_pods();
        while let Some(answer) = self.directory.answer() {
            let Description {
                identity,
                metadata,
                is_settled,
            } = answer;
            let Some(entry) = self.containers.get_mut(&identity) else {
                continue;
            };
            if metadata.is_some() {
                entry.metadata = metadata;
            }
            if let Some(pods) = &self.pods {
                pods.complete(&identity, &mut entry.metadata);
            }
            if is_settled {
                let described = entry.metadata.as_ref().map(|known| known.is_described());
                entry.state = if described == Some(true) {
                    State::Known
                } else {
                    State::Unknown(Instant::now())
                };
                settled(&identity);
            }
        }
    }

    /// Forgets the containers that have ended: no process was in them the last time, and none is now. One
    /// that was just made has none yet.
    pub fn forget_ended(&mut self, is_alive: impl Fn(&Arc<ContainerIdentity>) -> bool) {
        self.containers.retain(|identity, entry| {
            let was_empty = entry.is_empty;
            entry.is_empty = !is_alive(identity);
            !(was_empty && entry.is_empty) || entry.state == State::Awaited
        });
        let containers = &self.containers;
        self.order
            .retain(|identity| containers.contains_key(identity));
    }

    /// Takes the changes of pods that have come.
    fn take_pods(&mut self) {
        let Some(pods) = &mut self.pods else {
            return;
        };
        while let Some(uid) = pods.take_update() {
            for (identity, entry) in &mut self.containers {
                let is_of_pod = pod_uid(identity, entry.metadata.as_deref()) == Some(&*uid);
                // What has not been answered yet is completed when it is.
                if is_of_pod && entry.state != State::Awaited {
                    pods.complete(identity, &mut entry.metadata);
                }
            }
        }
    }

    /// Tells that events do not wait for this container any more, and returns what is known.
    pub fn give_up(&mut self, identity: &Arc<ContainerIdentity>) -> Option<Arc<ContainerMetadata>> {
        let entry = self.containers.get_mut(identity)?;
        if entry.state == State::Awaited {
            entry.state = State::Asked;
        }
        entry.metadata.clone()
    }

    /// How many containers are known.
    pub fn len(&self) -> usize {
        self.containers.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::PodDetails;
    use super::*;

    fn identity(path: &str) -> Arc<ContainerIdentity> {
        Arc::new(ContainerIdentity::from_cgroup_path(path.as_bytes()).unwrap())
    }

    fn answer(
        identity: &Arc<ContainerIdentity>,
        name: Option<&str>,
        is_settled: bool,
    ) -> Description {
        let named = |name: &str| {
            Arc::new(ContainerMetadata {
                name: Some(name.into()),
                ..ContainerMetadata::default()
            })
        };
        Description {
            identity: Arc::clone(identity),
            metadata: name.map(named),
            is_settled,
        }
    }

    fn name(known: &Known) -> &str {
        match known {
            Known::Awaited => "(awaited)",
            Known::Now(None) => "(nothing)",
            Known::Now(Some(known)) => known.name.as_deref().unwrap_or("(no name)"),
        }
    }

    #[test]
    fn a_container_is_asked_for_once_and_then_known() {
        let (directory, mut asked, told) = Directory::manual();
        let mut table = MetadataTable::new(directory);
        let web = identity("/default/web");
        assert!(matches!(table.get(&web), Known::Awaited));
        table.appeared(&web);
        assert!(matches!(table.get(&web), Known::Awaited));
        assert_eq!(asked.try_recv().unwrap(), web);
        assert!(asked.try_recv().is_err());

        told.try_send(answer(&web, Some("partial"), false)).unwrap();
        table.take_answers(|_| panic!("more is to come"));
        assert!(matches!(table.get(&web), Known::Awaited));
        told.try_send(answer(&web, Some("whole"), true)).unwrap();
        let mut settled = 0;
        table.take_answers(|_| settled += 1);
        assert_eq!(settled, 1);
        assert_eq!(name(&table.get(&web)), "whole");

        // The same name again: another container.
        table.appeared(&web);
        assert!(matches!(table.get(&web), Known::Awaited));
    }

    #[test]
    fn after_the_deadline_what_is_known_counts_and_a_late_answer_still_comes() {
        let (directory, _asked, told) = Directory::manual();
        let mut table = MetadataTable::new(directory);
        let web = identity("/default/web");
        table.get(&web);
        told.try_send(answer(&web, Some("partial"), false)).unwrap();
        table.take_answers(|_| {});
        assert_eq!(
            table.give_up(&web).unwrap().name.as_deref(),
            Some("partial")
        );
        assert_eq!(name(&table.get(&web)), "partial");
        told.try_send(answer(&web, Some("whole"), true)).unwrap();
        table.take_answers(|_| {});
        assert_eq!(name(&table.get(&web)), "whole");
    }

    #[test]
    fn what_the_kubernetes_api_tells_is_added_before_and_after_the_answer() {
        const UID: &str = "9b2c7f0e-6a51-4c39-8f0d-1c2b3a495867";
        let (directory, _asked, told) = Directory::manual();
        let (pods, updates) = mpsc::channel(8);
        let mut table = MetadataTable::new(directory).with_pods(updates);
        let id = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";
        let web = identity(&format!("/kubepods/besteffort/pod{UID}/{id}"));
        let present = |account: &str| {
            let details = PodDetails {
                name: Some("web-0".into()),
                service_account: Some(account.into()),
                ..PodDetails::default()
            };
            PodUpdate::Present(UID.into(), Arc::new(details))
        };
        let pod_of = |table: &mut MetadataTable| match table.get(&web) {
            Known::Now(Some(metadata)) => {
                let pod = metadata.pod.clone().unwrap();
                let account = pod.details.unwrap().service_account.clone().unwrap();
                (metadata.name.clone(), pod.name.unwrap(), account)
            }
            known => panic!("{known:?}"),
        };
        table.get(&web);
        pods.try_send(present("first")).unwrap();
        table.take_answers(|_| panic!("no runtime answered"));
        assert!(matches!(table.get(&web), Known::Awaited));
        told.try_send(answer(&web, Some("web"), true)).unwrap();
        table.take_answers(|_| {});
        let expected = (Some("web".into()), "web-0".into(), "first".into());
        assert_eq!(pod_of(&mut table), expected);

        pods.try_send(present("second")).unwrap();
        pods.try_send(PodUpdate::Gone(UID.into())).unwrap();
        table.take_answers(|_| {});
        // A pod that is gone keeps what was known: its last programs may still run.
        let expected = (Some("web".into()), "web-0".into(), "second".into());
        assert_eq!(pod_of(&mut table), expected);
    }

    #[test]
    fn ended_containers_are_forgotten() {
        let (directory, _asked, told) = Directory::manual();
        let mut table = MetadataTable::new(directory);
        let [lives, ends, awaited] =
            ["lives", "ends", "awaited"].map(|name| identity(&format!("/default/{name}")));
        for container in [&lives, &ends, &awaited] {
            table.get(container);
        }
        for container in [&lives, &ends] {
            told.try_send(answer(container, Some("x"), true)).unwrap();
        }
        table.take_answers(|_| {});
        table.forget_ended(|identity| *identity == lives);
        // It may have no process yet.
        assert_eq!(name(&table.get(&ends)), "x");
        table.forget_ended(|_| true);
        table.forget_ended(|identity| *identity == lives);
        assert_eq!(table.len(), 3);
        table.forget_ended(|identity| *identity == lives);
        assert_eq!((table.len(), table.order.len()), (2, 2));
        assert_eq!(name(&table.get(&lives)), "x");
        // One of this name is another now, and is asked for.
        assert!(matches!(table.get(&ends), Known::Awaited));
    }

    #[test]
    fn the_table_is_bounded() {
        let (directory, _asked, _told) = Directory::manual();
        let mut table = MetadataTable::new(directory);
        for number in 0..=LIMIT {
            table.get(&identity(&format!("/default/c{number}")));
        }
        assert_eq!(table.len(), LIMIT);
        // The first was pushed out, and is asked for again.
        assert!(matches!(
            table.get(&identity("/default/c0")),
            Known::Awaited
        ));
        assert_eq!(table.len(), LIMIT);
    }

    #[test]
    fn with_a_full_queue_no_event_waits() {
        let (directory, _asked, _told) = Directory::manual();
        let full = identity("/default/full");
        while directory.ask(&full) {}
        let mut table = MetadataTable::new(directory);
        assert_eq!(name(&table.get(&full)), "(nothing)");
        assert!(table.is_empty());
    }
}
