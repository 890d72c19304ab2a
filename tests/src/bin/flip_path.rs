//! Opens a path again and again while a second thread changes it between two files.
//!
//! Arguments: two paths of the same length, and how often the second has to be what was opened. The
//! programs's end is that count; it exits 3 if it never succeeds.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(OsStringExt::into_vec);
    let first = arguments.next().expect("a path");
    let second = arguments.next().expect("another path");
    assert_eq!(first.len(), second.len(), "the paths have one length");
    let bytes = CString::new(first.clone())
        .expect("no NUL")
        .into_bytes_with_nul();
    let shared: Arc<Vec<AtomicU8>> = Arc::new(bytes.into_iter().map(AtomicU8::new).collect());
    let done = Arc::new(AtomicBool::new(false));
    let flipping = {
        let (shared, done) = (Arc::clone(&shared), Arc::clone(&done));
        let second = second.clone();
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                for path in [&second, &first] {
                    for (slot, byte) in shared.iter().zip(path) {
                        slot.store(*byte, Ordering::Relaxed);
                    }
                }
            }
        })
    };
    let wanted = std::fs::canonicalize(std::path::PathBuf::from(std::ffi::OsString::from_vec(
        second,
    )))
    .expect("the second file exists");
    let mut opened = 0;
    for _ in 0..200_000 {
        // SAFETY: the path is NUL-terminated, its last byte never changes, and it lives on.
        let fd = unsafe { libc::open(shared.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if fd < 0 {
            continue;
        }
        let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("the link is read");
        // SAFETY: the descriptor is ours.
        unsafe { libc::close(fd) };
        if target == wanted {
            opened += 1;
            if opened == 20 {
                break;
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    flipping.join().expect("the thread ends");
    println!("{opened}");
    if opened == 0 {
        std::process::exit(3);
    }
}
