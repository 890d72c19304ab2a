//! What the agent counts about itself, for Prometheus.
//!
//! The matching thread counts in [`HotCounters`]: plain memory that only it writes, read when
//! somebody scrapes. Values that live elsewhere (kernel maps, the process table) are read then too:
//! see [`Metrics::register`].

mod heartbeat;
mod hot;
mod own_process;
mod sampled;

pub use heartbeat::Heartbeat;
pub use hot::{HotCounter, HotCounters};
pub use sampled::{
    CONTAINER_DEADLINE, CONTAINER_HELD, CONTAINER_RUNTIME_ERRORS, CONTAINER_UNKNOWN, CONTAINERS,
    DROPS, EXECUTABLES_NOT_HASHED, Family, HEARTBEAT_AGE, KUBERNETES_ERRORS, Kind,
    PROCESS_TABLE_DROPPED_TEXTS, PROCESS_TABLE_ENTRIES, PROCESS_TABLE_EVICTIONS,
    PROCESS_TABLE_MISSES, RING_SIZE_BYTES, RING_USED_BYTES, Sample, UNORDERED_RECORDS,
};

use std::sync::Arc;
use std::time::SystemTime;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::event::EventType;
use crate::rules::Priority;
use crate::version::VERSION;

/// The latency histogram's upper bounds, in seconds.
const LATENCY_BUCKETS: [f64; 13] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

/// What names a rule in the metrics.
#[derive(Clone, Debug)]
pub struct RuleLabels {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Its priority.
    pub priority: Priority,
    /// Its source, such as `syscall`.
    pub source: Arc<str>,
    /// Its tags; one label holds them all, separated by commas.
    pub tags: Arc<[Arc<str>]>,
}

/// A metric could not be registered or written out: two of one name, or a name that Prometheus
/// does not allow. A mistake in this program.
#[derive(Debug, thiserror::Error)]
#[error("metrics are not consistent")]
pub struct MetricsError(#[from] prometheus::Error);

/// The registry of all metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    hot: Arc<HotCounters>,
    alerts_dropped: IntCounterVec,
    latency: HistogramVec,
    hold_delay: Histogram,
}

/// One sink's counters.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// Alerts dropped because the queue was full.
    pub queue_full: IntCounter,
    /// Alerts dropped because the sink failed.
    pub failed: IntCounter,
    /// Seconds from the event in the kernel to the end of the delivery.
    pub latency: Histogram,
}

impl Metrics {
    /// Metrics for these rules: the position of a rule is its number in
    /// [`HotCounters::count_match`].
    pub fn new(rules: Vec<RuleLabels>) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let hot = Arc::new(HotCounters::new(rules.len()));
        let alerts_dropped = IntCounterVec::new(
            Opts::new(
                "peregrine_alerts_dropped_total",
                "Alerts that a sink did not get, by sink and cause.",
            ),
            &["sink", "cause"],
        )?;
        let latency = HistogramVec::new(
            HistogramOpts::new(
                "peregrine_processing_latency_seconds",
                "From the event in the kernel to its alert handed to the sink.",
            )
            .buckets(LATENCY_BUCKETS.to_vec()),
            &["sink"],
        )?;
        registry.register(Box::new(alerts_dropped.clone()))?;
        let hold_delay = Histogram::with_opts(
            HistogramOpts::new(
                "peregrine_container_metadata_wait_seconds",
                "How long events waited for the metadata of their container.",
            )
            .buckets(LATENCY_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(hold_delay.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        let metrics = Self {
            registry,
            hot,
            alerts_dropped,
            latency,
            hold_delay,
        };
        metrics.register_rules(rules)?;
        metrics.register_events()?;
        metrics.register_agent()?;
        own_process::register(&metrics)?;
        Ok(metrics)
    }

    /// The counters that the matching thread writes.
    pub fn hot(&self) -> Arc<HotCounters> {
        Arc::clone(&self.hot)
    }

    /// How long events waited for the metadata of their container, in seconds.
    pub fn hold_delay(&self) -> Histogram {
        self.hold_delay.clone()
    }

    /// The counters of one sink, all exported from now on, at 0 until something happens.
    pub fn sink(&self, name: &str) -> SinkMetrics {
        SinkMetrics {
            queue_full: self.alerts_dropped.with_label_values(&[name, "queue_full"]),
            failed: self.alerts_dropped.with_label_values(&[name, "failed"]),
            latency: self.latency.with_label_values(&[name]),
        }
    }

    /// Exports a family whose values `read` gives at each scrape, on the thread that serves it.
    pub fn register(
        &self,
        family: &Family,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let collector = sampled::Collector::new(family, read)?;
        Ok(self.registry.register(Box::new(collector))?)
    }

    /// Everything in Prometheus' text format, version 0.0.4.
    pub fn to_text(&self) -> Result<String, MetricsError> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    fn register_rules(&self, rules: Vec<RuleLabels>) -> Result<(), MetricsError> {
        let loaded = rules.len() as u64;
        self.register(
            &Family {
                name: "peregrine_rules_loaded",
                help: "Rules that events are matched with.",
                kind: Kind::Gauge,
                labels: &[],
            },
            move || vec![Sample::count([], loaded)],
        )?;
        let hot = self.hot();
        let rules: Vec<[String; 4]> = rules
            .into_iter()
            .map(|rule| {
                [
                    rule.rule.to_string(),
                    rule.priority.to_string(),
                    rule.source.to_string(),
                    rule.tags.join(","),
                ]
            })
            .collect();
        self.register(
            &Family {
                name: "peregrine_rules_matches_total",
                help: "Matches of each rule.",
                kind: Kind::Counter,
                labels: &["rule", "priority", "source", "tags"],
            },
            move || {
                let matches = hot.matches();
                rules
                    .iter()
                    .zip(matches)
                    .map(|(labels, count)| Sample::count(labels.clone(), count))
                    .collect()
            },
        )
    }

    fn register_events(&self) -> Result<(), MetricsError> {
        let hot = self.hot();
        self.register(
            &Family {
                name: "peregrine_events_total",
                help: "Events taken from the kernel, by type.",
                kind: Kind::Counter,
                labels: &["type"],
            },
            move || {
                // One that was never seen has no series: there are some four hundred.
                EventType::all()
                    .filter(|event| hot.events(*event) > 0)
                    .map(|event| Sample::count([event.name().to_owned()], hot.events(event)))
                    .collect()
            },
        )
    }

    fn register_agent(&self) -> Result<(), MetricsError> {
        self.register(
            &Family {
                name: "peregrine_build_info",
                help: "Always 1; the labels say what runs.",
                kind: Kind::Gauge,
                labels: &["version"],
            },
            || vec![Sample::count([VERSION.to_owned()], 1)],
        )?;
        let started = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.register(
            &Family {
                name: "peregrine_start_time_seconds",
                help: "When the agent started, in seconds since the epoch.",
                kind: Kind::Gauge,
                labels: &[],
            },
            move || vec![Sample::new([], started.as_secs_f64())],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str) -> RuleLabels {
        RuleLabels {
            rule: name.into(),
            priority: Priority::Error,
            source: "syscall".into(),
            tags: [Arc::from("T1003"), Arc::from("files")].into(),
        }
    }

    #[test]
    fn counts_of_the_hot_thread_are_exported() {
        let metrics = Metrics::new(vec![rule("first"), rule("second")]).unwrap();
        let hot = metrics.hot();
        std::thread::spawn(move || {
            hot.count_event(EventType::OPENAT);
            hot.count_event(EventType::STATE);
            for _ in 0..3 {
                hot.count_match(1);
            }
            hot.count_match(2);
        })
        .join()
        .unwrap();
        let text = metrics.to_text().unwrap();
        for line in [
            r#"peregrine_rules_matches_total{rule="first",priority="Error",source="syscall",tags="T1003,files"} 0"#,
            r#"peregrine_rules_matches_total{rule="second",priority="Error",source="syscall",tags="T1003,files"} 3"#,
            r#"peregrine_events_total{type="openat"} 1"#,
            "peregrine_rules_loaded 2",
            "# TYPE peregrine_rules_matches_total counter",
        ] {
            assert!(text.lines().any(|seen| seen == line), "{line}\n{text}");
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let metrics = Metrics::new(vec![rule("a \"b\"\\\nfake 1")]).unwrap();
        let text = metrics.to_text().unwrap();
        assert!(text.contains(r#"{rule="a \"b\"\\\nfake 1","#), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("fake")));
    }

    #[test]
    fn sampled_values_are_read_at_each_scrape() {
        let metrics = Metrics::new(Vec::new()).unwrap();
        let lost = Arc::new(HotCounter::default());
        let read = Arc::clone(&lost);
        metrics
            .register(&DROPS, move || {
                vec![Sample::count(["ring_full".to_owned()], read.get())]
            })
            .unwrap();
        for count in [0, 7] {
            lost.add(count);
            let line = format!("peregrine_drops_total{{cause=\"ring_full\"}} {count}\n");
            assert!(metrics.to_text().unwrap().contains(&line));
        }
        assert!(metrics.register(&DROPS, Vec::new).is_err());
    }

    #[test]
    fn the_agents_own_use_is_exported() {
        let text = Metrics::new(Vec::new()).unwrap().to_text().unwrap();
        for name in [
            "peregrine_resident_memory_bytes",
            "peregrine_start_time_seconds",
        ] {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value > 1e6, "{line}");
        }
        assert!(text.contains("peregrine_cpu_seconds_total "));
    }

    #[test]
    fn a_sinks_metrics_exist_before_anything_happens() {
        let metrics = Metrics::new(Vec::new()).unwrap();
        metrics.sink("stdout").latency.observe(0.003);
        let text = metrics.to_text().unwrap();
        for line in [
            r#"peregrine_alerts_dropped_total{cause="queue_full",sink="stdout"} 0"#,
            r#"peregrine_processing_latency_seconds_bucket{sink="stdout",le="0.005"} 1"#,
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
