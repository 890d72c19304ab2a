//! What the files define, as far as they have been read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Priority;
use super::exceptions::Exception;
use super::expansion::TracedText;
use super::lists::List;
use super::report::{Item, Place};

/// A macro as defined.
#[derive(Clone, Debug)]
pub(super) struct MacroDefinition {
    pub(super) name: String,
    pub(super) condition: TracedText,
    /// Where it was first defined, in the count of all definitions.
    pub(super) defined_at: usize,
    /// When it was defined last: it sees macros that were defined before that.
    pub(super) visible_from: usize,
    pub(super) place: Place,
}

impl MacroDefinition {
    /// The macro as findings show it.
    pub(super) fn shown(&self) -> Item {
        Item {
            kind: "macro",
            name: self.name.clone(),
            place: self.place.clone(),
        }
    }
}

/// A rule as defined.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent keys of a rule")]
pub(super) struct RuleDefinition {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) condition: TracedText,
    pub(super) output: TracedText,
    pub(super) description: TracedText,
    pub(super) priority: Priority,
    pub(super) tags: BTreeSet<String>,
    pub(super) source: String,
    pub(super) enabled: bool,
    pub(super) warn_event_types: bool,
    pub(super) skip_if_unknown: bool,
    pub(super) capture: bool,
    pub(super) capture_duration: Duration,
    pub(super) exceptions: Vec<Exception>,
}

impl RuleDefinition {
    /// The rule as findings show it.
    pub(super) fn shown(&self) -> Item {
        Item {
            kind: "rule",
            name: self.name.clone(),
            place: self.place.clone(),
        }
    }
}

/// A requirement of plugins: one of them has to be there.
#[derive(Clone, Debug)]
pub(super) struct PluginRequirement {
    /// Name and version.
    pub(super) alternatives: Vec<(String, String)>,
    pub(super) place: Place,
}

/// Everything, in the order of first definition.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub(super) lists: Vec<List>,
    pub(super) macros: Vec<MacroDefinition>,
    pub(super) rules: Vec<RuleDefinition>,
    pub(super) plugins: Vec<PluginRequirement>,
    clock: usize,
}

impl Definitions {
    /// Counts definitions.
    pub(super) fn tick(&mut self) -> usize {
        self.clock += 1;
        self.clock
    }

    pub(super) fn rule(&mut self, name: &str) -> Option<&mut RuleDefinition> {
        self.rules.iter_mut().find(|rule| rule.name == name)
    }
}
