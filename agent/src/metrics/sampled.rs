//! Metrics whose values are read from elsewhere at each scrape.

use std::fmt;

use prometheus::core::{Collector as PrometheusCollector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::MetricsError;

/// Records that were lost, by cause.
pub const DROPS: Family = Family {
    name: "peregrine_drops_total",
    help: "Events lost before they could be matched, by cause.",
    kind: Kind::Counter,
    labels: &["cause"],
};

/// How full each ring is.
pub const RING_USED_BYTES: Family = Family {
    name: "peregrine_ring_used_bytes",
    help: "Bytes written by the kernel side and not read yet, by ring.",
    kind: Kind::Gauge,
    labels: &["ring"],
};

/// How large each ring is.
pub const RING_SIZE_BYTES: Family = Family {
    name: "peregrine_ring_size_bytes",
    help: "Size of each ring.",
    kind: Kind::Gauge,
    labels: &["ring"],
};

/// How many processes are known.
pub const PROCESS_TABLE_ENTRIES: Family = Family {
    name: "peregrine_process_table_entries",
    help: "Processes in the process table.",
    kind: Kind::Gauge,
    labels: &[],
};

/// How many processes were forgotten for want of room.
pub const PROCESS_TABLE_EVICTIONS: Family = Family {
    name: "peregrine_process_table_evictions_total",
    help: "Live processes dropped from the full process table.",
    kind: Kind::Counter,
    labels: &[],
};

/// How many texts of processes were forgotten for want of room.
pub const PROCESS_TABLE_DROPPED_TEXTS: Family = Family {
    name: "peregrine_process_table_dropped_texts_total",
    help: "Environments, arguments and paths of processes dropped because their memory was full.",
    kind: Kind::Counter,
    labels: &[],
};

/// How many records may have been handled too early.
pub const UNORDERED_RECORDS: Family = Family {
    name: "peregrine_unordered_records_total",
    help: "Records handled though the other ring may have held an older one.",
    kind: Kind::Counter,
    labels: &[],
};

/// How many look-ups did not find their process.
pub const PROCESS_TABLE_MISSES: Family = Family {
    name: "peregrine_process_table_misses_total",
    help: "Events of a process that the process table did not know, by whether /proc did.",
    kind: Kind::Counter,
    labels: &["in_proc"],
};

/// How often there was no hash of an executable.
pub const EXECUTABLES_NOT_HASHED: Family = Family {
    name: "peregrine_executables_not_hashed_total",
    help: "Times that a rule or an output asked for an executable's hash and there was none.",
    kind: Kind::Counter,
    labels: &[],
};

/// Containers remembered.
pub const CONTAINERS: Family = Family {
    name: "peregrine_containers",
    help: "Containers whose metadata is remembered or asked for.",
    kind: Kind::Gauge,
    labels: &[],
};

/// Events that waited.
pub const CONTAINER_HELD: Family = Family {
    name: "peregrine_container_metadata_held_total",
    help: "Events that waited for the metadata of their container.",
    kind: Kind::Counter,
    labels: &[],
};

/// Events that waited in vain.
pub const CONTAINER_DEADLINE: Family = Family {
    name: "peregrine_container_metadata_deadline_total",
    help: "Events matched with the metadata there was: the deadline passed, or too many waited.",
    kind: Kind::Counter,
    labels: &[],
};

/// Questions that failed.
pub const CONTAINER_RUNTIME_ERRORS: Family = Family {
    name: "peregrine_container_runtime_errors_total",
    help: "Questions to a container runtime that it did not answer, or not well.",
    kind: Kind::Counter,
    labels: &[],
};

/// Containers that nobody knew.
pub const CONTAINER_UNKNOWN: Family = Family {
    name: "peregrine_container_metadata_unknown_total",
    help: "Containers that no runtime knew and no bundle was found of.",
    kind: Kind::Counter,
    labels: &[],
};

/// Faults of the Kubernetes API.
pub const KUBERNETES_ERRORS: Family = Family {
    name: "peregrine_kubernetes_errors_total",
    help: "Requests to the Kubernetes API that failed, and pods left out because there were too many.",
    kind: Kind::Counter,
    labels: &["cause"],
};

/// Whether the matching thread goes on.
pub const HEARTBEAT_AGE: Family = Family {
    name: "peregrine_matching_thread_heartbeat_age_seconds",
    help: "Time since the matching thread last went through its loop; well below a second when all is well.",
    kind: Kind::Gauge,
    labels: &[],
};

/// Metrics of one name.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name; a counter's ends in `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What the values do.
    pub kind: Kind,
    /// The names of the labels.
    pub labels: &'static [&'static str],
}

/// What a family's values do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grow.
    Counter,
    /// Go up and down.
    Gauge,
}

/// One value.
#[derive(Clone, Debug)]
pub struct Sample {
    labels: Vec<String>,
    value: f64,
}

impl Sample {
    /// A value, with as many label values as its family has names.
    pub fn new<const N: usize>(labels: [String; N], value: f64) -> Self {
        Self {
            labels: labels.into(),
            value,
        }
    }

    /// A whole number.
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus has no other numbers, and counters beyond 2^53 lose only their ones"
    )]
    pub fn count<const N: usize>(labels: [String; N], value: u64) -> Self {
        Self::new(labels, value as f64)
    }
}

pub(super) struct Collector {
    family: Family,
    description: Desc,
    read: Box<dyn Fn() -> Vec<Sample> + Send + Sync>,
}

impl Collector {
    pub(super) fn new(
        family: &Family,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) -> Result<Self, MetricsError> {
        let labels = family.labels.iter().map(|label| (*label).to_owned());
        Ok(Self {
            family: *family,
            description: Desc::new(
                family.name.to_owned(),
                family.help.to_owned(),
                labels.collect(),
                std::collections::HashMap::new(),
            )?,
            read: Box::new(read),
        })
    }

    fn metric(&self, sample: Sample) -> Metric {
        let labels = self.family.labels.iter().zip(sample.labels);
        let labels = labels
            .map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name((*name).to_owned());
                pair.set_value(value);
                pair
            })
            .collect();
        let mut metric = Metric::from_label(labels);
        match self.family.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(sample.value);
                metric.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(sample.value);
                metric.set_gauge(gauge);
            }
        }
        metric
    }
}

impl PrometheusCollector for Collector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.family.name.to_owned());
        family.set_help(self.family.help.to_owned());
        family.set_field_type(match self.family.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        });
        family.set_metric((self.read)().into_iter().map(|s| self.metric(s)).collect());
        vec![family]
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Collector")
            .field("family", &self.family)
            .finish_non_exhaustive()
    }
}
