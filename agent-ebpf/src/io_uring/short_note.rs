//! What little is noted of an operation of which the request tells the rest when it ends.

use agent_ebpf::DROP_OPERATIONS;
use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;

use super::kind::Kind;
use super::operation::{OPERATIONS, UNKNOWN, descriptor_of};
use super::read_write::position_of;
use crate::kernel::{Untyped, offset, setting};
use crate::output::count_drop;

/// What is noted of such an operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct ShortNote {
    /// The descriptor; -1 if it has none. The request keeps something else in its place later.
    descriptor: i64,
    /// The socket that was accepted into a slot of the ring, or [`UNKNOWN`].
    pub(super) file: u64,
    /// Where in the file a read or write begins.
    position: i64,
}

/// By the address of the request. A server waits for many sockets at the same time, so there is room for more of these
/// than for [`OPERATIONS`]. What is forgotten is recorded without its descriptor's number.
#[map]
pub(super) static SHORT_NOTES: LruHashMap<u64, ShortNote> = LruHashMap::with_max_entries(1, 0);

/// Takes down what is known when an operation begins and gone when it ends.
#[inline(always)]
pub(super) fn note_shortly(kind: Kind, request: Untyped, command: Untyped) {
    let is_slot = kind == Kind::Accept && command.read::<u32>(offset!(io_accept_slot)) != 0;
    let noted = ShortNote {
        descriptor: descriptor_of(request).cast_signed(),
        // It gets no descriptor.
        file: if is_slot { UNKNOWN } else { 0 },
        position: if kind.moves_data() {
            position_of(request, command)
        } else {
            0
        },
    };
    if SHORT_NOTES.insert(request.0, noted, 0).is_err() {
        count_drop(DROP_OPERATIONS);
    }
}

/// Forgets what was noted of an operation.
#[inline(always)]
pub(super) fn forget(kind: Kind, request: Untyped) {
    // It may have gone by itself.
    let _gone = if kind.is_noted_in_full() {
        OPERATIONS.remove(request.0)
    } else {
        SHORT_NOTES.remove(request.0)
    };
}

/// Whether anything is noted of an operation.
#[inline(always)]
pub(super) fn is_noted(kind: Kind, request: Untyped) -> bool {
    if kind.is_noted_in_full() {
        OPERATIONS.get_ptr(request.0).is_some()
    } else {
        SHORT_NOTES.get_ptr(request.0).is_some()
    }
}

/// Whether a request completes many times.
#[inline(always)]
pub(super) fn is_multishot(request: Untyped) -> bool {
    request.read::<u32>(offset!(request_flags)) & setting!(request_multishot) != 0
}

/// The descriptor of an operation that is under way; -1 if there is none, or it was forgotten.
#[inline(always)]
pub(super) fn noted_descriptor(kind: Kind, request: Untyped) -> i64 {
    // SAFETY: what is found is in its map.
    unsafe {
        if kind.is_noted_in_full() {
            let noted = OPERATIONS.get_ptr(request.0);
            noted.map_or(-1, |noted| (*noted).values[0].cast_signed())
        } else {
            let noted = SHORT_NOTES.get_ptr(request.0);
            noted.map_or(-1, |noted| (*noted).descriptor)
        }
    }
}

/// Where in the file a read or write that is under way begins; 0 if that was forgotten.
#[inline(always)]
pub(super) fn noted_position(kind: Kind, request: Untyped) -> u64 {
    // SAFETY: what is found is in its map.
    unsafe {
        if kind.is_noted_in_full() {
            let noted = OPERATIONS.get_ptr(request.0);
            noted.map_or(0, |noted| (*noted).values[3])
        } else {
            let noted = SHORT_NOTES.get_ptr(request.0);
            noted.map_or(0, |noted| (*noted).position.cast_unsigned())
        }
    }
}
