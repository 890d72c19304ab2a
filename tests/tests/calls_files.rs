//! Calls about files by path: every event, its parameters and its `fs.path` fields.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use peregrine_tests::{Watch, system_call};

const EVENTS: &str = "mkdir, mkdirat, rmdir, unlink, unlinkat, rename, renameat, renameat2, link, linkat, \
    symlink, symlinkat, chmod, fchmod, fchmodat, open, openat, openat2, creat";

const FIELDS: &[&str] = &[
    "evt.arg.path",
    "evt.rawarg.path",
    "evt.arg.name",
    "evt.arg.oldpath",
    "evt.arg.newpath",
    "evt.arg.target",
    "evt.arg.linkpath",
    "evt.arg.filename",
    "evt.arg.mode",
    "evt.rawarg.mode",
    "evt.arg.flags",
    "evt.rawarg.flags",
    "evt.arg.resolve",
    "evt.arg.dirfd",
    "evt.rawarg.dirfd",
    "evt.arg.olddirfd",
    "evt.arg.newdirfd",
    "evt.arg.olddir",
    "evt.arg.linkdirfd",
    "evt.arg.fd",
    "evt.arg.ino",
    "evt.abspath.src",
    "evt.abspath.dst",
    "fd.num",
    "fd.name",
    "fd.nameraw",
    "fd.type",
    "fd.typechar",
    "fs.path.name",
    "fs.path.nameraw",
    "fs.path.source",
    "fs.path.sourceraw",
    "fs.path.target",
    "fs.path.targetraw",
];

fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}

fn shown(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// A folder with an open descriptor of it, an agent that watches, and the folder as working directory.
struct Scene {
    _folder: tempfile::TempDir,
    path: PathBuf,
    directory: i32,
    watch: Watch,
}

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().expect("a temp dir");
        let path = folder.path().canonicalize().expect("it exists");
        let sub = path.join("sub");
        std::fs::create_dir(&sub).expect("a folder is made");
        std::env::set_current_dir(&path).expect("it can be entered");
        // SAFETY: the path is NUL-terminated.
        let directory = unsafe { libc::open(c(&sub).as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY) };
        assert!(directory >= 0);
        // SAFETY: the call takes nothing.
        let tid = unsafe { libc::gettid() };
        let watch = Watch::start(
            &format!("evt.type in ({EVENTS}) and thread.tid = {tid}"),
            FIELDS,
        );
        Self {
            _folder: folder,
            path,
            directory,
            watch,
        }
    }

    fn at(&self, name: &str) -> String {
        shown(&self.path.join(name))
    }
}

#[test]
fn calls_about_paths() {
    let scene = Scene::set();
    make_and_remove(&scene);
    rename_and_link(&scene);
    change_mode(&scene);
    open(&scene);
    hostile_names(&scene);
}

fn make_and_remove(scene: &Scene) {
    let made = c(&scene.path.join("made"));
    let directory = scene.directory;
    // SAFETY: every path is NUL-terminated and lives on.
    unsafe {
        assert_eq!(system_call!(SYS_mkdir, made.as_ptr(), 0o750), 0);
        assert_eq!(
            system_call!(SYS_mkdir, made.as_ptr(), 0o750),
            -i64::from(libc::EEXIST)
        );
        assert_eq!(
            system_call!(SYS_mkdir, c"./sub/../relative".as_ptr(), 0o700),
            0
        );
        assert_eq!(
            system_call!(SYS_mkdirat, directory, c"inner".as_ptr(), 0o711),
            0
        );
        assert_eq!(
            system_call!(SYS_mkdirat, libc::AT_FDCWD, c"here".as_ptr(), 0o711),
            0
        );
        assert_eq!(
            system_call!(SYS_mkdirat, -1, c"nowhere".as_ptr(), 0o711),
            -i64::from(libc::EBADF)
        );
        assert_eq!(system_call!(SYS_mkdir, 8, 0o711), -i64::from(libc::EFAULT));
        assert_eq!(system_call!(SYS_rmdir, c"relative".as_ptr()), 0);
        assert_eq!(
            system_call!(SYS_rmdir, c"relative".as_ptr()),
            -i64::from(libc::ENOENT)
        );
        assert_eq!(
            system_call!(
                SYS_unlinkat,
                directory,
                c"inner".as_ptr(),
                libc::AT_REMOVEDIR
            ),
            0
        );
        assert_eq!(
            system_call!(SYS_unlinkat, directory, c"inner".as_ptr(), 0),
            -i64::from(libc::ENOENT)
        );
        assert_eq!(
            system_call!(SYS_unlink, c"made".as_ptr()),
            -i64::from(libc::EISDIR)
        );
    }
    std::fs::write(scene.path.join("file"), "x").expect("a file is written");
    // SAFETY: as above.
    assert_eq!(unsafe { system_call!(SYS_unlink, c"file".as_ptr()) }, 0);
    let mut seen = scene.watch.seen();
    let at = |name: &str| scene.at(name);
    seen.take(
        "mkdir",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.path", &at("made")),
            ("evt.rawarg.path", &at("made")),
            ("evt.arg.mode", "1e8"),
            ("fs.path.name", &at("made")),
            ("fs.path.nameraw", &at("made")),
        ],
    );
    seen.take(
        "mkdir",
        &[
            ("evt.res", "EEXIST"),
            ("evt.arg.path", &at("made")),
            ("fs.path.name", "-"),
            ("fs.path.nameraw", "-"),
        ],
    );
    seen.take(
        "mkdir",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.path", &at("relative")),
            ("evt.rawarg.path", "./sub/../relative"),
            ("fs.path.name", &at("relative")),
            ("fs.path.nameraw", "./sub/../relative"),
        ],
    );
    seen.take(
        "mkdirat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.path", &at("sub/inner")),
            ("evt.rawarg.path", "inner"),
            ("evt.arg.dirfd", &format!("<d>{}", at("sub"))),
            ("evt.rawarg.dirfd", &directory.to_string()),
            ("fd.num", &directory.to_string()),
            ("fd.name", &at("sub")),
            ("fd.typechar", "d"),
            ("evt.abspath.src", &at("sub/inner")),
            ("fs.path.name", &at("sub/inner")),
            ("fs.path.nameraw", "inner"),
        ],
    );
    seen.take(
        "mkdirat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.path", &at("here")),
            ("evt.arg.dirfd", "AT_FDCWD"),
            ("evt.rawarg.dirfd", "-100"),
            ("fd.name", "-"),
        ],
    );
    seen.take(
        "mkdirat",
        &[
            ("evt.res", "EBADF"),
            ("evt.rawarg.path", "nowhere"),
            ("evt.rawarg.dirfd", "-1"),
            ("fd.num", "-1"),
        ],
    );
    seen.take("mkdir", &[("evt.res", "EFAULT"), ("evt.arg.path", "-")]);
    seen.take(
        "rmdir",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.path", &at("relative")),
            ("fs.path.name", &at("relative")),
        ],
    );
    seen.take(
        "rmdir",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.path", &at("relative")),
            ("fs.path.name", "-"),
        ],
    );
    seen.take(
        "unlinkat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.name", &at("sub/inner")),
            ("evt.arg.flags", "AT_REMOVEDIR"),
            ("fs.path.name", &at("sub/inner")),
            ("fs.path.nameraw", "inner"),
        ],
    );
    seen.take(
        "unlinkat",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.name", &at("sub/inner")),
            ("evt.arg.flags", "0"),
        ],
    );
    seen.take(
        "unlink",
        &[("evt.res", "EISDIR"), ("evt.arg.path", &at("made"))],
    );
    seen.take(
        "unlink",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.path", &at("file")),
            ("fs.path.name", &at("file")),
            ("fs.path.nameraw", "file"),
        ],
    );
}

fn rename_and_link(scene: &Scene) {
    std::fs::write(scene.path.join("one"), "x").expect("a file is written");
    let directory = scene.directory;
    let at = |name: &str| scene.at(name);
    let absolute = c(&scene.path.join("absolute"));
    // SAFETY: every path is NUL-terminated and lives on.
    unsafe {
        assert_eq!(
            system_call!(SYS_rename, c"one".as_ptr(), c"sub/two".as_ptr()),
            0
        );
        assert_eq!(
            system_call!(SYS_rename, c"none".as_ptr(), absolute.as_ptr()),
            -i64::from(libc::ENOENT)
        );
        assert_eq!(
            system_call!(
                SYS_renameat,
                directory,
                c"two".as_ptr(),
                libc::AT_FDCWD,
                c"three".as_ptr()
            ),
            0
        );
        assert_eq!(
            system_call!(
                SYS_renameat2,
                libc::AT_FDCWD,
                c"three".as_ptr(),
                directory,
                c"four".as_ptr(),
                1
            ),
            0
        );
        assert_eq!(
            system_call!(SYS_link, c"sub/four".as_ptr(), absolute.as_ptr()),
            0
        );
        assert_eq!(
            system_call!(SYS_link, c"sub/four".as_ptr(), absolute.as_ptr()),
            -i64::from(libc::EEXIST)
        );
        assert_eq!(
            system_call!(
                SYS_linkat,
                directory,
                c"four".as_ptr(),
                libc::AT_FDCWD,
                c"five".as_ptr(),
                libc::AT_SYMLINK_FOLLOW
            ),
            0
        );
        assert_eq!(
            system_call!(
                SYS_symlink,
                c"../etc/shadow".as_ptr(),
                c"sub/loose".as_ptr()
            ),
            0
        );
        assert_eq!(
            system_call!(SYS_symlink, c"/etc/shadow".as_ptr(), c"sub/loose".as_ptr()),
            -i64::from(libc::EEXIST)
        );
        assert_eq!(
            system_call!(
                SYS_symlinkat,
                c"/etc/shadow".as_ptr(),
                directory,
                c"tight".as_ptr()
            ),
            0
        );
    }
    let mut seen = scene.watch.seen();
    seen.take(
        "rename",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.oldpath", &at("one")),
            ("evt.arg.newpath", &at("sub/two")),
            ("fs.path.source", &at("one")),
            ("fs.path.sourceraw", "one"),
            ("fs.path.target", &at("sub/two")),
            ("fs.path.targetraw", "sub/two"),
            ("fs.path.name", "-"),
        ],
    );
    seen.take(
        "rename",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.oldpath", &at("none")),
            ("evt.arg.newpath", &at("absolute")),
            ("fs.path.source", "-"),
            ("fs.path.target", "-"),
        ],
    );
    seen.take(
        "renameat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.oldpath", &at("sub/two")),
            ("evt.arg.newpath", &at("three")),
            ("evt.arg.newdirfd", "AT_FDCWD"),
            ("fs.path.source", &at("sub/two")),
            ("fs.path.target", &at("three")),
            ("evt.abspath.src", &at("sub/two")),
            ("evt.abspath.dst", &at("three")),
        ],
    );
    seen.take(
        "renameat2",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.oldpath", &at("three")),
            ("evt.arg.newpath", &at("sub/four")),
            ("evt.arg.olddirfd", "AT_FDCWD"),
            ("evt.arg.flags", "RENAME_NOREPLACE"),
            ("fs.path.source", &at("three")),
            ("fs.path.target", &at("sub/four")),
        ],
    );
    seen.take(
        "link",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.oldpath", &at("sub/four")),
            ("evt.arg.newpath", &at("absolute")),
            ("fs.path.source", &at("absolute")),
            ("fs.path.target", &at("sub/four")),
        ],
    );
    seen.take("link", &[("evt.res", "EEXIST"), ("fs.path.source", "-")]);
    seen.take(
        "linkat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.oldpath", &at("sub/four")),
            ("evt.arg.newpath", &at("five")),
            ("evt.arg.flags", "AT_SYMLINK_FOLLOW"),
            ("fs.path.source", &at("five")),
            ("fs.path.target", &at("sub/four")),
        ],
    );
    // Where the link leads, which is from its own directory.
    seen.take(
        "symlink",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.target", "../etc/shadow"),
            ("evt.arg.linkpath", &at("sub/loose")),
            ("fs.path.source", &at("sub/loose")),
            ("fs.path.target", &at("etc/shadow")),
            ("fs.path.targetraw", "../etc/shadow"),
        ],
    );
    seen.take(
        "symlink",
        &[("evt.res", "EEXIST"), ("evt.arg.target", "/etc/shadow")],
    );
    seen.take(
        "symlinkat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.target", "/etc/shadow"),
            ("evt.arg.linkdirfd", &format!("<d>{}", at("sub"))),
            ("evt.arg.linkpath", &at("sub/tight")),
            ("fs.path.source", &at("sub/tight")),
            ("fs.path.target", "/etc/shadow"),
        ],
    );
}

fn change_mode(scene: &Scene) {
    std::fs::write(scene.path.join("sub/mode"), "x").expect("a file is written");
    let file = std::fs::File::open(scene.path.join("sub/mode")).expect("it opens");
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    let at = |name: &str| scene.at(name);
    // SAFETY: every path is NUL-terminated and lives on.
    unsafe {
        assert_eq!(system_call!(SYS_chmod, c"sub/mode".as_ptr(), 0o4755), 0);
        assert_eq!(
            system_call!(SYS_chmod, c"sub/none".as_ptr(), 0o644),
            -i64::from(libc::ENOENT)
        );
        assert_eq!(system_call!(SYS_fchmod, number, 0o2700), 0);
        assert_eq!(
            system_call!(SYS_fchmod, 999, 0o700),
            -i64::from(libc::EBADF)
        );
        assert_eq!(
            system_call!(SYS_fchmodat, scene.directory, c"mode".as_ptr(), 0o644),
            0
        );
    }
    let mut seen = scene.watch.seen();
    seen.take(
        "chmod",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.filename", &at("sub/mode")),
            (
                "evt.arg.mode",
                "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID",
            ),
            ("fs.path.name", &at("sub/mode")),
            ("fs.path.nameraw", "sub/mode"),
        ],
    );
    seen.take(
        "chmod",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.filename", &at("sub/none")),
            ("fs.path.name", "-"),
        ],
    );
    seen.take(
        "fchmod",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.fd", &format!("<f>{}", at("sub/mode"))),
            ("fd.num", &number.to_string()),
            ("fd.name", &at("sub/mode")),
            ("fd.type", "file"),
            ("fs.path.name", &at("sub/mode")),
            ("evt.arg.mode", "S_IXUSR|S_IWUSR|S_IRUSR|S_ISGID"),
        ],
    );
    seen.take(
        "fchmod",
        &[
            ("evt.res", "EBADF"),
            ("evt.arg.fd", "999"),
            ("fd.name", "-"),
            ("fs.path.name", "-"),
        ],
    );
    seen.take(
        "fchmodat",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.filename", &at("sub/mode")),
            ("evt.arg.dirfd", &format!("<d>{}", at("sub"))),
            ("fs.path.name", &at("sub/mode")),
            ("fs.path.nameraw", "mode"),
        ],
    );
}

fn open(scene: &Scene) {
    let at = |name: &str| scene.at(name);
    let how = [(libc::O_RDONLY | libc::O_CLOEXEC) as u64, 0, 8];
    let path = c(&scene.path.join("sub/mode"));
    // SAFETY: every path is NUL-terminated and lives on; the structure of openat2 is complete.
    let made = unsafe {
        [
            system_call!(SYS_open, path.as_ptr(), libc::O_RDWR | libc::O_APPEND),
            system_call!(
                SYS_openat,
                scene.directory,
                c"new".as_ptr(),
                libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL,
                0o640
            ),
            system_call!(
                SYS_openat2,
                scene.directory,
                c"mode".as_ptr(),
                how.as_ptr(),
                24_usize
            ),
            system_call!(SYS_creat, c"sub/../created".as_ptr(), 0o600),
        ]
    };
    assert!(made.iter().all(|fd| *fd >= 0), "{made:?}");
    // SAFETY: as above.
    unsafe {
        assert_eq!(
            system_call!(SYS_open, c"sub/none".as_ptr(), libc::O_RDONLY),
            -i64::from(libc::ENOENT)
        );
        assert_eq!(
            system_call!(SYS_openat, libc::AT_FDCWD, c"sub".as_ptr(), libc::O_WRONLY),
            -i64::from(libc::EISDIR)
        );
        assert_eq!(
            system_call!(
                SYS_openat2,
                scene.directory,
                c"../one".as_ptr(),
                how.as_ptr(),
                24_usize
            ),
            -i64::from(libc::EXDEV)
        );
        assert_eq!(
            system_call!(SYS_creat, c"sub".as_ptr(), 0o600),
            -i64::from(libc::EISDIR)
        );
    }
    let mut seen = scene.watch.seen();
    seen.take(
        "open",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &made[0].to_string()),
            ("evt.arg.fd", &format!("<f>{}", at("sub/mode"))),
            ("evt.arg.name", &at("sub/mode")),
            ("evt.arg.flags", "O_RDWR|O_APPEND"),
            ("fd.typechar", "f"),
            ("fs.path.name", &at("sub/mode")),
        ],
    );
    seen.take(
        "openat",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &made[1].to_string()),
            ("evt.arg.name", &at("sub/new")),
            ("evt.arg.dirfd", &format!("<d>{}", at("sub"))),
            ("evt.rawarg.dirfd", &scene.directory.to_string()),
            ("evt.arg.flags", "O_WRONLY|O_CREAT|O_EXCL|O_F_CREATED"),
            ("evt.arg.mode", "0640"),
            ("fd.nameraw", "new"),
        ],
    );
    seen.take(
        "openat2",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &made[2].to_string()),
            ("evt.arg.name", &at("sub/mode")),
            ("evt.arg.resolve", "RESOLVE_BENEATH"),
        ],
    );
    seen.take(
        "creat",
        &[
            ("evt.res", "SUCCESS"),
            ("fd.num", &made[3].to_string()),
            ("evt.arg.name", &at("created")),
            ("evt.arg.mode", "0600"),
            ("fd.nameraw", "sub/../created"),
        ],
    );
    seen.take(
        "open",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.fd", "ENOENT"),
            ("fd.num", "-1"),
            ("evt.arg.name", &at("sub/none")),
            ("fs.path.name", "-"),
        ],
    );
    seen.take(
        "openat",
        &[
            ("evt.res", "EISDIR"),
            ("evt.arg.dirfd", "AT_FDCWD"),
            ("evt.rawarg.dirfd", "-100"),
            ("fd.name", &at("sub")),
        ],
    );
    seen.take(
        "openat2",
        &[("evt.res", "EXDEV"), ("evt.arg.name", &at("one"))],
    );
    seen.take(
        "creat",
        &[("evt.res", "EISDIR"), ("evt.arg.name", &at("sub"))],
    );
}

/// Nothing that a name holds breaks a line of output, and no path is too long to be seen.
fn hostile_names(scene: &Scene) {
    let names: [&CStr; 4] = [
        c"line\nfeed",
        c"\x1b[31mred\x1b[0m",
        c"\xff\xfe not UTF-8",
        c"%proc.name {{}} \"quoted\" \\back",
    ];
    let long = CString::new(format!("{}end", "./".repeat(2_000))).expect("no NUL");
    // SAFETY: every path is NUL-terminated and lives on.
    unsafe {
        for name in names {
            assert_eq!(system_call!(SYS_mkdir, name.as_ptr(), 0o700), 0);
            assert_eq!(system_call!(SYS_rmdir, name.as_ptr()), 0);
        }
        assert_eq!(system_call!(SYS_mkdir, long.as_ptr(), 0o700), 0);
        assert_eq!(system_call!(SYS_rmdir, c"end".as_ptr()), 0);
    }
    let mut seen = scene.watch.seen();
    for event in ["mkdir", "rmdir"] {
        seen.take(event, &[("fs.path.nameraw", "line\nfeed")]);
        seen.take(event, &[("fs.path.nameraw", "\u{1b}[31mred\u{1b}[0m")]);
        seen.take(
            event,
            &[("fs.path.nameraw", "%proc.name {{}} \"quoted\" \\back")],
        );
    }
    let raw = long.to_str().expect("UTF-8");
    seen.take(
        "mkdir",
        &[("fs.path.nameraw", raw), ("fs.path.name", &scene.at("end"))],
    );
}
