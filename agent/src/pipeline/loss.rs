//! Says in an alert that events were lost: whoever reads the alerts has to know when they are not the whole story. A
//! process can cause losses on purpose.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::alert::{Alert, INTERNAL_SOURCE};
use crate::rules::Priority;
use crate::sensor::KernelDrops;

/// The name in the place of a rule's.
const RULE: &str = "Peregrine internal: events lost";
/// How long nothing more is said after an alert; the next one tells of all this time.
const PAUSE: Duration = Duration::from_mins(1);

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct LossReport {
    told: KernelDrops,
    last: Option<Instant>,
}

impl LossReport {
    /// An alert, if events were lost that no alert has told of and the pause is over. `time` is the wall clock's, in
    /// ns since the epoch.
    pub(super) fn due(&mut self, drops: &KernelDrops, now: Instant, time: u64) -> Option<Alert> {
        if self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < PAUSE)
        {
            return None;
        }
        let lost: Vec<(String, u64)> = drops
            .by_cause()
            .zip(self.told.by_cause())
            .map(|((cause, now), (_, told))| (cause, now.saturating_sub(told)))
            .filter(|(_, lost)| *lost > 0)
            .collect();
        let events = drops.of_events().saturating_sub(self.told.of_events());
        if events == 0 {
            return None;
        }
        self.told = *drops;
        self.last = Some(now);
        let mut output_fields: Map<String, Value> = lost
            .into_iter()
            .map(|(cause, lost)| (cause, Value::from(lost)))
            .collect();
        output_fields.insert("lost".to_owned(), Value::from(events));
        Some(Alert {
            time,
            rule: RULE.into(),
            priority: Priority::Critical,
            source: INTERNAL_SOURCE.into(),
            tags: Arc::new([]),
            message: "events were lost before they could be matched".to_owned(),
            output_fields,
        })
    }
}

#[cfg(test)]
mod tests {
    use agent_ebpf::{DROP_MESSAGES, DROP_SCRATCH_BUSY, RecordKind};

    use super::*;

    fn drops(counts: &[(u32, u64)]) -> KernelDrops {
        let mut drops = KernelDrops::default();
        for (cause, count) in counts {
            drops.set(*cause, *count);
        }
        drops
    }

    #[test]
    fn each_loss_is_told_once_and_not_too_often() {
        let mut report = LossReport::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let open = RecordKind::Open as u32;
        assert!(report.due(&drops(&[]), start, 1).is_none());
        let alert = report.due(&drops(&[(open, 7)]), start, 2).unwrap();
        assert_eq!(alert.priority, Priority::Critical);
        assert_eq!(&*alert.source, INTERNAL_SOURCE);
        assert_eq!(alert.time, 2);
        assert_eq!(alert.output_fields["ring_full_open"], 7);
        assert_eq!(alert.output_fields["lost"], 7);
        // What is lost in the pause is told after it.
        assert!(report.due(&drops(&[(open, 9)]), after(1), 3).is_none());
        let more = drops(&[(open, 9), (DROP_SCRATCH_BUSY, 1)]);
        let alert = report.due(&more, after(60), 4).unwrap();
        assert_eq!(alert.output_fields["ring_full_open"], 2);
        assert_eq!(alert.output_fields["scratch_busy"], 1);
        assert_eq!(alert.output_fields["lost"], 3);
        assert!(report.due(&more, after(600), 5).is_none());
    }

    #[test]
    fn what_is_left_out_of_a_call_is_no_lost_event() {
        let mut report = LossReport::default();
        let drops = drops(&[(DROP_MESSAGES, 5)]);
        assert!(report.due(&drops, Instant::now(), 1).is_none());
    }
}
