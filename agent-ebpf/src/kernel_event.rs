//! Events that are neither system calls nor a change of processes: signals that are delivered, switches of a CPU to another
//! thread, page faults. Attached only if a rule names them.

use agent_ebpf::{CallPart, PAGE_FAULT, RecordKind, SIGNAL_DELIVER, SWITCH};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::kernel::{Untyped, current_task, offset};
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// `SIGCHLD`
const CHILD: i32 = 17;
/// Where `struct siginfo` of every 64-bit kernel has its code, and a process id where there is one.
const SIGNAL_CODE: u32 = 8;
const SIGNAL_PID: u32 = 16;

/// Makes a record with these values in the place of arguments.
#[inline(always)]
fn record(number: u32, values: [u64; 3]) -> u32 {
    if is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let part = writer.fixed_part::<CallPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe {
        (*part).values[0] = values[0];
        (*part).values[1] = values[1];
        (*part).values[2] = values[2];
    }
    write_header(writer, RecordKind::Call, current_task(), None);
    let header = writer.header();
    // SAFETY: the header is inside the scratch buffer, which this program owns.
    unsafe { (*header).syscall = number };
    writer.submit(RecordKind::Call);
    0
}

/// A signal is delivered to the current thread: signal, its information, its handler.
#[raw_tracepoint(tracepoint = "signal_deliver")]
pub(crate) fn signal_deliver(context: RawTracePointContext) -> u32 {
    let signal = context.arg::<i32>(0);
    let information = Untyped(context.arg::<u64>(1));
    // Codes of 0 and below say that a process sent it; other signals have something else in its place.
    let code: i32 = information.read(SIGNAL_CODE);
    let sender = if code <= 0 || signal == CHILD {
        information.read::<u32>(SIGNAL_PID)
    } else {
        0
    };
    let receiver = current_task().u32(offset!(task_tgid));
    record(
        SIGNAL_DELIVER,
        [
            sender.into(),
            receiver.into(),
            signal.cast_unsigned().into(),
        ],
    )
}

/// The CPU goes on with another thread: preempted or not, the current thread, the next one.
#[raw_tracepoint(tracepoint = "sched_switch")]
pub(crate) fn sched_switch(context: RawTracePointContext) -> u32 {
    let next = Untyped(context.arg::<u64>(2));
    let task = current_task();
    record(
        SWITCH,
        [
            next.read::<u32>(offset!(task_pid)).into(),
            task.u64(offset!(task_major_faults)),
            task.u64(offset!(task_minor_faults)),
        ],
    )
}

/// A page fault of a program: address, registers, what the processor says of it.
#[raw_tracepoint(tracepoint = "page_fault_user")]
pub(crate) fn page_fault_user(context: RawTracePointContext) -> u32 {
    page_fault(&context)
}

/// The same within the kernel.
#[raw_tracepoint(tracepoint = "page_fault_kernel")]
pub(crate) fn page_fault_kernel(context: RawTracePointContext) -> u32 {
    page_fault(&context)
}

#[inline(always)]
fn page_fault(context: &RawTracePointContext) -> u32 {
    let registers = Untyped(context.arg::<u64>(1));
    let address = context.arg::<u64>(0);
    let instruction = registers.read(offset!(regs_ip));
    // `enum x86_pf_error_code`: present, write, user, reserved, instruction. The language has a bit for the opposite of
    // each of the first three too.
    let code = context.arg::<u64>(2);
    let either = |bit: u64, yes: u64, no: u64| if code & bit == 0 { no } else { yes };
    let flags = either(1, 1, 2)
        | either(2, 4, 8)
        | either(4, 16, 32)
        | either(8, 64, 0)
        | either(16, 128, 0);
    record(PAGE_FAULT, [address, instruction, flags])
}
