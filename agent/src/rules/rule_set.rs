//! Rules as loaded: macros and lists resolved, not compiled yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Priority;
use super::ast::Expression;
use super::output::OutputFormat;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name, by which others append to it.
    pub name: Arc<str>,
    /// What it is about and what to do.
    pub description: String,
    /// When it matches, without macros and lists.
    pub condition: Expression,
    /// What an alert says.
    pub output: OutputFormat,
    /// How much a match matters.
    pub priority: Priority,
    /// Labels, for choosing rules and for readers.
    pub tags: BTreeSet<String>,
    /// The source of the events that it is about.
    pub source: String,
    /// Whether it takes part.
    pub enabled: bool,
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
}

impl FromIterator<Rule> for RuleSet {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self {
            rules: rules.into_iter().collect(),
        }
    }
}
