//! Calls about files, by path and by descriptor.

use super::{
    Buffer, Category, Commands, DECIMAL, EventDefinition, Flow, HEX, Kind, NEW_FD, RES, Source,
    choice, fd, flags, gid, hex, int, mode, number, parameter, path, path_at, text, uid,
};

const FILE: Category = Category::File;

/// The entries.
#[rustfmt::skip] // One event a line reads as the table that it is.
pub(super) static EVENTS: &[EventDefinition] = &[
    call("mkdir", libc::SYS_mkdir, &[RES, path("path", 1), hex("mode", 2)]),
    call("mkdirat", libc::SYS_mkdirat, &[RES, fd("dirfd", 1), path_at("path", 2, 1), hex("mode", 3)]).directory(1),
    call("rmdir", libc::SYS_rmdir, &[RES, path("path", 1)]),
    call("unlink", libc::SYS_unlink, &[RES, path("path", 1)]),
    call("unlinkat", libc::SYS_unlinkat, &[RES, fd("dirfd", 1), path_at("name", 2, 1), flags("flags", 3, &flags::UNLINKAT)]).directory(1),
    call("rename", libc::SYS_rename, &[RES, path("oldpath", 1), path("newpath", 2)]),
    call("renameat", libc::SYS_renameat, &[RES, fd("olddirfd", 1), path_at("oldpath", 2, 1), fd("newdirfd", 3), path_at("newpath", 4, 3)]),
    call("renameat2", libc::SYS_renameat2, &[RES, fd("olddirfd", 1), path_at("oldpath", 2, 1), fd("newdirfd", 3), path_at("newpath", 4, 3), flags("flags", 5, &flags::RENAMEAT2)]),
    call("link", libc::SYS_link, &[RES, path("oldpath", 1), path("newpath", 2)]),
    call("linkat", libc::SYS_linkat, &[RES, fd("olddir", 1), path_at("oldpath", 2, 1), fd("newdir", 3), path_at("newpath", 4, 3), flags("flags", 5, &flags::LINKAT)]),
    call("symlink", libc::SYS_symlink, &[RES, text("target", 1), path("linkpath", 2)]),
    call("symlinkat", libc::SYS_symlinkat, &[RES, text("target", 1), fd("linkdirfd", 2), path_at("linkpath", 3, 2)]).directory(2),
    call("chmod", libc::SYS_chmod, &[RES, path("filename", 1), mode("mode", 2)]),
    call("fchmod", libc::SYS_fchmod, &[RES, fd("fd", 1), mode("mode", 2)]).fd(1),
    call("fchmodat", libc::SYS_fchmodat, &[RES, fd("dirfd", 1), path_at("filename", 2, 1), mode("mode", 3)]).directory(1),
    call("chown", libc::SYS_chown, &[RES, path("path", 1), uid("uid", 2), gid("gid", 3)]),
    call("lchown", libc::SYS_lchown, &[RES, path("path", 1), uid("uid", 2), gid("gid", 3)]),
    call("fchown", libc::SYS_fchown, &[RES, fd("fd", 1), uid("uid", 2), gid("gid", 3)]).fd(1),
    call("fchownat", libc::SYS_fchownat, &[RES, fd("dirfd", 1), path_at("pathname", 2, 1), uid("uid", 3), gid("gid", 4), flags("flags", 5, &flags::FCHOWNAT)]).directory(1),
    call("mknod", libc::SYS_mknod, &[RES, path("path", 1), mode("mode", 2), number("dev", 3)]),
    call("mknodat", libc::SYS_mknodat, &[RES, fd("dirfd", 1), path_at("path", 2, 1), mode("mode", 3), number("dev", 4)]).directory(1),
    call("stat", libc::SYS_stat, &[RES, path("path", 1)]).traced_as("newstat"),
    call("lstat", libc::SYS_lstat, &[RES, path("path", 1)]).traced_as("newlstat"),
    call("fstat", libc::SYS_fstat, &[RES, fd("fd", 1)]).traced_as("newfstat").fd(1),
    call("newfstatat", libc::SYS_newfstatat, &[RES, fd("dirfd", 1), path_at("path", 2, 1), flags("flags", 4, &flags::NEWFSTATAT)]).directory(1),
    call("access", libc::SYS_access, &[RES, path("name", 1), flags("mode", 2, &flags::ACCESS)]),
    call("chdir", libc::SYS_chdir, &[RES, text("path", 1)]),
    call("fchdir", libc::SYS_fchdir, &[RES, fd("fd", 1)]).fd(1),
    call("getcwd", libc::SYS_getcwd, &[RES, text("path", 1)]),
    call("getdents", libc::SYS_getdents, &[RES, fd("fd", 1)]).fd(1),
    call("getdents64", libc::SYS_getdents64, &[RES, fd("fd", 1)]).fd(1),
    call("flock", libc::SYS_flock, &[RES, fd("fd", 1), flags("operation", 2, &flags::FLOCK)]).fd(1),
    call("lseek", libc::SYS_lseek, &[RES, fd("fd", 1), number("offset", 2), choice("whence", 3, &flags::LSEEK)]).fd(1),
    call("copy_file_range", libc::SYS_copy_file_range, &[RES, fd("fdout", 3), parameter("offout", DECIMAL, Source::Memory(4, 0, 8)), fd("fdin", 1), parameter("offin", DECIMAL, Source::Memory(2, 0, 8)), number("len", 5)]).fd(3).flow(Flow::Both),
    call("open_by_handle_at", libc::SYS_open_by_handle_at, &[NEW_FD, fd("mountfd", 1), flags("flags", 3, &flags::FILE), parameter("path", Kind::Path, Source::Field("fd.name")), parameter("dev", HEX, Source::Field("fd.dev")), parameter("ino", DECIMAL, Source::Field("fd.ino"))]).makes_fd(),
    call("userfaultfd", libc::SYS_userfaultfd, &[RES, flags("flags", 1, &flags::FILE)]).makes_fd(),
    call("mount", libc::SYS_mount, &[RES, text("dev", 1), path("dir", 2), text("type", 3), flags("flags", 4, &flags::MOUNT)]),
    // The kernel of x86-64 has one call only, with flags.
    call("umount2", libc::SYS_umount2, &[RES, path("name", 1), flags("flags", 2, &flags::UMOUNT)]).traced_as("umount"),
    EventDefinition::call("chroot", libc::SYS_chroot, Category::Process, &[RES, path("path", 1)]),
    EventDefinition::call("fsconfig", libc::SYS_fsconfig, Category::System, &[RES, fd("fd", 1), choice("cmd", 2, &flags::FSCONFIG), text("key", 3), parameter("value_bytebuf", Kind::Bytes, Source::BufferOf(5)).in_commands(&BINARY), text("value_charbuf", 4).in_commands(&STRING), int("aux", 5)]).fd(1).moves(Buffer::Plain(4, 5)),
];

/// `FSCONFIG_SET_BINARY`
static BINARY: Commands = Commands::passing(2, &[2]);
/// `FSCONFIG_SET_STRING`, `FSCONFIG_SET_PATH`, `FSCONFIG_SET_PATH_EMPTY`
static STRING: Commands = Commands::passing(2, &[1, 3, 4]);

const fn call(
    name: &'static str,
    syscall: libc::c_long,
    parameters: &'static [super::Parameter],
) -> EventDefinition {
    EventDefinition::call(name, syscall, FILE, parameters)
}
