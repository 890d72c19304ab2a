//! Alerts: what leaves when a rule matches.

use std::sync::Arc;

use crate::rules::Priority;

/// One match of one rule, rendered and ready to be delivered.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Wall-clock time of the event, ns since the epoch.
    pub time: u64,
    /// The rule's name.
    pub rule: Arc<str>,
    /// The rule's priority.
    pub priority: Priority,
    /// The rule's source: `syscall`, or `internal` for what the agent says of itself.
    pub source: Arc<str>,
    /// The rule's tags, sorted.
    pub tags: Arc<[Arc<str>]>,
    /// The rule's output with its fields filled in, before any escaping: hostile text.
    pub message: String,
    /// The fields named in the output, alphabetically; a missing value is null.
    pub output_fields: serde_json::Map<String, serde_json::Value>,
}
