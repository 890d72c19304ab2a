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

/// Prints an error. If standard error is closed there is nobody to tell.
fn print_error(error: &dyn Error) {
    let _ = std::io::stderr().write_all(error_text(error).as_bytes());
}

/// An error and its causes as one sentence; a cause that the text before it already ends with is
/// not repeated. Several problems of one file are one line each.
fn error_text(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !sentence.ends_with(&message) {
            sentence = format!("{sentence}: {message}");
        }
        cause = error.source();
    }
    let mut text = String::new();
    for line in sentence.lines() {
        text.push_str("peregrine: ");
        // A String takes everything.
        let _ = EscapingWriter(&mut text).write_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Layer {
        message: &'static str,
        #[source]
        source: Option<Box<Layer>>,
    }

    fn chain(messages: &[&'static str]) -> Option<Box<Layer>> {
        let (first, rest) = messages.split_first()?;
        Some(Box::new(Layer {
            message: first,
            source: chain(rest),
        }))
    }

    #[test]
    fn an_error_and_its_causes_are_one_sentence() {
        for (messages, expected) in [
            (&["a"][..], "peregrine: a\n"),
            (&["a", "b", "c"], "peregrine: a: b: c\n"),
            (&["a: b", "b"], "peregrine: a: b\n"),
            (
                &["x:1: p\nx:2: q"],
                "peregrine: x:1: p\nperegrine: x:2: q\n",
            ),
            (&["\u{1b}[2Kfake\r"], "peregrine: \\u001b[2Kfake\\r\n"),
        ] {
            assert_eq!(error_text(&*chain(messages).unwrap()), expected);
        }
    }
}
