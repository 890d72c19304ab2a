//! Processes that end.
//!
//! `do_exit` (kernel/exit.c) decrements `signal->live` and later calls
//! `trace_sched_process_exit`: the thread that finds it at zero is the last one. Memory and files
//! may be gone by then, identity is not.

use agent_ebpf::{ExitPart, RecordKind};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::kernel::{current_task, offset};
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// `SIGNAL_GROUP_EXIT` of include/linux/sched/signal.h: the status is the group's.
const SIGNAL_GROUP_EXIT: u32 = 4;

/// A thread ended.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub(crate) fn sched_process_exit(_context: RawTracePointContext) -> u32 {
    let task = current_task();
    let signal = task.follow(offset!(task_signal)).untyped();
    if signal.is_null() || signal.read::<u32>(offset!(signal_live)) != 0 || is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let part = writer.fixed_part::<ExitPart>();
    let status = if signal.read::<u32>(offset!(signal_flags)) & SIGNAL_GROUP_EXIT != 0 {
        signal.read(offset!(signal_group_exit_code))
    } else {
        task.follow(offset!(task_group_leader))
            .untyped()
            .read(offset!(task_exit_code))
    };
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe { (*part).status = status };
    write_header(writer, RecordKind::Exit, task, None);
    writer.submit(RecordKind::Exit);
    0
}
