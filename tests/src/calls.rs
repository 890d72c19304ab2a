//! System calls that a test makes itself, and what the agent said about each.

use std::cell::Cell;

use serde_json::Value;

use crate::{Agent, AgentBuilder, Alert, MARKER_RULE};

/// An agent that reports every call of some events with some fields.
pub struct Watch {
    agent: Agent,
    /// Alerts that earlier looks have seen.
    looked_at: Cell<usize>,
}

impl Watch {
    /// Reports what fulfils the condition; the fields follow the event's type and result.
    pub fn start(condition: &str, fields: &[&str]) -> Self {
        Self::start_with(condition, fields, &[])
    }

    /// The same with options `KEY=VALUE`.
    pub fn start_with(condition: &str, fields: &[&str], options: &[&str]) -> Self {
        let shown: Vec<String> = fields.iter().map(|field| format!("%{field}")).collect();
        let rules = format!(
            "{MARKER_RULE}- rule: Call\n  desc: A test.\n  condition: {condition}\n  \
             output: call %evt.type %evt.res %evt.args {}\n  priority: INFO\n",
            shown.join(" ")
        );
        let builder = options
            .iter()
            .fold(AgentBuilder::rules(&rules), |builder, option| {
                builder.option(option)
            });
        Self {
            agent: builder.start(),
            looked_at: Cell::new(0),
        }
    }

    /// The agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// What was reported of what happened before, and after the last look.
    pub fn seen(&self) -> Seen {
        self.agent.settle();
        let all = self.agent.alerts_where(|alert| alert.rule() == "Call");
        let before = self.looked_at.replace(all.len());
        Seen {
            left: all.into_iter().skip(before).collect(),
        }
    }
}

/// Reported calls that no expectation was about yet.
pub struct Seen {
    left: Vec<Alert>,
}

impl Seen {
    /// Takes the first event of this type whose fields are as given, `-` for no value; panics if there
    /// is none.
    #[track_caller]
    pub fn take(&mut self, event: &str, fields: &[(&str, &str)]) -> Alert {
        let fits = |alert: &Alert| {
            alert.text("evt.type") == event
                && fields
                    .iter()
                    .all(|(name, value)| text(alert.field(name)) == *value)
        };
        match self.left.iter().position(fits) {
            Some(position) => self.left.remove(position),
            None => panic!(
                "no {event} with {fields:?}; left are {:#?}",
                self.of_type(event)
            ),
        }
    }

    /// What is left of a type of event.
    pub fn of_type(&self, event: &str) -> Vec<&Alert> {
        let wanted = |alert: &&Alert| alert.text("evt.type") == event;
        self.left.iter().filter(wanted).collect()
    }
}

/// A field's value as text, `-` if it has none.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Makes a system call: its number, then its arguments. Gives its result, or `-errno`.
///
/// # Safety
/// Every argument is what the system call expects there.
#[macro_export]
macro_rules! system_call {
    ($number:ident $(, $argument:expr)* $(,)?) => {{
        let result = libc::syscall(libc::$number $(, $argument)*);
        if result < 0 {
            -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
        } else {
            result
        }
    }};
}
