//! Records of operations that stand for a system call recorded in general, step by step.
//!
//! Each step is a function visible from outside: so the verifier checks it once, see [`crate::path::walk`], and none has
//! all that the others need on its stack.

use agent_ebpf::{
    CallPart, RECORD_FAILURE, RECORD_SUCCESS, RecordKind, SectionTag, TRUNCATED, UNREADABLE,
};
use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};

use super::kind::Kind;
use super::operation::process_name;
use super::short_note::noted_descriptor;
use super::vectors::{Space, VECTOR, Vectors};
use crate::call::{ADDRESS, CAPTURES, REQUESTED_VALUE, RESULT_VALUE, VECTORS, append_data_to};
use crate::descriptor::{file_of, file_sections};
use crate::kernel::{Untyped, current_task, offset};
use crate::record_writer::RecordWriter;
use crate::shared_buffer::Buffer;
use crate::task::write_header;

/// In the place of a `struct file`: the record is about none.
pub(super) const NO_OBJECT: u64 = u64::MAX;

/// The `struct file` that a request is about; null if it cannot be told.
#[inline(always)]
pub(super) fn object_of(kind: Kind, request: Untyped) -> Untyped {
    let object = request.follow(offset!(request_file));
    let descriptor = noted_descriptor(kind, request);
    if object.is_null() && descriptor >= 0 {
        // It is found when the operation runs, and this one is only submitted.
        return file_of(current_task(), descriptor as u32);
    }
    object
}

/// Ends the record that was begun in this buffer with what it is about.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn end_record(index: u64, object: u64) -> u64 {
    if let Some(buffer) = Buffer::resume(index) {
        if object != NO_OBJECT {
            file_sections(buffer.writer, current_task(), Untyped(object));
        }
        buffer.writer.submit(RecordKind::Call);
        buffer.give_back();
    }
    0
}

/// A record under construction.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) writer: RecordWriter,
    part: *mut CallPart,
}

impl Record {
    /// Starts one, with what is common to all; `None` if such a call is not wanted.
    #[inline(always)]
    pub(super) fn begin(syscall: u32, result: i64) -> Option<Self> {
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
    pub(super) fn set(&self, position: usize, value: u64) {
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe { (*self.part).values[position] = value };
    }

    /// Bytes that were moved, of what is read; without a bound of what is written.
    #[inline(always)]
    pub(super) fn moved(&self, is_read: bool) -> u64 {
        if !is_read {
            return u64::MAX;
        }
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        let result = unsafe { (*self.part).values[RESULT_VALUE] }.cast_signed();
        if result > 0 { result as u64 } else { 0 }
    }

    /// The start of the data in a plain buffer with room for `length` bytes.
    #[inline(always)]
    pub(super) fn buffer(&self, address: u64, length: u64, is_read: bool) {
        self.writer.begin_section();
        let length = if is_read { self.moved(true) } else { length };
        let flags = append_ring_data(self.writer.index(), address, length, 0);
        self.writer.end_section(SectionTag::Buffer, flags as u16);
    }

    /// The address that was written for the program.
    #[inline(always)]
    pub(super) fn user_address(&self, address: u64, length: u64) {
        if address == 0 {
            return;
        }
        let length = if length > ADDRESS { ADDRESS } else { length };
        self.writer.begin_section();
        let is_read = self.writer.append_user::<{ 2 * ADDRESS }>(address, length);
        let flags = if is_read { 0 } else { UNREADABLE };
        self.writer.end_section(SectionTag::Address, flags);
    }

    /// The data of these vectors, `left` bytes of it at most.
    #[inline(always)]
    pub(super) fn vectors(&self, vectors: Vectors, left: u64) {
        let Vectors {
            place: vectors,
            count,
            space,
        } = vectors;
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
