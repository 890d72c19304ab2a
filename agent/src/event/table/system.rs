//! Calls that change the kernel: modules, programs, keys, filters.

use super::{
    Buffer, Category, EventDefinition, Kind, NEW_FD, Parameter, RES, Source, choice, fd, flags,
    hex, number, parameter, text,
};

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    call("bpf", libc::SYS_bpf, &[NEW_FD, choice("cmd", 1, &flags::BPF)]).makes_fd(),
    call("init_module", libc::SYS_init_module, &[RES, parameter("img", Kind::Bytes, Source::Buffer), number("length", 2), text("uargs", 3)]).moves(Buffer::Plain(1, 2)),
    call("finit_module", libc::SYS_finit_module, &[RES, fd("fd", 1), text("uargs", 2), flags("flags", 3, &flags::FINIT_MODULE)]).fd(1),
    call("delete_module", libc::SYS_delete_module, &[RES, text("name", 1), flags("flags", 2, &flags::DELETE_MODULE)]),
    call("seccomp", libc::SYS_seccomp, &[RES, number("op", 1), hex("flags", 2)]),
    call("keyctl", libc::SYS_keyctl, &[RES, choice("operation", 1, &flags::KEYCTL), number("arg2", 2), number("arg3", 3), number("arg4", 4), number("arg5", 5)]),
];

const fn call(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Other, parameters)
}
