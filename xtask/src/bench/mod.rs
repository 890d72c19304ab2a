//! `cargo xtask bench`: what the agent costs the machine it watches.
//!
//! The machine may be shared and noisy, so nothing is compared across time: each round measures
//! every set-up, one right after the other, and what is shown are medians of the rounds, of their
//! differences and of their ratios. The work is pinned to one CPU. The agent is not: on a machine
//! with one CPU the two would compete.

mod agent;
mod engine;
mod report;
mod workload;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{build, tool};
use agent::{Agent, Footprint};
use report::Report;
use workload::{Measurement, Scratch};

/// A rule set that needs no system call's tracepoint.
const EXEC_RULES: &str = "\
- rule: Unlikely program
  desc: Fires for a program that does not exist; what it costs is seeing every exec.
  condition: evt.type = execve and proc.name = no-such-program
  output: unlikely program %proc.name
  priority: DEBUG
";

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SetUp {
    NoAgent,
    DefaultRules,
    ExecRules,
}

impl SetUp {
    const ALL: [Self; 3] = [Self::NoAgent, Self::DefaultRules, Self::ExecRules];

    fn name(self) -> &'static str {
        match self {
            Self::NoAgent => "no agent",
            Self::DefaultRules => "default rules",
            Self::ExecRules => "exec rules",
        }
    }

    /// Starts what belongs to it.
    fn start(self, binary: &Path, exec_rules: &Path) -> Result<Option<Agent>> {
        match self {
            Self::NoAgent => Ok(None),
            Self::DefaultRules => Agent::start(binary, None).map(Some),
            Self::ExecRules => Agent::start(binary, Some(exec_rules)).map(Some),
        }
    }
}

/// One set-up in one round.
struct Sample {
    /// In the order of `Workload::ALL`.
    measurements: Vec<Measurement>,
    /// Of the agent, if there was one.
    footprint: Option<Footprint>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Subject {
    /// The agent's cost to the machine
    Agent,
    /// Rules loaded and events matched by the rule engine, without a kernel
    Engine,
}

/// Runs the rounds and prints the result.
pub(crate) fn run(subject: Subject, rounds: u16, json: bool, rules: &[PathBuf]) -> Result<()> {
    match subject {
        Subject::Agent if rules.is_empty() => agent_cost(rounds, json),
        Subject::Agent => bail!("--rules is for the engine: cargo xtask bench engine --rules FILE"),
        Subject::Engine => engine::run(rounds, json, rules),
    }
}

fn agent_cost(rounds: u16, json: bool) -> Result<()> {
    let binary = build::run(true)?;
    let folder = tempfile::tempdir().context("cannot make a folder for the bench's files")?;
    let exec_rules = folder.path().join("exec-rules.yaml");
    std::fs::write(&exec_rules, EXEC_RULES)
        .with_context(|| format!("cannot write {}", exec_rules.display()))?;
    let scratch = Scratch::create(folder.path())?;

    for pid in agent::running()? {
        tool::say(&format!(
            "an agent is running already (pid {pid}): its cost is in every number below"
        ));
    }
    let mut samples = Vec::with_capacity(rounds.into());
    for round in 1..=rounds {
        tool::say(&format!("round {round} of {rounds}"));
        let mut of_round = Vec::new();
        for set_up in SetUp::ALL {
            let sample = sample(set_up, &binary, &exec_rules, &scratch)
                .with_context(|| format!("cannot measure with {}", set_up.name()))?;
            of_round.push(sample);
        }
        samples.push(of_round);
    }
    Report::new(&samples).print(json)
}

fn sample(set_up: SetUp, binary: &Path, exec_rules: &Path, scratch: &Scratch) -> Result<Sample> {
    let agent = set_up.start(binary, exec_rules)?;
    let measurements = workload::measure_all(scratch, agent.as_ref())?;
    let footprint = agent.map(Agent::stop).transpose()?;
    Ok(Sample {
        measurements,
        footprint,
    })
}
