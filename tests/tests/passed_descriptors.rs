//! A file that is used by a descriptor which the process did not get by opening the file.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use peregrine_tests::{Watch, system_call};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// A descriptor that a call made.
fn own(result: i64) -> OwnedFd {
    assert!(result >= 0, "{result}");
    let number = i32::try_from(result).expect("a descriptor is small");
    // SAFETY: the call has just made it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Sends a descriptor over a socket and takes it from the other end.
fn sent_and_received(file: &File) -> OwnedFd {
    let (here, there) = UnixStream::pair().expect("sockets are made");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
    let data = [IoSlice::new(b"x")];
    sendmsg(&here, &data, &mut control, SendFlags::empty()).expect("it is sent");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut room = [IoSliceMut::new(&mut byte)];
    recvmsg(&there, &mut room, &mut control, RecvFlags::empty()).expect("it is received");
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        })
        .expect("the descriptor came")
}

#[test]
fn what_is_read_is_what_the_descriptor_stands_for() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let path = folder
        .path()
        .canonicalize()
        .expect("it exists")
        .join("secret");
    std::fs::write(&path, "of sixteen bytes").expect("a file is written");
    let name = path.to_str().expect("UTF-8");
    // Opened before the agent runs: no event has told it what these descriptors are.
    let file = File::open(&path).expect("it opens");
    let number = file.as_raw_fd();
    let watch = Watch::start(
        &format!("evt.type = pread and fd.name = {name}"),
        &["fd.name", "fd.num", "fd.typechar", "evt.arg.pos"],
    );
    // SAFETY: the calls take numbers, and make descriptors that nobody else has.
    let descriptors = unsafe {
        let process = own(system_call!(SYS_pidfd_open, libc::getpid(), 0));
        [
            own(system_call!(SYS_dup, number)),
            own(system_call!(SYS_dup3, number, 300, libc::O_CLOEXEC)),
            own(system_call!(SYS_fcntl, number, libc::F_DUPFD_CLOEXEC, 400)),
            own(system_call!(
                SYS_pidfd_getfd,
                process.as_raw_fd(),
                number,
                0
            )),
            sent_and_received(&file),
        ]
    };
    drop(file);
    let mut room = [0_u8; 16];
    for (position, descriptor) in descriptors.iter().enumerate() {
        // SAFETY: there is room for so many bytes.
        let read = unsafe {
            system_call!(
                SYS_pread64,
                descriptor.as_raw_fd(),
                room.as_mut_ptr(),
                4_usize,
                position
            )
        };
        assert_eq!(read, 4);
    }
    let mut seen = watch.seen();
    for (position, descriptor) in descriptors.iter().enumerate() {
        seen.take(
            "pread",
            &[
                ("fd.name", name),
                ("fd.num", &descriptor.as_raw_fd().to_string()),
                ("evt.arg.pos", &position.to_string()),
                ("fd.typechar", "f"),
            ],
        );
    }
    assert!(seen.of_type("pread").is_empty());
}
