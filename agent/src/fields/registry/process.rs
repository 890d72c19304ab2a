//! Fields of the process and its ancestors.

use super::definition::FieldType::{AbsTime, Bool, Double, Int, RelTime, Text, Uint};
use super::definition::{ArgumentSyntax, FieldDef, FieldType};

const fn field(name: &'static str, field_type: FieldType, help: &'static str) -> FieldDef {
    FieldDef::new("process", name, field_type, help)
}

pub(super) const FIELDS: &[FieldDef] = &[
    field("proc.exe", Text, "first argument, argv[0]"),
    field("proc.pexe", Text, "argv[0] of the parent"),
    field("proc.aexe", Text, "argv[0] of an ancestor")
        .optional(ArgumentSyntax::Index)
        .any_ancestor()
        .no_rhs()
        .no_transformers(),
    field(
        "proc.exepath",
        Text,
        "path of the executable as the kernel has it",
    ),
    field("proc.pexepath", Text, "path of the parent's executable"),
    field("proc.aexepath", Text, "path of an ancestor's executable")
        .optional(ArgumentSyntax::Index)
        .any_ancestor()
        .no_rhs()
        .no_transformers(),
    field(
        "proc.exe_sha256",
        Text,
        "SHA-256 of the executable in hexadecimal, computed when asked for (Peregrine's own)",
    ),
    field(
        "proc.exe_sha256.missing",
        Text,
        "why there is no such hash; none if there is one (Peregrine's own)",
    ),
    field(
        "proc.interpreter",
        Text,
        "path of the program that runs a script; none for what is no script (Peregrine's own)",
    ),
    field(
        "proc.script",
        Text,
        "path of the script, as passed and made absolute (Peregrine's own)",
    ),
    field(
        "proc.name",
        Text,
        "name of the process (comm, at most 15 bytes)",
    ),
    field("proc.pname", Text, "name of the parent"),
    field(
        "proc.aname",
        Text,
        "name of an ancestor; 0 is the process itself",
    )
    .optional(ArgumentSyntax::Index)
    .any_ancestor()
    .no_rhs()
    .no_transformers(),
    field(
        "proc.args",
        Text,
        "arguments after the first, or one of them",
    )
    .optional(ArgumentSyntax::Index),
    field("proc.aargs", Text, "arguments of an ancestor").optional(ArgumentSyntax::Index),
    field("proc.cmdline", Text, "name and arguments"),
    field("proc.pcmdline", Text, "name and arguments of the parent"),
    field("proc.acmdline", Text, "name and arguments of an ancestor")
        .optional(ArgumentSyntax::Index)
        .any_ancestor()
        .no_rhs()
        .no_transformers(),
    field("proc.cmdnargs", Uint, "number of arguments after the first"),
    field("proc.cmdlenargs", Uint, "bytes in those arguments"),
    field("proc.exeline", Text, "argv[0] and arguments"),
    field("proc.env", Text, "environment, or one variable of it").optional(ArgumentSyntax::Name),
    field(
        "proc.aenv",
        Text,
        "environment of an ancestor, or one variable of it",
    )
    .optional(ArgumentSyntax::IndexOrKey)
    .any_ancestor()
    .no_rhs()
    .no_transformers(),
    field(
        "proc.cwd",
        Text,
        "working directory, with a slash at its end",
    ),
    field("proc.loginshellid", Int, "pid of the oldest shell above"),
    field(
        "proc.tty",
        Uint,
        "device number of the terminal; 0 without one",
    ),
    field("proc.pid", Int, "process id on the host"),
    field("proc.ppid", Int, "pid of the parent"),
    field("proc.apid", Int, "pid of an ancestor")
        .optional(ArgumentSyntax::Index)
        .any_ancestor()
        .no_rhs()
        .no_transformers(),
    field("proc.vpid", Int, "pid in the process's own namespace"),
    field("proc.pvpid", Int, "that of the parent"),
    field("proc.sid", Int, "session id"),
    field("proc.sname", Text, "name of the session's leader"),
    field("proc.sid.exe", Text, "argv[0] of the session's leader"),
    field(
        "proc.sid.exepath",
        Text,
        "executable of the session's leader",
    ),
    field(
        "proc.vpgid",
        Int,
        "process group in the process's own namespace",
    ),
    field("proc.vpgid.name", Text, "name of that group's leader"),
    field("proc.vpgid.exe", Text, "argv[0] of that group's leader"),
    field(
        "proc.vpgid.exepath",
        Text,
        "executable of that group's leader",
    ),
    field("proc.pgid", Int, "process group on the host"),
    field("proc.pgid.name", Text, "name of that group's leader"),
    field("proc.pgid.exe", Text, "argv[0] of that group's leader"),
    field(
        "proc.pgid.exepath",
        Text,
        "executable of that group's leader",
    ),
    field("proc.duration", RelTime, "ns since the process began"),
    field("proc.ppid.duration", RelTime, "ns since the parent began"),
    field("proc.pid.ts", RelTime, "when the process began"),
    field("proc.ppid.ts", RelTime, "when the parent began"),
    field(
        "proc.is_exe_writable",
        Bool,
        "its user could write to the executable",
    ),
    field(
        "proc.is_exe_upper_layer",
        Bool,
        "the executable is in the container's own layer",
    ),
    field(
        "proc.is_exe_lower_layer",
        Bool,
        "the executable is in the image's layers",
    ),
    field(
        "proc.is_exe_from_memfd",
        Bool,
        "the executable is a memfd, without a file",
    ),
    field("proc.is_sid_leader", Bool, "leads its session"),
    field(
        "proc.is_vpgid_leader",
        Bool,
        "leads its group in its namespace",
    ),
    field("proc.is_pgid_leader", Bool, "leads its group on the host"),
    field("proc.exe_ino", Int, "inode of the executable"),
    field(
        "proc.exe_ino.ctime",
        AbsTime,
        "when the executable's inode changed",
    ),
    field(
        "proc.exe_ino.mtime",
        AbsTime,
        "when the executable was written",
    ),
    field(
        "proc.exe_ino.ctime_duration_proc_start",
        AbsTime,
        "ns from that change to the start of the process",
    ),
    field(
        "proc.exe_ino.ctime_duration_pidns_start",
        AbsTime,
        "ns from the start of the pid namespace to that change",
    ),
    field(
        "proc.pidns_init_start_ts",
        Uint,
        "when the pid namespace's init began",
    ),
    field("proc.fdopencount", Uint, "open descriptors"),
    field("proc.fdlimit", Int, "limit of open descriptors"),
    field(
        "proc.fdusage",
        Double,
        "open descriptors in percent of the limit",
    ),
    field("proc.vmsize", Uint, "virtual memory in kB"),
    field("proc.vmrss", Uint, "resident memory in kB"),
    field("proc.vmswap", Uint, "swapped memory in kB"),
    field("proc.nthreads", Uint, "threads, the main one included"),
    field("proc.nchilds", Uint, "threads, without the main one"),
    field("proc.stdin.type", Text, "type of standard input"),
    field("proc.stdout.type", Text, "type of standard output"),
    field("proc.stderr.type", Text, "type of standard error"),
    field("proc.stdin.name", Text, "name of standard input"),
    field("proc.stdout.name", Text, "name of standard output"),
    field("proc.stderr.name", Text, "name of standard error"),
    field(
        "proc.is_container_healthcheck",
        Bool,
        "no longer has a value",
    )
    .deprecated(),
    field(
        "proc.is_container_liveness_probe",
        Bool,
        "no longer has a value",
    )
    .deprecated(),
    field(
        "proc.is_container_readiness_probe",
        Bool,
        "no longer has a value",
    )
    .deprecated(),
];
