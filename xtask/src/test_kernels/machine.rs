//! A virtual machine: QEMU with a kernel, an initramfs and a serial console, and nothing else. It has
//! no network and no disk.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// Until the first line, with the processor's help; a few seconds are enough.
const BOOT_LIMIT: Duration = Duration::from_secs(20);

/// Until the end, emulated on a busy machine.
const LIMIT: Duration = Duration::from_mins(15);

/// Lines of the console that explain a failure.
const TAIL: usize = 40;

/// Who executes the machine's instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Acceleration {
    /// The processor itself, through /dev/kvm.
    Kvm,
    /// QEMU, some ten times slower.
    Emulated,
}

impl Acceleration {
    /// The best that may work: in a machine that is virtual itself, /dev/kvm can be there and boot
    /// nothing.
    pub(super) fn detect() -> Self {
        let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm");
        if kvm.is_ok() {
            Self::Kvm
        } else {
            Self::Emulated
        }
    }
}

impl fmt::Display for Acceleration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kvm => "with KVM",
            Self::Emulated => "emulated",
        })
    }
}

/// A machine to run.
pub(super) struct Machine<'a> {
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) acceleration: Acceleration,
}

/// What a machine said until its end.
pub(super) struct Ended {
    pub(super) lines: Vec<String>,
    /// How it came to its end.
    pub(super) reason: &'static str,
}

impl Ended {
    /// The last lines.
    pub(super) fn tail(&self) -> String {
        let start = self.lines.len().saturating_sub(TAIL);
        self.lines[start..].join("\n")
    }
}

impl Machine<'_> {
    /// Runs it until it powers off, or is out of time.
    pub(super) fn run(&self) -> Result<Ended> {
        let mut qemu = self
            .command()
            .spawn()
            .context("cannot start qemu-system-x86_64")?;
        let ended = self.listen(&mut qemu);
        // Whatever happened, it is not left behind; one that has ended already is no error.
        qemu.kill().context("cannot end QEMU")?;
        qemu.wait()?;
        ended
    }

    fn command(&self) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
        // A panic ends the machine too: it would reboot.
        command.arg("-no-reboot");
        match self.acceleration {
            Acceleration::Kvm => {
                command.args(["-accel", "kvm", "-cpu", "host"]);
            }
            Acceleration::Emulated => {
                command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]);
            }
        }
        command.args(["-m", "1024", "-smp", "2", "-serial", "stdio"]);
        command.arg("-kernel").arg(self.kernel);
        command.arg("-initrd").arg(self.initramfs);
        command.args(["-append", "console=ttyS0 panic=-1 quiet"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn listen(&self, qemu: &mut Child) -> Result<Ended> {
        let console = qemu.stdout.take().ok_or_else(|| anyhow!("no console"))?;
        let complaints = qemu.stderr.take().ok_or_else(|| anyhow!("no stderr"))?;
        let (sender, receiver) = mpsc::channel();
        let complaint_sender = sender.clone();
        // They end with QEMU, which closes its side.
        std::thread::spawn(move || forward(console, &sender));
        std::thread::spawn(move || forward(complaints, &complaint_sender));
        let start = Instant::now();
        let mut lines = Vec::new();
        let mut limit = match self.acceleration {
            Acceleration::Kvm => BOOT_LIMIT,
            Acceleration::Emulated => LIMIT,
        };
        let reason = loop {
            match receiver.recv_timeout(limit.saturating_sub(start.elapsed())) {
                Ok(line) => {
                    if line.starts_with(super::console::BOOTED) {
                        limit = LIMIT;
                    }
                    lines.push(line);
                }
                Err(RecvTimeoutError::Timeout) => break "was out of time",
                Err(RecvTimeoutError::Disconnected) => break "ended too early",
            }
        };
        Ok(Ended { lines, reason })
    }
}

/// Sends each line, of whatever bytes, until the end.
fn forward(from: impl std::io::Read, to: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    // An error ends it like the end does: QEMU is gone.
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|bytes| bytes > 0)
    {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if to.send(text).is_err() {
            return;
        }
    }
}
