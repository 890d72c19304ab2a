//! Programs at the tracepoints of a submission and of a completion, where none can be attached to functions.

use agent_ebpf::{RING_CALL, RING_CONNECT, RING_OPEN};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use super::connect::record_connect;
use super::kind::Kind;
use super::names::record_call;
use super::open::record_open;
use super::operation::{Ended, OPERATIONS, UNKNOWN, ended};
use crate::connect::IN_PROGRESS;
use crate::foreign::PROGRAMS;
use crate::kernel::{Untyped, offset, setting};
use crate::record_writer::RecordWriter;

/// `-ECANCELED`
const CANCELLED: i64 = -125;

/// `IOSQE_CQE_SKIP_SUCCESS`, which `struct io_kiocb` has among its flags.
const SKIPS_SUCCESS: u32 = 1 << 6;
/// Where `struct io_uring_cqe` has the result.
const COMPLETION_RESULT: u32 = 8;

/// Whether operations with this number are wanted, of which 64 can be told.
#[inline(always)]
fn is_wanted_operation(opcode: u8) -> bool {
    let word = if opcode < 32 {
        setting!(operations_low)
    } else {
        setting!(operations_high)
    };
    opcode < 64 && word >> (opcode & 31) & 1 == 1
}

/// The kind of a request, if it is wanted.
#[inline(always)]
fn wanted_kind(request: Untyped) -> Option<Kind> {
    if request.is_null() {
        return None;
    }
    let opcode: u8 = request.read(offset!(request_opcode));
    if is_wanted_operation(opcode) {
        Kind::of(opcode)
    } else {
        None
    }
}

/// Whether its success makes no completion.
#[inline(always)]
fn skips_success(request: Untyped) -> bool {
    request.read::<u32>(offset!(request_flags)) & SKIPS_SUCCESS != 0
}

/// A request is submitted: `io_uring_submit_req(request)`, or `io_uring_submit_sqe(request, may_block)` up to 6.2.
#[raw_tracepoint(tracepoint = "io_uring_submit_req")]
pub(crate) fn io_uring_submitted(context: RawTracePointContext) -> u32 {
    let request = Untyped(context.arg::<u64>(0));
    let Some(kind) = wanted_kind(request) else {
        return 0;
    };
    kind.note(request);
    if skips_success(request)
        && let Some(operation) = OPERATIONS.get_ptr_mut(request.0)
    {
        // There is no telling which descriptor it is going to be.
        // SAFETY: the operation is in its map.
        unsafe { (*operation).file = UNKNOWN };
        record_by_tail_call(&context, kind, request, 0);
    }
    0
}

/// A request is completed: `io_uring_complete(ring, request, completion)`, or, in older kernels, `io_uring_complete(ring,
/// request, user_data, result, ...)`.
#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn io_uring_completed(context: RawTracePointContext) -> u32 {
    let request = Untyped(context.arg::<u64>(1));
    let Some(kind) = wanted_kind(request) else {
        return 0;
    };
    if skips_success(request) {
        // It was recorded when it was submitted.
        return 0;
    }
    let mut result = if setting!(completion_is_entry) == 1 {
        i64::from(Untyped(context.arg::<u64>(2)).read::<i32>(COMPLETION_RESULT))
    } else {
        i64::from(context.arg::<i32>(3))
    };
    if kind == Kind::Connect && result == CANCELLED {
        // It may go on all the same.
        result = IN_PROGRESS;
    }
    record_by_tail_call(&context, kind, request, result);
    0
}

/// Goes on with the program that makes the record: both tracepoints need it, and the verifier shall check it once.
#[inline(always)]
fn record_by_tail_call(context: &RawTracePointContext, kind: Kind, request: Untyped, result: i64) {
    let Some(writer) = RecordWriter::resume() else {
        return;
    };
    // Programs at tracepoints are not preempted, so what the CPU's buffer notes stays until it is read.
    writer.set_foreign(request.0, 0, result);
    let program = match kind {
        Kind::Openat | Kind::Openat2 => RING_OPEN,
        Kind::Connect => RING_CONNECT,
        _ => RING_CALL,
    };
    // Where there is no such program, nothing happens: no rule wants it.
    // SAFETY: all programs of the table take the context of a raw tracepoint.
    unsafe { PROGRAMS.tail_call(context, program) };
}

/// The operation that was noted for the program that is called last.
#[inline(always)]
fn called() -> Option<(Ended, Kind)> {
    let (request, result) = RecordWriter::resume()?.noted_request();
    let ended = ended(Untyped(request), result)?;
    let kind = Kind::of(ended.request.read(offset!(request_opcode)))?;
    Some((ended, kind))
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_open(_context: RawTracePointContext) -> u32 {
    if let Some((ended, _)) = called() {
        record_open(&ended);
        ended.forget();
    }
    0
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_connect(_context: RawTracePointContext) -> u32 {
    if let Some((ended, _)) = called() {
        record_connect(&ended);
        ended.forget();
    }
    0
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_call(_context: RawTracePointContext) -> u32 {
    if let Some((ended, kind)) = called() {
        let (syscall, names) = kind.call();
        record_call(&ended, syscall, names);
        ended.forget();
    }
    0
}
