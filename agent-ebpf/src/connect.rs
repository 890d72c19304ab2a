//! Sockets that are connected.
//!
//! Seen at the syscall's exit. The addresses are those of the socket itself; the address in user
//! memory is kept beside them for calls that fail before the socket has any.

use agent_ebpf::{ConnectPart, RecordKind, SectionTag};
use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_probe_read_user};
use aya_ebpf::macros::{map, raw_tracepoint, tracepoint};
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::{RawTracePointContext, TracePointContext};

use crate::descriptor::{
    AF_INET, AF_INET6, AF_UNIX, UNIX_PATH, file_of, sock_of_file, unix_section,
};
use crate::kernel::{Abi, Arguments, Typed, Untyped, current_task, offset, setting};
use crate::open::{SYSCALL_RESULT, syscall_result};
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// `EINPROGRESS`: a non-blocking connect that is under way counts as one.
pub(crate) const IN_PROGRESS: i64 = -115;

/// `EINTR`: a signal ended the call.
const INTERRUPTED: i64 = -4;
/// `ERESTARTSYS`: the same, and the call may be made again.
const TO_BE_RESTARTED: i64 = -512;
/// `TCP_SYN_SENT`
const SYN_SENT: i32 = 2;
const SOCK_STREAM: u16 = 1;
const IPPROTO_TCP: u16 = 6;

/// A connection over TCP that a thread began.
#[repr(C)]
#[derive(Clone, Copy)]
struct Begun {
    /// Kernel address of the socket.
    sock: u64,
    /// The peer's address; an IPv4 address is in the first four bytes.
    remote: [u8; 16],
    /// The peer's port.
    remote_port: u16,
    /// `AF_*`
    family: u16,
    /// Zero.
    reserved: [u16; 2],
}

/// By thread. While the call waits, another thread may put another socket in the place of the descriptor.
#[map]
static BEGUN: LruHashMap<u64, Begun> = LruHashMap::with_max_entries(1024, 0);

/// The current thread.
#[inline(always)]
pub(crate) fn thread() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_pid_tgid() }
}

/// A socket comes into another state: socket, state before, state now. The first one of a connection is set by the thread
/// that connects, when the destination is known.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub(crate) fn inet_sock_set_state(context: RawTracePointContext) -> u32 {
    if context.arg::<i32>(2) != SYN_SENT || is_agent() {
        return 0;
    }
    let sock = Untyped(context.arg::<u64>(0));
    let family: u16 = sock.read(offset!(sock_family));
    let mut remote = [0; 16];
    if family == AF_INET6 {
        remote = sock.read(offset!(sock_v6_daddr));
    } else {
        let address: [u8; 4] = sock.read(offset!(sock_daddr));
        remote[0] = address[0];
        remote[1] = address[1];
        remote[2] = address[2];
        remote[3] = address[3];
    }
    let begun = Begun {
        sock: sock.0,
        remote,
        remote_port: u16::from_be(sock.read(offset!(sock_dport))),
        family,
        reserved: [0; 2],
    };
    // Without it, what the descriptor stands for at the end is what is told.
    let _noted = BEGUN.insert(thread(), begun, 0);
    0
}

/// connect(descriptor, address, length)
#[tracepoint(category = "syscalls", name = "sys_exit_connect")]
pub(crate) fn sys_exit_connect(context: TracePointContext) -> u32 {
    connected(syscall_result(&context, SYSCALL_RESULT), Abi::Native)
}

/// The exit of connect, by whatever ABI.
#[inline(always)]
pub(crate) fn connected(result: i64, abi: Abi) -> u32 {
    let is_interrupted = result == INTERRUPTED || result == TO_BE_RESTARTED;
    if !(is_wanted(result) || is_interrupted) || is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let task = current_task();
    let arguments = Arguments::of(task, writer, abi);
    let descriptor = arguments.get(0) as u32;
    let mut result = result;
    if is_interrupted {
        let family: u16 = sock_of_file(file_of(task, descriptor)).read(offset!(sock_family));
        if family == AF_INET || family == AF_INET6 {
            // The call ended, the connecting goes on.
            result = IN_PROGRESS;
        } else if !is_wanted(result) {
            writer.abandon();
            return 0;
        }
    }
    let attempt = Attempt {
        descriptor,
        sock: sock_of_file(file_of(task, descriptor)),
        address: arguments.get(1),
        length: arguments.get(2) as u32,
    };
    attempt.record(writer, task, result, || {
        if abi == Abi::Foreign {
            writer.mark_foreign();
        }
    });
    0
}

/// Whether connects with this result are recorded.
#[inline(always)]
pub(crate) fn is_wanted(result: i64) -> bool {
    result >= 0 || result == IN_PROGRESS || setting!(connect_failed) == 1
}

/// An attempt to connect.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) descriptor: u32,
    pub(crate) sock: Untyped,
    /// Where in user memory the address is, and its length.
    pub(crate) address: u64,
    pub(crate) length: u32,
}

impl Attempt {
    /// Makes the record; `mark` completes the header.
    #[inline(always)]
    pub(crate) fn record(
        self,
        writer: RecordWriter,
        task: Typed,
        result: i64,
        mark: impl FnOnce(),
    ) {
        let part = writer.fixed_part::<ConnectPart>();
        let sock = self.sock;
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe {
            (*part).fd = self.descriptor.cast_signed();
            passed_address(part, self.address, self.length);
            if !sock.is_null() {
                (*part).own_pointer = sock.0;
                (*part).family = sock.read(offset!(sock_family));
                (*part).socket_type = sock.read(offset!(sock_type));
                (*part).protocol = sock.read(offset!(sock_protocol));
                internet_addresses(part, sock);
            }
            if let Some(begun) = BEGUN.get_ptr(thread()) {
                let begun = *begun;
                // Not by the address of the socket: one of MPTCP connects by another one.
                let is_other = (*part).remote_port != begun.remote_port
                    || core::ptr::read((&raw const (*part).remote).cast::<[u64; 2]>())
                        != core::ptr::read((&raw const begun.remote).cast::<[u64; 2]>());
                if is_other && result >= 0 || result == IN_PROGRESS {
                    (*part).remote = begun.remote;
                    (*part).remote_port = begun.remote_port;
                }
                if is_other && result >= 0 {
                    (*part).own_pointer = begun.sock;
                    (*part).family = begun.family;
                    (*part).socket_type = SOCK_STREAM;
                    (*part).protocol = IPPROTO_TCP;
                    (*part).local = [0; 16];
                    (*part).local_port = 0;
                }
                // It may have gone by itself.
                let _gone = BEGUN.remove(thread());
            }
        }
        write_header(writer, RecordKind::Connect, task, Some(result));
        mark();
        // SAFETY: as above.
        let (family, passed_family) = unsafe { ((*part).family, (*part).passed_family) };
        if family == AF_UNIX {
            let peer = sock.follow(offset!(unix_sock_peer));
            // SAFETY: as above.
            unsafe { (*part).peer_pointer = peer.0 };
            unix_section(writer, SectionTag::PeerPath, peer);
        }
        if passed_family == AF_UNIX {
            let length = u64::from(self.length);
            let end = self.address + if length > 110 { 110 } else { length };
            writer.user_bytes::<128>(SectionTag::PassedPath, self.address + UNIX_PATH, end);
        }
        writer.submit(RecordKind::Connect);
    }
}

/// # Safety
/// `part` points to a fixed part that the caller owns.
#[inline(always)]
unsafe fn internet_addresses(part: *mut ConnectPart, sock: Untyped) {
    // SAFETY: the caller's promise.
    unsafe {
        match (*part).family {
            AF_INET => {
                let local: [u8; 4] = sock.read(offset!(sock_rcv_saddr));
                let remote: [u8; 4] = sock.read(offset!(sock_daddr));
                (&raw mut (*part).local).cast::<[u8; 4]>().write(local);
                (&raw mut (*part).remote).cast::<[u8; 4]>().write(remote);
            }
            AF_INET6 => {
                (*part).local = sock.read(offset!(sock_v6_rcv_saddr));
                (*part).remote = sock.read(offset!(sock_v6_daddr));
            }
            _ => return,
        }
        (*part).local_port = sock.read(offset!(sock_num));
        (*part).remote_port = u16::from_be(sock.read(offset!(sock_dport)));
    }
}

/// The destination that the caller named.
///
/// # Safety
/// `part` points to a fixed part that the caller owns.
#[inline(always)]
unsafe fn passed_address(part: *mut ConnectPart, address: u64, length: u32) {
    // Both `sockaddr_in` and `sockaddr_in6` in one: family, port, then 24 bytes.
    let mut bytes = [0_u16; 14];
    let wanted = if length < 16 { 2 } else { 16 };
    let wanted = if length < 28 { wanted } else { 28 };
    // SAFETY: the helper writes at most 28 bytes to `bytes`, zeros if they cannot be read; `part`
    // is the caller's.
    unsafe {
        bpf_probe_read_user((&raw mut bytes).cast(), wanted, address as *const _);
        (*part).passed_family = bytes[0];
        (*part).passed_port = u16::from_be(bytes[1]);
        let passed = (&raw mut (*part).passed).cast::<u16>();
        match bytes[0] {
            // The address follows the port.
            AF_INET => {
                *passed = bytes[2];
                *passed.add(1) = bytes[3];
            }
            // Four bytes of flow information come between.
            AF_INET6 => {
                let mut word = 0;
                while word < 8 {
                    *passed.add(word) = bytes[4 + word];
                    word += 1;
                }
            }
            _ => {}
        }
    }
}
