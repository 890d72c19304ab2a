//! Connects to a port of 127.0.0.1 that takes its time, since its queue is full: with `swap`, another thread puts another
//! socket in the place of the descriptor meanwhile; with `interrupt`, a signal ends the call. Prints the result and
//! the port.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// `struct sockaddr_in`
fn raw(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else {
        panic!("it is IPv4");
    };
    let mut raw = vec![2, 0];
    raw.extend(address.port().to_be_bytes());
    raw.extend(address.ip().octets());
    raw.extend([0; 8]);
    raw
}

fn socket(flags: i32) -> OwnedFd {
    // SAFETY: a new descriptor, nobody else's.
    unsafe {
        let descriptor = libc::socket(libc::AF_INET, libc::SOCK_STREAM | flags, 0);
        assert!(descriptor >= 0);
        OwnedFd::from_raw_fd(descriptor)
    }
}

fn connect(socket: i32, address: &[u8]) -> i32 {
    // SAFETY: the address is as long as is said.
    let outcome = unsafe { libc::connect(socket, address.as_ptr().cast(), 16) };
    if outcome == 0 {
        0
    } else {
        -std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
    }
}

extern "C" fn ignore(_signal: i32) {}

fn main() {
    let how = std::env::args().nth(1).expect("swap or interrupt");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    // SAFETY: it is a listening socket.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().expect("it is bound");
    let address_bytes = raw(address);
    // With a queue of none, one connection waits and the next is not answered.
    let fill: Vec<OwnedFd> = (0..3)
        .map(|_| {
            let socket = socket(libc::SOCK_NONBLOCK);
            connect(socket.as_raw_fd(), &address_bytes);
            socket
        })
        .collect();
    std::thread::sleep(Duration::from_millis(50));
    let slow = socket(0);
    let descriptor = slow.as_raw_fd();
    let other = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    other.connect("127.0.0.1:9").expect("nobody is asked");
    let done = AtomicBool::new(false);
    let result = if how == "swap" {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(200));
                // SAFETY: both descriptors are open.
                assert!(unsafe { libc::dup2(other.as_raw_fd(), descriptor) } >= 0);
                // Room in the queue lets it come through.
                listener.set_nonblocking(true).expect("it is ours");
                while !done.load(Ordering::Relaxed) {
                    drop(listener.accept());
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let result = connect(descriptor, &address_bytes);
            done.store(true, Ordering::Relaxed);
            result
        })
    } else {
        // SAFETY: a handler that does nothing, and without SA_RESTART the call ends.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as *const () as usize;
            libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
            let timer = libc::itimerval {
                it_interval: std::mem::zeroed(),
                it_value: libc::timeval {
                    tv_sec: 0,
                    tv_usec: 200_000,
                },
            };
            libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
        }
        connect(descriptor, &address_bytes)
    };
    println!("{result} {}", address.port());
    drop(fill);
}
