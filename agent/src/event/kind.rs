//! The names of events, and sets of them.

use std::fmt;

use super::table::{EVENTS, EventDefinition, SeenBy};

/// A kind of event in the rule language: what `evt.type` can be. Its number is its place in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(u16);

impl EventType {
    /// `execve`
    pub const EXECVE: Self = Self(0);
    /// `execveat`
    pub const EXECVEAT: Self = Self(1);
    /// `clone`
    pub const CLONE: Self = Self(2);
    /// `clone3`
    pub const CLONE3: Self = Self(3);
    /// `fork`
    pub const FORK: Self = Self(4);
    /// `vfork`
    pub const VFORK: Self = Self(5);
    /// `procexit`
    pub const PROCEXIT: Self = Self(6);
    /// `open`
    pub const OPEN: Self = Self(7);
    /// `openat`
    pub const OPENAT: Self = Self(8);
    /// `openat2`
    pub const OPENAT2: Self = Self(9);
    /// `creat`
    pub const CREAT: Self = Self(10);
    /// `connect`
    pub const CONNECT: Self = Self(11);
    /// A record for the state only, which no rule can name.
    pub const STATE: Self = Self(u16::MAX);

    /// Every event that a rule can name and the sensor can deliver, in the order of the table.
    pub fn all() -> impl ExactSizeIterator<Item = Self> + DoubleEndedIterator + Clone {
        let count = u16::try_from(EVENTS.len()).unwrap_or(u16::MAX);
        (0..count).map(Self)
    }

    /// How many there are.
    pub fn count() -> usize {
        EVENTS.len()
    }

    /// Its place in the table; beyond its end for [`Self::STATE`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its entry in the table; `None` for [`Self::STATE`].
    pub fn definition(self) -> Option<&'static EventDefinition> {
        EVENTS.get(self.index()).copied()
    }

    /// The name in the rule language.
    pub fn name(self) -> &'static str {
        self.definition().map_or("", |definition| definition.name)
    }

    /// The event of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|event| event.name() == name)
    }

    /// The event that a system call's exit is, or what is recorded under such a number; `None` for one that the table
    /// does not know.
    pub fn from_syscall(number: u32) -> Option<Self> {
        BY_SYSCALL.get(number as usize).copied().flatten()
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.name() {
            "" => "(state)",
            name => name,
        })
    }
}

/// The events by the number of their system call, or that of their records.
static BY_SYSCALL: std::sync::LazyLock<Vec<Option<EventType>>> = std::sync::LazyLock::new(|| {
    let mut events = vec![None; agent_ebpf::RECORD_NUMBERS as usize];
    for event in EventType::all() {
        let number = event
            .definition()
            .and_then(|definition| match definition.seen_by {
                SeenBy::Tracepoints(_, number) => Some(number),
                SeenBy::Capture | SeenBy::OwnProgram => definition.syscall,
            });
        if let Some(slot) = number.and_then(|number| events.get_mut(number as usize)) {
            *slot = Some(event);
        }
    }
    events
});

/// Words of the set of events: room for 512.
const WORDS: usize = 8;

/// A set of [`EventType`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventSet([u64; WORDS]);

impl EventSet {
    /// No event.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Every event that a rule can name.
    pub fn all() -> Self {
        EventType::all().collect()
    }

    /// Whether the event is in the set.
    pub fn contains(self, event: EventType) -> bool {
        let index = event.index();
        self.0
            .get(index / 64)
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// Adds an event.
    pub fn insert(&mut self, event: EventType) {
        let index = event.index();
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// The events of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.combine(other, |one, two| one | two)
    }

    /// The events of both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.combine(other, |one, two| one & two)
    }

    /// The events that are not in this set.
    #[must_use]
    pub fn complement(self) -> Self {
        Self::all().combine(self, |all, own| all & !own)
    }

    fn combine(self, other: Self, operation: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = operation(*word, other);
        }
        Self(words)
    }

    /// Whether no event is in the set.
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// The events, in the order of [`EventType::all`].
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::all().filter(move |event| self.contains(*event))
    }
}

impl FromIterator<EventType> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventType>>(events: I) -> Self {
        let mut set = Self::EMPTY;
        for event in events {
            set.insert(event);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for event in EventType::all() {
            assert_eq!(EventType::from_name(event.name()), Some(event));
        }
        assert_eq!(EventType::from_name("nonesuch"), None);
    }

    #[test]
    fn constants_are_where_the_table_has_them() {
        for (event, name) in [
            (EventType::EXECVE, "execve"),
            (EventType::EXECVEAT, "execveat"),
            (EventType::CLONE, "clone"),
            (EventType::CLONE3, "clone3"),
            (EventType::FORK, "fork"),
            (EventType::VFORK, "vfork"),
            (EventType::PROCEXIT, "procexit"),
            (EventType::OPEN, "open"),
            (EventType::OPENAT, "openat"),
            (EventType::OPENAT2, "openat2"),
            (EventType::CREAT, "creat"),
            (EventType::CONNECT, "connect"),
            (EventType::STATE, ""),
        ] {
            assert_eq!(event.name(), name);
        }
    }

    #[test]
    fn a_set_has_room_for_every_event() {
        assert!(EventType::count() <= WORDS * 64);
        assert_eq!(EventSet::all().iter().count(), EventType::count());
    }

    #[test]
    fn a_set_and_its_complement_are_everything() {
        let set: EventSet = [EventType::OPEN, EventType::CONNECT].into_iter().collect();
        assert_eq!(set.union(set.complement()), EventSet::all());
        assert!(set.intersection(set.complement()).is_empty());
        assert_eq!(set.iter().count(), 2);
    }
}
