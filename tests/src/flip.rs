//! Memory that a second thread changes while the first one makes system calls with it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Bytes of the memory.
const ROOM: usize = 4096;

/// Memory that forked children share with their parent.
#[derive(Clone, Copy)]
pub struct Flipped(&'static [AtomicU8; ROOM]);

impl Flipped {
    /// Where it is. NUL follows what is written there.
    pub fn pointer<T>(self) -> *const T {
        self.0.as_ptr().cast()
    }

    /// Calls `action` with memory that changes between two contents of one length, which differ in one byte, so that
    /// either is whole at any time.
    pub fn while_between<T>(contents: [&[u8]; 2], action: impl FnOnce(Self) -> T) -> T {
        let [first, second] = contents;
        let differ = first
            .iter()
            .zip(second)
            .position(|(one, other)| one != other);
        let place = differ.expect("they differ");
        assert_eq!(first[place + 1..], second[place + 1..]);
        let memory = Self::new();
        for (slot, byte) in memory.0.iter().zip(first) {
            slot.store(*byte, Ordering::Relaxed);
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for content in contents {
                        memory.0[place].store(content[place], Ordering::Relaxed);
                    }
                }
            });
            let outcome = action(memory);
            done.store(true, Ordering::Relaxed);
            outcome
        })
    }

    fn new() -> Self {
        // SAFETY: a new mapping of this many zeros, never unmapped, which is used through atomics only.
        unsafe {
            let memory = libc::mmap(
                std::ptr::null_mut(),
                ROOM,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(memory, libc::MAP_FAILED);
            Self(&*memory.cast())
        }
    }
}

/// Does something so many times, and on until it has had each outcome a hundred times, since a thread that changes
/// what is done may not get its turn for a long time; but no more than 10,000 times. Returns the outcomes: `1` for
/// true, `0` for false.
pub fn outcomes(at_least: usize, mut action: impl FnMut() -> bool) -> String {
    let mut text = String::new();
    let mut counts = [0_usize; 2];
    for done in 0..10_000 {
        if done >= at_least && counts.iter().all(|count| *count >= 100) {
            break;
        }
        let outcome = action();
        counts[usize::from(outcome)] += 1;
        text.push(if outcome { '1' } else { '0' });
    }
    text
}
