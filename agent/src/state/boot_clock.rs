//! From the kernel's clock to the time of day.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::event::BootTime;

/// Turns [`BootTime`] into wall-clock time.
///
/// The distance of the two clocks changes when somebody sets the time or NTP slews it, so it is
/// measured again with [`refresh`](Self::refresh), every few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClock {
    /// Wall-clock time of the boot, in nanoseconds since the epoch.
    boot: i128,
}

/// Pairs of readings of which the best is taken.
const READINGS: usize = 5;

impl BootClock {
    /// The clock, measured now.
    pub fn new() -> Self {
        Self { boot: measure() }
    }

    /// A clock by which the machine booted at `boot_ns` nanoseconds since the epoch, for events
    /// that were recorded elsewhere.
    pub fn with_boot_at(boot_ns: u64) -> Self {
        Self {
            boot: i128::from(boot_ns),
        }
    }

    /// Measures again.
    pub fn refresh(&mut self) {
        self.boot = measure();
    }

    /// Nanoseconds since the epoch.
    pub fn wall_ns(&self, time: BootTime) -> u64 {
        let wall = self.boot + i128::from(time.0);
        u64::try_from(wall.max(0)).unwrap_or(u64::MAX)
    }

    /// Now, by the kernel's clock of events.
    pub fn now() -> BootTime {
        let now = nanoseconds(clock_gettime(ClockId::Boottime));
        BootTime(u64::try_from(now).unwrap_or(0))
    }
}

impl Default for BootClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The wall-clock time of boot: of some readings, the one that was interrupted least.
fn measure() -> i128 {
    let mut best = (i128::MAX, 0);
    for _ in 0..READINGS {
        let before = nanoseconds(clock_gettime(ClockId::Boottime));
        let wall = nanoseconds(clock_gettime(ClockId::Realtime));
        let after = nanoseconds(clock_gettime(ClockId::Boottime));
        best = best.min((after - before, wall - i128::midpoint(before, after)));
    }
    best.1
}

fn nanoseconds(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn now_is_now() {
        let clock = BootClock::new();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let ours = u128::from(clock.wall_ns(BootClock::now()));
        assert!(ours.abs_diff(wall.as_nanos()) < 1_000_000_000);
    }

    #[test]
    fn time_is_added_to_the_boot() {
        let clock = BootClock::with_boot_at(1_000);
        assert_eq!(clock.wall_ns(BootTime(234)), 1_234);
        assert_eq!(BootClock { boot: -10 }.wall_ns(BootTime(4)), 0);
        assert_eq!(clock.wall_ns(BootTime(u64::MAX)), u64::MAX);
    }
}
