//! Parameters of events, one of each kind, as `evt.arg` and `evt.rawarg` give them.

use std::mem::discriminant;

use agent_ebpf::DescriptorPart;

use super::descriptor_values::{connected, inet, opened, polled, received, regular, socket};
use super::scene::{NONE, Scene, call, event, relative, text};
use crate::event::table::{Base, EventDefinition, Kind};
use crate::event::{
    Call, CgroupId, Event, EventType, Exit, Fork, Listed, Object, Payload, Pid, Queue,
    SocketAddress,
};
use crate::fields::View;

/// An event, the name of a parameter, `evt.arg` and `evt.rawarg` of it.
type Shown = (Event<'static>, &'static str, &'static str, &'static str);

fn with_arguments(name: &str, arguments: [u64; 6]) -> Event<'static> {
    call(
        name,
        0,
        &Call {
            arguments,
            ..Call::default()
        },
    )
}

/// `struct timespec` of 1.5 s.
const ONE_AND_A_HALF: &[u8; 16] = b"\x01\0\0\0\0\0\0\0\x00\x65\xcd\x1d\0\0\0\0";

#[rustfmt::skip] // A row each.
fn rows() -> Vec<Shown> {
    let of_path = Call { paths: [Some(relative(b"./x")), None], arguments: [0, 0o644, 0, 0, 0, 0], ..Call::default() };
    let sleep = Call { memory: [Some(ONE_AND_A_HALF), None, None], ..Call::default() };
    let operations = Call { memory: [Some(b"\x02\0\xff\xff\0\x10\0\0\0\0\0\0"), None, None], ..Call::default() };
    let bound = Call { address: Some(SocketAddress::Inet([127, 0, 0, 1].into(), 80)), ..Call::default() };
    let bound_by_name = Call { address: Some(SocketAddress::Unix(text(b"\0abstract"))), ..Call::default() };
    let bound_to_other = Call { address: Some(SocketAddress::Other(17)), ..Call::default() };
    let mounted = Call { texts: [Some(text(b"/dev/sda1")), Some(text(b"ext4")), None], paths: [Some(relative(b"mnt")), None], ..Call::default() };
    let mask = Call { memory: [None, Some(&[1, 0x40, 0, 0, 2, 0, 0, 0]), None], ..Call::default() };
    vec![
        // Kind::Outcome
        (call("chmod", -2, &Call::default()), "res", "ENOENT", "-2"),
        (call("chmod", 0, &Call::default()), "res", "0", "0"),
        (call("chmod", -4000, &Call::default()), "res", "-4000", "-4000"),
        (event("procexit", 0, Payload::Exit(Exit { status: 0x8b })), "status", "139", "139"),
        (event("procexit", 0, Payload::Exit(Exit { status: 0x8b })), "sig", "11", "11"),
        (event("procexit", 0, Payload::Exit(Exit { status: 0x8b })), "core", "1", "1"),
        (event("procexit", 0, Payload::Exit(Exit { status: 7 << 8 })), "ret", "7", "7"),
        // Kind::Descriptor: with what it stands for, or its number
        (received("read", Object::File(regular())), "fd", "<f>/var/log", "3"),
        // Of two ports that any program may have, the lower one is taken for the server's.
        (received("read", socket(inet(), 1)), "fd", "<4>93.184.216.34:64999->10.0.0.5:40001", "3"),
        (with_arguments("read", [9, 0, 0, 0, 0, 0]), "fd", "9", "9"),
        // The upper half of a register is not part of a descriptor.
        (with_arguments("mkdirat", [0xffff_ff9c, 0, 0, 0, 0, 0]), "dirfd", "AT_FDCWD", "-100"),
        (opened(), "dirfd", "AT_FDCWD", "-100"),
        (connected(), "fd", "<4>10.0.0.5:40001->93.184.216.34:64999", "6"),
        // Kind::Process: with its name
        (with_arguments("kill", [150, 0, 0, 0, 0, 0]), "pid", "make", "150"),
        (with_arguments("kill", [4242, 0, 0, 0, 0, 0]), "pid", "4242", "4242"),
        (with_arguments("kill", [u64::MAX, 0, 0, 0, 0, 0]), "pid", "-1", "-1"),
        (fork(), "res", "make", "17"),
        // Kind::User, Kind::Group
        (with_arguments("setuid", [1001, 0, 0, 0, 0, 0]), "uid", "bob", "1001"),
        (with_arguments("setuid", [77, 0, 0, 0, 0, 0]), "uid", "<NA>", "77"),
        (with_arguments("setresuid", [0, 0, 0xffff_ffff, 0, 0, 0]), "suid", "<NONE>", "4294967295"),
        (with_arguments("setuid", [0, 0, 0, 0, 0, 0]), "uid", "root", "0"),
        (with_arguments("setgid", [100, 0, 0, 0, 0, 0]), "gid", "staff", "100"),
        (with_arguments("setgid", [101, 0, 0, 0, 0, 0]), "gid", "<NA>", "101"),
        // Kind::Text
        (call("mount", 0, &mounted), "dev", "/dev/sda1", "/dev/sda1"),
        (call("mount", 0, &mounted), "type", "ext4", "ext4"),
        // Kind::Path: absolute
        (call("chmod", 0, &of_path), "filename", "/home/u/x", "./x"),
        (call("mount", 0, &mounted), "dir", "/home/u/mnt", "mnt"),
        (opened(), "name", "/home/u/link", "link"),
        // Kind::Bytes
        (received("read", Object::File(regular())), "data", "hello", "hello"),
        (call("read", 0, &Call::default()), "data", NONE, NONE),
        // Kind::Unsigned
        (with_arguments("read", [0, 0, 4096, 0, 0, 0]), "size", "4096", "4096"),
        (with_arguments("mkdir", [0, 0o755, 0, 0, 0, 0]), "mode", "1ed", "493"),
        (opened(), "mode", "0755", "493"),
        (opened(), "dev", "801", "2049"),
        // Kind::Signed
        (with_arguments("listen", [0, 0xffff_ffff, 0, 0, 0, 0]), "backlog", "-1", "-1"),
        (with_arguments("epoll_wait", [0, 0, u64::MAX, 0, 0, 0]), "maxevents", "-1", "-1"),
        (call("semop", 0, &operations), "sem_op_0", "-1", "-1"),
        (call("semop", 0, &operations), "sem_num_0", "2", "2"),
        // Kind::Flags
        (call("semop", 0, &operations), "sem_flg_0", "SEM_UNDO", "4096"),
        (with_arguments("unshare", [0x1000_0000, 0, 0, 0, 0, 0]), "flags", "CLONE_NEWUSER", "268435456"),
        (opened(), "flags", "O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED", "577"),
        // Kind::Mode
        (call("chmod", 0, &of_path), "mode", "S_IROTH|S_IRGRP|S_IWUSR|S_IRUSR", "420"),
        // Kind::Enumeration: the number where it has no name
        (with_arguments("ptrace", [16, 0, 0, 0, 0, 0]), "request", "PTRACE_ATTACH", "16"),
        (with_arguments("ptrace", [9999, 0, 0, 0, 0, 0]), "request", "9999", "9999"),
        // Kind::Address
        (call("bind", 0, &bound), "addr", "127.0.0.1:80", "127.0.0.1:80"),
        (call("bind", 0, &bound_by_name), "addr", "@abstract", "@abstract"),
        (call("bind", 0, &bound_to_other), "addr", "AF_PACKET", "AF_PACKET"),
        (connected(), "addr", "93.184.216.34:64999", "93.184.216.34:64999"),
        // Kind::Tuple
        (connected(), "tuple", "10.0.0.5:40001->93.184.216.34:64999", "10.0.0.5:40001->93.184.216.34:64999"),
        (received("recvfrom", socket(inet(), 1)), "tuple", "93.184.216.34:64999->10.0.0.5:40001", "93.184.216.34:64999->10.0.0.5:40001"),
        // Kind::Duration: ns
        (call("nanosleep", 0, &sleep), "interval", "1500000000", "1500000000"),
        // Kind::SignalSet
        (call("ppoll", 0, &mask), "sigmask", "SIGHUP SIGTERM 34", "8589950977"),
        // Kind::Descriptors
        (polled(false), "fds", "3:f5 4:428 5:40 6:o400 7:?40", POLLED),
        (polled(true), "fds", "3:f5 4:428 5:40 6:o400 7:?40 ...", POLLED),
        (call("poll", 0, &Call::default()), "fds", "", "\0\0"),
        // What depends on a command.
        (quota(GET_QUOTA, 0, &BLOCK), "dqb_curspace", "30064771075", "30064771075"),
        (quota(GET_QUOTA, 0, &BLOCK), "dqb_itime", "8", "8"),
        (quota(GET_QUOTA, 0, &BLOCK), "dqb_btime", NONE, NONE),
        (quota(GET_QUOTA, -3, &BLOCK), "dqb_curspace", NONE, NONE),
        (quota(SET_QUOTA, -3, &BLOCK), "dqb_curspace", "30064771075", "30064771075"),
        (quota(SET_QUOTA, 0, &BLOCK), "dqi_bgrace", NONE, NONE),
        (quota(GET_QUOTA, 0, &BLOCK[..64]), "dqb_curspace", NONE, NONE),
        (quota(GET_INFO, 0, &BLOCK), "dqi_bgrace", "1", "1"),
        (quota(GET_INFO, 0, &BLOCK), "dqi_igrace", "2", "2"),
        (quota(GET_INFO, 0, &BLOCK), "dqi_flags", "V1_DQF_RSQUASH", "3"),
        (quota(GET_INFO, -1, &BLOCK), "dqi_bgrace", NONE, NONE),
        (quota(GET_FORMAT, 0, &[2, 0, 0, 0]), "quota_fmt_out", "QFMT_VFS_V0", "2"),
        (quota(GET_FORMAT, -1, &[2, 0, 0, 0]), "quota_fmt_out", NONE, NONE),
        (quota(GET_FORMAT, 0, &[2, 0, 0, 0]), "cmd", "Q_GETFMT", "8388612"),
        (quota(GET_FORMAT, 0, &[2, 0, 0, 0]), "type", "GRPQUOTA", "1"),
        (quota(GET_FORMAT, 0, &[2, 0, 0, 0]), "quota_fmt", NONE, NONE),
        (fsconfig(2, 3), "value_bytebuf", "dat", "dat"),
        (fsconfig(2, 99), "value_bytebuf", "data", "data"),
        (fsconfig(2, u64::MAX), "value_bytebuf", NONE, NONE),
        (fsconfig(2, 3), "value_charbuf", NONE, NONE),
        (fsconfig(1, 0), "value_charbuf", "data and more", "data and more"),
        (fsconfig(1, 0), "value_bytebuf", NONE, NONE),
        // Kernel objects: queue, control data, the sockets of a pair.
        (accepted_from(Some(Queue { length: 3, limit: 8 })), "queuelen", "3", "3"),
        (accepted_from(Some(Queue { length: 3, limit: 8 })), "queuemax", "8", "8"),
        (accepted_from(Some(Queue { length: 3, limit: 8 })), "queuepct", "37", "37"),
        (accepted_from(Some(Queue { length: 3, limit: 0 })), "queuepct", "0", "0"),
        (accepted_from(None), "queuelen", NONE, NONE),
        (call("recvmsg", 0, &Call { control: Some(text(b"control")), ..Call::default() }), "msgcontrol", "control", "control"),
        (pair("socketpair"), "source", "a1", "161"),
        (pair("socketpair"), "peer", "b2", "178"),
        (pair("pipe"), "ino", NONE, NONE),
        (made_pipe(), "ino", "77", "77"),
        (made_pipe(), "fd1", NONE, NONE),
        // Kind::Signal
        (with_arguments("kill", [1, 9, 0, 0, 0, 0]), "sig", "SIGKILL", "9"),
        (with_arguments("kill", [1, 0, 0, 0, 0, 0]), "sig", "0", "0"),
    ]
}

/// `evt.rawarg.fds` of [`polled`] as text: bytes that are no UTF-8 are not there.
const POLLED: &str = "\x05\0\x03\0\0\0\0\0\0\0\x05\0\x04\0\0\0\0\0\0\0\x28\0\x05\0\0\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0\x04\x07\0\0\0\0\0\0\0\x40\0";

const GET_FORMAT: u64 = 0x80_0004;
const GET_INFO: u64 = 0x80_0005;
const GET_QUOTA: u64 = 0x80_0007;
const SET_QUOTA: u64 = 0x80_0008;

/// `struct if_dqblk` with the numbers from 1 to 8, of which space and the time of inodes count; also a
/// `struct if_dqinfo` with 1 and 2, of which all counts.
static BLOCK: [u8; 68] = {
    let mut block = [0; 68];
    let mut number: u8 = 0;
    while number < 8 {
        block[number as usize * 8] = number + 1;
        number += 1;
    }
    // The valid members of the one, and of the other.
    block[64] = 2 | 32;
    block[20] = 7;
    block
};

fn quota(command: u64, result: i64, memory: &'static [u8]) -> Event<'static> {
    let of_groups = 1;
    call(
        "quotactl",
        result,
        &Call {
            arguments: [command << 8 | of_groups, 0, 4, 0, 0, 0],
            memory: [Some(memory), None, None],
            ..Call::default()
        },
    )
}

fn fsconfig(command: u64, length: u64) -> Event<'static> {
    call(
        "fsconfig",
        0,
        &Call {
            arguments: [3, command, 0, 0, length, 0],
            buffer: Some(text(b"data")),
            texts: [None, Some(text(b"data and more")), None],
            ..Call::default()
        },
    )
}

fn accepted_from(queue: Option<Queue>) -> Event<'static> {
    call(
        "accept",
        4,
        &Call {
            queue,
            ..Call::default()
        },
    )
}

fn socket_part(own_pointer: u64) -> DescriptorPart {
    DescriptorPart {
        inode_mode: 0o140_777,
        family: 1,
        own_pointer,
        ..DescriptorPart::default()
    }
}

fn pair(name: &str) -> Event<'static> {
    let entries = [
        (3, 0, socket_part(0xa1), &[][..]),
        (4, 0, socket_part(0xb2), &[]),
    ];
    call(
        name,
        0,
        &Call {
            listed: Listed::of(&entries, false),
            ..Call::default()
        },
    )
}

fn made_pipe() -> Event<'static> {
    let pipe = DescriptorPart {
        inode_mode: 0o010_600,
        inode: 77,
        ..DescriptorPart::default()
    };
    call(
        "pipe2",
        0,
        &Call {
            listed: Listed::of(&[(3, 0, pipe, &[]), (4, 0, pipe, &[])], false),
            ..Call::default()
        },
    )
}

/// A fork whose caller sees its child, the script, by another number.
fn fork() -> Event<'static> {
    let child = super::scene::Actor::Script.key();
    event(
        "clone",
        17,
        Payload::Fork(Fork {
            child,
            child_vpid: Pid(17),
            child_parent: super::scene::Actor::Program.key(),
            child_cgroup: CgroupId(1),
        }),
    )
}

#[test]
fn a_parameter_of_each_kind_as_text_and_raw() {
    let scene = Scene::new();
    let mut wrong = Vec::new();
    for (event, name, shown, raw) in rows() {
        for (field, expected) in [
            (format!("evt.arg.{name}"), shown),
            (format!("evt.rawarg.{name}"), raw),
        ] {
            let found = scene.value(&event, &field, View::Passed);
            if found != expected {
                let event = event.event_type.name();
                wrong.push(format!("{event}: {field} is {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_kind_is_left_out() {
    let mut tested = Vec::new();
    for (event, name, shown, _) in rows() {
        let definition = event.event_type.definition().unwrap();
        let parameter = definition
            .parameter(name)
            .unwrap_or_else(|| panic!("{} has no {name}", definition.name));
        if shown != NONE {
            tested.push(parameter.kind);
        }
    }
    let is_tested = |kind: Kind| tested.iter().any(|one| same(*one, kind));
    for definition in EventType::all().filter_map(EventType::definition) {
        for parameter in definition.parameters {
            let EventDefinition { name, .. } = definition;
            assert!(
                is_tested(parameter.kind),
                "{name}: no test has a parameter like {}: {:?}",
                parameter.name,
                parameter.kind
            );
        }
    }
}

/// Whether both are shown by the same code: each base and width counts, the tables of names do not.
fn same(one: Kind, other: Kind) -> bool {
    match (one, other) {
        (Kind::Unsigned(one), Kind::Unsigned(other)) => one == other,
        (Kind::Signed(one), Kind::Signed(other)) => one == other,
        (one, other) => discriminant(&one) == discriminant(&other),
    }
}

#[test]
fn bases_are_told_apart() {
    assert!(!same(
        Kind::Unsigned(Base::Decimal),
        Kind::Unsigned(Base::Octal)
    ));
    assert!(same(Kind::Text, Kind::Text));
}
