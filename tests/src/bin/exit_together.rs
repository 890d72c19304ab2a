//! Ends, again and again, processes whose many threads all run when they end. Argument: how many processes.
#![expect(clippy::expect_used, reason = "a program of the tests")]

use std::process::Command;

fn main() {
    let argument = std::env::args().nth(1);
    if let Some(number) = argument {
        let own = std::env::current_exe().expect("it has a path");
        for _ in 0..number.parse().expect("a number") {
            let status = Command::new(&own).status().expect("it runs");
            assert!(status.success());
        }
        return;
    }
    for _ in 0..64 {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    std::process::exit(0);
}
