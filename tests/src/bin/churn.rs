//! Opens and closes a file as fast as it can until it is killed.

fn main() {
    loop {
        drop(std::fs::File::open("/etc/hostname").expect("/etc/hostname opens"));
    }
}
