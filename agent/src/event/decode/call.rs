//! System calls in general, and what their descriptors stand for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_ebpf::{CallPart, DescriptorPart, QueuePart, SectionTag, TRUNCATED, UNREADABLE};

use super::cursor::{Cursor, Section};
use super::{DecodeError, address, unix_name};
use crate::event::{Call, CallPath, File, KernelPath, Object, Queue, Socket, SocketAddress, Text};

pub(super) fn call<'r>(cursor: &mut Cursor<'r>) -> Result<Call<'r>, DecodeError> {
    let part: CallPart = cursor.take()?;
    let [one, two, three, four, five, six, _, requested] = part.values;
    let mut call = Call {
        arguments: [one, two, three, four, five, six],
        requested,
        ..Call::default()
    };
    let mut about = DescriptorSections::default();
    loop {
        let before = cursor.rest;
        let Some(section) = cursor.section()? else {
            break;
        };
        if section.tag == Some(SectionTag::Listed) {
            // This and all that follows is about the list.
            if call.listed.sections.is_empty() {
                call.listed.sections = before;
            }
            call.listed.truncated |= section.has(TRUNCATED | UNREADABLE);
        }
        if !call.listed.sections.is_empty() {
            // Looked at when it is asked for; that it can be is found out now.
            DescriptorSections::default().take(section)?;
            continue;
        }
        if about.take(section)? {
            continue;
        }
        let mut set_path = |index: usize| {
            let slot: &mut Option<CallPath<'r>> = &mut call.paths[index];
            slot.get_or_insert_default().path = section.text();
        };
        match section.tag {
            Some(SectionTag::Path) => set_path(0),
            Some(SectionTag::SecondPath) => set_path(1),
            Some(SectionTag::Base) => {
                call.paths[0].get_or_insert_default().base = Some(section.path());
            }
            Some(SectionTag::SecondBase) => {
                call.paths[1].get_or_insert_default().base = Some(section.path());
            }
            Some(SectionTag::UsedPath) => {
                call.paths[0].get_or_insert_default().used = Some(section.path());
            }
            Some(SectionTag::SecondUsedPath) => {
                call.paths[1].get_or_insert_default().used = Some(section.path());
            }
            Some(SectionTag::FirstText) => call.texts[0] = section.readable(),
            Some(SectionTag::SecondText) => call.texts[1] = section.readable(),
            Some(SectionTag::ThirdText) => call.texts[2] = section.readable(),
            Some(SectionTag::FirstMemory) => call.memory[0] = section.memory(),
            Some(SectionTag::SecondMemory) => call.memory[1] = section.memory(),
            Some(SectionTag::ThirdMemory) => call.memory[2] = section.memory(),
            Some(SectionTag::Buffer) => call.buffer = section.readable(),
            Some(SectionTag::Control) => call.control = section.readable(),
            Some(SectionTag::Address) => call.address = section.memory().and_then(socket_address),
            Some(SectionTag::Queue) => {
                let part: QueuePart = Cursor::new(section.bytes).take()?;
                call.queue = Some(Queue {
                    length: part.length,
                    limit: part.limit,
                });
            }
            _ => {}
        }
    }
    call.object = about.object();
    Ok(call)
}

/// The sections about a descriptor.
#[derive(Clone, Copy, Default)]
pub(super) struct DescriptorSections<'r> {
    part: Option<DescriptorPart>,
    path: Option<KernelPath<'r>>,
    own_path: Text<'r>,
    peer_path: Text<'r>,
}

impl<'r> DescriptorSections<'r> {
    /// Takes a section if it is one of them; whether it was.
    pub(super) fn take(&mut self, section: Section<'r>) -> Result<bool, DecodeError> {
        match section.tag {
            Some(SectionTag::Descriptor) => {
                self.part = Some(Cursor::new(section.bytes).take()?);
            }
            Some(SectionTag::DescriptorPath) => self.path = Some(section.path()),
            Some(SectionTag::OwnPath) => self.own_path = unix_name(section.text()),
            Some(SectionTag::PeerPath) => self.peer_path = unix_name(section.text()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the descriptor stands for; `None` if it is not open.
    pub(super) fn object(self) -> Option<Object<'r>> {
        let part = self.part.filter(|part| part.inode_mode != 0)?;
        Some(object(&part, self.path, self.own_path, self.peer_path))
    }
}

fn object<'r>(
    part: &DescriptorPart,
    path: Option<KernelPath<'r>>,
    own_path: Text<'r>,
    peer_path: Text<'r>,
) -> Object<'r> {
    let socket = match i32::from(part.family) {
        0 => {
            return Object::File(File {
                path,
                inode_mode: part.inode_mode,
                flags: part.file_flags,
                device: part.device,
                inode: part.inode,
            });
        }
        libc::AF_UNIX => Socket::Unix {
            path: peer_path,
            pointers: (part.own_pointer, part.peer_pointer),
            socket_type: part.socket_type,
        },
        _ => match (
            address(part.family, part.local),
            address(part.family, part.remote),
        ) {
            (Some(local), Some(remote)) => Socket::Inet {
                local: (local, part.local_port),
                remote: (remote, part.remote_port),
                protocol: part.protocol,
                socket_type: part.socket_type,
            },
            _ => Socket::Other {
                family: part.family,
            },
        },
    };
    Object::Socket {
        socket,
        state: part.state,
        own_path,
        inode: part.inode,
    }
}

/// A `struct sockaddr` of any family; `None` if it is too short to have one.
pub(super) fn socket_address(bytes: &[u8]) -> Option<SocketAddress<'_>> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let family = u16::from_ne_bytes(*family);
    let port = || {
        rest.first_chunk::<2>()
            .map(|port| u16::from_be_bytes(*port))
    };
    Some(match i32::from(family) {
        libc::AF_INET => {
            let octets = *rest.get(2..)?.first_chunk::<4>()?;
            SocketAddress::Inet(Ipv4Addr::from(octets).into(), port()?)
        }
        // Four bytes of flow information come between.
        libc::AF_INET6 => {
            let octets = *rest.get(6..)?.first_chunk::<16>()?;
            let address = IpAddr::from(Ipv6Addr::from(octets)).to_canonical();
            SocketAddress::Inet(address, port()?)
        }
        libc::AF_UNIX => SocketAddress::Unix(unix_name(Text {
            bytes: rest,
            truncated: false,
        })),
        _ => SocketAddress::Other(family),
    })
}
