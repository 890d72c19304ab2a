//! `rules:` of the configuration: rules that it enables or disables, by name or by tag.

use std::fmt;

use super::glob::glob_matches;
use super::rule_set::{Rule, RuleSet};

/// One entry: enables or disables the rules that have the name or the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSwitch {
    /// Enables them; otherwise disables.
    pub enable: bool,
    /// Their name; a `*` stands for any text, nothing else is special.
    pub rule: Option<String>,
    /// A tag that they have, exactly.
    pub tag: Option<String>,
}

impl fmt::Display for RuleSwitch {
    /// `named 'x' or tagged 'y'`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rule, &self.tag) {
            (Some(rule), None) => write!(formatter, "named '{}'", rule.escape_debug()),
            (None, Some(tag)) => write!(formatter, "tagged '{}'", tag.escape_debug()),
            (Some(rule), Some(tag)) => write!(
                formatter,
                "named '{}' or tagged '{}'",
                rule.escape_debug(),
                tag.escape_debug()
            ),
            (None, None) => formatter.write_str("named"),
        }
    }
}

impl RuleSwitch {
    /// Whether it is about this rule.
    pub fn applies_to(&self, rule: &Rule) -> bool {
        let by_name = self.rule.as_ref().is_some_and(|pattern| {
            let pattern = only_stars(pattern);
            glob_matches(pattern.as_bytes(), rule.name.as_bytes())
        });
        by_name || self.tag.as_ref().is_some_and(|tag| rule.tags.contains(tag))
    }
}

/// The pattern with everything but stars taken literally.
fn only_stars(pattern: &str) -> String {
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if matches!(character, '?' | '[' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

impl RuleSet {
    /// Applies the entries in order; gives those that were about no rule.
    ///
    /// As in Falco, a rule that was disabled and is enabled here has its turn after all others.
    pub fn switch<'s>(&mut self, switches: &'s [RuleSwitch]) -> Vec<&'s RuleSwitch> {
        let mut without_rule = Vec::new();
        for switch in switches {
            let mut applied = false;
            let mut enabled_now = Vec::new();
            let mut others = Vec::new();
            for mut rule in std::mem::take(self).into_rules() {
                if !switch.applies_to(&rule) {
                    others.push(rule);
                    continue;
                }
                applied = true;
                let was_enabled = std::mem::replace(&mut rule.enabled, switch.enable);
                if switch.enable && !was_enabled {
                    enabled_now.push(rule);
                } else {
                    others.push(rule);
                }
            }
            others.append(&mut enabled_now);
            *self = others.into_iter().collect();
            if !applied {
                without_rule.push(switch);
            }
        }
        without_rule
    }
}
