//! Counters for the thread that must not wait.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::EventType;

/// A number that one thread writes and any thread reads.
///
/// Counting is a plain load and store: no lock, and no locked instruction. That is right only as
/// long as a single thread counts; with two, counts would be lost, never memory.
#[derive(Debug, Default)]
pub struct HotCounter(AtomicU64);

impl HotCounter {
    /// Adds to the counter; only its one writer may.
    #[inline]
    pub fn add(&self, count: u64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(count);
        self.0.store(sum, Ordering::Relaxed);
    }

    /// Replaces the value (a level rather than a count); only its one writer may.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the matching thread counts.
#[derive(Debug)]
pub struct HotCounters {
    /// By the event type's place in the table.
    events: Box<[HotCounter]>,
    /// Indexed by the rule's position in the rule set.
    rules: Box<[HotCounter]>,
}

impl HotCounters {
    /// Counters for so many rules.
    pub(super) fn new(rules: usize) -> Self {
        let counters = |count| (0..count).map(|_| HotCounter::default()).collect();
        Self {
            events: counters(EventType::count()),
            rules: counters(rules),
        }
    }

    /// Counts one event.
    #[inline]
    pub fn count_event(&self, event: EventType) {
        if let Some(counter) = self.events.get(event.index()) {
            counter.add(1);
        }
    }

    /// Counts one match of the rule at this position.
    #[inline]
    pub fn count_match(&self, rule: usize) {
        if let Some(counter) = self.rules.get(rule) {
            counter.add(1);
        }
    }

    /// How many events of this type were counted.
    pub fn events(&self, event: EventType) -> u64 {
        self.events.get(event.index()).map_or(0, HotCounter::get)
    }

    /// How many matches each rule has.
    pub fn matches(&self) -> impl Iterator<Item = u64> {
        self.rules.iter().map(HotCounter::get)
    }
}
