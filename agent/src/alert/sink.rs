//! What every place that alerts go to has in common.

use std::io;
use std::sync::OnceLock;

use super::{Alert, Renderer};

/// A place that alerts go to. It runs on a thread of its own, so it may block: only its own queue
/// fills up.
pub trait Sink: Send {
    /// The name in metrics and logs, such as `stdout`.
    fn name(&self) -> &'static str;

    /// Delivers one alert, or keeps it to be delivered with later ones.
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError>;

    /// Delivers what [`Sink::deliver`] kept. Called before the end and when nothing came for a
    /// while.
    fn flush(&mut self) -> Result<(), SinkError>;
}

/// Alerts were lost: the sink gave them up.
#[derive(Debug, thiserror::Error)]
#[error("{lost} alert(s) could not be written")]
pub struct SinkError {
    /// How many.
    pub lost: u64,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// An alert on its way to the sinks, with its line, which is made once for all of them and only if
/// one asks.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// The alert.
    pub alert: &'a Alert,
    renderer: &'a Renderer,
    line: &'a OnceLock<String>,
}

impl<'a> Delivery<'a> {
    /// The line of an alert is kept in `line`.
    pub(super) fn new(
        alert: &'a Alert,
        renderer: &'a Renderer,
        line: &'a OnceLock<String>,
    ) -> Self {
        Self {
            alert,
            renderer,
            line,
        }
    }

    /// The alert as a line of text or JSON, as configured, ended by a newline.
    pub fn line(&self) -> &'a str {
        self.line.get_or_init(|| self.renderer.line(self.alert))
    }
}
