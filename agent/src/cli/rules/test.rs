//! `peregrine rules test`

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::directory::yaml_files;
use super::sources;
use crate::cli::{CliError, print};
use crate::config::ConfigError;
use crate::rule_tests::report;
use crate::rule_tests::{FileResult, Options, Outcome, run_file};

/// Arguments of `rules test`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Test files, or directories of them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Rules file or directory, loaded after those that a test file names; repeatable
    #[arg(short, long = "rules", value_name = "RULES")]
    pub rules: Vec<PathBuf>,

    /// Run only tests with this tag; repeatable, one of them is enough
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,

    /// How the report is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Write the report to this file, and the text to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write the report as a JSON object
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// XML as JUnit writes it, which build servers read
    Junit,
    /// Test Anything Protocol, version 14
    Tap,
}

/// Runs the tests; exit code 1 if one fails or a file has an error.
pub(super) fn test(args: &Args) -> Result<ExitCode, CliError> {
    let options = Options {
        more_rules: match args.rules.as_slice() {
            [] => Vec::new(),
            paths => sources(paths)?,
        },
        tags: args.tags.clone(),
    };
    let results: Vec<FileResult> = test_files(&args.files)?
        .iter()
        .map(|path| run_file(path, &options))
        .collect();
    let written = if args.json {
        format!("{:#}\n", report::json(&results))
    } else {
        match args.format {
            Format::Text => report::text(&results),
            Format::Junit => report::junit(&results).map_err(CliError::Report)?,
            Format::Tap => report::tap(&results),
        }
    };
    match &args.output {
        None => print(&written)?,
        Some(path) => {
            fs::write(path, written).map_err(|source| CliError::Write {
                path: path.clone(),
                source,
            })?;
            print(&report::text(&results))?;
        }
    }
    if results.iter().any(FileResult::is_failure) {
        return Ok(ExitCode::FAILURE);
    }
    let was_run = |test: &crate::rule_tests::TestResult| test.outcome != Outcome::Deselected;
    // Tests that nobody runs are not tests that pass.
    if !results.iter().flat_map(|file| &file.tests).any(was_run) {
        return Err(CliError::NoTest {
            tags: args.tags.join(", "),
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// The files, and those in directories.
fn test_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        let mut found = yaml_files(path).map_err(|source| {
            CliError::Run(
                ConfigError::Read {
                    path: path.clone(),
                    source,
                }
                .into(),
            )
        })?;
        if found.is_empty() {
            return Err(CliError::NoTestFile { path: path.clone() });
        }
        files.append(&mut found);
    }
    Ok(files)
}
