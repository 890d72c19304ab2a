//! Operations on sockets: sends, receives, accepts, binds and listens.
//!
//! A destination and the header of a message are taken from the kernel's own copy where there is one (`struct
//! io_async_msghdr`): since 6.10 it is made when the operation is prepared, before only when the operation has to wait;
//! without it they are read from where the kernel reads them next. Data is read when the operation ends, as that of system
//! calls is.

use agent_ebpf::{ABSENT, DROP_OPERATIONS, SectionTag};
use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};

use super::kind::Kind;
use super::number;
use super::operation::{OPERATIONS, Operation, UNKNOWN, descriptor_of};
use super::read_write::CHOOSES_BUFFER;
use super::record::{Record, end_record, object_of};
use super::short_note::{SHORT_NOTES, is_multishot, noted_descriptor};
use super::vectors::{Space, VECTOR_COUNT, Vectors};
use crate::call::{ADDRESS, REQUESTED_VALUE};
use crate::descriptor::file_of;
use crate::kernel::{Untyped, current_task, offset, setting};
use crate::output::count_drop;

/// `MSG_CMSG_COMPAT`: pointers in the header of the message have 32 bits.
const NARROW_MESSAGE: u32 = 1 << 31;
/// `IORING_RECVSEND_BUNDLE`: the data is in as many buffers of the ring as it needs.
const BUNDLE: u16 = 1 << 4;
/// [`Operation::values`]: the length of the address, which is in [`Operation::first`].
const ADDRESS_LENGTH: usize = 6;
/// `AF_MAX`
const ADDRESS_FAMILIES: u16 = 46;

/// Takes down what is known when an operation with an address or a message begins and gone when it ends.
#[inline(always)]
pub(super) fn note_with_address(
    kind: Kind,
    request: Untyped,
    command: Untyped,
    operation: &mut Operation,
) {
    let copy = request.follow(offset!(request_async_data));
    operation.values[0] = descriptor_of(request);
    match kind {
        Kind::Bind => {
            let length: u32 = command.read(offset!(io_bind_length));
            operation.values[2] = length.into();
            let address = bound_address(copy);
            copy_address(operation, address.0, length.into(), Space::Kernel);
        }
        Kind::Send if offset!(io_message_address) == ABSENT => copied_name(operation, copy),
        Kind::Send => {
            let address: u64 = command.read(offset!(io_message_address));
            let length: u16 = command.read(offset!(io_message_address_length));
            if address == 0 {
                return;
            }
            if copy.is_null() {
                copy_address(operation, address, length.into(), Space::User);
            } else {
                let address = copy.plus(offset!(async_message_address));
                copy_address(operation, address.0, length.into(), Space::Kernel);
            }
        }
        _ => note_message(command, operation, copy),
    }
}

/// Where the kernel has the address of a bind. Linux 7.1, and older ones that got it later, keep nothing else; before it
/// was in a message's copy, which starts with a pointer. The structures are the same in both.
#[inline(always)]
fn bound_address(copy: Untyped) -> Untyped {
    let start: u64 = copy.read(0);
    let is_pointer = start >> 48 == 0xffff && start.trailing_zeros() >= 3;
    let family = start as u16;
    if (1..ADDRESS_FAMILIES).contains(&family) && !is_pointer {
        return copy;
    }
    copy.plus(offset!(async_message_address))
}

/// The destination in the kernel's copy of a header.
#[inline(always)]
fn copied_name(operation: &mut Operation, copy: Untyped) {
    let name: u64 = copy.read(offset!(async_message_name));
    let length: u32 = copy.read(offset!(async_message_name_length));
    if name != 0 {
        copy_address(operation, name, length.into(), Space::Kernel);
    }
}

#[inline(always)]
fn copy_address(operation: &mut Operation, address: u64, length: u64, space: Space) {
    // A longer one the kernel cuts or refuses.
    let length = if length > ADDRESS { ADDRESS } else { length };
    // For the verifier.
    let length = core::hint::black_box(length) & (2 * ADDRESS - 1);
    let place = operation.first.as_mut_ptr().cast();
    // SAFETY: the masked length is far below that of the place.
    let failed = unsafe {
        match space {
            Space::Kernel => bpf_probe_read_kernel(place, length as u32, address as *const _),
            Space::User => bpf_probe_read_user(place, length as u32, address as *const _),
        }
    };
    operation.values[ADDRESS_LENGTH] = if failed == 0 { length } else { 0 };
}

/// The destination and the vectors of a message that is sent.
#[inline(always)]
fn note_message(command: Untyped, operation: &mut Operation, copy: Untyped) {
    let mut vectors = Vectors::NONE;
    if !copy.is_null() {
        copied_name(operation, copy);
        // What was sent already is not in the iterator any more.
        if command.read::<u32>(offset!(io_message_done)) == 0 {
            let iterator = copy.plus(offset!(async_message_iterator));
            let Some(found) = Vectors::of_iterator(iterator, operation) else {
                return;
            };
            vectors = found;
        }
    }
    if vectors.place == 0 {
        let flags: u32 = command.read(offset!(io_message_flags));
        if flags & NARROW_MESSAGE != 0 {
            return;
        }
        let header = user_header(command.read(offset!(io_message_buffer)));
        if copy.is_null() && header.name != 0 {
            copy_address(operation, header.name, header.name_length, Space::User);
        }
        vectors = header.vectors;
    }
    vectors.note(operation);
}

/// A `struct user_msghdr`, as far as it matters.
struct Header {
    name: u64,
    name_length: u64,
    vectors: Vectors,
}

#[inline(always)]
fn user_header(address: u64) -> Header {
    // Name, its length and padding, iovec, their number.
    let mut header = [0_u64; 4];
    // SAFETY: the helper writes 32 bytes to `header`, zeros if they cannot be read.
    unsafe { bpf_probe_read_user((&raw mut header).cast(), 32, address as *const _) };
    Header {
        name: header[0],
        name_length: header[1] & 0xffff_ffff,
        vectors: Vectors {
            place: header[2],
            count: header[3],
            space: Space::User,
        },
    }
}

/// Makes the record of an operation that ended; `result` is as a system call's.
///
/// In three steps, each a function visible from outside: so the verifier checks each once, see [`crate::path::walk`],
/// and none has all that they need on its stack.
#[inline(always)]
pub(super) fn record_network(kind: Kind, request: u64, result: i64) {
    let result = result.cast_unsigned();
    let object = network_object(request, result);
    // A program for one kind has only one of them.
    let begun = if matches!(kind, Kind::Sendmsg | Kind::Recvmsg) {
        begin_message(request, result)
    } else {
        begin_network(request, result)
    };
    if begun != 0 {
        end_record(begun - 1, object);
    }
}

/// Makes the record of an accept: the socket is `file`, or the one that the result tells if that is 0.
#[inline(always)]
pub(super) fn record_accept(result: i64, flags: u64, file: u64) {
    let result = result.cast_unsigned();
    let object = accepted_object(result, file);
    let begun = begin_accept(result, flags);
    if begun != 0 {
        end_record(begun - 1, object);
    }
}

/// The `struct file` that an operation is about; 0 if it cannot be told.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn network_object(request: u64, result: u64) -> u64 {
    let request = Untyped(request);
    let Some(kind) = Kind::of(request.read(offset!(request_opcode))) else {
        return 0;
    };
    if kind == Kind::Accept {
        let file = match SHORT_NOTES.get_ptr(request.0) {
            // SAFETY: the entry is in its map.
            Some(noted) => unsafe { (*noted).file },
            None => 0,
        };
        return accepted_object(result, file);
    }
    object_of(kind, request).0
}

#[inline(always)]
fn accepted_object(result: u64, file: u64) -> u64 {
    match file {
        _ if result.cast_signed() < 0 => 0,
        0 => file_of(current_task(), result as u32).0,
        UNKNOWN => 0,
        file => file,
    }
}

/// Starts the record of an operation that moves no message: all but what it is about. Returns one more than the number
/// of the buffer; 0 if such a call is not wanted.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_network(request: u64, result: u64) -> u64 {
    begin(Untyped(request), result, false)
}

/// The same of one that moves a message.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_message(request: u64, result: u64) -> u64 {
    begin(Untyped(request), result, true)
}

#[inline(always)]
fn begin(request: Untyped, result: u64, is_message: bool) -> u64 {
    let Some(kind) = Kind::of(request.read(offset!(request_opcode))) else {
        return 0;
    };
    let command = request.plus(offset!(request_command));
    if kind == Kind::Accept {
        return begin_accept(result, command.read::<u32>(offset!(io_accept_flags)).into());
    }
    let mut operation = core::ptr::null_mut::<Operation>();
    if kind.is_noted_in_full() {
        let Some(noted) = OPERATIONS.get_ptr_mut(request.0) else {
            count_drop(DROP_OPERATIONS);
            return 0;
        };
        operation = noted;
    }
    let (syscall, _) = kind.call();
    let Some(record) = Record::begin(syscall, result.cast_signed()) else {
        return 0;
    };
    record.set(0, noted_descriptor(kind, request).cast_unsigned());
    match kind {
        Kind::Listen => {
            let backlog: i32 = command.read(offset!(io_listen_backlog));
            record.set(1, i64::from(backlog).cast_unsigned());
        }
        Kind::Bind => record.set(2, command.read::<u32>(offset!(io_bind_length)).into()),
        _ if is_message => record.message(kind, request, command, operation),
        _ => record.data(kind, request, command),
    }
    if !operation.is_null() {
        // SAFETY: the operation is in its map.
        unsafe {
            let length = (*operation).values[ADDRESS_LENGTH];
            if length != 0 {
                let address = (&raw const (*operation).first) as u64;
                record
                    .writer
                    .kernel_bytes(SectionTag::Address, address, length);
            }
        }
    }
    record.writer.index() + 1
}

/// Starts the record of an accept; returns as [`begin_network`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn begin_accept(result: u64, flags: u64) -> u64 {
    let Some(record) = Record::begin(number::ACCEPT4, result.cast_signed()) else {
        return 0;
    };
    record.set(3, flags);
    record.writer.index() + 1
}

/// The buffer that the ring chose for a receive; 0 if it cannot be told.
///
/// Kernels without `struct io_br_sel`, before 6.18, put its address in the place of the program's; from 6.10 on, whose sends
/// have no address in the request, only of requests that receive many times is that known to be it. Newer ones have it in the
/// copy of the header, which is gone when a request ends that receives once.
#[inline(always)]
fn chosen_buffer(request: Untyped, start: u64) -> u64 {
    if offset!(buffer_selection) == ABSENT {
        let is_known = offset!(io_message_address) != ABSENT || is_multishot(request);
        return if is_known { start } else { 0 };
    }
    let copy = request.follow(offset!(request_async_data));
    let iterator = copy.plus(offset!(async_message_iterator));
    let kind = u32::from(iterator.read::<u8>(offset!(iterator_type)));
    if copy.is_null() || kind != setting!(iterator_plain) {
        return 0;
    }
    iterator.read(offset!(iterator_vectors))
}

impl Record {
    /// What is sent or received: the start of the data, and its length.
    #[inline(always)]
    fn data(&self, kind: Kind, request: Untyped, command: Untyped) {
        let flags: u32 = command.read(offset!(io_message_flags));
        let buffer: u64 = command.read(offset!(io_message_buffer));
        self.set(3, flags.into());
        // Both move on when a part is done.
        let done: u32 = command.read(offset!(io_message_done));
        let start = buffer.wrapping_sub(done.into());
        let length = u64::from(command.read::<u32>(offset!(io_message_length))) + u64::from(done);
        self.set(1, start);
        self.set(2, length);
        self.set(REQUESTED_VALUE, length);
        let mut start = start;
        if request.read::<u32>(offset!(request_flags)) & CHOOSES_BUFFER != 0 {
            start = chosen_buffer(request, start);
        }
        // Of several buffers at once there is no telling.
        let own_flags: u16 = command.read(offset!(io_message_own_flags));
        if start != 0 && own_flags & BUNDLE == 0 {
            self.buffer(start, length, kind == Kind::Recv);
        }
    }

    /// The same of a message: its vectors are noted of one that is sent, and in its header of one that is received.
    #[inline(always)]
    fn message(&self, kind: Kind, request: Untyped, command: Untyped, operation: *const Operation) {
        let flags: u32 = command.read(offset!(io_message_flags));
        let buffer: u64 = command.read(offset!(io_message_buffer));
        let is_read = kind == Kind::Recvmsg;
        self.set(1, buffer);
        self.set(2, flags.into());
        let mut vectors = Vectors::NONE;
        if is_read {
            // What completes many times does not fill in the header.
            if flags & NARROW_MESSAGE == 0 && !is_multishot(request) {
                let header = user_header(buffer);
                self.user_address(header.name, header.name_length);
                // Where the ring chooses the buffer, it is in a copy of the header that is gone.
                if request.read::<u32>(offset!(request_flags)) & CHOOSES_BUFFER == 0 {
                    vectors = header.vectors;
                }
            }
        } else if !operation.is_null() {
            // SAFETY: the operation is in its map.
            unsafe {
                vectors.place = (&raw const (*operation).second) as u64;
                vectors.count = (*operation).values[VECTOR_COUNT];
            }
        }
        if vectors.count != 0 {
            self.vectors(vectors, self.moved(is_read));
        }
    }
}
