//! What is done with files through `io_uring`: the events of the system calls that do the same.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs;
use std::process::Command;

use peregrine_tests::{Watch, trigger};
use tempfile::TempDir;

const PROGRAM: (&str, &str) = ("proc.name", "ring_file");
const SUCCESS: (&str, &str) = ("evt.res", "SUCCESS");

fn watch(events: &str) -> Watch {
    Watch::start(
        &format!(
            "evt.type in ({events}) and proc.name = ring_file and evt.via = io_uring and evt.failed in (true, false)"
        ),
        &[
            "evt.via",
            "evt.rawres",
            "evt.buffer",
            "evt.category",
            "evt.io_dir",
            "evt.arg.data",
            "evt.arg.size",
            "evt.arg.pos",
            "evt.arg.fd",
            "evt.arg.how",
            "evt.arg.fd_in",
            "evt.arg.flags",
            "evt.arg.name",
            "evt.arg.path",
            "proc.name",
            "fd.num",
            "fd.name",
            "fd.type",
        ],
    )
}

const READS_AND_WRITES: &str = "read, pread, readv, preadv, write, pwrite, writev, pwritev";

/// Does something in a program of its own; its result.
fn act(arguments: &[&str]) -> i32 {
    let output = Command::new(trigger("ring_file"))
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("it prints a number")
}

fn file(content: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().canonicalize().expect("it exists");
    let path = path.join("file");
    fs::write(&path, content).expect("it is written");
    (folder, path.to_str().expect("UTF-8").to_owned())
}

#[test]
fn reads() {
    let (_folder, path) = file("secrets");
    let watch = watch(READS_AND_WRITES);
    for flags in [&[][..], &["async"], &["fixed"], &["full"]] {
        for (action, event) in [
            ("read", "read"),
            ("read_fixed", "read"),
            ("read_chosen", "read"),
            ("readv", "readv"),
            ("readv_chosen", "readv"),
        ] {
            assert_eq!(act(&[flags, &[action, &path]].concat()), 7, "{action}");
            let mut seen = watch.seen();
            let taken = seen.take(
                event,
                &[
                    SUCCESS,
                    PROGRAM,
                    ("evt.rawres", "7"),
                    ("evt.buffer", "secrets"),
                    ("evt.arg.data", "secrets"),
                    ("evt.arg.size", if event == "read" { "64" } else { "7" }),
                    ("evt.io_dir", "read"),
                    ("fd.name", &path),
                    ("fd.type", "file"),
                ],
            );
            assert_eq!(taken.field("fd.num") == -1, flags == ["fixed"]);
            for event in READS_AND_WRITES.split(", ") {
                assert!(seen.of_type(event).is_empty(), "{action}: {event}");
            }
        }
    }
}

#[test]
fn reads_at_a_position() {
    let (_folder, path) = file("secrets");
    let watch = watch(READS_AND_WRITES);
    for flags in [&[][..], &["async"]] {
        for (action, event) in [("read", "pread"), ("readv", "preadv")] {
            assert_eq!(act(&[flags, &["at", "2", action, &path]].concat()), 5);
            watch.seen().take(
                event,
                &[
                    SUCCESS,
                    PROGRAM,
                    ("evt.rawres", "5"),
                    ("evt.arg.pos", "2"),
                    ("evt.buffer", "crets"),
                    ("fd.name", &path),
                ],
            );
        }
    }
    // A pipe has no positions, and the kernel does not mind that it is told one.
    assert_eq!(act(&["at", "0", "read", "pipe", "hello"]), 5);
    watch.seen().take(
        "read",
        &[SUCCESS, ("evt.buffer", "hello"), ("fd.type", "pipe")],
    );
}

#[test]
fn reads_that_wait_or_fail() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().canonicalize().expect("it exists");
    let path = path.to_str().expect("UTF-8");
    let watch = watch(READS_AND_WRITES);
    for action in ["read", "read_fixed", "read_chosen"] {
        assert_eq!(act(&[action, "pipe", "hello"]), 5);
        let mut seen = watch.seen();
        seen.take("read", &[SUCCESS, PROGRAM, ("evt.buffer", "hello")]);
        // That it had to wait is not another one.
        assert!(seen.of_type("read").is_empty());
    }
    for flags in [&[][..], &["async"]] {
        assert_eq!(act(&[flags, &["read", path]].concat()), -libc::EISDIR);
        watch
            .seen()
            .take("read", &[("evt.res", "EISDIR"), ("fd.name", path)]);
    }
    assert_eq!(act(&["write", "/proc/version", "lost"]), -libc::EIO);
    watch.seen().take(
        "write",
        &[
            ("evt.res", "EIO"),
            ("evt.buffer", "lost"),
            ("fd.name", "/proc/version"),
        ],
    );
}

#[test]
fn one_request_that_reads_many_times() {
    let watch = watch(READS_AND_WRITES);
    assert_eq!(act(&["read_many", "pipe", "one three fourteen"]), 0);
    let mut seen = watch.seen();
    for word in ["one", "three", "fourteen", ""] {
        let length = word.len().to_string();
        let event = seen.take("read", &[SUCCESS, PROGRAM, ("evt.rawres", &length)]);
        if !word.is_empty() {
            assert_eq!(event.field("evt.buffer"), word);
            assert_eq!(event.field("evt.arg.size"), &*length);
        }
    }
    assert!(seen.of_type("read").is_empty());
}

#[test]
fn receives_into_buffers_of_the_ring() {
    let watch = watch("recvfrom");
    assert_eq!(act(&["recv_chosen", "socket", "hello"]), 5);
    let mut seen = watch.seen();
    // Where kernels keep the address when the operation ends differs; whatever is told of the data has to be it.
    let event = seen.take("recvfrom", &[SUCCESS, PROGRAM, ("evt.rawres", "5")]);
    let buffer = event.field("evt.buffer");
    assert!(buffer.is_null() || buffer == "hello", "{buffer}");
    assert_eq!(act(&["recv_many", "socket", "one three fourteen"]), 0);
    let mut seen = watch.seen();
    for word in ["one", "three", "fourteen"] {
        let fields = [SUCCESS, PROGRAM, ("evt.buffer", word), ("fd.type", "unix")];
        seen.take("recvfrom", &fields);
    }
    seen.take("recvfrom", &[SUCCESS, ("evt.rawres", "0")]);
    assert!(seen.of_type("recvfrom").is_empty());
}

#[test]
fn writes() {
    let (_folder, path) = file("");
    let watch = watch(READS_AND_WRITES);
    for flags in [&[][..], &["async"], &["fixed"], &["full"]] {
        for (action, event) in [
            ("write", "write"),
            ("write_fixed", "write"),
            ("writev", "writev"),
        ] {
            let at = format!("p{event}");
            for (position, event) in [(&[][..], event), (&["at", "3"], &at)] {
                let arguments = [flags, position, &[action, &path, "implant"]].concat();
                assert_eq!(act(&arguments), 7);
                let mut seen = watch.seen();
                let mut fields = vec![
                    SUCCESS,
                    PROGRAM,
                    ("evt.rawres", "7"),
                    ("evt.arg.size", "7"),
                    ("evt.buffer", "implant"),
                    ("evt.io_dir", "write"),
                    ("fd.name", &path),
                ];
                if !position.is_empty() {
                    fields.push(("evt.arg.pos", "3"));
                }
                seen.take(event, &fields);
                for event in READS_AND_WRITES.split(", ") {
                    assert!(seen.of_type(event).is_empty(), "{action}: {event}");
                }
            }
        }
    }
    assert_eq!(fs::read(&path).expect("it is there"), b"impimplant");
    // Without a completion it is told as if it had succeeded.
    act(&["skip", "write", &path, "implant"]);
    watch.seen().take(
        "write",
        &[PROGRAM, ("evt.buffer", "implant"), ("fd.name", &path)],
    );
}

#[test]
fn extended_attributes() {
    let (_folder, path) = file("");
    let watch = watch("setxattr, fsetxattr, getxattr, fgetxattr");
    let name = ("evt.arg.name", "user.secret");
    let text = "secret";
    for (action, result) in [
        ("getxattr", -libc::ENODATA),
        ("setxattr", 0),
        ("getxattr", 5),
    ] {
        assert_eq!(act(&[action, &path, text]), result);
        let res = if result < 0 { "ENODATA" } else { "SUCCESS" };
        let fields = [
            ("evt.res", res),
            PROGRAM,
            name,
            ("evt.arg.path", &path),
            (
                "evt.arg.size",
                if action == "setxattr" { "5" } else { "16" },
            ),
        ];
        watch.seen().take(action, &fields);
    }
    for flags in [&[][..], &["fixed"]] {
        for (action, result) in [("fsetxattr", 0), ("fgetxattr", 5)] {
            assert_eq!(act(&[flags, &[action, &path, text]].concat()), result);
            watch
                .seen()
                .take(action, &[SUCCESS, PROGRAM, name, ("fd.name", &path)]);
        }
    }
}

#[test]
fn other_operations() {
    let (_folder, path) = file("secrets");
    let events = "ftruncate, fallocate, fsync, fdatasync, sync_file_range, fadvise64, madvise, statx, close, \
                  splice, tee, shutdown, epoll_ctl";
    let watch = watch(events);
    for (action, event, target, result) in [
        ("ftruncate", "ftruncate", &*path, 0),
        ("fallocate", "fallocate", &path, 0),
        ("fsync", "fsync", &path, 0),
        ("fdatasync", "fdatasync", &path, 0),
        ("sync_file_range", "sync_file_range", &path, 0),
        ("fadvise", "fadvise64", &path, 0),
        ("madvise", "madvise", &path, -libc::ENOMEM),
        ("statx", "statx", &path, 0),
        ("close", "close", &path, 0),
        ("splice", "splice", &path, 3),
        ("tee", "tee", "pipe", 3),
        ("shutdown", "shutdown", "socket", 0),
        ("shutdown", "shutdown", &path, -libc::ENOTSOCK),
        ("epoll_ctl", "epoll_ctl", "pipe", 0),
        ("epoll_ctl", "epoll_ctl", &path, -libc::EPERM),
        ("ftruncate", "ftruncate", "pipe", -libc::EINVAL),
        ("fallocate", "fallocate", "pipe", -libc::EBADF),
    ] {
        for flags in [&[][..], &["async"]] {
            let arguments = [flags, &[action, target, "hello"]].concat();
            assert_eq!(act(&arguments), result, "{action} {target}");
            let mut seen = watch.seen();
            let result = result.to_string();
            let mut fields = vec![PROGRAM, ("evt.rawres", &*result)];
            if target == path && ["ftruncate", "fallocate", "splice", "shutdown"].contains(&action)
            {
                fields.push(("fd.name", &path));
            }
            match event {
                "splice" => fields.push(("evt.arg.size", "3")),
                "shutdown" => fields.push(("evt.arg.how", "SHUT_WR")),
                _ => {}
            }
            seen.take(event, &fields);
            for event in events.split(", ") {
                assert!(seen.of_type(event.trim()).is_empty(), "{action}: {event}");
            }
        }
    }
}
