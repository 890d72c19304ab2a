//! System calls of 64-bit programs: whether each has its own tracepoint or all are called by one program at the exit of
//! every call.

use agent_ebpf::names;
use aya::Ebpf;
use aya::maps::{MapData, ProgramArray};
use aya::programs::{ProgramError, RawTracePoint};

use super::SensorError;
use super::probe::{AT_EVERY_EXIT, Hook, Probe};

/// Calls up to which each gets its own tracepoint, unless the program at every exit is there anyway.
///
/// A call that no rule wants costs less by tracepoints (see docs/coverage.md), however many are attached; but the kernel
/// waits each time that it takes one of them away. Measured on a machine under load, one round: with 1, 20, 60 and 351 of
/// them the agent took 0.07, 2.2, 4.9 and 25 s to end; by one program 3 to 50 ms. With this many it is some two seconds,
/// which is what a service manager waits for without complaint.
pub(super) const MOST_TRACEPOINTS: usize = 24;

/// The programs at tracepoints, and what takes their place.
const PROGRAMS: [(&str, &str); 9] = [
    ("sys_exit_open", "native_open"),
    ("sys_exit_connect", "native_connect"),
    ("sys_exit_execve", "native_execve"),
    ("sys_exit_execveat", "native_execveat"),
    ("sys_exit_plain", "native_plain"),
    ("sys_exit_path", "native_path"),
    ("sys_exit_descriptor", "native_descriptor"),
    ("sys_exit_list", "native_list"),
    (DIRECTORY, "native_chdir"),
];

/// A call that changes the working directory has this program, and another one if it is an event: what takes the place
/// of both is called once.
const DIRECTORY: &str = "sys_exit_chdir";
const DIRECTORY_PROGRAMS: [(&str, &str); 2] = [
    ("native_plain", "native_chdir_plain"),
    ("native_descriptor", "native_chdir_descriptor"),
];

/// Looks up what takes the place of a program.
fn replacement(of: &[(&str, &'static str)], program: &str) -> Option<&'static str> {
    let (_, replacement) = of.iter().find(|(replaced, _)| *replaced == program)?;
    Some(replacement)
}

/// What to attach instead if one program at every exit is cheaper; `None` if tracepoints are, or if there is a program
/// that nothing takes the place of.
pub(super) fn by_one_program(probes: &[Probe]) -> Option<Vec<Probe>> {
    let exits = |probe: &&Probe| matches!(probe.hook, Hook::SyscallExit(_));
    let is_there = probes.contains(&AT_EVERY_EXIT);
    if probes.iter().filter(exits).count() <= if is_there { 0 } else { MOST_TRACEPOINTS } {
        return None;
    }
    let mut called: Vec<Probe> = Vec::with_capacity(probes.len() + 1);
    for probe in probes {
        let Hook::SyscallExit(call) = probe.hook else {
            called.push(*probe);
            continue;
        };
        let program = replacement(&PROGRAMS, probe.program)?;
        let hook = Hook::CalledExit(call);
        // The change of the directory comes before the event.
        if let Some(directory) = called.iter_mut().find(|other| other.hook == hook) {
            directory.program = replacement(&DIRECTORY_PROGRAMS, program)?;
        } else {
            called.push(Probe { program, hook });
        }
    }
    if !is_there {
        called.push(AT_EVERY_EXIT);
    }
    Some(called)
}

/// Whether this is why the program at every exit, or one that it calls, cannot be had.
pub(super) fn is_of_them(error: &SensorError) -> bool {
    match error {
        SensorError::Refused { program, .. } => {
            *program == names::SYS_EXIT || program.starts_with("native_")
        }
        SensorError::Attach { hook, .. } => *hook == AT_EVERY_EXIT.to_string(),
        SensorError::Map { map, .. } => *map == names::NATIVE,
        _ => false,
    }
}

/// The table of these programs. The kernel clears it when nobody has it open any more, so it has to be kept.
pub(super) struct NativePrograms {
    _table: Option<ProgramArray<MapData>>,
}

impl NativePrograms {
    /// Loads what the program at every exit is to call, and puts it into the table.
    pub(super) fn load(programs: &mut Ebpf, probes: &[Probe]) -> Result<Self, SensorError> {
        let map = names::NATIVE;
        let failed = |source| SensorError::Map { map, source };
        if !probes
            .iter()
            .any(|probe| matches!(probe.hook, Hook::CalledExit(_)))
        {
            return Ok(Self { _table: None });
        }
        let table = programs.take_map(map).ok_or(SensorError::Incomplete(map))?;
        let mut table = ProgramArray::try_from(table).map_err(failed)?;
        for probe in probes {
            let Hook::CalledExit(call) = probe.hook else {
                continue;
            };
            let refused = |source| SensorError::Refused {
                program: probe.program,
                source,
            };
            let program: &mut RawTracePoint = programs
                .program_mut(probe.program)
                .ok_or(SensorError::Incomplete(probe.program))?
                .try_into()
                .map_err(|source: ProgramError| refused(source))?;
            if program.fd().is_err() {
                program.load().map_err(refused)?;
                super::tell_cost(probe.program, program.info());
            }
            let descriptor = program.fd().map_err(refused)?;
            table.set(call.number, descriptor, 0).map_err(failed)?;
        }
        Ok(Self {
            _table: Some(table),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wanted;
    use super::*;
    use crate::event::{EventSet, EventType};

    fn programs(probes: &[Probe], name: &str) -> Vec<&'static str> {
        probes
            .iter()
            .filter(|probe| matches!(probe.hook, Hook::CalledExit(call) if call.name == name))
            .map(|probe| probe.program)
            .collect()
    }

    #[test]
    fn few_calls_have_tracepoints_unless_the_program_is_there_anyway() {
        let mut wanted = Wanted {
            events: [EventType::OPENAT, EventType::CONNECT]
                .into_iter()
                .collect(),
            ..Wanted::default()
        };
        assert_eq!(by_one_program(&wanted.probes()), None);
        wanted.other_abis = true;
        let called = by_one_program(&wanted.probes()).unwrap();
        assert_eq!(programs(&called, "openat"), ["native_open"]);
        assert_eq!(programs(&called, "connect"), ["native_connect"]);
        assert!(called.contains(&AT_EVERY_EXIT));
        assert!(
            !called
                .iter()
                .any(|probe| matches!(probe.hook, Hook::SyscallExit(_)))
        );
    }

    #[test]
    fn rules_on_no_call_have_no_program_at_every_exit() {
        let wanted = Wanted {
            events: std::iter::once(EventType::EXECVE).collect(),
            other_abis: true,
            ..Wanted::default()
        };
        assert_eq!(by_one_program(&wanted.probes()), None);
    }

    #[test]
    fn every_event_has_its_program_once() {
        let wanted = Wanted {
            events: EventSet::all(),
            failures: EventSet::all(),
            working_directory: true,
            ..Wanted::default()
        };
        let called = by_one_program(&wanted.probes()).unwrap();
        assert_eq!(programs(&called, "chdir"), ["native_chdir_plain"]);
        assert_eq!(programs(&called, "fchdir"), ["native_chdir_descriptor"]);
        assert_eq!(programs(&called, "execve"), ["native_execve"]);
        let mut numbers: Vec<u32> = called
            .iter()
            .filter_map(|probe| match probe.hook {
                Hook::CalledExit(call) => Some(call.number),
                _ => None,
            })
            .collect();
        assert!(numbers.iter().all(|number| *number < agent_ebpf::SYSCALLS));
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }
}
