//! Changes of the working directory.
//!
//! Such calls are rare beside opens, so a record of each costs less than a walk at each event.

use agent_ebpf::{RecordKind, SectionTag};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::kernel::current_task;
use crate::open::{SYSCALL_RESULT, syscall_result};
use crate::path::{KernelPath, path_section};
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// chdir, fchdir, and setns and `pivot_root`, which can move the directory along with the root.
#[tracepoint(category = "syscalls", name = "sys_exit_chdir")]
pub(crate) fn sys_exit_chdir(context: TracePointContext) -> u32 {
    changed(syscall_result(&context, SYSCALL_RESULT))
}

/// The exit of one of these calls, by whatever ABI: none of their arguments matters.
#[inline(always)]
pub(crate) fn changed(result: i64) -> u32 {
    if result != 0 || is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let task = current_task();
    write_header(writer, RecordKind::WorkingDirectory, task, None);
    let top = KernelPath::top_of(writer, task);
    path_section(writer, SectionTag::Cwd, top, KernelPath::cwd_of(task));
    writer.submit(RecordKind::WorkingDirectory);
    0
}
