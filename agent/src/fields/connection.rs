//! The two ends of a socket: which are known, who is the client, and how they read as text.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Context;
use crate::event::table::Flow;
use crate::event::{Connect, EventType, Object, Payload, Socket, SocketAddress};

/// `IPPROTO_*`, `SOCK_*`
const ICMP: u16 = 1;
const TCP: u16 = 6;
const UDP: u16 = 17;
const ICMPV6: u16 = 58;
const STREAM: u16 = 1;
const DATAGRAM: u16 = 2;
const RAW_SOCKET: u16 = 3;
/// `TCP_ESTABLISHED`, `TCP_LISTEN` of the kernel's socket states, which all families use.
const ESTABLISHED: u16 = 1;
const LISTEN: u16 = 10;
/// Ports below it are given to servers only.
const FIRST_USER_PORT: u16 = 1024;

/// One end: address and port.
pub(super) type End = (IpAddr, u16);

/// Who our end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// A socket with what is known of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection<'c> {
    socket: Socket<'c>,
    /// Our end, of an internet socket that has one.
    pub(super) local: Option<End>,
    /// The other end, of an internet socket that has one.
    pub(super) remote: Option<End>,
    /// Who we are; `None` if the socket has no other end.
    pub(super) role: Option<Role>,
    /// The path that a unix socket goes to, or is bound to.
    unix_path: &'c [u8],
    /// Whether the socket has a peer for good.
    pub(super) connected: bool,
    /// Whether this call named its own destination.
    pub(super) destination_passed: bool,
}

/// The connection that an event is about.
pub(super) fn of<'c>(context: &Context<'c>) -> Option<Connection<'c>> {
    match &context.event.payload {
        Payload::Connect(connect) => of_connect(connect, context.origin().result),
        Payload::Call(call) => {
            let Some(Object::Socket {
                socket,
                state,
                own_path,
                ..
            }) = call.object
            else {
                return None;
            };
            Some(of_socket(
                context.event.event_type,
                socket,
                state,
                own_path.bytes,
                call.address,
            ))
        }
        _ => None,
    }
}

/// A socket that is one of several of an event.
pub(super) fn of_object<'c>(event: EventType, object: &Object<'c>) -> Option<Connection<'c>> {
    match *object {
        Object::File(_) => None,
        Object::Socket {
            socket,
            state,
            own_path,
            ..
        } => Some(of_socket(event, socket, state, own_path.bytes, None)),
    }
}

fn of_connect<'c>(connect: &Connect<'c>, result: Option<i64>) -> Option<Connection<'c>> {
    let socket = connect.socket.or_else(|| socket_passed(connect))?;
    let mut connection = Connection {
        socket,
        local: None,
        remote: None,
        role: Some(Role::Client),
        unix_path: b"",
        connected: result
            .is_some_and(|result| result >= 0 || result == -i64::from(libc::EINPROGRESS)),
        destination_passed: true,
    };
    match socket {
        Socket::Inet { local, remote, .. } => {
            // A call that failed leaves a socket without a destination; then it is the one passed.
            let remote = match connect.passed {
                Some(passed) if remote.1 == 0 => passed,
                _ => remote,
            };
            connection.local = Some(in_family_of(local, remote));
            connection.remote = Some(remote);
        }
        Socket::Unix { path, .. } => {
            connection.unix_path = if path.bytes.is_empty() {
                connect.passed_unix.bytes
            } else {
                path.bytes
            };
        }
        Socket::Other { .. } => {}
    }
    Some(connection)
}

/// What a connect was about whose descriptor another thread has put something else in the place of: the
/// destination as it was passed.
fn socket_passed<'c>(connect: &Connect<'c>) -> Option<Socket<'c>> {
    if let Some((address, _)) = connect.passed {
        let nowhere: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        return Some(Socket::Inet {
            local: (nowhere, 0),
            remote: (nowhere, 0),
            protocol: TCP,
            socket_type: STREAM,
        });
    }
    (!connect.passed_unix.bytes.is_empty()).then_some(Socket::Unix {
        path: connect.passed_unix,
        pointers: (0, 0),
        socket_type: STREAM,
    })
}

fn of_socket<'c>(
    event: EventType,
    socket: Socket<'c>,
    state: u16,
    own_path: &'c [u8],
    passed: Option<SocketAddress<'c>>,
) -> Connection<'c> {
    let accepted = matches!(event.name(), "accept" | "accept4");
    let mut connection = Connection {
        socket,
        local: None,
        remote: None,
        role: None,
        unix_path: own_path,
        connected: state == ESTABLISHED,
        destination_passed: false,
    };
    match socket {
        Socket::Inet {
            local,
            remote,
            socket_type,
            ..
        } => {
            let has_remote = remote.1 != 0 || !remote.0.is_unspecified();
            let destination = match passed {
                Some(SocketAddress::Inet(address, port)) if event.name() != "bind" => {
                    connection.destination_passed = true;
                    Some((address, port))
                }
                _ => None,
            };
            // A datagram goes to the destination that is passed, also from a connected socket
            // (`udp_sendmsg` of net/ipv4/udp.c); a stream has one for good.
            connection.remote = match destination {
                Some(destination) if !has_remote || (is_send(event) && socket_type != STREAM) => {
                    Some(destination)
                }
                _ => has_remote.then_some(remote),
            };
            connection.local = match connection.remote {
                Some(remote) => Some(in_family_of(local, remote)),
                None => (local.1 != 0).then_some(local),
            };
            connection.role = match (connection.local, connection.remote) {
                (Some(_), None) => Some(Role::Server),
                _ if state == LISTEN || accepted => Some(Role::Server),
                // Who names a destination is a client, whatever its own port: a low one is no
                // excuse, root in a container may bind to it.
                (Some(_), Some(_)) if connection.destination_passed && is_send(event) => {
                    Some(Role::Client)
                }
                (Some(local), Some(remote)) => Some(guess(local.1, remote.1)),
                (None, Some(_)) => Some(Role::Client),
                _ => None,
            };
        }
        Socket::Unix { path, .. } => {
            if let Some(SocketAddress::Unix(name)) = passed
                && event.name() != "bind"
            {
                connection.destination_passed = true;
                connection.unix_path = name.bytes;
            } else if own_path.is_empty() {
                connection.unix_path = path.bytes;
            }
            connection.role = accepted.then_some(Role::Server);
        }
        Socket::Other { .. } => {}
    }
    connection
}

fn is_send(event: EventType) -> bool {
    event
        .definition()
        .is_some_and(|definition| definition.flow == Flow::Write)
}

/// Who we are, by the ports alone: a server has the lower one, and those below 1024 to itself.
fn guess(local: u16, remote: u16) -> Role {
    let local_is_service = local < FIRST_USER_PORT && remote >= FIRST_USER_PORT;
    if local_is_service || (local != 0 && local < remote && remote >= FIRST_USER_PORT) {
        Role::Server
    } else {
        Role::Client
    }
}

/// An IPv6 socket that is not bound yet has `::` at its end of an IPv4 connection.
fn in_family_of(local: End, remote: End) -> End {
    match (local.0, remote.0) {
        (IpAddr::V6(address), IpAddr::V4(_)) if address.is_unspecified() => {
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), local.1)
        }
        _ => local,
    }
}

impl Connection<'_> {
    /// Both ends, ours first.
    pub(super) fn ends(&self) -> Option<(End, End)> {
        Some((self.local?, self.remote?))
    }

    /// The client's end; `None` if there is no other end.
    pub(super) fn client(&self) -> Option<End> {
        let (local, remote) = self.ends()?;
        match self.role? {
            Role::Client => Some(local),
            Role::Server => Some(remote),
        }
    }

    /// The server's end; also of a socket that is only bound.
    pub(super) fn server(&self) -> Option<End> {
        match (self.ends(), self.role?) {
            (Some((_, remote)), Role::Client) => Some(remote),
            (Some((local, _)), Role::Server) => Some(local),
            (None, Role::Server) => self.local,
            (None, Role::Client) => None,
        }
    }

    /// `tcp`, `udp`, `icmp`, `raw`, or Falco's `<NA>`; `None` for what is not an internet socket.
    pub(super) fn protocol(&self) -> Option<&'static str> {
        let Socket::Inet {
            protocol,
            socket_type,
            ..
        } = self.socket
        else {
            return None;
        };
        Some(match (protocol, socket_type) {
            (TCP, _) | (0, STREAM) => "tcp",
            (UDP, _) | (0, DATAGRAM) => "udp",
            (ICMP | ICMPV6, _) => "icmp",
            (_, RAW_SOCKET) => "raw",
            _ => "<NA>",
        })
    }

    /// `4`, `6`, `u`, `n`, or `o` for any other family: `fd.typechar`.
    pub(super) fn type_character(&self) -> char {
        match self.socket {
            Socket::Inet { local, .. } => match self.remote.or(self.local).unwrap_or(local).0 {
                IpAddr::V4(_) => '4',
                IpAddr::V6(_) => '6',
            },
            Socket::Unix { .. } => 'u',
            Socket::Other { family } if i32::from(family) == libc::AF_NETLINK => 'n',
            Socket::Other { .. } => 'o',
        }
    }

    /// `ip` or `unix`.
    pub(super) fn family(&self) -> Option<&'static str> {
        match self.socket {
            Socket::Inet { .. } => Some("ip"),
            Socket::Unix { .. } => Some("unix"),
            Socket::Other { .. } => None,
        }
    }

    /// `fd.name`: `1.2.3.4:1000->5.6.7.8:80` from the client to the server, without ports where there
    /// are none; `1.2.3.4:80` of a bound socket; of a unix socket the kernel's addresses of both
    /// ends and the path, or the path alone if it is only bound.
    pub(super) fn name(&self) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(64);
        if let (Some(client), Some(server)) = (self.client(), self.server()) {
            let written = match self.protocol() {
                Some("icmp" | "raw") => write!(text, "{}->{}", client.0, server.0),
                _ => write!(text, "{}:{}->{}:{}", client.0, client.1, server.0, server.1),
            };
            return written.is_ok().then_some(text);
        }
        if let Some(local) = self.local {
            write!(text, "{}:{}", local.0, local.1).ok()?;
            return Some(text);
        }
        let Socket::Unix { pointers, .. } = self.socket else {
            return None;
        };
        if self.connected || self.destination_passed || self.role.is_some() {
            write!(text, "{:x}->{:x} ", pointers.0, pointers.1).ok()?;
        } else if self.unix_path.is_empty() {
            return None;
        }
        write_unix_path(&mut text, self.unix_path);
        Some(text)
    }
}

/// An abstract name starts with a NUL, which text cannot hold; `@` is how tools show it.
pub(super) fn write_unix_path(text: &mut Vec<u8>, path: &[u8]) {
    match path.split_first() {
        Some((0, rest)) => {
            text.push(b'@');
            text.extend(
                rest.iter()
                    .map(|byte| if *byte == 0 { b'@' } else { *byte }),
            );
        }
        _ => text.extend_from_slice(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Text;

    fn inet(local: &str, remote: &str, protocol: u16) -> Socket<'static> {
        let end = |text: &str| {
            let address: std::net::SocketAddr = text.parse().unwrap();
            (address.ip(), address.port())
        };
        Socket::Inet {
            local: end(local),
            remote: end(remote),
            protocol,
            socket_type: if protocol == TCP { STREAM } else { DATAGRAM },
        }
    }

    fn event(name: &str) -> EventType {
        EventType::from_name(name).unwrap()
    }

    #[test]
    fn names_run_from_the_client_to_the_server() {
        let passed = Some(SocketAddress::Inet("8.8.8.8".parse().unwrap(), 53));
        for (name, socket, state, address, expected) in [
            (
                "accept4",
                inet("10.0.0.1:8080", "10.0.0.2:40000", TCP),
                1,
                None,
                "10.0.0.2:40000->10.0.0.1:8080",
            ),
            (
                "listen",
                inet("0.0.0.0:80", "0.0.0.0:0", TCP),
                10,
                None,
                "0.0.0.0:80",
            ),
            (
                "sendto",
                inet("0.0.0.0:50000", "0.0.0.0:0", UDP),
                7,
                passed,
                "0.0.0.0:50000->8.8.8.8:53",
            ),
            // Connected elsewhere, and bound to a port of servers: neither hides where it goes.
            (
                "sendto",
                inet("10.0.0.1:50000", "127.0.0.1:53", UDP),
                1,
                passed,
                "10.0.0.1:50000->8.8.8.8:53",
            ),
            (
                "sendmsg",
                inet("0.0.0.0:53", "0.0.0.0:0", UDP),
                7,
                Some(SocketAddress::Inet("10.0.0.9".parse().unwrap(), 51000)),
                "0.0.0.0:53->10.0.0.9:51000",
            ),
            (
                "sendto",
                inet("10.0.0.1:40000", "10.0.0.2:443", TCP),
                1,
                passed,
                "10.0.0.1:40000->10.0.0.2:443",
            ),
            (
                "recvfrom",
                inet("0.0.0.0:53", "0.0.0.0:0", UDP),
                7,
                Some(SocketAddress::Inet("10.0.0.9".parse().unwrap(), 51000)),
                "10.0.0.9:51000->0.0.0.0:53",
            ),
            (
                "shutdown",
                inet("[::1]:40000", "[::1]:443", TCP),
                1,
                None,
                "::1:40000->::1:443",
            ),
        ] {
            let connection = of_socket(event(name), socket, state, b"", address);
            assert_eq!(
                String::from_utf8_lossy(&connection.name().unwrap()),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_bound_socket_is_a_server_without_a_client() {
        let connection = of_socket(
            event("listen"),
            inet("0.0.0.0:80", "0.0.0.0:0", TCP),
            LISTEN,
            b"",
            None,
        );
        assert_eq!(connection.role, Some(Role::Server));
        assert_eq!(connection.client(), None);
        assert_eq!(connection.server().unwrap().1, 80);
    }

    #[test]
    fn unix_sockets_have_paths() {
        let socket = Socket::Unix {
            path: Text::default(),
            pointers: (0xab, 0xcd),
            socket_type: STREAM,
        };
        let bound = of_socket(event("listen"), socket, LISTEN, b"/run/x", None);
        assert_eq!(bound.name().unwrap(), b"/run/x");
        let accepted = of_socket(event("accept"), socket, ESTABLISHED, b"\0abstract", None);
        assert_eq!(accepted.name().unwrap(), b"ab->cd @abstract");
        let fresh = of_socket(event("socket"), socket, 7, b"", None);
        assert_eq!(fresh.name(), None);
    }
}
