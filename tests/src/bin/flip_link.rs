//! Opens a path again and again while a second thread exchanges two links, one of which is in the path.
//!
//! Arguments: the two links, the path, and a file. Prints for each open `1` if it was that file, else `0`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use peregrine_tests::{outcomes, system_call};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let links =
        [&arguments[0], &arguments[1]].map(|link| CString::new(link.as_str()).expect("no NUL"));
    let done = AtomicBool::new(false);
    let opened = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // SAFETY: the paths end with NUL and live on.
                let outcome = unsafe {
                    system_call!(
                        SYS_renameat2,
                        libc::AT_FDCWD,
                        links[0].as_ptr(),
                        libc::AT_FDCWD,
                        links[1].as_ptr(),
                        libc::RENAME_EXCHANGE
                    )
                };
                assert_eq!(outcome, 0);
            }
        });
        let is_secret = || {
            // A link may lead nowhere.
            let Ok(file) = File::open(&arguments[2]) else {
                return false;
            };
            let opened = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
            opened.expect("it is open") == Path::new(&arguments[3])
        };
        let opened = outcomes(1_000, is_secret);
        done.store(true, Ordering::Relaxed);
        opened
    });
    println!("{opened}");
}
