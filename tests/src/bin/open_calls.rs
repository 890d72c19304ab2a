//! Opens a file by each call of the open family, with a relative path and with a directory's
//! descriptor. Argument: a folder in which `target` is.
#![expect(clippy::expect_used, reason = "a program of the tests")]

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

fn main() {
    let folder = std::env::args_os()
        .nth(1)
        .expect("usage: open_calls FOLDER");
    std::env::set_current_dir(&folder).expect("the folder can be entered");
    let folder = CString::new(folder.into_vec()).expect("no NUL");
    let name = c"./sub/../target";
    // SAFETY: every path is NUL-terminated and lives on; the structure of openat2 is complete.
    unsafe {
        let directory = libc::open(folder.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY);
        assert!(directory >= 0);
        assert!(libc::chdir(c"/".as_ptr()) == 0);
        assert!(
            libc::syscall(
                libc::SYS_openat,
                directory,
                name.as_ptr(),
                libc::O_RDONLY,
                0
            ) >= 0
        );
        let how = [libc::O_RDONLY as u64, 0, 0];
        assert!(
            libc::syscall(
                libc::SYS_openat2,
                directory,
                name.as_ptr(),
                how.as_ptr(),
                24_usize
            ) >= 0
        );
        assert!(libc::fchdir(directory) == 0);
        assert!(libc::syscall(libc::SYS_open, name.as_ptr(), libc::O_RDONLY, 0) >= 0);
        assert!(libc::syscall(libc::SYS_creat, c"made".as_ptr(), 0o600) >= 0);
    }
}
