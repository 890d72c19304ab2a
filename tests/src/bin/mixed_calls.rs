//! Makes a known number of ten different system calls a round, in a folder of its own.
//!
//! Arguments: the folder, and how many rounds. Only what goes wrong is said.
#![expect(clippy::expect_used, reason = "a program of the tests")]

use peregrine_tests::system_call;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().expect("usage: mixed_calls FOLDER ROUNDS");
    let rounds = arguments.next().expect("usage: mixed_calls FOLDER ROUNDS");
    let rounds: u32 = rounds
        .to_str()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    std::env::set_current_dir(folder).expect("the folder can be entered");
    for _ in 0..rounds {
        round();
    }
}

fn round() {
    const DONE: i64 = 0;
    // SAFETY: every string ends with NUL, and the descriptors are this function's own.
    unsafe {
        assert_eq!(system_call!(SYS_mkdir, c"old".as_ptr(), 0o700), DONE);
        assert_eq!(
            system_call!(SYS_mkdir, c"no/where".as_ptr(), 0o700),
            -i64::from(libc::ENOENT)
        );
        assert_eq!(system_call!(SYS_chmod, c"old".as_ptr(), 0o711), DONE);
        assert_eq!(
            system_call!(SYS_rename, c"old".as_ptr(), c"new".as_ptr()),
            DONE
        );
        assert_eq!(system_call!(SYS_rmdir, c"new".as_ptr()), DONE);
        let file = system_call!(
            SYS_openat,
            libc::AT_FDCWD,
            c"mixed-file".as_ptr(),
            libc::O_CREAT | libc::O_WRONLY,
            0o600
        );
        let copy = system_call!(SYS_dup, file);
        let socket = system_call!(SYS_socket, libc::AF_UNIX, libc::SOCK_DGRAM, 0);
        assert_eq!(system_call!(SYS_setuid, libc::getuid()), DONE);
        assert_eq!(system_call!(SYS_unlink, c"mixed-file".as_ptr()), DONE);
        for descriptor in [file, copy, socket] {
            assert_eq!(system_call!(SYS_close, descriptor), DONE);
        }
    }
}
