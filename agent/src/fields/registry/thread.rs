//! Fields of the thread.

use super::definition::FieldType::{Bool, Double, Int, RelTime, Text, Uint};
use super::definition::{ArgumentSyntax, FieldDef, FieldType};

const fn field(name: &'static str, field_type: FieldType, help: &'static str) -> FieldDef {
    FieldDef::new("process", name, field_type, help)
}

pub(super) const FIELDS: &[FieldDef] = &[
    field("thread.cap_permitted", Text, "permitted capabilities"),
    field("thread.cap_inheritable", Text, "inheritable capabilities"),
    field("thread.cap_effective", Text, "effective capabilities"),
    field("thread.pfmajor", Uint, "major page faults"),
    field("thread.pfminor", Uint, "minor page faults"),
    field("thread.tid", Int, "thread id on the host"),
    field("thread.ismain", Bool, "is the main thread"),
    field("thread.vtid", Int, "thread id in its own namespace"),
    field("thread.nametid", Text, "name and thread id"),
    field(
        "thread.exectime",
        RelTime,
        "CPU time of the last slice in ns",
    ),
    field("thread.totexectime", RelTime, "CPU time in ns"),
    field("thread.cgroups", Text, "all cgroups as subsystem=path"),
    field("thread.cgroup", Text, "cgroup of one subsystem").required(ArgumentSyntax::DottedKey),
    field("thread.cpu", Double, "CPU use in percent"),
    field(
        "thread.cpu.user",
        Double,
        "CPU use in user space in percent",
    ),
    field(
        "thread.cpu.system",
        Double,
        "CPU use in the kernel in percent",
    ),
    field(
        "thread.vmsize",
        Uint,
        "virtual memory in kB; 0 but for the main thread",
    ),
    field(
        "thread.vmrss",
        Uint,
        "resident memory in kB; 0 but for the main thread",
    ),
    field("thread.vmsize.b", Uint, "thread.vmsize in bytes"),
    field("thread.vmrss.b", Uint, "thread.vmrss in bytes"),
];
