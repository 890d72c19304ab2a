//! `pmatch`: is a path one of these, or below one?

use super::glob::glob_matches;

/// Paths, split into components; empty components do not count.
#[derive(Clone, Debug)]
pub(super) struct PathSet {
    paths: Vec<Vec<Vec<u8>>>,
}

impl PathSet {
    pub(super) fn new(paths: &[&[u8]]) -> Self {
        let split = |path: &&[u8]| components(path).map(<[u8]>::to_vec).collect();
        Self {
            paths: paths.iter().map(split).collect(),
        }
    }

    /// How many paths.
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether some path of the set is a prefix of `path`, component by component. A component of the
    /// set with `?`, `*` or `[` is a pattern.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|prefix| {
            let mut rest = components(path);
            prefix.iter().all(|wanted| {
                rest.next().is_some_and(|component| {
                    if wanted.iter().any(|byte| b"?*[".contains(byte)) {
                        glob_matches(wanted, component)
                    } else {
                        wanted == component
                    }
                })
            })
        })
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|component| !component.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_by_component() {
        let set = PathSet::new(&[&b"/var/run"[..], b"/home/*/.ssh/"]);
        for (path, expected) in [
            ("/var/run", true),
            ("/var/run/x", true),
            ("/var//run/", true),
            ("/var/runner", false),
            ("/home/u/.ssh/id", true),
            ("/home/u/x/.ssh", false),
            ("/", false),
        ] {
            assert_eq!(set.matches(path.as_bytes()), expected, "{path}");
        }
    }
}
