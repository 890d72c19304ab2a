//! The kinds of operations, and the system calls that they stand for.

use agent_ebpf::DROP_OPERATIONS;

use super::connect::record_connect;
use super::names::{Names, note_attribute, record_call};
use super::network::note_with_address;
use super::number;
use super::open::{note_open, record_open};
use super::operation::{Ended, OPERATIONS, Operation, copy_name, descriptor, descriptor_of};
use super::read_write::note_vectors;
use super::short_note::note_shortly;
use crate::kernel::{Untyped, offset, setting};
use crate::output::count_drop;
use crate::shared_buffer::Buffer;
use crate::task::is_agent;

/// The kinds of operations that are recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Openat,
    Openat2,
    Connect,
    Socket,
    Unlinkat,
    Renameat,
    Mkdirat,
    Symlinkat,
    Linkat,
    Send,
    Sendmsg,
    Recv,
    Recvmsg,
    Accept,
    Bind,
    Listen,
    Read,
    Readv,
    Write,
    Writev,
    Fsetxattr,
    Setxattr,
    Fgetxattr,
    Getxattr,
    Fsync,
    SyncFileRange,
    Fallocate,
    Ftruncate,
    Close,
    Statx,
    Fadvise,
    Madvise,
    EpollCtl,
    Splice,
    Tee,
    Shutdown,
}

impl Kind {
    /// By `IORING_OP_*`.
    #[inline(always)]
    pub(super) fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            // With others than the first: registered buffers, many times, or without copies.
            22 | 4 | 49 => Self::Read,
            1 | 60 => Self::Readv,
            23 | 5 => Self::Write,
            2 | 61 => Self::Writev,
            3 => Self::Fsync,
            8 => Self::SyncFileRange,
            9 | 48 => Self::Sendmsg,
            10 => Self::Recvmsg,
            13 => Self::Accept,
            16 => Self::Connect,
            18 => Self::Openat,
            26 | 47 => Self::Send,
            27 => Self::Recv,
            28 => Self::Openat2,
            35 => Self::Renameat,
            36 => Self::Unlinkat,
            37 => Self::Mkdirat,
            38 => Self::Symlinkat,
            39 => Self::Linkat,
            17 => Self::Fallocate,
            19 => Self::Close,
            21 => Self::Statx,
            24 => Self::Fadvise,
            25 => Self::Madvise,
            29 => Self::EpollCtl,
            30 => Self::Splice,
            33 => Self::Tee,
            34 => Self::Shutdown,
            41 => Self::Fsetxattr,
            42 => Self::Setxattr,
            43 => Self::Fgetxattr,
            44 => Self::Getxattr,
            45 => Self::Socket,
            55 => Self::Ftruncate,
            56 => Self::Bind,
            57 => Self::Listen,
            _ => return None,
        })
    }

    /// Whether it is one of those about sockets that [`record_network`](super::network::record_network) records.
    #[inline(always)]
    pub(super) fn is_on_socket(self) -> bool {
        matches!(
            self,
            Self::Send
                | Self::Sendmsg
                | Self::Recv
                | Self::Recvmsg
                | Self::Accept
                | Self::Bind
                | Self::Listen
        )
    }

    /// Whether it is one of those that [`record_read_write`](super::read_write::record_read_write) records.
    #[inline(always)]
    pub(super) fn moves_data(self) -> bool {
        matches!(self, Self::Read | Self::Readv | Self::Write | Self::Writev)
    }

    /// Whether it is one of those that [`record_plain`](super::plain::record_plain) records.
    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        matches!(
            self,
            Self::Fsync
                | Self::SyncFileRange
                | Self::Fallocate
                | Self::Ftruncate
                | Self::Close
                | Self::Statx
                | Self::Fadvise
                | Self::Madvise
                | Self::EpollCtl
                | Self::Splice
                | Self::Tee
                | Self::Shutdown
        )
    }

    /// Whether its record is made of its [`Operation`] alone.
    #[inline(always)]
    pub(super) fn is_recorded_by_note(self) -> bool {
        !self.is_on_socket() && !self.moves_data() && !self.is_plain()
    }

    /// Whether there is an [`Operation`] of it: that of the others would take much room to say little.
    #[inline(always)]
    pub(super) fn is_noted_in_full(self) -> bool {
        !self.is_plain()
            && !matches!(
                self,
                Self::Read | Self::Write | Self::Recv | Self::Recvmsg | Self::Accept | Self::Listen
            )
    }

    /// Takes down what is known when the operation begins.
    #[inline(always)]
    pub(super) fn note(self, request: Untyped) {
        if is_agent() {
            return;
        }
        let command = request.plus(offset!(request_command));
        if !self.is_noted_in_full() {
            note_shortly(self, request, command);
            return;
        }
        let Some(buffer) = Buffer::take() else {
            return;
        };
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
                operation.values[0] = descriptor_of(request);
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
            Self::Readv | Self::Writev => note_vectors(request, command, operation),
            Self::Fsetxattr | Self::Setxattr | Self::Fgetxattr | Self::Getxattr => {
                note_attribute(self, request, command, operation);
            }
            _ => note_with_address(self, request, command, operation),
        }
        if OPERATIONS.insert(request.0, &*operation, 0).is_err() {
            count_drop(DROP_OPERATIONS);
        }
        buffer.give_back();
    }

    /// The system call that it stands for, and which of its arguments have a name.
    #[inline(always)]
    pub(super) fn call(self) -> (u32, Names) {
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
            Self::Send => (number::SENDTO, Names::None),
            Self::Sendmsg => (number::SENDMSG, Names::None),
            Self::Recv => (number::RECVFROM, Names::None),
            Self::Recvmsg => (number::RECVMSG, Names::None),
            Self::Accept => (number::ACCEPT4, Names::None),
            Self::Bind => (number::BIND, Names::None),
            Self::Listen => (number::LISTEN, Names::None),
            Self::Fsetxattr => (number::FSETXATTR, Names::FileAndText),
            Self::Setxattr => (number::SETXATTR, Names::NameAndText),
            Self::Fgetxattr => (number::FGETXATTR, Names::FileAndText),
            Self::Getxattr => (number::GETXATTR, Names::NameAndText),
            // Those without a position: the others need a look at the request.
            Self::Read => (number::READ, Names::None),
            Self::Readv => (number::READV, Names::None),
            Self::Write => (number::WRITE, Names::None),
            Self::Writev => (number::WRITEV, Names::None),
            Self::Fsync => (number::FSYNC, Names::None),
            Self::SyncFileRange => (number::SYNC_FILE_RANGE, Names::None),
            Self::Fallocate => (number::FALLOCATE, Names::None),
            Self::Ftruncate => (number::FTRUNCATE, Names::None),
            Self::Close => (number::CLOSE, Names::None),
            Self::Statx => (number::STATX, Names::None),
            Self::Fadvise => (number::FADVISE64, Names::None),
            Self::Madvise => (number::MADVISE, Names::None),
            Self::EpollCtl => (number::EPOLL_CTL, Names::None),
            Self::Splice => (number::SPLICE, Names::None),
            Self::Tee => (number::TEE, Names::None),
            Self::Shutdown => (number::SHUTDOWN, Names::None),
        }
    }

    /// Makes the record of one that ended.
    #[inline(always)]
    pub(super) fn record(self, ended: &Ended) {
        match self {
            Self::Openat | Self::Openat2 => record_open(ended),
            Self::Connect => record_connect(ended),
            _ => {
                let (syscall, names) = self.call();
                record_call(ended, syscall, names);
            }
        }
    }
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
pub(super) fn wanted_kind(request: Untyped) -> Option<Kind> {
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
