//! From the bytes of a record to an [`Event`].
//!
//! Whatever the bytes are, the decoder returns an event or an error. It allocates nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_ebpf::{
    ALIGNMENT, CallPart, CgroupPart, ConnectPart, DETACHED, DescriptorPart, ExecPart, ExitPart,
    ForkPart, HAS_RESULT, Header, OpenPart, RecordKind, SectionHeader, SectionTag, TRUNCATED,
    UNREADABLE, VIA_32_BIT, VIA_IO_URING, VIA_X32, WIRE_VERSION,
};
use thiserror::Error;

use super::{
    BootTime, Call, CallPath, Capabilities, CgroupCreated, CgroupId, Comm, Connect, Event,
    EventType, Exec, ExecFailed, ExecutableFile, Exit, File, Fork, Gid, KernelPath, Object, Open,
    Origin, OverlayLayer, Payload, Pid, ProcessKey, Socket, SocketAddress, Strings, Text, Tid, Uid,
    Via,
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

/// A type whose every bit pattern is a value: plain integers in C layout.
///
/// # Safety
/// Implement it only for `repr(C)` types made of integers without padding.
unsafe trait Plain: Copy {}

// SAFETY: all of these are integers in `repr(C)`; agent-ebpf lays them out without padding.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for SectionHeader {}
// SAFETY: as above.
unsafe impl Plain for ExecPart {}
// SAFETY: as above.
unsafe impl Plain for ForkPart {}
// SAFETY: as above.
unsafe impl Plain for ExitPart {}
// SAFETY: as above.
unsafe impl Plain for OpenPart {}
// SAFETY: as above.
unsafe impl Plain for ConnectPart {}
// SAFETY: as above.
unsafe impl Plain for CgroupPart {}
// SAFETY: as above.
unsafe impl Plain for CallPart {}
// SAFETY: as above.
unsafe impl Plain for DescriptorPart {}

/// What is left of a record.
#[derive(Clone, Copy)]
struct Cursor<'r> {
    rest: &'r [u8],
    /// Bytes of the whole record, for messages.
    length: usize,
}

impl<'r> Cursor<'r> {
    fn take<T: Plain>(&mut self) -> Result<T, DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(size_of::<T>())
            .ok_or(DecodeError::TooShort(self.length))?;
        self.rest = rest;
        // SAFETY: there are as many bytes as `T` has, and every pattern of them is a `T`.
        Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }

    /// The next section; `None` at the end.
    fn section(&mut self) -> Result<Option<Section<'r>>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let header: SectionHeader = self.take()?;
        let length = header.length as usize;
        let bytes = self
            .rest
            .get(..length)
            .ok_or(DecodeError::TooShort(self.length))?;
        // The last section's padding may be cut off with the record.
        let padded = length.next_multiple_of(ALIGNMENT).min(self.rest.len());
        self.rest = &self.rest[padded..];
        Ok(Some(Section {
            tag: SectionTag::from_number(header.tag),
            flags: header.flags,
            bytes,
        }))
    }
}

#[derive(Clone, Copy)]
struct Section<'r> {
    /// `None` for a tag that this version does not know, which is skipped.
    tag: Option<SectionTag>,
    flags: u16,
    bytes: &'r [u8],
}

impl<'r> Section<'r> {
    fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    fn text(self) -> Text<'r> {
        Text {
            bytes: self.bytes,
            truncated: self.has(TRUNCATED | UNREADABLE),
        }
    }

    /// Memory of a process; `None` if it could not be read.
    fn memory(self) -> Option<&'r [u8]> {
        (!self.has(UNREADABLE)).then_some(self.bytes)
    }

    /// The same as text.
    fn readable(self) -> Option<Text<'r>> {
        (!self.has(UNREADABLE)).then(|| self.text())
    }

    fn strings(self) -> Strings<'r> {
        Strings {
            bytes: self.bytes,
            truncated: self.has(TRUNCATED | UNREADABLE),
        }
    }

    fn path(self) -> KernelPath<'r> {
        KernelPath {
            components: self.bytes,
            truncated: self.has(TRUNCATED),
            detached: self.has(DETACHED),
        }
    }
}

/// Decodes one record.
pub fn decode(record: &[u8]) -> Result<Event<'_>, DecodeError> {
    let mut cursor = Cursor {
        rest: record,
        length: record.len(),
    };
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

fn call<'r>(cursor: &mut Cursor<'r>) -> Result<Call<'r>, DecodeError> {
    let part: CallPart = cursor.take()?;
    let [one, two, three, four, five, six, _, requested] = part.values;
    let mut call = Call {
        arguments: [one, two, three, four, five, six],
        requested,
        ..Call::default()
    };
    let mut descriptor: Option<DescriptorPart> = None;
    let mut path = None;
    let (mut own_path, mut peer_path) = (Text::default(), Text::default());
    while let Some(section) = cursor.section()? {
        let mut set_path = |index: usize| {
            let slot: &mut Option<CallPath<'r>> = &mut call.paths[index];
            slot.get_or_insert_default().path = section.text();
        };
        match section.tag {
            Some(SectionTag::Path) => set_path(0),
            Some(SectionTag::SecondPath) => set_path(1),
            Some(SectionTag::Base) => {
                call.paths[0].get_or_insert_default().base = Some(section.path());
            }
            Some(SectionTag::SecondBase) => {
                call.paths[1].get_or_insert_default().base = Some(section.path());
            }
            Some(SectionTag::UsedPath) => {
                call.paths[0].get_or_insert_default().used = Some(section.path());
            }
            Some(SectionTag::SecondUsedPath) => {
                call.paths[1].get_or_insert_default().used = Some(section.path());
            }
            Some(SectionTag::FirstText) => call.texts[0] = section.readable(),
            Some(SectionTag::SecondText) => call.texts[1] = section.readable(),
            Some(SectionTag::ThirdText) => call.texts[2] = section.readable(),
            Some(SectionTag::FirstMemory) => call.memory[0] = section.memory(),
            Some(SectionTag::SecondMemory) => call.memory[1] = section.memory(),
            Some(SectionTag::ThirdMemory) => call.memory[2] = section.memory(),
            Some(SectionTag::Buffer) => call.buffer = section.readable(),
            Some(SectionTag::Address) => call.address = section.memory().and_then(socket_address),
            Some(SectionTag::Descriptor) => {
                let mut inner = Cursor {
                    rest: section.bytes,
                    length: cursor.length,
                };
                descriptor = Some(inner.take()?);
            }
            Some(SectionTag::DescriptorPath) => path = Some(section.path()),
            Some(SectionTag::OwnPath) => own_path = unix_name(section.text()),
            Some(SectionTag::PeerPath) => peer_path = unix_name(section.text()),
            _ => {}
        }
    }
    call.object = descriptor
        .filter(|part| part.inode_mode != 0)
        .map(|part| object(&part, path, own_path, peer_path));
    Ok(call)
}

fn object<'r>(
    part: &DescriptorPart,
    path: Option<KernelPath<'r>>,
    own_path: Text<'r>,
    peer_path: Text<'r>,
) -> Object<'r> {
    let socket = match i32::from(part.family) {
        0 => {
            return Object::File(File {
                path,
                inode_mode: part.inode_mode,
                flags: part.file_flags,
                device: part.device,
                inode: part.inode,
            });
        }
        libc::AF_UNIX => Socket::Unix {
            path: peer_path,
            pointers: (part.own_pointer, part.peer_pointer),
            socket_type: part.socket_type,
        },
        _ => match (
            address(part.family, part.local),
            address(part.family, part.remote),
        ) {
            (Some(local), Some(remote)) => Socket::Inet {
                local: (local, part.local_port),
                remote: (remote, part.remote_port),
                protocol: part.protocol,
                socket_type: part.socket_type,
            },
            _ => Socket::Other {
                family: part.family,
            },
        },
    };
    Object::Socket {
        socket,
        state: part.state,
        own_path,
        inode: part.inode,
    }
}

/// A `struct sockaddr` of any family; `None` if it is too short to have one.
fn socket_address(bytes: &[u8]) -> Option<SocketAddress<'_>> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let family = u16::from_ne_bytes(*family);
    let port = || {
        rest.first_chunk::<2>()
            .map(|port| u16::from_be_bytes(*port))
    };
    Some(match i32::from(family) {
        libc::AF_INET => {
            let octets = *rest.get(2..)?.first_chunk::<4>()?;
            SocketAddress::Inet(Ipv4Addr::from(octets).into(), port()?)
        }
        // Four bytes of flow information come between.
        libc::AF_INET6 => {
            let octets = *rest.get(6..)?.first_chunk::<16>()?;
            let address = IpAddr::from(Ipv6Addr::from(octets)).to_canonical();
            SocketAddress::Inet(address, port()?)
        }
        libc::AF_UNIX => SocketAddress::Unix(unix_name(Text {
            bytes: rest,
            truncated: false,
        })),
        _ => SocketAddress::Other(family),
    })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_of<T: Plain>(value: &T) -> &[u8] {
        // SAFETY: a plain value is as many initialised bytes as its size.
        unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
    }

    fn record<T: Plain>(
        header: &Header,
        part: &T,
        sections: &[(SectionTag, u16, &[u8])],
    ) -> Vec<u8> {
        let mut record = bytes_of(header).to_vec();
        record.extend(bytes_of(part));
        for (tag, flags, bytes) in sections {
            let length = u32::try_from(bytes.len()).unwrap();
            record.extend(bytes_of(&SectionHeader {
                tag: *tag as u16,
                flags: *flags,
                length,
            }));
            record.extend(*bytes);
            record.resize(record.len().next_multiple_of(ALIGNMENT), 0xee);
        }
        record
    }

    fn header(kind: RecordKind) -> Header {
        Header {
            version: WIRE_VERSION,
            kind: kind as u16,
            pid: 7,
            tid: 8,
            ..Header::default()
        }
    }

    fn open_record() -> Vec<u8> {
        let header = Header {
            syscall: u32::try_from(libc::SYS_openat2).unwrap(),
            flags: HAS_RESULT,
            result: 3,
            ..header(RecordKind::Open)
        };
        let part = OpenPart {
            flags: 0o2,
            inode: 9,
            created: 1,
            ..OpenPart::default()
        };
        record(
            &header,
            &part,
            &[
                (SectionTag::Path, 0, b"x"),
                (
                    SectionTag::Base,
                    TRUNCATED,
                    &KernelPath::components_of(&["a"]),
                ),
                (
                    SectionTag::Opened,
                    0,
                    &KernelPath::components_of(&["x", "a"]),
                ),
            ],
        )
    }

    #[test]
    fn an_open_with_all_its_parts() {
        let bytes = open_record();
        let event = decode(&bytes).unwrap();
        assert_eq!(event.event_type, EventType::OPENAT2);
        assert_eq!(event.origin.result, Some(3));
        assert_eq!(event.origin.process.pid, Pid(7));
        let Payload::Open(open) = event.payload else {
            panic!("{event:?}")
        };
        assert_eq!(open.path.bytes, b"x");
        assert!(open.created);
        assert!(open.base.is_some_and(|base| base.truncated));
        assert_eq!(open.opened.unwrap().to_vec(), b"/a/x");
    }

    #[test]
    fn addresses_of_both_families() {
        for (family, bytes, expected) in [
            (
                libc::AF_INET,
                [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                "127.0.0.1",
            ),
            (
                libc::AF_INET6,
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                "::1",
            ),
            (
                libc::AF_INET6,
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1],
                "10.0.0.1",
            ),
        ] {
            let part = ConnectPart {
                family: u16::try_from(family).unwrap(),
                remote: bytes,
                remote_port: 80,
                ..ConnectPart::default()
            };
            let record = record(&header(RecordKind::Connect), &part, &[]);
            let Payload::Connect(connect) = decode(&record).unwrap().payload else {
                panic!()
            };
            let Some(Socket::Inet { remote, .. }) = connect.socket else {
                panic!("{connect:?}")
            };
            assert_eq!((remote.0.to_string().as_str(), remote.1), (expected, 80));
        }
    }

    #[test]
    fn a_unix_name_ends_at_its_nul_unless_it_is_abstract() {
        for (given, expected) in [
            (&b"/run/x\0junk"[..], &b"/run/x"[..]),
            (b"\0abstract", b"\0abstract"),
            (b"", b""),
        ] {
            assert_eq!(
                unix_name(Text {
                    bytes: given,
                    truncated: false
                })
                .bytes,
                expected
            );
        }
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        let bytes = open_record();
        for length in [0, 1, size_of::<Header>(), bytes.len() - 9] {
            assert_eq!(
                decode(&bytes[..length]).unwrap_err(),
                DecodeError::TooShort(length)
            );
        }
        let mut other_version = bytes.clone();
        other_version[0] = 9;
        assert_eq!(decode(&other_version).unwrap_err(), DecodeError::Version(9));
        let mut other_kind = bytes;
        other_kind[2] = 99;
        assert_eq!(decode(&other_kind).unwrap_err(), DecodeError::Kind(99));
    }

    fn call_record(part: &CallPart, sections: &[(SectionTag, u16, &[u8])]) -> Vec<u8> {
        let header = Header {
            syscall: u32::try_from(libc::SYS_renameat2).unwrap(),
            flags: HAS_RESULT,
            ..header(RecordKind::Call)
        };
        record(&header, part, sections)
    }

    fn decoded_call(record: &[u8]) -> Call<'_> {
        let event = decode(record).unwrap();
        assert_eq!(event.event_type.name(), "renameat2");
        let Payload::Call(call) = event.payload else {
            panic!("{event:?}")
        };
        call
    }

    #[test]
    fn a_call_with_all_its_sections() {
        let part = CallPart {
            values: [1, 2, 3, 4, 5, 6, 0, 4096],
        };
        let descriptor = DescriptorPart {
            inode: 9,
            inode_mode: 0o100_644,
            device: 8 << 20 | 1,
            file_flags: 0o2,
            ..DescriptorPart::default()
        };
        let record = call_record(
            &part,
            &[
                (SectionTag::Path, 0, b"a"),
                (SectionTag::SecondPath, TRUNCATED, b"b"),
                (
                    SectionTag::Base,
                    0,
                    &KernelPath::components_of(&["u", "home"]),
                ),
                (
                    SectionTag::SecondBase,
                    DETACHED,
                    &KernelPath::components_of(&["x"]),
                ),
                (
                    SectionTag::SecondUsedPath,
                    0,
                    &KernelPath::components_of(&["real", "srv"]),
                ),
                (SectionTag::FirstText, 0, b"one"),
                (SectionTag::SecondText, TRUNCATED, b"two"),
                (SectionTag::ThirdText, UNREADABLE, b""),
                (SectionTag::FirstMemory, 0, b"1234"),
                (SectionTag::SecondMemory, UNREADABLE, b""),
                (SectionTag::ThirdMemory, 0, b"5"),
                (SectionTag::Buffer, TRUNCATED, b"data"),
                (SectionTag::Address, 0, b"\x02\0\0\x50\x7f\0\0\x01"),
                (SectionTag::Descriptor, 0, bytes_of(&descriptor)),
                (
                    SectionTag::DescriptorPath,
                    0,
                    &KernelPath::components_of(&["f"]),
                ),
                // Of another kind of record: skipped.
                (SectionTag::Env, 0, b"X=1"),
            ],
        );
        let call = decoded_call(&record);
        assert_eq!(call.arguments, [1, 2, 3, 4, 5, 6]);
        assert_eq!(call.requested, 4096);
        let [Some(first), Some(second)] = call.paths else {
            panic!("{call:?}")
        };
        assert_eq!((first.path.bytes, first.path.truncated), (&b"a"[..], false));
        assert_eq!(first.base.unwrap().to_vec(), b"/home/u");
        assert_eq!(
            (second.path.bytes, second.path.truncated),
            (&b"b"[..], true)
        );
        assert!(second.base.unwrap().detached);
        assert_eq!(second.used.unwrap().to_vec(), b"/srv/real");
        assert!(first.used.is_none());
        let texts = call
            .texts
            .map(|text| text.map(|text| (text.bytes, text.truncated)));
        assert_eq!(
            texts,
            [Some((&b"one"[..], false)), Some((b"two", true)), None]
        );
        assert_eq!(call.memory, [Some(&b"1234"[..]), None, Some(b"5")]);
        assert_eq!(
            call.buffer.map(|data| (data.bytes, data.truncated)),
            Some((&b"data"[..], true))
        );
        assert_eq!(
            call.address,
            Some(SocketAddress::Inet([127, 0, 0, 1].into(), 80))
        );
        let Some(Object::File(file)) = call.object else {
            panic!("{call:?}")
        };
        assert_eq!(file.path.unwrap().to_vec(), b"/f");
        assert_eq!(
            (file.inode, file.inode_mode, file.device, file.flags),
            (9, 0o100_644, 8 << 20 | 1, 0o2)
        );
    }

    #[test]
    fn what_a_descriptor_of_a_call_stands_for() {
        let family = |number: i32| u16::try_from(number).unwrap();
        let socket = DescriptorPart {
            inode_mode: 0o140_777,
            family: family(libc::AF_UNIX),
            own_pointer: 1,
            peer_pointer: 2,
            state: 1,
            ..DescriptorPart::default()
        };
        let sections: &[(SectionTag, u16, &[u8])] = &[
            (SectionTag::OwnPath, 0, b"/run/own\0junk"),
            (SectionTag::PeerPath, 0, b"\0peer"),
        ];
        for (part, expected) in [
            (socket, r"Unix /run/own \x00peer"),
            (
                DescriptorPart {
                    family: family(libc::AF_INET),
                    local: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                    local_port: 5,
                    ..socket
                },
                "Inet 10.0.0.1:5 0.0.0.0:0",
            ),
            (
                DescriptorPart {
                    family: family(libc::AF_NETLINK),
                    ..socket
                },
                "Other 16",
            ),
            // It is not open.
            (
                DescriptorPart {
                    inode_mode: 0,
                    ..socket
                },
                "nothing",
            ),
        ] {
            let mut all = sections.to_vec();
            all.push((SectionTag::Descriptor, 0, bytes_of(&part)));
            let record = call_record(&CallPart::default(), &all);
            let found = match decoded_call(&record).object {
                None => "nothing".to_owned(),
                Some(Object::File(_)) => "a file".to_owned(),
                Some(Object::Socket {
                    socket, own_path, ..
                }) => match socket {
                    Socket::Unix { path, .. } => format!(
                        "Unix {} {}",
                        own_path.bytes.escape_ascii(),
                        path.bytes.escape_ascii()
                    ),
                    Socket::Inet { local, remote, .. } => {
                        format!("Inet {}:{} {}:{}", local.0, local.1, remote.0, remote.1)
                    }
                    Socket::Other { family } => format!("Other {family}"),
                },
            };
            assert_eq!(found, expected, "{part:?}");
        }
    }

    #[test]
    fn a_socket_address_that_is_cut_off_is_none() {
        for (bytes, expected) in [
            (&b""[..], None),
            (b"\x02", None),
            (b"\x02\0\0\x50\x7f", None),
            (b"\x0a\0\0\x50\0\0\0\0", None),
            (b"\x11\0", Some(SocketAddress::Other(17))),
            (
                b"\x01\0/run/x\0junk",
                Some(SocketAddress::Unix(Text {
                    bytes: b"/run/x",
                    truncated: false,
                })),
            ),
        ] {
            assert_eq!(socket_address(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_call_of_no_known_number_is_an_error() {
        let header = Header {
            syscall: 511,
            ..header(RecordKind::Call)
        };
        let bytes = record(&header, &CallPart::default(), &[]);
        assert_eq!(decode(&bytes).unwrap_err(), DecodeError::Call(511));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), kind in 0..9_u8) {
            if bytes.len() > 3 {
                bytes[..4].copy_from_slice(&[1, 0, kind, 0]);
            }
            if let Ok(event) = decode(&bytes)
                && let Payload::Open(Open { opened: Some(path), .. }) = event.payload
            {
                path.to_vec();
            }
        }

        #[test]
        fn damage_to_a_true_record_makes_no_panic(position in 0..600_usize, byte: u8) {
            let mut bytes = open_record();
            let place = position % bytes.len();
            bytes[place] = byte;
            let _outcome = decode(&bytes);
            let part = DescriptorPart { inode_mode: 1, family: 1, ..DescriptorPart::default() };
            let mut bytes = call_record(&CallPart::default(), &[
                (SectionTag::Descriptor, 0, bytes_of(&part)),
                (SectionTag::Address, 0, b"\x0a\0\0\x50"),
                (SectionTag::SecondText, 0, b"text"),
            ]);
            let place = position % bytes.len();
            bytes[place] = byte;
            let _outcome = decode(&bytes);
        }
    }
}
