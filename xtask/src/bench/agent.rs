//! A running agent, and what it takes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

/// What an agent took while it ran.
#[derive(Clone, Copy)]
pub(super) struct Footprint {
    /// From its launch to the line that says `ready`.
    pub(super) ready: Duration,
    /// Resident memory at the end, KiB.
    pub(super) resident_kib: f64,
    /// Resident memory at its highest, KiB.
    pub(super) peak_kib: f64,
    /// CPU time, its start included.
    pub(super) cpu: Duration,
    /// How long it ran.
    pub(super) lived: Duration,
}

/// An agent that watches this machine until it is stopped.
pub(super) struct Agent {
    child: Child,
    started: Instant,
    ready: Duration,
}

impl Agent {
    /// Starts it with the default rules, or with those of a file, and waits until it is ready.
    pub(super) fn start(binary: &Path, rules: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["run", "-o", "webserver.enabled=false"]);
        if let Some(rules) = rules {
            command.arg("-r").arg(rules);
        }
        let started = Instant::now();
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let stderr = child
            .stderr
            .take()
            .ok_or_else(|| anyhow!("the agent has no stderr"))?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        loop {
            let Some(line) = lines.next().transpose()? else {
                bail!("the agent ended before it was ready: {said}");
            };
            if line.contains("ready") {
                break;
            }
            said.push_str(&line);
        }
        let ready = started.elapsed();
        // What it says from here on is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            child,
            started,
            ready,
        })
    }

    /// Ends it, and tells what it took.
    pub(super) fn stop(mut self) -> Result<Footprint> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let lived = self.started.elapsed();
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(
            pid.ok_or_else(|| anyhow!("the agent has no pid"))?,
            Signal::TERM,
        )?;
        let exit = self.child.wait()?;
        if !exit.success() {
            bail!("the agent ended with {exit}");
        }
        Ok(Footprint {
            ready: self.ready,
            resident_kib: kib(&status, "VmRSS:")?,
            peak_kib: kib(&status, "VmHWM:")?,
            cpu: cpu_time(&stat)?,
            lived,
        })
    }
}

fn kib(status: &str, key: &str) -> Result<f64> {
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(key)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or_else(|| anyhow!("/proc/PID/status has no {key}"))
}

/// Fields 14 and 15 of /proc/PID/stat: user and system time in ticks of 10 ms.
fn cpu_time(stat: &str) -> Result<Duration> {
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    if after_name.is_empty() {
        bail!("/proc/PID/stat cannot be read: {stat}");
    }
    Ok(Duration::from_millis(ticks * 10))
}
