//! Where followed events go: standard output.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::row::{Colours, heading, row};
use crate::alert::render::{json_text, time_of_day};
use crate::alert::{Delivery, INTERNAL_SOURCE, Sink, SinkError};
use crate::cli::say;
use crate::escape::EscapingWriter;
use jiff::tz::TimeZone;

/// How an event is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In columns.
    Row(Colours),
    /// As a JSON object.
    Json,
    /// As the text that was asked for.
    Text,
}

/// Why no more events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As many were printed as were asked for.
    Count,
    /// Nobody reads them any more.
    ReaderLeft,
}

/// Prints events, each at once.
pub(super) struct Terminal<W> {
    stream: W,
    form: Form,
    time_zone: TimeZone,
    /// How many more are printed.
    left: Option<u64>,
    /// Told once when no more are printed.
    ended: Option<oneshot::Sender<Ended>>,
}

impl<W: Write + Send> Terminal<W> {
    /// Prints to a stream, at most `count` events; tells `ended` when it stops.
    pub(super) fn new(
        mut stream: W,
        form: Form,
        count: Option<u64>,
        ended: oneshot::Sender<Ended>,
    ) -> io::Result<Self> {
        if let Form::Row(colours) = form {
            stream.write_all(heading(colours).as_bytes())?;
            stream.flush()?;
        }
        Ok(Self {
            stream,
            form,
            // Read once: looking the system's zone up costs file accesses.
            time_zone: TimeZone::system(),
            left: count,
            ended: Some(ended),
        })
    }

    fn line(&self, time: u64, message: &str, fields: &Map<String, Value>) -> String {
        match self.form {
            Form::Row(colours) => row(&time_of_day(time, &self.time_zone), fields, colours),
            Form::Json => json_text(fields) + "\n",
            Form::Text => {
                let mut line = String::new();
                // A String takes everything.
                let _infallible = EscapingWriter(&mut line).write_str(message);
                line + "\n"
            }
        }
    }

    fn end(&mut self, why: Ended) {
        if let Some(ended) = self.ended.take() {
            // Who does not listen any more is ending already.
            let _outcome = ended.send(why);
        }
    }
}

impl<W: Write + Send> Sink for Terminal<W> {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        if self.ended.is_none() {
            return Ok(());
        }
        let alert = delivery.alert;
        // What the agent says of itself is no event.
        if &*alert.source == INTERNAL_SOURCE {
            let fields = Value::Object(alert.output_fields.clone());
            say(&format!("{}: {}", alert.message, json_text(&fields)));
            return Ok(());
        }
        let line = self.line(alert.time, &alert.message, &alert.output_fields);
        let written = self
            .stream
            .write_all(line.as_bytes())
            .and_then(|()| self.stream.flush());
        match written {
            Ok(()) => {}
            // `| head` has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.end(Ended::ReaderLeft),
            Err(source) => return Err(SinkError { lost: 1, source }),
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                self.end(Ended::Count);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
