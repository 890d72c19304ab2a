//! What the commands of `quotactl` pass and return (include/uapi/linux/quota.h).

use super::{Commands, DECIMAL, Parameter, memory};

const QUOTA_ON: u32 = 0x0080_0002;
const GET_FORMAT: u32 = 0x0080_0004;
const GET_INFO: u32 = 0x0080_0005;
const SET_INFO: u32 = 0x0080_0006;
const GET_QUOTA: u32 = 0x0080_0007;
const SET_QUOTA: u32 = 0x0080_0008;
const GET_NEXT_QUOTA: u32 = 0x0080_0009;

const fn commands(
    passing: &'static [u32],
    returning: &'static [u32],
    valid: Option<(u8, u32)>,
) -> Commands {
    Commands {
        argument: 1,
        // The type of the quota comes first.
        shift: 8,
        passing,
        returning,
        valid,
    }
}

/// A member of `struct if_dqblk`, of which its `dqb_valid` says whether it counts.
const fn of_block(bit: u32) -> Commands {
    commands(&[SET_QUOTA], &[GET_QUOTA, GET_NEXT_QUOTA], Some((64, bit)))
}

/// The same of `struct if_dqinfo`.
const fn of_info(bit: u32) -> Commands {
    commands(&[SET_INFO], &[GET_INFO], Some((20, bit)))
}

/// A file is named, and its format.
pub(super) static ON: Commands = commands(&[QUOTA_ON], &[], None);
/// The format of the file is returned.
pub(super) static FORMAT: Commands = commands(&[], &[GET_FORMAT], None);
/// `QIF_BLIMITS`
pub(super) static BLOCKS: Commands = of_block(1);
/// `QIF_SPACE`
pub(super) static SPACE: Commands = of_block(2);
/// `QIF_ILIMITS`
pub(super) static INODES: Commands = of_block(4);
/// `QIF_BTIME`
pub(super) static BLOCK_TIME: Commands = of_block(16);
/// `QIF_ITIME`
pub(super) static INODE_TIME: Commands = of_block(32);
/// `IIF_BGRACE`
pub(super) static BLOCK_GRACE: Commands = of_info(1);
/// `IIF_IGRACE`
pub(super) static INODE_GRACE: Commands = of_info(2);
/// `IIF_FLAGS`
pub(super) static FLAGS: Commands = of_info(4);

/// A number of 64 bits in the structure.
pub(super) const fn limit(
    name: &'static str,
    offset: u8,
    commands: &'static Commands,
) -> Parameter {
    memory(name, DECIMAL, 4, offset, 8).in_commands(commands)
}
