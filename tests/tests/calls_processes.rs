//! Calls about processes, users, namespaces and the kernel itself.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use peregrine_tests::{Watch, system_call};

const EVENTS: &str = "execve, execveat, ptrace, setns, unshare, setuid, setresuid, init_module, finit_module, \
    mount, umount2, prctl, kill, process_vm_writev, chroot, setsid";

const FIELDS: &[&str] = &[
    "evt.arg.exe",
    "evt.arg.args",
    "evt.arg.filename",
    "evt.arg.flags",
    "evt.rawarg.flags",
    "evt.arg.uid",
    "evt.rawarg.uid",
    "evt.arg.ruid",
    "evt.arg.suid",
    "evt.arg.request",
    "evt.arg.pid",
    "evt.rawarg.pid",
    "evt.arg.nstype",
    "evt.arg.sig",
    "evt.arg.option",
    "evt.arg.arg2_str",
    "evt.arg.dev",
    "evt.arg.dir",
    "evt.arg.type",
    "evt.arg.name",
    "evt.arg.path",
    "evt.arg.data",
    "evt.arg.length",
    "evt.arg.uargs",
    "fd.num",
    "fd.name",
    "fd.typechar",
    "fs.path.name",
    "fs.path.source",
    "fs.path.target",
    "proc.pid",
    "proc.exepath",
    "proc.cmdline",
];

fn error(number: i32) -> i64 {
    -i64::from(number)
}

#[test]
fn calls_about_processes() {
    let own = std::process::id();
    // Failed execs are recorded for rules that ask about the outcome.
    let watch = Watch::start(
        &format!(
            "evt.type in ({EVENTS}) and (proc.pid = {own} or proc.ppid = {own}) \
             and (evt.failed = true or evt.failed = false)"
        ),
        FIELDS,
    );
    programs(&watch);
    others(&watch);
    modules(&watch);
    // Users and namespaces are a thread's own.
    let changed = std::thread::spawn(namespaces).join();
    let (folder, network) = changed.expect("the thread ends well");
    namespaces_seen(&watch, &folder, network);
    std::thread::spawn(users)
        .join()
        .expect("the thread ends well");
    users_seen(&watch);
}

fn programs(watch: &Watch) {
    let status = Command::new("/bin/echo")
        .args(["one", "two words"])
        .stdout(Stdio::null())
        .status()
        .expect("it runs");
    assert!(status.success());
    let program = File::open("/bin/echo").expect("it opens");
    let descriptor = program.as_raw_fd();
    let mut command = Command::new("/not/run");
    // SAFETY: between fork and exec there is but one system call, whose arguments are constants.
    unsafe {
        command.pre_exec(move || {
            let arguments = [c"by-descriptor".as_ptr(), c"-n".as_ptr(), std::ptr::null()];
            let environment: [*const libc::c_char; 1] = [std::ptr::null()];
            system_call!(
                SYS_execveat,
                descriptor,
                c"".as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH
            );
            Err(std::io::Error::last_os_error())
        });
    }
    let status = command.status().expect("it runs");
    assert!(status.success());
    let arguments = [c"wanted".as_ptr(), c"argument".as_ptr(), std::ptr::null()];
    // SAFETY: the arrays end with null, their strings with NUL.
    unsafe {
        assert_eq!(
            system_call!(
                SYS_execve,
                c"/no/such/program".as_ptr(),
                arguments.as_ptr(),
                0_usize
            ),
            error(libc::ENOENT)
        );
        assert_eq!(
            system_call!(
                SYS_execve,
                c"/etc/passwd".as_ptr(),
                arguments.as_ptr(),
                0_usize
            ),
            error(libc::EACCES)
        );
        assert_eq!(
            system_call!(
                SYS_execveat,
                libc::AT_FDCWD,
                c"/no/such".as_ptr(),
                arguments.as_ptr(),
                0_usize,
                0
            ),
            error(libc::ENOENT)
        );
    }
    let echo = PathBuf::from("/bin/echo")
        .canonicalize()
        .expect("it exists");
    let echo = echo.to_str().expect("UTF-8");
    let mut seen = watch.seen();
    seen.take(
        "execve",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.exe", "/bin/echo"),
            ("evt.arg.args", "one two words"),
            ("evt.arg.filename", "/bin/echo"),
            ("proc.exepath", echo),
            ("proc.cmdline", "echo one two words"),
        ],
    );
    // A successful execveat is an execve in the language.
    seen.take(
        "execve",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.exe", "by-descriptor"),
            ("evt.arg.args", "-n"),
            ("proc.exepath", echo),
        ],
    );
    seen.take(
        "execve",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.exe", "wanted"),
            ("evt.arg.args", "argument"),
            ("evt.arg.filename", "/no/such/program"),
        ],
    );
    seen.take(
        "execve",
        &[("evt.res", "EACCES"), ("evt.arg.filename", "/etc/passwd")],
    );
    seen.take(
        "execveat",
        &[("evt.res", "ENOENT"), ("evt.arg.exe", "wanted")],
    );
}

fn others(watch: &Watch) {
    let mut sleeper = Command::new("/bin/sleep")
        .arg("600")
        .spawn()
        .expect("it runs");
    // A parent goes on before its child's exec is through, and so seen: a little later it is.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let pid = sleeper.id();
    let number = i32::try_from(pid).expect("a pid is small");
    let nobody = 0x3fff_fff0;
    let mut target = *b"........";
    let (from, to) = (
        libc::iovec {
            iov_base: b"poked in".as_ptr().cast_mut().cast(),
            iov_len: 8,
        },
        libc::iovec {
            iov_base: target.as_mut_ptr().cast(),
            iov_len: 8,
        },
    );
    // SAFETY: every pointer is to memory of the size that its call expects; the processes are ours.
    unsafe {
        assert_eq!(
            system_call!(SYS_ptrace, libc::PTRACE_SEIZE, number, 0, 0),
            0
        );
        assert_eq!(
            system_call!(SYS_ptrace, libc::PTRACE_ATTACH, nobody, 0, 0),
            error(libc::ESRCH)
        );
        assert_eq!(system_call!(SYS_kill, number, libc::SIGKILL), 0);
        assert_eq!(
            system_call!(SYS_kill, nobody, libc::SIGTERM),
            error(libc::ESRCH)
        );
        assert_eq!(
            system_call!(SYS_prctl, libc::PR_SET_NAME, c"renamed".as_ptr(), 0, 0, 0),
            0
        );
        assert_eq!(
            system_call!(
                SYS_process_vm_writev,
                std::process::id(),
                &raw const from,
                1_usize,
                &raw const to,
                1_usize,
                0_usize
            ),
            8
        );
        assert_eq!(
            system_call!(
                SYS_process_vm_writev,
                nobody,
                &raw const from,
                1_usize,
                &raw const to,
                1_usize,
                0_usize
            ),
            error(libc::ESRCH)
        );
    }
    assert_eq!(&target, b"poked in");
    sleeper.wait().expect("it has ended");
    let pid = pid.to_string();
    let mut seen = watch.seen();
    seen.take(
        "ptrace",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.request", "PTRACE_SEIZE"),
            ("evt.rawarg.pid", &pid),
            ("evt.arg.pid", "sleep"),
        ],
    );
    seen.take(
        "ptrace",
        &[
            ("evt.res", "ESRCH"),
            ("evt.arg.request", "PTRACE_ATTACH"),
            ("evt.arg.pid", &nobody.to_string()),
        ],
    );
    seen.take(
        "kill",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.rawarg.pid", &pid),
            ("evt.arg.sig", "SIGKILL"),
        ],
    );
    seen.take("kill", &[("evt.res", "ESRCH"), ("evt.arg.sig", "SIGTERM")]);
    seen.take(
        "prctl",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.option", "PR_SET_NAME"),
            ("evt.arg.arg2_str", "renamed"),
        ],
    );
    seen.take(
        "process_vm_writev",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.data", "poked in"),
            ("evt.rawarg.pid", &std::process::id().to_string()),
        ],
    );
    seen.take("process_vm_writev", &[("evt.res", "ESRCH")]);
}

/// A kernel without loadable modules has no tracepoints of these two calls, which makes them invisible;
/// it cannot load a module either. Where the tracepoints exist the events have to come.
fn modules(watch: &Watch) {
    let file = File::open("/dev/null").expect("it opens");
    // SAFETY: the image is as long as is said, and no module: the kernel refuses it.
    let outcomes = unsafe {
        [
            system_call!(
                SYS_init_module,
                b"no module".as_ptr(),
                9_usize,
                c"a=1".as_ptr()
            ),
            system_call!(SYS_finit_module, file.as_raw_fd(), c"b=2".as_ptr(), 0),
        ]
    };
    let mut seen = watch.seen();
    for (call, outcome) in ["init_module", "finit_module"].into_iter().zip(outcomes) {
        let folders = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
        let has_tracepoint = folders.iter().any(|folder| {
            Path::new(folder)
                .join(format!("events/syscalls/sys_exit_{call}"))
                .exists()
        });
        if has_tracepoint {
            let arguments = if call == "init_module" { "a=1" } else { "b=2" };
            seen.take(call, &[("evt.arg.uargs", arguments)]);
        } else {
            assert_eq!(
                outcome,
                error(libc::ENOSYS),
                "{call} works but has no tracepoint"
            );
        }
    }
}

fn namespaces() -> (String, i32) {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder.path().canonicalize().expect("it exists");
    let name = path.to_str().expect("UTF-8");
    let raw = std::ffi::CString::new(name).expect("no NUL");
    let network = File::open("/proc/self/ns/net").expect("it opens");
    let no_namespace = File::open("/dev/null").expect("it opens");
    // SAFETY: every string ends with NUL; the namespaces are this thread's alone.
    unsafe {
        assert_eq!(
            system_call!(SYS_setns, network.as_raw_fd(), libc::CLONE_NEWNET),
            0
        );
        assert_eq!(
            system_call!(SYS_setns, no_namespace.as_raw_fd(), 0),
            error(libc::EINVAL)
        );
        assert_eq!(
            system_call!(SYS_unshare, libc::CLONE_FS | libc::CLONE_NEWNS),
            0
        );
        assert_eq!(system_call!(SYS_unshare, 1), error(libc::EINVAL));
        assert_eq!(
            system_call!(
                SYS_mount,
                c"none".as_ptr(),
                c"/".as_ptr(),
                0_usize,
                libc::MS_REC | libc::MS_PRIVATE,
                0_usize
            ),
            0
        );
        assert_eq!(
            system_call!(
                SYS_mount,
                c"quick".as_ptr(),
                raw.as_ptr(),
                c"tmpfs".as_ptr(),
                libc::MS_NOSUID,
                0_usize
            ),
            0
        );
        assert_eq!(
            system_call!(
                SYS_mount,
                c"quick".as_ptr(),
                c"/no/where".as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                0_usize
            ),
            error(libc::ENOENT)
        );
        assert_eq!(system_call!(SYS_umount2, raw.as_ptr(), libc::MNT_DETACH), 0);
        assert_eq!(
            system_call!(SYS_umount2, raw.as_ptr(), 0),
            error(libc::EINVAL)
        );
        assert_eq!(system_call!(SYS_chroot, c"/".as_ptr()), 0);
    }
    (name.to_owned(), network.as_raw_fd())
}

fn namespaces_seen(watch: &Watch, name: &str, network: i32) {
    let mut seen = watch.seen();
    seen.take(
        "setns",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.nstype", "CLONE_NEWNET"),
            ("fd.num", &network.to_string()),
        ],
    );
    seen.take(
        "setns",
        &[
            ("evt.res", "EINVAL"),
            ("evt.arg.nstype", "0"),
            ("fd.name", "/dev/null"),
        ],
    );
    seen.take(
        "unshare",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.flags", "CLONE_FS|CLONE_NEWNS"),
        ],
    );
    seen.take("unshare", &[("evt.res", "EINVAL")]);
    seen.take(
        "mount",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.dir", "/"),
            ("evt.arg.flags", "MS_REC|MS_PRIVATE"),
            ("evt.arg.type", "-"),
        ],
    );
    seen.take(
        "mount",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.dev", "quick"),
            ("evt.arg.dir", name),
            ("evt.arg.type", "tmpfs"),
            ("evt.arg.flags", "MS_NOSUID"),
            ("fs.path.source", "quick"),
            ("fs.path.target", name),
        ],
    );
    seen.take(
        "mount",
        &[
            ("evt.res", "ENOENT"),
            ("evt.arg.dir", "/no/where"),
            ("fs.path.target", "-"),
        ],
    );
    seen.take(
        "umount2",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.name", name),
            ("evt.arg.flags", "MNT_DETACH"),
            ("fs.path.name", name),
        ],
    );
    seen.take(
        "umount2",
        &[
            ("evt.res", "EINVAL"),
            ("evt.arg.name", name),
            ("fs.path.name", "-"),
        ],
    );
    seen.take("chroot", &[("evt.res", "SUCCESS"), ("evt.arg.path", "/")]);
}

/// Changes this thread for good: the look is left to another.
fn users() {
    // SAFETY: the calls take numbers, and change this thread alone.
    unsafe {
        assert_eq!(system_call!(SYS_setresuid, -1, -1, 0), 0);
        assert_eq!(system_call!(SYS_setuid, 65_534), 0);
        assert_eq!(system_call!(SYS_setuid, 0), error(libc::EPERM));
    }
}

fn users_seen(watch: &Watch) {
    let mut seen = watch.seen();
    seen.take(
        "setresuid",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.arg.ruid", "<NONE>"),
            ("evt.arg.suid", "root"),
        ],
    );
    seen.take(
        "setuid",
        &[
            ("evt.res", "SUCCESS"),
            ("evt.rawarg.uid", "65534"),
            ("evt.arg.uid", "nobody"),
        ],
    );
    seen.take("setuid", &[("evt.res", "EPERM"), ("evt.arg.uid", "root")]);
}
