//! The wire format that the eBPF programs and the agent share: one definition for both sides.
//!
//! A record is a [`Header`], then the fixed part of its [`RecordKind`] (if it has one), then any
//! number of sections: a [`SectionHeader`] followed by its bytes, padded to [`ALIGNMENT`].
#![no_std]

mod capture;
mod offsets;
mod record;

pub use capture::*;
pub use offsets::{
    ABSENT, FILE_SPAN, MAX_DATA, Member, Need, OPEN_FAILED, OPEN_READ, OPEN_WRITE, Offsets,
    Settings, needs,
};
pub use record::*;
