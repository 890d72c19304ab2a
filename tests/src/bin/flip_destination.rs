//! Sends datagrams while a second thread changes their destination between two ports.
//!
//! Arguments: `sendto` or `sendmsg`, and two ports of 127.0.0.1 that differ in one byte. Prints for each where it
//! came: `1` for the second port, `0` for the first.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use peregrine_tests::{Flipped, outcomes, system_call};

/// `struct sockaddr_in` of 127.0.0.1.
fn address(port: u16) -> Vec<u8> {
    let family = u16::try_from(libc::AF_INET).expect("it is small");
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(port.to_be_bytes());
    bytes.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ports: Vec<u16> = arguments[1..]
        .iter()
        .map(|port| port.parse().expect("a port"))
        .collect();
    let receivers: Vec<UdpSocket> = ports
        .iter()
        .map(|port| UdpSocket::bind(("127.0.0.1", *port)).expect("the port is free"))
        .collect();
    for receiver in &receivers {
        receiver.set_nonblocking(true).expect("it is ours");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let number = socket.as_raw_fd();
    let addresses = [address(ports[0]), address(ports[1])];
    let contents = [&*addresses[0], &*addresses[1]];
    let came = Flipped::while_between(contents, |flipped| {
        let mut vector = libc::iovec {
            iov_base: b"x".as_ptr().cast_mut().cast(),
            iov_len: 1,
        };
        // SAFETY: zeros are a message of nothing to nobody.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        (message.msg_name, message.msg_namelen) = (flipped.pointer::<u8>().cast_mut().cast(), 16);
        (message.msg_iov, message.msg_iovlen) = (&raw mut vector, 1);
        let sent = || {
            // SAFETY: the address has 16 bytes and the data one; what the message points to lives on.
            let sent = unsafe {
                if arguments[0] == "sendto" {
                    let to = flipped.pointer::<u8>();
                    system_call!(SYS_sendto, number, b"x".as_ptr(), 1_usize, 0, to, 16)
                } else {
                    system_call!(SYS_sendmsg, number, &raw const message, 0)
                }
            };
            assert_eq!(sent, 1);
            let mut room = [0];
            // One of them has it: delivery over the loopback is part of the call.
            let at_first = receivers[0].recv(&mut room).is_ok();
            let at_second = receivers[1].recv(&mut room).is_ok();
            assert!(at_first != at_second);
            at_second
        };
        outcomes(2_000, sent)
    });
    println!("{came}");
}
