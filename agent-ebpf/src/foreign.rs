//! The exit of all system calls; and the calls by other ABIs than that of 64-bit programs: i386 (32-bit programs, and
//! `int 0x80` from any program) and x32. Those of 64-bit programs are in [`crate::native`].
//!
//! The tracepoint of a system call's exit is not reached by them (`ARCH_TRACE_IGNORE_COMPAT_SYSCALLS` of
//! arch/x86/include/asm/ftrace.h), the one of all exits is. It costs every system call something, so the
//! first test is the cheapest.

use agent_ebpf::{
    ABSENT, CALLED_PROGRAMS, FOREIGN_CALLS, FOREIGN_IPC, FOREIGN_IPCS, FOREIGN_SOCKET,
    FOREIGN_SOCKETCALL, FOREIGN_X32, ForeignCall, IN_MEMORY, NARROW, PAGES, REARRANGED, UPPER,
    VIA_32_BIT, VIA_X32,
};
use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::{Array, ProgramArray};
use aya_ebpf::programs::RawTracePointContext;

use crate::call;
use crate::connect::connected;
use crate::exec::failed;
use crate::kernel::{Abi, Registers, Typed, current_task, offset, user_registers};
use crate::native::NATIVE;
use crate::open::opened;
use crate::record_writer::RecordWriter;
use crate::working_directory::changed;

/// What each call stands for, by its number in its ABI; see [`FOREIGN_X32`].
#[map]
static FOREIGN: Array<ForeignCall> = Array::with_max_entries(FOREIGN_CALLS, 0);

/// The programs below, by their numbers in [`ForeignCall::program`], less one; then those of `io_uring`.
#[map]
pub(crate) static PROGRAMS: ProgramArray = ProgramArray::with_max_entries(CALLED_PROGRAMS, 0);

/// `TS_COMPAT` of the kernel's `thread_info.status`: the thread is in a 32-bit call.
pub(crate) const COMPAT: u32 = 2;
/// `__X32_SYSCALL_BIT`
const X32_BIT: u32 = 0x4000_0000;
/// The first of the results that are errors, as an unsigned number of 32 bits.
const FIRST_ERROR: u32 = 0xffff_f001;

/// Whether the task is in a 32-bit call.
#[inline(always)]
fn is_in_32_bit_call(task: Typed) -> bool {
    offset!(task_status) != ABSENT && task.u32(offset!(task_status)) & COMPAT != 0
}

/// The number, in the 64-bit ABI, of the call that the current task is in; `None` if it is a call of another ABI of
/// which no rule wants to know.
#[inline(always)]
pub(crate) fn native_number(task: Typed) -> Option<u32> {
    let registers = user_registers(task);
    let number = registers.u32(offset!(regs_syscall));
    if is_in_32_bit_call(task) {
        let entry = FOREIGN.get(number)?;
        let entry = match entry.program {
            0 => return None,
            FOREIGN_SOCKETCALL => {
                FOREIGN.get(FOREIGN_SOCKET.wrapping_add(registers.u32(offset!(regs_bx))))?
            }
            _ => entry,
        };
        return Some(entry.number.into());
    }
    if number & X32_BIT == 0 || number == u32::MAX {
        return Some(number);
    }
    let entry = FOREIGN.get(FOREIGN_X32.wrapping_add(number & !X32_BIT))?;
    (entry.program != 0).then_some(entry.number.into())
}

/// The exit of any system call; arguments: registers, result.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn sys_exit(context: RawTracePointContext) -> u32 {
    let task = current_task();
    let is_32_bit = is_in_32_bit_call(task);
    let registers = user_registers(task);
    let own_number = registers.u32(offset!(regs_syscall));
    if !is_32_bit && (own_number & X32_BIT == 0 || own_number == u32::MAX) {
        // Where there is no such program, nothing happens: no rule wants the call, or it has a tracepoint.
        // SAFETY: all programs of the table take the context of this tracepoint.
        unsafe { NATIVE.tail_call(&context, own_number) };
        return 0;
    }
    let Some(writer) = RecordWriter::resume() else {
        return 0;
    };
    let result = context.arg::<i64>(1);
    let entry = if is_32_bit {
        note_32_bit(writer, registers, own_number, result)
    } else {
        note_x32(writer, registers, own_number & !X32_BIT, result)
    };
    if let Some(entry) = entry
        && entry.program != 0
    {
        // Where there is no such program, nothing happens: no rule wants it.
        // SAFETY: all programs of the table take the context of this tracepoint.
        unsafe { PROGRAMS.tail_call(&context, u32::from(entry.program) - 1) };
    }
    0
}

/// Notes number, result and arguments of a call of i386.
#[inline(always)]
fn note_32_bit(
    writer: RecordWriter,
    registers: Registers,
    number: u32,
    result: i64,
) -> Option<&'static ForeignCall> {
    if number >= FOREIGN_X32 {
        return None;
    }
    let mut entry = FOREIGN.get(number)?;
    if entry.program == 0 {
        return None;
    }
    let first = registers.u32(offset!(regs_bx));
    let second = registers.u32(offset!(regs_cx));
    let mut words = [
        first,
        second,
        registers.u32(offset!(regs_arg2)),
        registers.u32(offset!(regs_arg1)),
        registers.u32(offset!(regs_arg0)),
        registers.u32(offset!(regs_bp)),
    ];
    let mut memory = first;
    let mut is_in_memory = entry.flags & IN_MEMORY != 0;
    if entry.program == FOREIGN_SOCKETCALL {
        // socketcall(call, arguments)
        if first >= FOREIGN_IPCS - FOREIGN_SOCKET {
            return None;
        }
        entry = FOREIGN.get(FOREIGN_SOCKET + first)?;
        memory = second;
        is_in_memory = true;
    } else if entry.program == FOREIGN_IPC {
        // ipc(call, first, second, third, pointer, fifth); the upper half of `call` is a version.
        let call = first & 0xffff;
        if call >= FOREIGN_CALLS - FOREIGN_IPCS {
            return None;
        }
        entry = FOREIGN.get(FOREIGN_IPCS + call)?;
    }
    if is_in_memory {
        let place = u64::from(memory) as *const _;
        // SAFETY: the helper writes 24 bytes to `words`, zeros if they cannot be read.
        unsafe { bpf_probe_read_user((&raw mut words).cast(), 24, place) };
    }
    let narrow = result as u32;
    let result = if narrow >= FIRST_ERROR {
        i64::from(narrow.cast_signed())
    } else {
        i64::from(narrow)
    };
    writer.set_foreign(u64::from(entry.number), VIA_32_BIT, result);
    writer.set_foreign_arguments(&words.map(u64::from));
    if entry.flags & REARRANGED != 0 {
        let mut arguments = [0; 6];
        let mut position = 0;
        while position < 6 {
            arguments[position] = argument_of(writer, entry.sources[position]);
            position += 1;
        }
        writer.set_foreign_arguments(&arguments);
    }
    Some(entry)
}

/// An argument of the 64-bit call; see [`ForeignCall::sources`].
#[inline(always)]
fn argument_of(writer: RecordWriter, source: u8) -> u64 {
    let word = writer.foreign_word(source & 15);
    match source & 0xf0 {
        PAGES => word << 12,
        NARROW if word & 0xffff == 0xffff => u64::from(u32::MAX),
        NARROW => word & 0xffff,
        _ => word | (writer.foreign_word(source / UPPER) << 32),
    }
}

/// Notes number, result and arguments of a call of x32.
#[inline(always)]
fn note_x32(
    writer: RecordWriter,
    registers: Registers,
    number: u32,
    result: i64,
) -> Option<&'static ForeignCall> {
    if number >= FOREIGN_SOCKET - FOREIGN_X32 {
        return None;
    }
    let entry = FOREIGN.get(FOREIGN_X32 + number)?;
    writer.set_foreign(u64::from(entry.number), VIA_X32, result);
    writer.set_foreign_arguments(&[
        registers.u64(offset!(regs_arg0)),
        registers.u64(offset!(regs_arg1)),
        registers.u64(offset!(regs_arg2)),
        registers.u64(offset!(regs_arg3)),
        registers.u64(offset!(regs_arg4)),
        registers.u64(offset!(regs_arg5)),
    ]);
    Some(entry)
}

/// The call that [`sys_exit`] noted: number and result.
#[inline(always)]
fn noted() -> Option<(u32, i64)> {
    RecordWriter::resume().map(RecordWriter::foreign_call)
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_open(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| opened(number, result, Abi::Foreign))
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_connect(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(_, result)| connected(result, Abi::Foreign))
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_execve(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(_, result)| failed(result, 0, Abi::Foreign))
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_execveat(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(_, result)| failed(result, 1, Abi::Foreign))
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_plain(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| {
        call::plain(number, result, Abi::Foreign)
    })
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_path(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| {
        call::with_paths(number, result, Abi::Foreign)
    })
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_descriptor(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| {
        call::with_descriptor(number, result, Abi::Foreign)
    })
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_list(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| {
        call::with_list(number, result, Abi::Foreign)
    })
}

/// A change of the working directory that is no event to any rule.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_chdir(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(_, result)| changed(result))
}

/// One that is an event too, without path and descriptor.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_chdir_plain(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| {
        changed(result);
        call::plain(number, result, Abi::Foreign)
    })
}

/// The same by a descriptor.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn foreign_chdir_descriptor(_context: RawTracePointContext) -> u32 {
    noted().map_or(0, |(number, result)| {
        changed(result);
        call::with_descriptor(number, result, Abi::Foreign)
    })
}
