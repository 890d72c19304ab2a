//! Events of containers whose metadata is on its way.
//!
//! What happens to processes goes on meanwhile: a held event must be judged with the process as it was
//! at the event. So a held event keeps the value that each field of the rules had then, and only what
//! depends on the container's metadata is computed when it is released. Only few are held: an event is
//! first judged without the metadata, by a [`Witness`] that tells whether it mattered.

use std::cell::Cell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::container::{ContainerIdentity, ContainerMetadata};
use crate::event::EventType;
use crate::fields::{Extractors, FieldSource, ResolvedName, Value};
use crate::rules::EventClass;

/// How long the events of a container wait that was running before the agent: a runtime has to be
/// asked for all containers of the machine then.
const OLD_CONTAINERS: Duration = Duration::from_secs(10);

/// Bounds of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// How long the first event of a container waits at most.
    pub deadline: Duration,
    /// Events that wait at most, of all containers.
    pub events: usize,
    /// What they take at most, in bytes.
    pub bytes: usize,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(500),
            events: 4096,
            bytes: 4 << 20,
        }
    }
}

/// Passes values on, and remembers whether one was asked for that metadata would give.
pub(super) struct Witness<'e> {
    source: &'e dyn FieldSource,
    extractors: &'e Extractors,
    asked: Cell<bool>,
}

impl<'e> Witness<'e> {
    pub(super) fn new(source: &'e dyn FieldSource, extractors: &'e Extractors) -> Self {
        Self {
            source,
            extractors,
            asked: Cell::new(false),
        }
    }

    pub(super) fn was_asked(&self) -> bool {
        self.asked.get()
    }
}

impl FieldSource for Witness<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        if self.extractors.is_of_container(slot) {
            self.asked.set(true);
        }
        self.source.value(slot)
    }
}

/// Values by slot.
type Values = Box<[Option<Value<'static>>]>;

/// An event that waits, with all that is needed to judge it.
pub(super) struct HeldEvent {
    pub(super) event_type: EventType,
    pub(super) class: EventClass,
    /// When it happened: ns since the epoch.
    pub(super) time: u64,
    /// The names of what was really used, if an alert has to show them.
    pub(super) resolved: Vec<ResolvedName>,
    views: Vec<Values>,
    bytes: usize,
    since: Instant,
}

impl HeldEvent {
    /// Takes the values of all slots under all views.
    pub(super) fn new(
        event_type: EventType,
        class: EventClass,
        time: u64,
        views: &[&dyn FieldSource],
        resolved: Vec<ResolvedName>,
        slots: usize,
    ) -> Self {
        let values = |view: &&dyn FieldSource| -> Values {
            (0..slots)
                .map(|slot| view.value(slot).map(Value::into_owned))
                .collect()
        };
        let views: Vec<Values> = views.iter().map(values).collect();
        let of_values = views
            .iter()
            .flat_map(|values| values.iter())
            .map(|value| size_of::<Option<Value<'_>>>() + value.as_ref().map_or(0, heap_bytes));
        let of_name = |name: &ResolvedName| size_of::<ResolvedName>() + name.path.len();
        let of_names: usize = resolved.iter().map(of_name).sum();
        Self {
            event_type,
            class,
            time,
            bytes: size_of::<Self>() + of_values.sum::<usize>() + of_names,
            resolved,
            views,
            since: Instant::now(),
        }
    }

    /// The event's values, now with the container's metadata.
    pub(super) fn views<'h>(
        &'h self,
        extractors: &'h Extractors,
        metadata: Option<&'h ContainerMetadata>,
    ) -> Vec<HeldFields<'h>> {
        self.views
            .iter()
            .map(|values| HeldFields {
                values,
                extractors,
                metadata,
            })
            .collect()
    }
}

/// What a value takes beside its place.
fn heap_bytes(value: &Value<'_>) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => values
            .iter()
            .map(|value| size_of::<Value<'_>>() + heap_bytes(value))
            .sum(),
        Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Bool(_) | Value::Ip(_) => 0,
    }
}

/// The values of a held event in one view.
pub(super) struct HeldFields<'h> {
    values: &'h Values,
    extractors: &'h Extractors,
    metadata: Option<&'h ContainerMetadata>,
}

impl FieldSource for HeldFields<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        let of_container = || self.extractors.of_container(slot, self.metadata?);
        of_container().or_else(|| self.values.get(slot)?.clone())
    }
}

/// Events of one container whose wait is over.
pub(super) struct Released {
    pub(super) identity: Arc<ContainerIdentity>,
    /// In the order in which they happened, each with how long it waited.
    pub(super) events: Vec<(HeldEvent, Duration)>,
    /// The metadata came; otherwise the deadline passed, or too much waited.
    pub(super) settled: bool,
}

/// The events that wait, in order per container.
pub(super) struct HeldEvents {
    limits: HoldLimits,
    waiting: HashMap<Arc<ContainerIdentity>, VecDeque<HeldEvent>, foldhash::fast::RandomState>,
    /// Containers in the order of their first event.
    order: VecDeque<Arc<ContainerIdentity>>,
    settled: VecDeque<Arc<ContainerIdentity>>,
    /// Containers that ran before the agent and are not settled yet.
    old: HashSet<Arc<ContainerIdentity>, foldhash::fast::RandomState>,
    started: Instant,
    events: usize,
    bytes: usize,
}

impl HeldEvents {
    pub(super) fn new(limits: HoldLimits) -> Self {
        Self {
            limits,
            waiting: HashMap::default(),
            order: VecDeque::new(),
            settled: VecDeque::new(),
            old: HashSet::default(),
            started: Instant::now(),
            events: 0,
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether more waits than may.
    pub(super) fn is_full(&self) -> bool {
        self.events > self.limits.events || self.bytes > self.limits.bytes
    }

    /// This container ran before the agent.
    pub(super) fn is_old(&mut self, identity: &Arc<ContainerIdentity>) {
        if !self.old.contains(identity) {
            self.old.insert(Arc::clone(identity));
        }
    }

    pub(super) fn push(&mut self, identity: &Arc<ContainerIdentity>, event: HeldEvent) {
        self.events += 1;
        self.bytes += event.bytes;
        if let Some(queue) = self.waiting.get_mut(identity) {
            queue.push_back(event);
        } else {
            self.order.push_back(Arc::clone(identity));
            self.waiting
                .insert(Arc::clone(identity), VecDeque::from([event]));
        }
    }

    /// The metadata of a container came.
    pub(super) fn settle(&mut self, identity: &Arc<ContainerIdentity>) {
        self.old.remove(identity);
        if self.waiting.contains_key(identity) {
            self.settled.push_back(Arc::clone(identity));
        }
    }

    /// The next container whose events need not, or must not, wait any more.
    pub(super) fn next_due(&mut self) -> Option<Released> {
        while let Some(identity) = self.settled.pop_front() {
            if let Some(released) = self.take(identity, true) {
                return Some(released);
            }
        }
        let full = self.is_full();
        let late = |identity: &Arc<ContainerIdentity>| {
            let first = self.waiting.get(identity).and_then(VecDeque::front);
            let deadline = if self.old.contains(identity) {
                let left = OLD_CONTAINERS.saturating_sub(self.started.elapsed());
                self.limits.deadline.max(left)
            } else {
                self.limits.deadline
            };
            first.is_none_or(|event| event.since.elapsed() >= deadline)
        };
        let at = if full {
            0
        } else {
            self.order.iter().position(late)?
        };
        let identity = self.order.get(at).cloned()?;
        self.take(identity, false)
    }

    /// The container that waited longest, due or not.
    pub(super) fn pop(&mut self) -> Option<Released> {
        let identity = self.order.front().cloned()?;
        self.take(identity, false)
    }

    fn take(&mut self, identity: Arc<ContainerIdentity>, settled: bool) -> Option<Released> {
        let events = self.waiting.remove(&identity)?;
        self.order.retain(|waiting| *waiting != identity);
        self.old.remove(&identity);
        self.events -= events.len();
        self.bytes -= events.iter().map(|event| event.bytes).sum::<usize>();
        let timed = |event: HeldEvent| {
            let waited = event.since.elapsed();
            (event, waited)
        };
        Some(Released {
            identity,
            events: events.into_iter().map(timed).collect(),
            settled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Image;
    use crate::fields::{FieldArgument, FieldUse};

    struct Fixed;

    impl FieldSource for Fixed {
        fn value(&self, slot: usize) -> Option<Value<'_>> {
            (slot == 0).then(|| Value::text(b"then"))
        }
    }

    fn extractors() -> Extractors {
        let field = |name| FieldUse {
            name,
            argument: FieldArgument::None,
        };
        Extractors::new(&[field("proc.name"), field("container.image.repository")])
    }

    fn identity(name: &str) -> Arc<ContainerIdentity> {
        let path = format!("/default/{name}");
        Arc::new(ContainerIdentity::from_cgroup_path(path.as_bytes()).unwrap())
    }

    fn event(time: u64) -> HeldEvent {
        let event_type = EventType::all().next().unwrap();
        HeldEvent::new(
            event_type,
            EventClass::Unknown,
            time,
            &[&Fixed],
            Vec::new(),
            2,
        )
    }

    fn limits(deadline: Duration, events: usize) -> HoldLimits {
        HoldLimits {
            deadline,
            events,
            bytes: 1 << 20,
        }
    }

    #[test]
    fn a_witness_tells_whether_metadata_was_asked_for() {
        let extractors = extractors();
        let witness = Witness::new(&Fixed, &extractors);
        assert_eq!(witness.value(0), Some(Value::text(b"then")));
        assert!(!witness.was_asked());
        assert_eq!(witness.value(1), None);
        assert!(witness.was_asked());
    }

    #[test]
    fn a_held_event_has_its_old_values_and_the_new_metadata() {
        let (event, extractors) = (event(1), extractors());
        let metadata = ContainerMetadata {
            image: Image::new("app:1", "", &[]),
            ..ContainerMetadata::default()
        };
        let views = event.views(&extractors, Some(&metadata));
        assert_eq!(views[0].value(0), Some(Value::text(b"then")));
        assert_eq!(views[0].value(1), Some(Value::text(b"app")));
        assert_eq!(event.views(&extractors, None)[0].value(1), None);
    }

    #[test]
    fn a_settled_container_is_released_in_order_and_alone() {
        let mut held = HeldEvents::new(limits(Duration::MAX, 100));
        let (one, two) = (identity("one"), identity("two"));
        for (identity, time) in [(&one, 1), (&two, 2), (&one, 3)] {
            held.push(identity, event(time));
        }
        assert!(held.next_due().is_none());
        held.settle(&one);
        let released = held.next_due().unwrap();
        let times: Vec<u64> = released
            .events
            .iter()
            .map(|(event, _)| event.time)
            .collect();
        assert_eq!((times, released.settled), (vec![1, 3], true));
        assert!(held.next_due().is_none() && !held.is_empty());
        assert_eq!(held.pop().unwrap().identity, two);
        assert!(held.is_empty() && held.bytes == 0 && held.events == 0);
    }

    #[test]
    fn the_deadline_and_the_bounds_release_the_oldest() {
        let mut held = HeldEvents::new(limits(Duration::ZERO, 100));
        held.push(&identity("late"), event(1));
        assert!(!held.next_due().unwrap().settled);

        let mut held = HeldEvents::new(limits(Duration::MAX, 2));
        for (name, time) in [("a", 1), ("b", 2), ("b", 3)] {
            held.push(&identity(name), event(time));
        }
        let released = held.next_due().unwrap();
        assert_eq!(released.identity, identity("a"));
        assert!(!released.settled && held.next_due().is_none());
    }
}
