//! The table of programs that are called by others.

use aya::Ebpf;
use aya::maps::{MapData, ProgramArray};
use aya::programs::{ProgramError, RawTracePoint};

use super::SensorError;
use agent_ebpf::names;

/// The table. The kernel clears it when nobody has it open any more, so it has to be kept.
pub(super) struct CalledPrograms(ProgramArray<MapData>);

impl CalledPrograms {
    /// Takes it from the object.
    pub(super) fn take(programs: &mut Ebpf) -> Result<Self, SensorError> {
        let map = names::PROGRAMS;
        let table = programs
            .take_map(map)
            .ok_or(SensorError::Incomplete(map))?
            .try_into()
            .map_err(|source| SensorError::Map { map, source })?;
        Ok(Self(table))
    }

    /// Loads a program and puts it at a place of the table.
    pub(super) fn load(
        &mut self,
        programs: &mut Ebpf,
        name: &'static str,
        place: u32,
    ) -> Result<(), SensorError> {
        let refused = |source| SensorError::Refused {
            program: name,
            source,
        };
        let program: &mut RawTracePoint = programs
            .program_mut(name)
            .ok_or(SensorError::Incomplete(name))?
            .try_into()
            .map_err(|source: ProgramError| refused(source))?;
        program.load().map_err(refused)?;
        super::tell_cost(name, program.info());
        let descriptor = program.fd().map_err(refused)?;
        self.0
            .set(place, descriptor, 0)
            .map_err(|source| SensorError::Map {
                map: names::PROGRAMS,
                source,
            })
    }
}
