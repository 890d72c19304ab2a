//! Any bytes from a ring: the decoder gives an event or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peregrine::event::{Payload, decode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = decode(bytes)
        && let Payload::Open(open) = event.payload
        && let Some(path) = open.opened
    {
        path.to_vec();
    }
});
