//! Descriptors that a call has in memory: those that it waits for, or that it made.

use agent_ebpf::{LISTED_ENTRY, MAX_RECORD, SectionTag, UNREADABLE};
use aya_ebpf::helpers::generated::bpf_probe_read_user;

use crate::descriptor::descriptor_sections;
use crate::kernel::current_task;
use crate::record_writer::RecordWriter;

/// Adds an entry of `size` bytes (4 or 8) in user memory, which starts with a descriptor, and what that stands for;
/// returns whether it did.
///
/// A record that is half full gets no more: what one entry takes, two paths at most, fits into the other half.
///
/// Visible from outside, so that the verifier checks it once and not for each entry; see
/// [`crate::path::walk`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn record_listed(address: u64, size: u64) -> u64 {
    let Some(writer) = RecordWriter::resume() else {
        return 0;
    };
    if writer.position() > MAX_RECORD as u64 / 2 {
        return 0;
    }
    const { assert!(LISTED_ENTRY == size_of::<u64>()) }
    let mut entry = 0_u64;
    // The verifier has to see that no more than `entry` is written.
    let size = if size == 4 { 4 } else { LISTED_ENTRY as u32 };
    // SAFETY: the helper writes at most 8 bytes to `entry`.
    let failed =
        unsafe { bpf_probe_read_user((&raw mut entry).cast(), size, address as *const _) } != 0;
    writer.begin_section();
    if failed {
        writer.end_section(SectionTag::Listed, UNREADABLE);
        return 0;
    }
    let part = writer.part_of_section::<u64>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe { *part = entry };
    writer.end_section(SectionTag::Listed, 0);
    descriptor_sections(writer, current_task(), entry as u32);
    1
}
