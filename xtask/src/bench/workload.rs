//! Loops of one operation each.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A file some components deep that every Debian machine has, and no rule is about.
const FILE: &str = "/usr/share/doc/base-files/copyright";

/// One operation, repeated.
#[derive(Clone, Copy)]
pub(super) enum Workload {
    /// A system call that no rule can ask about.
    Getppid,
    /// Opening a file for reading, and closing it.
    OpenClose,
    /// A process that runs `/bin/true`.
    ForkExec,
    /// A TCP connection to a listener on loopback, and its end.
    Connect,
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

    /// Nanoseconds of one operation: the median of five loops.
    fn measure(self) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..5 {
            let (count, time) = match self {
                Self::Getppid => timed(400_000, || {
                    black_box(rustix::process::getppid());
                    Ok(())
                })?,
                Self::OpenClose => timed(60_000, || {
                    drop(open(FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
                    Ok(())
                })?,
                Self::ForkExec => timed(150, || {
                    Command::new("/bin/true").status()?;
                    Ok(())
                })?,
                Self::Connect => connections(2_000)?,
            };
            times.push(time.as_secs_f64() * 1e9 / f64::from(count));
        }
        Ok(super::median(&times))
    }
}

fn timed(count: u32, mut operation: impl FnMut() -> Result<()>) -> Result<(u32, Duration)> {
    let start = Instant::now();
    for _ in 0..count {
        operation()?;
    }
    Ok((count, start.elapsed()))
}

/// Connects to a listener that has room for all of them, so that none is accepted meanwhile.
fn connections(count: u32) -> Result<(u32, Duration)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let std::net::SocketAddr::V4(address) = listener.local_addr()? else {
        anyhow::bail!("the listener is not IPv4");
    };
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, address.port());
    timed(count, || {
        let client = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        // Closing resets the connection, which leaves no port in TIME_WAIT behind.
        sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
        connect(&client, &address).context("cannot connect on loopback")?;
        drop(listener.accept()?);
        Ok(())
    })
}

/// The time of every workload, in their order, on a thread that is pinned to the first CPU that this
/// process may use. (Only that thread: the agent, which we start, must not inherit it.)
pub(super) fn measure_all() -> Result<Vec<f64>> {
    let measuring = std::thread::spawn(|| {
        let allowed = sched_getaffinity(None)?;
        let first = (0..CpuSet::MAX_CPU)
            .find(|cpu| allowed.is_set(*cpu))
            .unwrap_or(0);
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).context("cannot pin to a CPU")?;
        Workload::ALL.into_iter().map(Workload::measure).collect()
    });
    measuring
        .join()
        .map_err(|_| anyhow::anyhow!("the measuring thread panicked"))?
}
