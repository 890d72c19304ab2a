//! Programs at the entry and at the exit of the functions that run operations.

use core::ffi::c_void;

use agent_ebpf::DROP_OPERATIONS;
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_get_func_arg;
use aya_ebpf::macros::{fentry, fexit, map};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::connect::record_connect;
use super::kind::{Kind, number, wanted_kind};
use super::network::{ON_SOCKETS, forget, is_multishot, record_network};
use super::operation::{Ended, OPERATIONS, ended};
use crate::connect::{IN_PROGRESS, thread};
use crate::kernel::{Untyped, offset, setting};
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
    } else if let Some(noted) = ON_SOCKETS.get_ptr_mut(request) {
        // SAFETY: the entry is in its map.
        unsafe { (*noted).file = file };
    }
    0
}

/// What an operation on a socket came to, as a system call's result; `None` if it goes on.
#[inline(always)]
fn network_result(kind: Kind, request: Untyped, returned: i32) -> Option<i64> {
    let flags: u32 = request.read(offset!(request_flags));
    let result = match returned {
        DONE => request.read(offset!(request_result)),
        WAITS | QUEUED => return None,
        AGAIN if flags & setting!(request_nowait) == 0 => return None,
        // The last of many, up to 6.14.
        CANCELLED if is_multishot(request) => request.read(offset!(request_result)),
        error => {
            let command = request.plus(offset!(request_command));
            let is_message = matches!(
                kind,
                Kind::Send | Kind::Sendmsg | Kind::Recv | Kind::Recvmsg
            );
            let done: i32 = if is_message {
                command.read(offset!(io_message_done))
            } else {
                0
            };
            // It failed when a part was done, and that is what it tells.
            if done > 0 { done } else { error }
        }
    };
    Some(result.into())
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
    if let Some(result) = network_result(kind, request, context.arg::<i32>(2)) {
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
    if let Some(kind) = wanted_kind(request)
        && kind.is_on_socket()
        && !is_agent()
    {
        record_network(kind, request.0, i64::from(result));
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
