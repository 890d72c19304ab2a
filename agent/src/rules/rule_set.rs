//! Rules as loaded: macros and lists resolved, not compiled yet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Priority;
use super::ast::Expression;
use super::event_types::EventTypes;
use super::output::OutputFormat;
use super::report::Place;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name, by which others append to it.
    pub name: Arc<str>,
    /// What it is about and what to do.
    pub description: String,
    /// When it matches, without macros and lists.
    pub condition: Expression,
    /// The macros that the condition is made of, and those within them.
    pub macros: BTreeSet<String>,
    /// The lists that the condition and its macros name.
    pub lists: BTreeSet<String>,
    /// Names of events that it can match, also of such as are not delivered.
    pub event_types: EventTypes,
    /// What an alert says.
    pub output: OutputFormat,
    /// The output as written, with what the configuration appends to it.
    pub output_text: String,
    /// How much a match matters.
    pub priority: Priority,
    /// Labels, for choosing rules and for readers.
    pub tags: BTreeSet<String>,
    /// The source of the events that it is about.
    pub source: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// How long to record after a match, if it asks for a recording; zero for the usual time.
    pub capture: Option<Duration>,
    /// Where it is defined.
    pub place: Place,
}

/// Rules in the order of their definition.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// The rules, enabled or not.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules themselves, in order.
    pub(super) fn into_rules(self) -> Vec<Rule> {
        self.rules
    }
}

impl FromIterator<Rule> for RuleSet {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self {
            rules: rules.into_iter().collect(),
        }
    }
}
