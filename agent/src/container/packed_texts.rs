//! Many short texts in one piece of memory.

/// Texts by number. A node has thousands of labels and mounts: each as an allocation of its own would
/// take half as much again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PackedTexts {
    text: Box<str>,
    /// Where each text ends.
    ends: Box<[u32]>,
}

/// What takes texts.
#[derive(Debug, Default)]
pub(super) struct Packer {
    text: String,
    ends: Vec<u32>,
}

impl Packer {
    /// All that one container's labels, or mounts, may take, in bytes: many times what they need.
    const LIMIT: usize = 64 << 10;

    /// Adds a group of texts; false, and nothing added, if there is no room for all of them.
    pub(super) fn push(&mut self, group: &[&str]) -> bool {
        let length: usize = group.iter().map(|text| text.len()).sum();
        if self.text.len() + length > Self::LIMIT {
            return false;
        }
        for text in group {
            self.text.push_str(text);
            // The limit is far below what the type holds.
            self.ends
                .push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        }
        true
    }

    pub(super) fn finish(self) -> PackedTexts {
        PackedTexts {
            text: self.text.into(),
            ends: self.ends.into(),
        }
    }
}

impl PackedTexts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of this number; empty if there is none.
    pub(super) fn get(&self, number: usize) -> &str {
        let end = |number: usize| self.ends.get(number).map(|end| *end as usize);
        let start = number.checked_sub(1).and_then(end).unwrap_or(0);
        end(number)
            .and_then(|end| self.text.get(start..end))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_groups_are_whole() {
        let mut packer = Packer::default();
        assert!(packer.push(&["a", "", "ü"]));
        assert!(packer.push(&["last"]));
        assert!(!packer.push(&["x", &"y".repeat(Packer::LIMIT)]));
        let packed = packer.finish();
        let all: Vec<&str> = (0..packed.len()).map(|number| packed.get(number)).collect();
        assert_eq!(all, ["a", "", "ü", "last"]);
        assert_eq!(packed.get(4), "");
        assert_eq!(PackedTexts::default().get(0), "");
    }
}
