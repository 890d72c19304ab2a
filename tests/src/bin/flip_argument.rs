//! Runs a shell again and again while a second thread changes what it is to do between `exit 0` and `exit 1`.
//!
//! Prints for each call `1` if it was the second, else `0`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use peregrine_tests::{Flipped, outcomes, system_call};

fn main() {
    let second = Flipped::while_between([b"exit 0", b"exit 1"], |flipped| {
        let failed = || {
            let mut command = Command::new("/not/run");
            // SAFETY: between fork and exec there are system calls only; the strings end with NUL, the array with null.
            unsafe {
                command.pre_exec(move || {
                    let script = flipped.pointer();
                    let arguments = [c"sh".as_ptr(), c"-c".as_ptr(), script, std::ptr::null()];
                    system_call!(SYS_execve, c"/bin/sh".as_ptr(), arguments.as_ptr(), 0_usize);
                    Err(std::io::Error::last_os_error())
                });
            }
            !command.status().expect("the shell runs").success()
        };
        outcomes(200, failed)
    });
    println!("{second}");
}
