//! Calls about sockets.

use super::{
    Buffer, Category, DATA, DECIMAL, EventDefinition, Flow, HEX, Kind, ListIn, NEW_FD, Parameter,
    QueueNumber, REQUESTED_SIZE, RES, Source, TUPLE, choice, fd, flags, hex, memory, number,
    parameter,
};

const QUEUE_SHARE: Parameter = parameter("queuepct", DECIMAL, Source::Queue(QueueNumber::Share));
const QUEUE_LENGTH: Parameter = parameter("queuelen", DECIMAL, Source::Queue(QueueNumber::Length));
const QUEUE_LIMIT: Parameter = parameter("queuemax", DECIMAL, Source::Queue(QueueNumber::Limit));
const CONTROL: Parameter = parameter("msgcontrol", Kind::Bytes, Source::Control);

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    net("socket", libc::SYS_socket, &[NEW_FD, choice("domain", 1, &flags::SOCKET_FAMILY), number("type", 2), number("proto", 3), flags("flags", 2, &flags::SOCKET)]).makes_fd(),
    net("bind", libc::SYS_bind, &[RES, parameter("addr", Kind::Address, Source::Address), fd("fd", 1)]).fd(1).address(2, 3),
    net("listen", libc::SYS_listen, &[RES, fd("fd", 1), super::int("backlog", 2)]).fd(1),
    net("accept", libc::SYS_accept, &[NEW_FD, TUPLE, QUEUE_SHARE, QUEUE_LENGTH, QUEUE_LIMIT]).makes_fd().queue(1),
    net("accept4", libc::SYS_accept4, &[NEW_FD, TUPLE, QUEUE_SHARE, QUEUE_LENGTH, QUEUE_LIMIT, hex("flags", 4)]).makes_fd().queue(1),
    net("getsockname", libc::SYS_getsockname, &[]),
    net("getpeername", libc::SYS_getpeername, &[]),
    net("shutdown", libc::SYS_shutdown, &[RES, fd("fd", 1), choice("how", 2, &flags::SHUTDOWN)]).fd(1),
    EventDefinition::call("socketpair", libc::SYS_socketpair, Category::Ipc, &[RES, memory("fd1", Kind::Descriptor, 4, 0, 4), memory("fd2", Kind::Descriptor, 4, 4, 4), parameter("source", HEX, Source::SocketOfListed(0)), parameter("peer", HEX, Source::SocketOfListed(1)), choice("domain", 1, &flags::SOCKET_FAMILY), number("type", 2), number("proto", 3)]).lists(ListIn::Pair(4)),
    net("setsockopt", libc::SYS_setsockopt, &[RES, fd("fd", 1), choice("level", 2, &flags::SOCKET_LEVEL), choice("optname", 3, &flags::SOCKET_OPTION), memory("val", DECIMAL, 4, 0, 4), number("optlen", 5)]).fd(1),
    net("getsockopt", libc::SYS_getsockopt, &[RES, fd("fd", 1), choice("level", 2, &flags::SOCKET_LEVEL), choice("optname", 3, &flags::SOCKET_OPTION), memory("val", DECIMAL, 4, 0, 4), memory("optlen", DECIMAL, 5, 0, 4)]).fd(1),
    send("sendto", libc::SYS_sendto, &[RES, DATA, fd("fd", 1), number("size", 3), TUPLE]).moves(Buffer::Plain(2, 3)).address(5, 6),
    receive("recvfrom", libc::SYS_recvfrom, &[RES, DATA, TUPLE, fd("fd", 1), number("size", 3)]).moves(Buffer::Plain(2, 3)).address(5, 6),
    send("sendmsg", libc::SYS_sendmsg, &[RES, DATA, fd("fd", 1), REQUESTED_SIZE, TUPLE]).moves(Buffer::Message(2)),
    receive("recvmsg", libc::SYS_recvmsg, &[RES, parameter("size", DECIMAL, Source::Result), DATA, TUPLE, CONTROL, fd("fd", 1)]).moves(Buffer::Message(2)),
    // An event for each message, whose result is the message's length.
    send("sendmmsg", libc::SYS_sendmmsg, &[RES, fd("fd", 1), REQUESTED_SIZE, DATA, TUPLE]).moves(Buffer::Messages(2)),
    receive("recvmmsg", libc::SYS_recvmmsg, &[RES, fd("fd", 1), REQUESTED_SIZE, DATA, TUPLE, CONTROL]).moves(Buffer::Messages(2)),
];

const fn net(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Net, parameters)
}

const fn send(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::IoWrite, parameters)
        .fd(1)
        .flow(Flow::Write)
}

const fn receive(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::IoRead, parameters)
        .fd(1)
        .flow(Flow::Read)
}
