//! The `fd.*` fields: the file or socket that an event is about.

use std::net::IpAddr;

use super::path_text::{directory, file_name, join_normalised};
use super::{Context, Extractor, FileNames, Value, connection};
use crate::event::{Connect, Event, Open, Payload, Socket};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "fd.num" => |context, _| match &context.event.payload {
            Payload::Open(_) => context
                .origin()
                .result
                .map(|result| Value::Int(result.max(-1))),
            Payload::Connect(connect) => Some(Value::Int(i64::from(connect.fd))),
            _ => None,
        },
        "fd.name" => |context, _| match &context.event.payload {
            Payload::Open(_) => context.file_name().map(Value::text),
            _ => connection::name(context).map(|name| Value::Bytes(name.into())),
        },
        "fd.nameraw" => |context, _| match &context.event.payload {
            Payload::Open(open) => Some(Value::Bytes(squeeze_slashes(open.path.bytes).into())),
            _ => None,
        },
        "fd.directory" => |context, _| {
            let open = open(context)?;
            let name = context.file_name()?;
            Some(Value::text(if is_directory(open) {
                name
            } else {
                directory(name)
            }))
        },
        "fd.filename" => |context, _| {
            let open = open(context)?;
            (succeeded(context) && !is_directory(open))
                .then(|| context.file_name().map(file_name).map(Value::text))?
        },
        "fd.type" => |context, _| match &context.event.payload {
            Payload::Open(open) if succeeded(context) => Some(Value::text(if is_directory(open) {
                b"directory"
            } else {
                b"file"
            })),
            Payload::Connect(connect) => {
                Some(Value::text(match connection::type_character(connect) {
                    '4' => b"ipv4",
                    '6' => b"ipv6",
                    'u' => b"unix",
                    'n' => b"netlink",
                    _ => return None,
                }))
            }
            _ => None,
        },
        "fd.typechar" => |context, _| match &context.event.payload {
            Payload::Open(open) => {
                let directory = succeeded(context) && is_directory(open);
                Some(Value::text(if directory { b"d" } else { b"f" }))
            }
            Payload::Connect(connect) => {
                Some(Value::text(match connection::type_character(connect) {
                    '4' => b"4",
                    '6' => b"6",
                    'u' => b"u",
                    'n' => b"n",
                    _ => b"o",
                }))
            }
            _ => None,
        },
        "fd.ip" => |context, _| both(context, |end| Value::Ip(end.0)),
        "fd.port" => |context, _| both(context, |end| Value::Uint(u64::from(end.1))),
        "fd.net" => |context, _| both(context, |end| Value::Ip(end.0)),
        // The caller of connect is the client, and its end is the local one.
        "fd.cip" | "fd.lip" | "fd.cnet" | "fd.lnet" => {
            |context, _| context.endpoints().map(|(local, _)| Value::Ip(local.0))
        }
        "fd.sip" | "fd.rip" | "fd.snet" | "fd.rnet" => {
            |context, _| context.endpoints().map(|(_, remote)| Value::Ip(remote.0))
        }
        "fd.cport" | "fd.lport" => |context, _| {
            context
                .endpoints()
                .map(|(local, _)| Value::Uint(u64::from(local.1)))
        },
        "fd.sport" | "fd.rport" => |context, _| {
            context
                .endpoints()
                .map(|(_, remote)| Value::Uint(u64::from(remote.1)))
        },
        "fd.l4proto" => |context, _| {
            connect(context)?
                .protocol()
                .map(|name| Value::text(name.as_bytes()))
        },
        "fd.sockfamily" => |context, _| {
            Some(Value::text(match connect(context)?.socket? {
                Socket::Inet { .. } => b"ip",
                Socket::Unix { .. } => b"unix",
                Socket::Other { .. } => return None,
            }))
        },
        "fd.is_server" => |context, _| context.endpoints().map(|_| Value::Bool(false)),
        "fd.connected" => |context, _| {
            connect(context)?.socket?;
            let result = context.origin().result?;
            Some(Value::Bool(
                result >= 0 || result == -i64::from(libc::EINPROGRESS),
            ))
        },
        "fd.name_changed" => |context, _| connect(context).map(|_| Value::Bool(succeeded(context))),
        "fd.uid" => |context, _| {
            let number = match &context.event.payload {
                Payload::Open(_) => context.origin().result.filter(|result| *result >= 0)?,
                Payload::Connect(connect) => i64::from(connect.fd),
                _ => return None,
            };
            Some(Value::Bytes(
                format!("{}{number}", context.origin().tid)
                    .into_bytes()
                    .into(),
            ))
        },
        "fd.containername" => |context, _| {
            let name = context.file_name()?;
            let id = super::container::id(context)?;
            Some(Value::Bytes([id, b":", name].concat().into()))
        },
        "fd.containerdirectory" => |context, _| {
            let name = context.file_name()?;
            let id = super::container::id(context)?;
            Some(Value::Bytes([id, b":", directory(name)].concat().into()))
        },
        "fd.dev" => |context, _| file(context).map(|open| Value::Int(i64::from(open.device()))),
        "fd.dev.major" => {
            |context, _| file(context).map(|open| Value::Int(i64::from(open.dev >> 20)))
        }
        "fd.dev.minor" => {
            |context, _| file(context).map(|open| Value::Int(i64::from(open.dev & 0xf_ffff)))
        }
        "fd.ino" => |context, _| file(context).map(|open| Value::Int(open.inode.cast_signed())),
        _ => return None,
    })
}

/// `S_IFMT`, `S_IFDIR`
const TYPE_MASK: u32 = 0o170_000;
const TYPE_DIRECTORY: u32 = 0o040_000;

impl Open<'_> {
    /// The device number as user space encodes it (`stat(2)`).
    pub(super) fn device(&self) -> u32 {
        let (major, minor) = (self.dev >> 20, self.dev & 0xf_ffff);
        (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
    }
}

/// Fills in both names of the file that an event opened, or tried to.
pub fn file_names(event: &Event<'_>, names: &mut FileNames) {
    names.passed.clear();
    names.kernel.clear();
    let Payload::Open(open) = &event.payload else {
        return;
    };
    if let Some(opened) = &open.opened {
        opened.write_to(&mut names.kernel);
    }
    if open.path.bytes.is_empty() {
        // The memory with the path was gone, or another thread emptied it.
        names.passed.extend_from_slice(&names.kernel);
        return;
    }
    let base = open
        .base
        .as_ref()
        .map(crate::event::KernelPath::to_vec)
        .unwrap_or_default();
    join_normalised(&base, open.path.bytes, &mut names.passed);
}

fn open<'c>(context: &Context<'c>) -> Option<&'c Open<'c>> {
    match &context.event.payload {
        Payload::Open(open) => Some(open),
        _ => None,
    }
}

/// The open, if it succeeded.
fn file<'c>(context: &Context<'c>) -> Option<&'c Open<'c>> {
    open(context).filter(|_| succeeded(context))
}

fn connect<'c>(context: &Context<'c>) -> Option<&'c Connect<'c>> {
    match &context.event.payload {
        Payload::Connect(connect) => Some(connect),
        _ => None,
    }
}

fn succeeded(context: &Context<'_>) -> bool {
    context.origin().result.is_some_and(|result| result >= 0)
}

/// Whether a directory was opened: known from the inode, not only from the flags as in Falco.
fn is_directory(open: &Open<'_>) -> bool {
    open.inode_mode & TYPE_MASK == TYPE_DIRECTORY
}

fn both<'c>(
    context: &Context<'c>,
    value: impl Fn((IpAddr, u16)) -> Value<'c>,
) -> Option<Value<'c>> {
    let (local, remote) = context.endpoints()?;
    Some(Value::List(vec![value(local), value(remote)]))
}

fn squeeze_slashes(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for byte in path {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    out
}
