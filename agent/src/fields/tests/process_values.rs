//! Values of fields about processes and users.

use super::Case;
use super::scene::{Actor, NONE};

/// Each with the event that it is read from.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut of = |actor: Actor, values: &[(&'static str, &str)]| {
        for (field, expected) in values {
            cases.push(Case::new(actor.started(), field, expected));
        }
    };
    of(
        Actor::Program,
        &[
            ("proc.name", "cat"),
            ("proc.exe", "cat"),
            ("proc.exepath", "/usr/bin/cat"),
            ("proc.args", "-n /etc/passwd"),
            ("proc.args[0]", "-n"),
            ("proc.args[1]", "/etc/passwd"),
            ("proc.args[2]", ""),
            ("proc.cmdline", "cat -n /etc/passwd"),
            ("proc.exeline", "cat -n /etc/passwd"),
            ("proc.cmdnargs", "2"),
            ("proc.cmdlenargs", "13"),
            ("proc.env", "HOME=/home/u PS1= > "),
            ("proc.env[PS1]", ">"),
            ("proc.env[PS2]", ""),
            ("proc.aenv[EDITOR]", "ed"),
            ("proc.aenv[0]", "HOME=/home/u PS1= > "),
            ("proc.cwd", "/home/u/"),
            ("proc.tty", "34816"),
            ("proc.pid", "200"),
            ("proc.ppid", "150"),
            ("proc.vpid", "8"),
            ("proc.pvpid", "6"),
            ("proc.sid", "4"),
            ("proc.pgid", "150"),
            ("proc.vpgid", "5"),
            ("proc.is_sid_leader", "false"),
            ("proc.is_pgid_leader", "false"),
            ("proc.is_vpgid_leader", "false"),
            ("proc.pname", "make"),
            ("proc.pexe", "/usr/bin/python3"),
            ("proc.pexepath", "/usr/bin/python3"),
            ("proc.pcmdline", "make ../bin/make all"),
            ("proc.aname", "make, bash, systemd"),
            ("proc.aname[0]", "cat"),
            ("proc.aname[2]", "bash"),
            ("proc.aname[4]", NONE),
            ("proc.aexe", "/usr/bin/python3, -bash, /sbin/init"),
            ("proc.aexe[2]", "-bash"),
            (
                "proc.aexepath",
                "/usr/bin/python3, /usr/bin/bash, /lib/systemd",
            ),
            ("proc.aexepath[3]", "/lib/systemd"),
            ("proc.acmdline", "make ../bin/make all, bash, systemd"),
            ("proc.acmdline[1]", "make ../bin/make all"),
            ("proc.apid", "150, 100, 1"),
            ("proc.apid[2]", "100"),
            ("proc.aargs", "../bin/make all, , "),
            ("proc.aargs[1]", "../bin/make all"),
            ("proc.sname", "bash"),
            ("proc.sid.exe", "-bash"),
            ("proc.sid.exepath", "/usr/bin/bash"),
            ("proc.pgid.name", "make"),
            ("proc.pgid.exe", "/usr/bin/python3"),
            ("proc.pgid.exepath", "/usr/bin/python3"),
            ("proc.vpgid.name", "make"),
            ("proc.vpgid.exe", "/usr/bin/python3"),
            ("proc.vpgid.exepath", "/usr/bin/python3"),
            ("proc.duration", "2000000123"),
            ("proc.ppid.duration", "10000000123"),
            ("proc.pid.ts", "1700000088000000000"),
            ("proc.ppid.ts", "1700000080000000000"),
            ("proc.loginshellid", "100"),
            ("proc.is_exe_from_memfd", "false"),
            ("proc.is_exe_writable", "true"),
            ("proc.is_exe_upper_layer", "true"),
            ("proc.is_exe_lower_layer", "false"),
            ("proc.exe_ino", "77"),
            ("proc.exe_ino.ctime", "1700000050000000000"),
            ("proc.exe_ino.mtime", "1700000040000000000"),
            ("proc.exe_ino.ctime_duration_proc_start", "38000000000"),
            ("proc.exe_ino.ctime_duration_pidns_start", "49000000000"),
            ("proc.pidns_init_start_ts", "1700000001000000000"),
            ("proc.exe_sha256", NONE),
            (
                "proc.exe_sha256.missing",
                "the process is gone, and its path does not lead to the file that it ran",
            ),
            ("proc.interpreter", NONE),
            ("proc.script", NONE),
            ("thread.cap_permitted", "CAP_CHOWN CAP_SYS_ADMIN"),
            ("thread.cap_effective", "CAP_CHOWN"),
            ("thread.cap_inheritable", "CAP_NET_ADMIN"),
            ("thread.tid", "201"),
            ("thread.vtid", "9"),
            ("thread.ismain", "false"),
            ("thread.nametid", "cat:201"),
            ("user.uid", "1000"),
            ("user.name", "alice"),
            ("user.homedir", "/home/alice"),
            ("user.shell", "/bin/zsh"),
            ("user.loginuid", "1001"),
            ("user.loginname", "bob"),
            ("group.gid", "100"),
            ("group.name", "staff"),
            ("static.cluster", "prod"),
            ("static.region", NONE),
        ],
    );
    of(
        Actor::Script,
        &[
            ("proc.interpreter", "/usr/bin/python3"),
            ("proc.script", "/home/bin/make"),
            ("proc.is_pgid_leader", "true"),
            ("proc.is_vpgid_leader", "true"),
            ("proc.is_exe_lower_layer", "true"),
            ("thread.ismain", "true"),
        ],
    );
    of(
        Actor::Shell,
        &[("proc.is_sid_leader", "true"), ("proc.exe", "-bash")],
    );
    of(
        Actor::Memfd,
        &[
            ("proc.is_exe_from_memfd", "true"),
            ("proc.exepath", "memfd:x"),
        ],
    );
    of(
        Actor::Init,
        &[("proc.pname", NONE), ("proc.aname", ""), ("proc.args", "")],
    );
    cases
}
