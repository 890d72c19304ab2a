//! Connects.

use super::number;
use super::operation::{Ended, process_name};
use crate::connect::{self, Attempt};
use crate::descriptor::sock_of_file;
use crate::kernel::{current_task, offset};
use crate::shared_buffer::Buffer;

#[inline(always)]
pub(super) fn record_connect(ended: &Ended) {
    // SAFETY: the operation is in its map.
    let was_in_progress = unsafe { (*ended.operation).was_in_progress != 0 };
    // It was recorded when it began; that it came through is not another connect.
    if (was_in_progress && ended.result >= 0) || !connect::is_wanted(ended.result) {
        return;
    }
    let Some(buffer) = Buffer::take() else {
        return;
    };
    let writer = buffer.writer;
    let task = current_task();
    let attempt = Attempt {
        descriptor: ended.value(0) as u32,
        sock: sock_of_file(ended.request.follow(offset!(request_file))),
        address: ended.value(1),
        length: ended.value(2) as u32,
    };
    attempt.record(writer, task, ended.result, || {
        writer.mark_io_uring(number::CONNECT, process_name(task));
    });
    buffer.give_back();
}
