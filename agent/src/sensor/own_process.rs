//! Who the agent is to the kernel: its process id in the initial pid namespace, which no file tells in a
//! container, and on some hosts not outside of one either.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::event::Pid;

/// Commands of bpf(2).
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`, which can be run without being attached since 5.10.
const RAW_TRACEPOINT: u32 = 17;

/// `struct bpf_insn`: opcode, registers, offset, immediate value.
#[repr(C)]
struct Instruction(u8, u8, i16, i32);

/// Returns the upper half of what `bpf_get_current_pid_tgid` says.
static PROGRAM: [Instruction; 3] = [
    // call bpf_get_current_pid_tgid
    Instruction(0x85, 0, 0, 14),
    // r0 >>= 32
    Instruction(0x77, 0, 0, 32),
    // exit
    Instruction(0x95, 0, 0, 0),
];

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` needs; what follows is zero to the kernel.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// The part that `BPF_PROG_TEST_RUN` needs.
#[repr(C)]
#[derive(Default)]
struct RunAttributes {
    program: u32,
    returned: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    reserved: u32,
}

/// Loads the program.
pub(super) fn load() -> io::Result<OwnedFd> {
    let license = c"Dual MIT/GPL";
    let load = LoadAttributes {
        program_type: RAW_TRACEPOINT,
        instructions: 3,
        code: PROGRAM.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    let descriptor = bpf(PROG_LOAD, load)?.0;
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Asks the kernel, by running a program of three instructions in this process. Fails before 5.10.
pub fn own_pid() -> io::Result<Pid> {
    let program = load()?;
    let run = RunAttributes {
        program: program.as_raw_fd().cast_unsigned(),
        ..RunAttributes::default()
    };
    match bpf(PROG_TEST_RUN, run)?.1.returned {
        0 => Err(io::Error::other("the kernel named no process")),
        pid => Ok(Pid(pid)),
    }
}

/// bpf(2): what it returned, and the attributes with what it wrote there.
pub(super) fn bpf<A>(command: libc::c_int, mut attributes: A) -> io::Result<(libc::c_long, A)> {
    // SAFETY: the kernel reads and writes at most the given size of the attributes, which are a part of
    // `union bpf_attr` with valid pointers of the callers above.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attributes, size_of::<A>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((result, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_us() {
        let pid = own_pid().unwrap();
        assert_eq!(own_pid().unwrap(), pid);
        // In a nested pid namespace the number is another one than ours, but it is one.
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let nested = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))
            .unwrap();
        if nested.split_whitespace().count() > 1 {
            assert!(
                nested
                    .split_whitespace()
                    .any(|own| own == pid.0.to_string())
            );
        }
    }
}
