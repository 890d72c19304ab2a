//! Fields of file descriptors and paths.

use super::definition::FieldType::{Bool, Int, Ip, Net, Port, Text};
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
        "fd",
        "fd.num",
        Int,
        "descriptor's number; -1 for a failed open",
    ),
    field(
        "fd",
        "fd.type",
        Text,
        "file, directory, ipv4, ipv6, unix, pipe, ...",
    ),
    field("fd", "fd.typechar", Text, "the same as one character"),
    field(
        "fd",
        "fd.name",
        Text,
        "path of a file, or both ends of a connection",
    ),
    field("fd", "fd.directory", Text, "directory of the path"),
    field("fd", "fd.filename", Text, "last part of the path"),
    field("fd", "fd.ip", Ip, "address of either end")
        .either_end()
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.cip", Ip, "address of the client"),
    field("fd", "fd.sip", Ip, "address of the server"),
    field("fd", "fd.lip", Ip, "address of this end"),
    field("fd", "fd.rip", Ip, "address of the other end"),
    field("fd", "fd.port", Port, "port of either end")
        .either_end()
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.cport", Port, "port of the client"),
    field("fd", "fd.sport", Port, "port of the server"),
    field("fd", "fd.lport", Port, "port of this end"),
    field("fd", "fd.rport", Port, "port of the other end"),
    field("fd", "fd.l4proto", Text, "tcp, udp, icmp or raw"),
    field("fd", "fd.sockfamily", Text, "ip or unix"),
    field("fd", "fd.is_server", Bool, "is the server's end"),
    field("fd", "fd.uid", Text, "thread id and descriptor in one"),
    field("fd", "fd.containername", Text, "container id and fd.name"),
    field(
        "fd",
        "fd.containerdirectory",
        Text,
        "container id and fd.directory",
    ),
    field(
        "fd",
        "fd.proto",
        Port,
        "port of either end; service names will do",
    )
    .either_end()
    .no_rhs()
    .no_transformers()
    .filter_only(),
    field("fd", "fd.cproto", Text, "service of the client's port"),
    field("fd", "fd.sproto", Text, "service of the server's port"),
    field("fd", "fd.lproto", Text, "service of this end's port"),
    field("fd", "fd.rproto", Text, "service of the other end's port"),
    field("fd", "fd.net", Net, "network of either end")
        .either_end()
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.cnet", Net, "network of the client")
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.snet", Net, "network of the server")
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.lnet", Net, "network of this end")
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.rnet", Net, "network of the other end")
        .no_rhs()
        .no_transformers()
        .filter_only(),
    field("fd", "fd.connected", Bool, "the socket is connected"),
    field("fd", "fd.name_changed", Bool, "the event changed fd.name"),
    field(
        "fd",
        "fd.cip.name",
        Text,
        "host name of the client's address",
    )
    .no_rhs()
    .no_transformers(),
    field(
        "fd",
        "fd.sip.name",
        Text,
        "host name of the server's address",
    )
    .no_rhs()
    .no_transformers(),
    field("fd", "fd.lip.name", Text, "host name of this end's address")
        .no_rhs()
        .no_transformers(),
    field(
        "fd",
        "fd.rip.name",
        Text,
        "host name of the other end's address",
    )
    .no_rhs()
    .no_transformers(),
    field("fd", "fd.dev", Int, "device of the file, in hexadecimal").printed(PrintFormat::Hex),
    field("fd", "fd.dev.major", Int, "major number of the device"),
    field("fd", "fd.dev.minor", Int, "minor number of the device"),
    field("fd", "fd.ino", Int, "inode of the file"),
    field("fd", "fd.nameraw", Text, "path as the program passed it"),
    field(
        "fd",
        "fd.resolved_name",
        Text,
        "path of the file as the kernel has it, links and .. gone (Peregrine's own)",
    ),
    field(
        "fd",
        "fd.types",
        Text,
        "types of all descriptors, or of one",
    )
    .optional(ArgumentSyntax::Index)
    .list()
    .no_rhs(),
    field(
        "fd",
        "fd.is_upper_layer",
        Bool,
        "the file is in the container's own layer",
    ),
    field(
        "fd",
        "fd.is_lower_layer",
        Bool,
        "the file is in the image's layers",
    ),
    field(
        "fs.path",
        "fs.path.name",
        Text,
        "path of a call on one path, made absolute",
    ),
    field(
        "fs.path",
        "fs.path.nameraw",
        Text,
        "that path as the program passed it",
    ),
    field(
        "fs.path",
        "fs.path.source",
        Text,
        "source of a rename, link, symlink or mount, made absolute",
    ),
    field(
        "fs.path",
        "fs.path.sourceraw",
        Text,
        "that source as the program passed it",
    ),
    field(
        "fs.path",
        "fs.path.target",
        Text,
        "target of a rename, link, symlink or mount, made absolute",
    ),
    field(
        "fs.path",
        "fs.path.targetraw",
        Text,
        "that target as the program passed it",
    ),
    field(
        "fs.path",
        "fs.path.resolved_name",
        Text,
        "what the kernel found under the path of a call on one (Peregrine's own)",
    ),
    field(
        "fs.path",
        "fs.path.resolved_source",
        Text,
        "what the kernel found under the source (Peregrine's own)",
    ),
    field(
        "fs.path",
        "fs.path.resolved_target",
        Text,
        "what the kernel found under the target (Peregrine's own)",
    ),
    field("fdlist", "fdlist.nums", Text, "descriptors of a poll"),
    field(
        "fdlist",
        "fdlist.names",
        Text,
        "names of the polled descriptors",
    ),
    field(
        "fdlist",
        "fdlist.cips",
        Text,
        "client addresses of the polled sockets",
    ),
    field(
        "fdlist",
        "fdlist.sips",
        Text,
        "server addresses of the polled sockets",
    ),
    field(
        "fdlist",
        "fdlist.cports",
        Text,
        "client ports of the polled sockets",
    ),
    field(
        "fdlist",
        "fdlist.sports",
        Text,
        "server ports of the polled sockets",
    ),
];
