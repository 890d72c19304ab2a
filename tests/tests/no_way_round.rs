//! Calls by other ABIs than that of 64-bit programs are seen as well. (This kernel has no x32; how its calls are
//! numbered is tested beside the table.)

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use peregrine_tests::{Watch, trigger};

const FIELDS: &[&str] = &[
    "fd.name",
    "fs.path.name",
    "evt.via",
    "proc.name",
    "fd.rip",
    "fd.rport",
];

fn watch() -> Watch {
    Watch::start(
        "evt.type in (open, openat, unlink, connect, execve) and proc.name in (call_32_bit, narrow) \
         and evt.failed in (true, false)",
        FIELDS,
    )
}

fn make(what: &str, argument: &str) -> i32 {
    let output = Command::new(trigger("call_32_bit"))
        .args([what, argument])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("it prints a number")
}

#[test]
fn calls_by_int_80() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().join("secret");
    fs::write(&path, "x").expect("a file is written");
    let path = path.to_str().expect("UTF-8");
    let watch = watch();
    assert!(make("open", path) > 0);
    assert_eq!(make("unlink", path), 0);
    assert_eq!(make("open", path), -libc::ENOENT);
    assert_eq!(make("execve", path), -libc::ENOENT);
    let mut seen = watch.seen();
    let by_32_bit = ("evt.via", "32-bit");
    let name = ("proc.name", "call_32_bit");
    seen.take(
        "open",
        &[("fd.name", path), ("evt.res", "SUCCESS"), by_32_bit, name],
    );
    seen.take(
        "unlink",
        &[
            ("fs.path.name", path),
            ("evt.res", "SUCCESS"),
            by_32_bit,
            name,
        ],
    );
    seen.take(
        "open",
        &[("fd.name", path), ("evt.res", "ENOENT"), by_32_bit, name],
    );
    seen.take("execve", &[("evt.res", "ENOENT"), by_32_bit, name]);
}

#[test]
fn connections_by_int_80() {
    let watch = watch();
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = server.local_addr().expect("it is bound");
    for way in ["connect", "socketcall"] {
        assert_eq!(make(way, &address.to_string()), 0);
        watch.seen().take(
            "connect",
            &[
                ("evt.res", "SUCCESS"),
                ("fd.rip", "127.0.0.1"),
                ("fd.rport", &address.port().to_string()),
                ("evt.via", "32-bit"),
            ],
        );
    }
}

/// Vectors and messages are laid out with 32-bit pointers.
#[test]
fn data_of_vectors_by_int_80() {
    let watch = Watch::start(
        "proc.name = call_32_bit and evt.via = 32-bit and evt.failed in (true, false) and \
         evt.type in (writev, sendmsg, sendmmsg, recvmsg)",
        &[
            "evt.rawres",
            "evt.buffer",
            "evt.arg.size",
            "fd.rport",
            "fd.rip",
        ],
    );
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let port = |socket: &UdpSocket| socket.local_addr().expect("it is bound").port();
    // The words of a `struct sockaddr_in`: family and port, the address 127.0.0.1, nothing.
    let destination = 2 + (u32::from(port(&server).to_be()) << 16);
    let vectors = "&@hello:5:@world:5/2/0/0/0";
    let server_port = port(&server).to_string();
    server
        .send_to(b"to you", client.local_addr().expect("it is bound"))
        .expect("it is sent");
    for (number, arguments, event, many) in [
        (
            146,
            "77,*@hello/5/@world/5,2".to_owned(),
            "writev",
            vec![vec![("evt.buffer", "helloworld"), ("evt.rawres", "-9")]],
        ),
        (
            370,
            format!("0,*&{destination}:16777343:0:0/16/{vectors},0"),
            "sendmsg",
            vec![vec![
                ("evt.buffer", "helloworld"),
                ("evt.rawres", "10"),
                ("fd.rport", &server_port),
            ]],
        ),
        (
            345,
            format!(
                "0,*&{destination}:16777343:0:0/16/{vectors}/0/&{destination}:16777343:0:0/16/&@again:4/1/0/0/0/0,2,0"
            ),
            "sendmmsg",
            vec![
                vec![("evt.buffer", "helloworld"), ("evt.rawres", "10")],
                vec![("evt.buffer", "agai"), ("evt.rawres", "4")],
            ],
        ),
        (
            372,
            "0,*0/0/&@12:2:@345678:6/2/0/0/0,0".to_owned(),
            "recvmsg",
            vec![vec![("evt.buffer", "to you"), ("evt.rawres", "6")]],
        ),
    ] {
        let socket = client.try_clone().expect("a descriptor is free");
        let output = Command::new(trigger("call_32_bit"))
            .args([number.to_string(), arguments])
            .stdin(OwnedFd::from(socket))
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{output:?}");
        let mut seen = watch.seen();
        for expected in many {
            seen.take(event, &expected);
        }
    }
}

/// The arguments of these calls are not those of the 64-bit calls of the same name.
#[test]
fn arguments_that_differ_by_int_80() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().join("file");
    fs::write(&path, "content").expect("a file is written");
    let path = path.to_str().expect("UTF-8");
    let watch = Watch::start(
        "proc.name = call_32_bit and evt.via = 32-bit and evt.failed in (true, false) and evt.type in \
         (truncate, umount2, lseek, pread, mmap, setuid, sendto, semget, fallocate, fchmodat2, nanosleep)",
        &[
            "evt.rawres",
            "evt.arg.name",
            "evt.arg.length",
            "evt.arg.flags",
            "evt.arg.offset",
            "evt.arg.whence",
            "evt.arg.pos",
            "evt.arg.uid",
            "evt.arg.size",
            "evt.arg.key",
            "evt.arg.nsems",
        ],
    );
    // What is behind the arguments of send() in memory is no address: the calls of the language have one.
    for (number, arguments, event, expected) in [
        // truncate64: 5 * 2^32 + 7 bytes.
        (
            193,
            format!("@{path},7,5"),
            "truncate",
            vec![("evt.rawres", "0")],
        ),
        (
            22,
            "@/nowhere,1".to_owned(),
            "umount2",
            vec![("evt.arg.name", "/nowhere"), ("evt.arg.flags", "0")],
        ),
        // _llseek of a descriptor that is not open.
        (
            140,
            "77,1,2,0,1".to_owned(),
            "lseek",
            vec![
                ("evt.arg.offset", "4294967298"),
                ("evt.arg.whence", "SEEK_CUR"),
            ],
        ),
        (
            180,
            "77,0,10,3,1".to_owned(),
            "pread",
            vec![("evt.arg.size", "10"), ("evt.arg.pos", "4294967299")],
        ),
        (
            192,
            "0,4096,1,2,77,3".to_owned(),
            "mmap",
            vec![("evt.arg.offset", "12288"), ("evt.arg.length", "4096")],
        ),
        (
            90,
            "*0/8192/1/2/77/4096".to_owned(),
            "mmap",
            vec![("evt.arg.offset", "4096"), ("evt.arg.length", "8192")],
        ),
        // setuid of 16 bits: what is above them does not count.
        (
            23,
            "65536".to_owned(),
            "setuid",
            vec![("evt.arg.uid", "root"), ("evt.rawres", "0")],
        ),
        (
            102,
            "9,*77/0/33/0/1/16".to_owned(),
            "sendto",
            vec![("evt.arg.size", "33")],
        ),
        (
            117,
            "2,5,6,0,0,0".to_owned(),
            "semget",
            vec![("evt.arg.key", "5"), ("evt.arg.nsems", "6")],
        ),
        (
            324,
            "77,0,1,2,3,4".to_owned(),
            "fallocate",
            vec![("evt.res", "EBADF")],
        ),
        (
            162,
            "*0/1000,0".to_owned(),
            "nanosleep",
            vec![("evt.args", "res=0"), ("evt.rawres", "0")],
        ),
        (
            452,
            "4294967196,@/nowhere,420,0".to_owned(),
            "fchmodat2",
            vec![("evt.res", "ENOENT")],
        ),
    ] {
        make(&number.to_string(), &arguments);
        watch.seen().take(event, &expected);
    }
}

/// A static program for i386: opens the file whose name it carries, and ends.
fn program(path: &str) -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    let name = BASE + HEADERS + 25;
    let mut code = vec![0xb8, 5, 0, 0, 0, 0xbb];
    code.extend(name.to_le_bytes());
    // xor ecx, ecx; int 0x80; mov eax, 1; xor ebx, ebx; int 0x80
    code.extend([
        0x31, 0xc9, 0xcd, 0x80, 0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80,
    ]);
    code.resize(25, 0x90);
    code.extend(path.as_bytes());
    code.push(0);
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut word = |value: u32, bytes: usize| file.extend(&value.to_le_bytes()[..bytes]);
    // Executable, i386, version; entry, program headers, no sections.
    for (value, bytes) in [
        (2, 2),
        (3, 2),
        (1, 4),
        (BASE + HEADERS, 4),
        (52, 4),
        (0, 4),
        (0, 4),
    ] {
        word(value, bytes);
    }
    // Sizes of this header and of the one program header, and no sections.
    for value in [52, 32, 1, 40, 0, 0] {
        word(value, 2);
    }
    let length = HEADERS + u32::try_from(code.len()).expect("it is short");
    // All of the file, to be read and run.
    for value in [1, 0, BASE, BASE, length, length, 5, 4096] {
        word(value, 4);
    }
    file.extend(code);
    file
}

#[test]
fn a_32_bit_program() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let secret = folder.path().join("secret");
    fs::write(&secret, "x").expect("a file is written");
    let secret = secret.to_str().expect("UTF-8");
    let narrow = folder.path().join("narrow");
    fs::write(&narrow, program(secret)).expect("a program is written");
    fs::set_permissions(&narrow, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let watch = watch();
    assert!(Command::new(&narrow).status().expect("it runs").success());
    let mut seen = watch.seen();
    seen.take("execve", &[("evt.res", "SUCCESS"), ("proc.name", "narrow")]);
    seen.take(
        "open",
        &[
            ("fd.name", secret),
            ("evt.res", "SUCCESS"),
            ("evt.via", "32-bit"),
            ("proc.name", "narrow"),
        ],
    );
}

/// A change of the directory by `int 0x80` is known at once: the event of the change itself shows the new one.
#[test]
fn the_directory_changed_by_int_80() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().to_str().expect("UTF-8");
    for condition in [
        "evt.type = chdir and proc.name = call_32_bit",
        "evt.type in (chdir, procexit) and proc.name = call_32_bit",
    ] {
        let watch = Watch::start(condition, &["proc.cwd", "evt.via"]);
        let chdir = ["12".to_owned(), format!("@{path},0,0,0,0,0")];
        let status = Command::new(trigger("call_32_bit")).args(chdir).status();
        assert!(status.expect("it runs").success());
        let directory = format!("{path}/");
        let mut seen = watch.seen();
        seen.take("chdir", &[("proc.cwd", &directory), ("evt.via", "32-bit")]);
    }
}

#[test]
fn the_switch() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().join("secret");
    fs::write(&path, "x").expect("a file is written");
    let path = path.to_str().expect("UTF-8");
    let watch = Watch::start_with(
        &format!("evt.type in (open, openat) and fd.name = {path}"),
        FIELDS,
        &["sensor.other_abis=never"],
    );
    assert!(make("open", path) > 0);
    drop(fs::File::open(path).expect("it opens"));
    let mut seen = watch.seen();
    seen.take("openat", &[("evt.via", "64-bit")]);
    assert!(seen.of_type("open").is_empty());
}
