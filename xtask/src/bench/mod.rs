//! `cargo xtask bench`: what the agent costs the machine it watches.
//!
//! The machine may be shared and noisy, so nothing is compared across time: each round measures
//! every set-up, one right after the other, and what is shown are medians of the rounds and their
//! differences. The work is pinned to one CPU; the agent is not, and on a machine of one CPU would
//! compete with it.

mod agent;
mod workload;

use anyhow::{Context, Result};

use crate::{build, tool};
use agent::{Agent, Footprint};
use workload::Workload;

/// A rule set that needs no system call's tracepoint.
const EXEC_RULES: &str = "\
- rule: Unlikely program
  desc: Fires for a program that does not exist; what it costs is seeing every exec.
  condition: evt.type = execve and proc.name = no-such-program
  output: unlikely program %proc.name
  priority: DEBUG
";

/// What is compared with no agent.
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
}

/// Runs the rounds and prints the table.
pub(crate) fn run(rounds: usize) -> Result<()> {
    let binary = build::run(true)?;
    let rules = std::env::temp_dir().join(format!("peregrine-bench-{}.yaml", std::process::id()));
    std::fs::write(&rules, EXEC_RULES)
        .with_context(|| format!("cannot write {}", rules.display()))?;

    // times[set-up][workload], ns for one operation
    let mut times = vec![vec![Vec::new(); Workload::ALL.len()]; SetUp::ALL.len()];
    let mut footprints: Vec<Vec<Footprint>> = vec![Vec::new(); SetUp::ALL.len()];
    for round in 0..rounds {
        tool::say(&format!("round {} of {rounds}", round + 1));
        for (set_up, times) in SetUp::ALL.into_iter().zip(&mut times) {
            let agent = match set_up {
                SetUp::NoAgent => None,
                SetUp::DefaultRules => Some(Agent::start(&binary, None)?),
                SetUp::ExecRules => Some(Agent::start(&binary, Some(&rules))?),
            };
            for (times, time) in times.iter_mut().zip(workload::measure_all()?) {
                times.push(time);
            }
            if let Some(agent) = agent {
                footprints[set_up as usize].push(agent.stop()?);
            }
        }
    }
    std::fs::remove_file(&rules).with_context(|| format!("cannot remove {}", rules.display()))?;
    print(&times, &footprints);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(times: &[Vec<Vec<f64>>], footprints: &[Vec<Footprint>]) {
    println!(
        "{:<14} {:>12} {:>25} {:>25}",
        "ns per operation", "no agent", "default rules", "exec rules"
    );
    for (index, workload) in Workload::ALL.into_iter().enumerate() {
        let base = median(&times[0][index]);
        let mut line = format!("{:<16} {base:>12.0}", workload.name());
        for set_up in &times[1..] {
            // Differences are taken within a round, where the machine was in one mood.
            let differences: Vec<f64> = set_up[index]
                .iter()
                .zip(&times[0][index])
                .map(|(with, without)| with - without)
                .collect();
            let with = median(&set_up[index]);
            let difference = median(&differences);
            line = format!("{line} {with:>14.0} ({difference:>+8.0})");
        }
        println!("{line}");
    }
    for (set_up, footprints) in SetUp::ALL.into_iter().zip(footprints) {
        if footprints.is_empty() {
            continue;
        }
        let of = |value: fn(&Footprint) -> f64| {
            median(&footprints.iter().map(value).collect::<Vec<_>>())
        };
        println!(
            "agent, {}: ready after {:.0} ms, resident {:.1} MB (at most {:.1}), CPU {:.0} ms in {:.0} ms",
            set_up.name(),
            of(|footprint| footprint.ready.as_secs_f64() * 1e3),
            of(|footprint| footprint.resident_kib / 1024.0),
            of(|footprint| footprint.peak_kib / 1024.0),
            of(|footprint| footprint.cpu.as_secs_f64() * 1e3),
            of(|footprint| footprint.lived.as_secs_f64() * 1e3),
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
