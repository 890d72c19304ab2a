//! Values of fields about files, paths and sockets.

use std::net::IpAddr;

use agent_ebpf::DescriptorPart;

use super::Case;
use super::scene::{NONE, call, event, kernel_path, relative, text};
use crate::event::{
    Call, Connect, Event, File, Listed, Object, Open, OverlayLayer, Payload, Socket, Text,
};

const TCP: u16 = 6;
const STREAM: u16 = 1;
/// `AT_FDCWD`
const HERE: i32 = libc::AT_FDCWD;

/// A program made a file through a link.
pub(super) fn opened() -> Event<'static> {
    event(
        "openat",
        5,
        Payload::Open(Open {
            path: text(b"link"),
            base: Some(kernel_path("/home/u")),
            opened: Some(kernel_path("/etc/secret")),
            flags: 0o1101,
            mode: 0o755,
            directory: HERE,
            resolve: 0,
            inode_mode: 0o100_755,
            dev: 8 << 20 | 1,
            inode: 99,
            layer: Some(OverlayLayer::Upper),
            created: true,
        }),
    )
}

/// A regular file that is open.
pub(super) fn regular() -> File<'static> {
    File {
        path: Some(kernel_path("/var/log")),
        inode_mode: 0o100_644,
        flags: 0,
        device: 9 << 20 | 2,
        inode: 55,
    }
}

fn end(address: [u8; 4], port: u16) -> (IpAddr, u16) {
    (address.into(), port)
}

/// A connection. No service has its ports.
pub(super) fn inet() -> Socket<'static> {
    Socket::Inet {
        local: end([10, 0, 0, 5], 40001),
        remote: end([93, 184, 216, 34], 64999),
        protocol: TCP,
        socket_type: STREAM,
    }
}

/// A connection to the system's log.
pub(super) fn unix() -> Socket<'static> {
    Socket::Unix {
        path: text(b"/dev/log"),
        pointers: (0xa1, 0xb2),
        socket_type: STREAM,
    }
}

pub(super) fn socket(socket: Socket<'static>, state: u16) -> Object<'static> {
    Object::Socket {
        socket,
        state,
        own_path: Text::default(),
        inode: 12,
    }
}

/// Twelve bytes came from descriptor 3, of which five were captured.
pub(super) fn received(name: &str, object: Object<'static>) -> Event<'static> {
    call(
        name,
        12,
        &Call {
            arguments: [3, 0x7fff, 4096, 0, 0, 0],
            buffer: Some(text(b"hello")),
            object: Some(object),
            ..Call::default()
        },
    )
}

/// Twelve bytes went to it.
pub(super) fn written(name: &str, object: Object<'static>) -> Event<'static> {
    received(name, object)
}

pub(super) fn connected() -> Event<'static> {
    event(
        "connect",
        0,
        Payload::Connect(Connect {
            fd: 6,
            socket: Some(inet()),
            passed: Some(end([93, 184, 216, 34], 64999)),
            passed_unix: Text::default(),
        }),
    )
}

pub(super) fn accepted() -> Event<'static> {
    let object = socket(inet(), 1);
    call(
        "accept4",
        8,
        &Call {
            object: Some(object),
            ..Call::default()
        },
    )
}

/// Each with the event that it is read from.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut of = |event: &Event<'static>, values: &[(&'static str, &str)]| {
        for (field, expected) in values {
            cases.push(Case::new(event.clone(), field, expected));
        }
    };
    of(
        &opened(),
        &[
            ("fd.num", "5"),
            ("fd.type", "file"),
            ("fd.typechar", "f"),
            ("fd.name", "/home/u/link"),
            ("fd.nameraw", "link"),
            ("fd.directory", "/home/u"),
            ("fd.filename", "link"),
            ("fd.resolved_name", "/etc/secret"),
            ("fd.dev", "2049"),
            ("fd.dev.major", "8"),
            ("fd.dev.minor", "1"),
            ("fd.ino", "99"),
            ("fd.uid", "2015"),
            ("fd.containername", "host:/home/u/link"),
            ("fd.containerdirectory", "host:/home/u"),
            ("fd.is_upper_layer", "true"),
            ("fd.is_lower_layer", "false"),
            ("fd.ip", NONE),
            ("fd.connected", NONE),
            ("fd.name_changed", "false"),
            ("fs.path.name", "/home/u/link"),
            ("fs.path.nameraw", "link"),
            ("fs.path.source", NONE),
        ],
    );
    let from_below = event(
        "openat",
        5,
        Payload::Open(Open {
            path: text(b"/bin"),
            opened: Some(kernel_path("/usr/bin")),
            inode_mode: 0o040_755,
            layer: Some(OverlayLayer::Lower),
            ..Open::default()
        }),
    );
    of(
        &from_below,
        &[
            ("fd.type", "directory"),
            ("fd.typechar", "d"),
            ("fd.directory", "/bin"),
            ("fd.filename", NONE),
            ("fd.resolved_name", "/usr/bin"),
            ("fd.is_lower_layer", "true"),
        ],
    );
    let no_entry = event(
        "openat",
        -2,
        Payload::Open(Open {
            path: text(b"//a/../none"),
            ..Open::default()
        }),
    );
    of(
        &no_entry,
        &[
            ("fd.num", "-1"),
            ("fd.name", "/none"),
            ("fd.nameraw", "/a/../none"),
            ("fd.typechar", "f"),
            ("fd.type", NONE),
            ("fd.filename", NONE),
            ("fd.resolved_name", NONE),
            ("fd.ino", NONE),
            ("fd.is_upper_layer", NONE),
            ("fs.path.name", NONE),
        ],
    );
    of(
        &received("read", Object::File(regular())),
        &[
            ("fd.num", "3"),
            ("fd.name", "/var/log"),
            ("fd.resolved_name", "/var/log"),
            ("fd.ino", "55"),
            ("fd.dev", "2306"),
        ],
    );
    of(
        &connected(),
        &[
            ("fd.num", "6"),
            ("fd.type", "ipv4"),
            ("fd.typechar", "4"),
            ("fd.name", "10.0.0.5:40001->93.184.216.34:64999"),
            ("fd.ip", "10.0.0.5, 93.184.216.34"),
            ("fd.port", "40001, 64999"),
            ("fd.proto", "40001, 64999"),
            ("fd.net", "10.0.0.5, 93.184.216.34"),
            ("fd.cip", "10.0.0.5"),
            ("fd.cnet", "10.0.0.5"),
            ("fd.sip", "93.184.216.34"),
            ("fd.snet", "93.184.216.34"),
            ("fd.lip", "10.0.0.5"),
            ("fd.lnet", "10.0.0.5"),
            ("fd.rip", "93.184.216.34"),
            ("fd.rnet", "93.184.216.34"),
            ("fd.cport", "40001"),
            ("fd.sport", "64999"),
            ("fd.lport", "40001"),
            ("fd.rport", "64999"),
            ("fd.cproto", "40001"),
            ("fd.sproto", "64999"),
            ("fd.lproto", "40001"),
            ("fd.rproto", "64999"),
            ("fd.l4proto", "tcp"),
            ("fd.sockfamily", "ip"),
            ("fd.is_server", "false"),
            ("fd.connected", "true"),
            ("fd.name_changed", "true"),
            ("fd.resolved_name", NONE),
            ("fd.filename", NONE),
        ],
    );
    of(
        &accepted(),
        &[
            ("fd.num", "8"),
            ("fd.is_server", "true"),
            ("fd.cip", "93.184.216.34"),
            ("fd.sip", "10.0.0.5"),
            ("fd.lip", "10.0.0.5"),
            ("fd.rport", "64999"),
            ("fd.sport", "40001"),
        ],
    );
    of(
        &written("write", socket(unix(), 1)),
        &[
            ("fd.type", "unix"),
            ("fd.typechar", "u"),
            ("fd.sockfamily", "unix"),
            ("fd.name", "a1->b2 /dev/log"),
            ("fd.l4proto", NONE),
        ],
    );
    paths(&mut of);
    lists(&mut of);
    cases
}

/// A poll of a file, a connection, a socket that listens, one without a name, and what is not open.
pub(super) fn polled(truncated: bool) -> Event<'static> {
    let family = |number: i32| u16::try_from(number).unwrap();
    let address = |bytes: [u8; 4]| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&bytes);
        address
    };
    let file = DescriptorPart {
        inode_mode: 0o100_644,
        ..DescriptorPart::default()
    };
    let connection = DescriptorPart {
        inode_mode: 0o140_777,
        family: family(libc::AF_INET),
        socket_type: STREAM,
        protocol: TCP,
        local: address([10, 0, 0, 5]),
        local_port: 40001,
        remote: address([93, 184, 216, 34]),
        remote_port: 443,
        state: 1,
        ..DescriptorPart::default()
    };
    let listening = DescriptorPart {
        remote: [0; 16],
        remote_port: 0,
        state: 10,
        ..connection
    };
    let packets = DescriptorPart {
        inode_mode: 0o140_777,
        family: family(libc::AF_PACKET),
        ..DescriptorPart::default()
    };
    let listed = Listed::of(
        &[
            (3, libc::POLLIN | libc::POLLOUT, file, &["f", "tmp"]),
            (4, libc::POLLRDHUP | libc::POLLHUP, connection, &[]),
            (5, 0, listening, &[]),
            (6, libc::POLLWRBAND, packets, &[]),
            (7, libc::POLLNVAL, DescriptorPart::default(), &[]),
        ],
        truncated,
    );
    let call_of_poll = Call {
        listed,
        ..Call::default()
    };
    call("poll", 3, &call_of_poll)
}

/// Descriptors that a call has in memory.
fn lists(of: &mut impl FnMut(&Event<'static>, &[(&'static str, &str)])) {
    let ends = "10.0.0.5:40001->93.184.216.34:443,10.0.0.5:40001";
    of(
        &polled(false),
        &[
            ("fdlist.nums", "3,4,5,6,7"),
            ("fdlist.names", &format!("/tmp/f,{ends},<NA>,<NA>")),
            ("fdlist.cips", "10.0.0.5"),
            ("fdlist.sips", "93.184.216.34,10.0.0.5"),
            ("fdlist.cports", "40001"),
            ("fdlist.sports", "443,40001"),
            ("fd.num", NONE),
        ],
    );
    of(&polled(true), &[("fdlist.cports", "40001,...")]);
    // Of another call it is another list.
    let Payload::Call(pair) = polled(false).payload else {
        return;
    };
    of(&call("pipe2", 0, &pair), &[("fdlist.nums", NONE)]);
    let nothing = call("poll", 0, &Call::default());
    of(&nothing, &[("fdlist.nums", NONE), ("fdlist.names", NONE)]);
    let closed = Call {
        arguments: [7, 0, 0, 0, 0, 0],
        ..Call::default()
    };
    of(
        &call("close", 0, &closed),
        &[("fd.num", "7"), ("fd.name", NONE), ("fd.type", NONE)],
    );
}

/// Paths of calls that have no descriptor.
fn paths(of: &mut impl FnMut(&Event<'static>, &[(&'static str, &str)])) {
    let two = |name, result| {
        call(
            name,
            result,
            &Call {
                paths: [Some(relative(b"a")), Some(relative(b"/b/../c"))],
                ..Call::default()
            },
        )
    };
    of(
        &two("rename", 0),
        &[
            ("fs.path.source", "/home/u/a"),
            ("fs.path.sourceraw", "a"),
            ("fs.path.target", "/c"),
            ("fs.path.targetraw", "/b/../c"),
            ("fs.path.name", NONE),
            ("fd.name", NONE),
        ],
    );
    // Of a link, the new name is the source.
    of(
        &two("link", 0),
        &[("fs.path.source", "/c"), ("fs.path.target", "/home/u/a")],
    );
    of(
        &two("rename", -2),
        &[("fs.path.source", NONE), ("fs.path.targetraw", NONE)],
    );
    let removed = call(
        "unlinkat",
        0,
        &Call {
            arguments: [7, 0, 0, 0, 0, 0],
            paths: [Some(relative(b"x")), None],
            ..Call::default()
        },
    );
    of(
        &removed,
        &[
            ("fs.path.name", "/home/u/x"),
            ("fs.path.nameraw", "x"),
            ("fd.num", "7"),
            ("fd.name", "/home/u"),
            ("fd.type", "directory"),
            ("evt.abspath", "/home/u/x"),
        ],
    );
    let linked = call(
        "symlink",
        0,
        &Call {
            paths: [Some(relative(b"dir/new")), None],
            texts: [Some(text(b"../old")), None, None],
            ..Call::default()
        },
    );
    of(
        &linked,
        &[
            ("fs.path.source", "/home/u/dir/new"),
            ("fs.path.target", "/home/u/old"),
            ("fs.path.targetraw", "../old"),
        ],
    );
}
