//! Runs a program again and again while a second thread changes its path between two files.
//!
//! Arguments: two paths that differ in one byte; the second program fails, the first does not. Prints for each exec `1`
//! if the second was what ran, else `0`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use peregrine_tests::{Flipped, outcomes, system_call};

fn main() {
    let paths: Vec<OsString> = std::env::args_os().skip(1).collect();
    let contents = [paths[0].as_bytes(), paths[1].as_bytes()];
    let ran = Flipped::while_between(contents, |flipped| outcomes(200, || !run(flipped)));
    println!("{ran}");
}

/// Whether what ran succeeded.
fn run(path: Flipped) -> bool {
    let mut command = Command::new("/not/run");
    // SAFETY: between fork and exec there are system calls only; the path ends with NUL, the array with null.
    unsafe {
        command.pre_exec(move || {
            let arguments = [c"flipped".as_ptr(), std::ptr::null()];
            let path = path.pointer::<u8>();
            system_call!(SYS_execve, path, arguments.as_ptr(), 0_usize);
            Err(std::io::Error::last_os_error())
        });
    }
    command
        .status()
        .expect("one of the programs runs")
        .success()
}
