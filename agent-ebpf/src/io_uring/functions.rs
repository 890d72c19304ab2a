//! Programs at the entry and at the exit of the functions that run operations.

use core::ffi::c_void;

use agent_ebpf::{ABSENT, DROP_OPERATIONS};
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_get_func_arg;
use aya_ebpf::macros::{fentry, fexit, map};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::connect::record_connect;
use super::kind::{Kind, wanted_kind};
use super::network::record_network;
use super::number;
use super::operation::{Ended, OPERATIONS, ended};
use super::plain::record_plain;
use super::read_write::{bytes_done, record_read_write};
use super::short_note::{SHORT_NOTES, forget, is_multishot, is_noted};
use crate::connect::{IN_PROGRESS, thread};
use crate::kernel::{Untyped, current_task, offset, setting};
use crate::output::count_drop;
use crate::task::is_agent;

/// What functions return (`io_uring/io_uring.h`): the result is in the request.
const DONE: i32 = 0;
/// `-EIOCBQUEUED`: nothing to complete now.
const WAITS: i32 = -529;
/// `IOU_REQUEUE`: it is called again.
const QUEUED: i32 = -3072;
/// `-EAGAIN`: it is called again, unless the request says otherwise.
const AGAIN: i32 = -11;
/// `-ECANCELED`
const CANCELLED: i32 = -125;

/// By thread, the request that completes many times and that it runs: where the function of a completion is not told
/// of the request.
#[map]
static RUNNING: LruHashMap<u64, u64> = LruHashMap::with_max_entries(512, 0);

/// What was noted of the operation whose function returns, and its result; `None` if nothing is known of it.
#[inline(always)]
fn returned(context: &FExitContext) -> Option<Ended> {
    let request = Untyped(context.arg::<u64>(0));
    // What a function with two arguments returns is behind them.
    let returned = context.arg::<i32>(2);
    let result = if returned == 0 {
        request.read::<i32>(offset!(request_result))
    } else {
        returned
    };
    ended(request, i64::from(result))
}

impl Kind {
    /// The entry of the function that runs it.
    #[inline(always)]
    fn enters(self, context: &FEntryContext) -> u32 {
        self.note(Untyped(context.arg::<u64>(0)));
        0
    }

    /// The exit of the function that runs it.
    #[inline(always)]
    fn exits(self, context: &FExitContext) -> u32 {
        if let Some(ended) = returned(context) {
            if !ended.is_to_be_continued() {
                self.record(&ended);
            }
            ended.forget();
        }
        0
    }
}

/// The programs at the entry and at the exit of a function.
macro_rules! at_function {
    ($function:literal, $kind:ident, $entry:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub(crate) fn $entry(context: FEntryContext) -> u32 {
            Kind::$kind.enters(&context)
        }

        #[fexit(function = $function)]
        pub(crate) fn $exit(context: FExitContext) -> u32 {
            Kind::$kind.exits(&context)
        }
    };
}

at_function!("io_socket", Socket, enter_io_socket, exit_io_socket);
at_function!("io_unlinkat", Unlinkat, enter_io_unlinkat, exit_io_unlinkat);
at_function!("io_renameat", Renameat, enter_io_renameat, exit_io_renameat);
at_function!("io_mkdirat", Mkdirat, enter_io_mkdirat, exit_io_mkdirat);
at_function!(
    "io_symlinkat",
    Symlinkat,
    enter_io_symlinkat,
    exit_io_symlinkat
);
at_function!("io_linkat", Linkat, enter_io_linkat, exit_io_linkat);
at_function!(
    "io_fsetxattr",
    Fsetxattr,
    enter_io_fsetxattr,
    exit_io_fsetxattr
);
at_function!("io_setxattr", Setxattr, enter_io_setxattr, exit_io_setxattr);
at_function!(
    "io_fgetxattr",
    Fgetxattr,
    enter_io_fgetxattr,
    exit_io_fgetxattr
);
at_function!("io_getxattr", Getxattr, enter_io_getxattr, exit_io_getxattr);

/// The same for operations of which the request tells all.
macro_rules! at_plain_function {
    ($function:literal, $kind:ident, $entry:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub(crate) fn $entry(context: FEntryContext) -> u32 {
            Kind::$kind.enters(&context)
        }

        #[fexit(function = $function)]
        pub(crate) fn $exit(context: FExitContext) -> u32 {
            exits_plain(Kind::$kind, &context)
        }
    };
}

at_plain_function!("io_fsync", Fsync, enter_io_fsync, exit_io_fsync);
at_plain_function!(
    "io_sync_file_range",
    SyncFileRange,
    enter_io_sync_file_range,
    exit_io_sync_file_range
);
at_plain_function!(
    "io_fallocate",
    Fallocate,
    enter_io_fallocate,
    exit_io_fallocate
);
at_plain_function!(
    "io_ftruncate",
    Ftruncate,
    enter_io_ftruncate,
    exit_io_ftruncate
);
at_plain_function!("io_close", Close, enter_io_close, exit_io_close);
at_plain_function!("io_statx", Statx, enter_io_statx, exit_io_statx);
at_plain_function!("io_fadvise", Fadvise, enter_io_fadvise, exit_io_fadvise);
at_plain_function!("io_madvise", Madvise, enter_io_madvise, exit_io_madvise);
at_plain_function!(
    "io_epoll_ctl",
    EpollCtl,
    enter_io_epoll_ctl,
    exit_io_epoll_ctl
);
at_plain_function!("io_splice", Splice, enter_io_splice, exit_io_splice);
at_plain_function!("io_tee", Tee, enter_io_tee, exit_io_tee);
at_plain_function!("io_shutdown", Shutdown, enter_io_shutdown, exit_io_shutdown);

/// The exit of a function of which the request tells all.
#[inline(always)]
fn exits_plain(kind: Kind, context: &FExitContext) -> u32 {
    let request = request_of(context.as_ptr());
    if is_agent() {
        return 0;
    }
    if let Some(result) = result_of(request, context.arg::<i32>(2), |_| 0) {
        record_plain(request.0, result);
    }
    forget(kind, request);
    0
}

/// The same for reads and writes, which a few functions run of all kinds.
macro_rules! at_read_write_function {
    ($function:literal, $entry:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub(crate) fn $entry(context: FEntryContext) -> u32 {
            enters_read_write(request_of(context.as_ptr()))
        }

        #[fexit(function = $function)]
        pub(crate) fn $exit(context: FExitContext) -> u32 {
            exits_read_write(request_of(context.as_ptr()), context.arg::<i32>(2))
        }
    };
}

at_read_write_function!("io_read", enter_io_read, exit_io_read);
at_read_write_function!("io_write", enter_io_write, exit_io_write);
at_read_write_function!("io_read_fixed", enter_io_read_fixed, exit_io_read_fixed);
at_read_write_function!("io_write_fixed", enter_io_write_fixed, exit_io_write_fixed);
at_read_write_function!("io_read_mshot", enter_io_read_mshot, exit_io_read_mshot);

/// The kind of a request that reads or writes, if it is wanted.
#[inline(always)]
fn read_write_kind(request: Untyped) -> Option<Kind> {
    wanted_kind(request).filter(|kind| kind.moves_data())
}

#[inline(always)]
fn enters_read_write(request: Untyped) -> u32 {
    // One of the two: for the verifier, and since only those with vectors need the room.
    match read_write_kind(request) {
        Some(Kind::Readv | Kind::Writev) => Kind::Readv.note(request),
        Some(_) => Kind::Read.note(request),
        None => {}
    }
    0
}

#[inline(always)]
fn exits_read_write(request: Untyped, returned: i32) -> u32 {
    let Some(kind) = read_write_kind(request) else {
        return 0;
    };
    // What is not noted was recorded by a function that this one called.
    if is_agent() || !is_noted(kind, request) {
        return 0;
    }
    if returned == WAITS {
        // It ends in `io_req_rw_complete`.
        return 0;
    }
    if let Some(result) = result_of(request, returned, |request| bytes_done(request) as i32) {
        record_read_write(request.0, result);
    }
    forget(kind, request);
    0
}

/// A read or write that had to wait is completed by its process, `io_req_rw_complete(request, ...)`: with its result, but
/// where the file's own function gives that only now (`kiocb.dio_complete`, since 6.6).
#[fentry(function = "io_req_rw_complete")]
pub(crate) fn enter_io_req_rw_complete(context: FEntryContext) -> u32 {
    if offset!(kiocb_dio_complete) == ABSENT {
        completes_read_write(request_of(context.as_ptr()));
    }
    0
}

/// Its end: since 6.6 the request lives on until the completions of its ring are flushed.
#[fexit(function = "io_req_rw_complete")]
pub(crate) fn exit_io_req_rw_complete(context: FExitContext) -> u32 {
    if offset!(kiocb_dio_complete) != ABSENT {
        completes_read_write(request_of(context.as_ptr()));
    }
    0
}

#[inline(always)]
fn completes_read_write(request: Untyped) {
    let Some(kind) = read_write_kind(request) else {
        return;
    };
    // A thread of the kernel completes what a process that ended had begun: nobody does that.
    if !is_agent() && !current_task().follow(offset!(task_mm)).is_null() {
        let result: i32 = request.read(offset!(request_result));
        record_read_write(request.0, result.into());
    }
    forget(kind, request);
}

/// The same for operations on sockets.
macro_rules! at_network_function {
    ($function:literal, $kind:ident, $entry:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub(crate) fn $entry(context: FEntryContext) -> u32 {
            enters_network(Kind::$kind, &context)
        }

        #[fexit(function = $function)]
        pub(crate) fn $exit(context: FExitContext) -> u32 {
            exits_network(Kind::$kind, &context)
        }
    };
}

at_network_function!("io_send", Send, enter_io_send, exit_io_send);
at_network_function!("io_send_zc", Send, enter_io_send_zc, exit_io_send_zc);
at_network_function!("io_sendmsg", Sendmsg, enter_io_sendmsg, exit_io_sendmsg);
at_network_function!(
    "io_sendmsg_zc",
    Sendmsg,
    enter_io_sendmsg_zc,
    exit_io_sendmsg_zc
);
at_network_function!("io_recv", Recv, enter_io_recv, exit_io_recv);
at_network_function!("io_recvmsg", Recvmsg, enter_io_recvmsg, exit_io_recvmsg);
at_network_function!("io_accept", Accept, enter_io_accept, exit_io_accept);
at_network_function!("io_bind", Bind, enter_io_bind, exit_io_bind);
at_network_function!("io_listen", Listen, enter_io_listen, exit_io_listen);

#[fentry(function = "io_connect")]
pub(crate) fn enter_io_connect(context: FEntryContext) -> u32 {
    Kind::Connect.enters(&context)
}

#[fexit(function = "io_connect")]
pub(crate) fn exit_io_connect(context: FExitContext) -> u32 {
    let Some(mut ended) = returned(&context) else {
        return 0;
    };
    if ended.is_to_be_continued() {
        let command = ended.request.plus(offset!(request_command));
        if command.read::<u8>(offset!(io_connect_in_progress)) == 0 {
            ended.forget();
            return 0;
        }
        // It is recorded now: a program can cancel the operation and use the socket all the same.
        ended.result = IN_PROGRESS;
    }
    record_connect(&ended);
    ended.forget();
    0
}

#[fentry(function = "io_openat")]
pub(crate) fn enter_io_openat(context: FEntryContext) -> u32 {
    Kind::Openat.enters(&context)
}

#[fexit(function = "io_openat")]
pub(crate) fn exit_io_openat(context: FExitContext) -> u32 {
    // By jump or by call it may have gone through the next one, which took it.
    if OPERATIONS.get_ptr_mut(context.arg::<u64>(0)).is_none() {
        return 0;
    }
    Kind::Openat.exits(&context)
}

#[fentry(function = "io_openat2")]
pub(crate) fn enter_io_openat2(context: FEntryContext) -> u32 {
    if let Some(operation) = OPERATIONS.get_ptr_mut(context.arg::<u64>(0)) {
        // SAFETY: the operation is in its map.
        let syscall = unsafe { (*operation).values[5] };
        if syscall == u64::from(number::OPENAT) {
            // Called by the one before.
            return 0;
        }
    }
    Kind::Openat2.enters(&context)
}

#[fexit(function = "io_openat2")]
pub(crate) fn exit_io_openat2(context: FExitContext) -> u32 {
    Kind::Openat2.exits(&context)
}

/// A file that goes into a slot of the ring, `io_fixed_fd_install(request, flags, file, slot)`.
#[fentry(function = "io_fixed_fd_install")]
pub(crate) fn enter_io_fixed_fd_install(context: FEntryContext) -> u32 {
    let (request, file) = (context.arg::<u64>(0), context.arg::<u64>(2));
    if let Some(operation) = OPERATIONS.get_ptr_mut(request) {
        // SAFETY: the operation is in its map.
        unsafe { (*operation).file = file };
    } else if let Some(noted) = SHORT_NOTES.get_ptr_mut(request) {
        // SAFETY: the entry is in its map.
        unsafe { (*noted).file = file };
    }
    0
}

/// What an operation came to whose function returned, as a system call's result; `None` if it goes on. Of one that failed,
/// `done` tells how many bytes it had moved before: that is what the kernel tells the program.
#[inline(always)]
fn result_of(request: Untyped, returned: i32, done: impl FnOnce(Untyped) -> i32) -> Option<i64> {
    let flags: u32 = request.read(offset!(request_flags));
    let result = match returned {
        DONE => request.read(offset!(request_result)),
        WAITS | QUEUED => return None,
        AGAIN if flags & setting!(request_nowait) == 0 => return None,
        // The last of many, up to 6.14.
        CANCELLED if is_multishot(request) => request.read(offset!(request_result)),
        error => {
            let done = done(request);
            if done > 0 { done } else { error }
        }
    };
    Some(result.into())
}

/// Bytes of a message that were moved.
#[inline(always)]
fn message_done(kind: Kind, request: Untyped) -> i32 {
    let is_message = matches!(
        kind,
        Kind::Send | Kind::Sendmsg | Kind::Recv | Kind::Recvmsg
    );
    if is_message {
        let command = request.plus(offset!(request_command));
        command.read(offset!(io_message_done))
    } else {
        0
    }
}

/// The request that a function is called with, its first argument. What a program reads out of its context is a typed
/// pointer to the verifier, and that is nothing to call functions with that are checked by themselves.
#[inline(always)]
fn request_of(context: *mut c_void) -> Untyped {
    let mut request = 0;
    // SAFETY: it is the program's context, and the helper (5.17) writes eight bytes; there is a first argument.
    unsafe { bpf_get_func_arg(context, 0, &raw mut request) };
    Untyped(request)
}

/// The entry of a function that runs operations on sockets.
#[inline(always)]
fn enters_network(kind: Kind, context: &FEntryContext) -> u32 {
    let request = request_of(context.as_ptr());
    kind.note(request);
    if is_multishot(request) {
        // Without it, all but the last of what it completes is missed.
        if RUNNING.insert(thread(), request.0, 0).is_err() {
            count_drop(DROP_OPERATIONS);
        }
    }
    0
}

/// Its exit.
#[inline(always)]
fn exits_network(kind: Kind, context: &FExitContext) -> u32 {
    let request = request_of(context.as_ptr());
    if is_agent() {
        return 0;
    }
    let done = |request| message_done(kind, request);
    if let Some(result) = result_of(request, context.arg::<i32>(2), done) {
        record_network(kind, request.0, result);
    }
    forget(kind, request);
    if is_multishot(request) {
        // It may have gone by itself.
        let _gone = RUNNING.remove(thread());
    }
    0
}

/// One completion of many.
#[inline(always)]
fn completes_one(request: Untyped, result: i32) -> u32 {
    if is_agent() {
        return 0;
    }
    match wanted_kind(request) {
        Some(kind) if kind.is_on_socket() => record_network(kind, request.0, i64::from(result)),
        Some(kind) if kind.moves_data() => record_read_write(request.0, i64::from(result)),
        _ => {}
    }
    0
}

/// `io_req_post_cqe(request, result, flags)`, since 6.9.
#[fentry(function = "io_req_post_cqe")]
pub(crate) fn enter_io_req_post_cqe(context: FEntryContext) -> u32 {
    completes_one(request_of(context.as_ptr()), context.arg::<i32>(1))
}

/// `io_post_aux_cqe(ring, user_data, result, flags, ...)`, up to 6.1 by operations too.
#[fentry(function = "io_post_aux_cqe")]
pub(crate) fn enter_io_post_aux_cqe(context: FEntryContext) -> u32 {
    let Some(request) = RUNNING.get_ptr(thread()) else {
        return 0;
    };
    // SAFETY: the entry is in its map.
    let request = Untyped(unsafe { *request });
    if request.read::<u64>(offset!(request_user_data)) != context.arg::<u64>(1) {
        return 0;
    }
    completes_one(request, context.arg::<i32>(2))
}
