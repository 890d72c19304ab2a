//! The bytes of a record, part by part and section by section.

use agent_ebpf::{
    ALIGNMENT, CallPart, CgroupPart, ConnectPart, DETACHED, DescriptorPart, ExecPart, ExitPart,
    ForkPart, Header, OpenPart, QueuePart, SectionHeader, SectionTag, TRUNCATED, UNREADABLE,
};

use super::DecodeError;
use crate::event::{KernelPath, Strings, Text};

/// A type whose every bit pattern is a value: plain integers in C layout.
///
/// # Safety
/// Implement it only for `repr(C)` types made of integers without padding.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: all of these are integers in `repr(C)`; agent-ebpf lays them out without padding.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for SectionHeader {}
// SAFETY: as above.
unsafe impl Plain for ExecPart {}
// SAFETY: as above.
unsafe impl Plain for ForkPart {}
// SAFETY: as above.
unsafe impl Plain for ExitPart {}
// SAFETY: as above.
unsafe impl Plain for OpenPart {}
// SAFETY: as above.
unsafe impl Plain for ConnectPart {}
// SAFETY: as above.
unsafe impl Plain for CgroupPart {}
// SAFETY: as above.
unsafe impl Plain for CallPart {}
// SAFETY: as above.
unsafe impl Plain for DescriptorPart {}
// SAFETY: as above.
unsafe impl Plain for QueuePart {}

/// What is left of a record.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'r> {
    pub(super) rest: &'r [u8],
    /// Bytes of the whole record, for messages.
    pub(super) length: usize,
}

impl<'r> Cursor<'r> {
    /// Over all of these bytes.
    pub(super) fn new(bytes: &'r [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    pub(super) fn take<T: Plain>(&mut self) -> Result<T, DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(size_of::<T>())
            .ok_or(DecodeError::TooShort(self.length))?;
        self.rest = rest;
        // SAFETY: there are as many bytes as `T` has, and every pattern of them is a `T`.
        Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }

    /// The next section; `None` at the end.
    pub(super) fn section(&mut self) -> Result<Option<Section<'r>>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let header: SectionHeader = self.take()?;
        let length = header.length as usize;
        let bytes = self
            .rest
            .get(..length)
            .ok_or(DecodeError::TooShort(self.length))?;
        // The last section's padding may be cut off with the record.
        let padded = length.next_multiple_of(ALIGNMENT).min(self.rest.len());
        self.rest = &self.rest[padded..];
        Ok(Some(Section {
            tag: SectionTag::from_number(header.tag),
            flags: header.flags,
            bytes,
        }))
    }
}

/// A section of a record.
#[derive(Clone, Copy)]
pub(super) struct Section<'r> {
    /// `None` for a tag that this version does not know, which is skipped.
    pub(super) tag: Option<SectionTag>,
    flags: u16,
    pub(super) bytes: &'r [u8],
}

impl<'r> Section<'r> {
    pub(super) fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn text(self) -> Text<'r> {
        Text {
            bytes: self.bytes,
            truncated: self.has(TRUNCATED | UNREADABLE),
        }
    }

    /// Memory of a process; `None` if it could not be read.
    pub(super) fn memory(self) -> Option<&'r [u8]> {
        (!self.has(UNREADABLE)).then_some(self.bytes)
    }

    /// The same as text.
    pub(super) fn readable(self) -> Option<Text<'r>> {
        (!self.has(UNREADABLE)).then(|| self.text())
    }

    pub(super) fn strings(self) -> Strings<'r> {
        Strings {
            bytes: self.bytes,
            truncated: self.has(TRUNCATED | UNREADABLE),
        }
    }

    pub(super) fn path(self) -> KernelPath<'r> {
        KernelPath {
            components: self.bytes,
            truncated: self.has(TRUNCATED),
            detached: self.has(DETACHED),
        }
    }
}

/// The bytes of a value, for tests.
#[cfg(test)]
pub(super) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: a plain value is as many initialised bytes as its size.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}
