//! The files of a directory that commands read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file itself, or those in the directory that end in `.yaml` or `.yml`, in the order of their names.
pub(super) fn yaml_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml")) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
