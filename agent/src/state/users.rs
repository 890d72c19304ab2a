//! Names of users and groups: the host's, and those of each container.
//!
//! An id means what the files of the process's own root directory say. The files are read, never NSS:
//! a lookup that asks a directory service could take seconds, and could cause events of its own.

mod containers;
mod database;
mod host;
mod reader;

use std::path::Path;

pub use self::containers::ContainerUsersStats;
use self::containers::{ContainerNames, ContainerUsers};
use self::database::Databases;
pub use self::database::User;
use self::host::HostUsers;
pub use self::host::UsersError;
use super::process::Process;
use crate::container::ContainerIdentity;
use crate::event::{BootTime, Gid, Uid};

/// Names of users and groups.
#[derive(Debug)]
pub struct Users {
    host: HostUsers,
    /// `None` if no rule asks.
    containers: Option<ContainerUsers>,
}

impl Users {
    /// The users of the host whose root directory is `host_root` (`/`, or where it is mounted);
    /// empty until the first [`refresh`](Self::refresh).
    pub fn new(host_root: &Path) -> Self {
        Self {
            host: HostUsers::new(host_root),
            containers: None,
        }
    }

    /// Learns the names of containers too, from `/proc/PID/root` of their processes.
    #[must_use]
    pub fn with_containers(mut self, host_root: &Path) -> Self {
        self.containers = Some(ContainerUsers::new(host_root));
        self
    }

    /// Reads the host's files again if they changed, but looks at them at most once a second. True if
    /// anything was read. A file that does not exist is an empty one.
    pub fn refresh(&mut self, now: BootTime) -> Result<bool, UsersError> {
        self.host.refresh(now)
    }

    /// Sees to it that the names of an event's container are known, or will be. Waits a few
    /// milliseconds for the first answer about a container, but not again and again.
    pub fn prepare(&mut self, process: &Process, now: BootTime, is_exec: bool) {
        if let (Some(containers), Some(container)) = (&mut self.containers, &process.container) {
            containers.prepare(container, process, now, is_exec);
        }
    }

    /// Asks for the names of the containers that run already.
    pub fn expect<'p>(&mut self, processes: impl Iterator<Item = &'p Process>, now: BootTime) {
        let Some(containers) = &mut self.containers else {
            return;
        };
        for process in processes {
            if let Some(container) = &process.container {
                containers.ask(container, process, now);
            }
        }
    }

    /// The names that ids have in a container, or on the host.
    pub fn of(&self, container: Option<&ContainerIdentity>) -> Names<'_> {
        match container {
            None => Names::Host(&self.host.databases),
            Some(container) => self
                .containers
                .as_ref()
                .and_then(|containers| containers.of(container))
                .map_or(Names::Unknown, Names::Container),
        }
    }

    /// Counts of the reading for containers.
    pub fn container_stats(&self) -> ContainerUsersStats {
        self.containers
            .as_ref()
            .map_or_else(ContainerUsersStats::default, ContainerUsers::stats)
    }
}

/// What ids are called in one place.
#[derive(Clone, Copy, Debug)]
pub enum Names<'u> {
    /// On the host.
    Host(&'u Databases),
    /// In a container.
    Container(&'u ContainerNames),
    /// In a container whose files were not read, yet or at all.
    Unknown,
}

impl<'u> Names<'u> {
    /// The user of this id. Without an entry, only uid 0 has a name: see
    /// [`user_name`](Self::user_name).
    pub fn user(self, uid: Uid) -> Option<&'u User> {
        match self {
            Self::Host(files) => files.users.get(&uid.0),
            Self::Container(names) => names.files.users.get(&names.user_ids.inside(uid.0)?),
            Self::Unknown => None,
        }
    }

    /// The login name; `root` for uid 0 even without an entry.
    pub fn user_name(self, uid: Uid) -> Option<&'u [u8]> {
        match self.user(uid) {
            Some(user) => Some(&user.name),
            None => (uid.0 == 0).then_some(b"root"),
        }
    }

    /// The home directory; `/root` for uid 0 even without an entry.
    pub fn home(self, uid: Uid) -> Option<&'u [u8]> {
        match self.user(uid) {
            Some(user) => Some(&user.home),
            None => (uid.0 == 0).then_some(b"/root"),
        }
    }

    /// The group's name; `root` for gid 0 even without an entry.
    pub fn group_name(self, gid: Gid) -> Option<&'u [u8]> {
        let found = match self {
            Self::Host(files) => files.groups.get(&gid.0),
            Self::Container(names) => names
                .group_ids
                .inside(gid.0)
                .and_then(|gid| names.files.groups.get(&gid)),
            Self::Unknown => None,
        };
        match found {
            Some(name) => Some(name),
            None => (gid.0 == 0).then_some(b"root"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            assert_eq!(users.of(None).user_name(Uid(uid)), name, "{uid}");
        }
        let names = users.of(None);
        let web = names.user(Uid(1000)).unwrap();
        assert_eq!(
            (&*web.home, &*web.shell),
            (&b"/srv/web"[..], &b"/bin/sh"[..])
        );
        assert_eq!(users.of(None).group_name(Gid(4)), Some(&b"adm"[..]));
        assert_eq!(users.of(None).group_name(Gid(5)), None);
    }

    #[test]
    fn root_has_a_name_without_any_file() {
        let host = Host::new();
        let mut users = Users::new(host.0.path());
        assert!(!users.refresh(BootTime(0)).unwrap());
        assert_eq!(users.of(None).user_name(Uid(0)), Some(&b"root"[..]));
        assert_eq!(users.of(None).group_name(Gid(0)), Some(&b"root"[..]));
        assert_eq!(users.of(None).user_name(Uid(1)), None);
    }

    #[test]
    fn a_change_is_seen_within_a_second() {
        let host = Host::new();
        host.write("passwd", b"old:x:5:5:::\n");
        let mut users = Users::new(host.0.path());
        users.refresh(BootTime(SECOND)).unwrap();
        host.write("passwd", b"new:x:5:5:::\n");
        assert!(!users.refresh(BootTime(SECOND + SECOND / 2)).unwrap());
        assert_eq!(users.of(None).user_name(Uid(5)), Some(&b"old"[..]));
        assert!(users.refresh(BootTime(2 * SECOND)).unwrap());
        assert_eq!(users.of(None).user_name(Uid(5)), Some(&b"new"[..]));
        assert!(!users.refresh(BootTime(9 * SECOND)).unwrap());
        fs::remove_file(host.0.path().join("etc/passwd")).unwrap();
        assert!(users.refresh(BootTime(19 * SECOND)).unwrap());
        assert_eq!(users.of(None).user_name(Uid(5)), None);
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
        assert_eq!(users.of(None).user_name(Uid(5)), Some(&b"old"[..]));
    }
}
