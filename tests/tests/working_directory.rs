//! The working directory of an event's process.

use std::env;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use peregrine_tests::Watch;

#[test]
fn the_directory_is_the_one_at_the_event() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().to_str().expect("UTF-8");
    for name in ["one", "two"] {
        fs::create_dir_all(scratch.path().join(name)).expect("made");
    }
    let watch = Watch::start(
        &format!("evt.type = mkdir and evt.arg.path startswith {root}/made"),
        &["proc.cwd", "evt.arg.path"],
    );
    // The calls are about absolute paths, which do not tell the directory.
    let made = |name: &str| scratch.path().join(format!("made-{name}"));
    let note = |name: &str| fs::create_dir(made(name)).expect("made");
    let enter = |path: &Path| env::set_current_dir(path).expect("entered");
    let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
    enter(Path::new("/"));
    note("root");
    enter(&one);
    note("chdir");
    let directory = File::open(&two).expect("opened");
    // SAFETY: the descriptor is open.
    assert_eq!(unsafe { libc::fchdir(directory.as_raw_fd()) }, 0);
    note("fchdir");
    thread::scope(|scope| {
        scope.spawn(|| enter(&one));
    });
    note("thread");
    enter(Path::new("../two/./"));
    note("relative");
    symlink(&one, scratch.path().join("link")).expect("linked");
    enter(&scratch.path().join("link"));
    note("link");
    env::set_current_dir("/nonexistent").expect_err("not there");
    note("failed");
    let (child, own) = (made("child"), made("child-own"));
    let mut command = Command::new("true");
    // SAFETY: nothing else holds a lock that the child could want: there is one thread.
    unsafe {
        command.pre_exec(move || {
            fs::create_dir(&child)?;
            env::set_current_dir("/usr")?;
            fs::create_dir(&own)
        });
    }
    assert!(command.status().expect("true runs").success());
    note("parent");
    let mut seen = watch.seen();
    for (name, directory) in [
        ("root", "/".to_owned()),
        ("chdir", format!("{root}/one/")),
        ("fchdir", format!("{root}/two/")),
        ("thread", format!("{root}/one/")),
        ("relative", format!("{root}/two/")),
        ("link", format!("{root}/one/")),
        ("failed", format!("{root}/one/")),
        ("child", format!("{root}/one/")),
        ("child-own", "/usr/".to_owned()),
        ("parent", format!("{root}/one/")),
    ] {
        seen.take(
            "mkdir",
            &[
                ("evt.arg.path", &format!("{root}/made-{name}")),
                ("proc.cwd", &directory),
            ],
        );
    }
}
