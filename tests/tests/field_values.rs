//! As many fields as a real event has, each compared with what procfs, the C library or the standard
//! library says of the same thing.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE};
use serde_json::{Value, json};

/// What fields are expected to be, by name.
#[derive(Default)]
struct Expected(BTreeMap<String, Value>);

impl Expected {
    fn is(&mut self, field: &str, value: impl Into<Value>) {
        let before = self.0.insert(field.to_owned(), value.into());
        assert!(before.is_none(), "{field} twice");
    }

    /// An agent whose rule prints all of these, for the events of this process and of what it starts that
    /// fit a condition.
    fn agent(fields: &[&str], condition: &str) -> Agent {
        let fields: Vec<String> = fields.iter().map(|field| format!("%{field}")).collect();
        let output = fields.join(" ");
        let own = std::process::id();
        AgentBuilder::rules(&format!(
            "{MARKER_RULE}- rule: Values\n  desc: Prints fields.\n  condition: ({condition}) and (proc.pid = {own} or proc.ppid = {own})\n  \
             output: values {output}\n  priority: INFO\n"
        ))
        .start()
    }

    fn compare(self, fields: &[&str], alert: &Alert) {
        let mut wrong = Vec::new();
        for field in fields {
            let expected = self.0.get(*field);
            let expected = expected.unwrap_or_else(|| panic!("nothing is expected of {field}"));
            let found = alert.field(field);
            if found != expected {
                wrong.push(format!("{field} is {found}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(
            self.0.len(),
            fields.len(),
            "something expected was not asked for"
        );
    }
}

fn values(alert: &Alert) -> bool {
    alert.rule() == "Values"
}

/// What procfs says of a process.
struct Process {
    comm: String,
    argv: Vec<String>,
    /// The fields of `stat` from the third on, which follow the name.
    stat: Vec<u64>,
    status: BTreeMap<String, String>,
    exe: String,
}

impl Process {
    fn of(pid: u64) -> Self {
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{name}")).expect("the process is there")
        };
        let stat = read("stat");
        let (_, rest) = stat.rsplit_once(") ").expect("the name is in parentheses");
        let exe = std::fs::read_link(format!("/proc/{pid}/exe"));
        Self {
            comm: read("comm").trim_end().to_owned(),
            argv: read("cmdline")
                .split_terminator('\0')
                .map(str::to_owned)
                .collect(),
            stat: rest
                .split(' ')
                .map(|word| word.trim().parse().unwrap_or(0))
                .collect(),
            status: read("status")
                .lines()
                .filter_map(|line| line.split_once(":\t"))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            exe: exe
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
        }
    }

    /// By the number that `proc_pid_stat(5)` gives the field.
    fn stat(&self, number: usize) -> u64 {
        self.stat[number - 3]
    }

    /// The last number of a line: in the process's own pid namespace, for ids.
    fn innermost(&self, line: &str) -> u64 {
        let last = self.status[line].split('\t').next_back();
        last.and_then(|word| word.parse().ok())
            .expect("it is a number")
    }

    /// The second number of a line: the effective id.
    fn effective(&self, line: &str) -> u32 {
        let second = self.status[line].split('\t').nth(1);
        second
            .and_then(|word| word.parse().ok())
            .expect("it is a number")
    }

    fn parent(&self) -> u64 {
        self.stat(4)
    }

    /// The name and the arguments.
    fn command_line(&self) -> String {
        let mut words = vec![self.comm.clone()];
        words.extend(self.argv.iter().skip(1).cloned());
        words.join(" ")
    }

    fn capabilities(&self, line: &str) -> u32 {
        u64::from_str_radix(&self.status[line], 16)
            .expect("it is a set")
            .count_ones()
    }
}

fn c_text(text: *const libc::c_char) -> String {
    // SAFETY: the C library's entries have strings, and nothing else asks it meanwhile.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

const OF_EXEC: [&str; 67] = [
    "evt.type",
    "syscall.type",
    "evt.category",
    "evt.source",
    "evt.dir",
    "evt.res",
    "evt.rawres",
    "evt.failed",
    "evt.is_async",
    "evt.count",
    "evt.count.error",
    "evt.hostname",
    "evt.type.is.execve",
    "evt.arg.exe",
    "evt.arg.args",
    "evt.arg.filename",
    "evt.arg.comm",
    "proc.name",
    "proc.exe",
    "proc.exepath",
    "proc.args",
    "proc.args[1]",
    "proc.cmdline",
    "proc.exeline",
    "proc.cmdnargs",
    "proc.cmdlenargs",
    "proc.cwd",
    "proc.env",
    "proc.env[SECOND]",
    "proc.tty",
    "proc.pid",
    "proc.ppid",
    "proc.vpid",
    "proc.pvpid",
    "proc.sid",
    "proc.pgid",
    "proc.vpgid",
    "proc.is_sid_leader",
    "proc.is_pgid_leader",
    "proc.is_vpgid_leader",
    "proc.pname",
    "proc.pexe",
    "proc.pexepath",
    "proc.pcmdline",
    "proc.aname[1]",
    "proc.aname[2]",
    "proc.aexepath[1]",
    "proc.apid[1]",
    "proc.apid[2]",
    "proc.is_exe_from_memfd",
    "proc.exe_ino",
    "thread.tid",
    "thread.vtid",
    "thread.ismain",
    "thread.nametid",
    "thread.cap_inheritable",
    "user.uid",
    "user.name",
    "user.homedir",
    "user.shell",
    "user.loginuid",
    "group.gid",
    "group.name",
    "fd.name",
    "proc.interpreter",
    "container.id",
    "evt.abspath",
];

#[test]
fn an_exec_is_what_procfs_says() {
    let agent = Expected::agent(&OF_EXEC, "evt.type = execve and proc.args endswith wanted");
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it is there");
    let mut child = Command::new("/bin/sh")
        .args(["-c", "read line", "zero", "wanted"])
        .current_dir(&folder)
        .env_clear()
        .env("FIRST", "one")
        .env("SECOND", " two ")
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let alert = agent.wait_for("the exec", values);
    let found = Process::of(child.id().into());
    let parent = Process::of(found.parent());
    let above = Process::of(parent.parent());
    assert_eq!(found.parent(), u64::from(std::process::id()));
    let (pid, tid) = (u64::from(child.id()), u64::from(child.id()));
    let (uid, gid) = (found.effective("Uid"), found.effective("Gid"));
    let mut expected = Expected::default();
    for (field, value) in [
        ("evt.type", "execve"),
        ("syscall.type", "execve"),
        ("evt.category", "process"),
        ("evt.source", "syscall"),
        ("evt.dir", "<"),
        ("evt.res", "SUCCESS"),
        ("evt.arg.exe", "/bin/sh"),
        ("evt.arg.args", "-c read line zero wanted"),
        ("evt.arg.filename", "/bin/sh"),
        ("proc.args", "-c read line zero wanted"),
        ("proc.args[1]", "read line"),
        ("proc.exeline", "/bin/sh -c read line zero wanted"),
        ("proc.env", "FIRST=one SECOND= two "),
        ("proc.env[SECOND]", "two"),
    ] {
        expected.is(field, value);
    }
    expected.is("evt.rawres", 0);
    expected.is("evt.failed", false);
    expected.is("evt.is_async", false);
    expected.is("evt.count", 1);
    expected.is("evt.count.error", 0);
    expected.is("evt.type.is.execve", 1);
    let name = rustix::system::uname();
    expected.is(
        "evt.hostname",
        name.nodename().to_str().expect("it is text"),
    );
    expected.is("evt.arg.comm", found.comm.as_str());
    expected.is("proc.name", found.comm.as_str());
    expected.is("proc.exe", found.argv[0].as_str());
    expected.is("proc.exepath", found.exe.as_str());
    expected.is("proc.cmdline", found.command_line());
    expected.is("proc.cmdnargs", found.argv.len() - 1);
    let lengths = found.argv.iter().skip(1).map(String::len);
    expected.is("proc.cmdlenargs", lengths.sum::<usize>());
    expected.is("proc.cwd", format!("{}/", folder.display()));
    expected.is("proc.tty", found.stat(7));
    expected.is("proc.pid", pid);
    expected.is("proc.ppid", found.parent());
    expected.is("proc.vpid", found.innermost("NSpid"));
    expected.is("proc.pvpid", parent.innermost("NSpid"));
    expected.is("proc.sid", found.innermost("NSsid"));
    expected.is("proc.pgid", found.stat(5));
    expected.is("proc.vpgid", found.innermost("NSpgid"));
    expected.is("proc.is_sid_leader", found.stat(6) == pid);
    expected.is("proc.is_pgid_leader", found.stat(5) == pid);
    expected.is("proc.is_vpgid_leader", found.stat(5) == pid);
    expected.is("proc.pname", parent.comm.as_str());
    expected.is("proc.pexe", parent.argv[0].as_str());
    expected.is("proc.pexepath", parent.exe.as_str());
    expected.is("proc.pcmdline", parent.command_line());
    expected.is("proc.aname[1]", parent.comm.as_str());
    expected.is("proc.aname[2]", above.comm.as_str());
    expected.is("proc.aexepath[1]", parent.exe.as_str());
    expected.is("proc.apid[1]", found.parent());
    expected.is("proc.apid[2]", parent.parent());
    expected.is("proc.is_exe_from_memfd", false);
    let file = std::fs::metadata(&found.exe).expect("the shell is there");
    expected.is("proc.exe_ino", file.ino());
    expected.is("thread.tid", tid);
    expected.is("thread.vtid", found.innermost("NSpid"));
    expected.is("thread.ismain", true);
    expected.is("thread.nametid", format!("{}:{tid}", found.comm));
    expected.is("thread.cap_inheritable", {
        let names = alert.text("thread.cap_inheritable").to_owned();
        let count = names.split_whitespace().count();
        assert_eq!(count, found.capabilities("CapInh") as usize, "{names}");
        names
    });
    expected.is("user.uid", uid);
    // SAFETY: nothing else asks the C library for users meanwhile; the entry is copied from.
    unsafe {
        let user = libc::getpwuid(uid);
        assert!(!user.is_null(), "user {uid} has an entry");
        expected.is("user.name", c_text((*user).pw_name));
        expected.is("user.homedir", c_text((*user).pw_dir));
        expected.is("user.shell", c_text((*user).pw_shell));
        let group = libc::getgrgid(gid);
        assert!(!group.is_null(), "group {gid} has an entry");
        expected.is("group.name", c_text((*group).gr_name));
    }
    let loginuid = std::fs::read_to_string("/proc/self/loginuid").expect("it is there");
    let loginuid: u32 = loginuid.trim().parse().expect("it is a number");
    expected.is("user.loginuid", loginuid.cast_signed());
    expected.is("group.gid", gid);
    expected.is("fd.name", Value::Null);
    expected.is("evt.abspath", Value::Null);
    expected.is("proc.interpreter", Value::Null);
    expected.is("container.id", "host");
    expected.compare(&OF_EXEC, &alert);
    drop(child.stdin.take());
    child.wait().expect("it ends");
}

const OF_OPEN: [&str; 30] = [
    "evt.type",
    "evt.res",
    "evt.rawres",
    "evt.category",
    "evt.is_open_read",
    "evt.is_open_write",
    "evt.is_open_exec",
    "evt.is_open_create",
    "evt.is_io",
    "evt.abspath",
    "evt.arg.name",
    "evt.rawarg.name",
    "evt.arg.ino",
    "fd.num",
    "fd.type",
    "fd.typechar",
    "fd.name",
    "fd.nameraw",
    "fd.directory",
    "fd.filename",
    "fd.resolved_name",
    "fd.dev.major",
    "fd.dev.minor",
    "fd.ino",
    "fd.uid",
    "fd.containername",
    "fd.is_upper_layer",
    "fs.path.name",
    "fs.path.nameraw",
    "fs.path.source",
];

#[test]
fn an_open_is_what_the_file_says() {
    let agent = Expected::agent(&OF_OPEN, "evt.type = openat and fd.filename = wanted-link");
    let folder = tempfile::tempdir().expect("a temp dir");
    let folder = folder.path().canonicalize().expect("it is there");
    let target = folder.join("target");
    std::fs::write(&target, "content").expect("it is written");
    let link = folder.join("wanted-link");
    std::os::unix::fs::symlink("target", &link).expect("it is made");
    let passed = format!("{}//./wanted-link", folder.display());
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&passed)
        .expect("it is there");
    let alert = agent.wait_for("the open", values);
    let status = file.metadata().expect("it is open");
    // SAFETY: the call has no conditions.
    let tid = unsafe { libc::gettid() };
    let name = link.display().to_string();
    let mut expected = Expected::default();
    for (field, value) in [
        ("evt.type", "openat"),
        ("evt.res", "SUCCESS"),
        ("evt.category", "file"),
        ("evt.abspath", &name),
        ("evt.arg.name", &name),
        ("evt.rawarg.name", &passed),
        ("fd.type", "file"),
        ("fd.typechar", "f"),
        ("fd.name", &name),
        ("fd.filename", "wanted-link"),
        ("fs.path.name", &name),
        ("fs.path.nameraw", &passed),
    ] {
        expected.is(field, value);
    }
    expected.is("evt.rawres", file.as_raw_fd());
    expected.is("evt.is_open_read", true);
    expected.is("evt.is_open_write", true);
    expected.is("evt.is_open_exec", false);
    expected.is("evt.is_open_create", false);
    expected.is("evt.is_io", false);
    expected.is("evt.arg.ino", status.ino().to_string());
    expected.is("fd.num", file.as_raw_fd());
    expected.is("fd.nameraw", passed.replace("//", "/"));
    expected.is("fd.directory", folder.display().to_string());
    expected.is("fd.resolved_name", target.display().to_string());
    expected.is("fd.dev.major", libc::major(status.dev()));
    expected.is("fd.dev.minor", libc::minor(status.dev()));
    expected.is("fd.ino", status.ino());
    expected.is("fd.uid", format!("{tid}{}", file.as_raw_fd()));
    expected.is("fd.containername", format!("host:{name}"));
    expected.is("fd.is_upper_layer", false);
    expected.is("fs.path.source", Value::Null);
    expected.compare(&OF_OPEN, &alert);
}

const OF_CONNECT: [&str; 20] = [
    "evt.type",
    "evt.res",
    "evt.category",
    "fd.num",
    "fd.type",
    "fd.typechar",
    "fd.name",
    "fd.cip",
    "fd.sip",
    "fd.lip",
    "fd.rip",
    "fd.cport",
    "fd.sport",
    "fd.lport",
    "fd.rport",
    "fd.l4proto",
    "fd.sockfamily",
    "fd.is_server",
    "fd.connected",
    "fd.resolved_name",
];

#[test]
fn both_ends_of_a_connection_are_what_the_sockets_say() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let server = listener.local_addr().expect("it is bound");
    let condition = format!(
        "evt.type in (connect, accept4) and fd.sport = {}",
        server.port()
    );
    let agent = Expected::agent(&OF_CONNECT, &condition);
    let mut stream = TcpStream::connect(server).expect("it is listening");
    let (accepted, client) = listener.accept().expect("it is connected");
    stream.write_all(b"x").expect("it is connected");
    for (event, number, is_server) in [
        ("connect", stream.as_raw_fd(), false),
        ("accept4", accepted.as_raw_fd(), true),
    ] {
        let alert = agent.wait_for(event, |alert| {
            values(alert) && alert.text("evt.type") == event
        });
        let (local, remote) = if is_server {
            (server, client)
        } else {
            (client, server)
        };
        let mut expected = Expected::default();
        expected.is("evt.type", event);
        expected.is("evt.res", "SUCCESS");
        expected.is("evt.category", "net");
        expected.is("fd.num", number);
        expected.is("fd.type", "ipv4");
        expected.is("fd.typechar", "4");
        expected.is("fd.name", format!("{client}->{server}"));
        expected.is("fd.cip", client.ip().to_string());
        expected.is("fd.sip", server.ip().to_string());
        expected.is("fd.lip", local.ip().to_string());
        expected.is("fd.rip", remote.ip().to_string());
        expected.is("fd.cport", client.port());
        expected.is("fd.sport", server.port());
        expected.is("fd.lport", local.port());
        expected.is("fd.rport", remote.port());
        expected.is("fd.l4proto", "tcp");
        expected.is("fd.sockfamily", "ip");
        expected.is("fd.is_server", is_server);
        expected.is("fd.connected", true);
        expected.is("fd.resolved_name", json!(null));
        expected.compare(&OF_CONNECT, &alert);
    }
}

const OF_TIME: [&str; 11] = [
    "evt.num",
    "evt.cpu",
    "evt.rawtime",
    "evt.rawtime.s",
    "evt.rawtime.ns",
    "evt.reltime",
    "evt.reltime.s",
    "evt.deltatime",
    "proc.duration",
    "proc.pid.ts",
    "proc.ppid.ts",
];

#[test]
fn times_agree_with_each_other() {
    let agent = Expected::agent(&OF_TIME, "evt.type = execve and proc.args contains wanted");
    for round in ["wanted-1", "wanted-2"] {
        let status = Command::new("/bin/true").arg(round).status();
        assert!(status.expect("it runs").success());
    }
    agent.settle();
    let alerts = agent.alerts_where(values);
    assert_eq!(alerts.len(), 2);
    let number = |alert: &Alert, field: &str| match alert.field(field) {
        Value::String(text) => text.parse().expect("it is a number"),
        other => other.as_u64().unwrap_or_else(|| panic!("{field}: {other}")),
    };
    let second = 1_000_000_000;
    for alert in &alerts {
        let time = number(alert, "evt.rawtime");
        assert_eq!(number(alert, "evt.rawtime.s"), time / second);
        assert_eq!(number(alert, "evt.rawtime.ns"), time % second);
        assert_eq!(
            number(alert, "evt.reltime.s"),
            number(alert, "evt.reltime") / second
        );
        let started = number(alert, "proc.pid.ts");
        assert!(number(alert, "proc.ppid.ts") <= started && started <= time);
        // Both are taken from one clock, but for its adjustment between the two readings.
        assert!(number(alert, "proc.duration").abs_diff(time - started) < second);
        let cpus = std::thread::available_parallelism()
            .expect("there is one")
            .get();
        assert!(number(alert, "evt.cpu") < cpus as u64);
    }
    let [one, two] = &alerts[..] else {
        unreachable!()
    };
    let difference = |field| number(two, field) - number(one, field);
    assert!(difference("evt.num") > 0);
    assert!(difference("evt.rawtime").abs_diff(difference("evt.reltime")) < second);
    assert!(number(two, "evt.deltatime") <= difference("evt.reltime"));
}
