//! Lists of descriptors, decoded entry by entry when they are asked for.

use agent_ebpf::SectionTag;

use super::call::DescriptorSections;
use super::cursor::Cursor;
use crate::event::{Listed, ListedDescriptor};

impl<'r> Listed<'r> {
    /// The entries in their order. Decoded anew each time: a list takes no memory beside the record.
    pub fn entries(self) -> impl Iterator<Item = ListedDescriptor<'r>> {
        let mut cursor = Cursor::new(self.sections);
        std::iter::from_fn(move || {
            let head = cursor.section().ok()??;
            // One without content stands at the end, for what could not be read or is left out.
            let entry = *head.bytes.first_chunk()?;
            let mut about = DescriptorSections::default();
            let mut after = cursor;
            while let Ok(Some(section)) = after.section()
                && section.tag != Some(SectionTag::Listed)
            {
                // The decoder has been over all of them.
                about.take(section).ok()?;
                cursor = after;
            }
            Some(ListedDescriptor {
                entry,
                object: about.object(),
            })
        })
    }
}

#[cfg(test)]
impl Listed<'static> {
    /// A list for tests: of each descriptor its number, what a poll found, and what it stands for with the components of
    /// its path, the last first.
    pub(crate) fn of(
        entries: &[(i32, libc::c_short, agent_ebpf::DescriptorPart, &[&str])],
        truncated: bool,
    ) -> Self {
        let mut sections = Vec::new();
        for (number, found, part, path) in entries {
            let mut entry = number.to_ne_bytes().to_vec();
            entry.extend([0; 2]);
            entry.extend(found.to_ne_bytes());
            add(&mut sections, SectionTag::Listed, &entry);
            add(
                &mut sections,
                SectionTag::Descriptor,
                super::cursor::bytes_of(part),
            );
            if !path.is_empty() {
                let components = crate::event::KernelPath::components_of(path);
                add(&mut sections, SectionTag::DescriptorPath, &components);
            }
        }
        Self {
            // Events of tests live as long as the tests.
            sections: sections.leak(),
            truncated,
        }
    }
}

/// Appends a section.
#[cfg(test)]
fn add(sections: &mut Vec<u8>, tag: SectionTag, bytes: &[u8]) {
    sections.extend(super::cursor::bytes_of(&agent_ebpf::SectionHeader {
        tag: tag as u16,
        flags: 0,
        length: u32::try_from(bytes.len()).unwrap(),
    }));
    sections.extend(bytes);
    sections.resize(sections.len().next_multiple_of(agent_ebpf::ALIGNMENT), 0xee);
}
