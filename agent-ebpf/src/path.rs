//! The path of a file from its dentries.

use agent_ebpf::{MAX_COMPONENTS, SectionTag};

use crate::kernel::{Typed, Untyped, offset};
use crate::record_writer::{RecordWriter, WalkEnd};

/// A `struct path`: a mount and a dentry in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KernelPath {
    mount: Untyped,
    dentry: Untyped,
}

impl KernelPath {
    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.dentry.is_null()
    }

    /// Reads the `struct path` at an address.
    #[inline(always)]
    pub(crate) fn read(place: Untyped) -> Self {
        Self {
            mount: place.follow(offset!(path_mnt)),
            dentry: place.follow(offset!(path_dentry)),
        }
    }

    /// The root directory of a task.
    #[inline(always)]
    pub(crate) fn root_of(task: Typed) -> Self {
        let fs = task.follow(offset!(task_fs));
        if fs.is_null() {
            return Self {
                mount: Untyped(0),
                dentry: Untyped(0),
            };
        }
        Self {
            mount: fs.follow(offset!(fs_root) + offset!(path_mnt)).untyped(),
            dentry: fs.follow(offset!(fs_root) + offset!(path_dentry)).untyped(),
        }
    }

    /// The path of the file that was copied last.
    #[inline(always)]
    pub(crate) fn of_copied_file(writer: RecordWriter) -> Self {
        let path = offset!(file_path);
        Self {
            mount: Untyped(writer.of_file(path + offset!(path_mnt))),
            dentry: Untyped(writer.of_file(path + offset!(path_dentry))),
        }
    }

    /// The working directory of a task.
    #[inline(always)]
    pub(crate) fn cwd_of(task: Typed) -> Self {
        Self::read(
            task.follow(offset!(task_fs))
                .untyped()
                .plus(offset!(fs_pwd)),
        )
    }

    /// The path of a `struct file`.
    #[inline(always)]
    pub(crate) fn of_file(file: Untyped) -> Self {
        Self::read(file.plus(offset!(file_path)))
    }
}

/// `d_parent` and `d_name` of a dentry follow each other in every kernel since 2.6.38 (they are
/// what a path lookup touches), so that one read gets all three; the agent checks it at start.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct DentryName {
    parent: u64,
    hash: u32,
    length: u32,
    name: u64,
}

/// A section with the components of `path`, leaf first, up to the task's root.
#[inline(always)]
pub(crate) fn path_section(
    writer: RecordWriter,
    tag: SectionTag,
    root: KernelPath,
    path: KernelPath,
) {
    writer.begin_section();
    let end = walk(writer, root, path);
    writer.end_section(tag, end.section_flags());
}

/// Walks up from `path`, through mount points, to `root`. What `d_path` of the kernel does.
#[inline(always)]
fn walk(writer: RecordWriter, root: KernelPath, path: KernelPath) -> WalkEnd {
    let mut mount = path.mount;
    let mut dentry = path.dentry;
    // Within the root's own mount there is no mount point to look out for: the root comes first.
    let mut mount_root = Untyped(0);
    if mount != root.mount {
        mount_root = mount.follow(offset!(vfsmount_root));
    }
    // Each step goes up one component or through one mount point.
    let mut step = 0;
    while step < MAX_COMPONENTS {
        step += 1;
        if dentry == root.dentry && mount == root.mount {
            return WalkEnd::AtRoot;
        }
        if dentry == mount_root {
            // `container_of(mount, struct mount, mnt)`
            let whole = Untyped(mount.0.wrapping_sub(u64::from(offset!(mount_vfsmount))));
            let parent = whole.follow(offset!(mount_parent));
            if parent == whole || parent.is_null() {
                // The top of the mount tree and not the task's root: outside of a chroot, or a
                // mount of the kernel's own (pipes, sockets).
                return WalkEnd::Detached;
            }
            dentry = whole.follow(offset!(mount_mountpoint));
            mount = parent.plus(offset!(mount_vfsmount));
            mount_root = Untyped(0);
            if mount != root.mount {
                mount_root = mount.follow(offset!(vfsmount_root));
            }
            continue;
        }
        let name: DentryName = dentry.read(offset!(dentry_parent));
        if name.name == 0 || !writer.has_room(256) {
            return WalkEnd::Truncated;
        }
        if name.parent == dentry.0 && mount == root.mount {
            // The top of the file system that the root is in, above the root: outside of it.
            return WalkEnd::Detached;
        }
        writer.component(name.name, name.length);
        if name.parent == dentry.0 {
            // A root that is no mount's root: a memfd, or a file reached by its handle.
            return WalkEnd::Detached;
        }
        dentry = Untyped(name.parent);
    }
    WalkEnd::Truncated
}
