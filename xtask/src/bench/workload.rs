//! Loops of one operation each.

use std::ffi::CString;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::agent::Agent;

/// How often each loop runs; the fastest counts. On a machine with other work this is what leaves that
/// work out; what the agent adds, it adds to every loop.
const LOOPS: u32 = 10;
/// How long the agent may take to catch up with a workload before its CPU time is read.
const CATCH_UP: Duration = Duration::from_millis(50);

/// One operation, repeated.
#[derive(Clone, Copy)]
pub(super) enum Workload {
    /// A system call that no rule can ask about.
    Getppid,
    /// Opening a file for reading, and closing it.
    OpenClose,
    /// A process that runs `/bin/true`, until its end.
    ForkExec,
    /// A TCP connection to a listener on loopback, and its end.
    Connect,
}

/// What one operation took, in ns.
#[derive(Clone, Copy)]
pub(super) struct Measurement {
    /// The one who did it.
    pub(super) time: f64,
    /// The agent's CPU, on whatever CPU it ran; 0 without an agent.
    pub(super) agent_cpu: f64,
}

/// What the workloads need to be there.
pub(super) struct Scratch {
    /// As the system call wants it, so that only the call is measured.
    file: CString,
}

impl Scratch {
    /// Makes a file of which the path has five components, where no rule expects it.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let folder = folder.join("some/folder");
        let file = folder.join("file");
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&file, "contents\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let file = CString::new(file.as_os_str().as_bytes())?;
        Ok(Self { file })
    }
}

impl Workload {
    pub(super) const ALL: [Self; 4] = [
        Self::Getppid,
        Self::OpenClose,
        Self::ForkExec,
        Self::Connect,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Getppid => "getppid",
            Self::OpenClose => "open+close",
            Self::ForkExec => "fork+exec",
            Self::Connect => "connect",
        }
    }

    /// Operations of one loop: enough for some 50 ms or more.
    fn count(self) -> u32 {
        match self {
            Self::Getppid => 300_000,
            Self::OpenClose => 40_000,
            Self::ForkExec => 100,
            Self::Connect => 2_000,
        }
    }

    fn measure(self, scratch: &Scratch, agent: Option<&Agent>) -> Result<Measurement> {
        let cpu_before = agent.map(Agent::cpu).transpose()?;
        let mut fastest = Duration::MAX;
        for _ in 0..LOOPS {
            fastest = fastest.min(self.run(scratch)?);
        }
        let agent_cpu = match agent.zip(cpu_before) {
            Some((agent, before)) => {
                std::thread::sleep(CATCH_UP);
                agent.cpu()?.saturating_sub(before)
            }
            None => Duration::ZERO,
        };
        Ok(Measurement {
            time: fastest.as_secs_f64() * 1e9 / f64::from(self.count()),
            agent_cpu: agent_cpu.as_secs_f64() * 1e9 / f64::from(self.count() * LOOPS),
        })
    }

    /// One loop.
    fn run(self, scratch: &Scratch) -> Result<Duration> {
        match self {
            Self::Getppid => self.timed(|| {
                black_box(rustix::process::getppid());
                Ok(())
            }),
            Self::OpenClose => self.timed(|| {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                drop(open(scratch.file.as_c_str(), flags, Mode::empty())?);
                Ok(())
            }),
            Self::ForkExec => self.timed(|| {
                Command::new("/bin/true").status()?;
                Ok(())
            }),
            Self::Connect => self.connections(),
        }
    }

    fn timed(self, mut operation: impl FnMut() -> Result<()>) -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..self.count() {
            operation()?;
        }
        Ok(start.elapsed())
    }

    fn connections(self) -> Result<Duration> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let SocketAddr::V4(address) = listener.local_addr()? else {
            return Err(anyhow!("the listener is not IPv4"));
        };
        self.timed(|| {
            let client = socket(AddressFamily::INET, SocketType::STREAM, None)?;
            // Closing resets the connection, which leaves no port in TIME_WAIT behind.
            sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
            connect(&client, &address).context("cannot connect on loopback")?;
            drop(listener.accept()?);
            Ok(())
        })
    }
}

/// Measures every workload, in their order, on a thread that is pinned to the first CPU that this
/// process may use. (Only that thread: the agent, which we start, must not inherit it.)
pub(super) fn measure_all(scratch: &Scratch, agent: Option<&Agent>) -> Result<Vec<Measurement>> {
    std::thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            pin()?;
            let all = Workload::ALL.into_iter();
            all.map(|workload| workload.measure(scratch, agent))
                .collect()
        });
        measuring
            .join()
            .map_err(|_| anyhow!("the measuring thread panicked"))?
    })
}

/// Pins the calling thread.
fn pin() -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU)
        .find(|cpu| allowed.is_set(*cpu))
        .ok_or_else(|| anyhow!("this process may use no CPU"))?;
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).context("cannot pin to a CPU")
}
