//! Which of two rings has the older record.
//!
//! A record that comes before another in the same thread (or through a fork, a pipe, ...) was committed
//! before it. So the head of one ring may be handled once the other ring was looked at after it was
//! fetched, and was found empty or with a newer head. A ring whose next record is reserved but not yet
//! committed is neither: later records of other CPUs may wait behind it, older than the head at hand.
//! Then the reader waits for it, but not for long.

use std::hint;
use std::time::{Duration, Instant};

/// How long to wait for a record that is being written. That takes microseconds, unless the CPU that
/// writes it is taken away. The reader does not give up its own for so short a time: under load it would
/// be without for much longer.
const PATIENCE: Duration = Duration::from_micros(500);

/// A ring and its next record.
pub(super) trait Queue {
    /// Fetches the next record, unless one is held already. True if one is held now.
    fn fill(&mut self) -> bool;
    /// Whether there are records that cannot be fetched yet. Asked if none is held.
    fn is_busy(&self) -> bool;
    /// When the held record was made.
    fn time(&self) -> u64;
}

/// Which ring's record comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oldest {
    First,
    Second,
}

/// Merges two rings.
#[derive(Debug)]
pub(super) struct Merge {
    patience: Duration,
    /// The record that the other ring waited for in vain is still not there.
    gave_up: bool,
    unordered: u64,
}

impl Default for Merge {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Merge {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            gave_up: false,
            unordered: 0,
        }
    }

    /// The ring whose held record is to be handled next; `None` if neither has one.
    pub(super) fn next(
        &mut self,
        first: &mut impl Queue,
        second: &mut impl Queue,
    ) -> Option<Oldest> {
        let mut deadline = None;
        loop {
            // In this order: whichever is handled, the other was looked at after it was fetched.
            first.fill();
            let has_second = second.fill();
            let has_first = first.fill();
            let (oldest, is_sure) = match (has_first, has_second) {
                (false, false) => return None,
                (true, true) => {
                    self.gave_up = false;
                    let is_first = first.time() <= second.time();
                    return Some(if is_first {
                        Oldest::First
                    } else {
                        Oldest::Second
                    });
                }
                (true, false) => (Oldest::First, !second.is_busy()),
                (false, true) => (Oldest::Second, !first.is_busy()),
            };
            if is_sure {
                self.gave_up = false;
                return Some(oldest);
            }
            if self.gave_up {
                self.unordered += 1;
                return Some(oldest);
            }
            let now = Instant::now();
            if now >= *deadline.get_or_insert(now + self.patience) {
                self.gave_up = true;
            } else {
                hint::spin_loop();
            }
        }
    }

    /// Records that were handled though the other ring may have held an older one.
    pub(super) fn unordered(&self) -> u64 {
        self.unordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times of the records; the first is committed after so many more looks.
    struct Ring {
        records: Vec<u64>,
        busy_looks: u32,
        held: Option<u64>,
    }

    impl Ring {
        fn new(records: &[u64], busy_looks: u32) -> Self {
            Self {
                records: records.to_vec(),
                busy_looks,
                held: None,
            }
        }
    }

    impl Queue for Ring {
        fn fill(&mut self) -> bool {
            if self.held.is_none() && !self.records.is_empty() {
                if self.busy_looks == 0 {
                    self.held = Some(self.records.remove(0));
                } else {
                    self.busy_looks -= 1;
                }
            }
            self.held.is_some()
        }

        fn is_busy(&self) -> bool {
            !self.records.is_empty()
        }

        fn time(&self) -> u64 {
            self.held.unwrap()
        }
    }

    fn merged(patience: Duration, mut first: Ring, mut second: Ring) -> (Vec<u64>, u64) {
        let mut merge = Merge::new(patience);
        let mut times = Vec::new();
        while let Some(oldest) = merge.next(&mut first, &mut second) {
            let ring = match oldest {
                Oldest::First => &mut first,
                Oldest::Second => &mut second,
            };
            times.extend(ring.held.take());
        }
        (times, merge.unordered())
    }

    #[test]
    fn records_are_in_the_order_of_their_times() {
        for (first, second) in [
            (&[1, 4, 5][..], &[2, 3, 6][..]),
            (&[], &[1, 2]),
            (&[1, 2], &[]),
            (&[3], &[1, 2, 4]),
        ] {
            let mut sorted = [first, second].concat();
            sorted.sort_unstable();
            assert_eq!(
                merged(Duration::ZERO, Ring::new(first, 0), Ring::new(second, 0)),
                (sorted, 0)
            );
        }
    }

    #[test]
    fn a_record_that_is_being_written_is_waited_for() {
        // An older record waits behind it.
        for (busy_first, busy_second) in [(5, 0), (0, 5)] {
            let (times, unordered) = merged(
                Duration::from_hours(1),
                Ring::new(&[1, 2, 7], busy_first),
                Ring::new(&[3, 8], busy_second),
            );
            assert_eq!((times, unordered), (vec![1, 2, 3, 7, 8], 0));
        }
    }

    #[test]
    fn but_not_for_ever_and_once() {
        let (times, unordered) = merged(
            PATIENCE,
            Ring::new(&[1], u32::MAX),
            Ring::new(&[2, 3, 4], 0),
        );
        assert_eq!((times, unordered), (vec![2, 3, 4], 3));
    }
}
