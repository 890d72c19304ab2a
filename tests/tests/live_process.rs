//! The fields of a process that only `/proc` tells.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use peregrine_tests::Watch;

#[test]
fn memory_limits_and_descriptors_of_a_living_process() {
    let scratch = tempfile::tempdir().expect("a directory");
    let made = scratch.path().join("made");
    let shown = made.to_str().expect("UTF-8");
    let watch = Watch::start(
        &format!(
            "evt.type = mkdir and evt.arg.path = {shown} and proc.fdusage > 0 and proc.vmsize > 1000"
        ),
        &[
            "proc.vmsize",
            "proc.vmrss",
            "proc.vmswap",
            "proc.nthreads",
            "proc.nchilds",
            "proc.fdlimit",
            "proc.fdopencount",
            "proc.stdin.name",
            "thread.vmsize",
            "thread.cgroups",
            "thread.cgroup.memory",
        ],
    );
    fs::create_dir(&made).expect("made");
    let stdin = fs::read_link("/proc/self/fd/0").expect("open");
    let cgroups = fs::read_to_string("/proc/self/cgroup").expect("read");
    let mut seen = watch.seen();
    let alert = seen.take(
        "mkdir",
        &[
            ("proc.stdin.name", stdin.to_str().expect("UTF-8")),
            // Tests run on a thread beside the main one, which has no memory of its own.
            ("thread.vmsize", "0"),
        ],
    );
    let number = |field: &str| alert.field(field).as_u64().expect("a number");
    assert!(number("proc.vmsize") >= number("proc.vmrss"));
    assert!(number("proc.vmrss") > 0);
    assert_eq!(number("proc.nthreads"), number("proc.nchilds") + 1);
    assert!(number("proc.fdopencount") > 2 && number("proc.fdlimit") > number("proc.fdopencount"));
    let memory = alert.text("thread.cgroup.memory");
    assert!(cgroups.contains(memory), "{memory}");
    assert!(
        alert
            .text("thread.cgroups")
            .contains(&format!("memory={memory}"))
    );
}

/// What `/proc` says of a program's only thread.
struct Proc(PathBuf);

impl Proc {
    fn of(child: &Child) -> Self {
        Self(Path::new("/proc").join(child.id().to_string()))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("it runs")
    }

    /// A number of its status.
    fn status(&self, name: &str) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
        let number = number.and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {status}"))
    }

    /// A field of its stat, counted from the one after the name, which is the third.
    fn stat(&self, field: usize) -> u64 {
        let stat = self.read("stat");
        let (_, rest) = stat.rsplit_once(") ").expect("a name");
        let field = rest.split(' ').nth(field - 3).expect("a field");
        field.parse().expect("a number")
    }

    /// What is in memory, in kB, and the page faults from a disk and others.
    fn changing(&self) -> [u64; 3] {
        [self.status("VmRSS"), self.stat(12), self.stat(10)]
    }

    /// Waits until it waits for input.
    fn wait(&self) {
        while !self.read("syscall").starts_with("0 0x0 ") {
            std::thread::yield_now();
        }
    }

    fn link(&self, descriptor: u32) -> String {
        let link = fs::read_link(self.0.join(format!("fd/{descriptor}"))).expect("it is open");
        link.to_str().expect("UTF-8").to_owned()
    }
}

#[test]
fn a_program_that_waits_is_as_proc_has_it() {
    let scratch = tempfile::tempdir().expect("a directory");
    let shown = scratch.path().to_str().expect("UTF-8");
    let watch = Watch::start(
        &format!("evt.type = chdir and evt.arg.path = {shown}"),
        &[
            "proc.vmsize",
            "proc.vmrss",
            "proc.vmswap",
            "proc.nthreads",
            "proc.nchilds",
            "proc.fdlimit",
            "proc.fdopencount",
            "proc.fdusage",
            "proc.stdin.type",
            "proc.stdin.name",
            "proc.stdout.type",
            "proc.stdout.name",
            "proc.stderr.type",
            "proc.stderr.name",
            "thread.vmsize",
            "thread.vmsize.b",
            "thread.vmrss",
            "thread.vmrss.b",
            "thread.pfmajor",
            "thread.pfminor",
            "fd.types",
            "fd.types[1]",
        ],
    );
    let (socket, _other) = UnixStream::pair().expect("a pair");
    // A directory, an unnamed event, and a pipe, a file and a socket.
    let mut child = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 40; exec 5<.; read a; cd \"$0\"; read b",
            shown,
        ])
        .stdin(Stdio::piped())
        .stdout(File::options().write(true).open("/dev/null").expect("open"))
        .stderr(OwnedFd::from(socket))
        .spawn()
        .expect("it starts");
    let proc = Proc::of(&child);
    let mut input = child.stdin.take().expect("a pipe");
    proc.wait();
    let before = proc.changing();
    input.write_all(b"\n").expect("it reads");
    let mut seen = watch.seen();
    proc.wait();
    let after = proc.changing();
    let size = proc.status("VmSize");
    let open = fs::read_dir(proc.0.join("fd")).expect("it runs").count();
    let alert = seen.take(
        "chdir",
        &[
            ("proc.vmsize", &size.to_string()),
            ("thread.vmsize", &size.to_string()),
            ("thread.vmsize.b", &(size * 1024).to_string()),
            ("proc.vmswap", &proc.status("VmSwap").to_string()),
            ("proc.nthreads", "1"),
            ("proc.nchilds", "0"),
            ("proc.fdlimit", "40"),
            ("proc.fdopencount", &open.to_string()),
            ("proc.stdin.type", "pipe"),
            ("proc.stdin.name", &proc.link(0)),
            ("proc.stdout.type", "file"),
            ("proc.stdout.name", "/dev/null"),
            ("proc.stderr.type", "unix"),
            ("proc.stderr.name", "-"),
            ("fd.types", "[\"directory\",\"file\",\"pipe\",\"unix\"]"),
            ("fd.types[1]", "[\"file\"]"),
        ],
    );
    let usage = alert.field("proc.fdusage").as_f64().expect("a number");
    let open = u32::try_from(open).expect("few");
    assert!((usage - f64::from(open) * 2.5).abs() < 0.01, "{usage}");
    let number = |field: &str| alert.field(field).as_u64().expect("a number");
    // What the program did in between was to go on from one wait to the next.
    for (field, (least, most)) in ["proc.vmrss", "thread.pfmajor", "thread.pfminor"]
        .into_iter()
        .zip(before.into_iter().zip(after))
    {
        let found = number(field);
        assert!(
            (least..=most).contains(&found),
            "{field}: {least} {found} {most}"
        );
    }
    let resident = (before[0]..=after[0], number("thread.vmrss"));
    assert!(resident.0.contains(&resident.1), "{resident:?}");
    assert_eq!(number("thread.vmrss.b") % 4096, 0);
    assert!(resident.0.contains(&(number("thread.vmrss.b") / 1024)));
    drop(input);
    child.wait().expect("it ends");
}
