//! A running agent, and what it takes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long an agent may take to start before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an agent took while it ran.
#[derive(Clone, Copy)]
pub(super) struct Footprint {
    /// From its launch to the line that says `ready`.
    pub(super) ready: Duration,
    /// CPU time from its launch to that line.
    pub(super) start_cpu: Duration,
    /// CPU time from that line to its end.
    pub(super) cpu: Duration,
    /// How long that was.
    pub(super) lived: Duration,
    /// Resident memory at the end, in units of 10^6 bytes.
    pub(super) resident_mb: f64,
    /// Resident memory at its highest, likewise.
    pub(super) peak_mb: f64,
    /// From SIGTERM until it was gone.
    pub(super) stop: Duration,
}

/// An agent that watches this machine; killed if it is dropped before it was stopped.
pub(super) struct Agent {
    child: Child,
    ready: Duration,
    ready_at: Instant,
    start_cpu: Duration,
}

impl Agent {
    /// Starts it with the default rules, or with those of a file, and waits until it is ready.
    pub(super) fn start(binary: &Path, rules: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["run", "-o", "webserver.enabled=false"]);
        if let Some(rules) = rules {
            command.arg("-r").arg(rules);
        }
        let launched = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let stderr = child
            .stderr
            .take()
            .ok_or_else(|| anyhow!("the agent has no stderr"))?;
        let mut agent = Self {
            child,
            ready: Duration::ZERO,
            ready_at: launched,
            start_cpu: Duration::ZERO,
        };
        agent.ready_at = wait_until_ready(stderr)?;
        agent.ready = agent.ready_at - launched;
        agent.start_cpu = agent.cpu()?;
        Ok(agent)
    }

    /// CPU time of all its threads so far: the first number of each `schedstat`, which unlike those
    /// of `stat` is in ns.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut total = 0;
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
            let path = task?.path().join("schedstat");
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(&path) else {
                continue;
            };
            total += number(&text)
                .ok_or_else(|| anyhow!("{} has no number: {text:?}", path.display()))?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Ends it, and tells what it took.
    pub(super) fn stop(mut self) -> Result<Footprint> {
        let cpu = self.cpu()?;
        let lived = self.ready_at.elapsed();
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let terminated = Instant::now();
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| anyhow!("the agent has no pid"))?;
        kill_process(pid, Signal::TERM).context("cannot stop the agent")?;
        let exit = self.child.wait()?;
        if !exit.success() {
            bail!("the agent ended with {exit}");
        }
        Ok(Footprint {
            ready: self.ready,
            start_cpu: self.start_cpu,
            cpu: cpu.saturating_sub(self.start_cpu),
            lived,
            resident_mb: megabytes(&status, "VmRSS:")?,
            peak_mb: megabytes(&status, "VmHWM:")?,
            stop: terminated.elapsed(),
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Does nothing to one that has ended and was waited for.
        if self.child.kill().is_ok() {
            let _gone = self.child.wait();
        }
    }
}

/// The process ids of agents on this machine: what one attaches, all processes pay for.
pub(super) fn running() -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let entry = entry?;
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if name.trim_end() == "peregrine" {
            pids.extend(
                entry
                    .file_name()
                    .to_str()
                    .and_then(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    Ok(pids)
}

/// When the line that says `ready` came. The rest is read too, so that the agent never waits for us.
fn wait_until_ready(stderr: ChildStderr) -> Result<Instant> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Nobody listens once it is ready.
            let _ = sender.send((Instant::now(), line));
        }
    });
    let deadline = Instant::now() + PATIENCE;
    let mut said = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left) {
            Ok((when, line)) if line.contains("ready") => return Ok(when),
            Ok((_, line)) => said.push(line),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the agent ended before it was ready: {}", said.join("; "))
            }
            Err(RecvTimeoutError::Timeout) => bail!(
                "the agent was not ready after {} s: {}",
                PATIENCE.as_secs(),
                said.join("; ")
            ),
        }
    }
}

/// The value of one line of /proc/PID/status, which is in KiB.
fn megabytes(status: &str, key: &str) -> Result<f64> {
    status
        .lines()
        .find_map(|line| u32::try_from(number(line.strip_prefix(key)?)?).ok())
        .map(|kib| f64::from(kib) * 1024.0 / 1e6)
        .ok_or_else(|| anyhow!("/proc/PID/status has no {key}"))
}

fn number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
