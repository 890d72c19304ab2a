//! Paths: what a call removed, made, renamed, linked or changed.

use core::mem::offset_of;

use agent_ebpf::{
    DROP_USED, HOOK_CHMOD, HOOK_CHOWN, HOOK_CHROOT, HOOK_LINK, HOOK_MKDIR, HOOK_MKNOD, HOOK_MOUNT,
    HOOK_REMOVE, HOOK_RENAME, HOOK_SYMLINK, HOOK_UMOUNT, SectionTag,
};
use aya_ebpf::macros::{fentry, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::FEntryContext;

use super::awaited;
use crate::connect::thread;
use crate::kernel::{Untyped, current_task, offset};
use crate::output::count_drop;
use crate::path::{KernelPath, append_path};
use crate::record_writer::RecordWriter;
use crate::shared_buffer::Buffer;

/// Bytes of components that are noted of a path: rules are about short ones, and what is longer is judged by the
/// path that was passed alone. A power of two, for the verifier.
const SPAN: u64 = 1024;

/// A path by its components.
#[repr(C)]
struct UsedPath {
    /// Bytes of components; 0 if there is no such path.
    length: u64,
    /// Those of a section.
    flags: u64,
    components: [u8; SPAN as usize],
}

/// The paths of one call.
#[repr(C)]
struct UsedPaths {
    /// `HOOK_*`
    hook: u64,
    paths: [UsedPath; 2],
}

/// By thread. Each is removed by the exit of its call. The agent sets the number.
#[map]
static USED_PATHS: HashMap<u64, UsedPaths> = HashMap::with_max_entries(1, 0);

/// An entry of a folder: the path of the folder (`const struct path *`), and the entry (`struct dentry *`).
#[inline(always)]
fn entry_of(directory: Untyped, entry: Untyped) -> KernelPath {
    KernelPath::new(directory.follow(offset!(path_mnt)), entry)
}

/// The argument of a function, of which the verifier is to know no type.
#[inline(always)]
fn argument(context: &FEntryContext, position: usize) -> Untyped {
    Untyped(context.arg::<u64>(position))
}

/// Notes the paths of the call that the thread is in.
#[inline(always)]
fn note(hook: u8, paths: impl FnOnce() -> [KernelPath; 2]) -> u32 {
    if awaited(hook).is_none() {
        return 0;
    }
    let Some(buffer) = Buffer::take() else {
        return 0;
    };
    let [first, second] = paths();
    let writer = buffer.writer;
    let top = KernelPath::top_of(writer, current_task());
    let used = writer.room::<UsedPaths>();
    // SAFETY: the room is in the buffer, which is this program's; paths are walked one after the other, and what a long
    // one writes behind its place is overwritten or not looked at.
    unsafe {
        (*used).hook = u64::from(hook);
        note_path::<0>(writer, top, first, used);
        note_path::<1>(writer, top, second, used);
        if USED_PATHS.insert(thread(), &*used, 0).is_err() {
            count_drop(DROP_USED);
        }
    }
    buffer.give_back();
    0
}

/// # Safety
/// `used` is the room of the writer's buffer.
#[inline(always)]
unsafe fn note_path<const INDEX: usize>(
    writer: RecordWriter,
    top: KernelPath,
    path: KernelPath,
    used: *mut UsedPaths,
) {
    let start = (offset_of!(UsedPaths, paths)
        + INDEX * size_of::<UsedPath>()
        + offset_of!(UsedPath, components)) as u64;
    // SAFETY: the caller's promise.
    unsafe {
        let place = &raw mut (*used).paths[INDEX];
        (*place).length = 0;
        (*place).flags = 0;
        if path.is_null() {
            return;
        }
        writer.move_to(start);
        let flags = append_path(writer, top, path);
        let length = writer.section_size();
        if length <= SPAN {
            (*place).length = length;
            (*place).flags = flags;
        }
    }
}

/// Sections with the paths that the current call's hook told, if it told any.
#[inline(always)]
pub(crate) fn used_path_sections(writer: RecordWriter, hook: u8) {
    let thread = thread();
    let Some(used) = USED_PATHS.get_ptr(thread) else {
        return;
    };
    // SAFETY: the entry is in its map, and only this thread writes to it or removes it.
    unsafe {
        if (*used).hook == u64::from(hook) {
            section(writer, SectionTag::UsedPath, &raw const (*used).paths[0]);
            section(
                writer,
                SectionTag::SecondUsedPath,
                &raw const (*used).paths[1],
            );
        }
    }
    forget(thread);
}

/// Forgets what the current call's hook told, of a call that is not recorded.
#[inline(always)]
pub(crate) fn forget_used_paths() {
    forget(thread());
}

#[inline(always)]
fn forget(thread: u64) {
    // There is none if the call failed before its hook.
    let _removed = USED_PATHS.remove(thread);
}

/// # Safety
/// `used` is in its map.
#[inline(always)]
unsafe fn section(writer: RecordWriter, tag: SectionTag, used: *const UsedPath) {
    // SAFETY: the caller's promise.
    let (length, flags, components) = unsafe {
        (
            (*used).length,
            (*used).flags,
            (&raw const (*used).components),
        )
    };
    if length > 0 {
        writer.begin_section();
        writer.append_kernel::<{ 2 * SPAN }>(components as u64, length);
        writer.end_section(tag, flags as u16);
    }
}

/// A program at the hook that is asked about an entry of a folder.
macro_rules! at_entry {
    ($function:literal, $program:ident, $hook:ident) => {
        #[fentry(function = $function)]
        pub(crate) fn $program(context: FEntryContext) -> u32 {
            let entry = || entry_of(argument(&context, 0), argument(&context, 1));
            note($hook, || [entry(), KernelPath::NONE])
        }
    };
}

at_entry!("security_path_unlink", used_by_unlink, HOOK_REMOVE);
at_entry!("security_path_rmdir", used_by_rmdir, HOOK_REMOVE);
at_entry!("security_path_mkdir", used_by_mkdir, HOOK_MKDIR);
at_entry!("security_path_symlink", used_by_symlink, HOOK_SYMLINK);
at_entry!("security_path_mknod", used_by_mknod, HOOK_MKNOD);

/// `security_path_rename(old directory, old entry, new directory, new entry, flags)`
#[fentry(function = "security_path_rename")]
pub(crate) fn used_by_rename(context: FEntryContext) -> u32 {
    note(HOOK_RENAME, || {
        [
            entry_of(argument(&context, 0), argument(&context, 1)),
            entry_of(argument(&context, 2), argument(&context, 3)),
        ]
    })
}

/// `security_path_link(old entry, new directory, new entry)`; both are in the same mount, or the call fails before.
#[fentry(function = "security_path_link")]
pub(crate) fn used_by_link(context: FEntryContext) -> u32 {
    note(HOOK_LINK, || {
        let directory = argument(&context, 1);
        [
            entry_of(directory, argument(&context, 0)),
            entry_of(directory, argument(&context, 2)),
        ]
    })
}

/// A program at the hook that is asked about a path (`const struct path *`), its argument at this position.
macro_rules! at_path {
    ($function:literal, $program:ident, $hook:ident, $position:literal) => {
        #[fentry(function = $function)]
        pub(crate) fn $program(context: FEntryContext) -> u32 {
            let path = || KernelPath::read(argument(&context, $position));
            note($hook, || [path(), KernelPath::NONE])
        }
    };
}

at_path!("security_path_chmod", used_by_chmod, HOOK_CHMOD, 0);
at_path!("security_path_chown", used_by_chown, HOOK_CHOWN, 0);
at_path!("security_path_chroot", used_by_chroot, HOOK_CHROOT, 0);
at_path!("security_sb_mount", used_by_mount, HOOK_MOUNT, 1);

/// `security_sb_umount(mount, flags)`: the place where it is mounted.
#[fentry(function = "security_sb_umount")]
pub(crate) fn used_by_umount(context: FEntryContext) -> u32 {
    note(HOOK_UMOUNT, || {
        let mount = argument(&context, 0);
        let root = mount.follow(offset!(vfsmount_root));
        [KernelPath::new(mount, root), KernelPath::NONE]
    })
}
