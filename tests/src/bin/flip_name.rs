//! Removes or renames a file while a second thread changes its name between two.
//!
//! Arguments: `unlinkat` or `renameat`, and two paths that differ in one byte. Prints for each call `1` if it was the second, else `0`.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

use std::path::Path;

use peregrine_tests::{Flipped, outcomes, system_call};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (first, second) = (&arguments[1], &arguments[2]);
    let elsewhere = format!("{first}.moved\0");
    let contents = [first.as_bytes(), second.as_bytes()];
    let gone = Flipped::while_between(contents, |flipped| {
        let second_went = || {
            for path in [first, second] {
                if !Path::new(path).exists() {
                    std::fs::write(path, "x").expect("it is made");
                }
            }
            let here = libc::AT_FDCWD;
            let path = flipped.pointer::<u8>();
            // SAFETY: the paths end with NUL and live on.
            let outcome = unsafe {
                if arguments[0] == "unlinkat" {
                    system_call!(SYS_unlinkat, here, path, 0)
                } else {
                    system_call!(SYS_renameat, here, path, here, elsewhere.as_ptr())
                }
            };
            assert_eq!(outcome, 0);
            !Path::new(second).exists()
        };
        outcomes(1_000, second_went)
    });
    println!("{gone}");
}
