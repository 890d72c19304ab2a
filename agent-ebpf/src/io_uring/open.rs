//! Opens.

use agent_ebpf::{OPEN_FAILED, OpenPart, RecordKind, SectionTag};

use super::operation::{Ended, Operation, UNKNOWN, copy_name, descriptor, process_name};
use crate::call::path_base;
use crate::descriptor::file_of;
use crate::kernel::{Untyped, current_task, offset, setting};
use crate::open::{ACCESS_MODE, O_PATH, describe_file, is_wanted, opened_section};
use crate::shared_buffer::Buffer;
use crate::task::write_header;

/// openat(directory, path, flags, mode), or openat2 with all that it has besides.
#[inline(always)]
pub(super) fn note_open(command: Untyped, operation: &mut Operation, syscall: u32) {
    operation.values[0] = descriptor(command, offset!(io_open_directory));
    // `struct open_how`: flags, mode, resolve.
    let how: [u64; 3] = command.read(offset!(io_open_how));
    operation.values[1] = how[0];
    operation.values[2] = how[1];
    operation.values[3] = how[2];
    operation.values[5] = syscall.into();
    if command.read::<u32>(offset!(io_open_slot)) != 0 {
        // It gets no descriptor.
        operation.file = UNKNOWN;
    }
    copy_name(&mut operation.first, command.follow(offset!(io_open_name)));
}

#[inline(always)]
pub(super) fn record_open(ended: &Ended) {
    // SAFETY: the operation is in its map.
    let (file, name) = unsafe {
        let operation = &raw const *ended.operation;
        ((*operation).file, (&raw const (*operation).first) as u64)
    };
    let result = ended.result;
    let flags = ended.value(1) as u32;
    let access = if flags & O_PATH == 0 {
        flags & ACCESS_MODE
    } else {
        0
    };
    let is_asked = if result < 0 {
        setting!(open_classes) & OPEN_FAILED != 0
    } else {
        is_wanted(access)
    };
    if !is_asked {
        return;
    }
    let Some(buffer) = Buffer::take() else {
        return;
    };
    let writer = buffer.writer;
    let task = current_task();
    let mut is_open = false;
    if result >= 0 {
        let file = match file {
            0 => file_of(task, result as u32),
            UNKNOWN => Untyped(0),
            file => Untyped(file),
        };
        writer.copy_file(file);
        is_open = !file.is_null();
    }
    let part = writer.fixed_part::<OpenPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe {
        (*part).flags = (flags & !ACCESS_MODE) | access;
        (*part).mode = ended.value(2) as u32;
        (*part).directory = ended.value(0) as i32;
        (*part).resolve = ended.value(3) as u32;
        if is_open {
            describe_file(part, writer);
        }
    }
    write_header(writer, RecordKind::Open, task, Some(result));
    writer.mark_io_uring(ended.value(5) as u32, process_name(task));
    opened_section(writer, task, is_open);
    writer.kernel_string(SectionTag::Path, name);
    path_base(writer, task, ended.value(0) as i32, false, SectionTag::Base);
    writer.submit(RecordKind::Open);
    buffer.give_back();
}
