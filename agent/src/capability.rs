//! Capabilities by name.

/// `capabilities(7)`, by number.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Every one of them.
pub(crate) const ALL: u64 = (1 << NAMES.len()) - 1;

/// The names of a set, lowest number first, with a space between each two.
pub(crate) fn names(set: u64) -> String {
    let names: Vec<&str> = NAMES
        .into_iter()
        .enumerate()
        .filter(|(number, _)| set >> number & 1 == 1)
        .map(|(_, name)| name)
        .collect();
    names.join(" ")
}

/// The set of these names; what is no capability is passed over. Runtimes write `CAP_CHOWN`, and some
/// of them `chown`.
pub(crate) fn set_of<'n>(names: impl IntoIterator<Item = &'n str>) -> u64 {
    names
        .into_iter()
        .filter_map(|name| {
            let is_it = |known: &&str| {
                known.eq_ignore_ascii_case(name) || known["CAP_".len()..].eq_ignore_ascii_case(name)
            };
            NAMES.iter().position(is_it)
        })
        .fold(0, |set, number| set | 1 << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_as_text() {
        for (set, expected) in [
            (0, ""),
            (1, "CAP_CHOWN"),
            (1 << 21 | 1 << 12, "CAP_NET_ADMIN CAP_SYS_ADMIN"),
            (1 << 40, "CAP_CHECKPOINT_RESTORE"),
            (1 << 63, ""),
        ] {
            assert_eq!(names(set), expected);
        }
    }

    #[test]
    fn names_as_a_set() {
        for (listed, expected) in [
            (&[][..], 0),
            (&["CAP_CHOWN", "cap_kill", "NET_RAW"], 1 | 1 << 5 | 1 << 13),
            (&["", "CAP_", "CAP_NONE"], 0),
        ] {
            assert_eq!(set_of(listed.iter().copied()), expected, "{listed:?}");
        }
    }
}
