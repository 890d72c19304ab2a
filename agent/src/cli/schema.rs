//! `peregrine schema`

use std::process::ExitCode;

use clap::ValueEnum;

use super::{CliError, print};
use crate::schema;

/// Arguments of `schema`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Of which files
    #[arg(value_enum)]
    pub of: Kind,
}

/// The files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Rule files
    Rules,
    /// The configuration
    Config,
    /// Unit tests of rules
    RuleTests,
}

/// Prints a JSON Schema.
pub fn schema(args: &Args) -> Result<ExitCode, CliError> {
    let schema = match args.of {
        Kind::Rules => schema::rules(),
        Kind::Config => schema::config(),
        Kind::RuleTests => schema::rule_tests(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}
