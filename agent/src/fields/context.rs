//! What the values of one event's fields are computed from.

use std::collections::BTreeMap;

use super::container::{MetadataExtractor, metadata_extractor};
use super::{FieldArgument, FieldSource, FieldUse, Value};
use crate::container::ContainerMetadata;
use crate::event::{BootTime, Event, Origin};
use crate::state::{BootClock, ExecutableHashes, Names, Process, ProcessTable, Users};

/// Which of the two truths about a path an evaluation looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The path as the process passed it, made absolute and normalised as text.
    Passed,
    /// The path of what the kernel opened, removed, made, ...: no symlink is left in it, and no other thread can have
    /// changed it.
    Kernel,
}

/// Both names of an opened file, or of what another call is about.
#[derive(Clone, Debug, Default)]
pub struct FileNames {
    /// [`View::Passed`]; empty if there is none.
    pub passed: Vec<u8>,
    /// [`View::Kernel`]; empty if there is none.
    pub kernel: Vec<u8>,
}

impl FileNames {
    /// Whether the kernel used something else than the path as passed says.
    pub fn differ(&self) -> bool {
        !self.kernel.is_empty() && self.kernel != self.passed
    }
}

/// When the events were from which an event's distance can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTimes {
    /// The first event since the start.
    pub first: BootTime,
    /// The event before this one; the event itself if it is the first.
    pub previous: BootTime,
}

/// One event with everything that is known around it.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// The event.
    pub event: &'c Event<'c>,
    /// Its number, from 1.
    pub number: u64,
    /// When earlier ones were.
    pub times: EventTimes,
    /// The process that caused it.
    pub process: &'c Process,
    /// All processes.
    pub processes: &'c ProcessTable,
    /// Hashes of what processes run.
    pub hashes: &'c ExecutableHashes,
    /// Names of users and groups.
    pub users: &'c Users,
    /// Turns boot time into wall-clock time.
    pub clock: &'c BootClock,
    /// The host's name.
    pub hostname: &'c str,
    /// Constants of the configuration: the fields `static.NAME`.
    pub static_fields: &'c BTreeMap<String, String>,
    /// What is known of the container that the process is in.
    pub container: Option<&'c ContainerMetadata>,
    /// The names of what the event is about.
    pub names: &'c FileNames,
    /// Which of them counts.
    pub view: View,
}

impl<'c> Context<'c> {
    /// Who caused the event.
    pub(super) fn origin(&self) -> &'c Origin {
        &self.event.origin
    }

    /// Wall-clock time of the event, ns since the epoch.
    pub(super) fn time(&self) -> u64 {
        self.time_ns()
    }

    /// The same, for others.
    pub fn time_ns(&self) -> u64 {
        self.clock.wall_ns(self.event.origin.time)
    }

    /// What ids are called where the process is: on the host, or in its container.
    pub(super) fn names_of_ids(&self) -> Names<'c> {
        self.users.of(self.process.container.as_deref())
    }

    /// The file's name in this view.
    pub(super) fn file_name(&self) -> Option<&'c [u8]> {
        let name = match self.view {
            View::Passed => &self.names.passed,
            View::Kernel => &self.names.kernel,
        };
        (!name.is_empty()).then_some(name)
    }
}

/// Computes one field; the argument is the one that the rule gives.
pub type Extractor = for<'c> fn(&Context<'c>, &FieldArgument) -> Option<Value<'c>>;

/// How to compute the fields of a compiled rule set, by slot.
#[derive(Debug, Default)]
pub struct Extractors(Vec<Slot>);

#[derive(Debug)]
struct Slot {
    extractor: Option<Extractor>,
    /// Asked first.
    of_container: Option<MetadataExtractor>,
    argument: FieldArgument,
}

impl Extractors {
    /// For these fields, in the order of their slots.
    pub fn new(fields: &[FieldUse]) -> Self {
        let find = |field: &FieldUse| Slot {
            extractor: super::extractor(field.name),
            of_container: metadata_extractor(field.name),
            argument: field.argument.clone(),
        };
        Self(fields.iter().map(find).collect())
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the field in this slot depends on a container's metadata.
    pub fn is_of_container(&self, slot: usize) -> bool {
        self.0
            .get(slot)
            .is_some_and(|slot| slot.of_container.is_some())
    }

    /// Whether any field does.
    pub fn any_of_container(&self) -> bool {
        self.0.iter().any(|slot| slot.of_container.is_some())
    }

    /// The value that a container's metadata gives to the field in this slot.
    pub fn of_container<'c>(
        &self,
        slot: usize,
        container: &'c ContainerMetadata,
    ) -> Option<Value<'c>> {
        let slot = self.0.get(slot)?;
        slot.of_container?(container, &slot.argument)
    }
}

/// The fields of one event in one view.
#[derive(Clone, Copy)]
pub struct EventFields<'c> {
    /// What they are computed from.
    pub context: Context<'c>,
    /// How.
    pub extractors: &'c Extractors,
}

impl FieldSource for EventFields<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        let found = self.extractors.0.get(slot)?;
        let of_container = || self.extractors.of_container(slot, self.context.container?);
        of_container().or_else(|| found.extractor?(&self.context, &found.argument))
    }
}
