//! Calls that make, copy and use descriptors: what each stands for, and the data that moves.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use peregrine_tests::{Watch, system_call};

// What is read and written is reported only where a rule names the calls.
const EVENTS: &str = "dup, dup2, dup3, bpf, userfaultfd, memfd_create, pipe2, pidfd_open, pidfd_getfd, \
    open_by_handle_at, io_uring_setup, read, write, pread, readv, writev, fcntl, close, eventfd2, lseek";

const FIELDS: &[&str] = &[
    "evt.arg.fd",
    "evt.arg.res",
    "evt.rawarg.res",
    "evt.arg.oldfd",
    "evt.rawarg.oldfd",
    "evt.arg.newfd",
    "evt.arg.flags",
    "evt.arg.cmd",
    "evt.arg.name",
    "evt.arg.path",
    "evt.arg.fd1",
    "evt.arg.fd2",
    "evt.arg.pid",
    "evt.rawarg.pid",
    "evt.arg.target_fd",
    "evt.arg.entries",
    "evt.arg.sq_entries",
    "evt.arg.data",
    "evt.arg.size",
    "evt.arg.pos",
    "evt.buffer",
    "evt.buflen",
    "evt.is_io",
    "evt.io_dir",
    "fd.num",
    "fd.name",
    "fd.type",
    "fd.typechar",
    "fd.ino",
    "fd.filename",
    "fd.directory",
];

fn own(descriptor: i64) -> OwnedFd {
    assert!(descriptor >= 0, "{descriptor}");
    let descriptor = i32::try_from(descriptor).expect("a descriptor is small");
    // SAFETY: the call that just succeeded gave it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

fn error(number: i32) -> i64 {
    -i64::from(number)
}

#[test]
fn calls_about_descriptors() {
    // SAFETY: the call takes nothing.
    let tid = unsafe { libc::gettid() };
    let watch = Watch::start(
        &format!("evt.type in ({EVENTS}) and thread.tid = {tid}"),
        FIELDS,
    );
    copies(&watch);
    nameless(&watch);
    by_handle(&watch);
    data(&watch);
}

fn copies(watch: &Watch) {
    let file = File::open("/dev/null").expect("it opens");
    let old = file.as_raw_fd();
    // SAFETY: the calls take numbers only.
    let copy = unsafe {
        let copy = own(system_call!(SYS_dup, old));
        assert_eq!(system_call!(SYS_dup2, old, 200), 200);
        assert_eq!(system_call!(SYS_dup3, old, 201, libc::O_CLOEXEC), 201);
        assert_eq!(system_call!(SYS_dup, 999), error(libc::EBADF));
        assert_eq!(system_call!(SYS_dup2, 999, 1), error(libc::EBADF));
        assert_eq!(system_call!(SYS_dup3, old, old, 0), error(libc::EINVAL));
        copy
    };
    let mut seen = watch.seen();
    let (old, copy) = (old.to_string(), copy.as_raw_fd().to_string());
    seen.take(
        "dup",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.rawarg.res", &copy),
            ("evt.arg.res", "<f>/dev/null"),
            ("evt.rawarg.oldfd", &old),
            ("fd.num", &copy),
            ("fd.name", "/dev/null"),
            ("fd.type", "file"),
        ],
    );
    seen.take(
        "dup2",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", "200"),
            ("evt.rawarg.oldfd", &old),
            ("evt.arg.res", "<f>/dev/null"),
            ("fd.name", "/dev/null"),
        ],
    );
    seen.take(
        "dup3",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", "201"),
            ("evt.arg.flags", "O_CLOEXEC"),
            ("fd.name", "/dev/null"),
        ],
    );
    seen.take(
        "dup",
        &[
            ("evt.res", "EBADF"),
            ("evt.arg.res", "EBADF"),
            ("evt.arg.oldfd", "999"),
            ("fd.num", "-1"),
            ("fd.name", "-"),
        ],
    );
    seen.take("dup2", &[("evt.res", "EBADF"), ("fd.num", "-1")]);
    seen.take("dup3", &[("evt.res", "EINVAL"), ("fd.num", "-1")]);
}

/// Descriptors of what has no place in the tree of files.
fn nameless(watch: &Watch) {
    let mut pair = [0_i32; 2];
    let mut ring = [0_u32; 30];
    // SAFETY: every pointer is to memory of the size that its call expects.
    let (memory, user_fault, process, ring_fd) = unsafe {
        let memory = own(system_call!(
            SYS_memfd_create,
            c"hidden".as_ptr(),
            libc::MFD_CLOEXEC
        ));
        assert_eq!(
            system_call!(SYS_memfd_create, c"wrong".as_ptr(), 0x4000_0000),
            error(libc::EINVAL)
        );
        assert_eq!(
            system_call!(SYS_pipe2, pair.as_mut_ptr(), libc::O_CLOEXEC),
            0
        );
        let user_fault = system_call!(SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK);
        assert_eq!(system_call!(SYS_userfaultfd, 0x40), error(libc::EINVAL));
        assert_eq!(
            system_call!(SYS_bpf, 12_345, 0_usize, 0),
            error(libc::EINVAL)
        );
        let process = own(system_call!(SYS_pidfd_open, libc::getpid(), 0));
        let copied = own(system_call!(
            SYS_pidfd_getfd,
            process.as_raw_fd(),
            memory.as_raw_fd(),
            0
        ));
        assert_eq!(
            system_call!(SYS_pidfd_getfd, process.as_raw_fd(), 999, 0),
            error(libc::EBADF)
        );
        drop(copied);
        let ring_fd = system_call!(SYS_io_uring_setup, 4, ring.as_mut_ptr());
        (memory, user_fault, process, ring_fd)
    };
    // `BPF_MAP_CREATE` of an array: type, bytes of key and value, entries.
    let attributes = [2_u32, 4, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: the attributes live on and are as long as is said.
    let map = own(unsafe { system_call!(SYS_bpf, 0, attributes.as_ptr(), 48) });
    let mut seen = watch.seen();
    seen.take(
        "memfd_create",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.name", "hidden"),
            ("evt.arg.flags", "MFD_CLOEXEC"),
            ("fd.num", &memory.as_raw_fd().to_string()),
            ("fd.type", "memfd"),
            ("fd.typechar", "m"),
            ("fd.name", "/memfd:hidden"),
            ("evt.arg.fd", "<m>/memfd:hidden"),
        ],
    );
    seen.take(
        "memfd_create",
        &[
            ("evt.res", "EINVAL"),
            ("evt.arg.name", "wrong"),
            ("fd.num", "-1"),
        ],
    );
    seen.take(
        "pipe2",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.fd1", &pair[0].to_string()),
            ("evt.arg.fd2", &pair[1].to_string()),
            ("evt.arg.flags", "O_CLOEXEC"),
        ],
    );
    if user_fault >= 0 {
        seen.take(
            "userfaultfd",
            &[
                ("evt.res", "SUCCESS"),
                ("evt.arg.flags", "O_NONBLOCK|O_CLOEXEC"),
                ("fd.num", &user_fault.to_string()),
                ("fd.type", "userfaultfd"),
            ],
        );
    }
    seen.take("userfaultfd", &[("evt.res", "EINVAL"), ("fd.num", "-1")]);
    seen.take(
        "bpf",
        &[
            ("evt.res", "EINVAL"),
            ("evt.arg.cmd", "12345"),
            ("evt.arg.fd", "EINVAL"),
        ],
    );
    seen.take(
        "bpf",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.cmd", "BPF_MAP_CREATE"),
            ("fd.num", &map.as_raw_fd().to_string()),
            ("fd.type", "bpf"),
        ],
    );
    seen.take(
        "pidfd_open",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.rawarg.pid", &std::process::id().to_string()),
            ("fd.num", &process.as_raw_fd().to_string()),
        ],
    );
    seen.take(
        "pidfd_getfd",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.target_fd", &memory.as_raw_fd().to_string()),
            ("fd.type", "memfd"),
            ("fd.name", "/memfd:hidden"),
        ],
    );
    seen.take(
        "pidfd_getfd",
        &[("evt.res", "EBADF"), ("evt.arg.target_fd", "999")],
    );
    if ring_fd >= 0 {
        seen.take(
            "io_uring_setup",
            &[
                ("evt.res", "SUCCESS"),
                ("evt.arg.entries", "4"),
                ("evt.arg.sq_entries", "4"),
                ("fd.num", &ring_fd.to_string()),
                ("fd.type", "io_uring"),
            ],
        );
    } else {
        seen.take(
            "io_uring_setup",
            &[("evt.arg.entries", "4"), ("fd.num", "-1")],
        );
    }
    for descriptor in [pair[0].into(), pair[1].into(), user_fault, ring_fd] {
        if descriptor >= 0 {
            drop(own(descriptor));
        }
    }
}

/// A file without a name in the call: the kernel's is there.
fn by_handle(watch: &Watch) {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("file");
    std::fs::write(&path, "x").expect("a file is written");
    let name = path.to_str().expect("UTF-8");
    let raw = std::ffi::CString::new(name).expect("no NUL");
    // `struct file_handle` with room for 128 bytes.
    let mut handle = [0_u32; 34];
    handle[0] = 128;
    let mut mount = 0_i32;
    // SAFETY: the handle has as much room as it says.
    let opened = unsafe {
        let outcome = system_call!(
            SYS_name_to_handle_at,
            libc::AT_FDCWD,
            raw.as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0
        );
        assert_eq!(outcome, 0, "the file system gives handles");
        own(system_call!(
            SYS_open_by_handle_at,
            libc::AT_FDCWD,
            handle.as_ptr(),
            libc::O_RDONLY
        ))
    };
    let mut seen = watch.seen();
    seen.take(
        "open_by_handle_at",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.flags", "O_RDONLY"),
            ("fd.num", &opened.as_raw_fd().to_string()),
            ("fd.name", name),
            ("evt.arg.path", name),
            ("fd.filename", "file"),
        ],
    );
}

fn data(watch: &Watch) {
    let mut file = tempfile::tempfile().expect("a temp file");
    let number = file.as_raw_fd();
    let long = "0123456789".repeat(1_000);
    let pieces = ["one ", "two ", "three"].map(|piece| libc::iovec {
        iov_base: piece.as_ptr().cast_mut().cast(),
        iov_len: piece.len(),
    });
    let mut room = [0_u8; 100];
    // SAFETY: the buffers are as long as their lengths say.
    unsafe {
        assert_eq!(
            system_call!(SYS_write, number, c"a\x01\xffb".as_ptr(), 4_usize),
            4
        );
        assert_eq!(
            system_call!(SYS_writev, number, pieces.as_ptr(), 3_usize),
            13
        );
        assert_eq!(
            system_call!(SYS_pread64, number, room.as_mut_ptr(), 100_usize, 4_usize),
            13
        );
        assert_eq!(
            system_call!(SYS_write, number, long.as_ptr(), long.len()),
            10_000
        );
        assert_eq!(
            system_call!(SYS_read, 999, room.as_mut_ptr(), 100_usize),
            error(libc::EBADF)
        );
        assert_eq!(
            system_call!(SYS_write, number, 8_usize, 10_usize),
            error(libc::EFAULT)
        );
    }
    file.flush().expect("it is written");
    let mut seen = watch.seen();
    let descriptor = number.to_string();
    seen.take(
        "write",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &descriptor),
            ("evt.arg.size", "4"),
            ("evt.buflen", "4"),
            ("evt.io_dir", "write"),
            ("fd.type", "file"),
        ],
    );
    seen.take(
        "writev",
        &[
            ("evt.arg.data", "one two three"),
            ("evt.arg.size", "13"),
            ("evt.buflen", "13"),
        ],
    );
    seen.take(
        "pread",
        &[
            ("evt.arg.data", "one two three"),
            ("evt.arg.size", "100"),
            ("evt.arg.pos", "4"),
            ("evt.buflen", "13"),
            ("evt.io_dir", "read"),
        ],
    );
    let cut = seen.take(
        "write",
        &[("evt.arg.size", "10000"), ("evt.buflen", "10000")],
    );
    let start = cut.text("evt.buffer");
    assert!(!start.is_empty() && long.starts_with(start), "{cut:?}");
    seen.take(
        "read",
        &[
            ("evt.res", "EBADF"),
            ("evt.arg.fd", "999"),
            ("fd.name", "-"),
        ],
    );
    seen.take(
        "write",
        &[
            ("evt.res", "EFAULT"),
            ("evt.arg.data", "-"),
            ("evt.arg.size", "10"),
        ],
    );
}
