//! `/etc/passwd` and `/etc/group`.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// One line of `/etc/passwd`; any bytes but `:` and newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: Box<[u8]>,
    /// Home directory.
    pub home: Box<[u8]>,
    /// Login shell.
    pub shell: Box<[u8]>,
}

/// What the files say, by id.
#[derive(Debug, Default)]
pub struct Databases {
    pub(super) users: HashMap<u32, User>,
    pub(super) groups: HashMap<u32, Box<[u8]>>,
}

/// What changes when a file is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The entries of a file by id; of two with the same id the first, which is the one that getpwuid
/// gives.
pub(super) fn parse<T>(content: &[u8], entry: fn(&[u8]) -> Option<(u32, T)>) -> HashMap<u32, T> {
    let mut entries = HashMap::new();
    for (id, entry) in content
        .split(|byte| *byte == b'\n')
        // `+` and `-` begin the lines of NIS.
        .filter(|line| !matches!(line.first(), None | Some(b'+' | b'-' | b'#')))
        .filter_map(entry)
    {
        entries.entry(id).or_insert(entry);
    }
    entries
}

/// `name:password:uid:gid:comment:home:shell`
pub(super) fn parse_user(line: &[u8]) -> Option<(u32, User)> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next()?;
    let uid = number(fields.nth(1)?)?;
    let home = fields.nth(2).unwrap_or_default();
    let shell = fields.next().unwrap_or_default();
    let user = User {
        name: name.into(),
        home: home.into(),
        shell: shell.into(),
    };
    Some((uid, user))
}

/// `name:password:gid:members`
pub(super) fn parse_group(line: &[u8]) -> Option<(u32, Box<[u8]>)> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next()?;
    Some((number(fields.nth(1)?)?, name.into()))
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
