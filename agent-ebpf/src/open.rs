//! Files that are opened: open, openat, openat2, creat.
//!
//! Seen at the syscall's exit. What was opened is read from the file that the new descriptor
//! stands for: the path in user memory may have changed since the kernel looked at it.

use agent_ebpf::{OPEN_FAILED, OPEN_READ, OPEN_WRITE, OpenPart, RecordKind, SectionTag};
use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::call::path_base;
use crate::descriptor::file_of;
use crate::kernel::{Abi, Arguments, Typed, Untyped, current_task, offset, setting};
use crate::overlay::layer_of;
use crate::path::{KernelPath, path_section};
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// Where a `syscalls/sys_exit_*` tracepoint has the return value: after the 8 bytes that every
/// tracepoint starts with, and the syscall's number.
pub(crate) const SYSCALL_RESULT: usize = 16;

/// And the number of the system call.
pub(crate) const SYSCALL_NUMBER: usize = 8;

/// `O_ACCMODE`, `O_CREAT | O_WRONLY | O_TRUNC` (what creat means) of the generic ABI.
pub(crate) const ACCESS_MODE: u32 = 3;
const CREAT_FLAGS: u32 = 0o100 | 0o1 | 0o1000;
pub(crate) const O_PATH: u32 = 0o10_000_000;
/// `FMODE_CREATED` of include/linux/fs.h, since 4.19.
const FMODE_CREATED: u32 = 1 << 20;
pub(crate) const AT_FDCWD: i32 = -100;

/// A word that a syscall's exit tracepoint carries.
#[inline(always)]
pub(crate) fn syscall_result(context: &TracePointContext, offset: usize) -> i64 {
    // SAFETY: every `sys_exit` record has a word at this offset; reading the context cannot fail
    // there.
    unsafe { context.read_at::<i64>(offset) }.unwrap_or(0)
}

/// The arguments of a call of the open family.
struct Call {
    directory: i32,
    path: u64,
    flags: u32,
    mode: u32,
    resolve: u32,
}

impl Call {
    /// The access that was asked for; a descriptor that is only a place (`O_PATH`) gives none.
    #[inline(always)]
    fn access(&self) -> u32 {
        if self.flags & O_PATH == 0 {
            self.flags & ACCESS_MODE
        } else {
            0
        }
    }

    /// From the registers, by the number of the call.
    #[inline(always)]
    fn read(syscall: u32, arguments: Arguments) -> Self {
        let (first, second, third) = (arguments.get(0), arguments.get(1), arguments.get(2));
        if syscall == setting!(syscall_open) {
            // open(path, flags, mode)
            Self {
                directory: AT_FDCWD,
                path: first,
                flags: second as u32,
                mode: third as u32,
                resolve: 0,
            }
        } else if syscall == setting!(syscall_creat) {
            // creat(path, mode)
            Self {
                directory: AT_FDCWD,
                path: first,
                flags: CREAT_FLAGS,
                mode: second as u32,
                resolve: 0,
            }
        } else if syscall == setting!(syscall_openat2) {
            // openat2(directory, path, how, size); `struct open_how`: flags, mode, resolve, 64 bits
            // each.
            let mut how = [0_u64; 3];
            // SAFETY: the helper writes 24 bytes to `how`, zeros if the memory cannot be read.
            unsafe { bpf_probe_read_user((&raw mut how).cast(), 24, third as *const _) };
            Self {
                directory: first as i32,
                path: second,
                flags: how[0] as u32,
                mode: how[1] as u32,
                resolve: how[2] as u32,
            }
        } else {
            // openat(directory, path, flags, mode)
            let mode = arguments.get(3) as u32;
            Self {
                directory: first as i32,
                path: second,
                flags: third as u32,
                mode,
                resolve: 0,
            }
        }
    }
}

/// Whether opens with this access (`O_RDONLY` or another) are recorded when they succeed.
#[inline(always)]
pub(crate) fn is_wanted(access: u32) -> bool {
    let class = if access == 0 { OPEN_READ } else { OPEN_WRITE };
    setting!(open_classes) & class != 0
}

/// The exit of open, creat, openat or openat2: one program for all, so that the verifier walks the
/// walk up a path once.
#[tracepoint(category = "syscalls", name = "sys_exit_open")]
pub(crate) fn sys_exit_open(context: TracePointContext) -> u32 {
    let result = syscall_result(&context, SYSCALL_RESULT);
    let syscall = syscall_result(&context, SYSCALL_NUMBER) as u32;
    opened(syscall, result, Abi::Native)
}

/// The exit of one of these calls, by whatever ABI.
#[inline(always)]
pub(crate) fn opened(syscall: u32, result: i64, abi: Abi) -> u32 {
    // Cheap tests first: most opens end here when no rule wants their class.
    if result < 0 && setting!(open_classes) & OPEN_FAILED == 0 {
        return 0;
    }
    if is_agent() {
        return 0;
    }
    let task = current_task();
    let Some(arguments) = Arguments::before_record(task, abi) else {
        return 0;
    };
    let call = Call::read(syscall, arguments);
    let mut access = call.access();
    // Flags in a register are what the kernel acted on. Those of openat2 are in memory, which may have
    // changed since; the file knows better.
    let in_memory = syscall == setting!(syscall_openat2);
    if result >= 0 && !in_memory && !is_wanted(access) {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let mut is_open = false;
    if result >= 0 {
        let file = file_of(task, result as u32);
        writer.copy_file(file);
        // Another thread may have closed it already: then what the call asked for is all there is.
        is_open = !file.is_null();
        if is_open && in_memory {
            access = writer.of_file::<u32>(offset!(file_flags)) & ACCESS_MODE;
            if !is_wanted(access) {
                writer.abandon();
                return 0;
            }
        }
    }
    let part = writer.fixed_part::<OpenPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe {
        (*part).flags = (call.flags & !ACCESS_MODE) | access;
        (*part).mode = call.mode;
        (*part).directory = call.directory;
        (*part).resolve = call.resolve;
        if is_open {
            describe_file(part, writer);
        }
    }
    write_header(writer, RecordKind::Open, task, Some(result));
    if abi == Abi::Foreign {
        writer.mark_foreign();
    }
    opened_section(writer, task, is_open);
    writer.user_string(SectionTag::Path, call.path);
    path_base(writer, task, call.directory, false, SectionTag::Base);
    writer.submit(RecordKind::Open);
    0
}

/// What the file that was copied last tells.
///
/// # Safety
/// `part` points to a fixed part that the caller owns.
#[inline(always)]
pub(crate) unsafe fn describe_file(part: *mut OpenPart, writer: RecordWriter) {
    // SAFETY: the caller's promise.
    unsafe {
        let mode = writer.of_file::<u32>(offset!(file_mode));
        (*part).created = u32::from(mode & FMODE_CREATED != 0);
        let inode = Untyped(writer.of_file(offset!(file_inode)));
        (*part).inode_mode = u32::from(inode.read::<u16>(offset!(inode_mode)));
        if setting!(open_inode) == 1 {
            (*part).inode = inode.read(offset!(inode_number));
            let superblock = inode.follow(offset!(inode_superblock));
            (*part).device = superblock.read(offset!(superblock_device));
            (*part).layer = layer_of(inode, superblock);
        }
    }
}

/// The path of the file that was copied last, if it is there.
#[inline(always)]
pub(crate) fn opened_section(writer: RecordWriter, task: Typed, is_open: bool) {
    if is_open {
        let root = KernelPath::top_of(writer, task);
        let path = KernelPath::of_copied_file(writer);
        path_section(writer, SectionTag::Opened, root, path);
    }
}
