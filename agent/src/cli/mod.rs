//! The command line: one file a command.

pub mod containers;
pub mod events;
pub mod fields;
pub mod rules;
pub mod run;
pub mod schema;
pub mod version;
mod wanted;
mod watching;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runtime security for Linux and Kubernetes.
///
/// Watches what processes do through eBPF, matches it with rules written in Falco's language, and
/// prints alerts.
///
/// Exit codes: 0 success, 1 a failure or a finding, 2 wrong usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "peregrine", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Watch this machine and print an alert for each event that a rule matches
    Run(run::Args),
    /// Check, list, describe or test rules
    Rules(rules::Args),
    /// List the fields that rules can name
    Fields(fields::Args),
    /// Show what happens on this machine, event by event, or list the events there are
    Events(events::Args),
    /// Show what is known of the containers on this machine, and the Pod Security Standard that each meets
    Containers(containers::Args),
    /// Print the JSON Schema of rule files, rule tests or the configuration, for editors
    Schema(schema::Args),
    /// Print the versions of this program and of the rule language
    Version(version::Args),
}

/// A command failed; its causes follow in the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// `run` failed.
    #[error(transparent)]
    Run(#[from] run::RunError),
    /// `events` failed.
    #[error(transparent)]
    Events(#[from] events::EventsError),
    /// `containers` failed.
    #[error(transparent)]
    Containers(#[from] containers::ContainersError),
    /// There is no such class of fields.
    #[error("there is no class of fields named '{class}': expected one of {known}")]
    UnknownClass {
        /// As given.
        class: String,
        /// Those that there are.
        known: String,
    },
    /// No rule has this name.
    #[error("no rule is named '{0}'; `peregrine rules list` shows the names")]
    UnknownRule(String),
    /// No test has one of the tags.
    #[error("no test has the tag {tags}")]
    NoTest {
        /// Those asked for.
        tags: String,
    },
    /// A directory has no test files.
    #[error("no test file (*.yaml, *.yml) is in {}", path.display())]
    NoTestFile {
        /// The directory.
        path: PathBuf,
    },
    /// A directory has no rule files.
    #[error("no rule file (*.yaml, *.yml) is in {}", path.display())]
    NoRuleFile {
        /// The directory.
        path: PathBuf,
    },
    /// The report of tests cannot be put together.
    #[error("cannot write the report")]
    Report(#[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

impl Cli {
    /// Runs the command.
    pub fn execute(self) -> Result<ExitCode, CliError> {
        match self.command {
            Command::Run(args) => Ok(run::run(&args)?),
            Command::Rules(args) => rules::rules(&args),
            Command::Fields(args) => fields::fields(&args),
            Command::Events(args) => events::events(&args),
            Command::Containers(args) => containers::containers(&args),
            Command::Schema(args) => schema::schema(&args),
            Command::Version(args) => version::version(&args),
        }
    }
}

/// Tells whoever started the agent how far it is: a line on standard error, whatever the log level.
pub(crate) fn say(line: &str) {
    // Nobody may be listening there, which is no reason to end.
    let _outcome = writeln!(io::stderr().lock(), "peregrine: {line}");
}

/// Prints a command's result. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_its_arguments() {
        let cli = Cli::try_parse_from([
            "peregrine",
            "run",
            "-c",
            "p.yaml",
            "-r",
            "a.yaml",
            "-r",
            "b",
            "-o",
            "json_output=true",
            "-o",
            "priority=info",
            "-M",
            "2.5",
            "--print-attached",
        ])
        .unwrap();
        let Command::Run(args) = cli.command else {
            panic!("{cli:?}");
        };
        assert_eq!(args.config, Some(PathBuf::from("p.yaml")));
        assert_eq!(args.rules, [PathBuf::from("a.yaml"), PathBuf::from("b")]);
        assert_eq!(args.options, ["json_output=true", "priority=info"]);
        assert_eq!(args.stop_after.unwrap().as_millis(), 2500);
        assert!(args.print_attached);
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for arguments in [
            &["peregrine", "runn"][..],
            &["peregrine", "run", "--nope"],
            &["peregrine", "run", "-o", "json_output"],
            &["peregrine", "run", "-M", "-1"],
            &["peregrine", "run", "-M", "soon"],
            &["peregrine", "run", "-M", "1e300"],
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
        }
        let help = Cli::try_parse_from(["peregrine", "--help"]).unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
        assert_eq!(help.exit_code(), 0);
    }
}
