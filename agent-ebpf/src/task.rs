//! The header of a record: who the current task is.

use agent_ebpf::{HAS_RESULT, RecordKind, WIRE_VERSION};
use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns,
};

use crate::cgroup::cgroup_of;
use crate::kernel::{Typed, Untyped, offset, setting, user_registers};
use crate::record_writer::RecordWriter;

/// `PIDTYPE_PGID` and `PIDTYPE_SID` of `enum pid_type`, unchanged since 4.19.
const PGID: u32 = 2;
const SID: u32 = 3;
/// Bytes of `struct upid`: `nr` and its padding, then the namespace.
pub(crate) const UPID_SIZE: u32 = 16;

/// Whether the current process is the agent itself.
#[inline(always)]
pub(crate) fn is_agent() -> bool {
    // SAFETY: the helper has no preconditions.
    let process = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    process == setting!(agent_pid)
}

/// A `struct pid`'s number in the initial namespace, and in its own.
#[inline(always)]
pub(crate) fn numbers(pid: Typed) -> (u32, u32) {
    if pid.is_null() {
        return (0, 0);
    }
    let global = pid.u32(offset!(pid_numbers));
    let level = pid.u32(offset!(pid_level));
    let own = if level == 0 {
        global
    } else if level == 1 && setting!(pid_numbers_flexible) == 1 {
        // Most containers. The verifier lets through a direct load at a constant offset only.
        pid.u32(offset!(pid_numbers) + UPID_SIZE)
    } else {
        // The kernel nests pid namespaces at most 32 deep; the mask is for the verifier.
        pid.untyped()
            .read(offset!(pid_numbers) + (level & 63) * UPID_SIZE)
    };
    (global, own)
}

/// Fills in the header for the current task. `result` is the system call's return value.
#[inline(always)]
pub(crate) fn write_header(
    writer: RecordWriter,
    kind: RecordKind,
    task: Typed,
    result: Option<i64>,
) {
    let header = writer.header();
    let leader = task.follow(offset!(task_group_leader));
    let parent = task.follow(offset!(task_real_parent));
    let credentials = task.follow(offset!(task_cred));
    let signal = task.follow(offset!(task_signal));
    let registers = user_registers(task);
    // SAFETY: `header` is inside the scratch buffer, which this program owns; the helpers have no
    // preconditions but the length of `comm`.
    unsafe {
        (*header).version = WIRE_VERSION;
        (*header).kind = kind as u16;
        (*header).flags = if result.is_some() { HAS_RESULT } else { 0 };
        (*header).cpu = bpf_get_smp_processor_id() as u32;
        (*header).time = bpf_ktime_get_boot_ns();
        (*header).result = result.unwrap_or(0);
        (*header).syscall = registers.u32(offset!(regs_syscall));
        let ids = bpf_get_current_pid_tgid();
        (*header).tid = ids as u32;
        (*header).pid = (ids >> 32) as u32;
        let thread_pid = task.follow(offset!(task_thread_pid));
        (*header).vtid = numbers(thread_pid).1;
        (*header).vpid = (*header).vtid;
        (*header).start_time = 0;
        if !leader.is_null() {
            (*header).start_time = leader.u64(offset!(task_start_boottime));
            if (*header).tid != (*header).pid {
                (*header).vpid = numbers(leader.follow(offset!(task_thread_pid))).1;
            }
        }
        (*header).ppid = 0;
        (*header).parent_start_time = 0;
        if !parent.is_null() {
            (*header).ppid = parent.u32(offset!(task_tgid));
            let parent_leader = parent.follow(offset!(task_group_leader));
            if !parent_leader.is_null() {
                (*header).parent_start_time = parent_leader.u64(offset!(task_start_boottime));
            }
        }
        (*header).uid = u32::MAX;
        (*header).gid = u32::MAX;
        if !credentials.is_null() {
            (*header).uid = credentials.u32(offset!(cred_euid));
            (*header).gid = credentials.u32(offset!(cred_egid));
        }
        (*header).loginuid = match offset!(task_loginuid) {
            agent_ebpf::ABSENT => u32::MAX,
            offset => task.u32(offset),
        };
        (*header).pgid = 0;
        (*header).vpgid = 0;
        (*header).sid = 0;
        (*header).vsid = 0;
        (*header).tty = 0;
        if !signal.is_null() {
            let pids = offset!(signal_pids);
            let group = signal.follow(pids + PGID * 8);
            ((*header).pgid, (*header).vpgid) = numbers(group);
            let session = signal.follow(pids + SID * 8);
            ((*header).sid, (*header).vsid) = if session.untyped() == group.untyped() {
                ((*header).pgid, (*header).vpgid)
            } else {
                numbers(session)
            };
            (*header).tty = terminal(signal);
        }
        (*header).cgroup = cgroup_of(task).1;
        // Since 5.7 a u64; counted up in `begin_new_exec` (fs/exec.c), copied by a fork.
        (*header).exec_id = task.u64(offset!(task_exec_id));
        bpf_get_current_comm((&raw mut (*header).comm).cast(), 16);
    }
}

/// The controlling terminal as `new_encode_dev` encodes it (what `tty_nr` of /proc/PID/stat shows):
/// low eight bits of the minor, the major, the rest of the minor.
#[inline(always)]
fn terminal(signal: Typed) -> u32 {
    let tty = signal.follow(offset!(signal_tty));
    if tty.is_null() {
        return 0;
    }
    let index = tty.u32(offset!(tty_index));
    let driver = tty.follow(offset!(tty_driver));
    if driver.is_null() {
        return 0;
    }
    let major = driver.u32(offset!(tty_driver_major));
    let minor = driver
        .u32(offset!(tty_driver_minor_start))
        .wrapping_add(index);
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// A process that is not the current one: its id, start time and id in its own pid namespace.
pub(crate) struct OtherProcess {
    pub(crate) pid: u32,
    pub(crate) start_time: u64,
    pub(crate) vpid: u32,
}

/// Reads who `leader`, a `task_struct` of which only the address is known, is.
#[inline(always)]
pub(crate) fn other_process(leader: Untyped) -> OtherProcess {
    let pid = leader.follow(offset!(task_thread_pid));
    let level: u32 = pid.read(offset!(pid_level));
    OtherProcess {
        pid: leader.read(offset!(task_tgid)),
        start_time: leader.read(offset!(task_start_boottime)),
        vpid: pid.read(offset!(pid_numbers) + (level & 63) * UPID_SIZE),
    }
}

/// The id that the process `leader` has in the pid namespace of the current task.
#[inline(always)]
pub(crate) fn id_seen_by_current(task: Typed, leader: Untyped) -> u32 {
    let own = task.follow(offset!(task_thread_pid)).untyped();
    let level: u32 = own.read(offset!(pid_level));
    leader
        .follow(offset!(task_thread_pid))
        .read(offset!(pid_numbers) + (level & 63) * UPID_SIZE)
}
