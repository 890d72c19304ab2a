//! The host's users and groups.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::database::{Databases, Version, parse, parse_group, parse_user};
use crate::event::BootTime;

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

/// What the host's files say.
#[derive(Debug)]
pub(super) struct HostUsers {
    passwd: Watched,
    group: Watched,
    pub(super) databases: Databases,
    checked: Option<BootTime>,
}

impl HostUsers {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            passwd: Watched::new(root.join("etc/passwd")),
            group: Watched::new(root.join("etc/group")),
            databases: Databases::default(),
            checked: None,
        }
    }

    pub(super) fn refresh(&mut self, now: BootTime) -> Result<bool, UsersError> {
        if self
            .checked
            .is_some_and(|checked| now.since(checked) < CHECK_INTERVAL)
        {
            return Ok(false);
        }
        self.checked = Some(now);
        let users = self.passwd.refresh(&mut self.databases.users, parse_user);
        let groups = self.group.refresh(&mut self.databases.groups, parse_group);
        Ok(users? | groups?)
    }
}

/// A file and what was last read of it.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    version: Option<Version>,
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            version: None,
        }
    }

    /// Reads the file again if it changed. True if it did.
    fn refresh<T>(
        &mut self,
        entries: &mut HashMap<u32, T>,
        entry: fn(&[u8]) -> Option<(u32, T)>,
    ) -> Result<bool, UsersError> {
        let failed = |source| UsersError::Read {
            path: self.path.clone(),
            source,
        };
        let version = match fs::metadata(&self.path) {
            Ok(metadata) => Version::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let had = self.version.take().is_some();
                entries.clear();
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
        *entries = parse(&content, entry);
        self.version = Some(version);
        Ok(true)
    }
}
