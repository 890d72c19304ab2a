//! The `struct iovec`s of an operation, which are taken down when it begins: a program can use their memory for something
//! else from then on.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};

use super::operation::Operation;
use crate::call::{MAX_VECTORS, VECTORS};
use crate::kernel::{Untyped, offset, setting};

/// [`Operation::values`]: the number of `struct iovec`s, of which the first [`VECTORS`] are in [`Operation::second`].
pub(super) const VECTOR_COUNT: usize = 7;
/// Bytes of `struct iovec`.
pub(super) const VECTOR: u64 = 16;

/// Whose addresses they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Kernel,
    User,
}

/// Vectors that are somewhere.
#[derive(Clone, Copy)]
pub(super) struct Vectors {
    pub(super) place: u64,
    pub(super) count: u64,
    pub(super) space: Space,
}

impl Vectors {
    pub(super) const NONE: Self = Self {
        place: 0,
        count: 0,
        space: Space::Kernel,
    };

    /// Those of a `struct iov_iter`, of which nothing was moved yet; none if it is about something else. A plain buffer is
    /// noted here, as the only one.
    #[inline(always)]
    pub(super) fn of_iterator(iterator: Untyped, operation: &mut Operation) -> Option<Self> {
        let kind = u32::from(iterator.read::<u8>(offset!(iterator_type)));
        let place: u64 = iterator.read(offset!(iterator_vectors));
        if kind == setting!(iterator_plain) {
            // SAFETY: a place for two words at the start of 4 KiB at a multiple of 8.
            unsafe {
                let vector = operation.second.as_mut_ptr().cast::<u64>();
                *vector = place;
                *vector.add(1) = iterator.read(offset!(iterator_count));
            }
            operation.values[VECTOR_COUNT] = 1;
            return None;
        }
        if kind != setting!(iterator_vector) {
            return Some(Self::NONE);
        }
        Some(Self {
            place,
            count: iterator.read(offset!(iterator_segments)),
            space: Space::Kernel,
        })
    }

    /// Takes them down.
    #[inline(always)]
    pub(super) fn note(self, operation: &mut Operation) {
        let count = if self.count > MAX_VECTORS {
            MAX_VECTORS
        } else {
            self.count
        };
        let copied = if count > VECTORS { VECTORS } else { count };
        // For the verifier.
        let length = core::hint::black_box(copied * VECTOR) & (2 * VECTORS * VECTOR - 1);
        let place = operation.second.as_mut_ptr().cast();
        // SAFETY: the masked length is far below that of the place.
        let failed = unsafe {
            match self.space {
                Space::Kernel => {
                    bpf_probe_read_kernel(place, length as u32, self.place as *const _)
                }
                Space::User => bpf_probe_read_user(place, length as u32, self.place as *const _),
            }
        };
        operation.values[VECTOR_COUNT] = if failed == 0 { count } else { 0 };
    }
}
