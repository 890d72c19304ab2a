//! Programs that start, and execs that fail.
//!
//! `exec_binprm` (fs/exec.c) calls `trace_sched_process_exec(current, old_pid, bprm)` once the new
//! program is in place: memory, credentials, name and thread ids are the new ones, and nothing of
//! it has run yet. A failed exec passes only the syscall's exit.

use agent_ebpf::{ABSENT, ExecPart, MAX_ARGS, MAX_ENV, RecordKind, SectionTag, VIA_32_BIT};
use aya_ebpf::macros::{raw_tracepoint, tracepoint};
use aya_ebpf::programs::{RawTracePointContext, TracePointContext};

use crate::cgroup::{cgroup_of, cgroup_path_section};
use crate::foreign::COMPAT;
use crate::kernel::{Abi, Arguments, Typed, Untyped, current_task, offset};
use crate::open::{SYSCALL_RESULT, syscall_result};
use crate::overlay::layer_of;
use crate::path::{KernelPath, path_section};
use crate::record_writer::RecordWriter;
use crate::task::{UPID_SIZE, is_agent, write_header};

/// A successful exec; arguments: task, old pid, `struct linux_binprm *`.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub(crate) fn sched_process_exec(context: RawTracePointContext) -> u32 {
    if is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let task = current_task();
    let program = Untyped(context.arg::<u64>(2));
    let part = writer.fixed_part::<ExecPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe { (*part).old_tid = context.arg::<u64>(1) as u32 };
    write_header(writer, RecordKind::Exec, task, Some(0));
    if offset!(task_status) != ABSENT && task.u32(offset!(task_status)) & COMPAT != 0 {
        // SAFETY: the header is inside the scratch buffer, which this program owns.
        unsafe { (*writer.header()).flags |= VIA_32_BIT };
    }
    // SAFETY: as above.
    unsafe {
        describe_file(part, program.follow(offset!(bprm_file)));
        // Both are one string (alloc_bprm, fs/exec.c) until a script or binfmt_misc names another.
        let interpreter = program.follow(offset!(bprm_interpreter)).0;
        let is_other = interpreter != program.follow(offset!(bprm_filename)).0;
        (*part).interpreted = u32::from(is_other);
        describe_task(part, task);
    }
    let memory = task.follow(offset!(task_mm)).untyped();
    writer.user_bytes::<{ MAX_ARGS as u64 }>(
        SectionTag::Args,
        memory.read(offset!(mm_arg_start)),
        memory.read(offset!(mm_arg_end)),
    );
    writer.user_bytes::<{ MAX_ENV as u64 }>(
        SectionTag::Env,
        memory.read(offset!(mm_env_start)),
        memory.read(offset!(mm_env_end)),
    );
    writer.kernel_string(SectionTag::Path, program.follow(offset!(bprm_filename)).0);
    let root = KernelPath::top_of(writer, task);
    let file = program.follow(offset!(bprm_file));
    path_section(writer, SectionTag::ExePath, root, KernelPath::of_file(file));
    path_section(writer, SectionTag::Cwd, root, KernelPath::cwd_of(task));
    cgroup_path_section(writer, cgroup_of(task).0);
    writer.submit(RecordKind::Exec);
    0
}

/// Fills in what is known of the executable.
///
/// # Safety
/// `part` is valid for writes.
#[inline(always)]
unsafe fn describe_file(part: *mut ExecPart, file: Untyped) {
    let inode = file.follow(offset!(file_inode));
    let superblock = inode.follow(offset!(inode_superblock));
    // SAFETY: the caller's promise.
    unsafe {
        (*part).inode_mode = u32::from(inode.read::<u16>(offset!(inode_mode)));
        (*part).inode_uid = inode.read(offset!(inode_uid));
        (*part).inode_gid = inode.read(offset!(inode_gid));
        (*part).inode_flags = inode.read(offset!(inode_flags));
        (*part).superblock_flags = superblock.read(offset!(superblock_flags));
        (*part).inode = inode.read(offset!(inode_number));
        (*part).ctime_seconds = inode.read(offset!(inode_ctime_seconds));
        (*part).mtime_seconds = inode.read(offset!(inode_mtime_seconds));
        (*part).ctime_nanoseconds = inode.read(offset!(inode_ctime_nanoseconds));
        (*part).mtime_nanoseconds = inode.read(offset!(inode_mtime_nanoseconds));
        (*part).device = superblock.read(offset!(superblock_device));
        (*part).layer = layer_of(inode, superblock);
    }
}

/// Fills in what the new program may do.
///
/// # Safety
/// `part` is valid for writes.
#[inline(always)]
unsafe fn describe_task(part: *mut ExecPart, task: Typed) {
    // Until 6.2 a set was two numbers of 32 bits: the same bytes, but not one member.
    let credentials = task.follow(offset!(task_cred)).untyped();
    let user_namespace = credentials.follow(offset!(cred_user_namespace));
    let pid = task.follow(offset!(task_thread_pid)).untyped();
    let level: u32 = pid.read(offset!(pid_level));
    // SAFETY: the caller's promise.
    unsafe {
        (*part).permitted = credentials.read(offset!(cred_permitted));
        (*part).effective = credentials.read(offset!(cred_effective));
        (*part).inheritable = credentials.read(offset!(cred_inheritable));
        (*part).user_namespace_level = user_namespace.read(offset!(user_namespace_level));
        if offset!(upid_namespace) != ABSENT {
            let own = offset!(pid_numbers) + (level & 31) * UPID_SIZE;
            let namespace = pid.follow(own + offset!(upid_namespace));
            let init = namespace.follow(offset!(pid_namespace_init));
            (*part).namespace_start = init.read(offset!(task_start_boottime));
        }
    }
}

/// execve failed. On success the exit of the syscall is passed too, by the new program.
#[tracepoint(category = "syscalls", name = "sys_exit_execve")]
pub(crate) fn sys_exit_execve(context: TracePointContext) -> u32 {
    failed(syscall_result(&context, SYSCALL_RESULT), 0, Abi::Native)
}

/// execveat failed.
#[tracepoint(category = "syscalls", name = "sys_exit_execveat")]
pub(crate) fn sys_exit_execveat(context: TracePointContext) -> u32 {
    failed(syscall_result(&context, SYSCALL_RESULT), 1, Abi::Native)
}

/// `path_argument` is the position of the path among the call's arguments; argv follows it.
#[inline(always)]
pub(crate) fn failed(result: i64, path_argument: usize, abi: Abi) -> u32 {
    if result >= 0 || is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let task = current_task();
    write_header(writer, RecordKind::ExecFailed, task, Some(result));
    let arguments = Arguments::of(task, writer, abi);
    writer.user_string(SectionTag::Path, arguments.get(path_argument));
    if abi == Abi::Foreign {
        writer.mark_foreign();
    } else {
        writer.user_argv(arguments.get(path_argument + 1));
    }
    writer.submit(RecordKind::ExecFailed);
    0
}
