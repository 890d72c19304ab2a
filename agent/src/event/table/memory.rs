//! Calls about memory.

use super::{
    Base, Category, DECIMAL, EventDefinition, Kind, Parameter, RES, Source, fd, field, flags, hex,
    number, parameter,
};

const HEX: Kind = Kind::Unsigned(Base::Hexadecimal);
const SIZE: Parameter = field("vm_size", DECIMAL, "proc.vmsize");
const RESIDENT: Parameter = field("vm_rss", DECIMAL, "proc.vmrss");
const SWAP: Parameter = field("vm_swap", DECIMAL, "proc.vmswap");

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    call("brk", libc::SYS_brk, &[parameter("res", HEX, Source::Result), SIZE, RESIDENT, SWAP, hex("addr", 1)]),
    call("mmap", libc::SYS_mmap, &[RES, SIZE, RESIDENT, SWAP, hex("addr", 1), number("length", 2), flags("prot", 3, &flags::PROTECTION), flags("flags", 4, &flags::MMAP), fd("fd", 5), number("offset", 6)]).fd(5),
    call("munmap", libc::SYS_munmap, &[RES, SIZE, RESIDENT, SWAP, hex("addr", 1), number("length", 2)]),
    call("mprotect", libc::SYS_mprotect, &[RES, hex("addr", 1), number("length", 2), flags("prot", 3, &flags::PROTECTION)]),
    call("mlock", libc::SYS_mlock, &[RES, hex("addr", 1), number("len", 2)]),
    call("mlock2", libc::SYS_mlock2, &[RES, hex("addr", 1), number("len", 2), flags("flags", 3, &flags::MLOCK2)]),
    call("munlock", libc::SYS_munlock, &[RES, hex("addr", 1), number("len", 2)]),
    call("mlockall", libc::SYS_mlockall, &[RES, flags("flags", 1, &flags::MLOCKALL)]),
    call("munlockall", libc::SYS_munlockall, &[RES]),
];

const fn call(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Memory, parameters)
}
