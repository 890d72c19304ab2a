//! Which eBPF programs there are, and which of them a rule set needs.

use std::fmt;

use agent_ebpf::{Capture, OPEN_FAILED, OPEN_READ, OPEN_WRITE, RECORD_FAILURE, RECORD_SUCCESS};

use super::io_uring;
use super::security_hook;
use crate::event::table::{EventDefinition, SeenBy};
use crate::event::{EventSet, EventType};

/// One eBPF program and where it is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The program's name in the object; several hooks may share one.
    pub program: &'static str,
    /// What it is attached to.
    pub hook: Hook,
}

/// A place in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A tracepoint, with its arguments as the kernel passes them.
    RawTracepoint(&'static str),
    /// The exit of one system call: costs every system call of the machine some 70 ns, and this
    /// one what its program does.
    SyscallExit(SystemCall),
    /// The same by way of the program at the exit of all system calls, which calls this one.
    CalledExit(SystemCall),
    /// The entry of a function of the kernel.
    FunctionEntry(&'static str),
    /// The exit of a function of the kernel.
    FunctionExit(&'static str),
}

/// A system call at whose exit a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// Its name in the kernel's `sys_exit_*` tracepoints.
    pub name: &'static str,
    /// Its number in the ABI of 64-bit programs.
    pub number: u32,
}

impl fmt::Display for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hook {
            Hook::RawTracepoint(name) => write!(formatter, "raw_tracepoint {name}"),
            Hook::SyscallExit(call) => {
                write!(formatter, "tracepoint syscalls/sys_exit_{}", call.name)
            }
            Hook::CalledExit(call) => write!(formatter, "raw_tracepoint sys_exit: {}", call.name),
            Hook::FunctionEntry(name) => write!(formatter, "fentry {name}"),
            Hook::FunctionExit(name) => write!(formatter, "fexit {name}"),
        }
    }
}

const fn raw(name: &'static str) -> Probe {
    Probe {
        program: name,
        hook: Hook::RawTracepoint(name),
    }
}

const fn exit(program: &'static str, name: &'static str, number: u32) -> Probe {
    Probe {
        program,
        hook: Hook::SyscallExit(SystemCall { name, number }),
    }
}

/// The same by the constant of `libc`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of system calls are small"
)]
const fn exit_of(program: &'static str, name: &'static str, number: libc::c_long) -> Probe {
    exit(program, name, number as u32)
}

/// The calls that change the working directory; setns and `pivot_root` can move it along with the root.
const DIRECTORY_CALLS: [Probe; 4] = [
    exit_of("sys_exit_chdir", "chdir", libc::SYS_chdir),
    exit_of("sys_exit_chdir", "fchdir", libc::SYS_fchdir),
    exit_of("sys_exit_chdir", "setns", libc::SYS_setns),
    exit_of("sys_exit_chdir", "pivot_root", libc::SYS_pivot_root),
];

/// The numbers of the calls that change the working directory.
pub(super) fn directory_calls() -> impl Iterator<Item = u32> {
    DIRECTORY_CALLS.iter().filter_map(|probe| match probe.hook {
        Hook::SyscallExit(call) => Some(call.number),
        _ => None,
    })
}

/// What keeps the process table right, and costs no system call anything.
const STATE: [Probe; 4] = [
    raw("sched_process_exec"),
    raw("sched_process_fork"),
    raw("sched_process_exit"),
    raw("cgroup_mkdir"),
];

/// What sees the exit of every system call.
pub(super) const AT_EVERY_EXIT: Probe = raw(agent_ebpf::names::SYS_EXIT);

/// Whether a program keeps the process table right.
pub(super) fn keeps_processes(program: &str) -> bool {
    STATE.iter().any(|probe| probe.program == program)
}

/// What the rules ask of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the rules may ask"
)]
pub struct Wanted {
    /// The events that some rule can match.
    pub events: EventSet,
    /// Of them, those whose failures some rule can match.
    pub failures: EventSet,
    /// Whether some rule can match an open that cannot write.
    pub open_read: bool,
    /// Whether some rule can match an open that can write.
    pub open_write: bool,
    /// Whether calls by other ABIs than that of 64-bit programs are recorded.
    pub other_abis: bool,
    /// Whether operations of `io_uring` are recorded.
    pub io_uring: bool,
    /// Whether some rule or output asks for the working directory.
    pub working_directory: bool,
    /// Whether some rule or output asks for the device or inode of an opened file.
    pub open_inode: bool,
    /// Whether some rule or output asks what the descriptors that a call has in memory stand for.
    pub listed: bool,
    /// Whether an exec has to be handled while the program still runs.
    pub exec_at_once: bool,
}

impl Wanted {
    /// The programs to attach.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = STATE.to_vec();
        let mut add = |event, probe| {
            if self.events.contains(event) {
                probes.push(probe);
            }
        };
        add(
            EventType::OPEN,
            exit_of("sys_exit_open", "open", libc::SYS_open),
        );
        add(
            EventType::OPENAT,
            exit_of("sys_exit_open", "openat", libc::SYS_openat),
        );
        add(
            EventType::OPENAT2,
            exit_of("sys_exit_open", "openat2", libc::SYS_openat2),
        );
        add(
            EventType::CREAT,
            exit_of("sys_exit_open", "creat", libc::SYS_creat),
        );
        add(EventType::CONNECT, raw("inet_sock_set_state"));
        add(
            EventType::CONNECT,
            exit_of("sys_exit_connect", "connect", libc::SYS_connect),
        );
        // A successful exec comes from the scheduler; its exit is for failures alone.
        if self.failures.contains(EventType::EXECVE) {
            probes.push(exit_of("sys_exit_execve", "execve", libc::SYS_execve));
        }
        if self.failures.contains(EventType::EXECVEAT) {
            probes.push(exit_of("sys_exit_execveat", "execveat", libc::SYS_execveat));
        }
        if self.working_directory {
            probes.extend(DIRECTORY_CALLS);
        }
        for event in self.events.iter() {
            if let Some(EventDefinition {
                seen_by: SeenBy::Tracepoints(names, _),
                ..
            }) = event.definition()
            {
                probes.extend(names.iter().copied().map(raw));
            }
        }
        for (_, definition) in self.captured() {
            if let Some(number) = definition.syscall {
                let program = definition.program().name();
                probes.push(exit(program, definition.tracepoint, number));
            }
        }
        if self.other_abis
            && probes
                .iter()
                .any(|probe| matches!(probe.hook, Hook::SyscallExit(_)))
        {
            probes.push(AT_EVERY_EXIT);
        }
        probes.extend(security_hook::probes(|event| {
            EventType::from_name(event).is_some_and(|event| self.events.contains(event))
        }));
        if self.io_uring {
            probes.extend(io_uring::probes(|event| self.events.contains(event)));
        }
        probes
    }

    /// What is to be taken down of the system calls in general, by their numbers, if these programs are attached.
    pub fn captures(&self, probes: &[Probe]) -> impl Iterator<Item = (u32, Capture)> {
        self.captured().filter_map(move |(event, definition)| {
            let mut capture = definition.capture();
            capture.outcomes = RECORD_SUCCESS;
            if self.failures.contains(event) {
                capture.outcomes |= RECORD_FAILURE;
            }
            capture.hook = security_hook::number_for(definition.name, probes);
            if !self.listed {
                capture.listed = 0;
            }
            Some((definition.syscall?, capture))
        })
    }

    fn captured(&self) -> impl Iterator<Item = (EventType, &'static EventDefinition)> {
        self.events.iter().filter_map(|event| {
            let definition = event.definition()?;
            (definition.seen_by == SeenBy::Capture).then_some((event, definition))
        })
    }

    /// The classes of opens to record, as the kernel side wants them.
    pub fn open_classes(&self) -> u32 {
        let opens: EventSet = [
            EventType::OPEN,
            EventType::OPENAT,
            EventType::OPENAT2,
            EventType::CREAT,
        ]
        .into_iter()
        .collect();
        let mut classes = 0;
        if self.open_read {
            classes |= OPEN_READ;
        }
        if self.open_write {
            classes |= OPEN_WRITE;
        }
        if !self.failures.intersection(opens).is_empty() {
            classes |= OPEN_FAILED;
        }
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(events: &[EventType], failures: &[EventType]) -> Wanted {
        Wanted {
            events: events.iter().copied().collect(),
            failures: failures.iter().copied().collect(),
            ..Wanted::default()
        }
    }

    #[test]
    fn exec_rules_attach_to_no_system_call() {
        let probes = wanted(&[EventType::EXECVE, EventType::EXECVEAT], &[]).probes();
        assert_eq!(probes, STATE);
    }

    #[test]
    fn failures_of_exec_attach_to_its_exit() {
        let probes = wanted(&[EventType::EXECVE], &[EventType::EXECVE]).probes();
        assert_eq!(
            probes.last(),
            Some(&exit_of("sys_exit_execve", "execve", libc::SYS_execve))
        );
    }

    #[test]
    fn only_the_named_calls_are_attached() {
        let names: Vec<_> = wanted(&[EventType::OPENAT, EventType::CONNECT], &[])
            .probes()
            .iter()
            .skip(STATE.len())
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            names,
            [
                "tracepoint syscalls/sys_exit_openat",
                "raw_tracepoint inet_sock_set_state",
                "tracepoint syscalls/sys_exit_connect"
            ]
        );
    }
}
