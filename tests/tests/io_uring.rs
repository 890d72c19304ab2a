//! What is done through `io_uring`, which makes no system call of its own.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use peregrine_tests::{Watch, trigger};
use tempfile::TempDir;

fn watch() -> Watch {
    Watch::start(
        "evt.type in (openat, openat2, unlinkat, connect, mkdirat, renameat2, symlinkat, linkat, socket) \
         and evt.via = io_uring and evt.failed in (true, false)",
        &[
            "evt.via",
            "evt.rawres",
            "proc.name",
            "fd.name",
            "fd.resolved_name",
            "fd.num",
            "fs.path.name",
            "fs.path.source",
            "fs.path.target",
            "fd.rip",
            "fd.rport",
            "evt.arg.target",
            "evt.arg.mode",
            "evt.arg.domain",
        ],
    )
}

fn operate(arguments: &[&str]) -> i32 {
    let output = Command::new(trigger("ring_operation"))
        .args(arguments)
        .current_dir("/")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("it prints a number")
}

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().canonicalize().expect("it exists");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

const NAME: (&str, &str) = ("proc.name", "ring_operation");

#[test]
fn opens() {
    let (_folder, folder) = folder();
    let secret = format!("{folder}/secret");
    let link = format!("{folder}/link");
    fs::write(&secret, "x").expect("a file is written");
    symlink(&secret, &link).expect("a link is made");
    let watch = watch();
    for flags in [&[][..], &["async"]] {
        for event in ["openat", "openat2"] {
            let result = operate(&[flags, &[event, &link]].concat());
            assert!(result > 2, "{result}");
            watch.seen().take(
                event,
                &[
                    ("fd.name", &link),
                    ("fd.resolved_name", &secret),
                    ("fd.num", &result.to_string()),
                    ("evt.res", "SUCCESS"),
                    NAME,
                ],
            );
        }
    }
    // Relative to a descriptor.
    assert!(operate(&["in", &folder, "openat", "secret"]) > 2);
    watch
        .seen()
        .take("openat", &[("fd.name", &secret), ("evt.res", "SUCCESS")]);
    let missing = format!("{folder}/missing");
    assert_eq!(operate(&["openat", &missing]), -libc::ENOENT);
    watch
        .seen()
        .take("openat", &[("fd.name", &missing), ("evt.res", "ENOENT")]);
}

#[test]
fn opens_that_give_no_descriptor() {
    let (_folder, folder) = folder();
    let secret = format!("{folder}/secret");
    fs::write(&secret, "x").expect("a file is written");
    let watch = watch();
    assert!(operate(&["slot", "openat", &secret]) >= 0);
    watch
        .seen()
        .take("openat", &[("fd.name", &secret), ("evt.res", "SUCCESS")]);
}

#[test]
fn operations_without_a_completion() {
    let (_folder, folder) = folder();
    let [first, second] = ["first", "second"].map(|name| format!("{folder}/{name}"));
    fs::write(&first, "x").expect("a file is written");
    fs::write(&second, "x").expect("a file is written");
    let watch = watch();
    operate(&["skip", "openat", &first]);
    operate(&["skip", "unlinkat", &second]);
    assert!(!Path::new(&second).exists());
    let mut seen = watch.seen();
    seen.take("openat", &[("fd.name", &first), NAME]);
    seen.take("unlinkat", &[("fs.path.name", &second), NAME]);
}

#[test]
fn operations_whose_completions_find_the_queue_full() {
    let (_folder, folder) = folder();
    let [first, second] = ["first", "second"].map(|name| format!("{folder}/{name}"));
    fs::write(&first, "x").expect("a file is written");
    fs::write(&second, "x").expect("a file is written");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = server.local_addr().expect("it is bound").to_string();
    let watch = watch();
    assert!(operate(&["full", "openat", &first]) > 2);
    assert_eq!(operate(&["full", "connect", &address]), 0);
    assert_eq!(operate(&["full", "unlinkat", &second]), 0);
    assert_eq!(operate(&["full", "unlinkat", &second]), -libc::ENOENT);
    let mut seen = watch.seen();
    seen.take(
        "openat",
        &[("fd.name", &first), ("evt.res", "SUCCESS"), NAME],
    );
    seen.take("connect", &[("evt.res", "SUCCESS"), NAME]);
    seen.take("unlinkat", &[("evt.res", "SUCCESS"), NAME]);
    seen.take("unlinkat", &[("evt.res", "ENOENT"), NAME]);
    for event in ["openat", "connect", "unlinkat"] {
        assert!(seen.of_type(event).is_empty(), "{event}");
    }
}

#[test]
fn names() {
    let (_folder, folder) = folder();
    let [old, new, link, hard, made] =
        ["old", "new", "link", "hard", "made"].map(|name| format!("{folder}/{name}"));
    fs::write(&old, "x").expect("a file is written");
    let watch = watch();
    assert_eq!(operate(&["mkdirat", &made]), 0);
    assert_eq!(operate(&["renameat", &old, &new]), 0);
    assert_eq!(operate(&["symlinkat", "new", &link]), 0);
    assert_eq!(operate(&["async", "linkat", &new, &hard]), 0);
    assert_eq!(operate(&["unlinkat", &hard]), 0);
    assert_eq!(operate(&["in", &folder, "unlinkat", "hard"]), -libc::ENOENT);
    let mut seen = watch.seen();
    seen.take(
        "mkdirat",
        &[("fs.path.name", &made), ("evt.rawres", "0"), NAME],
    );
    seen.take(
        "renameat2",
        &[
            ("fs.path.source", &old),
            ("fs.path.target", &new),
            ("evt.rawres", "0"),
        ],
    );
    seen.take(
        "symlinkat",
        &[("evt.arg.target", "new"), ("evt.rawres", "0")],
    );
    seen.take(
        "linkat",
        &[("fs.path.target", &new), ("fs.path.source", &hard), NAME],
    );
    seen.take(
        "unlinkat",
        &[("fs.path.name", &hard), ("evt.res", "SUCCESS")],
    );
    seen.take("unlinkat", &[("evt.res", "ENOENT")]);
}

#[test]
fn sockets() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = server.local_addr().expect("it is bound");
    let watch = watch();
    assert!(operate(&["socket"]) > 2);
    assert_eq!(operate(&["connect", &address.to_string()]), 0);
    drop(server);
    assert_eq!(
        operate(&["connect", &address.to_string()]),
        -libc::ECONNREFUSED
    );
    let port = address.port().to_string();
    let mut seen = watch.seen();
    seen.take("socket", &[("evt.res", "SUCCESS"), NAME]);
    let peer = [("fd.rip", "127.0.0.1"), ("fd.rport", &*port), NAME];
    seen.take("connect", &[&peer[..], &[("evt.res", "SUCCESS")]].concat());
    seen.take(
        "connect",
        &[&peer[..], &[("evt.res", "ECONNREFUSED")]].concat(),
    );
}
