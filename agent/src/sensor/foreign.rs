//! System calls by other ABIs than that of 64-bit programs: which program records which of them.

use std::fs;
use std::path::Path;

use agent_ebpf::{
    FOREIGN_PROGRAMS, FOREIGN_SOCKET, FOREIGN_SOCKETCALL, FOREIGN_X32, ForeignCall, names,
};
use aya::Ebpf;
use aya::maps::{Array, MapData, ProgramArray};
use aya::programs::RawTracePoint;

use super::{SensorError, Wanted};
use crate::event::EventType;
use crate::event::table::SeenBy;
use crate::event::table::foreign::{I386, SOCKETCALL, SOCKETCALLS, X32};

/// Whether this kernel runs 32-bit calls. The switch of their vDSO is there if it was built for them
/// (`CONFIG_IA32_EMULATION`); the command line can forbid them since 6.7.
pub fn runs_32_bit_calls() -> bool {
    let is_forbidden = |line: &str| {
        line.split_ascii_whitespace().any(|word| {
            word.strip_prefix("ia32_emulation=")
                .is_some_and(|value| matches!(value, "0" | "off" | "n" | "N" | "false"))
        })
    };
    Path::new("/proc/sys/abi/vsyscall32").exists()
        && !fs::read_to_string("/proc/cmdline").is_ok_and(|line| is_forbidden(&line))
}

/// Loads the programs that the wanted calls need and fills the tables by which they are called; returns that
/// of the programs, which has to be kept.
pub(super) fn set(
    programs: &mut Ebpf,
    wanted: &Wanted,
) -> Result<ProgramArray<MapData>, SensorError> {
    let calls = calls(wanted);
    let mut needed: Vec<u8> = calls.iter().map(|(_, call)| call.program).collect();
    needed.retain(|program| *program != FOREIGN_SOCKETCALL);
    needed.sort_unstable();
    needed.dedup();
    let failed = |map| move |source| SensorError::Map { map, source };
    let mut table: ProgramArray<_> = programs
        .take_map(names::PROGRAMS)
        .ok_or(SensorError::Incomplete(names::PROGRAMS))?
        .try_into()
        .map_err(failed(names::PROGRAMS))?;
    for number in needed {
        let index = usize::from(number) - 1;
        let name = FOREIGN_PROGRAMS[index];
        let refused = |source| SensorError::Refused {
            program: name,
            source,
        };
        let program: &mut RawTracePoint = programs
            .program_mut(name)
            .ok_or(SensorError::Incomplete(name))?
            .try_into()
            .map_err(refused)?;
        program.load().map_err(refused)?;
        super::tell_cost(name, program.info());
        let descriptor = program.fd().map_err(refused)?;
        table
            .set(u32::from(number) - 1, descriptor, 0)
            .map_err(failed(names::PROGRAMS))?;
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
    Ok(table)
}

/// A [`ForeignCall`] as the value of a map.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct ForeignBytes(ForeignCall);

// SAFETY: it is made of numbers, without padding.
unsafe impl aya::Pod for ForeignBytes {}

/// Every foreign call that is wanted, with its place in the table.
fn calls(wanted: &Wanted) -> Vec<(u32, ForeignCall)> {
    let call = |number: libc::c_long| {
        let number = u16::try_from(number).ok()?;
        let program = program_of(wanted, EventType::from_syscall(u32::from(number))?)?;
        let index = FOREIGN_PROGRAMS.iter().position(|name| *name == program)?;
        Some(ForeignCall {
            number,
            program: u8::try_from(index + 1).ok()?,
            reserved: 0,
        })
    };
    let mut calls = Vec::new();
    for (numbers, base) in [(I386, 0), (SOCKETCALLS, FOREIGN_SOCKET), (X32, FOREIGN_X32)] {
        for (number, foreign) in numbers {
            calls.extend(call(*number).map(|call| (base + foreign, call)));
        }
    }
    if calls.iter().any(|(place, _)| *place >= FOREIGN_SOCKET) {
        let socketcall = ForeignCall {
            number: 0,
            program: FOREIGN_SOCKETCALL,
            reserved: 0,
        };
        calls.push((SOCKETCALL, socketcall));
    }
    // The other calls of x32 have the numbers of the 64-bit ones.
    let own = |number: u32| {
        X32.iter()
            .any(|(call, _)| libc::c_long::from(number) == *call)
    };
    for number in (0..512_u32).filter(|number| !own(*number)) {
        calls.extend(call(libc::c_long::from(number)).map(|call| (FOREIGN_X32 + number, call)));
    }
    calls
}

/// The program that records an event when it comes by another ABI; `None` if it is not wanted, or not
/// seen at a system call's exit.
fn program_of(wanted: &Wanted, event: EventType) -> Option<&'static str> {
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
