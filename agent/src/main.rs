//! The binary `peregrine`.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use peregrine::cli::Cli;
use peregrine::escape::EscapingWriter;

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2 and the usage on standard error.
    let cli = Cli::parse();
    cli.execute().unwrap_or_else(|error| {
        print_error(&error);
        ExitCode::FAILURE
    })
}

/// Prints an error and its causes as one sentence; a cause that the text before it already ends
/// with is not repeated. Several problems of one file are one line each.
fn print_error(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    let mut lines = String::new();
    for line in text.lines() {
        lines.push_str("peregrine: ");
        // A String takes everything.
        let _ = EscapingWriter(&mut lines).write_str(line);
        lines.push('\n');
    }
    // If standard error is closed there is nobody to tell.
    let _ = std::io::stderr().write_all(lines.as_bytes());
}
