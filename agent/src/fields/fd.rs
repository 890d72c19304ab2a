//! The `fd.*` fields: the file or socket that an event is about.

use std::net::IpAddr;

use super::call_path::call_names;
use super::connection::{Connection, End, Role};
use super::descriptor::{Subject, file_kind, is_directory, kernel_name, number, subject};
use super::path_text::{directory, file_name, join_normalised};
use super::resolved::OPENED;
use super::{Context, Extractor, FileNames, Value};
use crate::event::{Event, EventType, Open, OverlayLayer, Payload};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "fd.num" => |context, _| number(context).map(Value::Int),
        "fd.name" => |context, _| name_of(context),
        "fd.nameraw" => |context, _| match &context.event.payload {
            Payload::Open(open) => Some(Value::Bytes(squeeze_slashes(open.path.bytes).into())),
            _ => name_of(context),
        },
        OPENED => |context, _| match subject(context)? {
            Subject::Opened(_) => {
                let name = &context.names.kernel;
                (!name.is_empty()).then(|| Value::text(name))
            }
            Subject::File(_) | Subject::Directory(_) => name_of(context),
            Subject::Socket(_) => None,
        },
        "fd.is_upper_layer" => |context, _| in_layer(context, OverlayLayer::Upper),
        "fd.is_lower_layer" => |context, _| in_layer(context, OverlayLayer::Lower),
        "fd.directory" => |context, _| directory_of(context),
        "fd.filename" => |context, _| match subject(context)? {
            Subject::Opened(open) => {
                let is_file = succeeded(context) && !is_directory(open.inode_mode);
                is_file.then(|| context.file_name().map(file_name).map(Value::text))?
            }
            Subject::File(file) if file_kind(file).0 == "file" => {
                let name = kernel_name(file.path.as_ref()?);
                Some(Value::Bytes(file_name(&name).to_vec().into()))
            }
            _ => None,
        },
        "fd.type" => |context, _| kind(context).map(|(name, _)| Value::text(name.as_bytes())),
        "fd.typechar" => |context, _| {
            let character = kind(context).map(|(_, character)| character);
            let character = character.or_else(|| character_of_event(context.event.event_type))?;
            Some(Value::text(character.as_bytes()))
        },
        "fd.ip" => |context, _| both(context, |end| Value::Ip(end.0)),
        "fd.port" | "fd.proto" => |context, _| both(context, |end| Value::Uint(u64::from(end.1))),
        "fd.net" => |context, _| both(context, |end| Value::Ip(end.0)),
        "fd.cip" | "fd.cnet" => |context, _| ip(socket(context)?.client()),
        "fd.sip" | "fd.snet" => |context, _| ip(socket(context)?.server()),
        "fd.lip" | "fd.lnet" => |context, _| ip(local(context)),
        "fd.rip" | "fd.rnet" => |context, _| ip(remote(context)),
        "fd.cport" => |context, _| port(socket(context)?.client()),
        "fd.sport" => |context, _| port(socket(context)?.server()),
        "fd.lport" => |context, _| port(local(context)),
        "fd.rport" => |context, _| port(remote(context)),
        "fd.cproto" => |context, _| service(context, socket(context)?.client()),
        "fd.sproto" => |context, _| service(context, socket(context)?.server()),
        "fd.lproto" => |context, _| service(context, local(context)),
        "fd.rproto" => |context, _| service(context, remote(context)),
        "fd.l4proto" => |context, _| {
            socket(context)?
                .protocol()
                .map(|name| Value::text(name.as_bytes()))
        },
        "fd.sockfamily" => |context, _| {
            socket(context)?
                .family()
                .map(|name| Value::text(name.as_bytes()))
        },
        "fd.is_server" => |context, _| {
            let role = socket(context)?.role?;
            Some(Value::Bool(role == Role::Server))
        },
        "fd.connected" => |context, _| Some(Value::Bool(socket(context)?.connected)),
        "fd.name_changed" => |context, _| match subject(context)? {
            Subject::Socket(connection) => {
                let named =
                    matches!(context.event.payload, Payload::Connect(_)) || !connection.connected;
                Some(Value::Bool(
                    succeeded(context) && named && connection.destination_passed,
                ))
            }
            _ => Some(Value::Bool(false)),
        },
        "fd.uid" => |context, _| {
            let number = number(context).filter(|number| *number >= 0)?;
            let text = format!("{}{number}", context.origin().tid);
            Some(Value::Bytes(text.into_bytes().into()))
        },
        "fd.containername" => |context, _| in_container(context, name_of(context)?),
        "fd.containerdirectory" => |context, _| in_container(context, directory_of(context)?),
        "fd.dev" => |context, _| device(context).map(|device| Value::Int(encoded(device).into())),
        "fd.dev.major" => {
            |context, _| device(context).map(|device| Value::Int((device >> 20).into()))
        }
        "fd.dev.minor" => {
            |context, _| device(context).map(|device| Value::Int((device & 0xf_ffff).into()))
        }
        "fd.ino" => |context, _| match subject(context)? {
            Subject::Opened(open) => {
                succeeded(context).then(|| Value::Int(open.inode.cast_signed()))
            }
            Subject::File(file) => Some(Value::Int(file.inode.cast_signed())),
            _ => None,
        },
        _ => return None,
    })
}

/// The device number as user space encodes it (`stat(2)`).
pub(super) fn encoded(device: u32) -> u32 {
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Fills in both names of what an event is about: the file that it opened or tried to, or a call's paths.
pub fn file_names(event: &Event<'_>, names: &mut FileNames) {
    names.passed.clear();
    names.kernel.clear();
    let open = match &event.payload {
        Payload::Open(open) => open,
        Payload::Call(call) => return call_names(call, names),
        _ => return,
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

/// `fd.name`
pub(super) fn name_of<'c>(context: &Context<'c>) -> Option<Value<'c>> {
    match subject(context)? {
        Subject::Opened(_) => context.file_name().map(Value::text),
        Subject::File(file) => Some(Value::Bytes(kernel_name(file.path.as_ref()?).into())),
        Subject::Directory(path) => Some(Value::Bytes(path.to_vec().into())),
        Subject::Socket(connection) => connection.name().map(|name| Value::Bytes(name.into())),
    }
}

fn directory_of<'c>(context: &Context<'c>) -> Option<Value<'c>> {
    match subject(context)? {
        Subject::Opened(open) => {
            let name = context.file_name()?;
            Some(Value::text(if is_directory(open.inode_mode) {
                name
            } else {
                directory(name)
            }))
        }
        Subject::File(file) => {
            let name = kernel_name(file.path.as_ref()?);
            match file_kind(file).0 {
                "directory" => Some(Value::Bytes(name.into())),
                "file" => Some(Value::Bytes(directory(&name).to_vec().into())),
                _ => None,
            }
        }
        Subject::Directory(path) => Some(Value::Bytes(path.to_vec().into())),
        Subject::Socket(_) => None,
    }
}

/// `fd.type` and `fd.typechar`
pub(super) fn kind(context: &Context<'_>) -> Option<(&'static str, &'static str)> {
    match subject(context)? {
        Subject::Opened(open) => succeeded(context).then(|| {
            if is_directory(open.inode_mode) {
                ("directory", "d")
            } else {
                ("file", "f")
            }
        }),
        Subject::File(file) => Some(file_kind(file)),
        Subject::Directory(_) => Some(("directory", "d")),
        Subject::Socket(connection) => kind_of_socket(&connection),
    }
}

/// The same of a socket.
pub(super) fn kind_of_socket(connection: &Connection<'_>) -> Option<(&'static str, &'static str)> {
    match connection.type_character() {
        '4' => Some(("ipv4", "4")),
        '6' => Some(("ipv6", "6")),
        'u' => Some(("unix", "u")),
        'n' => Some(("netlink", "n")),
        _ => None,
    }
}

/// The character that an event stands for when its descriptor does not: a call that failed.
fn character_of_event(event: EventType) -> Option<&'static str> {
    Some(match event.name() {
        "open" | "openat" | "openat2" | "creat" => "f",
        "socket" | "accept" | "accept4" => "4",
        "pipe" | "pipe2" => "p",
        "eventfd" | "eventfd2" => "e",
        "signalfd" | "signalfd4" => "s",
        "timerfd_create" => "t",
        "inotify_init" | "inotify_init1" => "i",
        _ => {
            let definition = event.definition()?;
            return (definition.descriptor != crate::event::table::EventDescriptor::None)
                .then_some("o");
        }
    })
}

fn in_container<'c>(context: &Context<'c>, name: Value<'c>) -> Option<Value<'c>> {
    let Value::Bytes(name) = name else {
        return None;
    };
    let id = super::container::id(context);
    Some(Value::Bytes([id, b":", &name].concat().into()))
}

/// Whether the opened file is in this layer of an overlay.
fn in_layer<'c>(context: &Context<'c>, layer: OverlayLayer) -> Option<Value<'c>> {
    match subject(context)? {
        Subject::Opened(open) if succeeded(context) => Some(Value::Bool(open.layer == Some(layer))),
        _ => None,
    }
}

fn device(context: &Context<'_>) -> Option<u32> {
    match subject(context)? {
        Subject::Opened(open) => succeeded(context).then_some(open.dev),
        Subject::File(file) => Some(file.device),
        _ => None,
    }
}

fn socket<'c>(context: &Context<'c>) -> Option<Connection<'c>> {
    match subject(context)? {
        Subject::Socket(connection) => Some(connection),
        _ => None,
    }
}

fn local(context: &Context<'_>) -> Option<End> {
    socket(context)?.ends().map(|(local, _)| local)
}

fn remote(context: &Context<'_>) -> Option<End> {
    socket(context)?.ends().map(|(_, remote)| remote)
}

fn ip<'c>(end: Option<End>) -> Option<Value<'c>> {
    end.map(|(address, _): (IpAddr, u16)| Value::Ip(address))
}

fn port<'c>(end: Option<End>) -> Option<Value<'c>> {
    end.map(|(_, port)| Value::Uint(u64::from(port)))
}

/// The name that the services file gives a port; its number if it gives none.
fn service<'c>(context: &Context<'c>, end: Option<End>) -> Option<Value<'c>> {
    let (_, port) = end?;
    let protocol = socket(context)?.protocol()?;
    let name = crate::state::service_name(port, protocol);
    Some(match name {
        Some(name) => Value::text(name.as_bytes()),
        None => Value::Bytes(port.to_string().into_bytes().into()),
    })
}

fn succeeded(context: &Context<'_>) -> bool {
    context.origin().result.is_some_and(|result| result >= 0)
}

/// Both ends; of a bound socket its only one.
fn both<'c>(context: &Context<'c>, value: impl Fn(End) -> Value<'c>) -> Option<Value<'c>> {
    let connection = socket(context)?;
    let ends = [connection.local, connection.remote];
    let values: Vec<_> = ends.into_iter().flatten().map(value).collect();
    (!values.is_empty()).then_some(Value::List(values))
}

impl Open<'_> {
    /// The device number as user space encodes it (`stat(2)`).
    pub(super) fn device(&self) -> u32 {
        encoded(self.dev)
    }
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
