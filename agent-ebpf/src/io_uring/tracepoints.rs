//! Programs at the tracepoints of a submission and of a completion, where none can be attached to functions.

use agent_ebpf::{
    DROP_OPERATIONS, RING_CALL, RING_CONNECT, RING_NETWORK, RING_OPEN, RING_PLAIN, RING_READ_WRITE,
};
use aya_ebpf::helpers::generated::bpf_for_each_map_elem;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::RawTracePointContext;

use super::connect::record_connect;
use super::kind::{Kind, wanted_kind};
use super::names::record_call;
use super::network::{record_accept, record_network};
use super::open::record_open;
use super::operation::{Ended, OPERATIONS, UNKNOWN, ended};
use super::plain::record_plain;
use super::read_write::record_read_write;
use super::short_note::{SHORT_NOTES, forget, is_multishot};
use crate::connect::IN_PROGRESS;
use crate::foreign::PROGRAMS;
use crate::kernel::{Untyped, current_task, offset, setting};
use crate::output::count_drop;
use crate::record_writer::RecordWriter;
use crate::task::is_agent;

/// `-ECANCELED`
const CANCELLED: i64 = -125;

/// `IOSQE_CQE_SKIP_SUCCESS`, which `struct io_kiocb` has among its flags.
const SKIPS_SUCCESS: u32 = 1 << 6;
/// Where `struct io_uring_cqe` has the result.
const COMPLETION_RESULT: u32 = 8;

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
    if is_multishot(request) {
        repeats_begin(kind, request);
    } else if skips_success(request) && !kind.is_recorded_by_note() {
        if let Some(noted) = SHORT_NOTES.get_ptr_mut(request.0) {
            // SAFETY: the entry is in its map.
            unsafe { (*noted).file = UNKNOWN };
        }
        record_by_tail_call(&context, kind, request, 0);
    } else if skips_success(request)
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
    if request.is_null() {
        one_of_many(&context);
        return 0;
    }
    let Some(kind) = wanted_kind(request) else {
        return 0;
    };
    let is_last_of_many = is_multishot(request);
    if is_last_of_many {
        repeats_end(request);
    }
    if skips_success(request) && !is_last_of_many {
        // It was recorded when it was submitted.
        return 0;
    }
    let (_, mut result) = completion(&context);
    if kind == Kind::Connect && result == CANCELLED {
        // It may go on all the same.
        result = IN_PROGRESS;
    }
    record_by_tail_call(&context, kind, request, result);
    0
}

/// A completion finds the queue full: `io_uring_cqe_overflow(ring, user_data, result, flags, entry)`. Since 6.10 the
/// tracepoint above does not tell of it, and this one not of the request.
#[raw_tracepoint(tracepoint = "io_uring_cqe_overflow")]
pub(crate) fn io_uring_overflowed(context: RawTracePointContext) -> u32 {
    let called = Called {
        ring: context.arg::<u64>(0),
        user_data: context.arg::<u64>(1),
    };
    let mut result = i64::from(context.arg::<i32>(2));
    let mut search = Search { called, request: 0 };
    let place: *mut Search = &raw mut search;
    // SAFETY: the helper (5.13) calls the function for each element, with the address of what outlives the call.
    unsafe {
        let operations = (&raw const OPERATIONS).cast_mut().cast();
        bpf_for_each_map_elem(operations, is_called as *mut _, place.cast(), 0);
        if search.request == 0 {
            let short_notes = (&raw const SHORT_NOTES).cast_mut().cast();
            bpf_for_each_map_elem(short_notes, is_called as *mut _, place.cast(), 0);
        }
    }
    let request = Untyped(search.request);
    match wanted_kind(request) {
        // Two requests by the same name cannot be told apart. Whichever is taken, it is taken once, and that the other
        // is missing when it completes counts as a loss.
        Some(_) if is_multishot(request) => repeats(&context, called, result),
        Some(kind) => {
            if kind == Kind::Connect && result == CANCELLED {
                result = IN_PROGRESS;
            }
            record_by_tail_call(&context, kind, request, result);
        }
        None => repeats(&context, called, result),
    }
    0
}

/// A look for a request that is under way.
#[repr(C)]
struct Search {
    called: Called,
    /// 0 until it is found.
    request: u64,
}

/// Whether the operation of an element is the one that is looked for; 1 ends the look.
#[inline(never)]
extern "C" fn is_called(
    _map: u64,
    request: *const u64,
    _operation: u64,
    search: *mut Search,
) -> u64 {
    // SAFETY: the helper passes the address of an element's key and the one that it was given.
    unsafe {
        let found = Called::of(Untyped(*request));
        if found.ring != (*search).called.ring || found.user_data != (*search).called.user_data {
            return 0;
        }
        (*search).request = *request;
    }
    1
}

/// What the program called its request, and the result.
#[inline(always)]
fn completion(context: &RawTracePointContext) -> (u64, i64) {
    if setting!(completion_is_entry) == 1 {
        let completion = Untyped(context.arg::<u64>(2));
        let result: i32 = completion.read(COMPLETION_RESULT);
        (completion.read(0), result.into())
    } else {
        (context.arg::<u64>(2), context.arg::<i32>(3).into())
    }
}

/// A ring, and what the program called a request to it: all that is known of a completion that is not the last of its
/// request.
#[repr(C)]
#[derive(Clone, Copy)]
struct Called {
    ring: u64,
    user_data: u64,
}

/// Requests that complete many times.
#[repr(C)]
#[derive(Clone, Copy)]
struct Repeated {
    /// How many there are: a program can call several by the same name.
    count: u64,
    /// The last of them.
    request: u64,
    /// Its `IORING_OP_*`.
    opcode: u64,
    /// What they were told that accept connections.
    flags: u64,
    /// The accepted sockets: 0 if they get descriptors, else [`UNKNOWN`].
    file: u64,
}

/// By what the program calls them.
#[map]
static MULTISHOTS: LruHashMap<Called, Repeated> = LruHashMap::with_max_entries(1, 0);

impl Called {
    #[inline(always)]
    fn of(request: Untyped) -> Self {
        Self {
            ring: request.read(offset!(request_ring)),
            user_data: request.read(offset!(request_user_data)),
        }
    }
}

/// Such a request is submitted.
#[inline(always)]
fn repeats_begin(kind: Kind, request: Untyped) {
    if is_agent() {
        return;
    }
    let command = request.plus(offset!(request_command));
    let called = Called::of(request);
    let mut repeated = Repeated {
        count: 1,
        request: request.0,
        opcode: request.read::<u8>(offset!(request_opcode)).into(),
        flags: 0,
        file: 0,
    };
    if kind == Kind::Accept {
        repeated.flags = command.read::<u32>(offset!(io_accept_flags)).into();
        if command.read::<u32>(offset!(io_accept_slot)) != 0 {
            repeated.file = UNKNOWN;
        }
    }
    if let Some(known) = MULTISHOTS.get_ptr(called) {
        // SAFETY: the entry is in its map.
        repeated.count += unsafe { (*known).count };
    }
    if MULTISHOTS.insert(called, repeated, 0).is_err() {
        count_drop(DROP_OPERATIONS);
    }
}

/// Such a request ends.
#[inline(always)]
fn repeats_end(request: Untyped) {
    let called = Called::of(request);
    if let Some(known) = MULTISHOTS.get_ptr_mut(called) {
        // SAFETY: the entry is in its map.
        unsafe {
            if (*known).count > 1 {
                (*known).count -= 1;
                return;
            }
        }
        // It may have gone by itself.
        let _gone = MULTISHOTS.remove(called);
    }
}

/// A completion that is not the last of its request.
#[inline(always)]
fn one_of_many(context: &RawTracePointContext) {
    let (user_data, result) = completion(context);
    let called = Called {
        ring: context.arg::<u64>(0),
        user_data,
    };
    repeats(context, called, result);
}

/// The same, if the request is known.
#[inline(always)]
fn repeats(context: &RawTracePointContext, called: Called, result: i64) {
    let Some(repeated) = MULTISHOTS.get_ptr(called) else {
        return;
    };
    let Some(writer) = RecordWriter::resume() else {
        return;
    };
    // SAFETY: the entry is in its map.
    let Repeated {
        request,
        opcode,
        flags,
        file,
        ..
    } = unsafe { *repeated };
    let Some(kind) = Kind::of(opcode as u8) else {
        return;
    };
    let mut request = Untyped(request);
    if kind == Kind::Accept {
        request = Untyped(0);
    } else {
        // It may be another one by now.
        let found = Called::of(request);
        let is_same = found.ring == called.ring && found.user_data == called.user_data;
        if !is_same || !is_multishot(request) || wanted_kind(request) != Some(kind) {
            count_drop(DROP_OPERATIONS);
            return;
        }
    }
    writer.set_foreign_arguments(&[flags, file, GOES_ON, 0, 0, 0]);
    call_recorder(context, writer, kind, request, result);
}

/// What the program that is called last finds besides the request: the request goes on, and what was noted of it stays.
const GOES_ON: u64 = 1;

/// Goes on with the program that makes the record: both tracepoints need it, and the verifier shall check it once.
#[inline(always)]
fn record_by_tail_call(context: &RawTracePointContext, kind: Kind, request: Untyped, result: i64) {
    let Some(writer) = RecordWriter::resume() else {
        return;
    };
    writer.set_foreign_arguments(&[0; 6]);
    call_recorder(context, writer, kind, request, result);
}

#[inline(always)]
fn call_recorder(
    context: &RawTracePointContext,
    writer: RecordWriter,
    kind: Kind,
    request: Untyped,
    result: i64,
) {
    // Programs at tracepoints are not preempted, so what the CPU's buffer notes stays until it is read.
    writer.set_foreign(request.0, 0, result);
    let program = match kind {
        Kind::Openat | Kind::Openat2 => RING_OPEN,
        Kind::Connect => RING_CONNECT,
        kind if kind.is_on_socket() => RING_NETWORK,
        kind if kind.moves_data() => RING_READ_WRITE,
        kind if kind.is_plain() => RING_PLAIN,
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

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_network(_context: RawTracePointContext) -> u32 {
    let Some(writer) = RecordWriter::resume() else {
        return 0;
    };
    let (request, result) = writer.noted_request();
    if is_nobody() {
        forget_request(Untyped(request));
        return 0;
    }
    if request == 0 {
        let (flags, file) = (writer.foreign_argument(0), writer.foreign_argument(1));
        record_accept(result, flags, file);
        return 0;
    }
    let request = Untyped(request);
    if let Some(kind) = Kind::of(request.read(offset!(request_opcode))) {
        record_network(kind, request.0, result);
        forget_ended(writer, request);
    }
    0
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_read_write(_context: RawTracePointContext) -> u32 {
    if let Some((request, result)) = of_somebody() {
        record_read_write(request.0, result);
        if let Some(writer) = RecordWriter::resume() {
            forget_ended(writer, request);
        }
    }
    0
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_plain(_context: RawTracePointContext) -> u32 {
    if let Some((request, result)) = of_somebody() {
        record_plain(request.0, result);
        forget_request(request);
    }
    0
}

/// Whether nobody to be watched does what is done: a thread of the kernel cancels what a process that ended had begun.
#[inline(always)]
fn is_nobody() -> bool {
    is_agent() || current_task().follow(offset!(task_mm)).is_null()
}

/// The request that was noted for the program that is called last, and its result, if somebody is at work.
#[inline(always)]
fn of_somebody() -> Option<(Untyped, i64)> {
    let (request, result) = RecordWriter::resume()?.noted_request();
    if is_nobody() {
        forget_request(Untyped(request));
        return None;
    }
    Some((Untyped(request), result))
}

/// Forgets a request if it does not go on.
#[inline(always)]
fn forget_ended(writer: RecordWriter, request: Untyped) {
    if writer.foreign_argument(2) != GOES_ON {
        forget_request(request);
    }
}

#[inline(always)]
fn forget_request(request: Untyped) {
    if !request.is_null()
        && let Some(kind) = Kind::of(request.read(offset!(request_opcode)))
    {
        forget(kind, request);
    }
}
