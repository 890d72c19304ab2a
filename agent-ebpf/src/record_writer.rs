//! Puts a record together in a scratch buffer.
//!
//! The write position is kept in map memory and read again at each step, so that to the verifier
//! it is an unknown number that a mask bounds. Kept in a register it would be a different range on
//! each path through the program, and the verifier would walk them all.

use agent_ebpf::{
    ALIGNMENT, DETACHED, DROP_SCRATCH_BUSY, FILE_SPAN, Header, MAX_RECORD, RecordKind,
    SHORT_NAME_WORDS, SectionHeader, SectionTag, TRUNCATED, UNREADABLE,
};
use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_probe_read_kernel, bpf_probe_read_kernel_str,
    bpf_probe_read_user, bpf_probe_read_user_str,
};

use crate::kernel::{Untyped, setting};
use crate::output::{SCRATCH, commit, count_drop};

/// Bounds the position: any value up to this leaves room for the largest single write.
const POSITION_MASK: u64 = MAX_RECORD as u64 - 1;

/// One CPU's buffer. Twice the largest record, so that a write of up to `MAX_RECORD` bytes at any
/// masked position stays inside.
#[repr(C)]
pub(crate) struct Scratch {
    busy: u64,
    /// Which of the buffers it is.
    index: u64,
    opaque: u64,
    /// Of a call of another ABI: the number of the same call in the 64-bit one, the flag of the header that
    /// says which, the result, and the arguments. The last two are zeros.
    foreign_number: u64,
    foreign_flag: u64,
    foreign_result: i64,
    foreign_arguments: [u64; 8],
    position: u64,
    section: u64,
    /// The root directory that was last found to be the top of its mount tree: mount, dentry, and the
    /// mount above.
    top: [u64; 3],
    /// A copy of the part of a `struct file` that matters; twice as long as what is copied, for
    /// reads at masked offsets.
    file: [u8; 2 * FILE_SPAN as usize],
    bytes: [u8; 2 * MAX_RECORD],
}

/// A record under construction.
#[derive(Clone, Copy)]
pub(crate) struct RecordWriter(*mut Scratch);

impl RecordWriter {
    /// Takes this CPU's buffer. `None` if it is in use, which is counted: a program of ours was
    /// preempted by another one, which today's kernels do not do.
    #[inline(always)]
    pub(crate) fn begin() -> Option<Self> {
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        let scratch = SCRATCH.get_ptr_mut(cpu as u32)?;
        // SAFETY: the cell is this CPU's; `busy` keeps out a second program.
        unsafe {
            if core::ptr::read_volatile(&raw const (*scratch).busy) != 0 {
                count_drop(DROP_SCRATCH_BUSY);
                return None;
            }
            core::ptr::write_volatile(&raw mut (*scratch).busy, 1);
            core::ptr::write_volatile(&raw mut (*scratch).index, cpu.into());
            (*scratch).position = size_of::<Header>() as u64;
        }
        Some(Self(scratch))
    }

    /// Starts a record in a buffer that belongs to no CPU, and that the caller has to itself.
    #[inline(always)]
    pub(crate) fn begin_at(index: u32) -> Option<Self> {
        let scratch = SCRATCH.get_ptr_mut(index)?;
        // SAFETY: the cell is the caller's.
        unsafe {
            core::ptr::write_volatile(&raw mut (*scratch).index, index.into());
            (*scratch).position = size_of::<Header>() as u64;
        }
        Some(Self(scratch))
    }

    /// The record that is under construction in this buffer.
    #[inline(always)]
    pub(crate) fn resume_at(index: u64) -> Option<Self> {
        SCRATCH.get_ptr_mut(index as u32).map(Self)
    }

    /// The number of the buffer, for [`Self::resume_at`].
    #[inline(always)]
    pub(crate) fn index(self) -> u64 {
        // SAFETY: `self` came from `begin`.
        unsafe { core::ptr::read_volatile(&raw const (*self.0).index) }
    }

    /// Room for something else than a record.
    #[inline(always)]
    pub(crate) fn room<T>(self) -> *mut T {
        const { assert!(size_of::<T>() <= MAX_RECORD) }
        // SAFETY: the buffer is longer, and 8-aligned as the cell is.
        unsafe { (&raw mut (*self.0).bytes).cast() }
    }

    /// Says in the header that the record is of an operation of `io_uring`, which stands for this system call;
    /// the name is the process's and not that of a thread that the kernel made.
    #[cfg(not(feature = "bounded"))]
    #[inline(always)]
    pub(crate) fn mark_io_uring(self, syscall: u32, name: [u64; 2]) {
        let header = self.header();
        // SAFETY: the header is inside the scratch buffer, which this program owns.
        unsafe {
            (*header).syscall = syscall;
            (*header).flags |= agent_ebpf::VIA_IO_URING;
            (&raw mut (*header).comm)
                .cast::<[u64; 2]>()
                .write_unaligned(name);
        }
    }

    /// The record that the current program has under construction.
    #[inline(always)]
    pub(crate) fn resume() -> Option<Self> {
        // SAFETY: the helper has no preconditions.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        SCRATCH.get_ptr_mut(cpu as u32).map(Self)
    }

    /// Notes a call of another ABI, for the program that is called next.
    #[inline(always)]
    pub(crate) fn set_foreign(self, number: u64, flag: u32, result: i64) {
        // SAFETY: `self` came from `resume`, and no other program runs on this CPU meanwhile.
        unsafe {
            (*self.0).foreign_number = number;
            (*self.0).foreign_flag = u64::from(flag);
            (*self.0).foreign_result = result;
        }
    }

    /// Notes the arguments of such a call.
    #[inline(always)]
    pub(crate) fn set_foreign_arguments(self, arguments: &[u64; 6]) {
        // SAFETY: as in `set_foreign`.
        unsafe {
            let mut position = 0;
            while position < 6 {
                let place = &raw mut (*self.0).foreign_arguments[position];
                core::ptr::write_volatile(place, arguments[position]);
                position += 1;
            }
        }
    }

    /// The number and the result of the call that was noted.
    #[inline(always)]
    pub(crate) fn foreign_call(self) -> (u32, i64) {
        // SAFETY: `self` came from `resume`.
        unsafe { ((*self.0).foreign_number as u32, (*self.0).foreign_result) }
    }

    /// The request of `io_uring` that was noted in the place of a number, and its result.
    #[cfg(not(feature = "bounded"))]
    #[inline(always)]
    pub(crate) fn noted_request(self) -> (u64, i64) {
        // SAFETY: `self` came from `resume`.
        unsafe { ((*self.0).foreign_number, (*self.0).foreign_result) }
    }

    /// An argument of the call that was noted.
    #[inline(always)]
    pub(crate) fn foreign_argument(self, position: usize) -> u64 {
        // SAFETY: `self` came from `resume` or `begin`; the position is a constant below 6.
        unsafe { core::ptr::read_volatile(&raw const (*self.0).foreign_arguments[position]) }
    }

    /// The same at any position; zero at those from 6.
    #[inline(always)]
    pub(crate) fn foreign_word(self, position: u8) -> u64 {
        // SAFETY: `self` came from `resume`; the masked position is within the eight words.
        unsafe {
            let words = (&raw const (*self.0).foreign_arguments).cast::<u64>();
            core::ptr::read_volatile(words.add(usize::from(position & 7)))
        }
    }

    /// Says in the header that the record is of the call that was noted.
    #[inline(always)]
    pub(crate) fn mark_foreign(self) {
        let header = self.header();
        // SAFETY: the header is inside the scratch buffer, which this program owns.
        unsafe {
            (*header).syscall = (*self.0).foreign_number as u32;
            (*header).flags |= (*self.0).foreign_flag as u32;
        }
    }

    /// Copies what matters of a `struct file`, to be read by [`Self::of_file`].
    #[inline(always)]
    pub(crate) fn copy_file(self, file: Untyped) {
        let start = file.plus(setting!(file_span));
        // SAFETY: the copy is as long as what is read, and this program owns it.
        unsafe {
            let copy = (&raw mut (*self.0).file).cast();
            bpf_probe_read_kernel(copy, FILE_SPAN, start.0 as *const _);
        }
    }

    /// A member of the file that was copied last, by its offset in `struct file`.
    #[inline(always)]
    pub(crate) fn of_file<T: Copy>(self, offset: u32) -> T {
        let at = offset.wrapping_sub(setting!(file_span)) & (FILE_SPAN - 1);
        // SAFETY: the masked offset and a member of at most `FILE_SPAN` bytes are in the copy.
        unsafe {
            let copy = (&raw const (*self.0).file).cast::<u8>().add(at as usize);
            core::ptr::read_volatile(copy.cast::<T>())
        }
    }

    /// The first byte behind the header of the section that was written last; meaningless if that
    /// section is empty.
    #[inline(always)]
    pub(crate) fn first_of_section(self) -> u8 {
        // SAFETY: the masked start of the section is in the first half of the buffer.
        unsafe {
            let start = core::ptr::read_volatile(&raw const (*self.0).section) & POSITION_MASK;
            let bytes = (&raw const (*self.0).bytes).cast::<u8>();
            *bytes.add(start as usize + size_of::<SectionHeader>())
        }
    }

    /// The mount, its dentry and the mount above that were last found to be the top of a mount tree.
    #[inline(always)]
    pub(crate) fn known_top(self) -> [u64; 3] {
        // SAFETY: `self` came from `begin`.
        unsafe { core::ptr::read_volatile(&raw const (*self.0).top) }
    }

    /// Remembers that these are the top of a mount tree.
    #[inline(always)]
    pub(crate) fn remember_top(self, top: [u64; 3]) {
        // SAFETY: `self` came from `begin`.
        unsafe { core::ptr::write_volatile(&raw mut (*self.0).top, top) }
    }

    /// The same value, of which the verifier knows nothing.
    #[inline(always)]
    pub(crate) fn opaque(self, value: u64) -> u64 {
        // SAFETY: `self` came from `begin`.
        unsafe {
            let place = &raw mut (*self.0).opaque;
            core::ptr::write_volatile(place, value);
            core::ptr::read_volatile(place)
        }
    }

    /// Gives the buffer back without a record.
    #[inline(always)]
    pub(crate) fn abandon(self) {
        // SAFETY: `self` came from `begin`.
        unsafe { core::ptr::write_volatile(&raw mut (*self.0).busy, 0) }
    }

    /// The header, to be filled in place.
    #[inline(always)]
    pub(crate) fn header(self) -> *mut Header {
        // SAFETY: the buffer is longer than a header, and 8-aligned as the cell is.
        unsafe { (&raw mut (*self.0).bytes).cast() }
    }

    /// The fixed part that follows the header, zeroed, to be filled in place.
    ///
    /// `T` has a size that is a multiple of [`ALIGNMENT`].
    #[inline(always)]
    pub(crate) fn fixed_part<T>(self) -> *mut T {
        const { assert!(size_of::<T>().is_multiple_of(ALIGNMENT)) }
        // SAFETY: header and fixed part together are far below the buffer's size.
        unsafe {
            (*self.0).position = (size_of::<Header>() + size_of::<T>()) as u64;
            let part = (&raw mut (*self.0).bytes)
                .cast::<u8>()
                .add(size_of::<Header>());
            let mut word = 0;
            while word < size_of::<T>() / 8 {
                core::ptr::write_volatile(part.cast::<u64>().add(word), 0);
                word += 1;
            }
            part.cast()
        }
    }

    /// Sets the header's length and commits the record.
    #[inline(always)]
    pub(crate) fn submit(self, kind: RecordKind) {
        let header = self.header();
        let length = self.position();
        // SAFETY: the masked length is within the buffer.
        unsafe {
            (*header).length = length as u32;
            let bytes = (&raw const (*self.0).bytes).cast::<u8>();
            commit(kind, core::slice::from_raw_parts(bytes, length as usize));
        }
        self.abandon();
    }

    #[inline(always)]
    pub(crate) fn position(self) -> u64 {
        // SAFETY: `self` came from `begin`.
        unsafe { core::ptr::read_volatile(&raw const (*self.0).position) & POSITION_MASK }
    }

    #[inline(always)]
    pub(crate) fn advance(self, bytes: u64) {
        // SAFETY: `self` came from `begin`.
        unsafe {
            let position = &raw mut (*self.0).position;
            core::ptr::write_volatile(position, core::ptr::read_volatile(position) + bytes);
        }
    }

    /// Where the next byte goes.
    #[inline(always)]
    fn cursor(self) -> *mut u8 {
        // SAFETY: the masked position is in the first half of the buffer.
        unsafe {
            (&raw mut (*self.0).bytes)
                .cast::<u8>()
                .add(self.position() as usize)
        }
    }

    /// Whether `bytes` more fit into a record, and after them the headers of what still follows.
    #[inline(always)]
    pub(crate) fn has_room(self, bytes: u64) -> bool {
        // SAFETY: `self` came from `begin`.
        let position = unsafe { core::ptr::read_volatile(&raw const (*self.0).position) };
        position + bytes + 1024 < MAX_RECORD as u64
    }

    /// Bytes of the section that was begun, its header included.
    #[inline(always)]
    pub(crate) fn section_size(self) -> u64 {
        // SAFETY: `self` came from `begin`.
        let start = unsafe { core::ptr::read_volatile(&raw const (*self.0).section) };
        self.position().wrapping_sub(start)
    }

    /// Goes on at this offset of the buffer, as if a section began there. Nothing that was written behind it is kept.
    #[inline(always)]
    pub(crate) fn move_to(self, offset: u64) {
        // SAFETY: `self` came from `begin_at`.
        unsafe {
            core::ptr::write_volatile(&raw mut (*self.0).section, offset);
            core::ptr::write_volatile(&raw mut (*self.0).position, offset);
        }
    }

    /// Starts a section; its header is written by [`Self::end_section`].
    #[inline(always)]
    pub(crate) fn begin_section(self) {
        // SAFETY: `self` came from `begin`.
        unsafe { core::ptr::write_volatile(&raw mut (*self.0).section, self.position()) }
        self.advance(size_of::<SectionHeader>() as u64);
    }

    /// Ends the section: everything written since [`Self::begin_section`] is in it.
    #[inline(always)]
    pub(crate) fn end_section(self, tag: SectionTag, flags: u16) {
        // SAFETY: the masked start of the section is in the first half of the buffer.
        unsafe {
            let start = core::ptr::read_volatile(&raw const (*self.0).section) & POSITION_MASK;
            let end = self.position();
            let header = (&raw mut (*self.0).bytes)
                .cast::<u8>()
                .add(start as usize)
                .cast::<SectionHeader>();
            (*header).tag = tag as u16;
            (*header).flags = flags;
            (*header).length = (end - start) as u32 - size_of::<SectionHeader>() as u32;
            let padding = (ALIGNMENT as u64 - 1) & end.wrapping_neg();
            self.advance(padding);
        }
    }

    /// A section with the string at a user address, without its NUL.
    #[inline(always)]
    pub(crate) fn user_string(self, tag: SectionTag, address: u64) {
        // One more than the longest valid string and its NUL, to tell a full one from a cut one.
        const LIMIT: u32 = agent_ebpf::MAX_STRING as u32 + 8;
        self.begin_section();
        // SAFETY: the cursor has MAX_RECORD bytes behind it, more than LIMIT.
        let taken =
            unsafe { bpf_probe_read_user_str(self.cursor().cast(), LIMIT, address as *const _) };
        self.end_string(tag, taken, u64::from(LIMIT));
    }

    /// A section with the string at a kernel address, without its NUL.
    #[inline(always)]
    pub(crate) fn kernel_string(self, tag: SectionTag, address: u64) {
        const LIMIT: u32 = agent_ebpf::MAX_STRING as u32 + 8;
        self.begin_section();
        // SAFETY: as in `user_string`.
        let taken =
            unsafe { bpf_probe_read_kernel_str(self.cursor().cast(), LIMIT, address as *const _) };
        self.end_string(tag, taken, u64::from(LIMIT));
    }

    #[inline(always)]
    fn end_string(self, tag: SectionTag, taken: i64, limit: u64) {
        let mut flags = 0;
        if taken <= 0 {
            flags = UNREADABLE;
        } else {
            let with_nul = taken as u64;
            if with_nul >= limit {
                flags = TRUNCATED;
            }
            self.advance(with_nul - 1);
        }
        self.end_section(tag, flags);
    }

    /// A section with user memory from `start` to `end`, at most `LIMIT` bytes (a power of two).
    #[inline(always)]
    pub(crate) fn user_bytes<const LIMIT: u64>(self, tag: SectionTag, start: u64, end: u64) {
        self.begin_section();
        let present = end.wrapping_sub(start);
        let mut flags = 0;
        let mut length = present;
        if end < start {
            length = 0;
        } else if present > LIMIT {
            length = LIMIT;
            flags = TRUNCATED;
        }
        // The verifier forgets the comparison above when the value passes through the stack; the
        // mask is what bounds it.
        let length = core::hint::black_box(length) & (2 * LIMIT - 1);
        // SAFETY: the cursor has MAX_RECORD bytes behind it, more than 2 * LIMIT.
        let failed =
            unsafe { bpf_probe_read_user(self.cursor().cast(), length as u32, start as *const _) }
                != 0;
        if failed {
            flags |= UNREADABLE;
        } else {
            self.advance(length);
        }
        self.end_section(tag, flags);
    }

    /// A section with the strings that a user array of pointers, ended by a null, points to.
    #[inline(always)]
    pub(crate) fn user_argv(self, argv: u64) {
        const STRINGS: u64 = 32;
        const LIMIT: u32 = 512;
        self.begin_section();
        // Unless the end of the array is found.
        let mut flags = TRUNCATED;
        let mut cut = 0;
        let mut index = 0;
        while index < STRINGS {
            let mut string = 0_u64;
            // SAFETY: the helper writes 8 bytes to `string`; the cursor has MAX_RECORD bytes
            // behind it, more than LIMIT.
            let taken = unsafe {
                let place = argv.wrapping_add(index * 8) as *const _;
                if bpf_probe_read_user((&raw mut string).cast(), 8, place) != 0 {
                    flags = UNREADABLE;
                    break;
                }
                if string == 0 {
                    flags = 0;
                    break;
                }
                bpf_probe_read_user_str(self.cursor().cast(), LIMIT, string as *const _)
            };
            if taken <= 0 {
                flags |= UNREADABLE;
                break;
            }
            // A string that fills its room is most likely longer.
            if taken as u64 == u64::from(LIMIT) {
                cut = TRUNCATED;
            }
            self.advance(taken as u64);
            index += 1;
        }
        self.end_section(SectionTag::Args, flags | cut);
    }

    /// Room for a fixed structure in the section that was begun, zeroed, to be filled in place.
    ///
    /// `T` has a size that is a multiple of [`ALIGNMENT`], as has the position of every section.
    #[inline(always)]
    pub(crate) fn part_of_section<T>(self) -> *mut T {
        const { assert!(size_of::<T>().is_multiple_of(ALIGNMENT)) }
        let part = self.cursor();
        // SAFETY: the cursor has MAX_RECORD bytes behind it.
        unsafe {
            let mut word = 0;
            while word < size_of::<T>() / 8 {
                core::ptr::write_volatile(part.cast::<u64>().add(word), 0);
                word += 1;
            }
        }
        self.advance(size_of::<T>() as u64);
        part.cast()
    }

    /// Adds up to `LIMIT` (a power of two) bytes of user memory to the section that was begun; whether
    /// they could be read.
    #[inline(always)]
    pub(crate) fn append_user<const LIMIT: u64>(self, address: u64, length: u64) -> bool {
        let length = if length < LIMIT { length } else { LIMIT - 1 };
        let length = core::hint::black_box(length) & (LIMIT - 1);
        // SAFETY: the cursor has MAX_RECORD bytes behind it, more than LIMIT.
        let failed = unsafe {
            bpf_probe_read_user(self.cursor().cast(), length as u32, address as *const _)
        } != 0;
        if !failed {
            self.advance(length);
        }
        !failed
    }

    /// Adds fewer than `LIMIT` (a power of two) bytes of kernel memory to the section that was begun.
    #[inline(always)]
    pub(crate) fn append_kernel<const LIMIT: u64>(self, address: u64, length: u64) {
        let length = core::hint::black_box(length) & (LIMIT - 1);
        // SAFETY: the cursor has MAX_RECORD bytes behind it, more than LIMIT; what cannot be read is zeros.
        unsafe {
            bpf_probe_read_kernel(self.cursor().cast(), length as u32, address as *const _);
        }
        self.advance(length);
    }

    /// A section with `length` (below 256) bytes of kernel memory.
    #[inline(always)]
    pub(crate) fn kernel_bytes(self, tag: SectionTag, address: u64, length: u64) {
        self.begin_section();
        let length = core::hint::black_box(length) & 0xff;
        // SAFETY: the cursor has MAX_RECORD bytes behind it.
        let failed = unsafe {
            bpf_probe_read_kernel(self.cursor().cast(), length as u32, address as *const _)
        } != 0;
        if failed {
            self.end_section(tag, UNREADABLE);
        } else {
            self.advance(length);
            self.end_section(tag, 0);
        }
    }

    /// One component of a path: its length in a word, then the name, to the end of a word.
    #[inline(always)]
    pub(crate) fn component(self, name: u64, length: u32) {
        let cursor = self.cursor();
        // NAME_MAX is 255, but FUSE lets a name be longer: such a one is cut there, and not to the
        // rest of a division, which could be any name.
        let length = if length > 0xff { 0xff } else { length };
        let length = core::hint::black_box(length) & 0xff;
        // SAFETY: the cursor has MAX_RECORD bytes behind it.
        unsafe {
            *cursor.cast::<u64>() = u64::from(length);
            bpf_probe_read_kernel(cursor.add(8).cast(), length, name as *const _);
        }
        self.advance(component_size(u64::from(length)));
    }

    /// The same for a name of `length` bytes that has been read already.
    #[inline(always)]
    pub(crate) fn short_component(self, name: [u64; SHORT_NAME_WORDS], length: u32) {
        let words = self.cursor().cast::<u64>();
        // SAFETY: the cursor has MAX_RECORD bytes behind it, and is at a multiple of 8 as all parts of a
        // walk's section are.
        unsafe {
            *words = u64::from(length);
            *words.add(1) = name[0];
            *words.add(2) = name[1];
            *words.add(3) = name[2];
            *words.add(4) = name[3];
        }
        self.advance(component_size(u64::from(length)));
    }

    /// One component of a path whose length is not known: up to its NUL.
    #[inline(always)]
    pub(crate) fn component_string(self, name: u64) {
        let cursor = self.cursor();
        // SAFETY: the cursor has MAX_RECORD bytes behind it.
        unsafe {
            let taken = bpf_probe_read_kernel_str(cursor.add(8).cast(), 256, name as *const _);
            let length = if taken > 0 {
                (taken - 1) as u64 & 0xff
            } else {
                0
            };
            *cursor.cast::<u64>() = length;
            self.advance(component_size(length));
        }
    }
}

/// Bytes of a component with a name of `length` bytes.
#[inline(always)]
fn component_size(length: u64) -> u64 {
    8 + ((length + 7) & !7)
}

/// How a walk up a path ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    AtRoot,
    Truncated,
    Detached,
}

impl WalkEnd {
    #[inline(always)]
    pub(crate) fn section_flags(self) -> u16 {
        match self {
            Self::AtRoot => 0,
            Self::Truncated => TRUNCATED,
            Self::Detached => DETACHED,
        }
    }
}
