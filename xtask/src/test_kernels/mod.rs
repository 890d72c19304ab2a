//! `cargo xtask test-kernels`: the agent under other kernels than this machine's, each in a virtual
//! machine of its own.
//!
//! What the verifier accepts, where structures keep their members and which tracepoints there are
//! differs from kernel to kernel. A machine boots one of Debian's kernels with nothing but the agent
//! and busybox, runs the agent with each rule set of [`RUNS`], and does what the rules are about;
//! what it says on its serial console is judged here.

mod console;
mod debian_kernel;
mod initramfs;
mod machine;
mod report;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{build, setup, tool};
use console::Transcript;
use debian_kernel::KERNELS;
use machine::{Acceleration, Machine};

/// One start of the agent in the machine.
struct Run {
    /// What it is called in the console and in the report.
    name: &'static str,
    /// Where its rules are in the machine.
    rules: &'static str,
    /// Whether the agent is to read the kernel as on 5.8, whatever the kernel has.
    is_oldest: bool,
    /// What is done, so that every rule has to fire.
    act: Act,
}

/// What a machine does while the agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Nothing: the agent only has to be ready.
    Nothing,
    /// What the rules of [`ACTED`] are about.
    Calls,
    /// What the rules of [`USED`] are about.
    Used,
    /// What the rules of [`IO_URING`] are about.
    IoUring,
    /// What the rules of [`IO_URING_BIND`] are about.
    IoUringBind,
}

impl Act {
    /// The function of `init.sh`.
    fn function(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Calls => "act",
            Self::Used => "act_used",
            Self::IoUring => "act_io_uring",
            Self::IoUringBind => "act_io_uring_bind",
        }
    }

    /// The rules that have to fire.
    fn expected(self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Calls => console::rules_in(ACTED),
            Self::Used => console::rules_in(USED),
            Self::IoUring => console::rules_in(IO_URING),
            Self::IoUringBind => console::rules_in(IO_URING_BIND),
        }
    }
}

/// The rules of which each is fired by a line of `init.sh`.
const ACTED: &str = include_str!("acted.yaml");

/// The same for what the kernel used of a call.
const USED: &str = include_str!("used.yaml");

/// The same for `io_uring`.
const IO_URING: &str = include_str!("io_uring.yaml");

/// The same for the operations of newer kernels.
const IO_URING_BIND: &str = include_str!("io_uring_bind.yaml");

/// Programs of the tests that a machine runs.
const TRIGGERS: &[&str] = &[
    "call_32_bit",
    "flip_destination",
    "flip_name",
    "ring_file",
    "ring_operation",
    "ring_socket",
];

/// A rule that no event can be excluded for, so that every program is loaded and attached.
const EVERY_EVENT: &str = include_str!("every_event.yaml");

/// Each rule set twice: with the newest ways of reading that the kernel offers, and with those of 5.8.
const RUNS: &[Run] = &[
    Run {
        name: "acted",
        rules: "/tests/acted.yaml",
        is_oldest: false,
        act: Act::Calls,
    },
    Run {
        name: "acted, oldest ways",
        rules: "/tests/acted.yaml",
        is_oldest: true,
        act: Act::Calls,
    },
    Run {
        name: "used",
        rules: "/tests/used.yaml",
        is_oldest: false,
        act: Act::Used,
    },
    Run {
        name: "used, oldest ways",
        rules: "/tests/used.yaml",
        is_oldest: true,
        act: Act::Used,
    },
    Run {
        name: "io_uring",
        rules: "/tests/io_uring.yaml",
        is_oldest: false,
        act: Act::IoUring,
    },
    Run {
        name: "io_uring, bind and listen",
        rules: "/tests/io_uring_bind.yaml",
        is_oldest: false,
        act: Act::IoUringBind,
    },
    Run {
        name: "default rules",
        rules: "/rules",
        is_oldest: false,
        act: Act::Nothing,
    },
    Run {
        name: "default rules, oldest ways",
        rules: "/rules",
        is_oldest: true,
        act: Act::Nothing,
    },
    Run {
        name: "every event",
        rules: "/tests/every_event.yaml",
        is_oldest: false,
        act: Act::Nothing,
    },
    Run {
        name: "every event, oldest ways",
        rules: "/tests/every_event.yaml",
        is_oldest: true,
        act: Act::Nothing,
    },
];

/// Builds the agent and tests it under each kernel, or those of the named series.
pub(crate) fn run(series: &[String], debug: bool) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the machines are x86-64, and an agent that runs in them is built on x86-64 only");
    }
    let known = || KERNELS.iter().map(|kernel| kernel.series);
    if let Some(unknown) = series
        .iter()
        .find(|name| !known().any(|series| series == *name))
    {
        let known: Vec<&str> = known().collect();
        bail!(
            "there is no kernel {unknown} to test; there are {}",
            known.join(", ")
        );
    }
    setup::run(setup::Scope::Machines)?;
    let programs = initramfs::Programs {
        agent: build::run(!debug)?,
        triggers: TRIGGERS
            .iter()
            .map(|name| Ok((*name, build::trigger(name)?)))
            .collect::<Result<_>>()?,
    };
    let cache = tool::workspace().join("target/kernels");
    let initramfs = cache.join("initramfs.cpio");

    let mut acceleration = Acceleration::detect();
    let mut failed = Vec::new();
    for kernel in KERNELS {
        if !series.is_empty() && !series.iter().any(|name| name == kernel.series) {
            continue;
        }
        let outcome = kernel.fetch(&cache).and_then(|image| {
            initramfs::build(&programs, &kernel.runs(), &initramfs)?;
            let console = cache.join(format!("{}.console", kernel.series));
            boot(&image, &initramfs, &console, &mut acceleration)
        });
        match outcome {
            Ok(transcript) => {
                tool::say(&format!("Linux {}:", transcript.release));
                if !report::say(&transcript, &kernel.runs(), kernel.silent) {
                    failed.push(kernel.series);
                }
            }
            Err(error) if kernel.is_required => {
                tool::say(&format!("Linux {}: {error:#}", kernel.series));
                failed.push(kernel.series);
            }
            Err(error) => tool::say(&format!("Linux {}: not tested: {error:#}", kernel.series)),
        }
    }
    if !failed.is_empty() {
        bail!("the agent does not hold under Linux {}", failed.join(", "));
    }
    Ok(())
}

/// Runs a machine to its end, and keeps what it said in the file `console`. An acceleration that does not get it to boot is given up for good.
fn boot(
    image: &Path,
    initramfs: &Path,
    console: &Path,
    acceleration: &mut Acceleration,
) -> Result<Transcript> {
    loop {
        let machine = Machine {
            kernel: image,
            initramfs,
            acceleration: *acceleration,
        };
        tool::say(&format!("booting {}, {acceleration}", image.display()));
        let ended = machine.run()?;
        fs::write(console, ended.lines.join("\n"))
            .with_context(|| format!("cannot write {}", console.display()))?;
        let transcript = Transcript::parse(&ended.lines);
        if transcript.release.is_empty() && *acceleration == Acceleration::Kvm {
            tool::say("it does not boot so; emulating it");
            *acceleration = Acceleration::Emulated;
            continue;
        }
        if !transcript.is_complete {
            bail!(
                "the machine {}; its console ends with\n{}",
                ended.reason,
                ended.tail()
            );
        }
        return Ok(transcript);
    }
}
