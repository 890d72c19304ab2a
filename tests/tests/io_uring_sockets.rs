//! What is done with sockets through `io_uring`: the events of the system calls that do the same.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use peregrine_tests::{Watch, trigger};

const PROGRAM: (&str, &str) = ("proc.name", "ring_socket");
const SUCCESS: (&str, &str) = ("evt.res", "SUCCESS");

fn watch() -> Watch {
    Watch::start(
        "evt.type in (sendto, sendmsg, recvfrom, recvmsg, accept, accept4, bind, listen) and evt.via = io_uring \
         and evt.failed in (true, false)",
        &[
            "evt.via",
            "evt.rawres",
            "evt.buffer",
            "evt.category",
            "evt.io_dir",
            "evt.arg.data",
            "evt.arg.size",
            "evt.arg.addr",
            "evt.arg.tuple",
            "evt.arg.backlog",
            "evt.arg.flags",
            "evt.arg.fd",
            "proc.name",
            "fd.num",
            "fd.name",
            "fd.type",
            "fd.l4proto",
            "fd.sip",
            "fd.sport",
            "fd.cip",
            "fd.cport",
            "fd.rip",
            "fd.rport",
            "fd.is_server",
        ],
    )
}

/// Does something in a program of its own; its result.
fn act(flags: &[&str], action: &str, to: SocketAddr, text: &str) -> i32 {
    let output = Command::new(trigger("ring_socket"))
        .args(flags)
        .args([action, &to.to_string(), text])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("it prints a number")
}

/// An address at which nobody listens.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// Accepts one connection, writes the text after a while, and reads to the end; what came.
fn server(text: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let answers = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        if !text.is_empty() {
            // So that the operation has to wait.
            thread::sleep(Duration::from_millis(300));
            stream.write_all(text.as_bytes()).expect("it is sent");
        }
        let mut came = String::new();
        stream.read_to_string(&mut came).expect("it is read");
        came
    });
    (address, answers)
}

#[test]
fn sends_over_a_connection() {
    let watch = watch();
    for flags in [&[][..], &["async"], &["fixed"]] {
        for action in ["send", "send_zc"] {
            let (to, server) = server("");
            assert_eq!(act(flags, action, to, "hello, world"), 12);
            assert_eq!(server.join().expect("it ends"), "hello, world");
            let port = to.port().to_string();
            let mut seen = watch.seen();
            let event = seen.take(
                "sendto",
                &[
                    SUCCESS,
                    PROGRAM,
                    ("evt.via", "io_uring"),
                    ("evt.rawres", "12"),
                    ("evt.arg.size", "12"),
                    ("evt.arg.data", "hello, world"),
                    ("evt.buffer", "hello, world"),
                    ("evt.io_dir", "write"),
                    ("fd.rip", "127.0.0.1"),
                    ("fd.rport", &port),
                    ("fd.l4proto", "tcp"),
                    ("fd.type", "ipv4"),
                ],
            );
            assert_eq!(event.field("fd.num") == -1, flags == ["fixed"]);
            // The second completion of one without copies is not another send.
            assert!(seen.of_type("sendto").is_empty(), "{action}");
        }
    }
    assert_eq!(act(&["unready"], "send", free(), "lost"), -libc::EPIPE);
    watch
        .seen()
        .take("sendto", &[("evt.res", "EPIPE"), ("evt.arg.size", "4")]);
}

#[test]
fn sends_to_an_address() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let to = receiver.local_addr().expect("it is bound");
    let port = to.port().to_string();
    let watch = watch();
    for flags in [&[][..], &["async"], &["fixed"]] {
        for (action, event) in [
            ("send_to", "sendto"),
            ("send_to_zc", "sendto"),
            ("sendmsg", "sendmsg"),
            ("sendmsg_zc", "sendmsg"),
        ] {
            assert_eq!(act(flags, action, to, "hello"), 5);
            let mut came = [0; 8];
            assert_eq!(receiver.recv(&mut came).expect("it came"), 5);
            let mut seen = watch.seen();
            seen.take(
                event,
                &[
                    SUCCESS,
                    PROGRAM,
                    ("evt.arg.size", "5"),
                    ("evt.arg.data", "hello"),
                    ("fd.sip", "127.0.0.1"),
                    ("fd.sport", &port),
                    ("fd.l4proto", "udp"),
                ],
            );
            assert!(seen.of_type(event).is_empty(), "{action}");
        }
    }
    // A datagram to a port of 0 has no destination.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    for (action, event) in [("send_to", "sendto"), ("sendmsg", "sendmsg")] {
        assert_eq!(act(&[], action, nowhere, "lost"), -libc::EINVAL);
        watch
            .seen()
            .take(event, &[("evt.res", "EINVAL"), ("fd.sip", "127.0.0.1")]);
    }
}

#[test]
fn receives() {
    let watch = watch();
    for flags in [&[][..], &["async"], &["fixed"]] {
        let (from, server) = server("secret");
        assert_eq!(act(flags, "recv", from, ""), 6);
        server.join().expect("it ends");
        let port = from.port().to_string();
        let mut seen = watch.seen();
        seen.take(
            "recvfrom",
            &[
                SUCCESS,
                PROGRAM,
                ("evt.rawres", "6"),
                ("evt.arg.size", "64"),
                ("evt.arg.data", "secret"),
                ("evt.io_dir", "read"),
                ("fd.rport", &port),
            ],
        );
        // That it had to wait is not another one.
        assert!(seen.of_type("recvfrom").is_empty());

        let server = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let from = server.local_addr().expect("it is bound");
        let answers = thread::spawn(move || {
            let (_, to) = server.recv_from(&mut [0; 8]).expect("it came");
            thread::sleep(Duration::from_millis(300));
            server.send_to(b"secret", to).expect("it is sent");
        });
        assert_eq!(act(flags, "recvmsg", from, ""), 6);
        answers.join().expect("it ends");
        watch.seen().take(
            "recvmsg",
            &[
                SUCCESS,
                PROGRAM,
                ("evt.arg.size", "6"),
                ("evt.arg.data", "secret"),
                ("fd.rip", "127.0.0.1"),
                ("fd.rport", &from.port().to_string()),
            ],
        );
    }
    assert_eq!(act(&["unready"], "recv", free(), ""), -libc::ENOTCONN);
    watch.seen().take("recvfrom", &[("evt.res", "ENOTCONN")]);
}

#[test]
fn accepts() {
    let watch = watch();
    for flags in [&[][..], &["async"], &["fixed"]] {
        let at = free();
        let descriptor = act(flags, "accept", at, "");
        assert!(descriptor > 2, "{descriptor}");
        let port = at.port().to_string();
        watch.seen().take(
            "accept4",
            &[
                SUCCESS,
                PROGRAM,
                ("fd.num", &descriptor.to_string()),
                ("evt.arg.flags", "80000"),
                ("fd.sip", "127.0.0.1"),
                ("fd.sport", &port),
                ("fd.cip", "127.0.0.1"),
                ("fd.is_server", "true"),
            ],
        );
    }
    assert_eq!(act(&["unready"], "accept", free(), ""), -libc::EINVAL);
    watch.seen().take("accept4", &[("evt.res", "EINVAL")]);
    // It goes into the ring's own table.
    assert!(act(&["slot"], "accept", free(), "") >= 0);
    watch.seen().take("accept4", &[SUCCESS, PROGRAM]);
}

#[test]
fn accepts_of_one_request() {
    let watch = watch();
    let at = free();
    act(&[], "accept_many", at, "");
    let port = at.port().to_string();
    let mut seen = watch.seen();
    let mut descriptors = BTreeSet::new();
    for _ in 0..3 {
        let wanted = [
            SUCCESS,
            PROGRAM,
            ("fd.sport", &port),
            ("fd.is_server", "true"),
        ];
        let event = seen.take("accept4", &wanted);
        descriptors.insert(event.field("fd.num").as_i64());
    }
    assert_eq!(descriptors.len(), 3, "{descriptors:?}");
    // It goes on until the program ends, or a moment longer.
    for last in seen.of_type("accept4") {
        assert_eq!(last.text("evt.res"), "ECANCELED");
    }
}

#[test]
fn completions_that_find_the_queue_full() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let to = receiver.local_addr().expect("it is bound");
    let at = free();
    let watch = watch();
    assert_eq!(act(&["full"], "send_to", to, "hello"), 5);
    assert!(act(&["full"], "accept", at, "") > 2);
    let mut seen = watch.seen();
    seen.take("sendto", &[SUCCESS, PROGRAM, ("evt.arg.data", "hello")]);
    let port = at.port().to_string();
    seen.take("accept4", &[SUCCESS, PROGRAM, ("fd.sport", &port)]);
}

#[test]
fn binds_and_listens() {
    let watch = watch();
    for flags in [&[][..], &["async"], &["fixed"]] {
        let at = free();
        let port = at.port().to_string();
        assert_eq!(act(flags, "bind", at, ""), 0);
        // Not at the same address: a ring gives it back a moment after its program has ended.
        let other = free();
        let other_port = other.port().to_string();
        assert_eq!(act(flags, "listen", other, ""), 0);
        let mut seen = watch.seen();
        seen.take(
            "bind",
            &[
                SUCCESS,
                PROGRAM,
                ("evt.arg.addr", &at.to_string()),
                ("fd.sip", "127.0.0.1"),
                ("fd.sport", &port),
                ("fd.is_server", "true"),
            ],
        );
        seen.take(
            "listen",
            &[
                SUCCESS,
                PROGRAM,
                ("evt.arg.backlog", "17"),
                ("fd.name", &other.to_string()),
                ("fd.sport", &other_port),
            ],
        );
    }
    let foreign = SocketAddr::from(([192, 0, 2, 1], 4000));
    assert_eq!(act(&[], "bind", foreign, ""), -libc::EADDRNOTAVAIL);
    assert_eq!(act(&["unready"], "listen", foreign, ""), -libc::EOPNOTSUPP);
    let mut seen = watch.seen();
    seen.take(
        "bind",
        &[
            ("evt.res", "EADDRNOTAVAIL"),
            ("evt.arg.addr", "192.0.2.1:4000"),
        ],
    );
    seen.take("listen", &[("evt.res", "EOPNOTSUPP")]);
}
