//! `peregrine version`

use std::process::ExitCode;

use super::{CliError, print};
use crate::version::Versions;

/// Arguments of `version`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Prints the versions.
pub fn version(args: &Args) -> Result<ExitCode, CliError> {
    let versions = Versions::current();
    let text = if args.json {
        let json = serde_json::to_string_pretty(&versions);
        json.map_err(|error| CliError::Output(error.into()))?
    } else {
        format!(
            "peregrine {}\nrule engine {} (required_engine_version up to {})",
            versions.peregrine_version, versions.engine_version_semver, versions.engine_version
        )
    };
    print(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
