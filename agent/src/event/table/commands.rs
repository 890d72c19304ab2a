//! Calls that do several things, by a command among their arguments: which parameters belong to which command.

use crate::event::Call;

/// The commands in which a parameter means something.
#[derive(Debug)]
pub struct Commands {
    /// The argument with the command (from 1), 32 bits wide.
    pub argument: u8,
    /// Bits below the command in it.
    pub shift: u8,
    /// Those to which the value is passed.
    pub passing: &'static [u32],
    /// Those that return it, if they succeed.
    pub returning: &'static [u32],
    /// Where in the structure that has the value a number says which members are valid, and its bit for this one.
    pub valid: Option<(u8, u32)>,
}

impl Commands {
    /// Of this call, the commands that pass a value.
    pub(super) const fn passing(argument: u8, passing: &'static [u32]) -> Self {
        Self {
            argument,
            shift: 0,
            passing,
            returning: &[],
            valid: None,
        }
    }

    /// Whether the call is one of them; `memory` is the structure that has the value.
    pub fn hold(&self, call: &Call<'_>, succeeded: bool, memory: Option<&[u8]>) -> bool {
        let position = usize::from(self.argument).checked_sub(1);
        let Some(argument) = position.and_then(|position| call.arguments.get(position)) else {
            return false;
        };
        let command = u32::try_from((*argument & 0xffff_ffff) >> self.shift).unwrap_or(u32::MAX);
        let is_there =
            self.passing.contains(&command) || succeeded && self.returning.contains(&command);
        is_there
            && self.valid.is_none_or(|(offset, bit)| {
                let bits = memory
                    .and_then(|memory| memory.get(usize::from(offset)..))
                    .and_then(<[u8]>::first_chunk);
                bits.is_some_and(|bits| u32::from_le_bytes(*bits) & bit != 0)
            })
    }
}
