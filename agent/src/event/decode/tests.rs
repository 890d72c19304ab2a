//! What records decode to.

use agent_ebpf::{
    ALIGNMENT, CallPart, DETACHED, DescriptorPart, QueuePart, SectionHeader, TRUNCATED, UNREADABLE,
};
use proptest::prelude::*;

use super::call::socket_address;
use super::cursor::{Plain, bytes_of};
use super::*;
use crate::event::{Call, Object, Queue, SocketAddress};

fn record<T: Plain>(header: &Header, part: &T, sections: &[(SectionTag, u16, &[u8])]) -> Vec<u8> {
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
fn a_list_is_decoded_entry_by_entry() {
    let file = DescriptorPart {
        inode_mode: 0o100_644,
        inode: 9,
        ..DescriptorPart::default()
    };
    let path = KernelPath::components_of(&["f"]);
    let of_call = DescriptorPart { inode: 7, ..file };
    let record = call_record(
        &CallPart::default(),
        &[
            (SectionTag::Descriptor, 0, bytes_of(&of_call)),
            (SectionTag::FirstText, 0, b"before"),
            (SectionTag::Listed, 0, b"\x03\0\0\0\x01\0\x04\0"),
            (SectionTag::Descriptor, 0, bytes_of(&file)),
            (SectionTag::DescriptorPath, 0, &path),
            (SectionTag::Listed, 0, b"\xff\xff\xff\xff\x01\0\0\x80"),
            (
                SectionTag::Descriptor,
                0,
                bytes_of(&DescriptorPart::default()),
            ),
            (SectionTag::Listed, TRUNCATED, b""),
        ],
    );
    let call = decoded_call(&record);
    assert_eq!(call.texts[0].unwrap().bytes, b"before");
    assert!(matches!(call.object, Some(Object::File(file)) if file.inode == 7));
    assert!(call.listed.truncated);
    // Any number of times.
    for _ in 0..2 {
        let entries: Vec<_> = call.listed.entries().collect();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].number(), entries[0].returned()), (3, 4));
        let Some(Object::File(file)) = entries[0].object else {
            panic!("{entries:?}")
        };
        assert_eq!(
            (file.inode, file.path.unwrap().to_vec()),
            (9, b"/f".to_vec())
        );
        assert_eq!((entries[1].number(), entries[1].returned()), (-1, 0x8000));
        assert!(entries[1].object.is_none());
    }
    let whole = &[(SectionTag::Listed, 0, &b"\x03\0\0\0\0\0\0\0"[..])];
    assert!(
        !decoded_call(&call_record(&CallPart::default(), whole))
            .listed
            .truncated
    );
    let unread = &[(SectionTag::Listed, UNREADABLE, &b""[..])];
    let record = call_record(&CallPart::default(), unread);
    let call = decoded_call(&record);
    assert!(call.listed.truncated);
    assert_eq!(call.listed.entries().count(), 0);
}

#[test]
fn queues_and_control_data() {
    let queue = QueuePart {
        length: 3,
        limit: 128,
    };
    let record = call_record(
        &CallPart::default(),
        &[
            (SectionTag::Queue, 0, bytes_of(&queue)),
            (SectionTag::Control, TRUNCATED, b"control"),
        ],
    );
    let call = decoded_call(&record);
    let (length, limit) = (3, 128);
    assert_eq!(call.queue, Some(Queue { length, limit }));
    assert!(
        call.control
            .is_some_and(|data| data.truncated && data.bytes == b"control")
    );
    // A part that is too short is an error, in a list too.
    for sections in [
        &[(SectionTag::Queue, 0, &b"short"[..])][..],
        &[
            (SectionTag::Listed, 0, b"\x03\0\0\0\0\0\0\0"),
            (SectionTag::Descriptor, 0, b"short"),
        ],
    ] {
        let record = call_record(&CallPart::default(), sections);
        assert_eq!(decode(&record).unwrap_err(), DecodeError::TooShort(5));
    }
    let unreadable = &[(SectionTag::Control, UNREADABLE, &b""[..])];
    assert!(
        decoded_call(&call_record(&CallPart::default(), unreadable))
            .control
            .is_none()
    );
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
        match decode(&bytes).map(|event| event.payload) {
            Ok(Payload::Open(Open { opened: Some(path), .. })) => {
                path.to_vec();
            }
            Ok(Payload::Call(call)) => {
                call.listed.entries().for_each(drop);
            }
            _ => {}
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
            (SectionTag::Listed, 0, b"\x03\0\0\0\0\0\0\0"),
            (SectionTag::Descriptor, 0, bytes_of(&part)),
        ]);
        let place = position % bytes.len();
        bytes[place] = byte;
        if let Ok(Event { payload: Payload::Call(call), .. }) = decode(&bytes) {
            call.listed.entries().for_each(drop);
        }
    }
}
