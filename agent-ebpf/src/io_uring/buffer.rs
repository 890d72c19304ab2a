//! Where records of operations are put together.

use agent_ebpf::{DROP_SCRATCH_BUSY, SHARED_BUFFERS};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;

use crate::kernel::setting;
use crate::output::count_drop;
use crate::record_writer::RecordWriter;

/// The shared buffers that are in use. These programs can be preempted, by each other too, so the buffer of the CPU
/// is not theirs; that a key can be added once only makes the table a lock.
#[map]
static BUFFERS_IN_USE: HashMap<u32, u32> = HashMap::with_max_entries(SHARED_BUFFERS, 0);

/// A shared buffer that is this program's for now.
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    index: u32,
    pub(super) writer: RecordWriter,
}

impl Buffer {
    /// Takes one.
    #[inline(always)]
    pub(super) fn take() -> Option<Self> {
        let mut index = 0;
        while index < SHARED_BUFFERS {
            let is_taken = BUFFERS_IN_USE
                .insert(index, 1, u64::from(BPF_NOEXIST))
                .is_ok();
            if is_taken {
                let writer = RecordWriter::begin_at(setting!(cpus) + index)?;
                return Some(Self { index, writer });
            }
            index += 1;
        }
        count_drop(DROP_SCRATCH_BUSY);
        None
    }

    /// The one whose writer has this index, which was taken.
    #[inline(always)]
    pub(super) fn resume(index: u64) -> Option<Self> {
        Some(Self {
            index: (index as u32).wrapping_sub(setting!(cpus)),
            writer: RecordWriter::resume_at(index)?,
        })
    }

    /// Gives it back.
    #[inline(always)]
    pub(super) fn give_back(self) {
        // It is there: nobody else removes it.
        let _removed = BUFFERS_IN_USE.remove(self.index);
    }
}
