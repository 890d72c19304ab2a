//! Values of fields about the event itself.

use super::Case;
use super::descriptor_values::{
    accepted, connected, inet, opened, received, regular, socket, unix, written,
};
use super::scene::{Actor, NONE, call, event, kernel_path, relative, text};
use crate::event::{Call, Connect, ExecFailed, Object, Open, Payload};

/// Each with the event that it is read from.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut of = |event: &crate::event::Event<'static>, values: &[(&'static str, &str)]| {
        for (field, expected) in values {
            cases.push(Case::new(event.clone(), field, expected));
        }
    };
    of(
        &Actor::Program.started(),
        &[
            ("evt.num", "7"),
            ("evt.time.iso8601", "2023-11-14T22:14:50.000000123+0000"),
            ("evt.rawtime", "1700000090000000123"),
            ("evt.rawtime.s", "1700000090"),
            ("evt.rawtime.ns", "123"),
            ("evt.reltime", "30000000123"),
            ("evt.reltime.s", "30"),
            ("evt.reltime.ns", "123"),
            ("evt.deltatime", "2500000123"),
            ("evt.deltatime.s", "2"),
            ("evt.deltatime.ns", "500000123"),
            ("evt.type", "execve"),
            ("evt.type.is.execve", "1"),
            ("evt.type.is.open", "0"),
            ("evt.type.is.293", NONE),
            ("syscall.type", "execve"),
            ("evt.category", "process"),
            ("evt.cpu", "3"),
            ("evt.via", "32-bit"),
            ("evt.source", "syscall"),
            ("evt.is_async", "false"),
            ("evt.hostname", "node-7"),
            ("evt.dir", "<"),
            ("evt.count", "1"),
            ("evt.count.exit", "1"),
            ("evt.count.error", "0"),
            ("evt.res", "SUCCESS"),
            ("evt.rawres", "0"),
            ("evt.failed", "false"),
            ("evt.is_io", "false"),
            ("evt.io_dir", NONE),
            ("evt.buffer", NONE),
            ("evt.is_open_read", NONE),
            ("evt.latency", "0"),
            ("evt.latency.s", "0"),
            ("evt.latency.ns", "0"),
            ("evt.latency.quantized", "0"),
            ("evt.latency.human", "0ns"),
            ("evt.wait_latency", "0"),
            ("evt.arg.exe", "cat"),
            ("evt.arg.args", "-n /etc/passwd"),
            ("evt.arg.flags", "EXE_WRITABLE|EXE_UPPER_LAYER"),
            ("evt.arg[1]", "cat"),
            ("evt.arg[99]", NONE),
        ],
    );
    let failed = event(
        "execveat",
        -i64::from(libc::EACCES),
        Payload::ExecFailed(ExecFailed {
            filename: text(b"./tool"),
            args: super::scene::strings(b"tool\0-x\0-y\0"),
        }),
    );
    of(
        &failed,
        &[
            ("evt.type", "execveat"),
            ("evt.res", "EACCES"),
            ("evt.rawres", "-13"),
            ("evt.failed", "true"),
            ("evt.count.error", "1"),
            ("evt.arg.exe", "tool"),
            ("evt.arg.args", "-x -y"),
            // The process is still the old program.
            ("proc.exepath", "/usr/bin/cat"),
        ],
    );
    of(
        &opened(),
        &[
            ("evt.is_open_write", "true"),
            ("evt.is_open_read", "false"),
            ("evt.is_open_exec", "true"),
            ("evt.is_open_create", "true"),
            ("evt.abspath", "/home/u/link"),
            (
                "evt.args",
                "fd=5(<f>/home/u/link) dirfd=-100(AT_FDCWD) name=link(/home/u/link) \
                 flags=577(O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED) mode=0755 dev=801 ino=99",
            ),
            (
                "evt.info",
                "fd=5(<f>/home/u/link) dirfd=-100(AT_FDCWD) name=link(/home/u/link) \
                 flags=577(O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED) mode=0755 dev=801 ino=99",
            ),
            ("evt.arg.name", "/home/u/link"),
            ("evt.rawarg.name", "link"),
            ("evt.rawarg.ino", "99"),
        ],
    );
    let for_reading = event(
        "open",
        4,
        Payload::Open(Open {
            path: text(b"/etc/hosts"),
            opened: Some(kernel_path("/etc/hosts")),
            inode_mode: 0o100_644,
            ..Open::default()
        }),
    );
    of(
        &for_reading,
        &[
            ("evt.is_open_read", "true"),
            ("evt.is_open_write", "false"),
            ("evt.is_open_exec", "false"),
            ("evt.is_open_create", "false"),
        ],
    );
    let read = received("read", Object::File(regular()));
    of(
        &read,
        &[
            ("evt.is_io", "true"),
            ("evt.is_io_read", "true"),
            ("evt.is_io_write", "false"),
            ("evt.io_dir", "read"),
            ("evt.category", "file"),
            ("evt.buffer", "hello"),
            ("evt.buflen", "12"),
            ("evt.buflen.in", "12"),
            ("evt.buflen.out", NONE),
            ("evt.buflen.file", "12"),
            ("evt.buflen.file.in", "12"),
            ("evt.buflen.net", NONE),
        ],
    );
    of(
        &written("write", Object::File(regular())),
        &[
            ("evt.is_io_write", "true"),
            ("evt.io_dir", "write"),
            ("evt.buflen.out", "12"),
            ("evt.buflen.file.out", "12"),
            ("evt.is_syslog", "false"),
        ],
    );
    of(
        &written("sendto", socket(inet(), 1)),
        &[
            ("evt.category", "net"),
            ("evt.buflen.net", "12"),
            ("evt.buflen.net.out", "12"),
        ],
    );
    of(
        &received("recvfrom", socket(inet(), 1)),
        &[("evt.buflen.net.in", "12")],
    );
    of(
        &written("write", socket(unix(), 1)),
        &[("evt.is_syslog", "true"), ("evt.category", "IPC")],
    );
    of(
        &call("poll", 1, &Call::default()),
        &[("evt.is_wait", "true"), ("evt.is_io", "false")],
    );
    let no_entry = event(
        "openat",
        -i64::from(libc::ENOENT),
        Payload::Open(Open {
            path: text(b"none"),
            ..Open::default()
        }),
    );
    of(
        &no_entry,
        &[("evt.count.error.file", "1"), ("evt.res", "ENOENT")],
    );
    let mut refused = connected();
    refused.origin.result = Some(-i64::from(libc::ECONNREFUSED));
    of(
        &refused,
        &[
            ("evt.count.error.net", "1"),
            ("evt.count.error.other", NONE),
        ],
    );
    of(&accepted(), &[("evt.count.error.net", "0")]);
    let no_memory = call("munmap", -i64::from(libc::ENOMEM), &Call::default());
    of(&no_memory, &[("evt.count.error.memory", "1")]);
    let not_allowed = call("kill", -i64::from(libc::EPERM), &Call::default());
    of(
        &not_allowed,
        &[("evt.count.error.other", "1"), ("evt.category", "signal")],
    );
    let renamed = call(
        "renameat2",
        0,
        &Call {
            paths: [Some(relative(b"a")), Some(relative(b"../b"))],
            ..Call::default()
        },
    );
    of(
        &renamed,
        &[
            ("evt.abspath", "/home/u/a"),
            ("evt.abspath.src", "/home/u/a"),
            ("evt.abspath.dst", "/home/b"),
        ],
    );
    // Nobody connects with such a descriptor: there is nothing to say.
    let nothing = event("connect", -9, Payload::Connect(Connect::default()));
    of(
        &nothing,
        &[("evt.arg.tuple", NONE), ("evt.arg.res", "EBADF")],
    );
    cases
}
