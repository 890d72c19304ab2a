//! Runs a program again and again while a second thread changes its path between two files.
//!
//! Arguments: two paths that differ in one byte, so that each is whole at any time; the second program fails, the first does not. Prints how
//! often the second was what ran.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use peregrine_tests::system_call;

const ROOM: usize = 4096;

fn main() {
    let paths: Vec<Vec<u8>> = std::env::args_os()
        .skip(1)
        .map(OsStringExt::into_vec)
        .collect();
    assert_eq!(paths[0].len(), paths[1].len(), "the paths have one length");
    let shared = shared_memory();
    write(shared, &paths[0]);
    let done = AtomicBool::new(false);
    let second = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for path in &paths {
                    write(shared, path);
                }
            }
        });
        let failed = (0..200).filter(|_| !run(shared)).count();
        done.store(true, Ordering::Relaxed);
        failed
    });
    println!("{second}");
}

/// Zeros that a child of this process still shares with it.
fn shared_memory() -> &'static [AtomicU8; ROOM] {
    // SAFETY: a new mapping of this many bytes, never unmapped, which is used through atomics only.
    unsafe {
        let memory = libc::mmap(
            std::ptr::null_mut(),
            ROOM,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(memory, libc::MAP_FAILED);
        &*memory.cast()
    }
}

fn write(shared: &[AtomicU8; ROOM], path: &[u8]) {
    for (slot, byte) in shared.iter().zip(path) {
        slot.store(*byte, Ordering::Relaxed);
    }
}

/// Whether what ran succeeded.
fn run(path: &'static [AtomicU8; ROOM]) -> bool {
    let mut command = Command::new("/not/run");
    // SAFETY: between fork and exec there are system calls only; the last byte of the path is NUL.
    unsafe {
        command.pre_exec(|| {
            let arguments = [c"flipped".as_ptr(), std::ptr::null()];
            system_call!(SYS_execve, path.as_ptr(), arguments.as_ptr(), 0_usize);
            Err(std::io::Error::last_os_error())
        });
    }
    command
        .status()
        .expect("one of the programs runs")
        .success()
}
