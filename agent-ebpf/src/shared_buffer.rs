//! Buffers for programs that can be preempted: those at functions of the kernel.

use agent_ebpf::{DROP_SCRATCH_BUSY, MAX_SHARED_BUFFERS};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;

use crate::kernel::setting;
use crate::output::count_drop;
use crate::record_writer::RecordWriter;

/// The shared buffers that are in use. These programs can be preempted, by each other too, so the buffer of the CPU
/// is not theirs; that a key can be added once only makes the table a lock. The agent sets the number.
#[map]
static BUFFERS_IN_USE: HashMap<u32, u32> = HashMap::with_max_entries(MAX_SHARED_BUFFERS, 0);

/// Buffers that are tried.
const TRIES: u32 = 8;

/// A shared buffer that is this program's for now.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    index: u32,
    pub(crate) writer: RecordWriter,
}

impl Buffer {
    /// Takes one: the first is that with the number of the CPU, which only a program that was preempted can have.
    #[inline(always)]
    pub(crate) fn take() -> Option<Self> {
        let number = setting!(shared_buffers);
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() } as u32;
        let mut tried = 0;
        while tried < TRIES {
            let index = cpu.wrapping_add(tried).checked_rem(number)?;
            let is_taken = BUFFERS_IN_USE
                .insert(index, 1, u64::from(BPF_NOEXIST))
                .is_ok();
            if is_taken {
                let writer = RecordWriter::begin_at(setting!(cpus) + index)?;
                return Some(Self { index, writer });
            }
            tried += 1;
        }
        count_drop(DROP_SCRATCH_BUSY);
        None
    }

    /// The one whose writer has this index, which was taken.
    #[cfg(not(feature = "bounded"))]
    #[inline(always)]
    pub(crate) fn resume(index: u64) -> Option<Self> {
        Some(Self {
            index: (index as u32).wrapping_sub(setting!(cpus)),
            writer: RecordWriter::resume_at(index)?,
        })
    }

    /// Gives it back.
    #[inline(always)]
    pub(crate) fn give_back(self) {
        // It is there: nobody else removes it.
        let _removed = BUFFERS_IN_USE.remove(self.index);
    }
}
