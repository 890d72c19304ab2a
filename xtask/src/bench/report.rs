//! The result: medians over the rounds, as a table or as JSON.

use anyhow::Result;
use serde_json::{Value, json};

use super::agent::Footprint;
use super::workload::Workload;
use super::{Sample, SetUp};

/// Everything that was measured, in the order of rounds and of [`SetUp::ALL`].
pub(super) struct Report<'a> {
    samples: &'a [Vec<Sample>],
}

/// One workload under one set-up: medians over the rounds, in ns per operation.
struct Cost {
    time: f64,
    /// Compared with no agent within the same round, where the machine was in the same mood.
    difference: f64,
    /// The smallest and the largest of these differences: a difference within them is noise if they
    /// lie on both sides of 0.
    spread: (f64, f64),
    ratio: f64,
    agent_cpu: f64,
}

/// The agent of one set-up: medians over the rounds.
struct AgentCost {
    ready_ms: f64,
    start_cpu_ms: f64,
    cpu_ms: f64,
    lived_ms: f64,
    resident_mb: f64,
    peak_mb: f64,
    stop_ms: f64,
}

impl<'a> Report<'a> {
    pub(super) fn new(samples: &'a [Vec<Sample>]) -> Self {
        Self { samples }
    }

    #[expect(clippy::print_stdout, reason = "the result is what the command is for")]
    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(&self.to_json())?);
        } else {
            println!("{}", self.table());
        }
        Ok(())
    }

    fn cost(&self, set_up: SetUp, workload: Workload) -> Cost {
        let of = |set_up: SetUp, round: &Vec<Sample>| {
            round[set_up as usize].measurements[workload as usize]
        };
        let median_of =
            |value: &dyn Fn(&Vec<Sample>) -> f64| median(self.samples.iter().map(value).collect());
        let time = |round: &Vec<Sample>| of(set_up, round).time;
        let without = |round: &Vec<Sample>| of(SetUp::NoAgent, round).time;
        let differences = || {
            let rounds = self.samples.iter();
            rounds.map(|round| time(round) - without(round))
        };
        Cost {
            time: median_of(&time),
            difference: median(differences().collect()),
            spread: (
                differences().fold(f64::INFINITY, f64::min),
                differences().fold(f64::NEG_INFINITY, f64::max),
            ),
            ratio: median_of(&|round| time(round) / without(round)),
            agent_cpu: median_of(&|round| of(set_up, round).agent_cpu),
        }
    }

    fn agent_cost(&self, set_up: SetUp) -> AgentCost {
        let median_of = |value: &dyn Fn(&Footprint) -> f64| {
            let of_round = |round: &Vec<Sample>| round[set_up as usize].footprint;
            let footprints = self.samples.iter().filter_map(of_round);
            median(footprints.map(|footprint| value(&footprint)).collect())
        };
        AgentCost {
            ready_ms: median_of(&|footprint| footprint.ready.as_secs_f64() * 1e3),
            start_cpu_ms: median_of(&|footprint| footprint.start_cpu.as_secs_f64() * 1e3),
            cpu_ms: median_of(&|footprint| footprint.cpu.as_secs_f64() * 1e3),
            lived_ms: median_of(&|footprint| footprint.lived.as_secs_f64() * 1e3),
            resident_mb: median_of(&|footprint| footprint.resident_mb),
            peak_mb: median_of(&|footprint| footprint.peak_mb),
            stop_ms: median_of(&|footprint| footprint.stop.as_secs_f64() * 1e3),
        }
    }

    fn to_json(&self) -> Value {
        let system = rustix::system::uname();
        let set_ups = SetUp::ALL.map(|set_up| {
            let operations = Workload::ALL.map(|workload| {
                let cost = self.cost(set_up, workload);
                json!({
                    "operation": workload.name(),
                    "ns": cost.time,
                    "difference_ns": cost.difference,
                    "smallest_difference_ns": cost.spread.0,
                    "largest_difference_ns": cost.spread.1,
                    "ratio": cost.ratio,
                    "agent_cpu_ns": cost.agent_cpu,
                })
            });
            let agent = (set_up != SetUp::NoAgent).then(|| {
                let cost = self.agent_cost(set_up);
                json!({
                    "ready_ms": cost.ready_ms,
                    "start_cpu_ms": cost.start_cpu_ms,
                    "cpu_ms": cost.cpu_ms,
                    "lived_ms": cost.lived_ms,
                    "resident_mb": cost.resident_mb,
                    "peak_mb": cost.peak_mb,
                    "stop_ms": cost.stop_ms,
                })
            });
            json!({ "set_up": set_up.name(), "operations": operations, "agent": agent })
        });
        json!({
            "kernel": system.release().to_string_lossy(),
            "architecture": system.machine().to_string_lossy(),
            "cpus": cpus(),
            "rounds": self.samples.len(),
            "set_ups": set_ups,
        })
    }

    fn table(&self) -> String {
        let system = rustix::system::uname();
        let mut lines = vec![
            format!(
                "Linux {} on {}, {} CPUs; medians of {} rounds; work pinned to one CPU, the agent free",
                system.release().to_string_lossy(),
                system.machine().to_string_lossy(),
                cpus(),
                self.samples.len(),
            ),
            String::new(),
            format!(
                "{:<12}{:<15}{:>9}{:>12}{:>22}{:>8}{:>11}",
                "ns for one", "with", "time", "difference", "(of rounds)", "ratio", "agent CPU"
            ),
        ];
        for workload in Workload::ALL {
            for set_up in SetUp::ALL {
                let cost = self.cost(set_up, workload);
                let mut line = if set_up == SetUp::NoAgent {
                    format!("{:<12}", workload.name())
                } else {
                    " ".repeat(12)
                };
                line = format!("{line}{:<15}{:>9.0}", set_up.name(), cost.time);
                if set_up != SetUp::NoAgent {
                    let spread = format!("({:+.0} to {:+.0})", cost.spread.0, cost.spread.1);
                    line = format!(
                        "{line}{:>+12.0}{spread:>22}{:>8.2}{:>11.0}",
                        cost.difference, cost.ratio, cost.agent_cpu
                    );
                }
                lines.push(line);
            }
        }
        lines.push(String::new());
        lines.push(format!(
            "{:<15}{:>12}{:>14}{:>12}{:>12}{:>12}{:>12}",
            "agent with",
            "ready, ms",
            "CPU till then",
            "CPU, % then",
            "resident MB",
            "peak MB",
            "stop, ms"
        ));
        for set_up in SetUp::ALL {
            if set_up == SetUp::NoAgent {
                continue;
            }
            let cost = self.agent_cost(set_up);
            lines.push(format!(
                "{:<15}{:>12.0}{:>14.0}{:>12.1}{:>12.1}{:>12.1}{:>12.0}",
                set_up.name(),
                cost.ready_ms,
                cost.start_cpu_ms,
                cost.cpu_ms / cost.lived_ms * 100.0,
                cost.resident_mb,
                cost.peak_mb,
                cost.stop_ms,
            ));
        }
        lines.join("\n")
    }
}

/// CPUs that this process may use; 0 if the kernel does not say.
fn cpus() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// The middle value, the upper one of two; not a number if there is none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0]) - 4.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
