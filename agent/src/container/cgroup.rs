//! Cgroups as `/proc` and the mounted hierarchies show them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ContainerIdentity;
use crate::event::CgroupId;

/// The cgroups of one process: the lines of its `/proc/PID/cgroup`, borrowed from the text.
#[derive(Clone, Copy, Debug)]
pub struct CgroupMembership<'t> {
    text: &'t [u8],
}

/// One line: `HIERARCHY:CONTROLLERS:PATH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line<'t> {
    /// Empty for cgroup v2.
    controllers: &'t [u8],
    path: &'t [u8],
}

impl<'t> CgroupMembership<'t> {
    /// From the content of `/proc/PID/cgroup`; lines that do not look like one are passed over.
    pub fn new(text: &'t [u8]) -> Self {
        Self { text }
    }

    fn lines(self) -> impl Iterator<Item = Line<'t>> {
        self.text.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            path.starts_with(b"/").then_some(Line { controllers, path })
        })
    }

    /// The path in the cgroup v2 hierarchy, if there is one.
    pub fn unified_path(self) -> Option<&'t [u8]> {
        self.lines()
            .find(|line| line.controllers.is_empty())
            .map(|line| line.path)
    }

    /// The container that these cgroups show.
    ///
    /// The v2 line is asked first: it is what the kernel side reports, and all of a process is in
    /// it. Where v2 has no containers (a v1 host, or a hybrid one with an old runtime) every v1 line
    /// can show one, for a runtime places a container into each controller that it uses. A free-text
    /// id (`/NAMESPACE/ID`) in a v1 line must be in another one as well: a single controller with a
    /// hand-made group is common (a memory limit), and is no container.
    pub fn container(self) -> Option<ContainerIdentity> {
        if let Some(found) = self
            .unified_path()
            .and_then(ContainerIdentity::from_cgroup_path)
        {
            return Some(found);
        }
        let v1 = || self.lines().filter(|line| !line.controllers.is_empty());
        v1().find_map(|line| ContainerIdentity::from_runtime_component(line.path))
            .or_else(|| {
                v1().find_map(|line| {
                    let found = ContainerIdentity::from_containerd_path(line.path)?;
                    (v1().filter(|other| other.path == line.path).count() > 1).then_some(found)
                })
            })
    }
}

/// What the mounted hierarchies say about a process being in the cgroup of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// One of the process's cgroups has that id.
    Confirmed,
    /// None has: it was moved since.
    Refuted,
    /// The hierarchies cannot be seen from here.
    Unknown,
}

/// Where the cgroup hierarchies are mounted, to find the id of a cgroup of which only the path is
/// known.
#[derive(Clone, Debug, Default)]
pub struct CgroupHierarchies {
    mounts: Vec<Mount>,
}

#[derive(Clone, Debug)]
struct Mount {
    /// The mount's options name the controllers of a v1 hierarchy; `None` for v2.
    v1_options: Option<Vec<u8>>,
    directory: PathBuf,
}

impl CgroupHierarchies {
    /// The hierarchies that the host's init sees: through its own root, so that they are found from
    /// inside a container as well, or where that is not permitted, beside the host's procfs. None,
    /// if neither shows them from their roots on.
    pub fn discover(proc_root: &Path) -> Self {
        let init = proc_root.join("1");
        let mountinfo = fs::read(init.join("mountinfo")).unwrap_or_default();
        let beside = proc_root.parent().map(Path::to_owned);
        for root in [Some(init.join("root")), beside].into_iter().flatten() {
            let mut found = Self::from_mountinfo(&mountinfo, &root);
            // Paths are from the root of the hierarchy, so a mount of a part of it would mislead,
            // such as a container's own at the same place.
            found.mounts.retain(Mount::shows_the_root);
            if !found.mounts.is_empty() {
                return found;
            }
        }
        Self::default()
    }

    /// From the content of a `mountinfo`, whose mount points are below `root`.
    fn from_mountinfo(mountinfo: &[u8], root: &Path) -> Self {
        let mut mounts: Vec<Mount> = mountinfo
            .split(|byte| *byte == b'\n')
            .filter_map(|line| {
                let mut fields = line.split(|byte| *byte == b' ');
                // id, parent, device, root of the mount, mount point, options, tags..., -, type,
                // source, super options.
                let whole = fields.nth(3)? == b"/";
                let point = fields.next()?.strip_prefix(b"/")?;
                let mut end = fields.skip_while(|field| *field != b"-").skip(1);
                let kind = end.next()?;
                let options = end.nth(1)?;
                let v1_options = match kind {
                    b"cgroup2" => None,
                    b"cgroup" => Some(options.to_vec()),
                    _ => return None,
                };
                whole.then(|| Mount {
                    v1_options,
                    directory: root.join(OsStr::from_bytes(point)),
                })
            })
            .collect();
        mounts.sort_by_key(|mount| mount.v1_options.is_some());
        Self { mounts }
    }

    /// The id of the cgroup that the process is in: in the v2 hierarchy.
    pub fn unified_id(&self, membership: CgroupMembership<'_>) -> Option<CgroupId> {
        let mount = self
            .mounts
            .iter()
            .find(|mount| mount.v1_options.is_none())?;
        mount.id_of(membership.unified_path()?)
    }

    /// Whether one of the process's cgroups is `cgroup`.
    pub(super) fn confirm(
        &self,
        membership: CgroupMembership<'_>,
        cgroup: CgroupId,
    ) -> Confirmation {
        let mut result = Confirmation::Unknown;
        for line in membership.lines() {
            if leaves_namespace(line.path) {
                continue;
            }
            let Some(mount) = self.mounts.iter().find(|mount| mount.serves(line)) else {
                continue;
            };
            if mount.id_of(line.path) == Some(cgroup) {
                return Confirmation::Confirmed;
            }
            result = Confirmation::Refuted;
        }
        result
    }
}

impl Mount {
    fn serves(&self, line: Line<'_>) -> bool {
        match &self.v1_options {
            None => line.controllers.is_empty(),
            Some(options) => {
                !line.controllers.is_empty()
                    && line.controllers.split(|byte| *byte == b',').all(|wanted| {
                        options
                            .split(|byte| *byte == b',')
                            .any(|option| option == wanted)
                    })
            }
        }
    }

    /// The root cgroup of a hierarchy has inode number 1.
    fn shows_the_root(&self) -> bool {
        self.id_of(b"/") == Some(CgroupId(1))
    }

    /// A cgroup's id is the inode number of its directory.
    fn id_of(&self, path: &[u8]) -> Option<CgroupId> {
        if leaves_namespace(path) {
            return None;
        }
        let relative = path.strip_prefix(b"/")?;
        fs::metadata(self.directory.join(OsStr::from_bytes(relative)))
            .ok()
            .map(|directory| CgroupId(directory.ino()))
    }
}

/// Whether a path leads out of the reader's own cgroup namespace: such a one cannot be looked up.
fn leaves_namespace(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|part| part == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Runtime;
    use proptest::prelude::*;

    const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";

    fn container(text: &str) -> Option<(String, Runtime)> {
        let text = text.replace("ID", ID);
        CgroupMembership::new(text.as_bytes())
            .container()
            .map(|found| (found.full_id().replace(ID, "ID"), found.runtime))
    }

    #[test]
    fn the_container_of_a_process() {
        use Runtime::{Containerd, Docker, Podman};
        for (name, text, expected) in [
            (
                "v2",
                "0::/system.slice/docker-ID.scope\n",
                Some(("ID", Docker)),
            ),
            (
                "v2 host",
                "0::/user.slice/user-0.slice/session-1.scope\n",
                None,
            ),
            (
                "v1",
                "12:pids:/docker/ID\n3:cpu,cpuacct:/docker/ID\n1:name=systemd:/docker/ID\n",
                Some(("ID", Docker)),
            ),
            (
                "v1 where only one controller has it",
                "12:pids:/\n3:cpu,cpuacct:/\n2:memory:/libpod_parent/libpod-ID\n",
                Some(("ID", Podman)),
            ),
            (
                "hybrid, memory with a prefix, v2 at the root",
                "4:memory:/outer/0123/docker/ID\n3:cpuset:/docker/ID\n0::/\n",
                Some(("ID", Docker)),
            ),
            (
                "hybrid, containerd's free text everywhere",
                "4:memory:/default/web\n3:cpuset:/default/web\n0::/default/web\n",
                Some(("web", Containerd)),
            ),
            (
                "v1, containerd's free text",
                "4:memory:/outer/0123/default/web\n3:cpuset:/default/web\n2:cpu:/default/web\n",
                Some(("web", Containerd)),
            ),
            (
                "a hand-made memory group is no container",
                "4:memory:/limits/batch\n3:cpuset:/\n0::/\n",
                None,
            ),
            (
                "a colon in the path",
                "0::/a:b/docker-ID.scope\n",
                Some(("ID", Docker)),
            ),
            ("no line at all", "", None),
            ("not such a file", "hello\n:::\n::\n", None),
        ] {
            let expected = expected.map(|(id, runtime)| (id.to_owned(), runtime));
            assert_eq!(container(text), expected, "{name}");
        }
    }

    #[test]
    fn ids_are_found_through_the_mounts() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["cg/unified/a/b", "cg/memory/m"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let hierarchies = CgroupHierarchies::from_mountinfo(
            b"31 23 0:28 / /cg rw - tmpfs tmpfs rw\n\
              35 31 0:32 / /cg/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
              36 31 0:33 /part /cg/other rw - cgroup cgroup rw,cpu\n\
              41 31 0:41 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\nnonsense\n",
            root.path(),
        );
        let id = |path: &str| CgroupId(fs::metadata(root.path().join(path)).unwrap().ino());
        let (inner, memory) = (id("cg/unified/a/b"), id("cg/memory/m"));

        let member = CgroupMembership::new(b"4:memory:/m\n2:cpu:/x\n0::/a/b\n");
        assert_eq!(hierarchies.unified_id(member), Some(inner));
        for (text, cgroup, expected) in [
            (
                &b"4:memory:/m\n0::/a/b\n"[..],
                inner,
                Confirmation::Confirmed,
            ),
            (b"4:memory:/m\n0::/a/b\n", memory, Confirmation::Confirmed),
            (b"4:memory:/\n0::/a\n", inner, Confirmation::Refuted),
            (b"0::/gone\n", inner, Confirmation::Refuted),
            (b"0::/../a/b\n", inner, Confirmation::Unknown),
            (b"2:cpu:/x\n", inner, Confirmation::Unknown),
        ] {
            assert_eq!(
                hierarchies.confirm(CgroupMembership::new(text), cgroup),
                expected,
                "{:?}",
                text.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn a_mount_of_a_part_of_the_hierarchy_is_not_used() {
        let host = tempfile::tempdir().unwrap();
        fs::create_dir_all(host.path().join("proc/1")).unwrap();
        fs::create_dir_all(host.path().join("cg")).unwrap();
        fs::write(
            host.path().join("proc/1/mountinfo"),
            "41 31 0:41 / /cg rw - cgroup2 cgroup2 rw\n",
        )
        .unwrap();
        let found = CgroupHierarchies::discover(&host.path().join("proc"));
        assert!(found.mounts.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_membership(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let membership = CgroupMembership::new(&text);
            let _ = membership.container();
            let _ = membership.unified_path();
            let _ = CgroupHierarchies::from_mountinfo(&text, Path::new("/"));
        }
    }
}
