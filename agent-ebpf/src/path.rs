//! The path of a file from its dentries.

use agent_ebpf::{ABSENT, MAX_WALK, SHORT_NAME_WORDS, SectionTag, TRUNCATED};

#[cfg(not(feature = "bounded"))]
use aya_ebpf::helpers::generated::bpf_loop;

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

    /// An entry in a mount.
    #[inline(always)]
    pub(crate) fn new(mount: Untyped, dentry: Untyped) -> Self {
        Self { mount, dentry }
    }

    pub(crate) const NONE: Self = Self {
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

/// Components and mount points of a walk; [`MAX_WALK`] ends it before.
#[cfg(not(feature = "bounded"))]
const MAX_STEPS: u32 = 2048;
/// The same where the verifier goes through each of them.
#[cfg(feature = "bounded")]
const MAX_STEPS_BOUNDED: u32 = 128;

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
    let flags = append_path(writer, root, path);
    writer.end_section(tag, flags as u16);
}

/// Adds the components of `path` to what was begun; returns the flags that a section of them has.
#[inline(always)]
pub(crate) fn append_path(writer: RecordWriter, root: KernelPath, path: KernelPath) -> u64 {
    // A function that is checked by itself takes numbers only, and these may be pointers with a type.
    let root_mount = writer.opaque(root.mount.0);
    let root_dentry = writer.opaque(root.dentry.0);
    let mount = writer.opaque(path.mount.0);
    let dentry = writer.opaque(path.dentry.0);
    walk(writer.index(), root_mount, root_dentry, mount, dentry)
}

/// Walks up from a path, through mount points, to the top of the mount tree, which the root is if it is
/// anything; returns the flags of the section. What `d_path` of the kernel does for a task that has not
/// changed its root.
///
/// A function of its own, called and not inlined, and visible from outside of the object: such a one the
/// verifier checks once for any arguments, and not again at each call with all that is known there.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn walk(
    buffer: u64,
    root_mount: u64,
    root_dentry: u64,
    mount: u64,
    dentry: u64,
) -> u64 {
    let Some(writer) = RecordWriter::resume_at(buffer) else {
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
    u64::from(walked(writer, root, path).section_flags())
}

/// A walk on its way.
struct Walk {
    writer: RecordWriter,
    root: KernelPath,
    mount: Untyped,
    dentry: Untyped,
    /// The root of the mount, where there may be a mount point to look out for.
    mount_root: Untyped,
    end: WalkEnd,
}

/// Whether a walk goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
enum Next {
    Step = 0,
    Stop = 1,
}

#[inline(always)]
fn walked(writer: RecordWriter, root: KernelPath, path: KernelPath) -> WalkEnd {
    let mut walk = Walk {
        writer,
        root,
        mount: path.mount,
        dentry: path.dentry,
        mount_root: Untyped(0),
        end: WalkEnd::Truncated,
    };
    walk.enter_mount();
    walk.steps();
    walk.end
}

/// What `bpf_loop` calls for each step.
///
/// The verifier checks it once for any state of the walk, and not again for each step.
#[cfg(not(feature = "bounded"))]
#[inline(never)]
extern "C" fn step(_number: u64, walk: *mut Walk) -> u64 {
    // SAFETY: it is the address that was passed to `bpf_loop`.
    unsafe { (*walk).step() as u64 }
}

impl Walk {
    #[inline(always)]
    fn enter_mount(&mut self) {
        // Within the root's own mount there is no mount point to look out for: the root comes first.
        self.mount_root = if self.mount == self.root.mount {
            Untyped(self.writer.opaque(0))
        } else {
            self.mount.follow(offset!(vfsmount_root))
        };
    }

    #[inline(always)]
    fn stop(&mut self, end: WalkEnd) -> Next {
        self.end = end;
        Next::Stop
    }

    #[cfg(not(feature = "bounded"))]
    #[inline(always)]
    fn steps(&mut self) {
        let place: *mut Self = self;
        // SAFETY: the helper calls the function with the address of `self`, which outlives the call.
        unsafe { bpf_loop(MAX_STEPS, step as *mut _, place.cast(), 0) };
    }

    /// For kernels without `bpf_loop`. The verifier goes through each step.
    #[cfg(feature = "bounded")]
    #[inline(always)]
    fn steps(&mut self) {
        let mut number = 0;
        while number < MAX_STEPS_BOUNDED {
            number += 1;
            if self.step() == Next::Stop {
                return;
            }
        }
    }

    /// Goes up one component or through one mount point.
    #[inline(always)]
    fn step(&mut self) -> Next {
        if self.dentry == self.root.dentry && self.mount == self.root.mount {
            return self.stop(WalkEnd::AtRoot);
        }
        if self.dentry == self.mount_root {
            let whole = self.mount.containing_mount();
            let parent = whole.follow(offset!(mount_parent));
            if parent == whole || parent.is_null() {
                // The top. A mount of the kernel's own (pipes, sockets), or one that was taken out of
                // the tree, has no namespace, or an error for one.
                let namespace = whole.follow(offset!(mount_namespace)).0;
                return self.stop(if namespace == 0 || namespace >= FIRST_ERROR {
                    WalkEnd::Detached
                } else {
                    WalkEnd::AtRoot
                });
            }
            self.dentry = whole.follow(offset!(mount_mountpoint));
            self.mount = parent.plus(offset!(mount_vfsmount));
            self.enter_mount();
            return Next::Step;
        }
        let name: DentryName = self.dentry.read(offset!(dentry_parent));
        if name.name == 0 || self.writer.section_size() > MAX_WALK {
            return self.stop(WalkEnd::Truncated);
        }
        if name.parent == self.dentry.0 && self.mount == self.root.mount {
            // The top of the file system that the root is in, above the root: outside of it.
            return self.stop(WalkEnd::Detached);
        }
        let is_short = name.name == self.dentry.plus(offset!(dentry_short_name)).0
            && name.length < SHORT_NAME_WORDS as u32 * 8;
        if is_short && offset!(dentry_short_name) != ABSENT {
            self.writer.short_component(name.short, name.length);
        } else {
            self.writer.component(name.name, name.length);
        }
        if name.parent == self.dentry.0 {
            // A root that is no mount's root: a memfd, or a file reached by its handle.
            return self.stop(WalkEnd::Detached);
        }
        self.dentry = Untyped(name.parent);
        Next::Step
    }
}
