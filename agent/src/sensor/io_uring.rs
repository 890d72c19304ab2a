//! Operations of `io_uring`: which functions of the kernel stand for them.

use aya::Ebpf;
use aya::programs::RawTracePoint;
use tracing::{debug, info, warn};

use super::SensorError;
use super::btf::Btf;
use super::called::CalledPrograms;
use super::function;
use super::kernel::{IoUring, Kernel};
use super::probe::{Hook, Probe};
use crate::event::EventType;

/// Operations under way at the same time before the oldest are forgotten.
pub(super) const OPERATIONS: u32 = 512;
/// The same of those of which little is noted, since a server waits for many.
pub(super) const SHORT_NOTES: u32 = 8192;
/// Requests at the same time that complete many times.
pub(super) const MULTISHOTS: u32 = 512;

/// A function of the kernel that runs operations.
#[derive(Debug)]
struct Function {
    name: &'static str,
    /// The events that they stand for.
    events: &'static [&'static str],
    /// `IORING_OP_*`
    operations: &'static [u8],
    /// The program at its entry.
    entry: &'static str,
    /// The program at its exit.
    exit: Option<&'static str>,
    /// Which of [`agent_ebpf::RING_PROGRAMS`] makes the records where tracepoints take its place.
    called: Option<&'static str>,
    /// Whether each kernel since 6.0 has it: others are left out where it is missing.
    is_everywhere: bool,
}

const fn function(
    name: &'static str,
    events: &'static [&'static str],
    operations: &'static [u8],
    called: &'static str,
    entry: &'static str,
    exit: &'static str,
) -> Function {
    Function {
        name,
        events,
        operations,
        entry,
        exit: Some(exit),
        called: Some(called),
        is_everywhere: true,
    }
}

/// One that runs operations on sockets.
const fn network(
    name: &'static str,
    events: &'static [&'static str],
    operations: &'static [u8],
    entry: &'static str,
    exit: &'static str,
) -> Function {
    function(name, events, operations, NETWORK, entry, exit)
}

/// One that runs operations of which the request tells all that is recorded.
const fn plain(
    name: &'static str,
    events: &'static [&'static str],
    operations: &'static [u8],
    entry: &'static str,
    exit: &'static str,
) -> Function {
    function(name, events, operations, "ring_plain", entry, exit)
}

/// One that runs reads or writes.
const fn moves(
    name: &'static str,
    events: &'static [&'static str],
    operations: &'static [u8],
    entry: &'static str,
    exit: &'static str,
) -> Function {
    function(name, events, operations, "ring_read_write", entry, exit)
}

/// A function by which operations do a part of their work.
const fn part(
    name: &'static str,
    events: &'static [&'static str],
    entry: &'static str,
) -> Function {
    Function {
        name,
        events,
        operations: &[],
        entry,
        exit: None,
        called: None,
        is_everywhere: true,
    }
}

impl Function {
    const fn newer(self) -> Self {
        Self {
            is_everywhere: false,
            ..self
        }
    }
}

const NETWORK: &str = "ring_network";
/// One of the two calls the other, or both are the same code, as the compiler likes: so both serve both events.
const OPENS: &[&str] = &["openat", "openat2"];
/// What one request can do many times.
const REPEATED: &[&str] = &["accept4", "recvfrom", "recvmsg", "sendto", "read", "pread"];
/// What the functions of reads stand for, as the file and the position have it.
const READS: &[&str] = &["read", "pread", "readv", "preadv"];
/// The same of writes.
const WRITES: &[&str] = &["write", "pwrite", "writev", "pwritev"];
/// Both.
const READS_AND_WRITES: &[&str] = &[
    "read", "pread", "readv", "preadv", "write", "pwrite", "writev", "pwritev",
];
/// The function of a completion that is not the last of its request, and that of kernels without it.
const ONE_OF_MANY: [&str; 2] = ["io_req_post_cqe", "io_post_aux_cqe"];

#[rustfmt::skip] // One function a line reads as the table that it is.
static FUNCTIONS: [Function; 43] = [
    function("io_openat", OPENS, &[18], "ring_open", "enter_io_openat", "exit_io_openat"),
    function("io_openat2", OPENS, &[28], "ring_open", "enter_io_openat2", "exit_io_openat2"),
    // Where a file goes that gets no descriptor.
    part("io_fixed_fd_install", &["openat", "openat2", "accept4"], "enter_io_fixed_fd_install"),
    function("io_connect", &["connect"], &[16], "ring_connect", "enter_io_connect", "exit_io_connect"),
    function("io_socket", &["socket"], &[45], "ring_call", "enter_io_socket", "exit_io_socket"),
    function("io_unlinkat", &["unlinkat"], &[36], "ring_call", "enter_io_unlinkat", "exit_io_unlinkat"),
    function("io_renameat", &["renameat2"], &[35], "ring_call", "enter_io_renameat", "exit_io_renameat"),
    function("io_mkdirat", &["mkdirat"], &[37], "ring_call", "enter_io_mkdirat", "exit_io_mkdirat"),
    function("io_symlinkat", &["symlinkat"], &[38], "ring_call", "enter_io_symlinkat", "exit_io_symlinkat"),
    function("io_linkat", &["linkat"], &[39], "ring_call", "enter_io_linkat", "exit_io_linkat"),
    network("io_send", &["sendto"], &[26], "enter_io_send", "exit_io_send"),
    network("io_send_zc", &["sendto"], &[47], "enter_io_send_zc", "exit_io_send_zc"),
    network("io_sendmsg", &["sendmsg"], &[9], "enter_io_sendmsg", "exit_io_sendmsg"),
    network("io_sendmsg_zc", &["sendmsg"], &[48], "enter_io_sendmsg_zc", "exit_io_sendmsg_zc").newer(),
    network("io_recv", &["recvfrom"], &[27], "enter_io_recv", "exit_io_recv"),
    network("io_recvmsg", &["recvmsg"], &[10], "enter_io_recvmsg", "exit_io_recvmsg"),
    network("io_accept", &["accept4"], &[13], "enter_io_accept", "exit_io_accept"),
    network("io_bind", &["bind"], &[56], "enter_io_bind", "exit_io_bind").newer(),
    network("io_listen", &["listen"], &[57], "enter_io_listen", "exit_io_listen").newer(),
    function("io_fsetxattr", &["fsetxattr"], &[41], "ring_call", "enter_io_fsetxattr", "exit_io_fsetxattr"),
    function("io_setxattr", &["setxattr"], &[42], "ring_call", "enter_io_setxattr", "exit_io_setxattr"),
    function("io_fgetxattr", &["fgetxattr"], &[43], "ring_call", "enter_io_fgetxattr", "exit_io_fgetxattr"),
    function("io_getxattr", &["getxattr"], &[44], "ring_call", "enter_io_getxattr", "exit_io_getxattr"),
    plain("io_fsync", &["fsync", "fdatasync"], &[3], "enter_io_fsync", "exit_io_fsync"),
    plain("io_sync_file_range", &["sync_file_range"], &[8], "enter_io_sync_file_range", "exit_io_sync_file_range"),
    plain("io_fallocate", &["fallocate"], &[17], "enter_io_fallocate", "exit_io_fallocate"),
    plain("io_ftruncate", &["ftruncate"], &[55], "enter_io_ftruncate", "exit_io_ftruncate").newer(),
    plain("io_close", &["close"], &[19], "enter_io_close", "exit_io_close"),
    plain("io_statx", &["statx"], &[21], "enter_io_statx", "exit_io_statx"),
    plain("io_fadvise", &["fadvise64"], &[24], "enter_io_fadvise", "exit_io_fadvise").newer(),
    plain("io_madvise", &["madvise"], &[25], "enter_io_madvise", "exit_io_madvise").newer(),
    plain("io_epoll_ctl", &["epoll_ctl"], &[29], "enter_io_epoll_ctl", "exit_io_epoll_ctl").newer(),
    plain("io_splice", &["splice"], &[30], "enter_io_splice", "exit_io_splice"),
    plain("io_tee", &["tee"], &[33], "enter_io_tee", "exit_io_tee"),
    plain("io_shutdown", &["shutdown"], &[34], "enter_io_shutdown", "exit_io_shutdown"),
    moves("io_read", READS, &[1, 4, 22], "enter_io_read", "exit_io_read"),
    moves("io_write", WRITES, &[2, 5, 23], "enter_io_write", "exit_io_write"),
    // Those of registered buffers that newer kernels run before the ones above.
    moves("io_read_fixed", READS, &[60], "enter_io_read_fixed", "exit_io_read_fixed").newer(),
    moves("io_write_fixed", WRITES, &[61], "enter_io_write_fixed", "exit_io_write_fixed").newer(),
    moves("io_read_mshot", READS, &[49], "enter_io_read_mshot", "exit_io_read_mshot").newer(),
    // Where they end that had to wait.
    Function { exit: Some("exit_io_req_rw_complete"), ..part("io_req_rw_complete", READS_AND_WRITES, "enter_io_req_rw_complete").newer() },
    part(ONE_OF_MANY[0], REPEATED, "enter_io_req_post_cqe").newer(),
    part(ONE_OF_MANY[1], REPEATED, "enter_io_post_aux_cqe").newer(),
];

impl Function {
    /// That of a program at its entry or exit.
    fn of(probe: &Probe) -> Option<&'static Self> {
        let name = match probe.hook {
            Hook::FunctionEntry(name) | Hook::FunctionExit(name) => name,
            Hook::RawTracepoint(_) | Hook::SyscallExit(_) | Hook::CalledExit(_) => return None,
        };
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// Whether this kernel has it and shows what the programs need to know.
    fn is_possible(&self, kernel: &Kernel) -> bool {
        let has = |name| kernel.functions.iter().any(|(known, _)| *known == name);
        if self.name == ONE_OF_MANY[1] && has(ONE_OF_MANY[0]) {
            return false;
        }
        let is_network = self.called == Some(NETWORK) || self.events == REPEATED;
        (self.is_everywhere || has(self.name)) && (kernel.io_uring == IoUring::Known || !is_network)
    }
}

const OVERFLOW: &str = "io_uring_cqe_overflow";

/// The tracepoints that take the place of the functions where programs cannot be attached to those.
#[derive(Clone, Copy, Debug)]
pub struct IoUringTracepoints {
    /// The one of a submission.
    submission: &'static str,
    /// Whether the one of a completion carries the completion, and not its parts.
    pub(super) completion_is_entry: bool,
    /// Whether there is one of a completion that finds the queue full.
    has_overflow: bool,
}

impl IoUringTracepoints {
    /// Looks for those that the programs understand: of Linux 6.0 and newer.
    pub fn find(btf: &Btf<'_>) -> Option<Self> {
        let submission = [("io_uring_submit_req", 1), ("io_uring_submit_sqe", 2)]
            .into_iter()
            .find(|(name, arguments)| btf.tracepoint_arguments(name) == Some(*arguments))?
            .0;
        let completion_is_entry = match btf.tracepoint_arguments("io_uring_complete")? {
            3 => true,
            7 => false,
            _ => return None,
        };
        Some(Self {
            submission,
            completion_is_entry,
            has_overflow: btf.tracepoint_arguments(OVERFLOW) == Some(5),
        })
    }

    fn probes(self) -> Vec<Probe> {
        let mut probes = vec![
            Probe {
                program: "io_uring_submitted",
                hook: Hook::RawTracepoint(self.submission),
            },
            Probe {
                program: "io_uring_completed",
                hook: Hook::RawTracepoint("io_uring_complete"),
            },
        ];
        if self.has_overflow {
            probes.push(Probe {
                program: "io_uring_overflowed",
                hook: Hook::RawTracepoint(OVERFLOW),
            });
        } else {
            warn!("of io_uring, operations are not seen whose completions find the queue full");
        }
        probes
    }
}

/// Every function that a program may be attached to.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// The programs for the operations that stand for these events. Entries come first: an exit without its entry
/// would count as a loss.
pub(super) fn probes(events: impl Fn(EventType) -> bool) -> Vec<Probe> {
    let wanted = || {
        FUNCTIONS.iter().filter(|function| {
            let mut types = function
                .events
                .iter()
                .copied()
                .filter_map(EventType::from_name);
            types.any(&events)
        })
    };
    let entries = wanted().map(|function| Probe {
        program: function.entry,
        hook: Hook::FunctionEntry(function.name),
    });
    let exits = wanted().filter_map(|function| {
        Some(Probe {
            program: function.exit?,
            hook: Hook::FunctionExit(function.name),
        })
    });
    entries.chain(exits).collect()
}

/// The operations that the probes are for, as a set of bits: those with numbers below 32, and the others.
pub(super) fn operations(probes: &[Probe]) -> [u32; 2] {
    let mut bits = [0; 2];
    for function in &FUNCTIONS {
        let is_wanted = probes
            .iter()
            .any(|probe| is_operation(probe) && probe.program == function.entry);
        for operation in function.operations.iter().filter(|_| is_wanted) {
            bits[usize::from(operation / 32 % 2)] |= 1 << (operation % 32);
        }
    }
    bits
}

/// Leaves out what this kernel cannot show.
pub(super) fn retain_possible(kernel: &Kernel, has_loop: bool, probes: &mut Vec<Probe>) {
    if !probes.iter().any(is_operation) {
        return;
    }
    let is_known = matches!(kernel.io_uring, IoUring::Known | IoUring::WithoutNetwork);
    if is_known && has_loop {
        if kernel.io_uring == IoUring::WithoutNetwork && are_on_sockets(probes) {
            warn!(
                "what is done with sockets through io_uring is not seen, but for connects: the kernel's structures are others"
            );
        }
        probes.retain(|probe| {
            Function::of(probe).is_none_or(|function| function.is_possible(kernel))
        });
        return;
    }
    probes.retain(|probe| !is_operation(probe));
    if kernel.io_uring != IoUring::NotBuilt {
        warn!(
            "what is done through io_uring is not seen: the kernel is older than Linux 6.0, or the oldest ways were asked for"
        );
    }
}

/// Whether there are programs for operations of which little is noted.
pub(super) fn are_noted_shortly(probes: &[Probe]) -> bool {
    let mut functions = probes.iter().filter_map(Function::of);
    functions.any(|function| {
        let is_long = ["ring_open", "ring_connect", "ring_call"];
        function
            .called
            .is_some_and(|called| !is_long.contains(&called))
    })
}

/// Whether there are programs for operations on sockets.
fn are_on_sockets(probes: &[Probe]) -> bool {
    let mut functions = probes.iter().filter_map(Function::of);
    functions.any(|function| function.called == Some(NETWORK))
}

/// Whether it is a program at a function that runs operations.
pub(super) fn is_operation(probe: &Probe) -> bool {
    Function::of(probe).is_some()
}

/// Loads the programs for functions, or for tracepoints where the kernel does not have a function or attaches nothing
/// to functions.
pub(super) fn load(
    programs: &mut Ebpf,
    called: &mut CalledPrograms,
    kernel: &Kernel,
    types: &aya::Btf,
    probes: &mut Vec<Probe>,
) -> Result<(), SensorError> {
    if !probes.iter().any(is_operation) {
        return Ok(());
    }
    let wanted: Vec<Probe> = probes.iter().copied().filter(is_operation).collect();
    match function::load(programs, types, &wanted) {
        Err(error @ SensorError::Refused { .. }) => {
            info!(
                "no programs can be attached to functions of this kernel: io_uring is seen by its tracepoints"
            );
            debug!(%error, "refused");
            probes.retain(|probe| !is_operation(probe));
            match tracepoints(programs, called, kernel, &wanted) {
                Ok(tracepoints) => probes.extend(tracepoints),
                Err(error) => warn!(%error, "what is done through io_uring is not seen"),
            }
            Ok(())
        }
        outcome => outcome,
    }
}

/// Loads the programs for tracepoints, and those that they call, in the place of these.
fn tracepoints(
    programs: &mut Ebpf,
    called: &mut CalledPrograms,
    kernel: &Kernel,
    wanted: &[Probe],
) -> Result<Vec<Probe>, SensorError> {
    let tracepoints = kernel
        .io_uring_tracepoints
        .ok_or(SensorError::IoUringTracepoints)?
        .probes();
    for (place, name) in (agent_ebpf::RING_OPEN..).zip(agent_ebpf::RING_PROGRAMS) {
        let serves = |probe: &Probe| Function::of(probe)?.called;
        if wanted.iter().any(|probe| serves(probe) == Some(name)) {
            called.load(programs, name, place)?;
        }
    }
    for probe in &tracepoints {
        let refused = |source| SensorError::Refused {
            program: probe.program,
            source,
        };
        let program: &mut RawTracePoint = programs
            .program_mut(probe.program)
            .ok_or(SensorError::Incomplete(probe.program))?
            .try_into()
            .map_err(refused)?;
        program.load().map_err(refused)?;
        super::tell_cost(probe.program, program.info());
    }
    Ok(tracepoints)
}
