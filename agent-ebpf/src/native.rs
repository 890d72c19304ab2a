//! System calls by the ABI of 64-bit programs, where one program at the exit of all calls takes the place of a
//! tracepoint for each: what it calls by the number of the call.

use agent_ebpf::SYSCALLS;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::ProgramArray;
use aya_ebpf::programs::RawTracePointContext;

use crate::call;
use crate::connect::connected;
use crate::exec::failed;
use crate::kernel::{Abi, current_task, offset, user_registers};
use crate::open::opened;
use crate::working_directory::changed;

/// The programs below by the number of the call. To call what is not there costs next to nothing, which is why this is a
/// table of programs and not one of their numbers.
#[map]
pub(crate) static NATIVE: ProgramArray = ProgramArray::with_max_entries(SYSCALLS, 0);

/// The number and the result of the call.
#[inline(always)]
fn number_and_result(context: &RawTracePointContext) -> (u32, i64) {
    let number = user_registers(current_task()).u32(offset!(regs_syscall));
    (number, context.arg::<i64>(1))
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_open(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    opened(number, result, Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_connect(context: RawTracePointContext) -> u32 {
    connected(context.arg(1), Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_execve(context: RawTracePointContext) -> u32 {
    failed(context.arg(1), 0, Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_execveat(context: RawTracePointContext) -> u32 {
    failed(context.arg(1), 1, Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_plain(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    call::plain(number, result, Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_path(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    call::with_paths(number, result, Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_descriptor(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    call::with_descriptor(number, result, Abi::Native)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_list(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    call::with_list(number, result, Abi::Native)
}

/// A change of the working directory that is no event to any rule.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_chdir(context: RawTracePointContext) -> u32 {
    changed(context.arg(1))
}

/// One that is an event too, without path and descriptor.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_chdir_plain(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    changed(result);
    call::plain(number, result, Abi::Native)
}

/// The same by a descriptor.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn native_chdir_descriptor(context: RawTracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    changed(result);
    call::with_descriptor(number, result, Abi::Native)
}
