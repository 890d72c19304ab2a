//! A path as the kernel side walked it.

/// A path from a walk over dentries: its components leaf first, each with its length before it.
///
/// The kernel side finds the leaf first and must not spend time on turning it round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelPath<'r> {
    /// `length: u8, bytes` for each component, the last component of the path first.
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
        while let Some((length, after)) = rest.split_first() {
            let length = usize::from(*length).min(after.len());
            let (component, next) = after.split_at(length);
            out.extend(component.iter().rev());
            out.push(b'/');
            rest = next;
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

    /// The path as text.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.components.len() + 1);
        self.write_to(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_first_components_become_a_path() {
        let path = |components| KernelPath {
            components,
            ..KernelPath::default()
        };
        for (components, expected) in [
            (&b""[..], &b"/"[..]),
            (b"\x06passwd\x03etc", b"/etc/passwd"),
            (b"\x01a", b"/a"),
            (b"\x09cut", b"/cut"),
        ] {
            assert_eq!(path(components).to_vec(), expected);
        }
    }

    #[test]
    fn a_path_without_its_start_has_no_leading_slash() {
        let path = KernelPath {
            components: b"\x01b\x01a",
            truncated: true,
            detached: false,
        };
        assert_eq!(path.to_vec(), b"a/b");
    }
}
