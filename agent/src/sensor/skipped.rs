//! Times that the kernel did not run a program of ours: it leaves one out when it, or any program of the kind, is at
//! work on the same CPU already, as when a task is preempted in it. What the program would have recorded is lost.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::own_process::bpf;

/// Command of bpf(2).
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
/// Bytes of `struct bpf_prog_info` up to and with `recursion_misses` (Linux 5.12), which is the last of them. Older
/// kernels leave it zero.
const INFORMATION_BYTES: u32 = 216;
/// The same in words.
const INFORMATION_WORDS: usize = INFORMATION_BYTES as usize / 8;

/// The part of `union bpf_attr` that the command needs.
#[repr(C)]
struct InformationAttributes {
    descriptor: u32,
    length: u32,
    information: u64,
}

/// An attached program.
#[derive(Debug)]
pub(super) struct Attached {
    /// Whether it tells of processes: exec, fork, exit.
    pub(super) of_processes: bool,
    descriptor: OwnedFd,
}

impl Attached {
    /// Keeps a descriptor of its own.
    pub(super) fn new(of_processes: bool, program: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self {
            of_processes,
            descriptor: program.try_clone_to_owned()?,
        })
    }

    /// How often the kernel has left it out.
    pub(super) fn skipped(&self) -> io::Result<u64> {
        let mut information = [0_u64; INFORMATION_WORDS];
        let attributes = InformationAttributes {
            descriptor: self.descriptor.as_raw_fd().cast_unsigned(),
            length: INFORMATION_BYTES,
            information: (&raw mut information).addr() as u64,
        };
        bpf(OBJ_GET_INFO_BY_FD, attributes)?;
        Ok(information[INFORMATION_WORDS - 1])
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::super::own_process::load;
    use super::*;

    #[test]
    fn what_never_ran_was_never_skipped() {
        let program = load().unwrap();
        let attached = Attached::new(true, program.as_fd()).unwrap();
        assert_eq!(attached.skipped().unwrap(), 0);
    }
}
