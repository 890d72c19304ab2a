use std::collections::HashMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::{CgroupCreated, CgroupId, Comm, EventType, Exit, Gid, Open, Text, Tid, Uid};

const ID: &str = "3f1c0a5be2d94c7786a1b0c9d8e7f60514233241506f7e8d9cabbac9d8e7f601";
const MS: u64 = 1_000_000;

/// A made-up `/proc`.
struct Proc(tempfile::TempDir);

impl Proc {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn table(&self) -> ProcessTable {
        ProcessTable::new(1000, self.0.path().to_owned())
    }

    /// `exe` is the path of the executable, and argv[0].
    fn put(&self, key: ProcessKey, ppid: u32, comm: &str, exe: &str) {
        let directory = self.0.path().join(key.pid.to_string());
        fs::create_dir_all(&directory).unwrap();
        let ticks = key.start().0 / (10 * MS);
        let stat = format!(
            "{} ({comm}) S {ppid} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0 0\n",
            key.pid
        );
        fs::write(directory.join("stat"), stat).unwrap();
        fs::write(directory.join("status"), "Uid:\t0\t0\t0\t0\n").unwrap();
        fs::write(directory.join("cmdline"), format!("{exe}\0-v\0")).unwrap();
        fs::write(directory.join("environ"), "HOME=/root\0").unwrap();
        fs::write(directory.join("cgroup"), "0::/\n").unwrap();
        let link = directory.join("exe");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(exe, link).unwrap();
    }

    fn remove(&self, pid: u32) {
        fs::remove_dir_all(self.0.path().join(pid.to_string())).unwrap();
    }
}

fn key(pid: u32, start_ms: u64) -> ProcessKey {
    ProcessKey::new(Pid(pid), BootTime(start_ms * MS))
}

fn origin(process: ProcessKey, parent: ProcessKey, comm: &str, ms: u64) -> Origin {
    Origin {
        time: BootTime(ms * MS),
        process,
        tid: Tid(process.pid.0),
        parent,
        vpid: process.pid,
        vtid: Tid(process.pid.0),
        pgid: process.pid,
        sid: Pid(1),
        vpgid: process.pid,
        vsid: Pid(1),
        uid: Uid(1000),
        gid: Gid(1000),
        loginuid: Uid::UNSET,
        tty: 0,
        cgroup: CgroupId(1),
        exec_id: 1,
        comm: Comm::from_bytes(comm.as_bytes()),
        cpu: 0,
        via: event::Via::default(),
        result: None,
    }
}

fn event(origin: Origin, payload: Payload<'_>) -> Event<'_> {
    Event {
        event_type: EventType::STATE,
        origin,
        payload,
    }
}

fn exec(table: &mut ProcessTable, origin: Origin, args: &str) {
    let name = origin.comm.as_bytes();
    let path = KernelPath::components_of(&[str::from_utf8(name).unwrap(), "bin"]);
    let exec = Exec {
        exe_path: Some(KernelPath {
            components: &path,
            ..KernelPath::default()
        }),
        args: event::Strings {
            bytes: args.as_bytes(),
            truncated: false,
        },
        env: event::Strings {
            bytes: b"PATH=/bin\0",
            truncated: false,
        },
        ..Exec::default()
    };
    table.apply(&event(origin, Payload::Exec(exec)));
}

fn fork(table: &mut ProcessTable, origin: Origin, child: ProcessKey) {
    let fork = Fork {
        child,
        child_vpid: child.pid,
        child_parent: origin.process,
        child_cgroup: origin.cgroup,
    };
    table.apply(&event(origin, Payload::Fork(fork)));
}

fn exit(table: &mut ProcessTable, origin: Origin) {
    table.apply(&event(origin, Payload::Exit(Exit { status: 0 })));
}

fn exe_path(process: &Process) -> Option<&str> {
    let path = process.program.exe_path.as_deref()?;
    Some(std::str::from_utf8(path).unwrap())
}

fn names(subject: Subject<'_>) -> Vec<String> {
    subject
        .ancestors()
        .map(|ancestor| String::from_utf8(ancestor.comm.as_bytes().to_vec()).unwrap())
        .collect()
}

/// init, and the shell that most of these tests begin with.
fn init_and_shell(table: &mut ProcessTable) -> (ProcessKey, ProcessKey) {
    let (init, shell) = (key(1, 0), key(100, 1000));
    exec(
        table,
        origin(init, ProcessKey::default(), "init", 10),
        "init\0",
    );
    fork(
        table,
        origin(init, ProcessKey::default(), "init", 1000),
        shell,
    );
    exec(table, origin(shell, init, "bash", 1100), "-bash\0-i\0");
    (init, shell)
}

#[test]
fn a_child_runs_its_parents_program_until_it_starts_one() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let child = key(101, 2000);
    fork(&mut table, origin(shell, init, "bash", 2000), child);

    let subject = table.process_of(&origin(child, shell, "bash", 2001));
    assert_eq!(subject.process.source, Source::Fork);
    assert_eq!(exe_path(subject.process), Some("/bin/bash"));
    assert_eq!(subject.process.exe(), Some(&b"-bash"[..]));
    assert_eq!(names(subject), ["bash", "init"]);
    assert!(Arc::ptr_eq(
        &subject.process.program,
        &subject.table.get(shell).unwrap().program
    ));

    // An exec chain: env, then the program.
    exec(&mut table, origin(child, shell, "env", 2100), "env\0ls\0");
    exec(
        &mut table,
        origin(child, shell, "ls", 2200),
        "ls\0-l\0a b\0",
    );
    let subject = table.process_of(&origin(child, shell, "ls", 2300));
    let args: Vec<&[u8]> = subject.process.args().unwrap().collect();
    assert_eq!(args, [&b"-l"[..], b"a b"]);
    assert_eq!(exe_path(subject.process), Some("/bin/ls"));
    assert_eq!(subject.process.source, Source::Exec);
    assert_eq!(names(subject), ["bash", "init"]);
    assert_eq!(table.stats().proc_reads, 0);
    table.assert_consistent();
}

#[test]
fn an_exec_of_another_thread_is_the_same_process() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let mut by_thread = origin(shell, init, "worker", 1500);
    by_thread.tid = Tid(140);
    // The name of a thread is not a sign of a lost exec.
    let process = table.process_of(&by_thread).process;
    assert_eq!(process.comm.as_bytes(), b"bash");
    let exec = Exec {
        old_tid: Some(Tid(140)),
        ..Exec::default()
    };
    table.apply(&event(origin(shell, init, "vi", 1600), Payload::Exec(exec)));
    let process = table.process_of(&origin(shell, init, "vi", 1700)).process;
    assert_eq!(process.comm.as_bytes(), b"vi");
    assert_eq!(table.len(), 2);
    assert_eq!(table.stats().proc_reads, 0);
}

#[test]
fn an_ended_parent_stays_while_a_child_has_it() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let child = key(101, 2000);
    fork(&mut table, origin(shell, init, "bash", 2000), child);
    exec(&mut table, origin(child, shell, "nc", 2010), "nc\0");
    exit(&mut table, origin(shell, init, "bash", 2100));
    // Long after.
    exec(
        &mut table,
        origin(init, ProcessKey::default(), "init", 60_000),
        "init\0",
    );
    let known = table.get(child).unwrap();
    let above: Vec<_> = table.ancestors(known).map(|p| p.key).collect();
    assert_eq!(above, [shell, init]);
    assert!(table.get(shell).unwrap().exited.is_some());

    // The child's own next event says who its parent is now; nobody needs the shell any more.
    let subject = table.process_of(&origin(child, init, "nc", 60_100));
    assert_eq!(names(subject), ["init"]);
    assert!(table.get(shell).is_none());
    table.assert_consistent();
}

#[test]
fn an_ended_line_of_processes_leaves_together() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let child = key(101, 2000);
    fork(&mut table, origin(shell, init, "bash", 2000), child);
    exit(&mut table, origin(shell, init, "bash", 2100));
    exit(&mut table, origin(child, shell, "bash", 20_000));
    // A late event of the child still finds it.
    assert_eq!(
        names(table.process_of(&origin(child, shell, "bash", 19_999))),
        ["bash", "init"]
    );
    exit(&mut table, origin(key(7, 1), init, "x", 30_000));
    assert!(table.get(child).is_none() && table.get(shell).is_none());
    table.assert_consistent();
}

#[test]
fn a_pid_used_again_is_another_process() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    let again = key(100, 9000);
    // The shell's exit was lost.
    fork(
        &mut table,
        origin(init, ProcessKey::default(), "init", 9000),
        again,
    );
    assert_eq!(table.by_pid(Pid(100)).unwrap().key, again);
    assert!(table.get(shell).unwrap().exited.is_some());
    assert_eq!(table.stats().lost_exits, 1);
    // A late event of the first one is not the second one's.
    let late = table.process_of(&origin(shell, init, "bash", 8000)).process;
    assert_eq!(exe_path(late), Some("/bin/bash"));

    // And /proc of the pid's new owner is not believed about an old one.
    proc.put(key(200, 5000), 1, "sshd", "/usr/sbin/sshd");
    let old = table
        .process_of(&origin(key(200, 400), init, "sh", 9100))
        .process;
    assert_eq!(old.source, Source::Degraded);
    assert_eq!(old.comm.as_bytes(), b"sh");
    assert!(old.program.args.is_none());
    table.assert_consistent();
}

#[test]
fn an_unknown_process_is_read_from_proc_with_its_ancestors() {
    let proc = Proc::new();
    let (init, daemon, worker) = (key(1, 0), key(50, 500), key(60, 600));
    proc.put(init, 0, "init", "/sbin/init");
    proc.put(daemon, 1, "daemon", "/usr/bin/daemon");
    proc.put(worker, 50, "worker", "/usr/bin/worker");
    let mut table = proc.table();
    let subject = table.process_of(&origin(worker, daemon, "worker", 1000));
    assert_eq!(subject.process.source, Source::Proc);
    assert_eq!(exe_path(subject.process), Some("/usr/bin/worker"));
    assert_eq!(subject.process.ids.uid, Uid(1000), "the header's");
    assert_eq!(
        subject.process.program.environment_variable(b"HOME"),
        Some(&b"/root"[..])
    );
    assert_eq!(names(subject), ["daemon", "init"]);
    assert_eq!(table.stats().proc_reads, 3);
    table.process_of(&origin(worker, daemon, "worker", 1001));
    assert_eq!(table.stats().proc_reads, 3);
    table.assert_consistent();
}

#[test]
fn what_proc_does_not_have_is_asked_once() {
    let mut table = Proc::new().table();
    for ms in 1000..1100 {
        let subject = table.process_of(&origin(key(9, 10), key(8, 5), "gone", ms));
        assert_eq!(subject.process.source, Source::Degraded);
        assert_eq!(subject.process.ids.uid, Uid(1000));
    }
    // It and its parent.
    assert_eq!(table.stats().proc_reads, 2);
    assert_eq!(table.stats().misses, 1);
    assert_eq!(table.stats().degraded, 1);
}

/// The same, after so many more programs.
fn after_execs(mut origin: Origin, execs: u64) -> Origin {
    origin.exec_id += execs;
    origin
}

#[test]
fn a_missed_exec_is_found_by_the_next_event() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    proc.put(shell, 1, "python3", "/usr/bin/python3");
    // No exec was missed: its own name and what /proc has by now prove nothing, even after a loss.
    table.note_loss();
    let seen = origin(shell, init, "python3", 1900);
    assert_eq!(exe_path(table.process_of(&seen).process), Some("/bin/bash"));
    let seen = after_execs(origin(shell, init, "python3", 2000), 1);
    let process = table.process_of(&seen).process;
    assert_eq!(exe_path(process), Some("/usr/bin/python3"));
    assert_eq!(process.comm.as_bytes(), b"python3");
    assert_eq!(process.source, Source::Proc);
    assert_eq!(table.stats().repaired, 1);
    // A late event of another thread, from before that exec.
    table.process_of(&origin(shell, init, "bash", 1950));
    assert_eq!(table.stats().proc_reads, 1);

    // It is gone by now, or is another program yet again, whose exec is still to come.
    for (execs, gone) in [(2, false), (3, true)] {
        if gone {
            proc.remove(100);
        }
        let seen = after_execs(origin(shell, init, "ruby", 2200), execs);
        let process = table.process_of(&seen).process;
        assert_eq!(process.source, Source::Degraded);
        assert_eq!(process.comm.as_bytes(), b"ruby");
        assert!(process.program.exe_path.is_none());
    }
}

#[test]
fn a_missed_exec_is_found_by_another_thread_as_well() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    proc.put(shell, 1, "java", "/usr/bin/java");
    for (tid, path) in [(150, None), (151, Some("/usr/bin/java"))] {
        if path.is_some() {
            fs::create_dir_all(proc.0.path().join(format!("100/task/{tid}"))).unwrap();
        }
        let mut seen = after_execs(origin(shell, init, "worker", 2000), u64::from(tid));
        seen.tid = Tid(tid);
        assert_eq!(exe_path(table.process_of(&seen).process), path, "{tid}");
    }
}

#[test]
fn an_unknown_process_that_changed_since_is_not_taken_for_what_it_is_now() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, unknown) = (key(1, 0), key(300, 1000));
    proc.put(unknown, 1, "dpkg", "/usr/bin/dpkg");
    let process = table
        .process_of(&origin(unknown, init, "evil", 2000))
        .process;
    assert_eq!(process.source, Source::Degraded);
    assert!(process.program.exe_path.is_none() && process.exited.is_none());
}

#[test]
fn a_process_that_renames_itself_stays_what_it_is() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    // It forges its arguments too; the file was deleted since.
    proc.put(shell, 1, "sshd", "/bin/bash (deleted)");
    for ms in 0..100 {
        let name = ["sshd", "cron"][usize::from(ms % 2 == 0)];
        let process = table
            .process_of(&origin(shell, init, name, 2000 + ms))
            .process;
        assert_eq!(process.comm.as_bytes(), b"bash");
        assert_eq!(process.exe(), Some(&b"-bash"[..]));
        assert_eq!(process.source, Source::Exec);
    }
    assert_eq!(table.stats().proc_reads, 0, "a name is no reason");
    for n in 0..1000 {
        table.process_of(&origin(shell, init, &format!("n{n}"), 3000 + n));
    }
    assert!(table.stats().proc_reads <= 64);
}

#[test]
fn a_child_does_not_have_the_name_that_its_parent_gave_itself() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let (child, grandchild) = (key(101, 2000), key(102, 2010));
    fork(&mut table, origin(shell, init, "dpkg", 2000), child);
    fork(&mut table, origin(child, shell, "dpkg", 2010), grandchild);
    for (process, parent) in [(child, shell), (grandchild, child)] {
        let found = table.process_of(&origin(process, parent, "dpkg", 2020));
        assert_eq!(found.process.comm.as_bytes(), b"bash");
    }
    // Where an event of the child comes first, too.
    let early = key(103, 2030);
    table.process_of(&origin(early, shell, "dpkg", 2031));
    fork(&mut table, origin(shell, init, "dpkg", 2030), early);
    let found = table.get(early).unwrap();
    assert_eq!(found.comm.as_bytes(), b"bash");
    assert_eq!(exe_path(found), Some("/bin/bash"));
}

#[test]
fn a_loss_changes_nothing_of_those_who_missed_no_exec() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    // Its arguments cannot be read, or are forged: no reason to forget what its exec told.
    proc.put(shell, 1, "bash", "/bin/bash");
    for ms in 2000..2010 {
        table.note_loss();
        let process = table.process_of(&origin(shell, init, "bash", ms)).process;
        let args: Vec<&[u8]> = process.args().unwrap().collect();
        assert_eq!(args, [&b"-i"[..]]);
    }
    assert_eq!(table.stats().proc_reads, 0);
}

#[test]
fn after_a_loss_what_only_proc_told_is_compared_once() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = (key(1, 0), key(100, 1000));
    proc.put(init, 0, "init", "/sbin/init");
    proc.put(shell, 1, "bash", "/bin/bash");
    table.scan();
    proc.put(shell, 1, "nc", "/bin/nc");
    table.note_loss();
    for ms in 2000..2010 {
        let process = table.process_of(&origin(shell, init, "nc", ms)).process;
        assert_eq!(exe_path(process), Some("/bin/nc"));
    }
    assert_eq!(table.stats().proc_reads, 1);
}

#[test]
fn a_fork_after_an_event_of_the_child_completes_it() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let child = key(101, 2000);
    table.process_of(&origin(child, shell, "bash", 2001));
    fork(&mut table, origin(shell, init, "bash", 2000), child);
    assert_eq!(exe_path(table.get(child).unwrap()), Some("/bin/bash"));
    table.assert_consistent();
}

#[test]
fn the_scan_knows_all_and_keeps_what_events_told() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    proc.put(init, 0, "init", "/sbin/init");
    proc.put(shell, 1, "bash", "/forged");
    proc.put(key(300, 70), 100, "a) S 9 (b", "/usr/bin/odd");
    fs::create_dir(proc.0.path().join("301")).unwrap();
    fs::create_dir(proc.0.path().join("sys")).unwrap();
    assert_eq!(table.scan(), 1);
    assert_eq!(exe_path(table.get(shell).unwrap()), Some("/bin/bash"));
    let odd = table.by_pid(Pid(300)).unwrap();
    assert_eq!(odd.comm.as_bytes(), b"a) S 9 (b");
    assert_eq!(odd.parent, shell);
    table.assert_consistent();
}

#[test]
fn the_real_proc_is_scanned_fast() {
    let mut table = ProcessTable::new(ProcessTable::DEFAULT_LIMIT, "/proc".into());
    let start = std::time::Instant::now();
    let found = table.scan();
    let took = start.elapsed();
    let own = table.by_pid(Pid(std::process::id())).unwrap();
    assert!(own.program.exe_path.is_some());
    assert!(table.ancestors(own).count() > 0);
    // 300 processes in some tens of milliseconds; this build is not optimized.
    let budget = Duration::from_millis(200 + 2 * u64::try_from(found).unwrap());
    assert!(took < budget, "{found} processes took {took:?}");
    table.assert_consistent();
}

#[test]
fn a_sweep_finds_lost_exits() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, shell) = init_and_shell(&mut table);
    proc.put(init, 0, "init", "/sbin/init");
    exec(
        &mut table,
        origin(init, ProcessKey::default(), "init", 60_000),
        "init\0",
    );
    table.sweep();
    assert!(table.get(shell).is_some_and(|known| known.exited.is_some()));
    assert!(table.get(init).is_some_and(|known| known.exited.is_none()));
}

#[test]
fn the_working_directory_is_that_of_the_event_and_is_inherited() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let components = KernelPath::components_of(&["a", "tmp"]);
    let directory = KernelPath {
        components: &components,
        ..KernelPath::default()
    };
    let mut by_thread = origin(shell, init, "worker", 2000);
    by_thread.tid = Tid(140);
    table.apply(&event(by_thread, Payload::WorkingDirectory(directory)));
    let child = key(101, 2100);
    fork(&mut table, origin(shell, init, "bash", 2100), child);
    for process in [shell, child] {
        let cwd = table.get(process).unwrap().cwd.as_deref();
        assert_eq!(cwd.map(|cwd| &**cwd), Some(&b"/tmp/a"[..]));
    }
}

#[test]
fn the_container_follows_the_cgroup() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let path = format!("/docker/{ID}");
    let created = CgroupCreated {
        cgroup: CgroupId(77),
        path: Text {
            bytes: path.as_bytes(),
            truncated: false,
        },
    };
    table.apply(&event(
        origin(init, ProcessKey::default(), "runc", 2000),
        Payload::CgroupCreated(created),
    ));
    assert!(table.get(shell).unwrap().container.is_none());
    // It moves into the container's cgroup.
    let mut inside = origin(shell, init, "bash", 2100);
    inside.cgroup = CgroupId(77);
    let container = table.process_of(&inside).process.container.clone();
    assert_eq!(container.unwrap().full_id(), ID);
    // Its child, and a process of which nothing else is known, are in it too.
    fork(&mut table, inside, key(101, 2200));
    assert!(table.get(key(101, 2200)).unwrap().container.is_some());
    let mut unknown = origin(key(500, 2300), shell, "x", 2300);
    unknown.cgroup = CgroupId(77);
    assert!(table.process_of(&unknown).process.container.is_some());
    // And it may leave.
    assert!(
        table
            .process_of(&origin(shell, init, "bash", 2400))
            .process
            .container
            .is_none()
    );
}

#[test]
fn a_cgroup_path_without_its_start_says_nothing_of_the_container() {
    let proc = Proc::new();
    let mut table = proc.table();
    let (init, inside) = (key(1, 0), key(300, 1000));
    proc.put(inside, 1, "sh", "/bin/sh");
    let cgroup = proc.0.path().join("300/cgroup");
    fs::write(cgroup, format!("0::/docker/{ID}/a/b\n")).unwrap();
    let mut origin = origin(inside, init, "sh", 2000);
    origin.cgroup = CgroupId(77);
    let exec = Exec {
        cgroup_path: Some(KernelPath {
            components: b"\x01b\x01a",
            truncated: true,
            ..KernelPath::default()
        }),
        ..Exec::default()
    };
    table.apply(&event(origin, Payload::Exec(exec)));
    let container = table.get(inside).unwrap().container.as_ref();
    assert_eq!(container.unwrap().full_id(), ID);
}

#[test]
fn the_table_is_bounded_and_drops_the_ended_first() {
    let mut table = ProcessTable::new(200, Path::new("/nonexistent").to_owned());
    let (init, shell) = init_and_shell(&mut table);
    let ended = key(101, 1500);
    fork(&mut table, origin(shell, init, "bash", 1500), ended);
    exit(&mut table, origin(ended, shell, "bash", 1600));
    for n in 0..197_u32 {
        let ms = 2000 + u64::from(n);
        fork(
            &mut table,
            origin(shell, init, "bash", ms),
            key(1000 + n, ms),
        );
    }
    assert_eq!(table.len(), 200);
    fork(
        &mut table,
        origin(shell, init, "bash", 3000),
        key(5000, 3000),
    );
    assert!(table.get(ended).is_none(), "ended");
    assert!(table.get(key(1000, 2000)).is_none(), "the longest idle");
    assert!(table.get(key(1196, 2196)).is_some());
    assert!(table.get(shell).is_some(), "has children");
    assert!(table.stats().evictions > 0);
    table.assert_consistent();
}

#[test]
fn texts_are_bounded_and_nobody_is_pushed_out_for_them() {
    let mut table = Proc::new().table();
    table.text_limit = 60_000;
    let (init, shell) = init_and_shell(&mut table);
    let job = |n: u32| key(1000 + n, 2000 + u64::from(n));
    // All are there first, then all start a program.
    for n in 0..500 {
        fork(
            &mut table,
            origin(shell, init, "bash", 2000 + u64::from(n)),
            job(n),
        );
    }
    for n in 0..500 {
        let args = format!("{n}\0{}\0", "x".repeat(900));
        let by = origin(job(n), shell, "job", 3000 + u64::from(n));
        exec(&mut table, by, &args);
        assert!(table.text_bytes() <= 60_000, "{}", table.text_bytes());
        let args = table.get(job(n)).unwrap().program.args.as_deref();
        assert!(args.is_some(), "the one at hand keeps its own");
    }
    assert_eq!((table.len(), table.stats().evictions), (502, 0));
    assert!(table.stats().dropped_texts > 0);
    for process in table.iter().filter(|process| process.key.pid.0 >= 1000) {
        assert_eq!(exe_path(process), Some("/bin/job"));
    }
    // The shell's few bytes were not worth it.
    let shell = table.get(shell).unwrap();
    assert_eq!(shell.exe(), Some(&b"-bash"[..]));
    table.assert_consistent();
}

#[test]
fn those_who_share_a_program_still_do_without_its_texts() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    exec(
        &mut table,
        origin(shell, init, "bash", 1500),
        &"y".repeat(2000),
    );
    for n in 0..10 {
        fork(
            &mut table,
            origin(shell, init, "bash", 1600),
            key(200 + n, 1600),
        );
    }
    table.pinned = ProcessKey::default();
    table.text_limit = 1000;
    table.limit_texts();
    let shared = Arc::clone(&table.get(shell).unwrap().program);
    assert!(shared.args.is_none() && shared.exe_path.is_some());
    // Here, and in eleven processes.
    assert_eq!(Arc::strong_count(&shared), 12);
    assert!(table.text_bytes() < 1000);
}

#[test]
fn long_arguments_are_cut_and_say_so() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    exec(
        &mut table,
        origin(shell, init, "cat", 2000),
        &"a".repeat(ARGS_LIMIT + 1),
    );
    let program = &table.get(shell).unwrap().program;
    assert!(program.args_truncated && !program.env_truncated);
    assert_eq!(program.args.as_deref().unwrap().len(), ARGS_LIMIT);
}

#[test]
fn other_events_change_nothing() {
    let mut table = Proc::new().table();
    let open = Payload::Open(Open::default());
    table.apply(&event(origin(key(5, 5), key(1, 0), "cat", 10), open));
    assert!(table.is_empty());
}

#[test]
fn ancestors_end_even_in_a_loop() {
    let mut table = Proc::new().table();
    let (a, b) = (key(10, 100), key(11, 100));
    table.process_of(&origin(a, b, "a", 200));
    table.process_of(&origin(b, a, "b", 200));
    assert_eq!(names(table.process_of(&origin(a, b, "a", 201))), ["b"]);
    table.process_of(&origin(a, a, "a", 202));
    assert!(names(table.process_of(&origin(a, a, "a", 202))).is_empty());
    table.assert_consistent();
    // A line longer than is followed.
    for n in 100..300 {
        table.process_of(&origin(key(n, 100), key(n - 1, 100), "x", 300));
    }
    let deep = table.process_of(&origin(key(299, 100), key(298, 100), "x", 300));
    assert_eq!(deep.ancestors().count(), MAX_ANCESTORS);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Fork(u8, u8),
    Exec(u8, u8),
    Exit(u8),
    Lookup(u8, u8),
    Wait,
    Loss,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..12_u8, 0..12_u8).prop_map(|(a, b)| Step::Fork(a, b)),
        (0..12_u8, 0..5_u8).prop_map(|(a, b)| Step::Exec(a, b)),
        (0..12_u8).prop_map(Step::Exit),
        (0..12_u8, 0..12_u8).prop_map(|(a, b)| Step::Lookup(a, b)),
        Just(Step::Wait),
        Just(Step::Loss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any events, possible or not: the table stays whole, and gives the right process.
    #[test]
    fn any_sequence_of_events(steps in proptest::collection::vec(step(), 1..200)) {
        let mut table = ProcessTable::new(0, Path::new("/nonexistent").to_owned());
        table.limit = 8;
        let mut now = 1000;
        let mut starts = [0_u64; 12];
        for step in steps {
            now += 20;
            let who = |slot: u8, starts: &[u64; 12]| {
                key(u32::from(slot) + 1, starts[usize::from(slot)])
            };
            match step {
                Step::Fork(parent, child) => {
                    let by = origin(who(parent, &starts), key(1, 0), "p", now);
                    starts[usize::from(child)] = now;
                    fork(&mut table, by, who(child, &starts));
                }
                Step::Exec(process, name) => {
                    let by = origin(who(process, &starts), key(1, 0), &name.to_string(), now);
                    exec(&mut table, by, "x\0");
                    prop_assert_eq!(table.get(by.process).unwrap().source, Source::Exec);
                }
                Step::Exit(process) => {
                    exit(&mut table, origin(who(process, &starts), key(1, 0), "p", now));
                }
                Step::Lookup(process, parent) => {
                    let by = origin(who(process, &starts), who(parent, &starts), "p", now);
                    let subject = table.process_of(&by);
                    prop_assert_eq!(subject.process.key, by.process);
                    prop_assert_eq!(subject.process.parent, by.parent);
                    prop_assert!(subject.ancestors().count() <= MAX_ANCESTORS);
                }
                Step::Wait => now += 10_000,
                Step::Loss => table.note_loss(),
            }
            table.assert_consistent();
        }
    }

    /// Without a loss, the table knows the program and parent of each living process.
    #[test]
    fn what_events_tell_is_known(steps in proptest::collection::vec(step(), 1..300)) {
        let mut table = ProcessTable::new(1000, Path::new("/nonexistent").to_owned());
        let mut model: HashMap<u8, (ProcessKey, ProcessKey, String)> = HashMap::new();
        let init = key(1, 0);
        exec(&mut table, origin(init, ProcessKey::default(), "init", 1), "init\0");
        model.insert(0, (init, ProcessKey::default(), "init".to_owned()));
        let mut now = 1000;
        for step in steps {
            now += 20;
            match step {
                Step::Fork(parent, child) => {
                    if let Some((by, above, name)) = model.get(&parent).cloned()
                        && !model.contains_key(&child)
                    {
                        let new = key(u32::from(child) + 1, now);
                        fork(&mut table, origin(by, above, &name, now), new);
                        model.insert(child, (new, by, name));
                    }
                }
                Step::Exec(process, name) => {
                    if let Some((by, above, current)) = model.get_mut(&process) {
                        *current = name.to_string();
                        exec(&mut table, origin(*by, *above, current, now), "x\0");
                    }
                }
                Step::Exit(process) if process != 0 => {
                    if let Some((by, above, name)) = model.remove(&process) {
                        exit(&mut table, origin(by, above, &name, now));
                        for (_, parent, _) in model.values_mut() {
                            if *parent == by {
                                *parent = init;
                            }
                        }
                    }
                }
                Step::Exit(_) | Step::Lookup(..) | Step::Loss => {}
                Step::Wait => now += 10_000,
            }
            for (process, parent, name) in model.values() {
                let subject = table.process_of(&origin(*process, *parent, name, now));
                prop_assert_eq!(subject.process.comm.as_bytes(), name.as_bytes());
                prop_assert_eq!(subject.process.parent, *parent);
                let path = format!("/bin/{name}");
                prop_assert_eq!(exe_path(subject.process), Some(path.as_str()));
                prop_assert!(subject.process.exited.is_none());
                prop_assert!(*process == init || subject.ancestors().last().unwrap().key == init);
            }
            table.assert_consistent();
        }
        prop_assert_eq!(table.stats().proc_reads, 0);
        prop_assert_eq!(table.stats().degraded, 0);
    }
}

#[test]
fn a_process_ends_once() {
    let mut table = Proc::new().table();
    let (init, shell) = init_and_shell(&mut table);
    let end = |time| {
        event(
            origin(shell, init, "bash", time),
            Payload::Exit(Exit { status: 0 }),
        )
    };
    assert!(!table.is_repeated_exit(&end(2000)));
    table.apply(&end(2000));
    assert!(table.is_repeated_exit(&end(2001)));
    // Another process of the same pid is another.
    let next = key(shell.pid.0, 3000);
    let exit = Payload::Exit(Exit { status: 0 });
    assert!(!table.is_repeated_exit(&event(origin(next, init, "bash", 3001), exit)));
}
