//! Execs `/bin/true` with our arguments from a thread that is not the leader.

use std::os::unix::process::CommandExt;

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let thread = std::thread::spawn(move || {
        std::process::Command::new("/bin/true")
            .args(arguments)
            .exec()
    });
    panic!("exec failed: {:?}", thread.join());
}
