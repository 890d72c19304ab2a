//! Operations of `io_uring`, which are no system calls.
//!
//! Each kind of operation is a function of the kernel (`io_unlinkat(request, flags)`, since 6.0), seen at its
//! entry and at its exit. At the entry the kernel's own copy of the names is taken down, which is gone at the exit; the
//! record is made at the exit, when the result is known.
//!
//! Where programs cannot be attached to functions, the tracepoints of a submission and of a completion take the
//! place of entry and exit. They know less: a program can ask for no completion (`IOSQE_CQE_SKIP_SUCCESS`), so such an
//! operation is recorded when it is submitted, as if it had succeeded.
//!
//! What runs an operation is the thread that submitted it, or one that the kernel made in the same process.

use agent_ebpf::{
    CallPart, DROP_OPERATIONS, DROP_SCRATCH_BUSY, OPEN_FAILED, OpenPart, RECORD_FAILURE,
    RECORD_SUCCESS, RING_CALL, RING_CONNECT, RING_OPEN, RecordKind, SHARED_BUFFERS, SectionTag,
};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use aya_ebpf::macros::{fentry, fexit, map, raw_tracepoint};
use aya_ebpf::maps::{HashMap, LruHashMap};
use aya_ebpf::programs::{FEntryContext, FExitContext, RawTracePointContext};

use crate::call::{CAPTURES, RESULT_VALUE, path_base};
use crate::connect::{self, Attempt, IN_PROGRESS};
use crate::descriptor::{file_of, sock_of_file};
use crate::foreign::PROGRAMS;
use crate::kernel::{Typed, Untyped, current_task, offset, setting};
use crate::open::{ACCESS_MODE, O_PATH, describe_file, is_wanted, opened_section};
use crate::output::count_drop;
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// Bytes of a name with its NUL: `PATH_MAX`.
const NAME: usize = 4096;
/// `-EAGAIN`, by which a function asks to be called again from where it may block.
const AGAIN: i64 = -11;
/// `-ECANCELED`
const CANCELLED: i64 = -125;

/// `IOSQE_CQE_SKIP_SUCCESS`, which `struct io_kiocb` has among its flags.
const SKIPS_SUCCESS: u32 = 1 << 6;
/// Where `struct io_uring_cqe` has the result.
const COMPLETION_RESULT: u32 = 8;
/// [`Operation::file`]: it cannot be told.
const UNKNOWN: u64 = u64::MAX;

/// What is known when an operation begins and gone when it ends.
#[repr(C)]
struct Operation {
    /// The arguments of the system call that it stands for, and two more to make an index a mask.
    values: [u64; 8],
    /// The file that it opened into a slot of the ring; not in the process's table of descriptors.
    file: u64,
    /// Whether it is a connect that had begun before.
    was_in_progress: u64,
    first: [u8; NAME],
    second: [u8; NAME],
}

/// By the address of the request. An operation that blocks for long may be forgotten for new ones. The agent sets the
/// number.
#[map]
static OPERATIONS: LruHashMap<u64, Operation> = LruHashMap::with_max_entries(1, 0);

/// The shared buffers that are in use. These programs can be preempted, by each other too, so the buffer of the CPU
/// is not theirs; that a key can be added once only makes the table a lock.
#[map]
static BUFFERS_IN_USE: HashMap<u32, u32> = HashMap::with_max_entries(SHARED_BUFFERS, 0);

/// A shared buffer that is this program's for now.
#[derive(Clone, Copy)]
struct Buffer {
    index: u32,
    writer: RecordWriter,
}

impl Buffer {
    /// Takes one.
    #[inline(always)]
    fn take() -> Option<Self> {
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

    /// Gives it back.
    #[inline(always)]
    fn give_back(self) {
        // It is there: nobody else removes it.
        let _removed = BUFFERS_IN_USE.remove(self.index);
    }
}

/// Copies the text of a `struct filename`.
#[inline(always)]
fn copy_name(place: &mut [u8; NAME], filename: Untyped) {
    let text = filename.follow(offset!(filename_name));
    // SAFETY: the helper writes at most as many bytes as the place has.
    unsafe {
        bpf_probe_read_kernel_str(place.as_mut_ptr().cast(), NAME as u32, text.0 as *const _);
    }
}

/// A descriptor as it is in a register: 32 bits with a sign.
#[inline(always)]
fn descriptor(command: Untyped, offset: u32) -> u64 {
    i64::from(command.read::<i32>(offset)).cast_unsigned()
}

/// An operation that ended.
struct Ended {
    operation: *mut Operation,
    request: Untyped,
    result: i64,
}

/// What was noted of the operation whose function returns, and its result; `None` if nothing is known of it.
#[inline(always)]
fn returned(context: &FExitContext) -> Option<Ended> {
    let request = Untyped(context.arg::<u64>(0));
    // What a function with two arguments returns is behind them.
    let returned = context.arg::<i32>(2);
    let result = if returned == 0 {
        request.read::<i32>(offset!(request_result))
    } else {
        returned
    };
    ended(request, i64::from(result))
}

/// What was noted of an operation.
#[inline(always)]
fn ended(request: Untyped, result: i64) -> Option<Ended> {
    if is_agent() {
        return None;
    }
    let Some(operation) = OPERATIONS.get_ptr_mut(request.0) else {
        count_drop(DROP_OPERATIONS);
        return None;
    };
    Some(Ended {
        operation,
        request,
        result,
    })
}

impl Ended {
    /// Forgets it.
    #[inline(always)]
    fn forget(&self) {
        // It may have gone by itself.
        let _gone = OPERATIONS.remove(self.request.0);
    }

    /// An argument of the system call that it stands for.
    #[inline(always)]
    fn value(&self, position: usize) -> u64 {
        // SAFETY: the operation is in its map, and the masked position is within its values.
        unsafe {
            let values = (&raw const (*self.operation).values).cast::<u64>();
            core::ptr::read_volatile(values.add(position & 7))
        }
    }

    /// Whether the function is going to be called again, from where it may block.
    #[inline(always)]
    fn is_to_be_continued(&self) -> bool {
        self.result == AGAIN
    }
}

/// The name of the process, whatever that of the thread.
#[inline(always)]
fn process_name(task: Typed) -> [u64; 2] {
    task.follow(offset!(task_group_leader))
        .untyped()
        .read(offset!(task_comm))
}

/// Which arguments of a system call have a name.
#[derive(Clone, Copy)]
enum Names {
    /// None.
    None,
    /// One, relative to the directory in this argument (from 0).
    One(usize),
    /// Two, each relative to the directory in its argument.
    Two(usize, usize),
    /// The first is a text, the second a name relative to the directory in this argument.
    TextAndName(usize),
}

/// Makes the record of an operation that stands for a system call recorded by its entry in `CAPTURES`.
#[inline(always)]
fn record_call(ended: &Ended, syscall: u32, names: Names) {
    let Some(capture) = CAPTURES.get(syscall) else {
        return;
    };
    let outcome = if ended.result < 0 {
        RECORD_FAILURE
    } else {
        RECORD_SUCCESS
    };
    if capture.outcomes & outcome == 0 {
        return;
    }
    let Some(buffer) = Buffer::take() else {
        return;
    };
    let writer = buffer.writer;
    let task = current_task();
    let part = writer.fixed_part::<CallPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns; the operation is in its map.
    unsafe {
        let mut position = 0;
        while position < 6 {
            (*part).values[position] = (*ended.operation).values[position];
            position += 1;
        }
        (*part).values[RESULT_VALUE] = ended.result.cast_unsigned();
    }
    write_header(writer, RecordKind::Call, task, Some(ended.result));
    writer.mark_io_uring(syscall, process_name(task));
    // SAFETY: only the addresses are taken.
    let (first, second) = unsafe {
        (
            (&raw const (*ended.operation).first) as u64,
            (&raw const (*ended.operation).second) as u64,
        )
    };
    let is_always = capture.always_base != 0;
    if let Names::TextAndName(_) = names {
        writer.kernel_string(SectionTag::FirstText, first);
    }
    if let Names::One(directory) | Names::Two(directory, _) | Names::TextAndName(directory) = names
    {
        let name = if let Names::TextAndName(_) = names {
            second
        } else {
            first
        };
        writer.kernel_string(SectionTag::Path, name);
        let directory = ended.value(directory) as i32;
        path_base(writer, task, directory, is_always, SectionTag::Base);
    }
    if let Names::Two(_, directory) = names {
        writer.kernel_string(SectionTag::SecondPath, second);
        let directory = ended.value(directory) as i32;
        path_base(writer, task, directory, is_always, SectionTag::SecondBase);
    }
    writer.submit(RecordKind::Call);
    buffer.give_back();
}

/// Numbers of system calls of x86-64.
mod number {
    pub(super) const OPENAT: u32 = 257;
    pub(super) const OPENAT2: u32 = 437;
    pub(super) const CONNECT: u32 = 42;
    pub(super) const SOCKET: u32 = 41;
    pub(super) const UNLINKAT: u32 = 263;
    pub(super) const RENAMEAT2: u32 = 316;
    pub(super) const MKDIRAT: u32 = 258;
    pub(super) const SYMLINKAT: u32 = 266;
    pub(super) const LINKAT: u32 = 265;
}

/// The kinds of operations that are recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Openat,
    Openat2,
    Connect,
    Socket,
    Unlinkat,
    Renameat,
    Mkdirat,
    Symlinkat,
    Linkat,
}

impl Kind {
    /// By `IORING_OP_*`.
    #[inline(always)]
    fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            16 => Self::Connect,
            18 => Self::Openat,
            28 => Self::Openat2,
            35 => Self::Renameat,
            36 => Self::Unlinkat,
            37 => Self::Mkdirat,
            38 => Self::Symlinkat,
            39 => Self::Linkat,
            45 => Self::Socket,
            _ => return None,
        })
    }

    /// Takes down what is known when the operation begins.
    #[inline(always)]
    fn note(self, request: Untyped) {
        if is_agent() {
            return;
        }
        let Some(buffer) = Buffer::take() else {
            return;
        };
        let command = request.plus(offset!(request_command));
        // SAFETY: the buffer is this program's, and all bytes are valid for an operation.
        let operation = unsafe { &mut *buffer.writer.room::<Operation>() };
        operation.values = [0; 8];
        operation.file = 0;
        operation.was_in_progress = 0;
        operation.first[0] = 0;
        operation.second[0] = 0;
        match self {
            Self::Openat | Self::Openat2 => note_open(command, operation, self.call().0),
            Self::Connect => {
                // connect(descriptor, address, length)
                operation.values[0] = descriptor(request, offset!(request_descriptor));
                operation.values[1] = command.read(offset!(io_connect_address));
                operation.values[2] = command.read::<u32>(offset!(io_connect_length)).into();
                operation.was_in_progress =
                    command.read::<u8>(offset!(io_connect_in_progress)).into();
            }
            Self::Socket => {
                operation.values[0] = command.read::<u32>(offset!(io_socket_domain)).into();
                operation.values[1] = command.read::<u32>(offset!(io_socket_type)).into();
                operation.values[2] = command.read::<u32>(offset!(io_socket_protocol)).into();
            }
            Self::Unlinkat => {
                operation.values[0] = descriptor(command, offset!(io_unlink_directory));
                operation.values[2] = command.read::<u32>(offset!(io_unlink_flags)).into();
                copy_name(
                    &mut operation.first,
                    command.follow(offset!(io_unlink_name)),
                );
            }
            Self::Renameat => {
                operation.values[0] = descriptor(command, offset!(io_rename_old_directory));
                operation.values[2] = descriptor(command, offset!(io_rename_new_directory));
                operation.values[4] = command.read::<u32>(offset!(io_rename_flags)).into();
                copy_name(
                    &mut operation.first,
                    command.follow(offset!(io_rename_old_name)),
                );
                copy_name(
                    &mut operation.second,
                    command.follow(offset!(io_rename_new_name)),
                );
            }
            Self::Mkdirat => {
                operation.values[0] = descriptor(command, offset!(io_mkdir_directory));
                operation.values[2] = command.read::<u16>(offset!(io_mkdir_mode)).into();
                copy_name(&mut operation.first, command.follow(offset!(io_mkdir_name)));
            }
            Self::Symlinkat => {
                // symlinkat(target, directory, name)
                operation.values[1] = descriptor(command, offset!(io_link_new_directory));
                copy_name(
                    &mut operation.first,
                    command.follow(offset!(io_link_old_name)),
                );
                copy_name(
                    &mut operation.second,
                    command.follow(offset!(io_link_new_name)),
                );
            }
            Self::Linkat => {
                operation.values[0] = descriptor(command, offset!(io_link_old_directory));
                operation.values[2] = descriptor(command, offset!(io_link_new_directory));
                operation.values[4] = command.read::<u32>(offset!(io_link_flags)).into();
                copy_name(
                    &mut operation.first,
                    command.follow(offset!(io_link_old_name)),
                );
                copy_name(
                    &mut operation.second,
                    command.follow(offset!(io_link_new_name)),
                );
            }
        }
        if OPERATIONS.insert(request.0, &*operation, 0).is_err() {
            count_drop(DROP_OPERATIONS);
        }
        buffer.give_back();
    }

    /// The system call that it stands for, and which of its arguments have a name.
    #[inline(always)]
    fn call(self) -> (u32, Names) {
        match self {
            Self::Openat => (number::OPENAT, Names::One(0)),
            Self::Openat2 => (number::OPENAT2, Names::One(0)),
            Self::Connect => (number::CONNECT, Names::None),
            Self::Socket => (number::SOCKET, Names::None),
            Self::Unlinkat => (number::UNLINKAT, Names::One(0)),
            Self::Renameat => (number::RENAMEAT2, Names::Two(0, 2)),
            Self::Mkdirat => (number::MKDIRAT, Names::One(0)),
            Self::Symlinkat => (number::SYMLINKAT, Names::TextAndName(1)),
            Self::Linkat => (number::LINKAT, Names::Two(0, 2)),
        }
    }

    /// Makes the record of one that ended.
    #[inline(always)]
    fn record(self, ended: &Ended) {
        match self {
            Self::Openat | Self::Openat2 => record_open(ended),
            Self::Connect => record_connect(ended),
            _ => {
                let (syscall, names) = self.call();
                record_call(ended, syscall, names);
            }
        }
    }

    /// The entry of the function that runs it.
    #[inline(always)]
    fn enters(self, context: &FEntryContext) -> u32 {
        self.note(Untyped(context.arg::<u64>(0)));
        0
    }

    /// The exit of the function that runs it.
    #[inline(always)]
    fn exits(self, context: &FExitContext) -> u32 {
        if let Some(ended) = returned(context) {
            if !ended.is_to_be_continued() {
                self.record(&ended);
            }
            ended.forget();
        }
        0
    }
}

/// openat(directory, path, flags, mode), or openat2 with all that it has besides.
#[inline(always)]
fn note_open(command: Untyped, operation: &mut Operation, syscall: u32) {
    operation.values[0] = descriptor(command, offset!(io_open_directory));
    // `struct open_how`: flags, mode, resolve.
    let how: [u64; 3] = command.read(offset!(io_open_how));
    operation.values[1] = how[0];
    operation.values[2] = how[1];
    operation.values[3] = how[2];
    operation.values[5] = syscall.into();
    if command.read::<u32>(offset!(io_open_slot)) != 0 {
        // It gets no descriptor.
        operation.file = UNKNOWN;
    }
    copy_name(&mut operation.first, command.follow(offset!(io_open_name)));
}

#[inline(always)]
fn record_connect(ended: &Ended) {
    // SAFETY: the operation is in its map.
    let was_in_progress = unsafe { (*ended.operation).was_in_progress != 0 };
    // It was recorded when it began; that it came through is not another connect.
    if (was_in_progress && ended.result >= 0) || !connect::is_wanted(ended.result) {
        return;
    }
    let Some(buffer) = Buffer::take() else {
        return;
    };
    let writer = buffer.writer;
    let task = current_task();
    let attempt = Attempt {
        descriptor: ended.value(0) as u32,
        sock: sock_of_file(ended.request.follow(offset!(request_file))),
        address: ended.value(1),
        length: ended.value(2) as u32,
    };
    attempt.record(writer, task, ended.result, || {
        writer.mark_io_uring(number::CONNECT, process_name(task));
    });
    buffer.give_back();
}

#[inline(always)]
fn record_open(ended: &Ended) {
    // SAFETY: the operation is in its map.
    let (file, name) = unsafe {
        let operation = &raw const *ended.operation;
        ((*operation).file, (&raw const (*operation).first) as u64)
    };
    let result = ended.result;
    let flags = ended.value(1) as u32;
    let access = if flags & O_PATH == 0 {
        flags & ACCESS_MODE
    } else {
        0
    };
    let is_asked = if result < 0 {
        setting!(open_classes) & OPEN_FAILED != 0
    } else {
        is_wanted(access)
    };
    if !is_asked {
        return;
    }
    let Some(buffer) = Buffer::take() else {
        return;
    };
    let writer = buffer.writer;
    let task = current_task();
    let mut is_open = false;
    if result >= 0 {
        let file = match file {
            0 => file_of(task, result as u32),
            UNKNOWN => Untyped(0),
            file => Untyped(file),
        };
        writer.copy_file(file);
        is_open = !file.is_null();
    }
    let part = writer.fixed_part::<OpenPart>();
    // SAFETY: the part is inside the scratch buffer, which this program owns.
    unsafe {
        (*part).flags = (flags & !ACCESS_MODE) | access;
        (*part).mode = ended.value(2) as u32;
        (*part).directory = ended.value(0) as i32;
        (*part).resolve = ended.value(3) as u32;
        if is_open {
            describe_file(part, writer);
        }
    }
    write_header(writer, RecordKind::Open, task, Some(result));
    writer.mark_io_uring(ended.value(5) as u32, process_name(task));
    opened_section(writer, task, is_open);
    writer.kernel_string(SectionTag::Path, name);
    path_base(writer, task, ended.value(0) as i32, false, SectionTag::Base);
    writer.submit(RecordKind::Open);
    buffer.give_back();
}

/// The programs at the entry and at the exit of a function.
macro_rules! at_function {
    ($function:literal, $kind:ident, $entry:ident, $exit:ident) => {
        #[fentry(function = $function)]
        pub(crate) fn $entry(context: FEntryContext) -> u32 {
            Kind::$kind.enters(&context)
        }

        #[fexit(function = $function)]
        pub(crate) fn $exit(context: FExitContext) -> u32 {
            Kind::$kind.exits(&context)
        }
    };
}

at_function!("io_socket", Socket, enter_io_socket, exit_io_socket);
at_function!("io_unlinkat", Unlinkat, enter_io_unlinkat, exit_io_unlinkat);
at_function!("io_renameat", Renameat, enter_io_renameat, exit_io_renameat);
at_function!("io_mkdirat", Mkdirat, enter_io_mkdirat, exit_io_mkdirat);
at_function!(
    "io_symlinkat",
    Symlinkat,
    enter_io_symlinkat,
    exit_io_symlinkat
);
at_function!("io_linkat", Linkat, enter_io_linkat, exit_io_linkat);

#[fentry(function = "io_connect")]
pub(crate) fn enter_io_connect(context: FEntryContext) -> u32 {
    Kind::Connect.enters(&context)
}

#[fexit(function = "io_connect")]
pub(crate) fn exit_io_connect(context: FExitContext) -> u32 {
    let Some(mut ended) = returned(&context) else {
        return 0;
    };
    if ended.is_to_be_continued() {
        let command = ended.request.plus(offset!(request_command));
        if command.read::<u8>(offset!(io_connect_in_progress)) == 0 {
            ended.forget();
            return 0;
        }
        // It is recorded now: a program can cancel the operation and use the socket all the same.
        ended.result = IN_PROGRESS;
    }
    record_connect(&ended);
    ended.forget();
    0
}

#[fentry(function = "io_openat")]
pub(crate) fn enter_io_openat(context: FEntryContext) -> u32 {
    Kind::Openat.enters(&context)
}

#[fexit(function = "io_openat")]
pub(crate) fn exit_io_openat(context: FExitContext) -> u32 {
    // By jump or by call it may have gone through the next one, which took it.
    if OPERATIONS.get_ptr_mut(context.arg::<u64>(0)).is_none() {
        return 0;
    }
    Kind::Openat.exits(&context)
}

#[fentry(function = "io_openat2")]
pub(crate) fn enter_io_openat2(context: FEntryContext) -> u32 {
    if let Some(operation) = OPERATIONS.get_ptr_mut(context.arg::<u64>(0)) {
        // SAFETY: the operation is in its map.
        let syscall = unsafe { (*operation).values[5] };
        if syscall == u64::from(number::OPENAT) {
            // Called by the one before.
            return 0;
        }
    }
    Kind::Openat2.enters(&context)
}

#[fexit(function = "io_openat2")]
pub(crate) fn exit_io_openat2(context: FExitContext) -> u32 {
    Kind::Openat2.exits(&context)
}

/// An opened file that goes into a slot of the ring, `io_fixed_fd_install(request, flags, file, slot)`.
#[fentry(function = "io_fixed_fd_install")]
pub(crate) fn enter_io_fixed_fd_install(context: FEntryContext) -> u32 {
    if let Some(operation) = OPERATIONS.get_ptr_mut(context.arg::<u64>(0)) {
        // SAFETY: the operation is in its map.
        unsafe { (*operation).file = context.arg::<u64>(2) };
    }
    0
}

/// Whether operations with this number are wanted, of which 64 can be told.
#[inline(always)]
fn is_wanted_operation(opcode: u8) -> bool {
    let word = if opcode < 32 {
        setting!(operations_low)
    } else {
        setting!(operations_high)
    };
    opcode < 64 && word >> (opcode & 31) & 1 == 1
}

/// The kind of a request, if it is wanted.
#[inline(always)]
fn wanted_kind(request: Untyped) -> Option<Kind> {
    if request.is_null() {
        return None;
    }
    let opcode: u8 = request.read(offset!(request_opcode));
    if is_wanted_operation(opcode) {
        Kind::of(opcode)
    } else {
        None
    }
}

/// Whether its success makes no completion.
#[inline(always)]
fn skips_success(request: Untyped) -> bool {
    request.read::<u32>(offset!(request_flags)) & SKIPS_SUCCESS != 0
}

/// A request is submitted: `io_uring_submit_req(request)`, or `io_uring_submit_sqe(request, may_block)` up to 6.2.
#[raw_tracepoint(tracepoint = "io_uring_submit_req")]
pub(crate) fn io_uring_submitted(context: RawTracePointContext) -> u32 {
    let request = Untyped(context.arg::<u64>(0));
    let Some(kind) = wanted_kind(request) else {
        return 0;
    };
    kind.note(request);
    if skips_success(request)
        && let Some(operation) = OPERATIONS.get_ptr_mut(request.0)
    {
        // There is no telling which descriptor it is going to be.
        // SAFETY: the operation is in its map.
        unsafe { (*operation).file = UNKNOWN };
        record_by_tail_call(&context, kind, request, 0);
    }
    0
}

/// A request is completed: `io_uring_complete(ring, request, completion)`, or, in older kernels, `io_uring_complete(ring,
/// request, user_data, result, ...)`.
#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn io_uring_completed(context: RawTracePointContext) -> u32 {
    let request = Untyped(context.arg::<u64>(1));
    let Some(kind) = wanted_kind(request) else {
        return 0;
    };
    if skips_success(request) {
        // It was recorded when it was submitted.
        return 0;
    }
    let mut result = if setting!(completion_is_entry) == 1 {
        i64::from(Untyped(context.arg::<u64>(2)).read::<i32>(COMPLETION_RESULT))
    } else {
        i64::from(context.arg::<i32>(3))
    };
    if kind == Kind::Connect && result == CANCELLED {
        // It may go on all the same.
        result = IN_PROGRESS;
    }
    record_by_tail_call(&context, kind, request, result);
    0
}

/// Goes on with the program that makes the record: both tracepoints need it, and the verifier shall check it once.
#[inline(always)]
fn record_by_tail_call(context: &RawTracePointContext, kind: Kind, request: Untyped, result: i64) {
    let Some(writer) = RecordWriter::resume() else {
        return;
    };
    // Programs at tracepoints are not preempted, so what the CPU's buffer notes stays until it is read.
    writer.set_foreign(request.0, 0, result);
    let program = match kind {
        Kind::Openat | Kind::Openat2 => RING_OPEN,
        Kind::Connect => RING_CONNECT,
        _ => RING_CALL,
    };
    // Where there is no such program, nothing happens: no rule wants it.
    // SAFETY: all programs of the table take the context of a raw tracepoint.
    unsafe { PROGRAMS.tail_call(context, program) };
}

/// The operation that was noted for the program that is called last.
#[inline(always)]
fn called() -> Option<(Ended, Kind)> {
    let (request, result) = RecordWriter::resume()?.noted_request();
    let ended = ended(Untyped(request), result)?;
    let kind = Kind::of(ended.request.read(offset!(request_opcode)))?;
    Some((ended, kind))
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_open(_context: RawTracePointContext) -> u32 {
    if let Some((ended, _)) = called() {
        record_open(&ended);
        ended.forget();
    }
    0
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_connect(_context: RawTracePointContext) -> u32 {
    if let Some((ended, _)) = called() {
        record_connect(&ended);
        ended.forget();
    }
    0
}

#[raw_tracepoint(tracepoint = "io_uring_complete")]
pub(crate) fn ring_call(_context: RawTracePointContext) -> u32 {
    if let Some((ended, kind)) = called() {
        let (syscall, names) = kind.call();
        record_call(&ended, syscall, names);
        ended.forget();
    }
    0
}
