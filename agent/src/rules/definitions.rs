//! What the files define, as far as they have been read.

use std::collections::{BTreeSet, HashMap};

use super::Priority;
use super::exceptions::Exception;
use super::lists::List;
use super::report::Position;

/// A text and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) text: String,
    pub(super) file: String,
    pub(super) position: Position,
}

impl Located {
    /// Adds to it, with a blank between; the place stays that of the first.
    pub(super) fn append(&mut self, more: &Self) {
        self.text.push(' ');
        self.text.push_str(&more.text);
    }
}

/// A macro as defined.
#[derive(Clone, Debug)]
pub(super) struct MacroDefinition {
    pub(super) name: String,
    pub(super) condition: Located,
    pub(super) defined_at: usize,
    pub(super) visible_from: usize,
}

/// A rule as defined.
#[derive(Clone, Debug)]
pub(super) struct RuleDefinition {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) position: Position,
    pub(super) condition: Located,
    pub(super) output: Located,
    pub(super) description: String,
    pub(super) priority: Priority,
    pub(super) tags: BTreeSet<String>,
    pub(super) source: String,
    pub(super) enabled: bool,
    pub(super) warn_event_types: bool,
    pub(super) skip_if_unknown: bool,
    pub(super) exceptions: Vec<Exception>,
}

/// Everything, in the order of first definition.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub(super) lists: Vec<List>,
    pub(super) macros: Vec<MacroDefinition>,
    pub(super) rules: Vec<RuleDefinition>,
    clock: usize,
    places: HashMap<(&'static str, String), (String, Position)>,
}

impl Definitions {
    /// Counts definitions.
    pub(super) fn tick(&mut self) -> usize {
        self.clock += 1;
        self.clock
    }

    /// Defines a macro, or changes one in place; false if there is nothing to append to.
    pub(super) fn define_macro(&mut self, name: &str, condition: Located, append: bool) -> bool {
        let now = self.tick();
        let existing = self.macros.iter_mut().find(|known| known.name == name);
        match (existing, append) {
            (Some(known), true) => {
                known.condition.append(&condition);
                known.visible_from = now;
            }
            (Some(known), false) => {
                known.condition = condition;
                known.visible_from = now;
            }
            (None, true) => return false,
            (None, false) => self.macros.push(MacroDefinition {
                name: name.to_owned(),
                condition,
                defined_at: now,
                visible_from: now,
            }),
        }
        true
    }

    /// Remembers where an item was defined last.
    pub(super) fn place(&mut self, kind: &'static str, name: &str, file: &str, position: Position) {
        self.places
            .insert((kind, name.to_owned()), (file.to_owned(), position));
    }

    /// Where an item was defined last.
    pub(super) fn place_of(&self, kind: &'static str, name: &str) -> (String, Position) {
        self.places
            .get(&(kind, name.to_owned()))
            .cloned()
            .unwrap_or_default()
    }

    /// The names of all items of a kind.
    pub(super) fn names(&self, kind: &str) -> Vec<&str> {
        match kind {
            "list" => self.lists.iter().map(|list| list.name.as_str()).collect(),
            "macro" => self
                .macros
                .iter()
                .map(|known| known.name.as_str())
                .collect(),
            _ => self.rules.iter().map(|rule| rule.name.as_str()).collect(),
        }
    }
}
