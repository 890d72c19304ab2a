//! Processes that are created.
//!
//! `kernel_clone` (kernel/fork.c) calls `trace_sched_process_fork(current, p)` when the child is
//! complete and before it runs.

use agent_ebpf::{ForkPart, RecordKind};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::cgroup::cgroup_id_of;
use crate::kernel::{Untyped, current_task, offset};
use crate::record_writer::RecordWriter;
use crate::task::{OtherProcess, id_seen_by_current, is_agent, other_process, write_header};

/// A clone, fork or vfork succeeded; arguments: parent, child.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub(crate) fn sched_process_fork(context: RawTracePointContext) -> u32 {
    let child = Untyped(context.arg::<u64>(1));
    // A new thread of a known process is no news.
    if child.read::<u32>(offset!(task_pid)) != child.read::<u32>(offset!(task_tgid)) || is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let part = writer.fixed_part::<ForkPart>();
    let OtherProcess {
        pid,
        start_time,
        vpid,
    } = other_process(child);
    let parent = other_process(
        child
            .follow(offset!(task_real_parent))
            .follow(offset!(task_group_leader)),
    );
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe {
        (*part).child_pid = pid;
        (*part).child_start_time = start_time;
        (*part).child_vpid = vpid;
        (*part).child_ppid = parent.pid;
        (*part).child_parent_start_time = parent.start_time;
        (*part).child_cgroup = cgroup_id_of(child);
    }
    // The caller sees the child's id in its own namespace; that is the call's result.
    let task = current_task();
    let result = id_seen_by_current(task, child);
    write_header(writer, RecordKind::Fork, task, Some(i64::from(result)));
    writer.submit(RecordKind::Fork);
    0
}
