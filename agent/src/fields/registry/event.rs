//! Fields of the event itself, and the constants of the configuration.

use super::definition::FieldType::{AbsTime, Bool, Buffer, Int, RelTime, Text, Uint};
use super::definition::{ArgumentSyntax, FieldDef, FieldType, PrintFormat};

const fn field(
    class: &'static str,
    name: &'static str,
    field_type: FieldType,
    help: &'static str,
) -> FieldDef {
    FieldDef::new(class, name, field_type, help)
}

pub(super) const FIELDS: &[FieldDef] = &[
    field(
        "evt",
        "evt.num",
        Uint,
        "number of the event since the start, from 1",
    ),
    field(
        "evt",
        "evt.time",
        Text,
        "local time of day with nanoseconds",
    ),
    field("evt", "evt.time.s", Text, "local time of day in seconds"),
    field(
        "evt",
        "evt.time.iso8601",
        Text,
        "UTC date and time with nanoseconds",
    ),
    field(
        "evt",
        "evt.datetime",
        Text,
        "local date and time with nanoseconds",
    ),
    field(
        "evt",
        "evt.datetime.s",
        Text,
        "local date and time in seconds",
    ),
    field("evt", "evt.rawtime", AbsTime, "ns since the epoch"),
    field("evt", "evt.rawtime.s", AbsTime, "seconds since the epoch"),
    field(
        "evt",
        "evt.rawtime.ns",
        AbsTime,
        "the part of the time below the second, in ns",
    )
    .printed(PrintFormat::PaddedDecimal10),
    field("evt", "evt.reltime", RelTime, "ns since the first event")
        .printed(PrintFormat::PaddedDecimal10),
    field(
        "evt",
        "evt.reltime.s",
        RelTime,
        "whole seconds since the first event",
    ),
    field(
        "evt",
        "evt.reltime.ns",
        RelTime,
        "the part of that below the second, in ns",
    )
    .printed(PrintFormat::PaddedDecimal10),
    field(
        "evt",
        "evt.pluginname",
        Text,
        "plugin that made the event; none for syscalls",
    ),
    field(
        "evt",
        "evt.plugininfo",
        Text,
        "the plugin's summary of the event; none for syscalls",
    ),
    field("evt", "evt.source", Text, "source of the event: syscall"),
    field(
        "evt",
        "evt.is_async",
        Bool,
        "the event was made in user space, not by the kernel",
    ),
    field("evt", "evt.asynctype", Text, "name of such an event"),
    field("evt", "evt.hostname", Text, "name of the host"),
    field("evt", "evt.latency", RelTime, "always 0").deprecated(),
    field("evt", "evt.latency.s", RelTime, "always 0").deprecated(),
    field("evt", "evt.latency.ns", RelTime, "always 0")
        .printed(PrintFormat::PaddedDecimal10)
        .deprecated(),
    field("evt", "evt.latency.quantized", Uint, "always 0").deprecated(),
    field("evt", "evt.latency.human", Text, "always 0ns").deprecated(),
    field("evt", "evt.deltatime", RelTime, "ns since the event before"),
    field(
        "evt",
        "evt.deltatime.s",
        RelTime,
        "whole seconds since the event before",
    ),
    field(
        "evt",
        "evt.deltatime.ns",
        RelTime,
        "the part of that below the second, in ns",
    )
    .printed(PrintFormat::PaddedDecimal10),
    field(
        "evt",
        "evt.outputtime",
        Text,
        "time in the chosen output form",
    )
    .print_only(),
    field(
        "evt",
        "evt.dir",
        Text,
        "< for the exit of a syscall, which all events are",
    )
    .deprecated(),
    field(
        "evt",
        "evt.type",
        Text,
        "name of the event, mostly of the syscall",
    ),
    field(
        "evt",
        "evt.type.is",
        Uint,
        "1 if the event is of that type, else 0",
    )
    .required(ArgumentSyntax::EventType),
    field(
        "evt",
        "syscall.type",
        Text,
        "name of the syscall; none for other events",
    ),
    field(
        "evt",
        "evt.category",
        Text,
        "kind of event: file, net, process, memory, ...",
    ),
    field("evt", "evt.cpu", Int, "CPU that the event happened on"),
    field(
        "evt",
        "evt.via",
        Text,
        "ABI by which the kernel was called: 64-bit, 32-bit or x32",
    ),
    field("evt", "evt.args", Text, "all parameters as name=value"),
    field(
        "evt",
        "evt.arg",
        Text,
        "one parameter as text, names for numbers",
    )
    .required(ArgumentSyntax::Parameter),
    field("evt", "evt.rawarg", Text, "one parameter in its own type")
        .required(ArgumentSyntax::ParameterName)
        .no_rhs()
        .no_transformers(),
    field("evt", "evt.info", Text, "the same as evt.args"),
    field(
        "evt",
        "evt.buffer",
        Buffer,
        "data read or written, its first bytes",
    ),
    field("evt", "evt.buflen", Uint, "bytes read or written"),
    field("evt", "evt.res", Text, "SUCCESS or the name of the error"),
    field("evt", "evt.rawres", Int, "return value"),
    field("evt", "evt.failed", Bool, "the return value is negative"),
    field("evt", "evt.is_io", Bool, "reads or writes a descriptor"),
    field("evt", "evt.is_io_read", Bool, "reads from a descriptor"),
    field("evt", "evt.is_io_write", Bool, "writes to a descriptor"),
    field("evt", "evt.io_dir", Text, "read or write"),
    field(
        "evt",
        "evt.is_wait",
        Bool,
        "waits: poll, select, nanosleep and the like",
    ),
    field("evt", "evt.wait_latency", RelTime, "always 0").deprecated(),
    field("evt", "evt.is_syslog", Bool, "writes to /dev/log"),
    field("evt", "evt.count", Uint, "always 1"),
    field(
        "evt",
        "evt.count.error",
        Uint,
        "1 if the event failed, else 0",
    ),
    field(
        "evt",
        "evt.count.error.file",
        Uint,
        "1 if it failed on a file",
    ),
    field(
        "evt",
        "evt.count.error.net",
        Uint,
        "1 if it failed on a socket",
    ),
    field(
        "evt",
        "evt.count.error.memory",
        Uint,
        "1 if it failed on memory",
    ),
    field(
        "evt",
        "evt.count.error.other",
        Uint,
        "1 if it failed on anything else",
    ),
    field("evt", "evt.count.exit", Uint, "1 for the exit of a syscall"),
    field(
        "evt",
        "evt.count.procinfo",
        Uint,
        "1 for the periodic process event of a main thread",
    ),
    field(
        "evt",
        "evt.count.threadinfo",
        Uint,
        "1 for the periodic process event of a thread",
    ),
    field(
        "evt",
        "evt.around",
        Uint,
        "within so many milliseconds of that time in ns",
    )
    .required(ArgumentSyntax::Index)
    .no_rhs()
    .no_transformers()
    .filter_only(),
    field(
        "evt",
        "evt.abspath",
        Text,
        "path of an *at call joined with its directory",
    )
    .optional(ArgumentSyntax::Side),
    field("evt", "evt.buflen.in", Uint, "bytes read"),
    field("evt", "evt.buflen.out", Uint, "bytes written"),
    field(
        "evt",
        "evt.buflen.file",
        Uint,
        "bytes read or written of a file",
    ),
    field("evt", "evt.buflen.file.in", Uint, "bytes read of a file"),
    field(
        "evt",
        "evt.buflen.file.out",
        Uint,
        "bytes written to a file",
    ),
    field(
        "evt",
        "evt.buflen.net",
        Uint,
        "bytes read or written of a network socket",
    ),
    field(
        "evt",
        "evt.buflen.net.in",
        Uint,
        "bytes read of a network socket",
    ),
    field(
        "evt",
        "evt.buflen.net.out",
        Uint,
        "bytes written to a network socket",
    ),
    field("evt", "evt.is_open_read", Bool, "opens for reading"),
    field("evt", "evt.is_open_write", Bool, "opens for writing"),
    field(
        "evt",
        "evt.infra.docker.name",
        Text,
        "old Docker event: its name",
    ),
    field(
        "evt",
        "evt.infra.docker.container.id",
        Text,
        "old Docker event: container id",
    ),
    field(
        "evt",
        "evt.infra.docker.container.name",
        Text,
        "old Docker event: container name",
    ),
    field(
        "evt",
        "evt.infra.docker.container.image",
        Text,
        "old Docker event: image",
    ),
    field(
        "evt",
        "evt.is_open_exec",
        Bool,
        "creates a file that can be executed",
    ),
    field("evt", "evt.is_open_create", Bool, "the open made the file"),
    field("util", "util.cnt", Uint, "counts up each time it is read"),
    field("static", "static", Text, "constant from the configuration")
        .required(ArgumentSyntax::DottedKey)
        .suggested(),
];
