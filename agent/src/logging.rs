//! Messages about the agent itself: on standard error, never between the alerts.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::config::LogLevel;
use crate::escape::EscapingWriter;

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// `RUST_LOG` is not understood.
    #[error("the environment variable RUST_LOG is not a log filter such as 'debug'")]
    Filter(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Logging was set up before.
    #[error("logging cannot be set up")]
    AlreadySet(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Logs to standard error from now on: what `RUST_LOG` says if it is set, else this level.
/// Colours only on a terminal that wants them (`NO_COLOR` is not set).
pub fn start(level: LogLevel) -> Result<(), LoggingError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            EnvFilter::try_new(text).map_err(|error| LoggingError::Filter(error.into()))?
        }
        _ => EnvFilter::default().add_directive(level.filter().into()),
    };
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        // Where standard error is closed there is nobody to tell, and `eprintln`, by which it would be
        // told, panics.
        .log_internal_errors(false)
        .try_init()
        .map_err(LoggingError::AlreadySet)
}

/// Writes a field with what could forge or hide a line escaped: names and paths of watched
/// processes get into messages.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(EscapingWriter(writer), "{value:?}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_logged_value_cannot_forge_a_line() {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let hostile = "x\nERROR fake \u{1b}[2K\u{202e}";
            tracing::warn!(path = %hostile, name = hostile, "cannot read {hostile}");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains(r"cannot read x\nERROR fake \u001b[2K\u202e"),
            "{text}"
        );
        assert!(text.contains(r"path=x\nERROR"), "{text}");
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
    }
}
