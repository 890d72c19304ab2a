//! Files that others write, of which only so much is read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The start of a file, at most `limit` bytes; `None` if it is not there or cannot be read. An attribute of a
/// security module that is not there is an error of reading, not of opening.
pub(super) fn read_start(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut text)
        .ok()?;
    Some(text)
}
