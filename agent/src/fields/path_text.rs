//! Paths as text: joining and normalising without asking the file system.

/// Appends to `out` the absolute, normalised form of `path` seen from `base`: slashes squeezed, `.`
/// dropped, `..` taking back a component, no slash at the end. Symlinks are not looked at.
///
/// What Falco does for `fd.name`. A relative base leaves a relative result.
pub(super) fn join_normalised(base: &[u8], path: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let is_absolute = path.first() == Some(&b'/');
    let base = if is_absolute { &[] } else { base };
    let rooted = is_absolute || base.first() == Some(&b'/');
    for component in base
        .split(|byte| *byte == b'/')
        .chain(path.split(|byte| *byte == b'/'))
    {
        match component {
            b"" | b"." => {}
            b".." => {
                let keep = memchr::memrchr(b'/', &out[start..]).unwrap_or(0);
                out.truncate(start + keep);
            }
            name => {
                if rooted || out.len() > start {
                    out.push(b'/');
                }
                out.extend_from_slice(name);
            }
        }
    }
    if rooted && out.len() == start {
        out.push(b'/');
    }
}

/// What follows the last slash; the whole if there is none.
pub(super) fn file_name(path: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..])
}

/// What precedes the last slash; the root for what lies in it.
pub(super) fn directory(path: &[u8]) -> &[u8] {
    match memchr::memrchr(b'/', path) {
        Some(0) | None => b"/",
        Some(slash) => &path[..slash],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_and_normalised() {
        for (base, path, expected) in [
            ("/home/u", "x", "/home/u/x"),
            ("/home/u", "../x", "/home/x"),
            ("/home/u", "/etc//passwd", "/etc/passwd"),
            ("/", "a/./b/", "/a/b"),
            ("/", "..", "/"),
            ("/", "../../etc/shadow", "/etc/shadow"),
            ("", "/", "/"),
            ("/a", "", "/a"),
            ("rel", "x", "rel/x"),
        ] {
            let mut out = b"kept".to_vec();
            join_normalised(base.as_bytes(), path.as_bytes(), &mut out);
            assert_eq!(
                String::from_utf8_lossy(&out[4..]),
                expected,
                "{base} + {path}"
            );
        }
    }

    #[test]
    fn parts() {
        for (path, expected_directory, expected_name) in [
            ("/etc/passwd", "/etc", "passwd"),
            ("/x", "/", "x"),
            ("/", "/", ""),
            ("x", "/", "x"),
        ] {
            assert_eq!(
                directory(path.as_bytes()),
                expected_directory.as_bytes(),
                "{path}"
            );
            assert_eq!(
                file_name(path.as_bytes()),
                expected_name.as_bytes(),
                "{path}"
            );
        }
    }
}
