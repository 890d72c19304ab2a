//! The binary `peregrine`.
fn main() {}
