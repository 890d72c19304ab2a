//! Everything a developer of Peregrine runs: `cargo xtask COMMAND`.

mod bench;
mod build;
mod fuzz;
mod lint;
mod run;
mod setup;
mod test;
mod test_kernels;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set up, build, run and test Peregrine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the build and the tests need; what is there already is left alone
    Setup,
    /// Build the agent with its eBPF programs
    Build {
        /// Optimised, as it is deployed
        #[arg(long)]
        release: bool,
    },
    /// Build the agent and watch this machine with the default rules
    Run {
        /// Arguments for `peregrine run`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Format, lints, unit tests and end-to-end tests
    Test {
        /// Only tests whose name contains this, and no lints
        filter: Option<String>,
        /// A folder with Falco's rule files, which are not part of this project: the tests about them too
        #[arg(long, value_name = "FOLDER")]
        falco_rules: Option<std::path::PathBuf>,
    },
    /// Boot other kernels in virtual machines and test the agent there
    TestKernels {
        /// Only kernels of these series, such as 6.1
        series: Vec<String>,
        /// Test the debug build: quicker to build, slower to run
        #[arg(long)]
        debug: bool,
    },
    /// Measure what the agent costs: per system call, in memory, until it is ready; or the rule engine
    Bench {
        /// What to measure
        #[arg(value_enum, default_value = "agent")]
        subject: bench::Subject,
        /// How often everything is measured; the table shows medians
        #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        /// Print JSON, not a table
        #[arg(long)]
        json: bool,
        /// Rule files for the engine, instead of the default rules
        #[arg(long, num_args = 1..)]
        rules: Vec<std::path::PathBuf>,
    },
    /// Feed hostile bytes to whatever reads them
    Fuzz {
        /// How long for each target
        #[arg(long, default_value = "60")]
        seconds: u32,
    },
    /// Format and lints
    Lint,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Setup => setup::run(setup::Scope::Everything),
        Command::Build { release } => build::run(release).map(drop),
        Command::Run { arguments } => run::run(&arguments),
        Command::Test {
            filter,
            falco_rules,
        } => test::run(filter.as_deref(), falco_rules.as_deref()),
        Command::TestKernels { series, debug } => test_kernels::run(&series, debug),
        Command::Bench {
            subject,
            rounds,
            json,
            rules,
        } => bench::run(subject, rounds, json, &rules),
        Command::Fuzz { seconds } => fuzz::run(seconds),
        Command::Lint => lint::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tool::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
