//! The path of a file from its dentries.

use agent_ebpf::{ABSENT, MAX_COMPONENTS, MAX_WALK, SHORT_NAME_WORDS, SectionTag, TRUNCATED};

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

    const NONE: Self = Self {
        mount: Untyped(0),
        dentry: Untyped(0),
    };

    /// The root directory of a task, where a walk can end, if it is the top of its mount tree; nothing
    /// if the task changed its root to a place below: what it does is named from the top all the same.
    #[inline(always)]
    pub(crate) fn top_of(writer: RecordWriter, task: Typed) -> Self {
        let fs = task.follow(offset!(task_fs));
        if fs.is_null() {
            return Self::NONE;
        }
        let root = Self {
            mount: fs.follow(offset!(fs_root) + offset!(path_mnt)).untyped(),
            dentry: fs.follow(offset!(fs_root) + offset!(path_dentry)).untyped(),
        };
        let whole = root.mount.containing_mount();
        let parent = whole.follow(offset!(mount_parent));
        let [mount, dentry, above] = writer.known_top();
        if root.mount.0 == mount && root.dentry.0 == dentry && parent.0 == above {
            return root;
        }
        if root.dentry != root.mount.follow(offset!(vfsmount_root)) {
            return Self::NONE;
        }
        // A system that came up from an initramfs has its root mounted over the root of that, which has
        // nothing else to offer.
        let above = parent.plus(offset!(mount_vfsmount));
        let is_top = parent == whole
            || (parent == parent.follow(offset!(mount_parent))
                && whole.follow(offset!(mount_mountpoint)) == above.follow(offset!(vfsmount_root)));
        if !is_top {
            return Self::NONE;
        }
        writer.remember_top([root.mount.0, root.dentry.0, parent.0]);
        root
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

/// `IS_ERR`: the highest addresses are error numbers.
const FIRST_ERROR: u64 = -4095_i64 as u64;

/// `d_parent`, `d_name`, `d_inode` and the room for a short name follow each other in every kernel since
/// 2.6.38 (they are what a path lookup touches), so that one read gets them all; the agent checks it
/// at start.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct DentryName {
    parent: u64,
    hash: u32,
    length: u32,
    name: u64,
    inode: u64,
    /// `d_shortname`, which is where `name` points if it fits; 32 bytes in kernels up to 6.9, 40 since.
    short: [u64; SHORT_NAME_WORDS],
}

impl Untyped {
    /// `container_of(mount, struct mount, mnt)`
    #[inline(always)]
    fn containing_mount(self) -> Untyped {
        Untyped(self.0.wrapping_sub(u64::from(offset!(mount_vfsmount))))
    }
}

/// A section with the components of `path`, leaf first, up to the top of its mount tree.
#[inline(always)]
pub(crate) fn path_section(
    writer: RecordWriter,
    tag: SectionTag,
    root: KernelPath,
    path: KernelPath,
) {
    writer.begin_section();
    // A function that is checked by itself takes numbers only, and these may be pointers with a type.
    let root_mount = writer.opaque(root.mount.0);
    let root_dentry = writer.opaque(root.dentry.0);
    let end = walk(root_mount, root_dentry, path.mount.0, path.dentry.0);
    writer.end_section(tag, end as u16);
}

/// Walks up from a path, through mount points, to the top of the mount tree, which the root is if it is
/// anything; returns the flags of the section. What `d_path` of the kernel does for a task that has not
/// changed its root.
///
/// A function of its own, called and not inlined, and visible from outside of the object: such a one the
/// verifier checks once for any arguments, and not again at each call with all that is known there.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn walk(root_mount: u64, root_dentry: u64, mount: u64, dentry: u64) -> u64 {
    let Some(writer) = RecordWriter::resume() else {
        return u64::from(TRUNCATED);
    };
    let root = KernelPath {
        mount: Untyped(root_mount),
        dentry: Untyped(root_dentry),
    };
    let path = KernelPath {
        mount: Untyped(mount),
        dentry: Untyped(dentry),
    };
    u64::from(steps(writer, root, path).section_flags())
}

#[inline(always)]
fn steps(writer: RecordWriter, root: KernelPath, path: KernelPath) -> WalkEnd {
    let mut mount = path.mount;
    let mut dentry = path.dentry;
    // To the verifier any address: knowing this one, it would try each step with it and without.
    let nowhere = Untyped(writer.opaque(0));
    // Within the root's own mount there is no mount point to look out for: the root comes first.
    let mut mount_root = nowhere;
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
            let whole = mount.containing_mount();
            let parent = whole.follow(offset!(mount_parent));
            if parent == whole || parent.is_null() {
                // The top. A mount of the kernel's own (pipes, sockets), or one that was taken out of
                // the tree, has no namespace, or an error for one.
                let namespace = whole.follow(offset!(mount_namespace)).0;
                return if namespace == 0 || namespace >= FIRST_ERROR {
                    WalkEnd::Detached
                } else {
                    WalkEnd::AtRoot
                };
            }
            dentry = whole.follow(offset!(mount_mountpoint));
            mount = parent.plus(offset!(mount_vfsmount));
            mount_root = nowhere;
            if mount != root.mount {
                mount_root = mount.follow(offset!(vfsmount_root));
            }
            continue;
        }
        let name: DentryName = dentry.read(offset!(dentry_parent));
        if name.name == 0 || writer.section_size() > MAX_WALK {
            return WalkEnd::Truncated;
        }
        if name.parent == dentry.0 && mount == root.mount {
            // The top of the file system that the root is in, above the root: outside of it.
            return WalkEnd::Detached;
        }
        let is_short = name.name == dentry.plus(offset!(dentry_short_name)).0
            && name.length < SHORT_NAME_WORDS as u32 * 8;
        if is_short && offset!(dentry_short_name) != ABSENT {
            writer.short_component(name.short, name.length);
        } else {
            writer.component(name.name, name.length);
        }
        if name.parent == dentry.0 {
            // A root that is no mount's root: a memfd, or a file reached by its handle.
            return WalkEnd::Detached;
        }
        dentry = Untyped(name.parent);
    }
    WalkEnd::Truncated
}
