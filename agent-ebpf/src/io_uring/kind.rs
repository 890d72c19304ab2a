//! The kinds of operations, and the system calls that they stand for.

use agent_ebpf::DROP_OPERATIONS;

use super::buffer::Buffer;
use super::connect::record_connect;
use super::names::{Names, record_call};
use super::open::{note_open, record_open};
use super::operation::{Ended, OPERATIONS, Operation, copy_name, descriptor};
use crate::kernel::{Untyped, offset};
use crate::output::count_drop;
use crate::task::is_agent;

/// Numbers of system calls of x86-64.
pub(super) mod number {
    pub(in crate::io_uring) const OPENAT: u32 = 257;
    pub(in crate::io_uring) const OPENAT2: u32 = 437;
    pub(in crate::io_uring) const CONNECT: u32 = 42;
    pub(in crate::io_uring) const SOCKET: u32 = 41;
    pub(in crate::io_uring) const UNLINKAT: u32 = 263;
    pub(in crate::io_uring) const RENAMEAT2: u32 = 316;
    pub(in crate::io_uring) const MKDIRAT: u32 = 258;
    pub(in crate::io_uring) const SYMLINKAT: u32 = 266;
    pub(in crate::io_uring) const LINKAT: u32 = 265;
}

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
}

impl Kind {
    /// By `IORING_OP_*`.
    #[inline(always)]
    pub(super) fn of(opcode: u8) -> Option<Self> {
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
    pub(super) fn note(self, request: Untyped) {
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
