//! Programs at the entry and at the exit of the functions that run operations.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::connect::record_connect;
use super::kind::{Kind, number};
use super::operation::{Ended, OPERATIONS, ended};
use crate::connect::IN_PROGRESS;
use crate::kernel::{Untyped, offset};

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

/// An opened file that goes into a slot of the ring, `io_fixed_fd_install(request, flags, file, slot)`.
#[fentry(function = "io_fixed_fd_install")]
pub(crate) fn enter_io_fixed_fd_install(context: FEntryContext) -> u32 {
    if let Some(operation) = OPERATIONS.get_ptr_mut(context.arg::<u64>(0)) {
        // SAFETY: the operation is in its map.
        unsafe { (*operation).file = context.arg::<u64>(2) };
    }
    0
}
