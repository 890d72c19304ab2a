//! Messages: where each one goes, and what is in it, however it is sent.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use peregrine_tests::{Watch, system_call};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};

const FIELDS: &[&str] = &["evt.arg.data", "evt.rawres", "fd.rip", "fd.rport", "fd.num"];

fn watch() -> Watch {
    let own = std::process::id();
    Watch::start(
        &format!("evt.type in (sendto, sendmsg, sendmmsg, recvmmsg, writev) and proc.pid = {own}"),
        FIELDS,
    )
}

/// A socket that listens on loopback, and its address as the kernel takes it.
fn server(address: &str) -> (UdpSocket, libc::sockaddr_in) {
    let socket = UdpSocket::bind(address).expect("a port is free");
    let std::net::SocketAddr::V4(own) = socket.local_addr().expect("it is bound") else {
        panic!("it is IPv4")
    };
    let raw = libc::sockaddr_in {
        sin_family: 2,
        sin_port: own.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*own.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    (socket, raw)
}

#[test]
fn a_connected_socket_does_not_hide_where_its_datagrams_go() {
    let watch = watch();
    let (decoy, _) = server("127.0.0.1:0");
    let (real, address) = server("127.0.0.2:0");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    client
        .connect(decoy.local_addr().expect("it is bound"))
        .expect("it connects");
    // SAFETY: data and address are as long as is said.
    let sent = unsafe {
        system_call!(
            SYS_sendto,
            client.as_raw_fd(),
            c"secret".as_ptr(),
            6,
            0,
            &raw const address,
            size_of_val(&address)
        )
    };
    assert_eq!(sent, 6);
    let mut buffer = [0; 16];
    assert_eq!(real.recv(&mut buffer).expect("it came"), 6);
    let port = real.local_addr().expect("it is bound").port().to_string();
    watch.seen().take(
        "sendto",
        &[
            ("evt.arg.data", "secret"),
            ("fd.rip", "127.0.0.2"),
            ("fd.rport", &port),
        ],
    );
}

#[test]
fn an_address_that_is_said_to_be_too_long() {
    let watch = watch();
    let (real, address) = server("127.0.0.3:0");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    // The kernel cuts the length to 128 bytes; behind those there is nothing to read.
    let page = 4096_usize;
    // SAFETY: new memory, nobody else's.
    let memory = unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            2 * page,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    }
    .expect("there is memory")
    .cast::<u8>();
    // SAFETY: the last 128 bytes of the first page hold an address, the second page is ours.
    let place = unsafe {
        mprotect(memory.add(page).cast(), page, MprotectFlags::empty()).expect("it is ours");
        let place = memory.add(page - 128).cast::<libc::c_void>();
        place.cast::<libc::sockaddr_in>().write_unaligned(address);
        place
    };
    let mut vector = libc::iovec {
        iov_base: c"far".as_ptr().cast_mut().cast(),
        iov_len: 3,
    };
    // SAFETY: zeros are a message without anything.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = place.cast();
    header.msg_namelen = 200;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    // SAFETY: the header describes what is above.
    let sent = unsafe { system_call!(SYS_sendmsg, client.as_raw_fd(), &raw const header, 0) };
    assert_eq!(sent, 3);
    let port = real.local_addr().expect("it is bound").port().to_string();
    watch.seen().take(
        "sendmsg",
        &[
            ("evt.arg.data", "far"),
            ("fd.rip", "127.0.0.3"),
            ("fd.rport", &port),
        ],
    );
}

#[test]
fn each_of_many_messages_is_an_event() {
    let watch = watch();
    let servers: Vec<_> = (1..=3)
        .map(|number| server(&format!("127.0.0.{number}:0")))
        .collect();
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let texts = [c"a", c"bb", c"ccc"];
    let mut vectors = texts.map(|text| libc::iovec {
        iov_base: text.as_ptr().cast_mut().cast(),
        iov_len: text.count_bytes(),
    });
    let mut messages: Vec<libc::mmsghdr> = Vec::new();
    for ((_, address), vector) in servers.iter().zip(&mut vectors) {
        // SAFETY: zeros are a message without anything.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_name = (&raw const *address).cast_mut().cast();
        message.msg_hdr.msg_namelen = 16;
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        messages.push(message);
    }
    // SAFETY: the messages describe what is above, which lives on.
    let sent = unsafe {
        system_call!(
            SYS_sendmmsg,
            client.as_raw_fd(),
            messages.as_mut_ptr(),
            3,
            0
        )
    };
    assert_eq!(sent, 3);
    let mut seen = watch.seen();
    for (number, (server, _)) in servers.iter().enumerate() {
        let port = server.local_addr().expect("it is bound").port().to_string();
        seen.take(
            "sendmmsg",
            &[
                ("evt.arg.data", texts[number].to_str().expect("UTF-8")),
                ("evt.rawres", &(number + 1).to_string()),
                ("fd.rip", &format!("127.0.0.{}", number + 1)),
                ("fd.rport", &port),
            ],
        );
    }
    assert!(seen.of_type("sendmmsg").is_empty());

    // And received: two of them at once.
    let (receiver, _) = &servers[0];
    client
        .send_to(b"second", receiver.local_addr().expect("it is bound"))
        .expect("it is sent");
    let mut room = [[0_u8; 32]; 2];
    let mut vectors = room.each_mut().map(|part| libc::iovec {
        iov_base: part.as_mut_ptr().cast(),
        iov_len: 32,
    });
    let mut messages: Vec<libc::mmsghdr> = vectors
        .iter_mut()
        .map(|vector| {
            // SAFETY: as above.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    // SAFETY: as above.
    let received = unsafe {
        system_call!(
            SYS_recvmmsg,
            receiver.as_raw_fd(),
            messages.as_mut_ptr(),
            2,
            0,
            0_usize
        )
    };
    assert_eq!(received, 2);
    let mut seen = watch.seen();
    for (text, length) in [("a", "1"), ("second", "6")] {
        seen.take(
            "recvmmsg",
            &[("evt.arg.data", text), ("evt.rawres", length)],
        );
    }
}

#[test]
fn data_in_many_parts_is_whole() {
    let watch = watch();
    let null = std::fs::File::options()
        .write(true)
        .open("/dev/null")
        .expect("it opens");
    let parts: Vec<libc::iovec> = [c"f", c"o", c"u", c"r", c"", c"and the payload"]
        .iter()
        .map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.count_bytes(),
        })
        .collect();
    // SAFETY: the parts are constants.
    let written =
        unsafe { system_call!(SYS_writev, null.as_raw_fd(), parts.as_ptr(), parts.len()) };
    assert_eq!(written, 19);
    watch
        .seen()
        .take("writev", &[("evt.arg.data", "fourand the payload")]);
}
