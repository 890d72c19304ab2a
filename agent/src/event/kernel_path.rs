//! A path as the kernel side walked it.

/// A path from a walk over dentries: its components leaf first, each with its length before it.
///
/// The kernel side finds the leaf first and must not spend time on turning it round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelPath<'r> {
    /// For each component, the last of the path first: its length as a word of 8 bytes, then its bytes, filled
    /// up to a multiple of 8 with whatever.
    pub components: &'r [u8],
    /// The walk ended before it reached the root: components at the start are missing.
    pub truncated: bool,
    /// The walk ended at a root that is not the process's: a file outside of it, or one without a
    /// place in the tree (memfd, pipe).
    pub detached: bool,
}

impl KernelPath<'_> {
    /// Appends the path as text (`/a/b`, the root as `/`) to `out`.
    ///
    /// A truncated or detached path has no leading slash. A component that runs past the end
    /// (which only a damaged record has) is cut there.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        // First leaf first with each component reversed, then the whole reversed: no second buffer.
        let mut rest = self.components;
        while let Some((component, after)) = split_component(rest) {
            out.extend(component.iter().rev());
            out.push(b'/');
            rest = after;
        }
        if out.len() == start {
            out.push(b'/');
            return;
        }
        if self.truncated || self.detached {
            out.pop();
        }
        out[start..].reverse();
    }

    /// The last component of the path; empty for the root.
    pub fn leaf(&self) -> &[u8] {
        split_component(self.components).map_or(b"", |(leaf, _)| leaf)
    }

    /// The path as text.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.components.len() + 1);
        self.write_to(&mut out);
        out
    }
}

/// The first component, and what follows it. `None` at the end.
fn split_component(components: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = components.split_first_chunk()?;
    let length = usize::try_from(u64::from_ne_bytes(*length)).unwrap_or(usize::MAX);
    let component = after.get(..length).unwrap_or(after);
    let padded = length.checked_next_multiple_of(8).unwrap_or(usize::MAX);
    Some((component, after.get(padded..).unwrap_or_default()))
}

#[cfg(test)]
impl KernelPath<'_> {
    /// Components as the kernel side writes them, for tests: the last one of the path first.
    pub(crate) fn components_of(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in names {
            bytes.extend((name.len() as u64).to_ne_bytes());
            bytes.extend(name.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(8), 0xaa);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(components: &[u8]) -> KernelPath<'_> {
        KernelPath {
            components,
            ..KernelPath::default()
        }
    }

    #[test]
    fn leaf_first_components_become_a_path() {
        for (names, expected) in [
            (&[][..], &b"/"[..]),
            (&["passwd", "etc"], b"/etc/passwd"),
            (&["a"], b"/a"),
            (&["eight888", "seven77"], b"/seven77/eight888"),
        ] {
            let components = KernelPath::components_of(names);
            assert_eq!(path(&components).to_vec(), expected);
        }
    }

    #[test]
    fn damaged_components_are_cut() {
        let mut cut = 9_u64.to_ne_bytes().to_vec();
        cut.extend(b"cut");
        assert_eq!(path(&cut).to_vec(), b"/cut");
        let mut endless = u64::MAX.to_ne_bytes().to_vec();
        endless.extend(b"endless");
        assert_eq!(path(&endless).to_vec(), b"/endless");
        assert_eq!(path(b"short").to_vec(), b"/");
    }

    #[test]
    fn a_path_without_its_start_has_no_leading_slash() {
        let components = KernelPath::components_of(&["b", "a"]);
        let path = KernelPath {
            components: &components,
            truncated: true,
            detached: false,
        };
        assert_eq!(path.to_vec(), b"a/b");
    }
}
