//! Programs at the entry and at the exit of functions of the kernel.

use aya::programs::{FEntry, FExit, Program, ProgramError};
use aya::{Ebpf, Endianness};

use super::SensorError;
use super::kernel::Kernel;
use super::probe::{Hook, Probe};

/// Whether it is a program at a function.
pub(super) fn is_function(probe: &Probe) -> bool {
    matches!(probe.hook, Hook::FunctionEntry(_) | Hook::FunctionExit(_))
}

/// The types of the kernel, as far as the loader wants to know them to attach programs to functions: just the functions,
/// each under its number. All types would take it a tenth of a second and 20 MB.
pub(super) fn types(kernel: &Kernel) -> Result<aya::Btf, SensorError> {
    const HEADER: u32 = 24;
    const FORWARD: u32 = 7 << 24;
    const FUNCTION: u32 = 12 << 24;
    let last = kernel
        .functions
        .iter()
        .map(|(_, id)| *id)
        .max()
        .unwrap_or(0);
    let mut strings = vec![0_u8];
    let mut types: Vec<u8> = Vec::new();
    for number in 1..=last {
        let known = kernel.functions.iter().find(|(_, id)| *id == number);
        let (name, info) = match known {
            Some((name, _)) => {
                let place = u32::try_from(strings.len()).unwrap_or(0);
                strings.extend(name.as_bytes());
                strings.push(0);
                (place, FUNCTION)
            }
            None => (0, FORWARD),
        };
        for word in [name, info, 0] {
            types.extend(word.to_ne_bytes());
        }
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(types.len() + strings.len() + 24);
    // Magic number, version 1, no flags; then the places and lengths of types and strings.
    bytes.extend(0xeb9f_u16.to_ne_bytes());
    bytes.extend([1, 0]);
    for word in [HEADER, 0, length(&types), length(&types), length(&strings)] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(types);
    bytes.extend(strings);
    aya::Btf::parse(&bytes, Endianness::default()).map_err(SensorError::FunctionTypes)
}

/// Loads the programs for functions.
pub(super) fn load(
    programs: &mut Ebpf,
    types: &aya::Btf,
    probes: &[Probe],
) -> Result<(), SensorError> {
    each(programs, probes, |program, probe| {
        match probe.hook {
            Hook::FunctionEntry(name) => {
                let program: &mut FEntry = program.try_into()?;
                program.load(name, types)?;
                super::tell_cost(probe.program, program.info());
            }
            Hook::FunctionExit(name) => {
                let program: &mut FExit = program.try_into()?;
                program.load(name, types)?;
                super::tell_cost(probe.program, program.info());
            }
            Hook::RawTracepoint(_) | Hook::SyscallExit(_) | Hook::CalledExit(_) => {}
        }
        Ok(())
    })
}

/// Attaches the programs for functions.
pub(super) fn attach(programs: &mut Ebpf, probes: &[Probe]) -> Result<(), SensorError> {
    each(programs, probes, |program, probe| {
        match probe.hook {
            Hook::FunctionEntry(_) => {
                let program: &mut FEntry = program.try_into()?;
                program.attach()?;
            }
            Hook::FunctionExit(_) => {
                let program: &mut FExit = program.try_into()?;
                program.attach()?;
            }
            Hook::RawTracepoint(_) | Hook::SyscallExit(_) | Hook::CalledExit(_) => {}
        }
        Ok(())
    })
}

/// Does something with each program at a function.
fn each(
    programs: &mut Ebpf,
    probes: &[Probe],
    mut work: impl FnMut(&mut Program, &Probe) -> Result<(), ProgramError>,
) -> Result<(), SensorError> {
    for probe in probes.iter().filter(|probe| is_function(probe)) {
        let program = programs
            .program_mut(probe.program)
            .ok_or(SensorError::Incomplete(probe.program))?;
        work(program, probe).map_err(|source| SensorError::Refused {
            program: probe.program,
            source,
        })?;
    }
    Ok(())
}
