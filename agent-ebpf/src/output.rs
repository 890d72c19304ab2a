//! The rings, the counters of what did not get into them, and the scratch buffers.

use agent_ebpf::{DROP_COUNTERS, RecordKind, WAKE_FOR_ANY, WAKE_FOR_EXEC};
use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray, RingBuf};

use crate::record_writer::Scratch;

// The sizes are placeholders: the agent sets them from its configuration before loading.
#[map]
pub(crate) static PROCESS_RING: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub(crate) static EVENT_RING: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static DROPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(DROP_COUNTERS, 0);
#[map]
static READER_ASLEEP: Array<u32> = Array::with_max_entries(1, 0);
/// One a CPU: a per-CPU array takes no values above 32 KiB. The agent sets the number.
#[map]
pub(crate) static SCRATCH: Array<Scratch> = Array::with_max_entries(1, 0);

/// Counts a lost record.
#[inline(always)]
pub(crate) fn count_drop(cause: u32) {
    if let Some(counter) = DROPS.get_ptr_mut(cause) {
        // SAFETY: the cell is this CPU's own, and a program is not interrupted by itself.
        unsafe { *counter += 1 }
    }
}

/// Commits a record to the ring of its kind.
///
/// Waking the reader for each record costs three times what the record itself costs, so nobody is
/// woken unless the reader has said that it sleeps; it says so only after a while without events.
#[inline(always)]
pub(crate) fn commit(kind: RecordKind, record: &[u8]) {
    let flags = match READER_ASLEEP.get_ptr_mut(0) {
        Some(asleep) => {
            // SAFETY: the cell lives as long as the map. Two CPUs may both see that it is set and both
            // wake, which does no harm.
            let wish = unsafe { core::ptr::read_volatile(asleep) };
            let is_exec = matches!(kind, RecordKind::Exec);
            if wish == WAKE_FOR_ANY || (is_exec && wish == WAKE_FOR_EXEC) {
                // SAFETY: as above.
                unsafe { core::ptr::write_volatile(asleep, 0) };
                BPF_RB_FORCE_WAKEUP
            } else {
                BPF_RB_NO_WAKEUP
            }
        }
        None => BPF_RB_NO_WAKEUP,
    };
    let ring = match kind {
        // Some programs change their directory as often as others open files.
        RecordKind::Open
        | RecordKind::Connect
        | RecordKind::ExecFailed
        | RecordKind::Call
        | RecordKind::WorkingDirectory => &EVENT_RING,
        _ => &PROCESS_RING,
    };
    if ring.output::<[u8]>(record, u64::from(flags)).is_err() {
        count_drop(kind as u32);
    }
}
