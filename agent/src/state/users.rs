//! The host's users and groups.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::event::{BootTime, Gid, Uid};

/// Names of users and groups from the host's `/etc/passwd` and `/etc/group`.
///
/// The files are read, never NSS: a lookup that asks a directory service could take seconds, and
/// could cause events of its own.
#[derive(Debug)]
pub struct Users {
    passwd: Database<User>,
    group: Database<Box<[u8]>>,
    checked: Option<BootTime>,
}

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

/// Why the users or groups could not be read; those read before remain.
#[derive(Debug, Error)]
pub enum UsersError {
    /// The file exists but cannot be read.
    #[error("cannot read {path}: {source}; names of users and groups stay as they were")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How often the files are looked at, at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The largest file that is read, in bytes; what follows is not known.
const FILE_LIMIT: u64 = 8 * 1024 * 1024;

impl Users {
    /// The users of the host whose root directory is `host_root` (`/`, or where it is mounted);
    /// empty until the first [`refresh`](Self::refresh).
    pub fn new(host_root: &Path) -> Self {
        Self {
            passwd: Database::new(host_root.join("etc/passwd")),
            group: Database::new(host_root.join("etc/group")),
            checked: None,
        }
    }

    /// Reads the files again if they changed, but looks at them at most once a second. True if
    /// anything was read. A file that does not exist is an empty one.
    pub fn refresh(&mut self, now: BootTime) -> Result<bool, UsersError> {
        if self
            .checked
            .is_some_and(|checked| now.since(checked) < CHECK_INTERVAL)
        {
            return Ok(false);
        }
        self.checked = Some(now);
        let users = self.passwd.refresh(parse_user);
        let groups = self.group.refresh(parse_group);
        Ok(users? | groups?)
    }

    /// The user of this id. Without an entry, only uid 0 has a name: see
    /// [`user_name`](Self::user_name).
    pub fn user(&self, uid: Uid) -> Option<&User> {
        self.passwd.entries.get(&uid.0)
    }

    /// The login name; `root` for uid 0 even without an entry.
    pub fn user_name(&self, uid: Uid) -> Option<&[u8]> {
        match self.user(uid) {
            Some(user) => Some(&user.name),
            None => (uid.0 == 0).then_some(b"root"),
        }
    }

    /// The group's name; `root` for gid 0 even without an entry.
    pub fn group_name(&self, gid: Gid) -> Option<&[u8]> {
        match self.group.entries.get(&gid.0) {
            Some(name) => Some(name),
            None => (gid.0 == 0).then_some(b"root"),
        }
    }
}

#[derive(Debug)]
struct Database<T> {
    path: PathBuf,
    entries: HashMap<u32, T>,
    version: Option<Version>,
}

/// What changes when a file is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<T> Database<T> {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            entries: HashMap::new(),
            version: None,
        }
    }

    fn refresh(&mut self, parse: fn(&[u8]) -> Option<(u32, T)>) -> Result<bool, UsersError> {
        let failed = |source| UsersError::Read {
            path: self.path.clone(),
            source,
        };
        let version = match fs::metadata(&self.path) {
            Ok(metadata) => Version {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let had = self.version.take().is_some();
                self.entries.clear();
                return Ok(had);
            }
            Err(error) => return Err(failed(error)),
        };
        if self.version == Some(version) {
            return Ok(false);
        }
        let mut content = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut content))
            .map_err(failed)?;
        self.entries.clear();
        for (id, entry) in content
            .split(|byte| *byte == b'\n')
            // `+` and `-` begin the lines of NIS.
            .filter(|line| !matches!(line.first(), None | Some(b'+' | b'-' | b'#')))
            .filter_map(parse)
        {
            // The first entry of an id is the one that getpwuid gives.
            self.entries.entry(id).or_insert(entry);
        }
        self.version = Some(version);
        Ok(true)
    }
}

/// `name:password:uid:gid:comment:home:shell`
fn parse_user(line: &[u8]) -> Option<(u32, User)> {
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
fn parse_group(line: &[u8]) -> Option<(u32, Box<[u8]>)> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next()?;
    Some((number(fields.nth(1)?)?, name.into()))
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("etc")).unwrap();
            Self(root)
        }

        fn write(&self, name: &str, content: &[u8]) {
            // Replaced as useradd does it: a new file moved over the old one.
            let path = self.0.path().join("etc").join(name);
            let new = path.with_extension("new");
            fs::write(&new, content).unwrap();
            fs::rename(new, path).unwrap();
        }
    }

    #[test]
    fn names_of_ids() {
        let host = Host::new();
        host.write(
            "passwd",
            b"root:x:0:0:root:/root:/bin/bash\n\
              +nis:x:77:77::/:/bin/sh\n\
              web:x:1000:1000:Web,,,:/srv/web:/bin/sh\n\
              twin:x:1000:1000::/:/bin/false\n\
              bad\xffname:x:1001:1001::/h\n\
              broken\nbroken:x:notanumber:0::/:/\n:x:-1:0:::\n\n",
        );
        host.write("group", b"root:x:0:\nadm:x:4:web\n-nis:x:5:\n");
        let mut users = Users::new(host.0.path());
        assert!(users.refresh(BootTime(0)).unwrap());
        for (uid, name) in [
            (0, Some(&b"root"[..])),
            (1000, Some(b"web")),
            (1001, Some(b"bad\xffname")),
            (77, None),
            (4_000_000_000, None),
        ] {
            assert_eq!(users.user_name(Uid(uid)), name, "{uid}");
        }
        let web = users.user(Uid(1000)).unwrap();
        assert_eq!(
            (&*web.home, &*web.shell),
            (&b"/srv/web"[..], &b"/bin/sh"[..])
        );
        assert_eq!(users.group_name(Gid(4)), Some(&b"adm"[..]));
        assert_eq!(users.group_name(Gid(5)), None);
    }

    #[test]
    fn root_has_a_name_without_any_file() {
        let host = Host::new();
        let mut users = Users::new(host.0.path());
        assert!(!users.refresh(BootTime(0)).unwrap());
        assert_eq!(users.user_name(Uid(0)), Some(&b"root"[..]));
        assert_eq!(users.group_name(Gid(0)), Some(&b"root"[..]));
        assert_eq!(users.user_name(Uid(1)), None);
    }

    #[test]
    fn a_change_is_seen_within_a_second() {
        let host = Host::new();
        host.write("passwd", b"old:x:5:5:::\n");
        let mut users = Users::new(host.0.path());
        users.refresh(BootTime(SECOND)).unwrap();
        host.write("passwd", b"new:x:5:5:::\n");
        assert!(!users.refresh(BootTime(SECOND + SECOND / 2)).unwrap());
        assert_eq!(users.user_name(Uid(5)), Some(&b"old"[..]));
        assert!(users.refresh(BootTime(2 * SECOND)).unwrap());
        assert_eq!(users.user_name(Uid(5)), Some(&b"new"[..]));
        assert!(!users.refresh(BootTime(9 * SECOND)).unwrap());
        fs::remove_file(host.0.path().join("etc/passwd")).unwrap();
        assert!(users.refresh(BootTime(19 * SECOND)).unwrap());
        assert_eq!(users.user_name(Uid(5)), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_changes_nothing() {
        let host = Host::new();
        host.write("passwd", b"old:x:5:5:::\n");
        let mut users = Users::new(host.0.path());
        users.refresh(BootTime(0)).unwrap();
        let path = host.0.path().join("etc/passwd");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = users.refresh(BootTime(5 * SECOND)).unwrap_err();
        assert!(error.to_string().contains("etc/passwd"));
        assert_eq!(users.user_name(Uid(5)), Some(&b"old"[..]));
    }
}
