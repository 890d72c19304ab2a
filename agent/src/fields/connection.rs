//! What a connect connects, as text and as parts.

use std::io::Write;
use std::net::IpAddr;

use super::Context;
use crate::event::{Connect, Payload, Socket};

/// `IPPROTO_*`, `SOCK_RAW`
const ICMP: u16 = 1;
const TCP: u16 = 6;
const UDP: u16 = 17;
const ICMPV6: u16 = 58;
const RAW_SOCKET: u16 = 3;

impl Connect<'_> {
    /// Our end and the other one, of an internet socket.
    ///
    /// A call that failed leaves a socket without a destination; then it is the one that was passed.
    pub(super) fn endpoints(&self) -> Option<((IpAddr, u16), (IpAddr, u16))> {
        let Some(Socket::Inet { local, remote, .. }) = self.socket else {
            return None;
        };
        let remote = match self.passed {
            Some(passed) if remote.1 == 0 => passed,
            _ => remote,
        };
        // An IPv6 socket that is not bound yet has `::` at its end of an IPv4 connection.
        let local = match (local.0, remote.0) {
            (IpAddr::V6(address), IpAddr::V4(_)) if address.is_unspecified() => {
                (IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), local.1)
            }
            _ => local,
        };
        Some((local, remote))
    }

    /// `tcp`, `udp`, `icmp`, `raw`; `None` for what is not an internet socket.
    pub(super) fn protocol(&self) -> Option<&'static str> {
        let Some(Socket::Inet {
            protocol,
            socket_type,
            ..
        }) = self.socket
        else {
            return None;
        };
        Some(match protocol {
            TCP => "tcp",
            UDP => "udp",
            ICMP | ICMPV6 => "icmp",
            _ if socket_type == RAW_SOCKET => "raw",
            _ => "<NA>",
        })
    }
}

/// `4`, `6`, `u`, or `o` for any other family: `fd.typechar`.
pub(super) fn type_character(connect: &Connect<'_>) -> char {
    match (&connect.socket, connect.endpoints()) {
        (_, Some((_, (IpAddr::V4(_), _)))) => '4',
        (_, Some((_, (IpAddr::V6(_), _)))) => '6',
        (Some(Socket::Unix { .. }), _) => 'u',
        (Some(Socket::Other { family }), _) if i32::from(*family) == libc::AF_NETLINK => 'n',
        _ => 'o',
    }
}

/// `fd.name`: `1.2.3.4:1000->5.6.7.8:80`, without ports where there are none, or for a unix socket
/// the kernel's addresses of both ends and the path.
pub(super) fn name(context: &Context<'_>) -> Option<Vec<u8>> {
    let Payload::Connect(connect) = &context.event.payload else {
        return None;
    };
    let mut text = Vec::with_capacity(64);
    if let Some((local, remote)) = connect.endpoints() {
        let written = match connect.protocol() {
            Some("icmp" | "raw") => write!(text, "{}->{}", local.0, remote.0),
            _ => write!(text, "{}:{}->{}:{}", local.0, local.1, remote.0, remote.1),
        };
        return written.is_ok().then_some(text);
    }
    let Some(Socket::Unix { path, pointers, .. }) = connect.socket else {
        return None;
    };
    let path = if path.bytes.is_empty() {
        connect.passed_unix
    } else {
        path
    };
    write!(text, "{:x}->{:x} ", pointers.0, pointers.1).ok()?;
    // An abstract name starts with a NUL, which text cannot hold; `@` is how tools show it.
    match path.bytes.split_first() {
        Some((0, rest)) => {
            text.push(b'@');
            text.extend(
                rest.iter()
                    .map(|byte| if *byte == 0 { b'@' } else { *byte }),
            );
        }
        _ => text.extend_from_slice(path.bytes),
    }
    Some(text)
}
