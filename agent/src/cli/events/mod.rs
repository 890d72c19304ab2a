//! `peregrine events`: which events there are, and what happens on this machine right now.

mod follow;
mod list;
mod row;
mod selection;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::CliError;
use super::run::{RunError, option, seconds};

pub use selection::SelectionError;

/// Arguments of `events`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// List the events that a rule can be about, with their parameters, and end
    #[arg(long, conflicts_with_all = ["follow", "filter", "output", "count", "stop_after", "rules", "config", "options"])]
    pub list: bool,

    /// Print events as they happen, until Ctrl-C: what is done without --list
    #[arg(short, long)]
    pub follow: bool,

    /// Only events for which this condition of the rule language holds [default: started programs, connections,
    /// changes of files and of privileges]
    #[arg(long, value_name = "CONDITION")]
    pub filter: Option<String>,

    /// Rules file, or directory with rules files, whose macros and lists the condition may name, instead of
    /// those configured; repeatable
    #[arg(short, long, value_name = "RULES")]
    pub rules: Vec<PathBuf>,

    /// Print this in place of the columns, such as '%proc.name opened %fd.name'
    #[arg(long, value_name = "OUTPUT")]
    pub output: Option<String>,

    /// One JSON object a line; with --list, one array
    #[arg(long)]
    pub json: bool,

    /// End after so many events
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after so many seconds
    #[arg(short = 'M', long, value_name = "SECONDS", value_parser = seconds)]
    pub stop_after: Option<Duration>,

    /// Configuration file [default: /etc/peregrine/peregrine.yaml if it exists]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Override a setting of the configuration file; repeatable
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = option)]
    pub options: Vec<String>,
}

/// Lists or follows.
pub fn events(args: &Args) -> Result<ExitCode, CliError> {
    if args.list {
        return list::list(args.json);
    }
    Ok(follow::follow(args)?)
}

/// Events cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// What was asked for cannot be selected.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The machine cannot be watched.
    #[error(transparent)]
    Run(#[from] RunError),
}
