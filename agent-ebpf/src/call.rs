//! System calls in general, seen at their exit: what is taken down of each stands in a map, by the
//! number of the call, so that one program serves many calls.
//!
//! There are four programs, so that the verifier has to walk, and a call to pay for, only what its
//! event needs.

use agent_ebpf::{
    ABSENT, BUFFER_MESSAGE, BUFFER_MESSAGES, BUFFER_NONE, BUFFER_PLAIN, CallPart, Capture,
    DROP_MESSAGES, HOOK_NONE, MAX_DATA, MAX_LISTED, MAX_MESSAGES, PathCapture, QueuePart,
    RECORD_FAILURE, RECORD_SUCCESS, RecordKind, SYSCALLS, SectionTag, TRUNCATED, UNREADABLE,
};
use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::{map, tracepoint};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::TracePointContext;

use crate::descriptor::{descriptor_sections, file_of, sock_of_file};
use crate::kernel::{Abi, Arguments, Typed, current_task, offset, setting};
use crate::listed::record_listed;
use crate::open::{AT_FDCWD, SYSCALL_NUMBER, SYSCALL_RESULT, syscall_result};
use crate::output::count_drop;
use crate::path::{KernelPath, path_section};
use crate::record_writer::RecordWriter;
use crate::security_hook::{
    destination_section, forget_destination, forget_used_paths, used_path_sections,
};
use crate::task::{is_agent, write_header};

/// What to take down, by number of the call.
#[map]
pub(crate) static CAPTURES: Array<Capture> = Array::with_max_entries(SYSCALLS, 0);

/// `values[RESULT - 1]` and what follows it.
pub(crate) const RESULT_VALUE: usize = 6;
pub(crate) const REQUESTED_VALUE: usize = 7;
/// `struct iovec`s of a call that are looked at.
pub(crate) const VECTORS: u64 = 16;
/// `UIO_MAXIOV`, more than which no call takes.
pub(crate) const MAX_VECTORS: u64 = 1024;
/// Bytes of the largest socket address, `struct sockaddr_storage`.
pub(crate) const ADDRESS: u64 = 128;
/// Bytes of control data that are taken (a power of two), less one: 253 descriptors, the most that one message carries, and the
/// sender's credentials fit.
const CONTROL: u64 = 2048;
/// The page size less one: what of user memory can be read at all can be read up to the end of its page.
const PAGE_MASK: u64 = 4095;
/// Bytes of `struct mmsghdr`, and where in it the length of the message is.
const MESSAGE: u64 = 64;
const MESSAGE_LENGTH: u64 = 56;
/// The same of `struct compat_mmsghdr`.
const NARROW_MESSAGE: u64 = 32;
const NARROW_MESSAGE_LENGTH: u64 = 28;

/// Arguments, strings and memory.
#[tracepoint(category = "syscalls", name = "sys_exit_plain")]
pub(crate) fn sys_exit_plain(context: TracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    plain(number, result, Abi::Native)
}

/// Paths besides.
#[tracepoint(category = "syscalls", name = "sys_exit_path")]
pub(crate) fn sys_exit_path(context: TracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    with_paths(number, result, Abi::Native)
}

/// The exit of a call without paths and descriptors, by whatever ABI.
#[inline(always)]
pub(crate) fn plain(number: u32, result: i64, abi: Abi) -> u32 {
    if let Some(call) = Call::begin(result, number, abi) {
        call.submit();
    }
    0
}

/// The exit of a call with paths, by whatever ABI.
#[inline(always)]
pub(crate) fn with_paths(number: u32, result: i64, abi: Abi) -> u32 {
    let Some(call) = Call::begin(result, number, abi) else {
        if is_hooked(number) {
            forget_used_paths();
        }
        return 0;
    };
    call.path(call.capture.paths[0], SectionTag::Path, SectionTag::Base);
    let second = call.capture.paths[1];
    if second.argument != 0 {
        call.path(second, SectionTag::SecondPath, SectionTag::SecondBase);
    }
    if call.capture.hook != HOOK_NONE {
        used_path_sections(call.writer, call.capture.hook);
    }
    call.submit();
    0
}

/// A descriptor, data and a socket address besides.
#[tracepoint(category = "syscalls", name = "sys_exit_descriptor")]
pub(crate) fn sys_exit_descriptor(context: TracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    with_descriptor(number, result, Abi::Native)
}

/// Whether a security hook may have told something of the call.
#[inline(always)]
fn is_hooked(number: u32) -> bool {
    CAPTURES
        .get(number)
        .is_some_and(|capture| capture.hook != HOOK_NONE)
}

/// Descriptors in memory besides, in place of a single one.
#[tracepoint(category = "syscalls", name = "sys_exit_list")]
pub(crate) fn sys_exit_list(context: TracePointContext) -> u32 {
    let (number, result) = number_and_result(&context);
    with_list(number, result, Abi::Native)
}

/// The exit of a call with a list of descriptors, by whatever ABI.
#[inline(always)]
pub(crate) fn with_list(number: u32, result: i64, abi: Abi) -> u32 {
    if let Some(call) = Call::begin(result, number, abi) {
        call.list();
        call.submit();
    }
    0
}

/// What the tracepoint of a system call's exit tells.
#[inline(always)]
fn number_and_result(context: &TracePointContext) -> (u32, i64) {
    let number = syscall_result(context, SYSCALL_NUMBER) as u32;
    (number, syscall_result(context, SYSCALL_RESULT))
}

/// The exit of a call with a descriptor, by whatever ABI.
#[inline(always)]
pub(crate) fn with_descriptor(number: u32, result: i64, abi: Abi) -> u32 {
    let result = result.cast_unsigned();
    let number = u64::from(number);
    let mut message = 0;
    while message < MAX_MESSAGES {
        let more = match abi {
            Abi::Native => record_message(result, number, message),
            Abi::Foreign => record_foreign_message(result, number, message),
        };
        if more == 0 {
            return 0;
        }
        message += 1;
    }
    count_drop(DROP_MESSAGES);
    0
}

/// A record of one message of a call, or of the only thing that the call moves; returns whether there are
/// more.
///
/// Visible from outside, so that the verifier checks it once and not for each message; see
/// [`crate::path::walk`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn record_message(result: u64, number: u64, message: u64) -> u64 {
    message_of(result, number, message, Abi::Native)
}

/// The same of a call by another ABI. A function of its own: in one, the compiler reads arguments of both kinds by
/// one instruction, which verifiers before 6.12 refuse ("same insn cannot be used with different pointers").
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn record_foreign_message(result: u64, number: u64, message: u64) -> u64 {
    message_of(result, number, message, Abi::Foreign)
}

#[inline(always)]
fn message_of(result: u64, number: u64, message: u64, abi: Abi) -> u64 {
    let Some(call) = Call::begin(result.cast_signed(), number as u32, abi) else {
        if is_hooked(number as u32) {
            forget_destination();
        }
        return 0;
    };
    let capture = call.capture;
    let is_told = capture.hook != HOOK_NONE && destination_section(call.writer);
    // To the verifier either: it would go through the rest once for each.
    let is_told = call.writer.opaque(u64::from(is_told)) != 0;
    call.buffer(message, is_told);
    if capture.address != 0 && !is_told {
        let mut length = call.value(capture.address_length);
        // Of a receiving call it is the address of the length.
        if capture.is_read == 1 {
            let address = length;
            length = 0;
            // SAFETY: the helper writes 4 bytes to `length`.
            unsafe { bpf_probe_read_user((&raw mut length).cast(), 4, address as *const _) };
        }
        call.address(call.value(capture.address), length);
    }
    if capture.descriptor != 0 {
        let descriptor = call.value(capture.descriptor) as u32;
        descriptor_sections(call.writer, call.task, descriptor);
    }
    if capture.queue != 0 {
        call.queue();
    }
    call.submit();
    // Of a call that moves messages the result is their number.
    let is_last = result.cast_signed() <= (message + 1).cast_signed();
    u64::from(capture.buffer_kind == BUFFER_MESSAGES && !is_last)
}

/// The directory that the path of the section before starts from, if it is a relative one or if the directory
/// is wanted in any case.
#[inline(always)]
pub(crate) fn path_base(
    writer: RecordWriter,
    task: Typed,
    directory: i32,
    is_always: bool,
    tag: SectionTag,
) {
    if writer.first_of_section() == b'/' && !is_always {
        return;
    }
    let base = if directory == AT_FDCWD {
        KernelPath::cwd_of(task)
    } else {
        KernelPath::of_file(file_of(task, directory.cast_unsigned()))
    };
    if !base.is_null() {
        let top = KernelPath::top_of(writer, task);
        path_section(writer, tag, top, base);
    }
}

/// A call that is being recorded.
#[derive(Clone, Copy)]
struct Call {
    writer: RecordWriter,
    /// Pointers in memory have 32 bits, of x32 too: its calls with vectors are those with numbers from 512 on, which
    /// take the structures of 32-bit programs.
    is_narrow: bool,
    capture: &'static Capture,
    part: *mut CallPart,
    task: Typed,
}

impl Call {
    /// Starts a record, with everything that is common to all calls; `None` if the call is not wanted.
    #[inline(always)]
    fn begin(result: i64, number: u32, abi: Abi) -> Option<Self> {
        let capture = CAPTURES.get(number)?;
        let outcome = if result < 0 {
            RECORD_FAILURE
        } else {
            RECORD_SUCCESS
        };
        if capture.outcomes & outcome == 0 || is_agent() {
            return None;
        }
        let writer = RecordWriter::begin()?;
        let task = current_task();
        let arguments = Arguments::of(task, writer, abi);
        let part = writer.fixed_part::<CallPart>();
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe {
            (*part).values[0] = arguments.get(0);
            (*part).values[1] = arguments.get(1);
            (*part).values[2] = arguments.get(2);
            (*part).values[3] = arguments.get(3);
            (*part).values[4] = arguments.get(4);
            (*part).values[5] = arguments.get(5);
            (*part).values[RESULT_VALUE] = result.cast_unsigned();
        }
        write_header(writer, RecordKind::Call, task, Some(result));
        if abi == Abi::Foreign {
            writer.mark_foreign();
        }
        let call = Self {
            writer,
            is_narrow: abi == Abi::Foreign,
            capture,
            part,
            task,
        };
        call.text(capture.texts[0], SectionTag::FirstText);
        call.text(capture.texts[1], SectionTag::SecondText);
        call.text(capture.texts[2], SectionTag::ThirdText);
        call.memory(0, SectionTag::FirstMemory);
        call.memory(1, SectionTag::SecondMemory);
        call.memory(2, SectionTag::ThirdMemory);
        Some(call)
    }

    /// An argument, or the result, by the number that a capture gives.
    #[inline(always)]
    fn value(self, number: u8) -> u64 {
        let index = usize::from(number.wrapping_sub(1)) & 7;
        // SAFETY: the masked index is within the eight values of the part in the scratch buffer.
        unsafe {
            let values = (&raw const (*self.part).values).cast::<u64>();
            core::ptr::read_volatile(values.add(index))
        }
    }

    #[inline(always)]
    fn text(self, argument: u8, tag: SectionTag) {
        if argument != 0 {
            self.writer.user_string(tag, self.value(argument));
        }
    }

    #[inline(always)]
    fn memory(self, slot: usize, tag: SectionTag) {
        let capture = self.capture.memory[slot];
        if capture.argument != 0 {
            self.writer.begin_section();
            let address = self.value(capture.argument);
            let length = u64::from(capture.length);
            let mut flags = 0;
            if !self.writer.append_user::<256>(address, length) {
                // A structure may be shorter than the longest that the call takes there.
                let present = PAGE_MASK + 1 - (address & PAGE_MASK);
                let is_read = present < length && self.writer.append_user::<256>(address, present);
                flags = if is_read { TRUNCATED } else { UNREADABLE };
            }
            self.writer.end_section(tag, flags);
        }
    }

    /// The descriptors that stand in memory, each with what it stands for.
    #[inline(always)]
    fn list(self) {
        let capture = self.capture;
        if capture.listed == 0 {
            // No rule asks.
            return;
        }
        let address = self.value(capture.listed);
        // Two that the call made.
        let mut number = 2;
        let mut size = 4;
        if capture.listed_number != 0 {
            // The number is an `unsigned int`.
            number = self.value(capture.listed_number) & 0xffff_ffff;
            size = 8;
        } else if self.value(agent_ebpf::RESULT).cast_signed() < 0 {
            return;
        }
        let mut index = 0;
        while index < MAX_LISTED {
            if index >= number {
                return;
            }
            if record_listed(address.wrapping_add(index * size), size) == 0 {
                break;
            }
            index += 1;
        }
        if index < number {
            self.writer.begin_section();
            self.writer.end_section(SectionTag::Listed, TRUNCATED);
        }
    }

    /// How many connections wait at a listening socket.
    #[inline(always)]
    fn queue(self) {
        let (length, limit) = (offset!(sock_queue_length), offset!(sock_queue_limit));
        let sock = sock_of_file(file_of(self.task, self.value(self.capture.queue) as u32));
        if sock.is_null() || length == ABSENT || limit == ABSENT {
            return;
        }
        self.writer.begin_section();
        let part = self.writer.part_of_section::<QueuePart>();
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe {
            (*part).length = sock.read(length);
            (*part).limit = sock.read(limit);
        }
        self.writer.end_section(SectionTag::Queue, 0);
    }

    /// The control data that came with a message.
    #[inline(always)]
    fn control(self, address: u64, length: u64) {
        if address == 0 || length == 0 {
            return;
        }
        self.writer.begin_section();
        let is_read = self.writer.append_user::<CONTROL>(address, length);
        let mut flags = if is_read { 0 } else { UNREADABLE };
        if length >= CONTROL {
            flags |= TRUNCATED;
        }
        self.writer.end_section(SectionTag::Control, flags);
    }

    #[inline(always)]
    fn path(self, capture: PathCapture, tag: SectionTag, base_tag: SectionTag) {
        self.writer.user_string(tag, self.value(capture.argument));
        let mut directory = AT_FDCWD;
        if capture.directory != 0 {
            directory = self.value(capture.directory) as i32;
        }
        let is_always = self.capture.always_base != 0;
        path_base(self.writer, self.task, directory, is_always, base_tag);
    }

    #[inline(always)]
    fn address(self, address: u64, length: u64) {
        if address == 0 {
            return;
        }
        // A longer one the kernel cuts, in a message, and refuses elsewhere. What is behind may not be there.
        let length = if length > ADDRESS { ADDRESS } else { length };
        self.writer.begin_section();
        let is_read = self.writer.append_user::<{ 2 * ADDRESS }>(address, length);
        let flags = if is_read { 0 } else { UNREADABLE };
        self.writer.end_section(SectionTag::Address, flags);
    }

    /// The start of the data that is moved, and the address that a message names.
    #[inline(always)]
    fn buffer(self, message: u64, is_address_known: bool) {
        let capture = self.capture;
        if capture.buffer_kind == BUFFER_NONE {
            return;
        }
        let mut address = self.value(capture.buffer);
        let mut length = self.value(capture.buffer_length);
        if capture.buffer_kind == BUFFER_PLAIN {
            self.set_requested(length);
            if capture.is_read == 1 {
                length = self.transferred();
            }
            self.writer.begin_section();
            let flags = append_data(address, length, 0) as u16;
            self.writer.end_section(SectionTag::Buffer, flags);
            return;
        }
        if capture.buffer_kind >= BUFFER_MESSAGE {
            if capture.buffer_kind == BUFFER_MESSAGES {
                let size = if self.is_narrow {
                    NARROW_MESSAGE
                } else {
                    MESSAGE
                };
                address = address.wrapping_add(message * size);
                self.set_message_length(address);
            }
            let header = self.message_header(address);
            if !is_address_known {
                self.address(header[0], header[1] & 0xffff_ffff);
            }
            // What it says of a call that failed is how much room there was.
            if capture.is_read == 1 && self.value(agent_ebpf::RESULT).cast_signed() >= 0 {
                self.control(header[4], header[5]);
            }
            (address, length) = (header[2], header[3]);
        }
        if length > MAX_VECTORS {
            length = MAX_VECTORS;
        }
        self.vectors(address, length);
    }

    #[inline(always)]
    fn vectors(self, address: u64, number: u64) {
        let mut requested = 0_u64;
        let mut left = u64::MAX;
        if self.capture.is_read == 1 {
            left = self.transferred();
        }
        self.writer.begin_section();
        let mut flags = if number > VECTORS {
            u64::from(TRUNCATED)
        } else {
            0
        };
        let mut taken = 0_u64;
        let mut index = 0;
        while index < VECTORS {
            if index >= number {
                break;
            }
            let vector = self.vector(address, index);
            requested = requested.wrapping_add(vector[1]);
            let length = if vector[1] < left { vector[1] } else { left };
            left = left.wrapping_sub(length);
            if length > 0 {
                flags |= append_data(vector[0], length, taken);
                taken = taken.saturating_add(length);
            }
            // To the verifier any numbers: it would go through the rest once for each way here.
            requested = self.writer.opaque(requested);
            left = self.writer.opaque(left);
            taken = self.writer.opaque(taken);
            flags = self.writer.opaque(flags);
            index += 1;
        }
        self.writer.end_section(SectionTag::Buffer, flags as u16);
        self.set_requested(requested);
    }

    /// What `struct user_msghdr` starts with: the address of the name, its length (and padding above 32 bits), the
    /// address of the vectors, their number, the address of control data, its length. Zeros if it cannot be read.
    #[inline(always)]
    fn message_header(self, address: u64) -> [u64; 6] {
        if self.is_narrow {
            // `struct compat_msghdr` has the same members in 32 bits each.
            let mut header = [0_u32; 6];
            // SAFETY: the helper writes 24 bytes to `header`, zeros if they cannot be read.
            unsafe { bpf_probe_read_user((&raw mut header).cast(), 24, address as *const _) };
            return header.map(u64::from);
        }
        let mut header = [0_u64; 6];
        // SAFETY: the helper writes 48 bytes to `header`, zeros if they cannot be read.
        unsafe { bpf_probe_read_user((&raw mut header).cast(), 48, address as *const _) };
        header
    }

    /// Address and length of the `struct iovec` at `index` of those at `address`; zeros if it cannot be read.
    #[inline(always)]
    fn vector(self, address: u64, index: u64) -> [u64; 2] {
        if self.is_narrow {
            // `struct compat_iovec`
            let mut vector = [0_u32; 2];
            let place = address.wrapping_add(index * 8) as *const _;
            // SAFETY: the helper writes 8 bytes to `vector`, zeros if they cannot be read.
            unsafe { bpf_probe_read_user((&raw mut vector).cast(), 8, place) };
            return vector.map(u64::from);
        }
        let mut vector = [0_u64; 2];
        let place = address.wrapping_add(index * 16) as *const _;
        // SAFETY: the helper writes 16 bytes to `vector`, zeros if they cannot be read.
        unsafe { bpf_probe_read_user((&raw mut vector).cast(), 16, place) };
        vector
    }

    /// Takes the length of a message that was moved for the call's result, which is the number of messages.
    #[inline(always)]
    fn set_message_length(self, address: u64) {
        if self.value(agent_ebpf::RESULT).cast_signed() <= 0 {
            return;
        }
        let mut length = 0_u32;
        // SAFETY: the helper writes 4 bytes to `length`, zeros if they cannot be read; the part and the header
        // are inside the scratch buffer, which this program owns.
        unsafe {
            let offset = if self.is_narrow {
                NARROW_MESSAGE_LENGTH
            } else {
                MESSAGE_LENGTH
            };
            let place = address.wrapping_add(offset) as *const _;
            bpf_probe_read_user((&raw mut length).cast(), 4, place);
            (*self.part).values[RESULT_VALUE] = u64::from(length);
            (*self.writer.header()).result = i64::from(length);
        }
    }

    /// Bytes that the call moved.
    #[inline(always)]
    fn transferred(self) -> u64 {
        let result = self.value(agent_ebpf::RESULT).cast_signed();
        if result > 0 { result as u64 } else { 0 }
    }

    #[inline(always)]
    fn set_requested(self, bytes: u64) {
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe { (*self.part).values[REQUESTED_VALUE] = bytes };
    }

    #[inline(always)]
    fn submit(self) {
        self.writer.submit(RecordKind::Call);
    }
}

/// Adds data to the section that was begun, `taken` bytes of which are data already; returns the flags that
/// say what is missing. Visible from outside for the verifier's sake, as [`record_message`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn append_data(address: u64, length: u64, taken: u64) -> u64 {
    match RecordWriter::resume() {
        Some(writer) => append_data_to(writer, address, length, taken),
        None => u64::from(UNREADABLE),
    }
}

/// The same to any record under construction.
#[inline(always)]
pub(crate) fn append_data_to(writer: RecordWriter, address: u64, length: u64, taken: u64) -> u64 {
    let limit = u64::from(setting!(data_bytes)).saturating_sub(taken);
    let mut flags = 0;
    let mut length = length;
    if length > limit {
        length = limit;
        flags = TRUNCATED;
    }
    if !writer.append_user::<{ MAX_DATA as u64 }>(address, length) {
        flags |= UNREADABLE;
    }
    u64::from(flags)
}
