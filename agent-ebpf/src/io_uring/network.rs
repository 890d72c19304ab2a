//! Operations on sockets: sends, receives, accepts, binds and listens.
//!
//! A destination and the header of a message are taken from the kernel's own copy where there is one (`struct
//! io_async_msghdr`): since 6.10 it is made when the operation is prepared, before only when the operation has to wait;
//! without it they are read from where the kernel reads them next. Data is read when the operation ends, as that of system
//! calls is.

use agent_ebpf::{
    ABSENT, CallPart, DROP_OPERATIONS, RECORD_FAILURE, RECORD_SUCCESS, RecordKind, SectionTag,
    TRUNCATED, UNREADABLE,
};
use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;

use super::kind::{Kind, number};
use super::operation::{OPERATIONS, Operation, UNKNOWN, descriptor_of, process_name};
use crate::call::{
    ADDRESS, CAPTURES, MAX_VECTORS, REQUESTED_VALUE, RESULT_VALUE, VECTORS, append_data_to,
};
use crate::descriptor::{file_of, file_sections};
use crate::kernel::{Untyped, current_task, offset, setting};
use crate::output::count_drop;
use crate::record_writer::RecordWriter;
use crate::shared_buffer::Buffer;
use crate::task::write_header;

/// `MSG_CMSG_COMPAT`: pointers in the header of the message have 32 bits.
const NARROW_MESSAGE: u32 = 1 << 31;
/// [`Operation::values`]: the length of the address, which is in [`Operation::first`].
const ADDRESS_LENGTH: usize = 6;
/// [`Operation::values`]: the number of `struct iovec`s, of which the first [`VECTORS`] are in [`Operation::second`].
const VECTOR_COUNT: usize = 7;
/// `AF_MAX`
const ADDRESS_FAMILIES: u16 = 46;
/// Bytes of `struct iovec`.
const VECTOR: u64 = 16;

/// What is noted of an operation of which the request tells the rest when it ends.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct OnSocket {
    /// The descriptor; -1 if it has none. The request keeps something else in its place later.
    descriptor: i64,
    /// The socket that was accepted into a slot of the ring, or [`UNKNOWN`].
    pub(super) file: u64,
}

/// By the address of the request. A server waits for many sockets at the same time, so there is room for more of these
/// than for [`OPERATIONS`]. What is forgotten is recorded without its descriptor's number.
#[map]
pub(super) static ON_SOCKETS: LruHashMap<u64, OnSocket> = LruHashMap::with_max_entries(1, 0);

/// Takes down what is known when an operation begins and gone when it ends.
#[inline(always)]
pub(super) fn note_on_socket(kind: Kind, request: Untyped, command: Untyped) {
    let is_slot = kind == Kind::Accept && command.read::<u32>(offset!(io_accept_slot)) != 0;
    let noted = OnSocket {
        descriptor: descriptor_of(request).cast_signed(),
        // It gets no descriptor.
        file: if is_slot { UNKNOWN } else { 0 },
    };
    if ON_SOCKETS.insert(request.0, noted, 0).is_err() {
        count_drop(DROP_OPERATIONS);
    }
}

/// The same with an address or a message.
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

/// Forgets what was noted of an operation.
#[inline(always)]
pub(super) fn forget(kind: Kind, request: Untyped) {
    // It may have gone by itself.
    let _gone = if kind.is_noted_in_full() {
        OPERATIONS.remove(request.0)
    } else {
        ON_SOCKETS.remove(request.0)
    };
}

/// Whether a request completes many times.
#[inline(always)]
pub(super) fn is_multishot(request: Untyped) -> bool {
    request.read::<u32>(offset!(request_flags)) & setting!(request_multishot) != 0
}

/// Whose addresses they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Kernel,
    User,
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
    let (mut vectors, mut count, mut space) = (0_u64, 0_u64, Space::Kernel);
    if !copy.is_null() {
        copied_name(operation, copy);
        // What was sent already is not in the iterator any more.
        if command.read::<u32>(offset!(io_message_done)) == 0 {
            let iterator = copy.plus(offset!(async_message_iterator));
            let kind = u32::from(iterator.read::<u8>(offset!(iterator_type)));
            let place: u64 = iterator.read(offset!(iterator_vectors));
            if kind == setting!(iterator_plain) {
                // SAFETY: a place for two words at the start of 4 KiB at a multiple of 8.
                unsafe {
                    let vector = operation.second.as_mut_ptr().cast::<u64>();
                    *vector = place;
                    *vector.add(1) = iterator.read(offset!(iterator_count));
                }
                operation.values[VECTOR_COUNT] = 1;
                return;
            }
            if kind == setting!(iterator_vector) {
                (vectors, count) = (place, iterator.read(offset!(iterator_segments)));
            }
        }
    }
    if vectors == 0 {
        let flags: u32 = command.read(offset!(io_message_flags));
        if flags & NARROW_MESSAGE != 0 {
            return;
        }
        let header = user_header(command.read(offset!(io_message_buffer)));
        if copy.is_null() && header.name != 0 {
            copy_address(operation, header.name, header.name_length, Space::User);
        }
        (vectors, count, space) = (header.vectors, header.count, Space::User);
    }
    if count > MAX_VECTORS {
        count = MAX_VECTORS;
    }
    let copied = if count > VECTORS { VECTORS } else { count };
    // For the verifier.
    let length = core::hint::black_box(copied * VECTOR) & (2 * VECTORS * VECTOR - 1);
    let place = operation.second.as_mut_ptr().cast();
    // SAFETY: the masked length is far below that of the place.
    let failed = unsafe {
        match space {
            Space::Kernel => bpf_probe_read_kernel(place, length as u32, vectors as *const _),
            Space::User => bpf_probe_read_user(place, length as u32, vectors as *const _),
        }
    };
    operation.values[VECTOR_COUNT] = if failed == 0 { count } else { 0 };
}

/// A `struct user_msghdr`, as far as it matters.
struct Header {
    name: u64,
    name_length: u64,
    vectors: u64,
    count: u64,
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
        vectors: header[2],
        count: header[3],
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
        end_network(begun - 1, object);
    }
}

/// Makes the record of an accept: the socket is `file`, or the one that the result tells if that is 0.
#[inline(always)]
pub(super) fn record_accept(result: i64, flags: u64, file: u64) {
    let result = result.cast_unsigned();
    let object = accepted_object(result, file);
    let begun = begin_accept(result, flags);
    if begun != 0 {
        end_network(begun - 1, object);
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
        let file = match ON_SOCKETS.get_ptr(request.0) {
            // SAFETY: the entry is in its map.
            Some(noted) => unsafe { (*noted).file },
            None => 0,
        };
        return accepted_object(result, file);
    }
    let object = request.follow(offset!(request_file));
    let descriptor = noted_descriptor(kind, request);
    if object.is_null() && descriptor >= 0 {
        // It is found when the operation runs, and this one is only submitted.
        return file_of(current_task(), descriptor as u32).0;
    }
    object.0
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

/// The descriptor of an operation that is under way; -1 if there is none, or it was forgotten.
#[inline(always)]
fn noted_descriptor(kind: Kind, request: Untyped) -> i64 {
    // SAFETY: what is found is in its map.
    unsafe {
        if kind.is_noted_in_full() {
            let noted = OPERATIONS.get_ptr(request.0);
            noted.map_or(-1, |noted| (*noted).values[0].cast_signed())
        } else {
            let noted = ON_SOCKETS.get_ptr(request.0);
            noted.map_or(-1, |noted| (*noted).descriptor)
        }
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

/// Ends the record that was begun in this buffer with what it is about.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn end_network(index: u64, object: u64) -> u64 {
    if let Some(buffer) = Buffer::resume(index) {
        file_sections(buffer.writer, current_task(), Untyped(object));
        buffer.writer.submit(RecordKind::Call);
        buffer.give_back();
    }
    0
}

/// A record under construction.
#[derive(Clone, Copy)]
struct Record {
    writer: RecordWriter,
    part: *mut CallPart,
}

impl Record {
    /// Starts one, with what is common to all; `None` if such a call is not wanted.
    #[inline(always)]
    fn begin(syscall: u32, result: i64) -> Option<Self> {
        let capture = CAPTURES.get(syscall)?;
        let outcome = if result < 0 {
            RECORD_FAILURE
        } else {
            RECORD_SUCCESS
        };
        if capture.outcomes & outcome == 0 {
            return None;
        }
        let buffer = Buffer::take()?;
        let task = current_task();
        let part = buffer.writer.fixed_part::<CallPart>();
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe { (*part).values[RESULT_VALUE] = result.cast_unsigned() };
        write_header(buffer.writer, RecordKind::Call, task, Some(result));
        buffer.writer.mark_io_uring(syscall, process_name(task));
        Some(Self {
            writer: buffer.writer,
            part,
        })
    }

    /// An argument of the system call; the position is a constant.
    #[inline(always)]
    fn set(&self, position: usize, value: u64) {
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe { (*self.part).values[position] = value };
    }

    /// Bytes that were moved, of what is read; without a bound of what is written.
    #[inline(always)]
    fn moved(&self, is_read: bool) -> u64 {
        if !is_read {
            return u64::MAX;
        }
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        let result = unsafe { (*self.part).values[RESULT_VALUE] }.cast_signed();
        if result > 0 { result as u64 } else { 0 }
    }

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
        // The ring chooses the buffers of one that completes many times, and the request does not tell which.
        if start != 0 && !is_multishot(request) {
            let is_read = kind == Kind::Recv;
            self.writer.begin_section();
            let length = if is_read { self.moved(true) } else { length };
            let flags = append_ring_data(self.writer.index(), start, length, 0);
            self.writer.end_section(SectionTag::Buffer, flags as u16);
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
        let (mut vectors, mut count, mut space) = (0, 0, Space::User);
        if is_read {
            // The ring chooses the buffers of one that completes many times.
            if flags & NARROW_MESSAGE == 0 && !is_multishot(request) {
                let header = user_header(buffer);
                self.user_address(header.name, header.name_length);
                (vectors, count) = (header.vectors, header.count);
            }
        } else if !operation.is_null() {
            // SAFETY: the operation is in its map.
            unsafe {
                vectors = (&raw const (*operation).second) as u64;
                count = (*operation).values[VECTOR_COUNT];
            }
            space = Space::Kernel;
        }
        if count != 0 {
            self.vectors(vectors, count, space, self.moved(is_read));
        }
    }

    /// The address that was written for the program.
    #[inline(always)]
    fn user_address(&self, address: u64, length: u64) {
        if address == 0 {
            return;
        }
        let length = if length > ADDRESS { ADDRESS } else { length };
        self.writer.begin_section();
        let is_read = self.writer.append_user::<{ 2 * ADDRESS }>(address, length);
        let flags = if is_read { 0 } else { UNREADABLE };
        self.writer.end_section(SectionTag::Address, flags);
    }

    /// The data of `count` vectors, `left` bytes of it at most.
    #[inline(always)]
    fn vectors(&self, vectors: u64, count: u64, space: Space, left: u64) {
        let writer = self.writer;
        let mut left = left;
        let mut requested = 0_u64;
        let mut taken = 0_u64;
        let mut flags = if count > VECTORS {
            u64::from(TRUNCATED)
        } else {
            0
        };
        writer.begin_section();
        let mut index = 0;
        while index < VECTORS {
            if index >= count {
                break;
            }
            // `struct iovec`: address, length.
            let mut vector = [0_u64; 2];
            let place = vectors.wrapping_add(index * VECTOR) as *const _;
            // SAFETY: either helper writes 16 bytes to `vector`, zeros if they cannot be read.
            unsafe {
                if space == Space::User {
                    bpf_probe_read_user((&raw mut vector).cast(), 16, place);
                } else {
                    bpf_probe_read_kernel((&raw mut vector).cast(), 16, place);
                }
            }
            requested = requested.wrapping_add(vector[1]);
            let length = if vector[1] < left { vector[1] } else { left };
            left = left.wrapping_sub(length);
            if length > 0 {
                flags |= append_ring_data(writer.index(), vector[0], length, taken);
                taken = taken.saturating_add(length);
            }
            // To the verifier any numbers: it would go through the rest once for each way here.
            requested = writer.opaque(requested);
            left = writer.opaque(left);
            taken = writer.opaque(taken);
            flags = writer.opaque(flags);
            index += 1;
        }
        writer.end_section(SectionTag::Buffer, flags as u16);
        self.set(REQUESTED_VALUE, requested);
    }
}

/// Adds data to the section that was begun in a buffer; as [`crate::call::append_data`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn append_ring_data(buffer: u64, address: u64, length: u64, taken: u64) -> u64 {
    match RecordWriter::resume_at(buffer) {
        Some(writer) => append_data_to(writer, address, length, taken),
        None => u64::from(UNREADABLE),
    }
}
