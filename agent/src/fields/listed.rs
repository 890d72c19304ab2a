//! Descriptors that a call has in memory: the `fdlist.*` fields, and the parameters that are made of such a list.

use super::connection::{self, Connection, End};
use super::descriptor::{file_kind, kernel_name};
use super::{Context, Extractor, Value, fd};
use crate::event::table::ListIn;
use crate::event::{Listed, ListedDescriptor, Object, Payload, Socket};

/// What Falco prints for what it does not know.
const UNKNOWN: &[u8] = b"<NA>";
/// Stands for the rest of a list that is not there as a whole.
const MORE: &[u8] = b"...";

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "fdlist.nums" => {
            |context, _| joined(context, |one| Some(one.number().to_string().into_bytes()))
        }
        "fdlist.names" => |context, _| {
            joined(context, |one| {
                let name = one.object.and_then(|object| name_of(context, &object));
                Some(name.unwrap_or_else(|| UNKNOWN.to_vec()))
            })
        },
        "fdlist.cips" => |context, _| joined(context, |one| client(context, one).map(ip)),
        "fdlist.sips" => |context, _| joined(context, |one| server(context, one).map(ip)),
        "fdlist.cports" => |context, _| joined(context, |one| client(context, one).map(port)),
        "fdlist.sports" => |context, _| joined(context, |one| server(context, one).map(port)),
        _ => return None,
    })
}

/// The list that a call has in memory, if it is one of that sort.
fn list<'c>(context: &Context<'c>, fits: fn(ListIn) -> bool) -> Option<Listed<'c>> {
    let definition = context.event.event_type.definition()?;
    match &context.event.payload {
        Payload::Call(call) if definition.listed.is_some_and(fits) => Some(call.listed),
        _ => None,
    }
}

fn polled<'c>(context: &Context<'c>) -> Option<Listed<'c>> {
    list(context, |listed| matches!(listed, ListIn::Polled(..)))
}

/// One of the two descriptors that a call made.
fn made<'c>(context: &Context<'c>, position: u8) -> Option<Object<'c>> {
    let pair = list(context, |listed| matches!(listed, ListIn::Pair(_)))?;
    pair.entries().nth(usize::from(position))?.object
}

/// What the polled descriptors have to say, apart by commas; no value if none has.
fn joined<'c>(
    context: &Context<'c>,
    say: impl Fn(&ListedDescriptor<'c>) -> Option<Vec<u8>>,
) -> Option<Value<'c>> {
    let list = polled(context)?;
    let mut said: Vec<Vec<u8>> = list.entries().filter_map(|one| say(&one)).collect();
    if list.truncated {
        said.push(MORE.to_vec());
    }
    (!said.is_empty()).then(|| Value::Bytes(said.join(&b',').into()))
}

/// `evt.arg.fds`: of each descriptor its number, the character of its type (`?` if it is not open) and what the poll found,
/// in hexadecimal, as `7:f1`; apart by blanks.
pub(super) fn shown<'c>(context: &Context<'c>) -> Option<Value<'c>> {
    let list = polled(context)?;
    let mut said: Vec<String> = list
        .entries()
        .map(|one| {
            let character = one
                .object
                .map_or("?", |object| character_of(context, &object));
            format!("{}:{character}{:x}", one.number(), found(one.returned()))
        })
        .collect();
    if list.truncated {
        said.push("...".to_owned());
    }
    Some(Value::Bytes(said.join(" ").into_bytes().into()))
}

/// `evt.rawarg.fds`: the number of descriptors in 16 bits, then each in 64 with what the poll found in 16.
pub(super) fn raw(context: &Context<'_>) -> Option<Vec<u8>> {
    let list = polled(context)?;
    let number = u16::try_from(list.entries().count()).ok()?;
    let mut bytes = number.to_le_bytes().to_vec();
    for one in list.entries() {
        bytes.extend(i64::from(one.number()).to_le_bytes());
        bytes.extend(found(one.returned()).to_le_bytes());
    }
    Some(bytes)
}

/// The inode of the pipe that a call made.
pub(super) fn inode(context: &Context<'_>) -> Option<u64> {
    match made(context, 0)? {
        Object::File(file) => Some(file.inode),
        Object::Socket { .. } => None,
    }
}

/// The kernel's address of one of the sockets that a call made.
pub(super) fn socket(context: &Context<'_>, position: u8) -> Option<u64> {
    match made(context, position)? {
        Object::Socket {
            socket: Socket::Unix { pointers, .. },
            ..
        } => Some(pointers.0),
        _ => None,
    }
}

/// What a poll found, in the bits that Falco gives it: in, pri, out, rdhup, err, hup, nval, rdnorm, rdband, wrnorm, wrband.
fn found(returned: u16) -> u16 {
    const BITS: [libc::c_short; 11] = [
        libc::POLLIN,
        libc::POLLPRI,
        libc::POLLOUT,
        libc::POLLRDHUP,
        libc::POLLERR,
        libc::POLLHUP,
        libc::POLLNVAL,
        libc::POLLRDNORM,
        libc::POLLRDBAND,
        libc::POLLWRNORM,
        libc::POLLWRBAND,
    ];
    (0..)
        .zip(BITS)
        .filter(|(_, bit)| returned & bit.cast_unsigned() != 0)
        .fold(0, |found, (position, _)| found | 1 << position)
}

fn connection<'c>(context: &Context<'c>, object: &Object<'c>) -> Option<Connection<'c>> {
    connection::of_object(context.event.event_type, object)
}

fn character_of(context: &Context<'_>, object: &Object<'_>) -> &'static str {
    match object {
        Object::File(file) => file_kind(file).1,
        Object::Socket { .. } => connection::of_object(context.event.event_type, object)
            .and_then(|connection| fd::kind_of_socket(&connection))
            .map_or("o", |(_, character)| character),
    }
}

fn name_of(context: &Context<'_>, object: &Object<'_>) -> Option<Vec<u8>> {
    let name = match object {
        Object::File(file) => kernel_name(file.path.as_ref()?),
        Object::Socket { .. } => connection::of_object(context.event.event_type, object)?.name()?,
    };
    (!name.is_empty()).then_some(name)
}

fn client(context: &Context<'_>, one: &ListedDescriptor<'_>) -> Option<End> {
    connection(context, &one.object?)?.client()
}

fn server(context: &Context<'_>, one: &ListedDescriptor<'_>) -> Option<End> {
    connection(context, &one.object?)?.server()
}

fn ip(end: End) -> Vec<u8> {
    end.0.to_string().into_bytes()
}

fn port(end: End) -> Vec<u8> {
    end.1.to_string().into_bytes()
}
