//! The records of the ring buffers.

/// Every section, and so every record, starts at a multiple of this.
pub const ALIGNMENT: usize = 8;
