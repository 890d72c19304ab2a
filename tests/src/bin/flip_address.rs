//! Connects again and again while a second thread changes the address between two ports.
//!
//! Arguments: the two ports, of 127.0.0.1. Prints for each call `1` if the second was what it
//! was connected to, else `0`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use peregrine_tests::outcomes;

/// `struct sockaddr_in` of 127.0.0.1 whose port changes at once.
#[repr(C)]
struct Address {
    family: u16,
    port: AtomicU16,
    octets: [u8; 4],
    zero: [u8; 8],
}

fn main() {
    let ports: Vec<u16> = std::env::args()
        .skip(1)
        .map(|port| port.parse().expect("a port"))
        .collect();
    let address = Address {
        family: u16::try_from(libc::AF_INET).expect("it is small"),
        port: AtomicU16::new(ports[0].to_be()),
        octets: [127, 0, 0, 1],
        zero: [0; 8],
    };
    let done = AtomicBool::new(false);
    let second = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for port in &ports {
                    address.port.store(port.to_be(), Ordering::Relaxed);
                }
            }
        });
        let connected_to_second = outcomes(2_000, || connect(&address) == ports[1]);
        done.store(true, Ordering::Relaxed);
        connected_to_second
    });
    println!("{second}");
}

/// The port that a new socket was connected to.
fn connect(address: &Address) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    // SAFETY: the address is as long as is said and lives on; only its port changes, atomically.
    let outcome = unsafe { libc::connect(socket.as_raw_fd(), (&raw const *address).cast(), 16) };
    assert_eq!(outcome, 0);
    socket.peer_addr().expect("it is connected").port()
}
