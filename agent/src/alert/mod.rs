//! Alerts: what leaves when a rule matches.
//!
//! [`render`] turns an [`Alert`] into a line, [`Dispatcher`] carries it over a bounded queue to
//! each [`Sink`]. One file a sink.

mod queue;
pub mod render;
mod sink;
mod stdout;

pub use queue::{AlertSender, DEFAULT_CAPACITY, Dispatcher};
pub use render::{AlertFormat, INTERNAL_SOURCE, Renderer};
pub use sink::{Delivery, Sink, SinkError};
pub use stdout::{Stdout, StreamSink};

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

#[cfg(test)]
mod tests {
    use super::*;

    /// An alert for the tests of this module.
    pub(super) fn alert(message: &str) -> Alert {
        Alert {
            time: 1_767_323_045_000_000_006,
            rule: "Test rule".into(),
            priority: Priority::Notice,
            source: "syscall".into(),
            tags: Arc::new([]),
            message: message.to_owned(),
            output_fields: serde_json::Map::new(),
        }
    }
}
