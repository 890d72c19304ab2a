//! Calls that move data through descriptors, and that make descriptors.

use super::{
    Base, Buffer, Category, DATA, DECIMAL, EventDefinition, EventDescriptor, Flow, Kind, ListIn,
    NEW_FD, Parameter, REQUESTED_SIZE, RES, Source, choice, fd, flags, hex, int, long, memory,
    number, parameter, pid, text, unseen,
};

/// `res`, a descriptor that the call made.
const MADE: Parameter = parameter("res", Kind::Descriptor, Source::Result);
/// `flags` of the older of two calls: the language has the parameter, the call does not.
const NO_FLAGS: Parameter = unseen(
    "flags",
    Kind::Flags(&flags::FILE),
    "the call has no flags, only its successor does",
);
const INODE: Parameter = parameter("ino", DECIMAL, Source::InodeOfListed);
const POLLED: Parameter = parameter("fds", Kind::Descriptors, Source::Listed);

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    read("read", libc::SYS_read, &[RES, DATA, fd("fd", 1), number("size", 3)]).moves(Buffer::Plain(2, 3)),
    write("write", libc::SYS_write, &[RES, DATA, fd("fd", 1), number("size", 3)]).moves(Buffer::Plain(2, 3)),
    read("pread", libc::SYS_pread64, &[RES, DATA, fd("fd", 1), number("size", 3), number("pos", 4)]).traced_as("pread64").moves(Buffer::Plain(2, 3)),
    write("pwrite", libc::SYS_pwrite64, &[RES, DATA, fd("fd", 1), number("size", 3), number("pos", 4)]).traced_as("pwrite64").moves(Buffer::Plain(2, 3)),
    read("readv", libc::SYS_readv, &[RES, parameter("size", DECIMAL, Source::Result), DATA, fd("fd", 1)]).moves(Buffer::Vector(2, 3)),
    write("writev", libc::SYS_writev, &[RES, DATA, fd("fd", 1), REQUESTED_SIZE]).moves(Buffer::Vector(2, 3)),
    read("preadv", libc::SYS_preadv, &[RES, parameter("size", DECIMAL, Source::Result), DATA, fd("fd", 1), number("pos", 4)]).moves(Buffer::Vector(2, 3)),
    write("pwritev", libc::SYS_pwritev, &[RES, DATA, fd("fd", 1), REQUESTED_SIZE, number("pos", 4)]).moves(Buffer::Vector(2, 3)),
    EventDefinition::call("sendfile", libc::SYS_sendfile, Category::IoWrite, &[RES, memory("offset", DECIMAL, 3, 0, 8), fd("out_fd", 1), fd("in_fd", 2), number("size", 4)]).traced_as("sendfile64").fd(2).flow(Flow::Write),
    other("splice", libc::SYS_splice, &[RES, fd("fd_in", 1), fd("fd_out", 3), number("size", 5), flags("flags", 6, &flags::SPLICE)]).fd(1),
    other("close", libc::SYS_close, &[RES, fd("fd", 1)]).about(EventDescriptor::Gone(1)),
    other("close_range", libc::SYS_close_range, &[RES, number("first", 1), number("last", 2), flags("flags", 3, &flags::CLOSE_RANGE)]),
    other("dup", libc::SYS_dup, &[MADE, fd("oldfd", 1)]).makes_fd(),
    other("dup2", libc::SYS_dup2, &[MADE, fd("oldfd", 1), fd("newfd", 2)]).makes_fd(),
    other("dup3", libc::SYS_dup3, &[MADE, fd("oldfd", 1), fd("newfd", 2), flags("flags", 3, &flags::FILE)]).makes_fd(),
    other("fcntl", libc::SYS_fcntl, &[parameter("res", Kind::Outcome, Source::Result), fd("fd", 1), choice("cmd", 2, &flags::FCNTL), hex("arg", 3)]).fd(1),
    other("ioctl", libc::SYS_ioctl, &[RES, fd("fd", 1), hex("request", 2), hex("argument", 3)]).fd(1),
    other("io_uring_setup", libc::SYS_io_uring_setup, &[RES, number("entries", 1), memory("sq_entries", DECIMAL, 2, 0, 4), memory("cq_entries", DECIMAL, 2, 4, 4), memory("flags", Kind::Flags(&flags::IO_URING_SETUP), 2, 8, 4), memory("sq_thread_cpu", DECIMAL, 2, 12, 4), memory("sq_thread_idle", DECIMAL, 2, 16, 4), memory("features", Kind::Flags(&flags::IO_URING_FEATURE), 2, 20, 4)]).makes_fd(),
    other("io_uring_enter", libc::SYS_io_uring_enter, &[RES, fd("fd", 1), number("to_submit", 2), number("min_complete", 3), flags("flags", 4, &flags::IO_URING_ENTER), memory("sig", Kind::Unsigned(Base::Hexadecimal), 5, 0, 8)]).fd(1),
    other("io_uring_register", libc::SYS_io_uring_register, &[RES, fd("fd", 1), choice("opcode", 2, &flags::IO_URING_REGISTER), hex("arg", 3), number("nr_args", 4)]).fd(1),
    ipc("pipe", libc::SYS_pipe, &[RES, memory("fd1", Kind::Descriptor, 1, 0, 4), memory("fd2", Kind::Descriptor, 1, 4, 4), INODE]).lists(ListIn::Pair(1)),
    ipc("pipe2", libc::SYS_pipe2, &[RES, memory("fd1", Kind::Descriptor, 1, 0, 4), memory("fd2", Kind::Descriptor, 1, 4, 4), INODE, flags("flags", 2, &flags::FILE)]).lists(ListIn::Pair(1)),
    ipc("eventfd", libc::SYS_eventfd, &[MADE, number("initval", 1), NO_FLAGS]).makes_fd(),
    ipc("eventfd2", libc::SYS_eventfd2, &[MADE, flags("flags", 2, &flags::FILE), number("initval", 1)]).makes_fd(),
    ipc("inotify_init", libc::SYS_inotify_init, &[MADE, NO_FLAGS]).makes_fd(),
    ipc("inotify_init1", libc::SYS_inotify_init1, &[MADE, flags("flags", 1, &flags::FILE)]).makes_fd(),
    EventDefinition::call("signalfd", libc::SYS_signalfd, Category::Signal, &[MADE, int("fd", 1), memory("mask", Kind::Unsigned(Base::Hexadecimal), 2, 0, 4), NO_FLAGS]).makes_fd(),
    EventDefinition::call("signalfd4", libc::SYS_signalfd4, Category::Signal, &[MADE, flags("flags", 4, &flags::FILE), int("fd", 1), memory("mask", Kind::Unsigned(Base::Hexadecimal), 2, 0, 4)]).makes_fd(),
    EventDefinition::call("timerfd_create", libc::SYS_timerfd_create, Category::Time, &[MADE, number("clockid", 1), hex("flags", 2)]).makes_fd(),
    wait("epoll_create", libc::SYS_epoll_create, &[RES, int("size", 1)]).makes_fd(),
    wait("epoll_create1", libc::SYS_epoll_create1, &[RES, flags("flags", 1, &flags::EPOLL_CREATE1)]).makes_fd(),
    wait("epoll_wait", libc::SYS_epoll_wait, &[RES, long("maxevents", 3)]).flow(Flow::Wait),
    wait("poll", libc::SYS_poll, &[RES, POLLED, int("timeout", 3)]).flow(Flow::Wait).lists(ListIn::Polled(1, 2)),
    wait("ppoll", libc::SYS_ppoll, &[RES, POLLED, memory("timeout", Kind::Duration, 3, 0, 16), memory("sigmask", Kind::SignalSet, 4, 0, 8)]).flow(Flow::Wait).lists(ListIn::Polled(1, 2)),
    wait("select", libc::SYS_select, &[RES]).flow(Flow::Wait),
    EventDefinition::call("memfd_create", libc::SYS_memfd_create, Category::Memory, &[NEW_FD, text("name", 1), flags("flags", 2, &flags::MEMFD_CREATE)]).makes_fd(),
    EventDefinition::call("pidfd_open", libc::SYS_pidfd_open, Category::Process, &[NEW_FD, pid("pid", 1), flags("flags", 2, &flags::PIDFD_OPEN)]).makes_fd(),
    EventDefinition::call("pidfd_getfd", libc::SYS_pidfd_getfd, Category::Process, &[NEW_FD, fd("pid_fd", 1), int("target_fd", 2), hex("flags", 3)]).makes_fd(),
    EventDefinition::call("process_vm_readv", libc::SYS_process_vm_readv, Category::Ipc, &[RES, pid("pid", 1), DATA]).moves(Buffer::Vector(2, 3)).flow(Flow::Read),
    EventDefinition::call("process_vm_writev", libc::SYS_process_vm_writev, Category::Ipc, &[RES, pid("pid", 1), DATA]).moves(Buffer::Vector(2, 3)).flow(Flow::Write),
];

const fn read(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::IoRead, parameters)
        .fd(1)
        .flow(Flow::Read)
}

const fn write(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::IoWrite, parameters)
        .fd(1)
        .flow(Flow::Write)
}

const fn other(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::IoOther, parameters)
}

const fn ipc(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Ipc, parameters)
}

const fn wait(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Wait, parameters)
}
