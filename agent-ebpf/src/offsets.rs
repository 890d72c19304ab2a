//! Where the members of kernel structures are, resolved by the agent from the running kernel's BTF.

/// Offsets in bytes; the programs read them as a read-only global, so the verifier sees constants.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.pid`
    pub task_pid: u32,
}
