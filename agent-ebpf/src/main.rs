//! The eBPF programs. One file a family of events; each opens with where the kernel calls it.
#![no_std]
#![no_main]

mod cgroup;
mod connect;
mod exec;
mod exit;
mod fork;
mod kernel;
mod open;
mod output;
mod path;
mod record_writer;
mod task;

/// The kernel wants a GPL-compatible licence for the tracing helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No code here can panic (every index is masked); the linker drops this function.
    loop {}
}
