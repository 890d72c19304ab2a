//! Operations under way: what is noted when one begins, for the record that is made when it ends.

use agent_ebpf::DROP_OPERATIONS;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;

use crate::kernel::{Typed, Untyped, offset};
use crate::output::count_drop;
use crate::task::is_agent;

/// Bytes of a name with its NUL: `PATH_MAX`.
pub(super) const NAME: usize = 4096;
/// `-EAGAIN`, by which a function asks to be called again from where it may block.
const AGAIN: i64 = -11;

/// `IOSQE_FIXED_FILE`, which `struct io_kiocb` has among its flags.
const FIXED_FILE: u32 = 1;

/// [`Operation::file`]: it cannot be told.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// What is known when an operation begins and gone when it ends.
#[repr(C)]
pub(super) struct Operation {
    /// The arguments of the system call that it stands for, and two more to make an index a mask.
    pub(super) values: [u64; 8],
    /// The file that it opened into a slot of the ring; not in the process's table of descriptors.
    pub(super) file: u64,
    /// Whether it is a connect that had begun before.
    pub(super) was_in_progress: u64,
    /// The first name, or an address.
    pub(super) first: [u8; NAME],
    /// The second name, or the `struct iovec`s of a message.
    pub(super) second: [u8; NAME],
}

/// By the address of the request. An operation that blocks for long may be forgotten for new ones. The agent sets the
/// number.
#[map]
pub(super) static OPERATIONS: LruHashMap<u64, Operation> = LruHashMap::with_max_entries(1, 0);

/// Copies the text of a `struct filename`.
#[inline(always)]
pub(super) fn copy_name(place: &mut [u8; NAME], filename: Untyped) {
    copy_text(place, filename.follow(offset!(filename_name)));
}

/// Copies a text of the kernel.
#[inline(always)]
pub(super) fn copy_text(place: &mut [u8; NAME], text: Untyped) {
    // SAFETY: the helper writes at most as many bytes as the place has.
    unsafe {
        bpf_probe_read_kernel_str(place.as_mut_ptr().cast(), NAME as u32, text.0 as *const _);
    }
}

/// A descriptor as it is in a register: 32 bits with a sign.
#[inline(always)]
pub(super) fn descriptor(command: Untyped, offset: u32) -> u64 {
    i64::from(command.read::<i32>(offset)).cast_unsigned()
}

/// The descriptor that a request is about, as it is in a register; -1 if it is about a file of the ring's own table.
#[inline(always)]
pub(super) fn descriptor_of(request: Untyped) -> u64 {
    if request.read::<u32>(offset!(request_flags)) & FIXED_FILE != 0 {
        return u64::MAX;
    }
    descriptor(request, offset!(request_descriptor))
}

/// An operation that ended.
pub(super) struct Ended {
    pub(super) operation: *mut Operation,
    pub(super) request: Untyped,
    pub(super) result: i64,
}

/// What was noted of an operation.
#[inline(always)]
pub(super) fn ended(request: Untyped, result: i64) -> Option<Ended> {
    if is_agent() {
        return None;
    }
    let Some(operation) = OPERATIONS.get_ptr_mut(request.0) else {
        count_drop(DROP_OPERATIONS);
        return None;
    };
    Some(Ended {
        operation,
        request,
        result,
    })
}

impl Ended {
    /// Forgets it.
    #[inline(always)]
    pub(super) fn forget(&self) {
        // It may have gone by itself.
        let _gone = OPERATIONS.remove(self.request.0);
    }

    /// An argument of the system call that it stands for.
    #[inline(always)]
    pub(super) fn value(&self, position: usize) -> u64 {
        // SAFETY: the operation is in its map, and the masked position is within its values.
        unsafe {
            let values = (&raw const (*self.operation).values).cast::<u64>();
            core::ptr::read_volatile(values.add(position & 7))
        }
    }

    /// Whether the function is going to be called again, from where it may block.
    #[inline(always)]
    pub(super) fn is_to_be_continued(&self) -> bool {
        self.result == AGAIN
    }
}

/// The name of the process, whatever that of the thread.
#[inline(always)]
pub(super) fn process_name(task: Typed) -> [u64; 2] {
    task.follow(offset!(task_group_leader))
        .untyped()
        .read(offset!(task_comm))
}
