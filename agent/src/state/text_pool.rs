//! Byte strings that many processes have in common.

use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;

/// A shared string of a process: a path, its arguments or its environment.
pub type Text = Arc<PooledText>;

/// The bytes of a [`Text`]; any bytes may be in it.
#[derive(Debug)]
pub struct PooledText {
    bytes: Box<[u8]>,
    /// What all texts of the pool take together.
    total: Arc<AtomicUsize>,
}

impl Deref for PooledText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for PooledText {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Keeps one copy of equal texts, and counts what all of them take.
///
/// Most processes of a machine have one of a few environments, working directories and programs.
/// Equal texts are found through a table of fixed size by their hash, where a newer text takes the
/// place of an older one: sharing is not promised, boundedness is. The counting is exact.
#[derive(Debug)]
pub(super) struct TextPool {
    slots: Box<[Weak<PooledText>]>,
    hasher: RandomState,
    total: Arc<AtomicUsize>,
    empty: Text,
}

/// A power of two.
const SLOTS: usize = 2048;

impl TextPool {
    pub(super) fn new() -> Self {
        let total = Arc::new(AtomicUsize::new(0));
        Self {
            slots: std::iter::repeat_with(Weak::new).take(SLOTS).collect(),
            hasher: RandomState::default(),
            empty: Arc::new(PooledText {
                bytes: Box::default(),
                total: Arc::clone(&total),
            }),
            total,
        }
    }

    /// What all texts take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// The shared copy of these bytes.
    pub(super) fn text(&mut self, bytes: &[u8]) -> Text {
        if bytes.is_empty() {
            return Arc::clone(&self.empty);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only the low bits choose the slot"
        )]
        let slot = self.hasher.hash_one(bytes) as usize % SLOTS;
        let Some(slot) = self.slots.get_mut(slot) else {
            return Arc::clone(&self.empty);
        };
        if let Some(known) = slot.upgrade()
            && &**known == bytes
        {
            return known;
        }
        self.total.fetch_add(bytes.len(), Ordering::Relaxed);
        let text = Arc::new(PooledText {
            bytes: bytes.into(),
            total: Arc::clone(&self.total),
        });
        *slot = Arc::downgrade(&text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut pool = TextPool::new();
        let first = pool.text(b"PATH=/bin");
        let second = pool.text(b"PATH=/bin");
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(pool.bytes(), 9);
        let other = pool.text(b"PATH=/sbin");
        assert_eq!(&**other, b"PATH=/sbin");
        assert_eq!(pool.bytes(), 19);
        drop((first, second, other));
        assert_eq!(pool.bytes(), 0);
        assert_eq!(&**pool.text(b""), b"");
    }

    #[test]
    fn what_shares_a_slot_is_still_itself() {
        let mut pool = TextPool::new();
        let texts: Vec<Text> = (0..3 * SLOTS)
            .map(|n| pool.text(n.to_string().as_bytes()))
            .collect();
        for (n, text) in texts.iter().enumerate() {
            assert_eq!(&***text, n.to_string().as_bytes());
        }
    }
}
