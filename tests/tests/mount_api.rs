//! File systems that are mounted by the calls of Linux 5.2 and later, which do without `mount(2)`.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::ffi::CString;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;

use peregrine_tests::{Watch, system_call};

/// Of <linux/mount.h>.
const FSCONFIG_SET_STRING: i32 = 1;
const FSCONFIG_CMD_CREATE: i32 = 6;
const MOVE_MOUNT_F_EMPTY_PATH: i32 = 4;
const OPEN_TREE_CLONE: i32 = 1;
const MOUNT_ATTR_NOEXEC: u64 = 8;

const CALLS: [&str; 7] = [
    "fsopen",
    "fsconfig",
    "fsmount",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "pivot_root",
];

/// A descriptor that a call made.
fn own(result: i64) -> OwnedFd {
    assert!(result >= 0, "{result}");
    let number = i32::try_from(result).expect("a descriptor is small");
    // SAFETY: the call has just made it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Mounts a new file system on a folder, changes it, mounts it on another too, and makes it the root: all in a mount
/// namespace of the calling thread. Returns the number of the file system's descriptor.
fn mount(folder: &Path) -> i32 {
    let path = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).expect("a folder is made");
        CString::new(path.to_str().expect("UTF-8")).expect("no NUL")
    };
    let (first, second) = (path("first"), path("second"));
    let none = c"".as_ptr();
    let here = libc::AT_FDCWD;
    // Set, clear, propagation, namespace.
    let attributes = [MOUNT_ATTR_NOEXEC, 0, 0, 0];
    // SAFETY: every string ends with NUL, every structure has its size; the namespace is this thread's alone.
    unsafe {
        let unshared = libc::CLONE_FS | libc::CLONE_NEWNS;
        assert_eq!(system_call!(SYS_unshare, unshared), 0);
        let private = libc::MS_REC | libc::MS_PRIVATE;
        let outcome = system_call!(SYS_mount, none, c"/".as_ptr(), 0_usize, private, 0_usize);
        assert_eq!(outcome, 0);
        let system = own(system_call!(SYS_fsopen, c"tmpfs".as_ptr(), 0));
        let number = system.as_raw_fd();
        let (key, value) = (c"size".as_ptr(), c"64k".as_ptr());
        let set = system_call!(SYS_fsconfig, number, FSCONFIG_SET_STRING, key, value, 0);
        assert_eq!(set, 0);
        let create = FSCONFIG_CMD_CREATE;
        let made = system_call!(SYS_fsconfig, number, create, 0_usize, 0_usize, 0);
        assert_eq!(made, 0);
        let again = system_call!(SYS_fsconfig, number, create, 0_usize, 0_usize, 0);
        assert_eq!(again, -i64::from(libc::EBUSY));
        let mounted = own(system_call!(SYS_fsmount, number, 0, 0));
        let attach = |tree: &OwnedFd, to: &CString| {
            let tree = tree.as_raw_fd();
            let flags = MOVE_MOUNT_F_EMPTY_PATH;
            system_call!(SYS_move_mount, tree, none, here, to.as_ptr(), flags)
        };
        assert_eq!(attach(&mounted, &first), 0);
        let tree = own(system_call!(
            SYS_open_tree,
            here,
            first.as_ptr(),
            OPEN_TREE_CLONE
        ));
        assert_eq!(attach(&tree, &second), 0);
        let changed = system_call!(
            SYS_mount_setattr,
            here,
            first.as_ptr(),
            0,
            attributes.as_ptr(),
            32_usize
        );
        assert_eq!(changed, 0);
        let old = path("first/old");
        assert_eq!(
            system_call!(SYS_pivot_root, first.as_ptr(), old.as_ptr()),
            0
        );
        // Two that fail.
        assert_eq!(
            system_call!(SYS_fsopen, c"no such".as_ptr(), 0),
            -i64::from(libc::ENODEV)
        );
        assert_eq!(
            system_call!(SYS_pivot_root, c"/no".as_ptr(), c"/no".as_ptr()),
            -i64::from(libc::ENOENT)
        );
        number
    }
}

#[test]
fn every_step_of_a_mount() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let own = std::process::id();
    let watch = Watch::start(
        &format!("evt.type in ({}) and proc.pid = {own}", CALLS.join(", ")),
        &[
            "evt.arg.ID",
            "evt.arg.nativeID",
            "evt.arg.cmd",
            "evt.arg.key",
            "evt.arg.value_charbuf",
            "evt.res",
            "evt.failed",
            "fd.num",
        ],
    );
    let path = folder.path().to_owned();
    let number = std::thread::spawn(move || mount(&path)).join();
    let number = number.expect("the thread ends well").to_string();
    let mut seen = watch.seen();
    for (call, native) in [
        ("fsopen", libc::SYS_fsopen),
        ("fsmount", libc::SYS_fsmount),
        ("move_mount", libc::SYS_move_mount),
        ("open_tree", libc::SYS_open_tree),
        ("move_mount", libc::SYS_move_mount),
        ("mount_setattr", libc::SYS_mount_setattr),
        ("pivot_root", libc::SYS_pivot_root),
    ] {
        seen.take(
            call,
            &[
                ("evt.arg.ID", call),
                ("evt.arg.nativeID", &native.to_string()),
                ("evt.failed", "false"),
            ],
        );
    }
    let of_system = ("fd.num", &*number);
    seen.take(
        "fsconfig",
        &[
            of_system,
            ("evt.arg.cmd", "FSCONFIG_SET_STRING"),
            ("evt.arg.key", "size"),
            ("evt.arg.value_charbuf", "64k"),
            ("evt.res", "SUCCESS"),
        ],
    );
    for outcome in ["SUCCESS", "EBUSY"] {
        let create = ("evt.arg.cmd", "FSCONFIG_CMD_CREATE");
        seen.take("fsconfig", &[of_system, create, ("evt.res", outcome)]);
    }
    for call in ["fsopen", "pivot_root"] {
        seen.take(call, &[("evt.failed", "true")]);
    }
    for call in CALLS {
        assert!(seen.of_type(call).is_empty(), "{call}");
    }
}
