//! Does something by an operation of `io_uring`: `[async] [skip] [slot] openat PATH`, and in the same way `openat2 PATH`, `unlinkat
//! PATH`, `mkdirat PATH`, `renameat OLD NEW`, `symlinkat TARGET PATH`, `linkat OLD NEW`, `socket`, `connect ADDRESS:PORT`. With
//! `async` a thread of the kernel does it; with `skip` there is no completion of what succeeds; with `slot` an opened file gets no
//! descriptor; with `full` the completion finds the queue full. `in FOLDER` first: relative paths start from a descriptor of that folder. Prints the result.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a trigger of tests"
)]

use std::ffi::CString;
use std::fs::File;
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::AsRawFd;
use std::time::Duration;

use io_uring::types::{DestinationSlot, Fd, OpenHow};
use io_uring::{IoUring, opcode, squeue};

/// Places of the queue of completions.
const COMPLETIONS: u32 = 8;

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut flags = squeue::Flags::empty();
    let mut slot = None;
    let mut folder = None;
    let mut is_full = false;
    loop {
        match arguments.peek().map(String::as_str) {
            Some("async") => flags |= squeue::Flags::ASYNC,
            Some("full") => is_full = true,
            Some("skip") => flags |= squeue::Flags::SKIP_SUCCESS,
            Some("slot") => {
                slot = Some(DestinationSlot::try_from_slot_target(3).expect("a slot"));
            }
            Some("in") => {
                arguments.next();
                let path = arguments.peek().expect("a folder");
                folder = Some(File::open(path).expect("it opens"));
            }
            _ => break,
        }
        arguments.next();
    }
    let what = arguments.next().expect("what to do");
    let texts: Vec<CString> = arguments
        .map(|text| CString::new(text).expect("no NUL"))
        .collect();
    let text = |index: usize| texts.get(index).expect("an argument").as_ptr();
    let directory = Fd(folder.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    // SAFETY: a new socket, kept to the end.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    let mut address = vec![2, 0];
    let how = OpenHow::new().flags(0);
    let entry = match &*what {
        "openat" => opcode::OpenAt::new(directory, text(0))
            .file_index(slot)
            .build(),
        "openat2" => opcode::OpenAt2::new(directory, text(0), &raw const how)
            .file_index(slot)
            .build(),
        "unlinkat" => opcode::UnlinkAt::new(directory, text(0)).build(),
        "mkdirat" => opcode::MkDirAt::new(directory, text(0)).mode(0o750).build(),
        "renameat" => opcode::RenameAt::new(directory, text(0), directory, text(1)).build(),
        "symlinkat" => opcode::SymlinkAt::new(directory, text(0), text(1)).build(),
        "linkat" => opcode::LinkAt::new(directory, text(0), directory, text(1)).build(),
        "socket" => opcode::Socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).build(),
        "connect" => {
            let to: SocketAddrV4 = texts[0]
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .expect("ADDRESS:PORT");
            address.extend(to.port().to_be_bytes());
            address.extend(to.ip().octets());
            address.extend([0; 8]);
            opcode::Connect::new(Fd(socket), address.as_ptr().cast(), 16).build()
        }
        other => panic!("unknown: {other}"),
    };
    let mut ring: IoUring = IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        .build(4)
        .expect("the kernel makes a ring");
    ring.submitter()
        .register_files_sparse(8)
        .expect("slots are made");
    if is_full {
        for _ in 0..COMPLETIONS {
            // SAFETY: it points to nothing.
            unsafe { ring.submission().push(&opcode::Nop::new().build()) }.expect("there is room");
            ring.submit().expect("it is submitted");
        }
    }
    // SAFETY: what the entry points to lives to the end.
    unsafe { ring.submission().push(&entry.flags(flags)) }.expect("there is room");
    if is_full {
        ring.submit().expect("it is submitted");
        let others = COMPLETIONS as usize;
        assert_eq!(ring.completion().take(others).count(), others);
    }
    if flags.contains(squeue::Flags::SKIP_SUCCESS) {
        ring.submit().expect("it is submitted");
        // Nothing tells when it is done.
        std::thread::sleep(Duration::from_millis(300));
        println!("0");
    } else {
        ring.submit_and_wait(1).expect("it is done");
        let result = ring.completion().next().map(|entry| entry.result());
        println!("{}", result.expect("a completion"));
    }
    drop((listener, folder));
}
