//! Events with programs of their own: processes, opened files, connections.

use super::{
    Category, DECIMAL, EventDefinition, EventDescriptor, HEX, Kind, NEW_FD, Parameter, RES, SeenBy,
    Source, field, flags, own, parameter,
};

/// In the order of the constants of [`EventType`](crate::event::EventType).
pub(super) static EVENTS: &[EventDefinition] = &[
    own_call("execve", libc::SYS_execve, Category::Process, EXECVE),
    own_call("execveat", libc::SYS_execveat, Category::Process, EXECVEAT),
    own_call("clone", libc::SYS_clone, Category::Process, CLONE),
    own_call("clone3", libc::SYS_clone3, Category::Process, CLONE),
    own_call("fork", libc::SYS_fork, Category::Process, CLONE),
    own_call("vfork", libc::SYS_vfork, Category::Process, CLONE),
    EventDefinition {
        name: "procexit",
        category: Category::Process,
        parameters: &[
            own("status", Kind::Outcome),
            own("ret", Kind::Outcome),
            own("sig", Kind::Signal),
            own("core", DECIMAL),
            parameter(
                "reaper_tid",
                Kind::Process,
                Source::Unseen("the kernel chooses the new parent after the event"),
            ),
        ],
        seen_by: SeenBy::OwnProgram,
        ..EventDefinition::NEW
    },
    own_call(
        "open",
        libc::SYS_open,
        Category::File,
        &[
            NEW_FD,
            own("name", Kind::Path),
            own("flags", Kind::Flags(&flags::FILE)),
            own("mode", OCTAL),
            own("dev", HEX),
            own("ino", DECIMAL),
        ],
    )
    .makes_fd(),
    own_call(
        "openat",
        libc::SYS_openat,
        Category::File,
        &[
            NEW_FD,
            own("dirfd", Kind::Descriptor),
            own("name", Kind::Path),
            own("flags", Kind::Flags(&flags::FILE)),
            own("mode", OCTAL),
            own("dev", HEX),
            own("ino", DECIMAL),
        ],
    )
    .makes_fd(),
    own_call(
        "openat2",
        libc::SYS_openat2,
        Category::File,
        &[
            NEW_FD,
            own("dirfd", Kind::Descriptor),
            own("name", Kind::Path),
            own("flags", Kind::Flags(&flags::FILE)),
            own("mode", OCTAL),
            own("resolve", Kind::Flags(&flags::OPENAT2_RESOLVE)),
            own("dev", HEX),
            own("ino", DECIMAL),
        ],
    )
    .makes_fd(),
    own_call(
        "creat",
        libc::SYS_creat,
        Category::File,
        &[
            NEW_FD,
            own("name", Kind::Path),
            own("mode", OCTAL),
            own("dev", HEX),
            own("ino", DECIMAL),
            own("creat_flags", Kind::Flags(&flags::CREAT)),
        ],
    )
    .makes_fd(),
    own_call(
        "connect",
        libc::SYS_connect,
        Category::Net,
        &[
            RES,
            own("tuple", Kind::Tuple),
            own("fd", Kind::Descriptor),
            own("addr", Kind::Address),
        ],
    )
    .about(EventDescriptor::Argument(1)),
];

const OCTAL: Kind = Kind::Unsigned(super::Base::Octal);

const fn own_call(
    name: &'static str,
    syscall: libc::c_long,
    category: Category,
    parameters: &'static [Parameter],
) -> EventDefinition {
    EventDefinition {
        seen_by: SeenBy::OwnProgram,
        ..EventDefinition::call(name, syscall, category, parameters)
    }
}

/// `execve` has the path that was passed last; `execveat` does not have it, as in Falco.
const EXECVE: &[Parameter] = &[
    RES,
    own("exe", Kind::Text),
    own("args", Kind::Bytes),
    field("tid", Kind::Process, "thread.tid"),
    field("pid", Kind::Process, "proc.pid"),
    field("ptid", Kind::Process, "proc.ppid"),
    field("cwd", Kind::Text, "proc.cwd"),
    field("fdlimit", DECIMAL, "proc.fdlimit"),
    field("pgft_maj", DECIMAL, "thread.pfmajor"),
    field("pgft_min", DECIMAL, "thread.pfminor"),
    field("vm_size", DECIMAL, "proc.vmsize"),
    field("vm_rss", DECIMAL, "proc.vmrss"),
    field("vm_swap", DECIMAL, "proc.vmswap"),
    field("comm", Kind::Text, "proc.name"),
    field("cgroups", Kind::Bytes, "thread.cgroups"),
    field("env", Kind::Bytes, "proc.env"),
    field("tty", DECIMAL, "proc.tty"),
    field("vpgid", Kind::Process, "proc.vpgid"),
    field("loginuid", Kind::User, "user.loginuid"),
    own("flags", Kind::Flags(&flags::EXECVE)),
    field("cap_inheritable", HEX, "thread.cap_inheritable"),
    field("cap_permitted", HEX, "thread.cap_permitted"),
    field("cap_effective", HEX, "thread.cap_effective"),
    field("exe_ino", DECIMAL, "proc.exe_ino"),
    field("exe_ino_ctime", DECIMAL, "proc.exe_ino.ctime"),
    field("exe_ino_mtime", DECIMAL, "proc.exe_ino.mtime"),
    field("uid", Kind::User, "user.uid"),
    field("trusted_exepath", Kind::Text, "proc.exepath"),
    field("pgid", Kind::Process, "proc.pgid"),
    field("gid", Kind::Group, "group.gid"),
    own("filename", Kind::Text),
];
const EXECVEAT: &[Parameter] = match EXECVE.split_last() {
    Some((_, rest)) => rest,
    None => EXECVE,
};

const CLONE: &[Parameter] = &[
    parameter("res", Kind::Process, Source::Result),
    field("exe", Kind::Text, "proc.exe"),
    field("args", Kind::Bytes, "proc.args"),
    field("tid", Kind::Process, "thread.tid"),
    field("pid", Kind::Process, "proc.pid"),
    field("ptid", Kind::Process, "proc.ppid"),
    field("cwd", Kind::Text, "proc.cwd"),
    field("fdlimit", DECIMAL, "proc.fdlimit"),
    field("pgft_maj", DECIMAL, "thread.pfmajor"),
    field("pgft_min", DECIMAL, "thread.pfminor"),
    field("vm_size", DECIMAL, "proc.vmsize"),
    field("vm_rss", DECIMAL, "proc.vmrss"),
    field("vm_swap", DECIMAL, "proc.vmswap"),
    field("comm", Kind::Text, "proc.name"),
    field("cgroups", Kind::Bytes, "thread.cgroups"),
    own("flags", Kind::Flags(&flags::CLONE)),
    field("uid", Kind::User, "user.uid"),
    field("gid", Kind::Group, "group.gid"),
    field("vtid", Kind::Process, "thread.vtid"),
    field("vpid", Kind::Process, "proc.vpid"),
    field("pidns_init_start_ts", DECIMAL, "proc.pidns_init_start_ts"),
];
