//! The eBPF programs. One file a family of events; each opens with where the kernel calls it.
#![no_std]
#![no_main]
#![expect(
    clippy::inline_always,
    reason = "a function of its own is verified again for each call, and knows less of its arguments"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the kernel's registers and ids are narrower than the words that carry them"
)]
#![expect(
    clippy::cast_ptr_alignment,
    reason = "what is cast is laid out by the kernel or at multiples of 8 in a buffer that starts at one"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "how aya hands its context to a program"
)]

mod call;
mod cgroup;
mod connect;
mod descriptor;
mod exec;
mod exit;
mod foreign;
mod fork;
#[cfg(not(feature = "bounded"))]
mod io_uring;
mod kernel;
mod kernel_event;
mod listed;
mod native;
mod open;
mod output;
mod overlay;
mod path;
mod record_writer;
mod security_hook;
mod shared_buffer;
mod task;
mod working_directory;

/// The kernel wants a GPL-compatible licence for the tracing helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No code here can panic (every index is masked); the linker drops this function.
    loop {}
}
