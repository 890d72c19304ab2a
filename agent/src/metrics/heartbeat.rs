//! The sign of life of a thread that must not stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Given by one thread, looked at by others.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    start: Instant,
    /// Milliseconds from the start to the last beat, plus one; 0 before the first.
    last: Arc<AtomicU64>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            last: Arc::default(),
        }
    }
}

impl Heartbeat {
    /// The thread goes on, at this time.
    pub fn beat(&self, now: Instant) {
        let since_start = now.saturating_duration_since(self.start).as_millis();
        let milliseconds = u64::try_from(since_start).unwrap_or(u64::MAX - 1);
        self.last.store(milliseconds + 1, Ordering::Relaxed);
    }

    /// How long ago the last beat was; `None` before the first.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let last = self.last.load(Ordering::Relaxed).checked_sub(1)?;
        let last = self.start.checked_add(Duration::from_millis(last))?;
        Some(now.saturating_duration_since(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beat_counts() {
        let heartbeat = Heartbeat::default();
        let after = |seconds| heartbeat.start + Duration::from_secs(seconds);
        assert_eq!(heartbeat.age(after(5)), None);
        heartbeat.beat(after(0));
        assert_eq!(heartbeat.age(after(5)), Some(Duration::from_secs(5)));
        heartbeat.clone().beat(after(4));
        assert_eq!(heartbeat.age(after(5)), Some(Duration::from_secs(1)));
        // Two threads may read the clock in another order than they come here.
        assert_eq!(heartbeat.age(after(3)), Some(Duration::ZERO));
    }
}
