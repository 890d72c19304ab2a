//! Operations about names, and what all that stand for a system call recorded in general have in common.

use agent_ebpf::{CallPart, RECORD_FAILURE, RECORD_SUCCESS, RecordKind, SectionTag};

use super::kind::Kind;
use super::operation::{Ended, Operation, copy_name, copy_text, descriptor_of, process_name};
use crate::call::{CAPTURES, RESULT_VALUE, path_base};
use crate::descriptor::file_sections;
use crate::kernel::{Untyped, current_task, offset};
use crate::open::AT_FDCWD;
use crate::shared_buffer::Buffer;
use crate::task::write_header;

/// Which arguments of a system call have a name.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// None.
    None,
    /// One, relative to the directory in this argument (from 0).
    One(usize),
    /// Two, each relative to the directory in its argument.
    Two(usize, usize),
    /// The first is a text, the second a name relative to the directory in this argument.
    TextAndName(usize),
    /// The first is a name relative to the working directory, the second a text.
    NameAndText,
    /// The first is the file that the request is about, the second a text.
    FileAndText,
}

/// Takes down what is known when an operation on an extended attribute begins and gone when it ends.
#[inline(always)]
pub(super) fn note_attribute(
    kind: Kind,
    request: Untyped,
    command: Untyped,
    operation: &mut Operation,
) {
    // setxattr(path, name, value, size, flags), or the same with a descriptor.
    if matches!(kind, Kind::Fsetxattr | Kind::Fgetxattr) {
        operation.values[0] = descriptor_of(request);
    } else {
        copy_name(&mut operation.first, command.follow(offset!(io_xattr_path)));
    }
    operation.values[3] = command.read(offset!(io_xattr_size));
    operation.values[4] = command.read::<u32>(offset!(io_xattr_flags)).into();
    copy_text(
        &mut operation.second,
        command.follow(offset!(io_xattr_name)),
    );
}

/// Makes the record of an operation that stands for a system call recorded by its entry in `CAPTURES`.
#[inline(always)]
pub(super) fn record_call(ended: &Ended, syscall: u32, names: Names) {
    let Some(capture) = CAPTURES.get(syscall) else {
        return;
    };
    let outcome = if ended.result < 0 {
        RECORD_FAILURE
    } else {
        RECORD_SUCCESS
    };
    if capture.outcomes & outcome == 0 {
        return;
    }
    let Some(buffer) = Buffer::take() else {
        return;
    };
    let writer = buffer.writer;
    let task = current_task();
    let part = writer.fixed_part::<CallPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns; the operation is in its map.
    unsafe {
        let mut position = 0;
        while position < 6 {
            (*part).values[position] = (*ended.operation).values[position];
            position += 1;
        }
        (*part).values[RESULT_VALUE] = ended.result.cast_unsigned();
    }
    write_header(writer, RecordKind::Call, task, Some(ended.result));
    writer.mark_io_uring(syscall, process_name(task));
    // SAFETY: only the addresses are taken.
    let (first, second) = unsafe {
        (
            (&raw const (*ended.operation).first) as u64,
            (&raw const (*ended.operation).second) as u64,
        )
    };
    let is_always = capture.always_base != 0;
    if let Names::TextAndName(_) = names {
        writer.kernel_string(SectionTag::FirstText, first);
    }
    if let Names::NameAndText = names {
        writer.kernel_string(SectionTag::Path, first);
        path_base(writer, task, AT_FDCWD, is_always, SectionTag::Base);
    }
    if let Names::NameAndText | Names::FileAndText = names {
        writer.kernel_string(SectionTag::FirstText, second);
    }
    if let Names::FileAndText = names {
        let object = ended.request.follow(offset!(request_file));
        file_sections(writer, task, object);
    }
    if let Names::One(directory) | Names::Two(directory, _) | Names::TextAndName(directory) = names
    {
        let name = if let Names::TextAndName(_) = names {
            second
        } else {
            first
        };
        writer.kernel_string(SectionTag::Path, name);
        let directory = ended.value(directory) as i32;
        path_base(writer, task, directory, is_always, SectionTag::Base);
    }
    if let Names::Two(_, directory) = names {
        writer.kernel_string(SectionTag::SecondPath, second);
        let directory = ended.value(directory) as i32;
        path_base(writer, task, directory, is_always, SectionTag::SecondBase);
    }
    writer.submit(RecordKind::Call);
    buffer.give_back();
}
