//! The names of events.

/// A kind of event in the rule language: what `evt.type` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EventType {
    /// `execve`
    Execve,
    /// `execveat`
    Execveat,
    /// `clone`
    Clone,
    /// `clone3`
    Clone3,
    /// `fork`
    Fork,
    /// `vfork`
    Vfork,
    /// `procexit`
    Procexit,
    /// `open`
    Open,
    /// `openat`
    Openat,
    /// `openat2`
    Openat2,
    /// `creat`
    Creat,
    /// `connect`
    Connect,
    /// A record for the state only, which no rule can name.
    State,
}

impl EventType {
    /// Every event that a rule can name and the sensor can deliver.
    pub const ALL: [Self; 12] = [
        Self::Execve,
        Self::Execveat,
        Self::Clone,
        Self::Clone3,
        Self::Fork,
        Self::Vfork,
        Self::Procexit,
        Self::Open,
        Self::Openat,
        Self::Openat2,
        Self::Creat,
        Self::Connect,
    ];

    /// The name in the rule language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Execve => "execve",
            Self::Execveat => "execveat",
            Self::Clone => "clone",
            Self::Clone3 => "clone3",
            Self::Fork => "fork",
            Self::Vfork => "vfork",
            Self::Procexit => "procexit",
            Self::Open => "open",
            Self::Openat => "openat",
            Self::Openat2 => "openat2",
            Self::Creat => "creat",
            Self::Connect => "connect",
            Self::State => "",
        }
    }

    /// The event of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}

/// A set of [`EventType`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet(u64);

impl EventSet {
    /// No event.
    pub const EMPTY: Self = Self(0);

    /// Every event that a rule can name.
    pub fn all() -> Self {
        EventType::ALL.into_iter().collect()
    }

    /// Whether the event is in the set.
    pub fn contains(self, event: EventType) -> bool {
        self.0 & (1 << event as u8) != 0
    }

    /// Adds an event.
    pub fn insert(&mut self, event: EventType) {
        self.0 |= 1 << event as u8;
    }

    /// The events of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The events of both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The events that are not in this set.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(Self::all().0 & !self.0)
    }

    /// Whether no event is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The events, in the order of [`EventType::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::ALL
            .into_iter()
            .filter(move |event| self.contains(*event))
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
        for event in EventType::ALL {
            assert_eq!(EventType::from_name(event.name()), Some(event));
        }
        assert_eq!(EventType::from_name(""), None);
    }

    #[test]
    fn a_set_and_its_complement_are_everything() {
        let set: EventSet = [EventType::Open, EventType::Connect].into_iter().collect();
        assert_eq!(set.union(set.complement()), EventSet::all());
        assert!(set.intersection(set.complement()).is_empty());
        assert_eq!(set.iter().count(), 2);
    }
}
