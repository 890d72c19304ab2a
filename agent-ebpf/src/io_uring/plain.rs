//! Operations of which the request itself tells all that is recorded: the system call, a descriptor, a few numbers.

use super::kind::Kind;
use super::number;
use super::record::{NO_OBJECT, Record, end_record, object_of};
use super::short_note::noted_descriptor;
use crate::call::CAPTURES;
use crate::descriptor::file_of;
use crate::kernel::{Untyped, current_task, offset};

/// `IORING_FSYNC_DATASYNC`
const DATA_ONLY: u32 = 1;
/// `SPLICE_F_FD_IN_FIXED`: the source is a file of the ring's own table.
const FIXED_SOURCE: u32 = 1 << 31;

/// Makes the record of an operation that ended; `result` is as a system call's.
#[inline(always)]
pub(super) fn record_plain(request: u64, result: i64) {
    // Before the buffer is taken, since each step has a stack of its own.
    let object = plain_object(request);
    let begun = begin_plain(request, result.cast_unsigned());
    if begun != 0 {
        end_record(begun - 1, object);
    }
}

/// The system call that an operation stands for.
#[inline(always)]
fn call_of(kind: Kind, command: Untyped) -> u32 {
    if kind == Kind::Fsync && command.read::<u32>(offset!(io_sync_flags)) & DATA_ONLY != 0 {
        return number::FDATASYNC;
    }
    kind.call().0
}

/// The `struct file` that an operation is about, as the system call's event has it; [`NO_OBJECT`] if that has none.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn plain_object(request: u64) -> u64 {
    let request = Untyped(request);
    let command = request.plus(offset!(request_command));
    let Some(kind) = Kind::of(request.read(offset!(request_opcode))) else {
        return NO_OBJECT;
    };
    match CAPTURES.get(call_of(kind, command)) {
        Some(capture) if capture.descriptor != 0 => {}
        _ => return NO_OBJECT,
    }
    if kind != Kind::Splice {
        return object_of(kind, request).0;
    }
    if command.read::<u32>(offset!(io_splice_flags)) & FIXED_SOURCE != 0 {
        return 0;
    }
    let source: u32 = command.read(offset!(io_splice_source));
    file_of(current_task(), source).0
}

/// Starts the record of an operation: all but what it is about. Returns one more than the number of the buffer; 0 if such a
/// call is not wanted.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_plain(request: u64, result: u64) -> u64 {
    let request = Untyped(request);
    let command = request.plus(offset!(request_command));
    let Some(kind) = Kind::of(request.read(offset!(request_opcode))) else {
        return 0;
    };
    let Some(record) = Record::begin(call_of(kind, command), result.cast_signed()) else {
        return 0;
    };
    let descriptor = noted_descriptor(kind, request).cast_unsigned();
    match kind {
        Kind::Splice => {
            // splice(source, its offset, destination, its offset, length, flags)
            let source: i32 = command.read(offset!(io_splice_source));
            let flags: u32 = command.read(offset!(io_splice_flags));
            let source = if flags & FIXED_SOURCE == 0 {
                i64::from(source)
            } else {
                -1
            };
            record.set(0, source.cast_unsigned());
            record.set(2, descriptor);
            record.set(4, command.read(offset!(io_splice_length)));
            record.set(5, (flags & !FIXED_SOURCE).into());
        }
        Kind::Shutdown => {
            record.set(0, descriptor);
            record.set(1, command.read::<u32>(offset!(io_shutdown_how)).into());
        }
        _ => record.set(0, descriptor),
    }
    record.writer.index() + 1
}
