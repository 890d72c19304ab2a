//! Calls about sockets: both ends, addresses and data of every event.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use peregrine_tests::{Watch, system_call};

const EVENTS: &str =
    "socket, bind, listen, connect, accept, accept4, sendto, recvfrom, sendmsg, recvmsg, shutdown";

const FIELDS: &[&str] = &[
    "evt.arg.fd",
    "evt.rawarg.fd",
    "evt.arg.domain",
    "evt.arg.type",
    "evt.arg.proto",
    "evt.arg.flags",
    "evt.arg.backlog",
    "evt.arg.addr",
    "evt.arg.tuple",
    "evt.arg.data",
    "evt.arg.size",
    "evt.arg.how",
    "evt.buffer",
    "evt.buflen",
    "fd.num",
    "fd.name",
    "fd.type",
    "fd.typechar",
    "fd.l4proto",
    "fd.sockfamily",
    "fd.is_server",
    "fd.connected",
    "fd.sip",
    "fd.sport",
    "fd.cip",
    "fd.cport",
    "fd.lip",
    "fd.lport",
    "fd.rip",
    "fd.rport",
];

/// A watch on the calls of this thread.
fn watch() -> Watch {
    // SAFETY: the call takes nothing.
    let tid = unsafe { libc::gettid() };
    Watch::start(
        &format!("evt.type in ({EVENTS}) and thread.tid = {tid}"),
        FIELDS,
    )
}

/// A number as the type of the C library that is expected.
fn narrow<T: TryFrom<i64>>(number: i64) -> T {
    T::try_from(number).unwrap_or_else(|_| panic!("{number} is out of range"))
}

fn own(descriptor: i64) -> OwnedFd {
    assert!(descriptor >= 0, "{descriptor}");
    // SAFETY: the call that just succeeded gave it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(narrow(descriptor)) }
}

/// `struct sockaddr_in` or `sockaddr_in6`, with its length.
fn raw(address: SocketAddr) -> (Vec<u8>, u32) {
    let mut bytes = Vec::new();
    match address {
        SocketAddr::V4(address) => {
            bytes.extend(u16::try_from(libc::AF_INET).expect("small").to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(address) => {
            bytes.extend(u16::try_from(libc::AF_INET6).expect("small").to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(address.ip().octets());
            bytes.extend([0; 4]);
        }
    }
    let length = u32::try_from(bytes.len()).expect("small");
    (bytes, length)
}

/// `struct sockaddr_un` with this name, which starts with NUL if it is abstract.
fn unix(name: &[u8]) -> (Vec<u8>, u32) {
    let mut bytes = u16::try_from(libc::AF_UNIX)
        .expect("small")
        .to_ne_bytes()
        .to_vec();
    bytes.extend(name);
    let length = u32::try_from(bytes.len()).expect("small");
    (bytes, length)
}

#[test]
fn calls_about_sockets() {
    let watch = watch();
    connection(&watch, "127.0.0.1:0", "4");
    connection(&watch, "[::1]:0", "6");
    datagrams(&watch);
    messages(&watch);
    unix_sockets(&watch);
    failures(&watch);
}

/// A connection of TCP from both sides.
fn connection(watch: &Watch, address: &str, letter: &str) {
    let v6 = letter == "6";
    let domain = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    let (bind_to, length) = raw(address.parse().expect("an address"));
    // SAFETY: addresses and their lengths belong together, and live on.
    let (listener, to) = unsafe {
        let listener = own(system_call!(
            SYS_socket,
            domain,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0
        ));
        let fd = listener.as_raw_fd();
        assert_eq!(system_call!(SYS_bind, fd, bind_to.as_ptr(), length), 0);
        assert_eq!(system_call!(SYS_listen, fd, 17), 0);
        let listener = TcpListener::from(listener);
        let to = listener.local_addr().expect("it has an address");
        (listener, to)
    };
    let client = TcpStream::connect(to).expect("it connects");
    let second = TcpStream::connect(to).expect("it connects");
    let from = client.local_addr().expect("it has an address");
    let second_from = second.local_addr().expect("it has an address");
    let mut data = *b"0123456789";
    // SAFETY: the buffers are as long as their lengths say, and live on.
    let (accepted, accepted4) = unsafe {
        let accepted = own(system_call!(
            SYS_accept,
            listener.as_raw_fd(),
            0_usize,
            0_usize
        ));
        let accepted4 = own(system_call!(
            SYS_accept4,
            listener.as_raw_fd(),
            0_usize,
            0_usize,
            libc::SOCK_CLOEXEC
        ));
        assert_eq!(
            system_call!(
                SYS_sendto,
                client.as_raw_fd(),
                b"hello\n".as_ptr(),
                6_usize,
                0,
                0_usize,
                0
            ),
            6
        );
        assert_eq!(
            system_call!(
                SYS_recvfrom,
                accepted.as_raw_fd(),
                data.as_mut_ptr(),
                10_usize,
                0,
                0_usize,
                0_usize
            ),
            6
        );
        assert_eq!(
            system_call!(SYS_shutdown, accepted.as_raw_fd(), libc::SHUT_WR),
            0
        );
        (accepted, accepted4)
    };
    let mut seen = watch.seen();
    let kind = if v6 { "ipv6" } else { "ipv4" };
    let listening = listener.as_raw_fd().to_string();
    let family = if v6 { "AF_INET6" } else { "AF_INET" };
    seen.take(
        "socket",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &listening),
            ("evt.arg.domain", family),
            ("evt.arg.type", "524289"),
            ("evt.arg.flags", "O_CLOEXEC"),
            ("evt.arg.proto", "0"),
            ("fd.typechar", letter),
            ("fd.l4proto", "tcp"),
        ],
    );
    let ip = to.ip().to_string();
    let name = format!("{ip}:{}", to.port());
    seen.take(
        "bind",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &listening),
            ("evt.arg.addr", &format!("{ip}:0")),
            ("fd.sip", &ip),
            ("fd.sport", &to.port().to_string()),
            ("fd.is_server", "true"),
        ],
    );
    seen.take(
        "listen",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.backlog", "17"),
            ("evt.arg.fd", &format!("<{letter}>{name}")),
            ("fd.name", &name),
            ("fd.sip", &ip),
            ("fd.sport", &to.port().to_string()),
            ("fd.lport", "-"),
            ("fd.cip", "-"),
            ("fd.rip", "-"),
            ("fd.is_server", "true"),
        ],
    );
    seen.take(
        "connect",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &client.as_raw_fd().to_string()),
            ("evt.rawarg.fd", &client.as_raw_fd().to_string()),
            ("evt.arg.addr", &name),
            ("fd.sip", &ip),
            ("fd.sport", &to.port().to_string()),
            ("fd.cport", &from.port().to_string()),
            ("fd.rport", &to.port().to_string()),
        ],
    );
    let ends = |from: &SocketAddr| format!("{ip}:{}->{ip}:{}", from.port(), to.port());
    for (event, descriptor, from) in [
        ("accept", &accepted, &from),
        ("accept4", &accepted4, &second_from),
    ] {
        seen.take(
            event,
            &[
                ("evt.res", "SUCCESS"),
                ("fd.num", &descriptor.as_raw_fd().to_string()),
                ("evt.arg.fd", &format!("<{letter}>{}", ends(from))),
                ("evt.arg.tuple", &ends(from)),
                ("fd.type", kind),
                ("fd.cip", &ip),
                ("fd.cport", &from.port().to_string()),
                ("fd.sip", &ip),
                ("fd.sport", &to.port().to_string()),
                ("fd.lip", &ip),
                ("fd.lport", &to.port().to_string()),
                ("fd.rip", &ip),
                ("fd.rport", &from.port().to_string()),
                ("fd.l4proto", "tcp"),
                ("fd.sockfamily", "ip"),
                ("fd.is_server", "true"),
                ("fd.connected", "true"),
            ],
        );
    }
    // Of data alone, who is the client is a guess by the ports; ours and theirs are what is sure.
    let (ours, theirs) = (from.port().to_string(), to.port().to_string());
    seen.take(
        "sendto",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.data", "hello\n"),
            ("evt.buffer", "hello."),
            ("evt.arg.size", "6"),
            ("fd.lport", &ours),
            ("fd.rport", &theirs),
        ],
    );
    seen.take(
        "recvfrom",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.data", "hello\n"),
            ("evt.arg.size", "10"),
            ("fd.lport", &theirs),
            ("fd.rport", &ours),
        ],
    );
    seen.take(
        "shutdown",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.how", "SHUT_WR"),
            ("fd.lport", &theirs),
            ("fd.rport", &ours),
        ],
    );
}

/// Datagrams with a destination of their own, and after a connect.
fn datagrams(watch: &Watch) {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let (to, from) = (
        server.local_addr().expect("an address"),
        client.local_addr().expect("an address"),
    );
    let (address, length) = raw(to);
    let mut data = [0_u8; 64];
    let mut came_from = [0_u8; 28];
    let mut came_length = 28_u32;
    // SAFETY: buffers, addresses and their lengths belong together, and live on.
    unsafe {
        assert_eq!(
            system_call!(
                SYS_sendto,
                client.as_raw_fd(),
                b"loose".as_ptr(),
                5_usize,
                0,
                address.as_ptr(),
                length
            ),
            5
        );
        assert_eq!(
            system_call!(
                SYS_recvfrom,
                server.as_raw_fd(),
                data.as_mut_ptr(),
                64_usize,
                0,
                came_from.as_mut_ptr(),
                &raw mut came_length
            ),
            5
        );
        assert_eq!(
            system_call!(SYS_connect, client.as_raw_fd(), address.as_ptr(), length),
            0
        );
        assert_eq!(
            system_call!(
                SYS_sendto,
                client.as_raw_fd(),
                b"tight".as_ptr(),
                5_usize,
                0,
                0_usize,
                0
            ),
            5
        );
    }
    let mut seen = watch.seen();
    // Which end is the client's is a guess by the ports where nobody connected, so ours and theirs are what is sure.
    seen.take(
        "sendto",
        &[
            ("evt.arg.data", "loose"),
            ("fd.rip", "127.0.0.1"),
            ("fd.rport", &to.port().to_string()),
            ("fd.lport", &from.port().to_string()),
            ("fd.l4proto", "udp"),
            ("fd.connected", "false"),
        ],
    );
    seen.take(
        "recvfrom",
        &[
            ("evt.arg.data", "loose"),
            ("fd.rport", &from.port().to_string()),
            ("fd.lport", &to.port().to_string()),
            ("fd.l4proto", "udp"),
        ],
    );
    let name = format!("{from}->{to}");
    seen.take(
        "connect",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.name", &name),
            ("fd.l4proto", "udp"),
            ("fd.connected", "true"),
        ],
    );
    seen.take(
        "sendto",
        &[
            ("evt.arg.data", "tight"),
            ("fd.rport", &to.port().to_string()),
            ("fd.connected", "true"),
        ],
    );
}

/// Messages in pieces, with a descriptor beside them.
fn messages(watch: &Watch) {
    let mut pair = [0; 2];
    // SAFETY: the call fills in two descriptors.
    let outcome =
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) };
    assert_eq!(outcome, 0);
    let [one, two] = pair.map(|descriptor| own(descriptor.into()));
    // SAFETY: zeros are a header without anything.
    let mut header: libc::msghdr = unsafe { zeroed() };
    let pieces = ["ab", "cdef", "ghi"];
    let mut vectors = pieces.map(|piece| libc::iovec {
        iov_base: piece.as_ptr().cast_mut().cast(),
        iov_len: piece.len(),
    });
    (header.msg_iov, header.msg_iovlen) = (vectors.as_mut_ptr(), vectors.len());
    // `struct cmsghdr` with one descriptor.
    let mut control = [0_u64; 3];
    control[0] = 20;
    control[1] = u64::from(libc::SOL_SOCKET.cast_unsigned())
        | u64::from(libc::SCM_RIGHTS.cast_unsigned()) << 32;
    control[2] = u64::from(one.as_raw_fd().cast_unsigned());
    (header.msg_control, header.msg_controllen) =
        (control.as_mut_ptr().cast(), size_of::<[u64; 3]>());
    // SAFETY: what the header points to lives on.
    unsafe {
        assert_eq!(
            system_call!(SYS_sendmsg, one.as_raw_fd(), &raw const header, 0),
            9
        );
    };
    let mut data = [[0_u8; 4]; 4];
    let mut vectors = data.each_mut().map(|part| libc::iovec {
        iov_base: part.as_mut_ptr().cast(),
        iov_len: 4,
    });
    (header.msg_iov, header.msg_iovlen) = (vectors.as_mut_ptr(), vectors.len());
    // SAFETY: as above.
    unsafe {
        assert_eq!(
            system_call!(SYS_recvmsg, two.as_raw_fd(), &raw mut header, 0),
            9
        );
    };
    let mut seen = watch.seen();
    seen.take(
        "sendmsg",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.data", "abcdefghi"),
            ("evt.arg.size", "9"),
            ("fd.num", &one.as_raw_fd().to_string()),
            ("fd.type", "unix"),
            ("fd.sockfamily", "unix"),
        ],
    );
    seen.take(
        "recvmsg",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.data", "abcdefghi"),
            ("evt.arg.size", "9"),
            ("fd.num", &two.as_raw_fd().to_string()),
            ("fd.type", "unix"),
        ],
    );

    // A datagram with its destination in the header.
    let server = UdpSocket::bind("[::1]:0").expect("a port is free");
    let client = UdpSocket::bind("[::1]:0").expect("a port is free");
    let to = server.local_addr().expect("an address");
    let (mut address, length) = raw(to);
    let mut vector = libc::iovec {
        iov_base: b"datagram".as_ptr().cast_mut().cast(),
        iov_len: 8,
    };
    // SAFETY: zeros are a header without anything.
    let mut header: libc::msghdr = unsafe { zeroed() };
    (header.msg_name, header.msg_namelen) = (address.as_mut_ptr().cast(), length);
    (header.msg_iov, header.msg_iovlen) = (&raw mut vector, 1);
    // SAFETY: what the header points to lives on.
    unsafe {
        assert_eq!(
            system_call!(SYS_sendmsg, client.as_raw_fd(), &raw const header, 0),
            8
        );
    };
    let mut seen = watch.seen();
    seen.take(
        "sendmsg",
        &[
            ("evt.arg.data", "datagram"),
            ("fd.rip", "::1"),
            ("fd.rport", &to.port().to_string()),
            ("fd.typechar", "6"),
            ("fd.l4proto", "udp"),
        ],
    );
}

/// Unix sockets with a path, and with an abstract name.
fn unix_sockets(watch: &Watch) {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("socket");
    let path = path.to_str().expect("UTF-8").to_owned();
    let hidden = format!("\0peregrine-{}", std::process::id());
    for (name, shown) in [
        (format!("{path}\0"), path),
        (hidden.clone(), hidden.replace('\0', "@")),
    ] {
        let (address, length) = unix(name.as_bytes());
        // SAFETY: addresses and their lengths belong together, and live on.
        let (listener, client, accepted) = unsafe {
            let listener = own(system_call!(
                SYS_socket,
                libc::AF_UNIX,
                libc::SOCK_STREAM,
                0
            ));
            assert_eq!(
                system_call!(SYS_bind, listener.as_raw_fd(), address.as_ptr(), length),
                0
            );
            assert_eq!(system_call!(SYS_listen, listener.as_raw_fd(), 1), 0);
            let client = own(system_call!(
                SYS_socket,
                libc::AF_UNIX,
                libc::SOCK_STREAM,
                0
            ));
            assert_eq!(
                system_call!(SYS_connect, client.as_raw_fd(), address.as_ptr(), length),
                0
            );
            let accepted = own(system_call!(
                SYS_accept,
                listener.as_raw_fd(),
                0_usize,
                0_usize
            ));
            (listener, client, accepted)
        };
        let mut seen = watch.seen();
        seen.take(
            "socket",
            &[("evt.arg.domain", "AF_LOCAL|AF_UNIX"), ("fd.type", "unix")],
        );
        seen.take(
            "bind",
            &[
                ("evt.res", "SUCCESS"),
                ("evt.arg.addr", &shown),
                ("fd.name", &shown),
                ("fd.num", &listener.as_raw_fd().to_string()),
            ],
        );
        seen.take("listen", &[("evt.res", "SUCCESS"), ("fd.name", &shown)]);
        let connected = seen.take(
            "connect",
            &[
                ("evt.res", "SUCCESS"),
                ("evt.arg.addr", &shown),
                ("fd.num", &client.as_raw_fd().to_string()),
                ("fd.typechar", "u"),
            ],
        );
        assert!(
            connected.text("fd.name").ends_with(&format!(" {shown}")),
            "{connected:?}"
        );
        let taken = seen.take(
            "accept",
            &[
                ("evt.res", "SUCCESS"),
                ("fd.num", &accepted.as_raw_fd().to_string()),
                ("fd.type", "unix"),
                ("fd.is_server", "true"),
            ],
        );
        assert!(
            taken.text("fd.name").ends_with(&format!(" {shown}")),
            "{taken:?}"
        );
    }
}

fn failures(watch: &Watch) {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it has an address")
    };
    let file = std::fs::File::open("/dev/null").expect("it opens");
    let (address, length) = raw(closed);
    let error = |number: i32| -i64::from(number);
    // SAFETY: addresses and their lengths belong together, and live on.
    unsafe {
        assert_eq!(
            system_call!(SYS_socket, 12_345, libc::SOCK_STREAM, 0),
            error(libc::EAFNOSUPPORT)
        );
        assert_eq!(
            system_call!(SYS_listen, file.as_raw_fd(), 5),
            error(libc::ENOTSOCK)
        );
        assert_eq!(
            system_call!(SYS_accept, -1, 0_usize, 0_usize),
            error(libc::EBADF)
        );
        assert_eq!(
            system_call!(SYS_accept4, file.as_raw_fd(), 0_usize, 0_usize, 0),
            error(libc::ENOTSOCK)
        );
        assert_eq!(
            system_call!(SYS_connect, file.as_raw_fd(), address.as_ptr(), length),
            error(libc::ENOTSOCK)
        );
        assert_eq!(
            system_call!(SYS_sendto, 999, b"x".as_ptr(), 1_usize, 0, 0_usize, 0),
            error(libc::EBADF)
        );
        assert_eq!(
            system_call!(SYS_recvfrom, 999, 0_usize, 1_usize, 0, 0_usize, 0_usize),
            error(libc::EBADF)
        );
        assert_eq!(
            system_call!(SYS_sendmsg, 999, 0_usize, 0),
            error(libc::EBADF)
        );
        assert_eq!(
            system_call!(SYS_recvmsg, 999, 0_usize, 0),
            error(libc::EBADF)
        );
    }
    let mut seen = watch.seen();
    seen.take(
        "socket",
        &[
            ("evt.res", "EAFNOSUPPORT"),
            ("evt.arg.fd", "EAFNOSUPPORT"),
            ("evt.arg.domain", "12345"),
            ("fd.num", "-1"),
        ],
    );
    seen.take(
        "listen",
        &[
            ("evt.res", "ENOTSOCK"),
            ("evt.arg.fd", "<f>/dev/null"),
            ("fd.type", "file"),
            ("fd.sip", "-"),
        ],
    );
    seen.take(
        "accept",
        &[
            ("evt.res", "EBADF"),
            ("fd.num", "-1"),
            ("evt.arg.tuple", "-"),
        ],
    );
    seen.take("accept4", &[("evt.res", "ENOTSOCK")]);
    seen.take(
        "connect",
        &[
            ("evt.res", "ENOTSOCK"),
            ("fd.num", &file.as_raw_fd().to_string()),
        ],
    );
    for event in ["sendto", "recvfrom", "sendmsg", "recvmsg"] {
        seen.take(
            event,
            &[
                ("evt.res", "EBADF"),
                ("evt.rawarg.fd", "999"),
                ("fd.name", "-"),
            ],
        );
    }
}
