//! Ways to run what has no path of its own in the call, and to put code into a process that runs already.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::ffi::CString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use peregrine_tests::{Watch, system_call};

const FIELDS: &[&str] = &[
    "proc.exepath",
    "proc.name",
    "proc.args",
    "proc.is_exe_from_memfd",
    "evt.arg.request",
    "evt.arg.addr",
    "evt.arg.data",
    "evt.rawarg.pid",
];

/// How a program is started.
#[derive(Clone, Copy)]
enum Way {
    /// `execveat(2)` of a descriptor and no path.
    Empty,
    /// `execve(2)` of a path.
    Path,
}

/// Runs a program in a child, with one argument; it has to succeed.
fn run(way: Way, descriptor: i32, path: &str, argument: &str) {
    let path = CString::new(path).expect("no NUL");
    let argument = CString::new(argument).expect("no NUL");
    let mut command = Command::new("/not/run");
    // SAFETY: between fork and exec there is but one system call; its strings end with NUL, its arrays with null.
    unsafe {
        command.pre_exec(move || {
            let arguments = [c"harmless".as_ptr(), argument.as_ptr(), std::ptr::null()];
            match way {
                Way::Empty => system_call!(
                    SYS_execveat,
                    descriptor,
                    c"".as_ptr(),
                    arguments.as_ptr(),
                    0_usize,
                    libc::AT_EMPTY_PATH
                ),
                Way::Path => {
                    system_call!(SYS_execve, path.as_ptr(), arguments.as_ptr(), 0_usize)
                }
            };
            Err(std::io::Error::last_os_error())
        });
    }
    assert!(command.status().expect("it runs").success());
}

/// A copy of /bin/true in a folder.
fn program(folder: &Path) -> PathBuf {
    let path = folder.canonicalize().expect("it exists").join("tool");
    std::fs::copy("/bin/true", &path).expect("it is copied");
    path
}

#[test]
fn a_program_by_its_descriptor_or_a_link_to_it() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let tool = program(folder.path());
    let name = tool.to_str().expect("UTF-8");
    let raw = CString::new(name).expect("no NUL");
    // SAFETY: the path ends with NUL; the descriptor is new.
    let place = unsafe { OwnedFd::from_raw_fd(libc::open(raw.as_ptr(), libc::O_PATH)) };
    let number = place.as_raw_fd();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&tool, &link).expect("a link is made");
    let watch = Watch::start(
        &format!("evt.type in (execve, execveat) and proc.exepath = {name}"),
        FIELDS,
    );
    let root = format!("/proc/self/root{name}");
    let ways = [
        (Way::Empty, String::new()),
        (Way::Path, format!("/proc/self/fd/{number}")),
        (Way::Path, format!("/dev/fd/{number}")),
        (Way::Path, root),
        (Way::Path, link.to_str().expect("UTF-8").to_owned()),
    ];
    for (index, (way, path)) in ways.iter().enumerate() {
        run(*way, number, path, &format!("way-{index}"));
    }
    let mut seen = watch.seen();
    for index in 0..ways.len() {
        let argument = format!("way-{index}");
        seen.take(
            "execve",
            &[
                ("proc.args", &argument),
                ("evt.res", "SUCCESS"),
                ("proc.exepath", name),
                ("proc.is_exe_from_memfd", "false"),
            ],
        );
    }
    assert!(seen.of_type("execve").is_empty());
}

#[test]
fn a_program_that_is_memory() {
    // SAFETY: the name ends with NUL; the descriptor is new.
    let memory = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"payload".as_ptr(), 0)) };
    let number = memory.as_raw_fd();
    let mut file = File::from(memory.try_clone().expect("it can be doubled"));
    let content = std::fs::read("/bin/true").expect("it can be read");
    file.write_all(&content).expect("it is written");
    drop(file);
    let own = std::process::id();
    let watch = Watch::start(
        &format!(
            "evt.type in (execve, execveat) and proc.is_exe_from_memfd = true and proc.ppid = {own}"
        ),
        FIELDS,
    );
    // The program of a file that can still be written to is refused: a descriptor for reading.
    let path = format!("/proc/self/fd/{number}");
    let readable = File::open(&path).expect("it opens");
    drop(memory);
    let number = readable.as_raw_fd();
    let path = format!("/proc/self/fd/{number}");
    run(Way::Empty, number, "", "by-descriptor");
    run(Way::Path, number, &path, "by-path");
    let mut seen = watch.seen();
    for argument in ["by-descriptor", "by-path"] {
        seen.take(
            "execve",
            &[
                ("proc.args", argument),
                ("evt.res", "SUCCESS"),
                ("proc.exepath", "memfd:payload"),
                ("proc.is_exe_from_memfd", "true"),
            ],
        );
    }
}

/// A child that is traced and stopped; killed at the end.
struct Traced(Child);

impl Traced {
    fn start() -> Self {
        let mut command = Command::new("/bin/true");
        // SAFETY: between fork and exec there is one system call, with numbers; the exec then stops the child.
        unsafe {
            command.pre_exec(|| {
                system_call!(SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("it starts");
        let traced = Self(child);
        let mut status = 0;
        // SAFETY: the child is ours; `status` is written to.
        let waited = unsafe { libc::waitpid(traced.pid(), &raw mut status, libc::__WALL) };
        assert_eq!(waited, traced.pid());
        assert!(libc::WIFSTOPPED(status));
        traced
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a pid is small")
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }
}

#[test]
fn words_that_are_poked_into_a_process() {
    let own = std::process::id();
    // What a rule about injected code says.
    let watch = Watch::start(
        &format!(
            "evt.type = ptrace and proc.pid = {own} and evt.arg.request in (PTRACE_POKETEXT, PTRACE_POKEDATA)"
        ),
        FIELDS,
    );
    let traced = Traced::start();
    let pid = traced.pid();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it is stopped");
    let start = maps
        .split('-')
        .next()
        .expect("a mapping starts with its address");
    let address = usize::from_str_radix(start, 16).expect("a number");
    for request in [libc::PTRACE_POKETEXT, libc::PTRACE_POKEDATA] {
        // SAFETY: the child is stopped and ours; the kernel checks the address.
        let outcomes = unsafe {
            [
                system_call!(SYS_ptrace, request, pid, address, 0x1122_3344_usize),
                system_call!(SYS_ptrace, request, pid, 8_usize, 0x55_usize),
            ]
        };
        assert_eq!(outcomes, [0, -i64::from(libc::EIO)]);
    }
    let mut seen = watch.seen();
    let place = format!("{address:x}");
    for request in ["PTRACE_POKETEXT", "PTRACE_POKEDATA"] {
        let of = [
            ("evt.arg.request", request),
            ("evt.rawarg.pid", &pid.to_string()),
        ];
        let done = [
            ("evt.res", "SUCCESS"),
            ("evt.arg.addr", &*place),
            ("evt.arg.data", "11223344"),
        ];
        seen.take("ptrace", &[&of[..], &done[..]].concat());
        let failed = [("evt.res", "EIO"), ("evt.arg.addr", "8")];
        seen.take("ptrace", &[&of[..], &failed[..]].concat());
    }
}
