//! Sockets that are connected.
//!
//! Seen at the syscall's exit. The addresses are those of the socket itself; the address in user
//! memory is kept beside them for calls that fail before the socket has any.

use agent_ebpf::{ConnectPart, RecordKind, SectionTag};
use aya_ebpf::helpers::generated::bpf_probe_read_user;
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;

use crate::descriptor::{
    AF_INET, AF_INET6, AF_UNIX, UNIX_PATH, file_of, sock_of_file, unix_section,
};
use crate::kernel::{Abi, Arguments, Typed, Untyped, current_task, offset, setting};
use crate::open::{SYSCALL_RESULT, syscall_result};
use crate::record_writer::RecordWriter;
use crate::task::{is_agent, write_header};

/// `EINPROGRESS`: a non-blocking connect that is under way counts as one.
pub(crate) const IN_PROGRESS: i64 = -115;

/// connect(descriptor, address, length)
#[tracepoint(category = "syscalls", name = "sys_exit_connect")]
pub(crate) fn sys_exit_connect(context: TracePointContext) -> u32 {
    connected(syscall_result(&context, SYSCALL_RESULT), Abi::Native)
}

/// The exit of connect, by whatever ABI.
#[inline(always)]
pub(crate) fn connected(result: i64, abi: Abi) -> u32 {
    if !is_wanted(result) || is_agent() {
        return 0;
    }
    let Some(writer) = RecordWriter::begin() else {
        return 0;
    };
    let task = current_task();
    let arguments = Arguments::of(task, writer, abi);
    let descriptor = arguments.get(0) as u32;
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
