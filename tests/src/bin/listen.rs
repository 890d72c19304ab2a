//! Listens on the TCP address given, says so, and accepts whatever comes until it is killed.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program of the tests"
)]

fn main() {
    let address = std::env::args().nth(1).expect("usage: listen ADDRESS:PORT");
    let listener = std::net::TcpListener::bind(address).expect("it binds");
    println!("listening");
    for stream in listener.incoming() {
        drop(stream);
    }
}
