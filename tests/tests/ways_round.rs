//! Ways to a file that do not name it: each is really gone, and a rule on the file still fires.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::ffi::CString;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use peregrine_tests::{Seen, Watch, system_call};

const OPENS: &str = "open, openat, openat2, open_by_handle_at";
const FIELDS: &[&str] = &[
    "fd.name",
    "fd.nameraw",
    "fd.resolved_name",
    "fd.filename",
    "evt.arg.resolve",
];

fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).expect("no NUL")
}

fn shown(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("UTF-8").to_owned()
}

fn error(number: i32) -> i64 {
    -i64::from(number)
}

/// A descriptor that a call made.
fn own(result: i64) -> OwnedFd {
    assert!(result >= 0, "{result}");
    let number = i32::try_from(result).expect("a descriptor is small");
    // SAFETY: the call has just made it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

fn openat(directory: i32, path: impl AsRef<Path>, flags: i32) -> i64 {
    let path = c(path);
    // SAFETY: the path ends with NUL and lives on.
    unsafe { system_call!(SYS_openat, directory, path.as_ptr(), flags, 0o600) }
}

/// A folder `secret` with a file `key` in it, an agent with a rule on that file, and who does things.
struct Scene {
    _folder: tempfile::TempDir,
    root: PathBuf,
    key: PathBuf,
    watch: Watch,
}

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().expect("a temp dir");
        let root = folder.path().canonicalize().expect("it exists");
        let key = root.join("secret/key");
        std::fs::create_dir(root.join("secret")).expect("a folder is made");
        std::fs::write(&key, "x").expect("a file is written");
        // What a rule on the file says; it knows nothing of the ways to it.
        let condition = format!(
            "evt.type in ({OPENS}) and fd.num >= 0 and fd.name = {}",
            key.display()
        );
        let watch = Watch::start(&condition, FIELDS);
        Self {
            _folder: folder,
            root,
            key,
            watch,
        }
    }

    /// Opens the key by a path, checks by procfs that this is what was opened, and that the rule has fired once,
    /// with the path as `written` and the kernel's beside it.
    #[track_caller]
    fn opens(&self, directory: i32, path: impl AsRef<Path>, written: impl AsRef<Path>) {
        let opened = own(openat(directory, path, libc::O_RDONLY));
        self.is_key(&opened);
        let mut seen = self.watch.seen();
        self.take(&mut seen, "openat", written.as_ref());
        assert!(seen.of_type("openat").is_empty());
    }

    #[track_caller]
    fn is_key(&self, opened: &OwnedFd) {
        let link = format!("/proc/thread-self/fd/{}", opened.as_raw_fd());
        assert_eq!(std::fs::read_link(link).expect("it is open"), self.key);
    }

    #[track_caller]
    fn take(&self, seen: &mut Seen, event: &str, written: &Path) {
        seen.take(
            event,
            &[
                ("fd.name", &shown(written)),
                ("fd.resolved_name", &shown(&self.key)),
                ("evt.res", "SUCCESS"),
            ],
        );
    }
}

/// Runs in a thread whose working directory and root are its own.
fn in_a_thread_of_its_own(steps: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        let own = libc::CLONE_FS | libc::CLONE_NEWNS;
        // SAFETY: the call takes a number.
        let outcome = unsafe { system_call!(SYS_unshare, own) };
        assert_eq!(outcome, 0);
        steps();
    });
    thread.join().expect("the thread ends well");
}

#[test]
fn names_relative_to_a_folder() {
    in_a_thread_of_its_own(|| {
        let scene = Scene::set();
        let secret = scene.root.join("secret");
        // Not even to be read: a place and nothing more.
        let place = own(openat(libc::AT_FDCWD, &secret, libc::O_PATH));
        let place = place.as_raw_fd();
        scene.opens(place, "key", &scene.key);
        scene.opens(place, "../secret/./key", &scene.key);
        std::env::set_current_dir(&scene.root).expect("it can be entered");
        scene.opens(libc::AT_FDCWD, "secret/key", &scene.key);
        // SAFETY: the descriptor is open.
        assert_eq!(unsafe { system_call!(SYS_fchdir, place) }, 0);
        scene.opens(libc::AT_FDCWD, "key", &scene.key);
        scene.opens(libc::AT_FDCWD, ".//key", &scene.key);
        let by_link = "/proc/thread-self/cwd/key";
        scene.opens(libc::AT_FDCWD, by_link, by_link);
    });
}

/// From inside the new root the file has another name. The kernel's is that of the host.
#[test]
fn a_root_of_its_own() {
    in_a_thread_of_its_own(|| {
        let scene = Scene::set();
        let outside = own(openat(libc::AT_FDCWD, "/", libc::O_PATH));
        // SAFETY: the paths end with NUL.
        let opened = unsafe {
            assert_eq!(system_call!(SYS_chroot, c(&scene.root).as_ptr()), 0);
            let opened = own(openat(libc::AT_FDCWD, "/secret/key", libc::O_RDONLY));
            assert_eq!(system_call!(SYS_fchdir, outside.as_raw_fd()), 0);
            assert_eq!(system_call!(SYS_chroot, c".".as_ptr()), 0);
            opened
        };
        scene.is_key(&opened);
        scene.take(&mut scene.watch.seen(), "openat", Path::new("/secret/key"));
    });
}

#[test]
fn magic_links() {
    let scene = Scene::set();
    let place = own(openat(libc::AT_FDCWD, &scene.key, libc::O_PATH));
    scene.take(&mut scene.watch.seen(), "openat", &scene.key);
    let number = place.as_raw_fd();
    let folder = own(openat(
        libc::AT_FDCWD,
        scene.root.join("secret"),
        libc::O_PATH,
    ));
    let pid = std::process::id();
    let root = scene.root.display();
    for path in [
        format!("/proc/self/fd/{number}"),
        format!("/proc/thread-self/fd/{number}"),
        format!("/proc/{pid}/fd/{number}"),
        format!("/dev/fd/{number}"),
        format!("/proc/self/fd/{}/key", folder.as_raw_fd()),
        format!("/proc/self/root{root}/secret/key"),
        format!("/proc/{pid}/root{root}/secret/key"),
    ] {
        scene.opens(libc::AT_FDCWD, &path, &path);
    }
}

#[test]
fn symbolic_links_in_every_position() {
    let scene = Scene::set();
    let at = |name: &str| scene.root.join(name);
    let make = |target: PathBuf, name: &str| symlink(target, at(name)).expect("a link is made");
    std::fs::create_dir_all(at("a/b")).expect("folders are made");
    make(scene.root.clone(), "first");
    make(at("secret"), "a/b/middle");
    make(scene.key.clone(), "last");
    make("../secret/key".into(), "a/relative");
    make(at("first/a/b/middle/key"), "chain");
    for name in [
        "first/secret/key",
        "a/b/middle/key",
        "last",
        "a/relative",
        "chain",
        "first/first/a/b/middle/key",
    ] {
        scene.opens(libc::AT_FDCWD, at(name), at(name));
    }
    // Text knows where this leads to; the kernel goes another way, to the folder above the link's target.
    symlink("a/b", at("jump")).expect("a link is made");
    let written = at("secret/key");
    assert_eq!(
        openat(libc::AT_FDCWD, at("jump/../secret/key"), libc::O_RDONLY),
        error(libc::ENOENT)
    );
    assert_eq!(scene.watch.seen().of_type("openat").len(), 0);
    make(at("secret"), "a/secret");
    let opened = own(openat(
        libc::AT_FDCWD,
        at("jump/../secret/key"),
        libc::O_RDONLY,
    ));
    scene.is_key(&opened);
    scene.take(&mut scene.watch.seen(), "openat", &written);
    // A link to nothing yet: the open makes the file behind it.
    std::fs::remove_file(&scene.key).expect("it is ours");
    assert_eq!(
        openat(libc::AT_FDCWD, at("last"), libc::O_RDONLY),
        error(libc::ENOENT)
    );
    let made = own(openat(
        libc::AT_FDCWD,
        at("last"),
        libc::O_WRONLY | libc::O_CREAT,
    ));
    scene.is_key(&made);
    scene.take(&mut scene.watch.seen(), "openat", &at("last"));
}

/// `struct open_how`, the flags of `openat2(2)` among them.
fn openat2(directory: i32, path: &str, flags: i32, resolve: u64) -> i64 {
    let mode = if flags & libc::O_CREAT == 0 { 0 } else { 0o600 };
    let how = [u64::from(flags.cast_unsigned()), mode, resolve];
    // SAFETY: the path ends with NUL; the structure has 24 bytes.
    unsafe {
        system_call!(
            SYS_openat2,
            directory,
            c(path).as_ptr(),
            how.as_ptr(),
            24_usize
        )
    }
}

#[test]
fn every_restriction_of_openat2() {
    let scene = Scene::set();
    let place = own(openat(
        libc::AT_FDCWD,
        scene.root.join("secret"),
        libc::O_PATH,
    ));
    let place = place.as_raw_fd();
    symlink("/key", scene.root.join("secret/link")).expect("a link is made");
    let own_pid = std::process::id();
    // What another rule says, which asks for attempts as well.
    let attempts = Watch::start(
        &format!("evt.type = openat2 and evt.failed in (true, false) and proc.pid = {own_pid}"),
        FIELDS,
    );
    let beside = shown(&scene.key);
    let by_link = shown(scene.root.join("secret/link"));
    let above = shown(scene.root.with_file_name("key"));
    let magic = "/proc/self/fd/0";
    // The restriction, its name, a path that goes through, how it is written in full, one that does not, and why.
    let table = [
        (
            libc::RESOLVE_NO_XDEV,
            "RESOLVE_NO_XDEV",
            "key",
            beside.clone(),
            "/proc/self/comm",
            libc::EXDEV,
        ),
        (
            libc::RESOLVE_NO_MAGICLINKS,
            "RESOLVE_NO_MAGICLINKS",
            "key",
            beside.clone(),
            magic,
            libc::ELOOP,
        ),
        (
            libc::RESOLVE_NO_SYMLINKS,
            "RESOLVE_NO_SYMLINKS",
            "./key",
            beside.clone(),
            "link",
            libc::ELOOP,
        ),
        (
            libc::RESOLVE_BENEATH,
            "RESOLVE_BENEATH",
            "./key",
            beside.clone(),
            "../secret/key",
            libc::EXDEV,
        ),
        // The folder is the root, for absolute paths, for `..` and for the targets of links.
        (
            libc::RESOLVE_IN_ROOT,
            "RESOLVE_IN_ROOT",
            "/key",
            "/key".to_owned(),
            "/secret/key",
            libc::ENOENT,
        ),
        (
            libc::RESOLVE_IN_ROOT,
            "RESOLVE_IN_ROOT",
            "../../key",
            above,
            "..",
            libc::EISDIR,
        ),
        (
            libc::RESOLVE_IN_ROOT,
            "RESOLVE_IN_ROOT",
            "link",
            by_link,
            "none",
            libc::ENOENT,
        ),
    ];
    for (resolve, shown_as, good, written, bad, reason) in table {
        let opened = own(openat2(place, good, libc::O_RDONLY, resolve));
        scene.is_key(&opened);
        let flags = libc::O_WRONLY;
        assert_eq!(
            openat2(place, bad, flags, resolve),
            error(reason),
            "{shown_as} {bad}"
        );
        // The rule on the file fires on what the kernel opened.
        scene.take(&mut scene.watch.seen(), "openat2", Path::new(&written));
        let mut seen = attempts.seen();
        let asked = ("evt.arg.resolve", shown_as);
        seen.take(
            "openat2",
            &[asked, ("evt.res", "SUCCESS"), ("fd.nameraw", good)],
        );
        seen.take(
            "openat2",
            &[asked, ("fd.nameraw", bad), ("fd.resolved_name", "-")],
        );
    }
    // What is not in the cache would have to be read, or made: then the caller is to come again.
    let cached = libc::RESOLVE_CACHED;
    let made = libc::O_CREAT | libc::O_WRONLY;
    assert_eq!(openat2(place, "key", made, cached), error(libc::EAGAIN));
    drop(own(openat2(place, "key", libc::O_RDONLY, cached)));
    scene.take(&mut scene.watch.seen(), "openat2", &scene.key);
    let asked = ("evt.arg.resolve", "RESOLVE_CACHED");
    let mut seen = attempts.seen();
    seen.take("openat2", &[asked, ("evt.res", "EAGAIN")]);
    seen.take("openat2", &[asked, ("evt.res", "SUCCESS")]);
}

/// A handle is a number of a file; no path is in the call.
#[test]
fn a_handle() {
    let scene = Scene::set();
    // `struct file_handle` with room for 128 bytes.
    let mut handle = [0_u32; 34];
    handle[0] = 128;
    let mut mount = 0_i32;
    // SAFETY: the handle has as much room as it says; the path ends with NUL.
    let opened = unsafe {
        let outcome = system_call!(
            SYS_name_to_handle_at,
            libc::AT_FDCWD,
            c(&scene.key).as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0
        );
        assert_eq!(outcome, 0, "the file system gives handles");
        own(system_call!(
            SYS_open_by_handle_at,
            libc::AT_FDCWD,
            handle.as_ptr(),
            libc::O_RDWR
        ))
    };
    scene.is_key(&opened);
    let found = [("fd.name", scene.key.to_str().expect("UTF-8"))];
    scene.watch.seen().take("open_by_handle_at", &found);
}

/// Changes of a file are told by the folder that the kernel knows, where the call starts from one. (A link in the path
/// itself is shown as written.)
#[test]
fn changes_relative_to_a_folder_behind_a_link() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let root = folder.path().canonicalize().expect("it exists");
    let secret = root.join("secret");
    std::fs::create_dir(&secret).expect("a folder is made");
    symlink(&secret, root.join("link")).expect("a link is made");
    let in_secret = format!("startswith {}/", secret.display());
    let watch = Watch::start(
        &format!(
            "evt.type in (unlinkat, renameat, fchmodat, mkdirat) and \
             (fs.path.name {in_secret} or fs.path.source {in_secret})"
        ),
        &["fs.path.name", "fs.path.source"],
    );
    let place = own(openat(
        libc::AT_FDCWD,
        root.join("link"),
        libc::O_PATH | libc::O_DIRECTORY,
    ));
    let place = place.as_raw_fd();
    let (key, moved) = (c"key".as_ptr(), c(root.join("moved")));
    std::fs::write(secret.join("key"), "x").expect("a file is written");
    // SAFETY: the paths end with NUL and live on.
    let outcomes = unsafe {
        [
            system_call!(SYS_fchmodat, place, key, 0o777),
            system_call!(SYS_renameat, place, key, libc::AT_FDCWD, moved.as_ptr()),
            system_call!(SYS_mkdirat, place, key, 0o700),
            system_call!(SYS_unlinkat, place, key, libc::AT_REMOVEDIR),
        ]
    };
    assert_eq!(outcomes, [0; 4]);
    let mut seen = watch.seen();
    let key = shown(secret.join("key"));
    seen.take("fchmodat", &[("fs.path.name", &key)]);
    seen.take("renameat", &[("fs.path.source", &key)]);
    seen.take("mkdirat", &[("fs.path.name", &key)]);
    seen.take("unlinkat", &[("fs.path.name", &key)]);
}
