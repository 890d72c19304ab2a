//! Addresses: where a message goes.

use agent_ebpf::{BUFFER_MESSAGE, DROP_USED, HOOK_SENDMSG, SectionTag};
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::macros::{fentry, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::FEntryContext;

use super::awaited;
use crate::call::ADDRESS;
use crate::connect::thread;
use crate::kernel::{Untyped, offset};
use crate::output::count_drop;
use crate::record_writer::RecordWriter;

/// The kernel's copy of a destination.
#[repr(C)]
struct Destination {
    /// Bytes; 0 if the message names none.
    length: u64,
    bytes: [u8; ADDRESS as usize],
}

/// By thread. Each is removed by the exit of its call. The agent sets the number.
#[map]
static DESTINATIONS: HashMap<u64, Destination> = HashMap::with_max_entries(1, 0);

/// `security_socket_sendmsg(socket, message, size)`, once for each message.
#[fentry(function = "security_socket_sendmsg")]
pub(crate) fn used_by_sendmsg(context: FEntryContext) -> u32 {
    let message = Untyped(context.arg::<u64>(1));
    let name = message.follow(offset!(message_name));
    let Some(capture) = awaited(HOOK_SENDMSG) else {
        return 0;
    };
    // Most sends name nobody. Of a plain one the registers say so as well, and nobody changes those.
    if name.is_null() && capture.buffer_kind != BUFFER_MESSAGE {
        return 0;
    }
    let mut destination = Destination {
        length: 0,
        bytes: [0; ADDRESS as usize],
    };
    if !name.is_null() {
        let length = u64::from(message.read::<u32>(offset!(message_name_length)));
        destination.length = if length > ADDRESS { ADDRESS } else { length };
        // SAFETY: the helper writes as many bytes as the place has; the kernel's copy has room for as many
        // (`struct sockaddr_storage`).
        unsafe {
            let place = (&raw mut destination.bytes).cast();
            bpf_probe_read_kernel(place, ADDRESS as u32, name.0 as *const _);
        }
    }
    if DESTINATIONS.insert(thread(), &destination, 0).is_err() {
        count_drop(DROP_USED);
    }
    0
}

/// A section with the destination that the current call's hook told, if that named one; `false` if the hook told
/// nothing: the call did not come that far, or it had no destination in its registers.
#[inline(always)]
pub(crate) fn destination_section(writer: RecordWriter) -> bool {
    let thread = thread();
    let Some(destination) = DESTINATIONS.get_ptr(thread) else {
        return false;
    };
    // SAFETY: the entry is in its map, and only this thread writes to it or removes it.
    let (length, bytes) = unsafe { ((*destination).length, (&raw const (*destination).bytes)) };
    if length > 0 {
        writer.begin_section();
        writer.append_kernel::<{ 2 * ADDRESS }>(bytes as u64, length);
        writer.end_section(SectionTag::Address, 0);
    }
    forget_destination();
    true
}

/// Forgets what the current call's hook told, of a call that is not recorded.
#[inline(always)]
pub(crate) fn forget_destination() {
    // There is none if the call failed before its hook.
    let _removed = DESTINATIONS.remove(thread());
}
