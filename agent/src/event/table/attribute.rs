//! Calls about extended attributes: Falco has their names only, and what it has comes first.

use super::{
    Base, Category, EventDefinition, Kind, Parameter, RES, Source, fd, flags, number, parameter,
    path, text,
};

const ID: Parameter = parameter("ID", Kind::Text, Source::Field("evt.type"));
const NATIVE_ID: Parameter = parameter(
    "nativeID",
    Kind::Unsigned(Base::Decimal),
    Source::CallNumber,
);

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    call("setxattr", libc::SYS_setxattr, &[ID, NATIVE_ID, RES, path("path", 1), text("name", 2), number("size", 4), flags("flags", 5, &flags::SETXATTR)]),
    call("lsetxattr", libc::SYS_lsetxattr, &[ID, NATIVE_ID, RES, path("path", 1), text("name", 2), number("size", 4), flags("flags", 5, &flags::SETXATTR)]),
    call("fsetxattr", libc::SYS_fsetxattr, &[ID, NATIVE_ID, RES, fd("fd", 1), text("name", 2), number("size", 4), flags("flags", 5, &flags::SETXATTR)]).fd(1),
    call("getxattr", libc::SYS_getxattr, &[ID, NATIVE_ID, RES, path("path", 1), text("name", 2), number("size", 4)]),
    call("lgetxattr", libc::SYS_lgetxattr, &[ID, NATIVE_ID, RES, path("path", 1), text("name", 2), number("size", 4)]),
    call("fgetxattr", libc::SYS_fgetxattr, &[ID, NATIVE_ID, RES, fd("fd", 1), text("name", 2), number("size", 4)]).fd(1),
    call("removexattr", libc::SYS_removexattr, &[ID, NATIVE_ID, RES, path("path", 1), text("name", 2)]),
    call("lremovexattr", libc::SYS_lremovexattr, &[ID, NATIVE_ID, RES, path("path", 1), text("name", 2)]),
    call("fremovexattr", libc::SYS_fremovexattr, &[ID, NATIVE_ID, RES, fd("fd", 1), text("name", 2)]).fd(1),
];

const fn call(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Other, parameters)
}
