//! Any bytes from a ring: the decoder gives an event or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peregrine::event::{Payload, decode};

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = decode(bytes) else {
        return;
    };
    match event.payload {
        Payload::Open(open) => {
            open.opened.map(|path| path.to_vec());
        }
        Payload::Call(call) => {
            for descriptor in call.listed.entries() {
                descriptor.number();
            }
        }
        _ => {}
    }
});
