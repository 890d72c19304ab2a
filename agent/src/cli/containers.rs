//! `peregrine containers`: what is known of the containers on this machine.
//!
//! `/proc` and the runtimes are asked as the agent asks them. Nothing is loaded into the kernel.

mod json;
mod survey;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value as Json;

use super::run::{RunError, option};
use super::{CliError, print, say};
use crate::config::Config;
use crate::logging;
use survey::Surveyed;

/// Arguments of `containers`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print a JSON array with all that is known
    #[arg(long)]
    pub json: bool,

    /// Configuration file [default: /etc/peregrine/peregrine.yaml if it exists]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Override a setting of the configuration file; repeatable
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = option)]
    pub options: Vec<String>,
}

/// The containers cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainersError {
    /// The configuration, or the system.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The processes cannot be listed.
    #[error("cannot list the processes in {}", path.display())]
    Processes {
        /// The procfs.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Prints the containers that have a process.
pub fn containers(args: &Args) -> Result<ExitCode, CliError> {
    let found = find(args)?;
    if args.json {
        let list: Vec<Json> = found.iter().map(json::of).collect();
        print(&format!("{:#}\n", Json::Array(list)))?;
    } else if found.is_empty() {
        say("no process on this machine is in a container");
    } else {
        print(&table::of(&found))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find(args: &Args) -> Result<Vec<Surveyed>, ContainersError> {
    let config = Config::load(args.config.as_deref(), &args.options).map_err(RunError::from)?;
    logging::start(config.log_level).map_err(RunError::from)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::system("start the asynchronous runtime"))?;
    let found = runtime.block_on(survey::survey(
        &config.containers.sockets_below(&config.host_root),
        &config.host_root,
    ));
    // A runtime that hangs must not keep the command from ending.
    runtime.shutdown_background();
    found
}
