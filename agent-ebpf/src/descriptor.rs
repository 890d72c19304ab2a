//! What a file descriptor stands for: a file, a socket, or something without a name.

use agent_ebpf::{DescriptorPart, SectionTag};

use crate::kernel::{Typed, Untyped, offset};
use crate::path::{KernelPath, path_section};
use crate::record_writer::RecordWriter;

/// `AF_*`
pub(crate) const AF_UNIX: u16 = 1;
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;
/// `S_IFMT`, `S_IFSOCK`
const TYPE_MASK: u16 = 0o170_000;
const TYPE_SOCKET: u16 = 0o140_000;
/// Bytes of `sockaddr_un` before the path.
pub(crate) const UNIX_PATH: u64 = 2;

/// The `struct file` behind a descriptor of the task; null if there is none.
#[inline(always)]
pub(crate) fn file_of(task: Typed, descriptor: u32) -> Untyped {
    let files = task.follow(offset!(task_files));
    if files.is_null() {
        return Untyped(0);
    }
    let table = files.follow(offset!(files_fdt));
    if table.is_null() || descriptor >= table.u32(offset!(fdtable_max_fds)) {
        return Untyped(0);
    }
    let array = table.u64(offset!(fdtable_fd));
    Untyped(array.wrapping_add(u64::from(descriptor) * 8)).follow(0)
}

/// The `struct sock` of an open file; null if it is no socket.
#[inline(always)]
pub(crate) fn sock_of_file(file: Untyped) -> Untyped {
    let mode: u16 = file.follow(offset!(file_inode)).read(offset!(inode_mode));
    if file.is_null() || mode & TYPE_MASK != TYPE_SOCKET {
        return Untyped(0);
    }
    file.follow(offset!(file_private_data))
        .follow(offset!(socket_sock))
}

/// Sections with everything about a descriptor of the task.
#[inline(always)]
pub(crate) fn descriptor_sections(writer: RecordWriter, task: Typed, descriptor: u32) {
    file_sections(writer, task, file_of(task, descriptor));
}

/// The same about an open file, which may be null.
#[inline(always)]
pub(crate) fn file_sections(writer: RecordWriter, task: Typed, file: Untyped) {
    writer.begin_section();
    let part = writer.part_of_section::<DescriptorPart>();
    let mut sock = Untyped(0);
    let mut family = 0;
    if !file.is_null() {
        let inode = file.follow(offset!(file_inode));
        let mode: u16 = inode.read(offset!(inode_mode));
        // SAFETY: the part is inside the scratch buffer, which this program owns.
        unsafe {
            (*part).inode = inode.read(offset!(inode_number));
            (*part).inode_mode = u32::from(mode);
            (*part).file_flags = file.read(offset!(file_flags));
            (*part).device = inode
                .follow(offset!(inode_superblock))
                .read(offset!(superblock_device));
        }
        if mode & TYPE_MASK == TYPE_SOCKET {
            sock = file
                .follow(offset!(file_private_data))
                .follow(offset!(socket_sock));
            family = sock.read(offset!(sock_family));
            // SAFETY: as above.
            unsafe { socket_part(part, sock, family) };
        }
    }
    writer.end_section(SectionTag::Descriptor, 0);
    if family == AF_UNIX {
        unix_section(writer, SectionTag::OwnPath, sock);
        let peer = sock.follow(offset!(unix_sock_peer));
        unix_section(writer, SectionTag::PeerPath, peer);
    } else if !file.is_null() && sock.is_null() {
        path_section(
            writer,
            SectionTag::DescriptorPath,
            KernelPath::top_of(writer, task),
            KernelPath::of_file(file),
        );
    }
}

/// # Safety
/// `part` points to a part that the caller owns.
#[inline(always)]
unsafe fn socket_part(part: *mut DescriptorPart, sock: Untyped, family: u16) {
    // SAFETY: the caller's promise.
    unsafe {
        (*part).own_pointer = sock.0;
        (*part).family = family;
        (*part).socket_type = sock.read(offset!(sock_type));
        (*part).protocol = sock.read(offset!(sock_protocol));
        (*part).state = u16::from(sock.read::<u8>(offset!(sock_state)));
        match family {
            AF_UNIX => (*part).peer_pointer = sock.follow(offset!(unix_sock_peer)).0,
            AF_INET => {
                let local: [u8; 4] = sock.read(offset!(sock_rcv_saddr));
                let remote: [u8; 4] = sock.read(offset!(sock_daddr));
                (&raw mut (*part).local).cast::<[u8; 4]>().write(local);
                (&raw mut (*part).remote).cast::<[u8; 4]>().write(remote);
                ports(part, sock);
            }
            AF_INET6 => {
                (*part).local = sock.read(offset!(sock_v6_rcv_saddr));
                (*part).remote = sock.read(offset!(sock_v6_daddr));
                ports(part, sock);
            }
            _ => {}
        }
    }
}

/// # Safety
/// `part` points to a part that the caller owns.
#[inline(always)]
unsafe fn ports(part: *mut DescriptorPart, sock: Untyped) {
    // SAFETY: the caller's promise.
    unsafe {
        (*part).local_port = sock.read(offset!(sock_num));
        (*part).remote_port = u16::from_be(sock.read(offset!(sock_dport)));
    }
}

/// A section with the unix address that a socket is bound to, if it is to any.
#[inline(always)]
pub(crate) fn unix_section(writer: RecordWriter, tag: SectionTag, sock: Untyped) {
    let address = sock.follow(offset!(unix_sock_addr));
    if sock.is_null() || address.is_null() {
        return;
    }
    let length = u64::from(address.read::<u32>(offset!(unix_address_len)));
    if length > UNIX_PATH {
        let name = address.plus(offset!(unix_address_name)).0 + UNIX_PATH;
        writer.kernel_bytes(tag, name, length - UNIX_PATH);
    }
}
