//! The memory that the allocator keeps.

/// Returns to the system what is free in the heap: reading the kernel's types and loading the programs leaves
/// some 15 MB there, which the allocator would keep.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` may be called at any time and touches only memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
