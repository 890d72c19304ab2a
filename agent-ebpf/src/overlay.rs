//! Which layer of an overlay file system a file is in.

use agent_ebpf::{LAYER_LOWER, LAYER_NONE, LAYER_UPPER};

use crate::kernel::{Untyped, offset, setting};

/// `OVERLAYFS_SUPER_MAGIC`
const OVERLAY_MAGIC: u64 = 0x794c_7630;

/// The layer of an inode of this file system, as the records number it.
#[inline(always)]
pub(crate) fn layer_of(inode: Untyped, superblock: Untyped) -> u32 {
    if superblock.read::<u64>(offset!(superblock_magic)) != OVERLAY_MAGIC {
        return LAYER_NONE;
    }
    // `struct ovl_inode` (fs/overlayfs/ovl_entry.h) has the upper dentry behind the inode.
    let upper = inode.follow(setting!(inode_size));
    if !upper.is_null() && !upper.follow(offset!(dentry_inode)).is_null() {
        LAYER_UPPER
    } else {
        LAYER_LOWER
    }
}
