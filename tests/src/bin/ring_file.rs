//! Uses a file by an operation of `io_uring`: `[async] [fixed] [full] [skip] [at POSITION] ACTION PATH [TEXT]`, where the path
//! `pipe` is the end of a new pipe with the text in it, or the end to write it to, and `socket` one of a pair. Actions:
//!
//! * `read`, `readv` into two vectors, `read_fixed` into a registered buffer, `read_chosen` into one that the ring chooses,
//!   `readv_chosen`, and `read_many`: as many parts as the text has words, by one request; `recv_chosen` and `recv_many`
//!   the same from a socket;
//! * `write`, `writev` and `write_fixed` the text;
//! * `setxattr`, `getxattr`, `fsetxattr`, `fgetxattr`: the attribute `user.TEXT`;
//! * `ftruncate` and `fallocate` to 7 bytes, `fsync`, `fdatasync`, `sync_file_range`, `fadvise`, `madvise`, `statx`, `close`;
//! * `splice` 3 bytes of the file into a pipe, `tee` as many from a pipe to another, `shutdown` of a pair of sockets, or of
//!   the file, `epoll_ctl` to watch the file.
//!
//! With `async` a thread of the kernel does it; with `fixed` the file is in the ring's own table; with `full` the completion
//! finds the queue full; with `skip` there is no completion of what succeeds. What reads and writes does so at the file's own position, if none is given. Prints the result, the last one of many.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a trigger of tests"
)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, cqueue, opcode, squeue};

/// Places of the queue of completions.
const COMPLETIONS: u32 = 8;
/// The group of the buffers that the ring chooses from.
const GROUP: u16 = 5;
/// Bytes of each of them.
const ROOM: usize = 64;
/// The file's own position.
const OWN: u64 = u64::MAX;

/// What is read into or written from, and what has to live as long.
struct Memory {
    text: Vec<u8>,
    vectors: Vec<libc::iovec>,
    name: CString,
    path: CString,
    status: Box<libc::statx>,
    event: Box<libc::epoll_event>,
    others: Vec<OwnedFd>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut flags = squeue::Flags::empty();
    let (mut is_fixed, mut is_full, mut position) = (false, false, OWN);
    loop {
        match arguments.peek().map(String::as_str) {
            Some("async") => flags |= squeue::Flags::ASYNC,
            Some("skip") => flags |= squeue::Flags::SKIP_SUCCESS,
            Some("fixed") => is_fixed = true,
            Some("full") => is_full = true,
            Some("at") => {
                arguments.next();
                let number = arguments.peek().and_then(|text| text.parse().ok());
                position = number.expect("a position");
            }
            _ => break,
        }
        arguments.next();
    }
    let action = arguments.next().expect("what to do");
    let path = arguments.next().expect("a path");
    let text = arguments.next().unwrap_or_default();
    let mut others = Vec::new();
    let file = file(&action, &path, &text, &mut others);
    let is_read = action.starts_with("re");
    let bytes = text.clone().into_bytes();
    let mut memory = Memory {
        text: if is_read { vec![0; ROOM] } else { bytes },
        vectors: Vec::new(),
        name: CString::new(format!("user.{text}")).expect("no NUL"),
        path: CString::new(path).expect("no NUL"),
        // SAFETY: all zeros are valid for it.
        status: Box::new(unsafe { std::mem::zeroed() }),
        event: Box::new(libc::epoll_event { events: 1, u64: 0 }),
        others,
    };
    let mut ring: IoUring = IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        .build(8)
        .expect("the kernel makes a ring");
    let mut provided = vec![0_u8; ROOM * 4];
    if action.ends_with("_chosen") || action.ends_with("_many") {
        flags |= squeue::Flags::BUFFER_SELECT;
        let room = i32::try_from(ROOM).expect("short");
        let entry = opcode::ProvideBuffers::new(provided.as_mut_ptr(), room, 4, GROUP, 0);
        // SAFETY: the buffers live to the end.
        unsafe { ring.submission().push(&entry.build()) }.expect("there is room");
        ring.submit_and_wait(1).expect("it is done");
        assert_eq!(
            ring.completion().next().map(|entry| entry.result()),
            Some(0)
        );
    }
    if action.ends_with("_fixed") {
        let buffer = libc::iovec {
            iov_base: memory.text.as_mut_ptr().cast(),
            iov_len: memory.text.len(),
        };
        // SAFETY: the buffer lives to the end.
        unsafe { ring.submitter().register_buffers(&[buffer]) }.expect("it is registered");
    }
    let entry = if is_fixed {
        let submitter = ring.submitter();
        submitter
            .register_files(&[file.as_raw_fd()])
            .expect("it is registered");
        flags |= squeue::Flags::FIXED_FILE;
        entry(&action, Fd(0), position, &mut memory)
    } else {
        entry(&action, Fd(file.as_raw_fd()), position, &mut memory)
    };
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
        return;
    }
    let mut words = Vec::new();
    if action.ends_with("_many") {
        words.extend(text.split(' ').map(str::to_owned));
    }
    let mut writer = None;
    if has_other_end(&memory) && is_read {
        writer = memory.others.pop().map(File::from);
    }
    if let Some(writer) = &mut writer {
        // One after the other, so that each is read by itself; with the first the operation has waited.
        ring.submit().expect("it is submitted");
        std::thread::sleep(Duration::from_millis(100));
        if words.is_empty() {
            writer.write_all(text.as_bytes()).expect("it is written");
        }
        for word in &words {
            writer.write_all(word.as_bytes()).expect("it is written");
            ring.submit_and_wait(1).expect("it is done");
            let entry = ring.completion().next().expect("a completion");
            assert_eq!(usize::try_from(entry.result()).ok(), Some(word.len()));
        }
    }
    // A request that reads many times ends at the end.
    drop(writer);
    ring.submit_and_wait(1).expect("it is done");
    let entries: Vec<cqueue::Entry> = ring.completion().collect();
    println!("{}", entries.last().expect("a completion").result());
    drop((memory, provided, file));
}

fn has_other_end(memory: &Memory) -> bool {
    matches!(memory.path.as_bytes(), b"pipe" | b"socket")
}

/// The file that an action is about. What is read from a pipe is written by the other end, the last of the others.
fn file(action: &str, path: &str, text: &str, others: &mut Vec<OwnedFd>) -> OwnedFd {
    if path == "socket" {
        let (one, other) = UnixStream::pair().expect("a pair");
        others.push(other.into());
        return one.into();
    }
    if path != "pipe" {
        let file = OpenOptions::new().read(true).write(true).open(path);
        // Of a folder, or without the right to write.
        return file.or_else(|_| File::open(path)).expect("it opens").into();
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    if action.starts_with("write") {
        others.push(reader.into());
        return writer.into();
    }
    if action == "tee" {
        let mut writer = writer;
        writer.write_all(text.as_bytes()).expect("it is written");
        others.push(writer.into());
    } else {
        others.push(writer.into());
    }
    reader.into()
}

/// What the ring is asked to do; it points into the memory.
fn entry(action: &str, file: Fd, position: u64, memory: &mut Memory) -> squeue::Entry {
    let length = u32::try_from(memory.text.len()).expect("short");
    let (first, second) = memory.text.split_at_mut(3.min(length as usize));
    memory.vectors = [&mut *first, second]
        .map(|part| libc::iovec {
            iov_base: part.as_mut_ptr().cast(),
            iov_len: part.len(),
        })
        .into();
    let text = first.as_mut_ptr();
    let vectors = memory.vectors.as_ptr();
    let (name, path) = (memory.name.as_ptr(), memory.path.as_ptr());
    let value = c"value".as_ptr().cast();
    let room = memory.vectors.as_mut_ptr().cast();
    let own = -1;
    match action {
        "read" => opcode::Read::new(file, text, length)
            .offset(position)
            .build(),
        "read_chosen" => opcode::Read::new(file, std::ptr::null_mut(), length)
            .buf_group(GROUP)
            .offset(position)
            .build(),
        "read_many" => opcode::ReadMulti::new(file, 0, GROUP)
            .offset(position)
            .build(),
        "recv_chosen" => opcode::Recv::new(file, std::ptr::null_mut(), length)
            .buf_group(GROUP)
            .build(),
        "recv_many" => opcode::RecvMulti::new(file, GROUP).build(),
        "readv" => opcode::Readv::new(file, vectors, 2)
            .offset(position)
            .build(),
        "readv_chosen" => {
            memory.vectors[0].iov_len = ROOM;
            opcode::Readv::new(file, memory.vectors.as_ptr(), 1)
                .buf_group(GROUP)
                .offset(position)
                .build()
        }
        "read_fixed" => opcode::ReadFixed::new(file, text, length, 0)
            .offset(position)
            .build(),
        "write" => opcode::Write::new(file, text, length)
            .offset(position)
            .build(),
        "writev" => opcode::Writev::new(file, vectors, 2)
            .offset(position)
            .build(),
        "write_fixed" => opcode::WriteFixed::new(file, text, length, 0)
            .offset(position)
            .build(),
        "setxattr" => opcode::SetXattr::new(name, value, path, 5).build(),
        "getxattr" => opcode::GetXattr::new(name, room, path, 16).build(),
        "fsetxattr" => opcode::FSetXattr::new(file, name, value, 5).build(),
        "fgetxattr" => opcode::FGetXattr::new(file, name, room, 16).build(),
        "ftruncate" => opcode::Ftruncate::new(file, 7).build(),
        "fallocate" => opcode::Fallocate::new(file, 7).build(),
        "fsync" => opcode::Fsync::new(file).build(),
        "fdatasync" => opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build(),
        "sync_file_range" => opcode::SyncFileRange::new(file, 7).build(),
        "fadvise" => opcode::Fadvise::new(file, 7, libc::POSIX_FADV_DONTNEED).build(),
        "madvise" => opcode::Madvise::new(std::ptr::null(), 4096, libc::MADV_WILLNEED).build(),
        "statx" => {
            let status = (&raw mut *memory.status).cast();
            opcode::Statx::new(Fd(libc::AT_FDCWD), path, status).build()
        }
        "close" => {
            // Another one of the same file, which nobody else closes.
            // SAFETY: the call takes no pointers.
            let copy = unsafe { libc::dup(file.0) };
            opcode::Close::new(Fd(copy)).build()
        }
        "splice" | "tee" => {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            let to = Fd(writer.as_raw_fd());
            memory.others.extend([OwnedFd::from(reader), writer.into()]);
            if action == "tee" {
                opcode::Tee::new(file, to, 3).build()
            } else {
                opcode::Splice::new(file, own, to, own, 3).build()
            }
        }
        "shutdown" => opcode::Shutdown::new(file, libc::SHUT_WR).build(),
        "epoll_ctl" => {
            // SAFETY: the call takes no pointers, and what it gives is kept to the end of the process.
            let epoll = unsafe { libc::epoll_create1(0) };
            let event = (&raw const *memory.event).cast();
            opcode::EpollCtl::new(Fd(epoll), file, libc::EPOLL_CTL_ADD, event).build()
        }
        other => panic!("unknown: {other}"),
    }
}
