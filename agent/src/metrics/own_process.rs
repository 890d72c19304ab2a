//! What the agent itself uses.

use procfs::process::Process;

use super::{Family, Kind, Metrics, MetricsError, Sample};

/// Exports resident memory and processor time, read from `/proc/self` at each scrape. Without
/// `/proc` there are no values.
pub(super) fn register(metrics: &Metrics) -> Result<(), MetricsError> {
    metrics.register(
        &Family {
            name: "peregrine_resident_memory_bytes",
            help: "Resident memory of the agent.",
            kind: Kind::Gauge,
            labels: &[],
        },
        || {
            let pages = Process::myself().and_then(|process| process.statm());
            pages
                .map(|pages| vec![Sample::count([], pages.resident * procfs::page_size())])
                .unwrap_or_default()
        },
    )?;
    metrics.register(
        &Family {
            name: "peregrine_cpu_seconds_total",
            help: "Processor time of the agent, user and system.",
            kind: Kind::Counter,
            labels: &[],
        },
        || {
            let stat = Process::myself().and_then(|process| process.stat());
            stat.map(|stat| vec![Sample::new([], seconds(stat.utime + stat.stime))])
                .unwrap_or_default()
        },
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a process does not run for 2^53 ticks"
)]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}
