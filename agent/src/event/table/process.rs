//! Calls about processes, users, signals and limits.

use super::{
    Base, Category, DECIMAL, EventDefinition, Kind, Parameter, RES, Source, choice, fd, flags, gid,
    hex, int, long, memory, number, parameter, pid, quota, signal, text, uid,
};

const PROCESS: Category = Category::Process;

/// A result that is an id and never an error.
const fn id(name: &'static str, kind: Kind) -> Parameter {
    parameter(name, kind, Source::Result)
}

const HEX: Kind = Kind::Unsigned(Base::Hexadecimal);
const LONG: Kind = Kind::Signed(64);

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    call("ptrace", libc::SYS_ptrace, &[RES, hex("addr", 3), hex("data", 4), choice("request", 1, &flags::PTRACE), pid("pid", 2)]),
    call("setns", libc::SYS_setns, &[RES, fd("fd", 1), flags("nstype", 2, &flags::CLONE)]).fd(1),
    call("unshare", libc::SYS_unshare, &[RES, flags("flags", 1, &flags::CLONE)]),
    call("setsid", libc::SYS_setsid, &[id("res", Kind::Process)]),
    call("setpgid", libc::SYS_setpgid, &[RES, pid("pid", 1), pid("pgid", 2)]),
    call("capset", libc::SYS_capset, &[RES, memory("cap_inheritable", HEX, 2, 8, 4), memory("cap_permitted", HEX, 2, 4, 4), memory("cap_effective", HEX, 2, 0, 4)]),
    call("prctl", libc::SYS_prctl, &[RES, choice("option", 1, &flags::PRCTL), text("arg2_str", 2), long("arg2_int", 2)]),
    call("getrlimit", libc::SYS_getrlimit, &[RES, memory("cur", LONG, 2, 0, 8), memory("max", LONG, 2, 8, 8), choice("resource", 1, &flags::RESOURCE)]),
    call("setrlimit", libc::SYS_setrlimit, &[RES, memory("cur", LONG, 2, 0, 8), memory("max", LONG, 2, 8, 8), choice("resource", 1, &flags::RESOURCE)]),
    call("prlimit", libc::SYS_prlimit64, &[RES, memory("newcur", LONG, 3, 0, 8), memory("newmax", LONG, 3, 8, 8), memory("oldcur", LONG, 4, 0, 8), memory("oldmax", LONG, 4, 8, 8), pid("pid", 1), choice("resource", 2, &flags::RESOURCE)]).traced_as("prlimit64"),
    call("semop", libc::SYS_semop, &[RES, number("nsops", 3), memory("sem_num_0", DECIMAL, 2, 0, 2), memory("sem_op_0", Kind::Signed(16), 2, 2, 2), memory("sem_flg_0", Kind::Flags(&flags::SEMOP), 2, 4, 2), memory("sem_num_1", DECIMAL, 2, 6, 2), memory("sem_op_1", Kind::Signed(16), 2, 8, 2), memory("sem_flg_1", Kind::Flags(&flags::SEMOP), 2, 10, 2), int("semid", 1)]),
    call("semctl", libc::SYS_semctl, &[RES, int("semid", 1), int("semnum", 2), choice("cmd", 3, &flags::SEMCTL), int("val", 4)]),
    call("semget", libc::SYS_semget, &[RES, hex("key", 1), int("nsems", 2), flags("semflg", 3, &flags::SEMGET)]),
    user("setuid", libc::SYS_setuid, &[RES, uid("uid", 1)]),
    user("setgid", libc::SYS_setgid, &[RES, gid("gid", 1)]),
    user("setreuid", libc::SYS_setreuid, &[RES, uid("ruid", 1), uid("euid", 2)]),
    user("setregid", libc::SYS_setregid, &[RES, gid("rgid", 1), gid("egid", 2)]),
    user("setresuid", libc::SYS_setresuid, &[RES, uid("ruid", 1), uid("euid", 2), uid("suid", 3)]),
    user("setresgid", libc::SYS_setresgid, &[RES, gid("rgid", 1), gid("egid", 2), gid("sgid", 3)]),
    user("getuid", libc::SYS_getuid, &[id("uid", Kind::User)]),
    user("geteuid", libc::SYS_geteuid, &[id("euid", Kind::User)]),
    user("getgid", libc::SYS_getgid, &[id("gid", Kind::Group)]),
    user("getegid", libc::SYS_getegid, &[id("egid", Kind::Group)]),
    user("getresuid", libc::SYS_getresuid, &[RES, memory("ruid", Kind::User, 1, 0, 4), memory("euid", Kind::User, 2, 0, 4), memory("suid", Kind::User, 3, 0, 4)]),
    user("getresgid", libc::SYS_getresgid, &[RES, memory("rgid", Kind::Group, 1, 0, 4), memory("egid", Kind::Group, 2, 0, 4), memory("sgid", Kind::Group, 3, 0, 4)]),
    // The times are in seconds, as in Falco.
    user("quotactl", libc::SYS_quotactl, &[RES, text("special", 2), text("quotafilepath", 4).in_commands(&quota::ON), quota::limit("dqb_bhardlimit", 0, &quota::BLOCKS), quota::limit("dqb_bsoftlimit", 8, &quota::BLOCKS), quota::limit("dqb_curspace", 16, &quota::SPACE), quota::limit("dqb_ihardlimit", 24, &quota::INODES), quota::limit("dqb_isoftlimit", 32, &quota::INODES), quota::limit("dqb_btime", 48, &quota::BLOCK_TIME), quota::limit("dqb_itime", 56, &quota::INODE_TIME), quota::limit("dqi_bgrace", 0, &quota::BLOCK_GRACE), quota::limit("dqi_igrace", 8, &quota::INODE_GRACE), memory("dqi_flags", Kind::Flags(&flags::QUOTA_INFO), 4, 16, 4).in_commands(&quota::FLAGS), memory("quota_fmt_out", Kind::Enumeration(&flags::QUOTA_FORMAT), 4, 0, 4).in_commands(&quota::FORMAT), parameter("cmd", Kind::Enumeration(&flags::QUOTACTL), Source::Bits(1, 8, 24)), parameter("type", Kind::Enumeration(&flags::QUOTA_TYPE), Source::Bits(1, 0, 8)), number("id", 3), choice("quota_fmt", 3, &flags::QUOTA_FORMAT).in_commands(&quota::ON)]),
    signals("kill", libc::SYS_kill, &[RES, pid("pid", 1), signal("sig", 2)]),
    signals("tkill", libc::SYS_tkill, &[RES, pid("tid", 1), signal("sig", 2)]),
    signals("tgkill", libc::SYS_tgkill, &[RES, pid("pid", 1), pid("tid", 2), signal("sig", 3)]),
    EventDefinition::call("nanosleep", libc::SYS_nanosleep, Category::Sleep, &[RES, memory("interval", Kind::Duration, 1, 0, 16)]),
    EventDefinition::call("futex", libc::SYS_futex, Category::Ipc, &[RES, hex("addr", 1), flags("op", 2, &flags::FUTEX), number("val", 3)]),
];

const fn call(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, PROCESS, parameters)
}

const fn user(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::User, parameters)
}

const fn signals(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, Category::Signal, parameters)
}
