//! Calls whose parameters are in memory or in the kernel's own objects: lists of descriptors, pairs of new ones, queues,
//! control data, structures that depend on a command.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use peregrine_tests::{Seen, Watch, system_call, trigger};

/// A watch on these calls of this thread, failed or not.
fn watch(calls: &str, fields: &[&str], options: &[&str]) -> Watch {
    // SAFETY: the call takes nothing.
    let tid = unsafe { libc::gettid() };
    let condition =
        format!("evt.type in ({calls}) and evt.failed in (true, false) and thread.tid = {tid}");
    Watch::start_with(&condition, fields, options)
}

fn own(descriptor: i64) -> OwnedFd {
    let descriptor = i32::try_from(descriptor).expect("a descriptor is small");
    assert!(descriptor >= 0, "{descriptor}");
    // SAFETY: the call that just succeeded gave it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Waits for nothing: what is ready, is at once.
fn poll(descriptors: &mut [libc::pollfd]) -> i64 {
    // SAFETY: the list is as long as its length says.
    unsafe { system_call!(SYS_poll, descriptors.as_mut_ptr(), descriptors.len(), 0) }
}

fn for_reading(descriptor: i32) -> libc::pollfd {
    libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    }
}

const OF_POLL: &[&str] = &[
    "evt.arg.fds",
    "evt.arg.timeout",
    "evt.arg.sigmask",
    "evt.rawarg.sigmask",
    "fdlist.nums",
    "fdlist.names",
    "fdlist.cips",
    "fdlist.sips",
    "fdlist.cports",
    "fdlist.sports",
];

#[test]
fn descriptors_that_a_poll_waits_for() {
    let watch = watch("poll, ppoll", OF_POLL, &[]);
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it exists");
    fs::create_dir_all(&folder).expect("it is there");
    let path = folder.join("file");
    let file = File::create(&path).expect("it is made");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let server = listener.local_addr().expect("it has an address");
    let mut client = TcpStream::connect(server).expect("it connects");
    let from = client.local_addr().expect("it has an address");
    let (accepted, _) = listener.accept().expect("a client waits");
    client.write_all(b"x").expect("it is sent");
    let mut both = for_reading(accepted.as_raw_fd());
    both.events |= libc::POLLOUT;
    let mut list = [
        for_reading(file.as_raw_fd()),
        for_reading(listener.as_raw_fd()),
        both,
        for_reading(999),
        for_reading(-1),
    ];
    let mut shown = Vec::new();
    // A file can always be read; at the listener nobody waits; data has come; 999 is not open.
    for (descriptor, what) in list.iter().zip(["f1", "40", "45", "?40", "?0"]) {
        shown.push(format!("{}:{what}", descriptor.fd));
    }
    let numbers: Vec<String> = list.iter().map(|one| one.fd.to_string()).collect();
    assert_eq!(poll(&mut list), 3);
    // 1.5 s, and the signals INT and USR1.
    let timeout = [1_u64, 500_000_000];
    let signals = 1_u64 << (libc::SIGINT - 1) | 1 << (libc::SIGUSR1 - 1) | 1 << 39;
    // SAFETY: the structures have the sizes that the call expects.
    let outcome = unsafe {
        system_call!(
            SYS_ppoll,
            list.as_mut_ptr(),
            1,
            timeout.as_ptr(),
            &raw const signals,
            8_usize
        )
    };
    assert_eq!(outcome, 1);
    let mut seen = watch.seen();
    // Who is the client is a guess by the ports.
    let (low, high) = if from.port() < server.port() {
        (from, server)
    } else {
        (server, from)
    };
    let ends = format!("{high}->{low}");
    let path = path.to_str().expect("UTF-8");
    let names = format!("{path},{server},{ends},<NA>,<NA>");
    seen.take(
        "poll",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.fds", &shown.join(" ")),
            ("evt.arg.timeout", "0"),
            ("fdlist.nums", &numbers.join(",")),
            ("fdlist.names", &names),
            ("fdlist.cips", "127.0.0.1"),
            ("fdlist.sips", "127.0.0.1,127.0.0.1"),
            ("fdlist.cports", &high.port().to_string()),
            (
                "fdlist.sports",
                &format!("{},{}", server.port(), low.port()),
            ),
        ],
    );
    let alert = seen.take(
        "ppoll",
        &[
            ("evt.arg.fds", &shown[0]),
            ("evt.arg.sigmask", "SIGINT SIGUSR1 40"),
            ("evt.rawarg.sigmask", &signals.to_string()),
            ("fdlist.cips", "-"),
            ("fdlist.sips", "-"),
        ],
    );
    // The kernel writes back what was left of it.
    let left: u64 = alert.text("evt.arg.timeout").parse().expect("a number");
    assert!((1..=1_500_000_000).contains(&left), "{left}");
    fs::remove_dir_all(&folder).expect("it is removed");
}

/// The longest list, and one that is longer; a path so long that few of them fit; memory that is not there.
#[test]
fn lists_that_are_cut_say_so() {
    let watch = watch("poll", OF_POLL, &[]);
    let null = File::open("/dev/null").expect("it opens");
    let mut list = [for_reading(null.as_raw_fd()); 65];
    assert_eq!(poll(&mut list[..64]), 64);
    assert_eq!(poll(&mut list), 65);
    let deep = tempfile::tempdir().expect("a temp dir");
    let deepest = deep_folder(deep.path());
    let mut of_deep = [for_reading(deepest.as_raw_fd()); 20];
    assert_eq!(poll(&mut of_deep), 20);
    // SAFETY: nothing can be at this address, and the call says so.
    let outcome = unsafe { system_call!(SYS_poll, 8_usize, 2_usize, 0) };
    assert_eq!(outcome, -i64::from(libc::EFAULT));
    // SAFETY: of an empty list nothing is read.
    let outcome = unsafe { system_call!(SYS_poll, 0_usize, 0_usize, 0) };
    assert_eq!(outcome, 0);
    let mut seen = watch.seen();
    let numbers = vec![null.as_raw_fd().to_string(); 64].join(",");
    seen.take("poll", &[("fdlist.nums", &numbers)]);
    seen.take("poll", &[("fdlist.nums", &format!("{numbers},..."))]);
    seen.take(
        "poll",
        &[
            ("fdlist.nums", "..."),
            ("evt.arg.fds", "..."),
            ("evt.res", "EFAULT"),
        ],
    );
    seen.take("poll", &[("fdlist.nums", "-"), ("evt.arg.fds", "")]);
    let left = seen.of_type("poll");
    assert_eq!(left.len(), 1, "{left:?}");
    let names: Vec<&str> = left[0].text("fdlist.names").split(',').collect();
    assert!((3..20).contains(&names.len()), "{}", names.len());
    assert_eq!(names.last(), Some(&"..."));
    for name in &names[..names.len() - 1] {
        assert!(
            name.ends_with("/bottom") && name.len() > 8_000,
            "{}",
            name.len()
        );
    }
    fs::remove_dir_all(deep.path().join(LONG)).expect("it is removed");
}

const LONG: &str = "a folder with a long name and many of which in each other make a path that is longer than PATH_MAX";

/// A folder below so many others that its path has more than 8,000 bytes.
fn deep_folder(top: &std::path::Path) -> OwnedFd {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut folder: OwnedFd = File::open(top).expect("it opens").into();
    let names = std::iter::repeat_n(LONG, 90).chain(["bottom"]);
    for name in names {
        mkdirat(&folder, name, Mode::RWXU).expect("it is made");
        folder = openat(&folder, name, flags, Mode::empty()).expect("it opens");
    }
    folder
}

#[test]
fn pairs_of_descriptors_that_a_call_makes() {
    let watch = watch(
        "pipe, pipe2, socketpair, sendto, close",
        &[
            "evt.arg.ino",
            "evt.arg.source",
            "evt.arg.peer",
            "evt.arg.fd",
            "evt.rawarg.fd",
            "fd.num",
            "fd.name",
        ],
        &[],
    );
    let mut pipes = [[0_i32; 2]; 2];
    let mut pair = [0_i32; 2];
    // SAFETY: each call fills in two descriptors.
    let outcomes = unsafe {
        [
            system_call!(SYS_pipe, pipes[0].as_mut_ptr()),
            system_call!(SYS_pipe2, pipes[1].as_mut_ptr(), libc::O_CLOEXEC),
            system_call!(
                SYS_socketpair,
                libc::AF_UNIX,
                libc::SOCK_STREAM,
                0,
                pair.as_mut_ptr()
            ),
            system_call!(SYS_pipe2, pipes[1].as_mut_ptr(), 0x4000_0000),
        ]
    };
    assert_eq!(outcomes, [0, 0, 0, -i64::from(libc::EINVAL)]);
    // SAFETY: the data is as long as is said.
    let sent = unsafe { system_call!(SYS_sendto, pair[0], c"x".as_ptr(), 1_usize, 0, 0_usize, 0) };
    assert_eq!(sent, 1);
    let inodes = pipes.map(|pipe| {
        let reader = File::from(own(pipe[0].into()));
        drop(own(pipe[1].into()));
        reader.metadata().expect("it is open").ino().to_string()
    });
    drop(pair.map(|descriptor| own(descriptor.into())));
    // SAFETY: the call takes a number.
    let outcome = unsafe { system_call!(SYS_close, 999) };
    assert_eq!(outcome, -i64::from(libc::EBADF));
    let mut seen = watch.seen();
    seen.take("pipe", &[("evt.arg.ino", &inodes[0])]);
    seen.take("pipe2", &[("evt.arg.ino", &inodes[1])]);
    seen.take("pipe2", &[("evt.res", "EINVAL"), ("evt.arg.ino", "-")]);
    // The name of a connected unix socket has both addresses.
    let sent = seen.take("sendto", &[]);
    let (source, rest) = sent.text("fd.name").split_once("->").expect("two ends");
    let (peer, _) = rest.split_once(' ').expect("a path");
    assert!(source != "0" && peer != "0", "{sent:?}");
    seen.take(
        "socketpair",
        &[("evt.arg.source", source), ("evt.arg.peer", peer)],
    );
    // What it stood for is gone.
    let number = pair[0].to_string();
    for (number, outcome) in [(&*number, "SUCCESS"), ("999", "EBADF")] {
        seen.take(
            "close",
            &[
                ("evt.res", outcome),
                ("evt.arg.fd", number),
                ("evt.rawarg.fd", number),
                ("fd.num", number),
                ("fd.name", "-"),
            ],
        );
    }
}

#[test]
fn connections_that_wait_to_be_accepted() {
    let watch = watch(
        "accept, accept4",
        &["evt.arg.queuelen", "evt.arg.queuemax", "evt.arg.queuepct"],
        &[],
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let number = listener.as_raw_fd();
    // SAFETY: the calls take numbers.
    unsafe { assert_eq!(system_call!(SYS_listen, number, 8), 0) };
    let to = listener.local_addr().expect("it has an address");
    let clients: Vec<TcpStream> = (0..3)
        .map(|_| TcpStream::connect(to).expect("it connects"))
        .collect();
    // SAFETY: no address is asked for.
    let accepted = unsafe {
        [
            own(system_call!(SYS_accept, number, 0_usize, 0_usize)),
            own(system_call!(SYS_accept4, number, 0_usize, 0_usize, 0)),
        ]
    };
    // SAFETY: as above.
    let failed = unsafe { system_call!(SYS_accept4, 999, 0_usize, 0_usize, 0) };
    assert_eq!(failed, -i64::from(libc::EBADF));
    drop((accepted, clients));
    let mut seen = watch.seen();
    for (call, length, share) in [("accept", "2", "25"), ("accept4", "1", "12")] {
        seen.take(
            call,
            &[
                ("evt.arg.queuelen", length),
                ("evt.arg.queuemax", "8"),
                ("evt.arg.queuepct", share),
            ],
        );
    }
    seen.take(
        "accept4",
        &[("evt.res", "EBADF"), ("evt.arg.queuelen", "-")],
    );
}

/// Bytes in base64, as alerts have them if they are told to.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = LETTERS[usize::try_from(index).expect("small")];
            text.push(if place > group.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

/// `struct cmsghdr` with these descriptors.
fn rights(descriptors: &[i32]) -> Vec<u8> {
    let length = 16 + 4 * descriptors.len();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(libc::SOL_SOCKET.to_ne_bytes());
    bytes.extend(libc::SCM_RIGHTS.to_ne_bytes());
    for descriptor in descriptors {
        bytes.extend(descriptor.to_ne_bytes());
    }
    bytes.resize(length.next_multiple_of(8), 0);
    bytes
}

/// Sends a byte with descriptors.
fn send_rights(socket: i32, passed: &[i32]) {
    let mut control = rights(passed);
    let mut data = [b'x'; 1];
    let mut vector = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: zeros are a header without anything; what it points to lives on and is as long as it says.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        (header.msg_iov, header.msg_iovlen) = (&raw mut vector, 1);
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = control.len();
        assert_eq!(system_call!(SYS_sendmsg, socket, &raw const header, 0), 1);
    }
}

/// Sends a byte with descriptors, and receives both; returns the descriptors that came.
fn pass(one: i32, two: i32, passed: &[i32], by_many: bool) -> Vec<i32> {
    send_rights(one, passed);
    let mut control = vec![0; rights(passed).len()];
    let mut data = [b'x'; 1];
    let mut vector = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: zeros are headers without anything; what they point to lives on and is as long as they say.
    unsafe {
        let mut message: libc::mmsghdr = std::mem::zeroed();
        let header = &mut message.msg_hdr;
        (header.msg_iov, header.msg_iovlen) = (&raw mut vector, 1);
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = control.len();
        if by_many {
            let outcome = system_call!(SYS_recvmmsg, two, &raw mut message, 1, 0, 0_usize);
            assert_eq!(outcome, 1);
        } else {
            assert_eq!(
                system_call!(SYS_recvmsg, two, &raw mut message.msg_hdr, 0),
                1
            );
        }
    }
    let came = control[16..].chunks_exact(4).take(passed.len());
    came.map(|bytes| i32::from_ne_bytes(bytes.try_into().expect("four bytes")))
        .collect()
}

#[test]
fn control_data_of_received_messages() {
    let watch = watch(
        "recvmsg, recvmmsg",
        &["evt.rawarg.msgcontrol", "evt.rawarg.data"],
        &["buffer_format_base64=true"],
    );
    let mut pair = [0_i32; 2];
    // SAFETY: the call fills in two descriptors.
    let outcome =
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) };
    assert_eq!(outcome, 0);
    let [one, two] = pair.map(|descriptor| own(descriptor.into()));
    let (one, two) = (one.as_raw_fd(), two.as_raw_fd());
    let came = pass(one, two, &[one], false);
    let by_many = pass(one, two, &[one, two], true);
    let none = pass(one, two, &[], false);
    assert!(none.is_empty());
    // The most that fit into one message.
    let most = pass(one, two, &[one; 253], false);
    let mut seen = watch.seen();
    let take = |seen: &mut Seen, call, control: &[u8]| {
        let control = base64(control);
        seen.take(
            call,
            &[
                ("evt.rawarg.msgcontrol", &control),
                ("evt.rawarg.data", "eA=="),
            ],
        );
    };
    take(&mut seen, "recvmsg", &rights(&came));
    take(&mut seen, "recvmmsg", &rights(&by_many));
    // An alert shows 1024 bytes of a value.
    take(&mut seen, "recvmsg", &rights(&most)[..1024]);
    seen.take("recvmsg", &[("evt.rawarg.msgcontrol", "-")]);
    for descriptor in [came, by_many, most].concat() {
        drop(own(descriptor.into()));
    }
}

const FSCONFIG_SET_STRING: i32 = 1;
const FSCONFIG_SET_BINARY: i32 = 2;

#[test]
fn values_of_a_file_system_in_binary_and_as_text() {
    let watch = watch(
        "fsconfig",
        &[
            "evt.arg.value_bytebuf",
            "evt.arg.value_charbuf",
            "evt.arg.key",
            "evt.buffer",
        ],
        &[],
    );
    // SAFETY: strings end with NUL; the value is longer than is said.
    let context = unsafe { own(system_call!(SYS_fsopen, c"tmpfs".as_ptr(), 0)) };
    let number = context.as_raw_fd();
    let (key, value) = (c"secret".as_ptr(), c"bytes and more".as_ptr());
    // SAFETY: as above. A register may hold anything above the 32 bits that count.
    unsafe {
        for length in [5_u64, 5 | 7 << 32] {
            let binary = system_call!(
                SYS_fsconfig,
                number,
                FSCONFIG_SET_BINARY,
                key,
                value,
                length
            );
            assert_eq!(binary, -i64::from(libc::EINVAL));
        }
        let size = c"size".as_ptr();
        let text = c"64k".as_ptr();
        let set = system_call!(SYS_fsconfig, number, FSCONFIG_SET_STRING, size, text, 0);
        assert_eq!(set, 0);
    }
    let mut seen = watch.seen();
    for _ in 0..2 {
        seen.take(
            "fsconfig",
            &[
                ("evt.arg.key", "secret"),
                ("evt.arg.value_bytebuf", "bytes"),
                ("evt.buffer", "bytes"),
                ("evt.arg.value_charbuf", "-"),
            ],
        );
    }
    seen.take(
        "fsconfig",
        &[
            ("evt.arg.key", "size"),
            ("evt.arg.value_bytebuf", "-"),
            ("evt.buffer", "-"),
            ("evt.arg.value_charbuf", "64k"),
        ],
    );
}

const Q_QUOTAON: u32 = 0x80_0002;
const Q_SETINFO: u32 = 0x80_0006;
const Q_GETQUOTA: u32 = 0x80_0007;
const Q_SETQUOTA: u32 = 0x80_0008;

const OF_QUOTAS: &[&str] = &[
    "evt.arg.special",
    "evt.arg.quotafilepath",
    "evt.arg.dqb_bhardlimit",
    "evt.arg.dqb_bsoftlimit",
    "evt.arg.dqb_curspace",
    "evt.arg.dqb_ihardlimit",
    "evt.arg.dqb_isoftlimit",
    "evt.arg.dqb_btime",
    "evt.arg.dqb_itime",
    "evt.arg.dqi_bgrace",
    "evt.arg.dqi_igrace",
    "evt.arg.dqi_flags",
    "evt.arg.quota_fmt_out",
    "evt.arg.cmd",
    "evt.arg.type",
    "evt.arg.id",
    "evt.arg.quota_fmt",
];

/// What is passed counts, whether the call succeeds or not; what would be returned by one that fails does not.
#[test]
fn structures_of_quotas() {
    let watch = watch("quotactl", OF_QUOTAS, &[]);
    // Limits in blocks and their times, but not those in inodes.
    let block = [11_u64, 12, 13, 14, 15, 16, 17, 18, 1 | 2 | 16];
    let info = [21_u64, 22, 1 | 7 << 32];
    let quotas = |command: u32, kind: u32, id: u32, structure: *const u64| {
        // SAFETY: the structure is as long as the command expects, and the device is none.
        let outcome = unsafe {
            system_call!(
                SYS_quotactl,
                command << 8 | kind,
                c"/dev/null".as_ptr(),
                id,
                structure
            )
        };
        assert!(outcome < 0, "{outcome}");
    };
    quotas(Q_SETQUOTA, 0, 1000, block.as_ptr());
    quotas(Q_GETQUOTA, 1, 1000, block.as_ptr());
    quotas(Q_SETINFO, 2, 0, info.as_ptr());
    quotas(Q_QUOTAON, 0, 4, c"/quota.user".as_ptr().cast());
    let mut seen = watch.seen();
    let nothing = |fields: &[(&'static str, &'static str)]| {
        let mut all: Vec<(&'static str, &'static str)> = fields.to_vec();
        for field in OF_QUOTAS {
            if !matches!(*field, "evt.arg.id" | "evt.arg.special")
                && !fields.iter().any(|(name, _)| name == field)
            {
                all.push((field, "-"));
            }
        }
        all
    };
    seen.take(
        "quotactl",
        &nothing(&[
            ("evt.arg.cmd", "Q_SETQUOTA"),
            ("evt.arg.type", "USRQUOTA"),
            ("evt.arg.special", "/dev/null"),
            ("evt.arg.id", "1000"),
            ("evt.arg.dqb_bhardlimit", "11"),
            ("evt.arg.dqb_bsoftlimit", "12"),
            ("evt.arg.dqb_curspace", "13"),
            ("evt.arg.dqb_btime", "17"),
        ]),
    );
    seen.take(
        "quotactl",
        &nothing(&[("evt.arg.cmd", "Q_GETQUOTA"), ("evt.arg.type", "GRPQUOTA")]),
    );
    seen.take(
        "quotactl",
        &nothing(&[
            ("evt.arg.cmd", "Q_SETINFO"),
            ("evt.arg.type", "PRJQUOTA"),
            ("evt.arg.dqi_bgrace", "21"),
            ("evt.arg.dqi_igrace", "22"),
            ("evt.arg.dqi_flags", "V1_DQF_RSQUASH"),
        ]),
    );
    seen.take(
        "quotactl",
        &nothing(&[
            ("evt.arg.cmd", "Q_QUOTAON"),
            ("evt.arg.type", "USRQUOTA"),
            ("evt.arg.quotafilepath", "/quota.user"),
            ("evt.arg.quota_fmt", "QFMT_VFS_V1"),
        ]),
    );
}

/// What a call by `int 0x80` returns, of a program whose standard input is this.
fn by_32_bit(call: u32, arguments: &str, stdin: OwnedFd) -> i32 {
    let output = Command::new(trigger("call_32_bit"))
        .args([&call.to_string(), arguments])
        .stdin(stdin)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("it prints a number")
}

/// The structures of 32-bit calls, where they are others, and where they are the same.
#[test]
fn the_same_by_32_bit_calls() {
    let fields = [OF_POLL, OF_QUOTAS].concat();
    let more = [
        "evt.arg.ino",
        "evt.arg.source",
        "evt.arg.peer",
        "evt.arg.queuelen",
        "evt.arg.queuemax",
        "evt.rawarg.msgcontrol",
        "evt.arg.value_bytebuf",
        "evt.arg.value_charbuf",
    ];
    let watch = Watch::start_with(
        "proc.name = call_32_bit and evt.via = 32-bit and evt.failed in (true, false) and evt.type in \
         (poll, ppoll, pipe, pipe2, socketpair, accept, accept4, recvmsg, fsconfig, quotactl)",
        &[&fields[..], &more].concat(),
        &["buffer_format_base64=true"],
    );
    let null = || OwnedFd::from(File::open("/dev/null").expect("it opens"));
    // `struct pollfd`s of 0 for reading and of 77; 1.5 s as two numbers of 32 bits, and of 64.
    let list = "*0/1/77/1,2";
    assert_eq!(by_32_bit(168, &format!("{list},0"), null()), 2);
    let (old, new) = ("*1/500000000", "*1/0/500000000/0");
    for (call, timeout) in [(309, old), (414, new)] {
        let arguments = format!("{list},{timeout},*2/0,8");
        assert_eq!(by_32_bit(call, &arguments, null()), 2);
    }
    assert_eq!(by_32_bit(42, "*0/0", null()), 0);
    assert_eq!(by_32_bit(331, "*0/0,0", null()), 0);
    assert_eq!(by_32_bit(360, "1,1,0,*0/0", null()), 0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let to = listener.local_addr().expect("it has an address");
    // SAFETY: the call takes numbers.
    unsafe { assert_eq!(system_call!(SYS_listen, listener.as_raw_fd(), 8), 0) };
    let clients = [(); 3].map(|()| TcpStream::connect(to).expect("it connects"));
    let copy = || OwnedFd::from(listener.try_clone().expect("a descriptor is free"));
    // By the call of its own, and by socketcall.
    assert!(by_32_bit(364, "0,0,0,0", copy()) >= 0);
    assert!(by_32_bit(102, "5,*0/0/0", copy()) >= 0);
    drop(clients);
    let (one, two) = std::os::unix::net::UnixStream::pair().expect("a pair");
    send_rights(one.as_raw_fd(), &[0]);
    let message = "0,*0/0/&@12:1/1/&0:0:0:0:0/16/0,0";
    assert_eq!(by_32_bit(372, message, two.into()), 1);
    // SAFETY: the string ends with NUL.
    let context = || unsafe { own(system_call!(SYS_fsopen, c"tmpfs".as_ptr(), 0)) };
    assert_eq!(
        by_32_bit(431, "0,2,@secret,@bytes,3", context()),
        -libc::EINVAL
    );
    assert_eq!(by_32_bit(431, "0,1,@size,@64k,0", context()), 0);
    let set = Q_SETQUOTA << 8;
    let block = "11/0/12/0/13/0/14/0/15/0/16/0/17/0/18/1/3";
    assert!(by_32_bit(131, &format!("{set},@/dev/null,7,*{block}"), null()) < 0);
    let set = Q_SETINFO << 8;
    assert!(by_32_bit(131, &format!("{set},@/dev/null,7,*21/0/22/0/1/7"), null()) < 0);

    let mut seen = watch.seen();
    let list = ("evt.arg.fds", "0:f1 77:?40");
    seen.take("poll", &[list, ("fdlist.names", "/dev/null,<NA>")]);
    let mask = ("evt.arg.sigmask", "SIGINT");
    seen.take("ppoll", &[list, mask, ("evt.arg.timeout", "-")]);
    let newer = seen.take("ppoll", &[list, mask]);
    let left: u64 = newer.text("evt.arg.timeout").parse().expect("a number");
    assert!((1..=1_500_000_000).contains(&left), "{left}");
    for call in ["pipe", "pipe2"] {
        let pipe = seen.take(call, &[]);
        let inode: u64 = pipe.text("evt.arg.ino").parse().expect("a number");
        assert!(inode > 0);
    }
    let pair = seen.take("socketpair", &[]);
    let (source, peer) = (pair.text("evt.arg.source"), pair.text("evt.arg.peer"));
    assert!(
        source.starts_with("ffff") && peer.starts_with("ffff"),
        "{pair:?}"
    );
    assert_ne!(source, peer);
    for (call, length) in [("accept4", "2"), ("accept", "1")] {
        seen.take(
            call,
            &[("evt.arg.queuelen", length), ("evt.arg.queuemax", "8")],
        );
    }
    // `struct compat_cmsghdr` with the next descriptor that is free.
    let header = [16_i32, libc::SOL_SOCKET, libc::SCM_RIGHTS, 3];
    let control: Vec<u8> = header.iter().flat_map(|word| word.to_ne_bytes()).collect();
    seen.take("recvmsg", &[("evt.rawarg.msgcontrol", &base64(&control))]);
    seen.take(
        "fsconfig",
        &[
            ("evt.arg.value_bytebuf", "byt"),
            ("evt.arg.value_charbuf", "-"),
        ],
    );
    seen.take(
        "fsconfig",
        &[
            ("evt.arg.value_bytebuf", "-"),
            ("evt.arg.value_charbuf", "64k"),
        ],
    );
    seen.take(
        "quotactl",
        &[
            ("evt.arg.cmd", "Q_SETQUOTA"),
            ("evt.arg.dqb_bhardlimit", "11"),
            ("evt.arg.dqb_curspace", "13"),
            ("evt.arg.dqb_itime", "-"),
        ],
    );
    seen.take(
        "quotactl",
        &[
            ("evt.arg.cmd", "Q_SETINFO"),
            ("evt.arg.dqi_bgrace", "21"),
            ("evt.arg.dqi_igrace", "22"),
            ("evt.arg.dqi_flags", "V1_DQF_RSQUASH"),
        ],
    );
}
