//! Reads and writes.
//!
//! One stands for the system call without a position (`read`, `readv`, `write`, `writev`) if the program gave none (-1) or
//! the file has none, as pipes, sockets and terminals: there the kernel ignores it, where the call with one would fail.
//! Else it stands for the call with a position (`pread64`, `preadv`, ...).
//!
//! Data is read from the program's memory when the operation ends, as that of system calls is: for buffers that were
//! registered too, whose pages the kernel knows by themselves. Of a buffer that the ring chooses, the kernel keeps the
//! address in the request.

use agent_ebpf::DROP_OPERATIONS;

use super::kind::Kind;
use super::number;
use super::operation::{OPERATIONS, Operation, descriptor_of};
use super::record::{Record, end_record, object_of};
use super::short_note::{noted_descriptor, noted_position};
use super::vectors::{Space, VECTOR_COUNT, Vectors};
use crate::call::REQUESTED_VALUE;
use crate::kernel::{Untyped, offset, setting};
use crate::output::count_drop;

/// `IOSQE_BUFFER_SELECT`, which `struct io_kiocb` has among its flags: the ring chooses the buffer, and there are no vectors.
pub(super) const CHOOSES_BUFFER: u32 = 1 << 5;
/// `FMODE_PREAD`, `FMODE_PWRITE`: the file has positions to read or write at.
const READS_AT: u32 = 0x8;
const WRITES_AT: u32 = 0x10;
/// The position that stands for the file's own.
const OWN_POSITION: i64 = -1;
/// `IORING_OP_READV_FIXED`, and what follows it: vectors of registered buffers, which the kernel keeps in another way.
const READV_FIXED: u8 = 60;

/// Where in the file an operation begins, which may have been begun before.
#[inline(always)]
pub(super) fn position_of(request: Untyped, command: Untyped) -> i64 {
    let position: i64 = command.read(offset!(io_rw_position));
    if position == OWN_POSITION {
        return position;
    }
    position.wrapping_sub(bytes_done(request))
}

/// Bytes that were moved before the operation had to wait.
#[inline(always)]
pub(super) fn bytes_done(request: Untyped) -> i64 {
    request
        .follow(offset!(request_async_data))
        .read(offset!(async_rw_done))
}

/// Takes down what is known when an operation with vectors begins and gone when it ends.
#[inline(always)]
pub(super) fn note_vectors(request: Untyped, command: Untyped, operation: &mut Operation) {
    operation.values[0] = descriptor_of(request);
    operation.values[3] = position_of(request, command).cast_unsigned();
    let flags: u32 = request.read(offset!(request_flags));
    if flags & CHOOSES_BUFFER != 0 {
        return;
    }
    let copy = request.follow(offset!(request_async_data));
    let mut vectors = Vectors {
        place: command.read(offset!(io_rw_address)),
        count: command.read::<u32>(offset!(io_rw_length)).into(),
        space: Space::User,
    };
    let is_imported = !copy.is_null() && request.read::<u8>(offset!(request_opcode)) < READV_FIXED;
    // What was moved already is not in the iterator any more.
    if is_imported && bytes_done(request) == 0 {
        let iterator = copy.plus(offset!(async_rw_iterator));
        let Some(found) = Vectors::of_iterator(iterator, operation) else {
            return;
        };
        if found.place != 0 {
            vectors = found;
        }
    }
    vectors.note(operation);
}

/// Makes the record of an operation that ended; `result` is as a system call's.
#[inline(always)]
pub(super) fn record_read_write(request: u64, result: i64) {
    let result = result.cast_unsigned();
    let object = read_write_object(request);
    let begun = begin_read_write(request, result, object);
    if begun != 0 {
        end_record(begun - 1, object);
    }
}

/// The `struct file` that an operation reads or writes; 0 if it cannot be told.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn read_write_object(request: u64) -> u64 {
    let request = Untyped(request);
    match Kind::of(request.read(offset!(request_opcode))) {
        Some(kind) => object_of(kind, request).0,
        None => 0,
    }
}

/// The system call that an operation stands for.
#[inline(always)]
fn call_of(kind: Kind, request: Untyped, command: Untyped, object: Untyped) -> u32 {
    let mode: u32 = object.read(offset!(file_mode));
    let flags: u32 = request.read(offset!(request_flags));
    let position: i64 = command.read(offset!(io_rw_position));
    let is_read = matches!(kind, Kind::Read | Kind::Readv);
    let positions = if is_read { READS_AT } else { WRITES_AT };
    // The kernel puts the file's own position in the place of the -1, and a flag to remember it.
    let is_plain = position == OWN_POSITION
        || flags & setting!(request_own_position) != 0
        || (!object.is_null() && mode & positions == 0);
    match (kind, is_plain) {
        (Kind::Read, true) => number::READ,
        (Kind::Read, false) => number::PREAD64,
        (Kind::Readv, true) => number::READV,
        (Kind::Readv, false) => number::PREADV,
        (Kind::Writev, true) => number::WRITEV,
        (Kind::Writev, false) => number::PWRITEV,
        (_, true) => number::WRITE,
        (_, false) => number::PWRITE64,
    }
}

/// Starts the record of an operation: all but what it is about. Returns one more than the number of the buffer; 0 if such a
/// call is not wanted.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_read_write(request: u64, result: u64, object: u64) -> u64 {
    let request = Untyped(request);
    let Some(kind) = Kind::of(request.read(offset!(request_opcode))) else {
        return 0;
    };
    let command = request.plus(offset!(request_command));
    let mut operation = core::ptr::null_mut::<Operation>();
    if kind.is_noted_in_full() {
        let Some(noted) = OPERATIONS.get_ptr_mut(request.0) else {
            count_drop(DROP_OPERATIONS);
            return 0;
        };
        operation = noted;
    }
    let syscall = call_of(kind, request, command, Untyped(object));
    let Some(record) = Record::begin(syscall, result.cast_signed()) else {
        return 0;
    };
    let is_read = matches!(kind, Kind::Read | Kind::Readv);
    let flags: u32 = request.read(offset!(request_flags));
    let address: u64 = command.read(offset!(io_rw_address));
    let mut length: u64 = command.read::<u32>(offset!(io_rw_length)).into();
    record.set(0, noted_descriptor(kind, request).cast_unsigned());
    record.set(1, address);
    record.set(3, noted_position(kind, request));
    if operation.is_null() || flags & CHOOSES_BUFFER != 0 {
        if length == 0 {
            // Of one that reads many times into buffers of the ring it is forgotten each time.
            length = record.moved(is_read);
            if length == u64::MAX {
                length = 0;
            }
        }
        record.set(2, length);
        record.set(REQUESTED_VALUE, length);
        record.buffer(address, length, is_read);
    } else {
        record.set(2, length);
        let vectors = Vectors {
            // SAFETY: only the address is taken.
            place: unsafe { (&raw const (*operation).second) as u64 },
            // SAFETY: the operation is in its map.
            count: unsafe { (*operation).values[VECTOR_COUNT] },
            space: Space::Kernel,
        };
        record.vectors(vectors, record.moved(is_read));
    }
    record.writer.index() + 1
}
