//! System calls by other ABIs than that of 64-bit programs: which program records which of them.

use std::fs;
use std::path::Path;

use agent_ebpf::{
    FOREIGN_IPC, FOREIGN_IPCS, FOREIGN_PROGRAMS, FOREIGN_SOCKET, FOREIGN_SOCKETCALL, FOREIGN_X32,
    ForeignCall, IN_MEMORY, REARRANGED, names,
};
use aya::Ebpf;
use aya::maps::Array;

use super::called::CalledPrograms;
use super::probe::directory_calls;
use super::{SensorError, Wanted};
use crate::event::EventType;
use crate::event::table::SeenBy;
use crate::event::table::foreign::{
    Arguments, ForeignNumber, I386, IPC, IPC_CALLS, SAME_NUMBERS, SOCKETCALL, SOCKETCALLS, X32,
    i386_arguments, ipc_arguments, socketcall_arguments,
};

/// Whether this kernel runs calls by another ABI.
///
/// For 32-bit ones, the switch of their vDSO is there if it was built for them (`CONFIG_IA32_EMULATION`), and
/// the command line can turn them off or on since 6.7. For x32 a kernel tells only where a switch was patched in, as
/// by Debian.
pub fn runs_other_abis() -> bool {
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let x32 = fs::read_to_string("/sys/module/syscall/parameters/x32");
    (Path::new("/proc/sys/abi/vsyscall32").exists() && !forbids_32_bit(&command_line))
        || x32.is_ok_and(|switch| switch.trim_end() == "Y")
}

/// Whether a kernel's command line turns 32-bit calls off: the last word about it counts.
fn forbids_32_bit(command_line: &str) -> bool {
    let last = command_line
        .split_ascii_whitespace()
        // What follows is for the first program.
        .take_while(|word| *word != "--")
        .filter_map(|word| word.strip_prefix("ia32_emulation="))
        .last();
    // As the kernel's kstrtobool() reads it.
    last.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.starts_with(['n', 'f', '0']) || value.starts_with("of")
    })
}

/// Loads the programs that the wanted calls need and fills the tables by which they are called.
pub(super) fn set(
    programs: &mut Ebpf,
    called: &mut CalledPrograms,
    wanted: &Wanted,
) -> Result<(), SensorError> {
    let calls = calls(wanted);
    let mut needed: Vec<u8> = calls.iter().map(|(_, call)| call.program).collect();
    needed.retain(|program| usize::from(*program) <= FOREIGN_PROGRAMS.len());
    needed.sort_unstable();
    needed.dedup();
    let failed = |map| move |source| SensorError::Map { map, source };
    for number in needed {
        let index = number - 1;
        let name = FOREIGN_PROGRAMS[usize::from(index)];
        called.load(programs, name, u32::from(index))?;
    }
    let map = programs
        .map_mut(names::FOREIGN)
        .ok_or(SensorError::Incomplete(names::FOREIGN))?;
    let mut foreign: Array<_, ForeignBytes> = map.try_into().map_err(failed(names::FOREIGN))?;
    for (place, call) in calls {
        foreign
            .set(place, ForeignBytes(call), 0)
            .map_err(failed(names::FOREIGN))?;
    }
    Ok(())
}

/// A [`ForeignCall`] as the value of a map.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct ForeignBytes(ForeignCall);

// SAFETY: it is made of numbers, without padding.
unsafe impl aya::Pod for ForeignBytes {}

/// Every foreign call that is wanted, with its place in the table.
fn calls(wanted: &Wanted) -> Vec<(u32, ForeignCall)> {
    let call = |number: u32, arguments: Arguments| {
        let program = program_of(wanted, number)?;
        let index = FOREIGN_PROGRAMS.iter().position(|name| *name == program)?;
        let (flags, sources) = match arguments {
            Arguments::Same => (0, [0; 6]),
            Arguments::Words(sources) => (REARRANGED, sources),
            Arguments::InMemory => (IN_MEMORY, [0; 6]),
        };
        Some(ForeignCall {
            number: u16::try_from(number).ok()?,
            program: u8::try_from(index + 1).ok()?,
            flags,
            sources,
            reserved: [0; 2],
        })
    };
    let mut calls = Vec::new();
    let mut add = |base: u32, numbers: &[ForeignNumber], arguments: fn(u32) -> Arguments| {
        let before = calls.len();
        for (number, foreign) in numbers {
            let number = u32::try_from(*number).ok();
            let found = number.and_then(|number| call(number, arguments(*foreign)));
            calls.extend(found.map(|call| (base + foreign, call)));
        }
        calls.len() > before
    };
    add(0, I386, i386_arguments);
    let same: Vec<ForeignNumber> = (SAME_NUMBERS..FOREIGN_X32)
        .map(|number| (number.into(), number))
        .collect();
    add(0, &same, |_| Arguments::Same);
    let has_socketcall = add(FOREIGN_SOCKET, SOCKETCALLS, socketcall_arguments);
    let has_ipc = add(FOREIGN_IPCS, IPC_CALLS, ipc_arguments);
    add(FOREIGN_X32, X32, |_| Arguments::Same);
    // The other calls of x32 have the numbers of the 64-bit ones.
    let own = |number: u32| X32.iter().any(|(call, _)| i64::from(number) == *call);
    let others: Vec<ForeignNumber> = (0..512)
        .filter(|number| !own(*number))
        .map(|number| (number.into(), number))
        .collect();
    add(FOREIGN_X32, &others, |_| Arguments::Same);
    for (is_there, place, program) in [
        (has_socketcall, SOCKETCALL, FOREIGN_SOCKETCALL),
        (has_ipc, IPC, FOREIGN_IPC),
    ] {
        if is_there {
            let several = ForeignCall {
                program,
                ..ForeignCall::default()
            };
            calls.push((place, several));
        }
    }
    calls
}

/// The program that records a call when it comes by another ABI; `None` if it is not wanted.
fn program_of(wanted: &Wanted, number: u32) -> Option<&'static str> {
    let event = EventType::from_syscall(number).and_then(|event| event_program(wanted, event));
    if wanted.working_directory && directory_calls().any(|call| call == number) {
        return Some(match event {
            Some("foreign_plain") => "foreign_chdir_plain",
            Some("foreign_descriptor") => "foreign_chdir_descriptor",
            _ => "foreign_chdir",
        });
    }
    event
}

/// The program that records an event when it comes by another ABI; `None` if it is not wanted, or not
/// seen at a system call's exit.
fn event_program(wanted: &Wanted, event: EventType) -> Option<&'static str> {
    let name = match event {
        EventType::EXECVE if wanted.failures.contains(event) => "foreign_execve",
        EventType::EXECVEAT if wanted.failures.contains(event) => "foreign_execveat",
        _ if !wanted.events.contains(event) => return None,
        EventType::OPEN | EventType::OPENAT | EventType::OPENAT2 | EventType::CREAT => {
            "foreign_open"
        }
        EventType::CONNECT => "foreign_connect",
        _ => {
            let definition = event.definition()?;
            if definition.seen_by != SeenBy::Capture {
                return None;
            }
            match definition.program() {
                agent_ebpf::CaptureProgram::Plain => "foreign_plain",
                agent_ebpf::CaptureProgram::Path => "foreign_path",
                agent_ebpf::CaptureProgram::Descriptor => "foreign_descriptor",
                agent_ebpf::CaptureProgram::List => "foreign_list",
            }
        }
    };
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(events: &[EventType]) -> Wanted {
        Wanted {
            events: events.iter().copied().collect(),
            ..Wanted::default()
        }
    }

    fn at(calls: &[(u32, ForeignCall)], place: u32) -> Option<(&'static str, u16)> {
        let (_, call) = calls.iter().find(|(known, _)| *known == place)?;
        let name = FOREIGN_PROGRAMS.get(usize::from(call.program).checked_sub(1)?)?;
        Some((name, call.number))
    }

    #[test]
    fn calls_have_the_numbers_of_their_abi() {
        let unlink = EventType::from_name("unlink").unwrap();
        let sendto = EventType::from_name("sendto").unwrap();
        let recvfrom = EventType::from_name("recvfrom").unwrap();
        let calls = calls(&wanted(&[
            EventType::OPENAT,
            EventType::CONNECT,
            unlink,
            sendto,
            recvfrom,
        ]));
        for (place, expected) in [
            (295, Some(("foreign_open", 257))),
            (362, Some(("foreign_connect", 42))),
            (10, Some(("foreign_path", 87))),
            (5, None),
            (FOREIGN_SOCKET + 3, Some(("foreign_connect", 42))),
            (FOREIGN_SOCKET + 11, Some(("foreign_descriptor", 44))),
            (FOREIGN_X32 + 257, Some(("foreign_open", 257))),
            // recvfrom has a number of its own, and not that of the 64-bit call.
            (FOREIGN_X32 + 517, Some(("foreign_descriptor", 45))),
            (FOREIGN_X32 + 45, None),
            (FOREIGN_X32 + 59, None),
            (FOREIGN_SOCKET + 9, Some(("foreign_descriptor", 44))),
        ] {
            assert_eq!(at(&calls, place), expected, "{place}");
        }
        let socketcall = calls
            .iter()
            .find(|(place, _)| *place == SOCKETCALL)
            .unwrap();
        assert_eq!(socketcall.1.program, FOREIGN_SOCKETCALL);
    }

    #[test]
    fn the_last_word_of_the_command_line_counts() {
        for (line, expected) in [
            ("quiet", false),
            ("ia32_emulation=0", true),
            ("ia32_emulation=0 ia32_emulation=1", false),
            ("ia32_emulation=on ia32_emulation=Off quiet", true),
            ("ia32_emulation=oN", false),
            ("quiet -- ia32_emulation=false", false),
        ] {
            assert_eq!(forbids_32_bit(line), expected, "{line}");
        }
    }

    #[test]
    fn places_are_within_the_table_and_apart() {
        let all = Wanted {
            events: crate::event::EventSet::all(),
            failures: crate::event::EventSet::all(),
            ..Wanted::default()
        };
        let mut places: Vec<u32> = calls(&all).iter().map(|(place, _)| *place).collect();
        assert!(
            places
                .iter()
                .all(|place| *place < agent_ebpf::FOREIGN_CALLS)
        );
        let number = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), number);
    }
}
