//! Opens the file named by the first argument from a second thread; prints both thread ids.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

fn main() {
    let path = std::env::args_os()
        .nth(1)
        .expect("usage: open_from_thread PATH");
    let thread = std::thread::spawn(move || {
        drop(std::fs::File::open(path).expect("the file opens"));
        // SAFETY: gettid takes nothing and cannot fail.
        unsafe { libc::gettid() }
    });
    println!(
        "{} {}",
        std::process::id(),
        thread.join().expect("the thread ends")
    );
}
