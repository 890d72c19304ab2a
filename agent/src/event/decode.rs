//! From the bytes of a record to an [`Event`].
//!
//! Whatever the bytes are, the decoder returns an event or an error. It allocates nothing.

mod call;
mod cursor;
mod listed;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_ebpf::{
    CgroupPart, ConnectPart, ExecPart, ExitPart, ForkPart, HAS_RESULT, Header, OpenPart,
    RecordKind, SectionTag, VIA_32_BIT, VIA_IO_URING, VIA_X32, WIRE_VERSION,
};
use thiserror::Error;

use self::call::call;
use self::cursor::Cursor;
use super::{
    BootTime, Capabilities, CgroupCreated, CgroupId, Comm, Connect, Event, EventType, Exec,
    ExecFailed, ExecutableFile, Exit, Fork, Gid, KernelPath, Open, Origin, OverlayLayer, Payload,
    Pid, ProcessKey, Socket, Text, Tid, Uid, Via,
};

/// Why a record is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// It ends before its parts do.
    #[error("the record ends after {0} bytes, in the middle of a part")]
    TooShort(usize),
    /// It is of another version of the layout.
    #[error("the record has version {0}, not {WIRE_VERSION}")]
    Version(u16),
    /// It is of a system call that the table of events does not have.
    #[error("the record is of the unknown system call {0}")]
    Call(u32),
    /// Its kind is unknown.
    #[error("the record has the unknown kind {0}")]
    Kind(u16),
}

/// Decodes one record.
pub fn decode(record: &[u8]) -> Result<Event<'_>, DecodeError> {
    let mut cursor = Cursor::new(record);
    let header: Header = cursor.take()?;
    if header.version != WIRE_VERSION {
        return Err(DecodeError::Version(header.version));
    }
    let kind = RecordKind::from_number(header.kind).ok_or(DecodeError::Kind(header.kind))?;
    let payload = match kind {
        RecordKind::Exec => Payload::Exec(exec(&mut cursor, &header)?),
        RecordKind::ExecFailed => Payload::ExecFailed(exec_failed(&mut cursor)?),
        RecordKind::Fork => Payload::Fork(fork(cursor.take()?)),
        RecordKind::Exit => Payload::Exit(Exit {
            status: cursor.take::<ExitPart>()?.status,
        }),
        RecordKind::Open => Payload::Open(open(&mut cursor, &header)?),
        RecordKind::Connect => Payload::Connect(connect(&mut cursor)?),
        RecordKind::CgroupCreated => Payload::CgroupCreated(cgroup_created(&mut cursor)?),
        RecordKind::Call => Payload::Call(call(&mut cursor)?),
        RecordKind::WorkingDirectory => Payload::WorkingDirectory(working_directory(&mut cursor)?),
    };
    let event_type = match kind {
        RecordKind::Call => {
            EventType::from_syscall(header.syscall).ok_or(DecodeError::Call(header.syscall))?
        }
        kind => event_type(kind, header.syscall),
    };
    Ok(Event {
        event_type,
        origin: origin(&header),
        payload,
    })
}

fn origin(header: &Header) -> Origin {
    Origin {
        time: BootTime(header.time),
        process: ProcessKey::new(Pid(header.pid), BootTime(header.start_time)),
        tid: Tid(header.tid),
        parent: ProcessKey::new(Pid(header.ppid), BootTime(header.parent_start_time)),
        vpid: Pid(header.vpid),
        vtid: Tid(header.vtid),
        pgid: Pid(header.pgid),
        sid: Pid(header.sid),
        vpgid: Pid(header.vpgid),
        vsid: Pid(header.vsid),
        uid: Uid(header.uid),
        gid: Gid(header.gid),
        loginuid: Uid(header.loginuid),
        tty: header.tty,
        cgroup: CgroupId(header.cgroup),
        exec_id: header.exec_id,
        comm: Comm::from_kernel(header.comm),
        cpu: header.cpu,
        via: if header.flags & VIA_32_BIT != 0 {
            Via::Bits32
        } else if header.flags & VIA_X32 != 0 {
            Via::X32
        } else if header.flags & VIA_IO_URING != 0 {
            Via::IoUring
        } else {
            Via::Bits64
        },
        result: (header.flags & HAS_RESULT != 0).then_some(header.result),
    }
}

/// The name of an event: for kinds that several system calls share, that of the call.
fn event_type(kind: RecordKind, syscall: u32) -> EventType {
    let call = libc::c_long::from(syscall);
    match kind {
        // Falco reports a successful execveat as execve too (semantics of its exec tracepoint).
        RecordKind::Exec => EventType::EXECVE,
        RecordKind::ExecFailed if call == libc::SYS_execveat => EventType::EXECVEAT,
        RecordKind::ExecFailed => EventType::EXECVE,
        RecordKind::Fork => match call {
            libc::SYS_fork => EventType::FORK,
            libc::SYS_vfork => EventType::VFORK,
            libc::SYS_clone3 => EventType::CLONE3,
            _ => EventType::CLONE,
        },
        RecordKind::Exit => EventType::PROCEXIT,
        RecordKind::Open => match call {
            libc::SYS_open => EventType::OPEN,
            libc::SYS_creat => EventType::CREAT,
            libc::SYS_openat2 => EventType::OPENAT2,
            _ => EventType::OPENAT,
        },
        RecordKind::Connect => EventType::CONNECT,
        RecordKind::CgroupCreated | RecordKind::Call | RecordKind::WorkingDirectory => {
            EventType::STATE
        }
    }
}

fn exec<'r>(cursor: &mut Cursor<'r>, header: &Header) -> Result<Exec<'r>, DecodeError> {
    let part: ExecPart = cursor.take()?;
    let mut exec = Exec {
        old_tid: (part.old_tid != header.pid).then_some(Tid(part.old_tid)),
        file: ExecutableFile::of(&part, Uid(header.uid), Gid(header.gid)),
        capabilities: Capabilities::of(&part),
        interpreted: part.interpreted != 0,
        namespace_start: (part.namespace_start != 0).then_some(BootTime(part.namespace_start)),
        ..Exec::default()
    };
    while let Some(section) = cursor.section()? {
        match section.tag {
            Some(SectionTag::Args) => exec.args = section.strings(),
            Some(SectionTag::Env) => exec.env = section.strings(),
            Some(SectionTag::Path) => exec.filename = section.text(),
            Some(SectionTag::ExePath) => exec.exe_path = Some(section.path()),
            Some(SectionTag::Cwd) => exec.cwd = Some(section.path()),
            Some(SectionTag::Cgroup) => exec.cgroup_path = Some(section.path()),
            _ => {}
        }
    }
    Ok(exec)
}

fn exec_failed<'r>(cursor: &mut Cursor<'r>) -> Result<ExecFailed<'r>, DecodeError> {
    let mut failed = ExecFailed::default();
    while let Some(section) = cursor.section()? {
        match section.tag {
            Some(SectionTag::Path) => failed.filename = section.text(),
            Some(SectionTag::Args) => failed.args = section.strings(),
            _ => {}
        }
    }
    Ok(failed)
}

fn working_directory<'r>(cursor: &mut Cursor<'r>) -> Result<KernelPath<'r>, DecodeError> {
    while let Some(section) = cursor.section()? {
        if section.tag == Some(SectionTag::Cwd) {
            return Ok(section.path());
        }
    }
    Err(DecodeError::TooShort(cursor.length))
}

fn fork(part: ForkPart) -> Fork {
    Fork {
        child: ProcessKey::new(Pid(part.child_pid), BootTime(part.child_start_time)),
        child_vpid: Pid(part.child_vpid),
        child_parent: ProcessKey::new(Pid(part.child_ppid), BootTime(part.child_parent_start_time)),
        child_cgroup: CgroupId(part.child_cgroup),
    }
}

fn open<'r>(cursor: &mut Cursor<'r>, header: &Header) -> Result<Open<'r>, DecodeError> {
    let part: OpenPart = cursor.take()?;
    let mut open = Open {
        flags: part.flags,
        mode: if makes_file(part.flags) { part.mode } else { 0 },
        directory: part.directory,
        resolve: part.resolve,
        inode_mode: part.inode_mode,
        dev: part.device,
        inode: part.inode,
        layer: OverlayLayer::of(part.layer),
        created: part.created != 0,
        ..Open::default()
    };
    while let Some(section) = cursor.section()? {
        match section.tag {
            Some(SectionTag::Path) => open.path = section.text(),
            Some(SectionTag::Base) => open.base = Some(section.path()),
            Some(SectionTag::Opened) if header.result >= 0 => open.opened = Some(section.path()),
            _ => {}
        }
    }
    Ok(open)
}

/// Whether an open may make a file; without, its mode is whatever the register held.
fn makes_file(flags: u32) -> bool {
    /// `__O_TMPFILE` of the kernel, without the bit of `O_DIRECTORY`.
    const TEMPORARY: u32 = 0o20_000_000;
    flags & (libc::O_CREAT.cast_unsigned() | TEMPORARY) != 0
}

fn connect<'r>(cursor: &mut Cursor<'r>) -> Result<Connect<'r>, DecodeError> {
    let part: ConnectPart = cursor.take()?;
    let mut peer = Text::default();
    let mut connect = Connect {
        fd: part.fd,
        ..Connect::default()
    };
    while let Some(section) = cursor.section()? {
        match section.tag {
            Some(SectionTag::PeerPath) => peer = unix_name(section.text()),
            Some(SectionTag::PassedPath) => connect.passed_unix = unix_name(section.text()),
            _ => {}
        }
    }
    connect.passed =
        address(part.passed_family, part.passed).map(|address| (address, part.passed_port));
    connect.socket = match i32::from(part.family) {
        0 => None,
        libc::AF_UNIX => Some(Socket::Unix {
            path: peer,
            pointers: (part.own_pointer, part.peer_pointer),
            socket_type: part.socket_type,
        }),
        _ => match (
            address(part.family, part.local),
            address(part.family, part.remote),
        ) {
            (Some(local), Some(remote)) => Some(Socket::Inet {
                local: (local, part.local_port),
                remote: (remote, part.remote_port),
                protocol: part.protocol,
                socket_type: part.socket_type,
            }),
            _ => Some(Socket::Other {
                family: part.family,
            }),
        },
    };
    Ok(connect)
}

/// A unix address ends at its first NUL, unless it starts with one: then it is an abstract name.
fn unix_name(text: Text<'_>) -> Text<'_> {
    match text.bytes.iter().position(|byte| *byte == 0) {
        Some(end) if end > 0 => Text {
            bytes: &text.bytes[..end],
            ..text
        },
        _ => text,
    }
}

/// An address of an internet family. An IPv4 address in IPv6 clothes becomes IPv4, as in Falco.
fn address(family: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => Some(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        libc::AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()),
        _ => None,
    }
}

fn cgroup_created<'r>(cursor: &mut Cursor<'r>) -> Result<CgroupCreated<'r>, DecodeError> {
    let part: CgroupPart = cursor.take()?;
    let mut path = Text::default();
    while let Some(section) = cursor.section()? {
        if section.tag == Some(SectionTag::Text) {
            path = section.text();
        }
    }
    Ok(CgroupCreated {
        cgroup: CgroupId(part.created),
        path,
    })
}
