//! Uses a socket by an operation of `io_uring`: `[async] [fixed] [slot] [full] [unready] ACTION ADDRESS:PORT [TEXT]`. Actions:
//!
//! * `send` and `send_zc` the text over a TCP connection to the address, `recv` from one;
//! * `send_to`, `send_to_zc`, `sendmsg` and `sendmsg_zc` the text in a datagram to the address, as a message in two parts;
//! * `recvmsg`: a datagram from the address, which is sent one first;
//! * `accept` a connection at the address, which is made first; `accept_many`: three of them by one request;
//! * `bind` to the address, or `listen` there.
//!
//! With `async` a thread of the kernel does it; with `fixed` the socket is in the ring's own table; with `slot` the accepted
//! one goes there; with `full` the completion finds the queue full; with `unready` the socket is not connected, or not listening. Prints the result, the last one of many.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a trigger of tests"
)]

use std::mem::zeroed;
use std::net::{SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;

use io_uring::types::{DestinationSlot, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};

/// Places of the queue of completions.
const COMPLETIONS: u32 = 8;
/// How many connections `accept_many` makes.
const MANY: usize = 3;

/// What is sent or received, wherever it is.
#[derive(Default)]
struct Memory {
    text: Vec<u8>,
    address: Vec<u8>,
    vectors: Vec<libc::iovec>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut flags = squeue::Flags::empty();
    let (mut is_fixed, mut is_slot, mut is_full, mut is_ready) = (false, false, false, true);
    loop {
        match arguments.peek().map(String::as_str) {
            Some("async") => flags |= squeue::Flags::ASYNC,
            Some("fixed") => is_fixed = true,
            Some("slot") => is_slot = true,
            Some("full") => is_full = true,
            Some("unready") => is_ready = false,
            _ => break,
        }
        arguments.next();
    }
    let action = arguments.next().expect("what to do");
    let to: SocketAddrV4 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect("ADDRESS:PORT");
    let mut memory = Memory {
        text: arguments.next().unwrap_or_default().into_bytes(),
        address: raw(to),
        ..Memory::default()
    };
    let mut clients = Vec::new();
    let socket = socket(&action, to, is_ready, &mut clients);
    let mut ring: IoUring = IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        .build(8)
        .expect("the kernel makes a ring");
    if is_full {
        for _ in 0..COMPLETIONS {
            // SAFETY: it points to nothing.
            unsafe { ring.submission().push(&opcode::Nop::new().build()) }.expect("there is room");
            ring.submit().expect("it is submitted");
        }
    }
    let submitter = ring.submitter();
    submitter.register_files_sparse(8).expect("slots are made");
    let descriptor = socket.as_raw_fd();
    let entry = if is_fixed {
        let updated = submitter.register_files_update(0, &[descriptor]);
        assert_eq!(updated.expect("a slot is set"), 1);
        flags |= squeue::Flags::FIXED_FILE;
        entry(&action, Fd(0), is_slot, &mut memory)
    } else {
        entry(&action, Fd(descriptor), is_slot, &mut memory)
    };
    // SAFETY: what the entry points to lives to the end.
    unsafe { ring.submission().push(&entry.flags(flags)) }.expect("there is room");
    if is_full {
        ring.submit().expect("it is submitted");
        let others = COMPLETIONS as usize;
        assert_eq!(ring.completion().take(others).count(), others);
    }
    let count = if action == "accept_many" { MANY } else { 1 };
    ring.submit_and_wait(count).expect("it is done");
    let entries: Vec<cqueue::Entry> = ring.completion().take(count).collect();
    println!("{}", entries.last().expect("a completion").result());
    drop((memory, clients));
}

/// The socket that an action is about.
fn socket(action: &str, to: SocketAddrV4, is_ready: bool, clients: &mut Vec<TcpStream>) -> OwnedFd {
    match action {
        "send" | "send_zc" | "recv" if is_ready => {
            TcpStream::connect(to).expect("it connects").into()
        }
        "accept" | "accept_many" if is_ready => {
            let listener = TcpListener::bind(to).expect("the port is free");
            let at = listener.local_addr().expect("an address");
            for _ in 0..MANY {
                clients.push(TcpStream::connect(at).expect("it connects"));
            }
            listener.into()
        }
        "listen" if is_ready => {
            let socket = stream();
            let address = raw(to);
            // SAFETY: the address has 16 bytes.
            let bound = unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), 16) };
            assert_eq!(bound, 0, "the port is free");
            socket
        }
        "send_to" | "send_to_zc" | "sendmsg" | "sendmsg_zc" | "recvmsg" | "listen" => {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            if action == "recvmsg" {
                socket.send_to(b"?", to).expect("it is sent");
            }
            socket.into()
        }
        _ => stream(),
    }
}

fn stream() -> OwnedFd {
    // SAFETY: the call takes no pointers, and nobody else has what it gives.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        assert!(socket >= 0);
        OwnedFd::from_raw_fd(socket)
    }
}

/// `struct sockaddr_in`
fn raw(address: SocketAddrV4) -> Vec<u8> {
    let mut bytes = vec![2, 0];
    bytes.extend(address.port().to_be_bytes());
    bytes.extend(address.ip().octets());
    bytes.extend([0; 8]);
    bytes
}

/// What the ring is asked to do; it points into the memory.
fn entry(action: &str, socket: Fd, is_slot: bool, memory: &mut Memory) -> squeue::Entry {
    let address: *mut libc::sockaddr = memory.address.as_mut_ptr().cast();
    let slot = is_slot.then(|| DestinationSlot::try_from_slot_target(3).expect("a slot"));
    if action.starts_with("recv") {
        memory.text = vec![0; 64];
    }
    let length = u32::try_from(memory.text.len()).expect("short");
    let middle = memory.text.len() / 2;
    let (first, second) = memory.text.split_at_mut(middle);
    memory.vectors = [&mut *first, second]
        .map(|part| libc::iovec {
            iov_base: part.as_mut_ptr().cast(),
            iov_len: part.len(),
        })
        .into();
    let text = first.as_mut_ptr();
    // SAFETY: all zeros are valid for it.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = address.cast();
    message.msg_namelen = 16;
    message.msg_iov = memory.vectors.as_mut_ptr();
    message.msg_iovlen = 2;
    let message = Box::leak(Box::new(message));
    match action {
        "send" => opcode::Send::new(socket, text, length).build(),
        "send_zc" => opcode::SendZc::new(socket, text, length).build(),
        "send_to" => opcode::Send::new(socket, text, length)
            .dest_addr(address)
            .dest_addr_len(16)
            .build(),
        "send_to_zc" => opcode::SendZc::new(socket, text, length)
            .dest_addr(address)
            .dest_addr_len(16)
            .build(),
        "sendmsg" => opcode::SendMsg::new(socket, message).build(),
        "sendmsg_zc" => opcode::SendMsgZc::new(socket, message).build(),
        "recv" => opcode::Recv::new(socket, text, length).build(),
        "recvmsg" => opcode::RecvMsg::new(socket, message).build(),
        "accept" => opcode::Accept::new(socket, null_mut(), null_mut())
            .flags(if is_slot { 0 } else { libc::SOCK_CLOEXEC })
            .file_index(slot)
            .build(),
        "accept_many" => opcode::AcceptMulti::new(socket).build(),
        "bind" => opcode::Bind::new(socket, address, 16).build(),
        "listen" => opcode::Listen::new(socket, 17).build(),
        other => panic!("unknown: {other}"),
    }
}
