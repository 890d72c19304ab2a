//! Opens and closes a file as fast as it can until it is killed.
#![expect(clippy::expect_used, reason = "a program of the tests")]

fn main() {
    loop {
        drop(std::fs::File::open("/etc/hostname").expect("/etc/hostname opens"));
    }
}
