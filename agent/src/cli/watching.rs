//! The sensor and the matching thread, put together from the configuration.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::run::RunError;
use super::wanted::{asks_for_names, wanted_by};
use crate::alert::Dispatcher;
use crate::config::{Config, OtherAbis};
use crate::container::{
    Directory, DirectoryStats, Inquiry, KubernetesApi, KubernetesStats, MetadataTable,
};
use crate::event::Pid;
use crate::heap;
use crate::http::Readiness;
use crate::metrics::{
    CONTAINER_DEADLINE, CONTAINER_HELD, CONTAINER_RUNTIME_ERRORS, CONTAINER_UNKNOWN, CONTAINERS,
    DROPS, EXECUTABLES_NOT_HASHED, HEARTBEAT_AGE, HotCounter, KUBERNETES_ERRORS, Metrics,
    PROCESS_TABLE_DROPPED_TEXTS, PROCESS_TABLE_ENTRIES, PROCESS_TABLE_EVICTIONS,
    PROCESS_TABLE_MISSES, RING_SIZE_BYTES, RING_USED_BYTES, Sample, UNORDERED_RECORDS,
};
use crate::pipeline::{
    Pipeline, PipelineError, PipelineGauges, needs_container_address, needs_container_metadata,
};
use crate::rules::Program;
use crate::sensor::{self, Reader, Sensor};
use crate::state::{ExecutableHashes, ProcessTable, Users, host_names};

/// The attached sensor and the thread that handles what it records.
pub(super) struct Watching {
    /// Dropping it detaches.
    pub(super) sensor: Sensor,
    /// Ends the thread.
    pub(super) stop: sensor::StopHandle,
    /// The matching thread.
    pub(super) thread: std::thread::JoinHandle<Result<(), PipelineError>>,
}

impl Watching {
    /// Loads, attaches, and starts the thread: from the return on nothing is missed.
    pub(super) fn start(
        config: &Config,
        program: &Arc<Program>,
        metrics: &Metrics,
        alerts: &Dispatcher,
        readiness: &Readiness,
    ) -> Result<Self, RunError> {
        host_names::start_resolving(program.host_names())
            .map_err(RunError::system("start a thread"))?;
        let proc_root = config.host_root.join("proc");
        let options = sensor::Options {
            process_ring_bytes: config.sensor.process_ring_bytes,
            event_ring_bytes: config.sensor.event_ring_bytes,
            data_bytes: config.sensor.data_bytes,
            wanted: wanted_by(
                program,
                match config.sensor.other_abis {
                    OtherAbis::Auto => sensor::runs_other_abis(),
                    OtherAbis::Always => true,
                    OtherAbis::Never => false,
                },
                config.sensor.io_uring,
            ),
            leave_out: if config.sensor.trace_self {
                None
            } else {
                own_pid(&proc_root)
            },
            oldest_ways: config.sensor.oldest_ways,
        };
        let (sensor, reader) = Sensor::start(&options)?;
        // Attached first, scanned then: a process that starts between is told by its event.
        let hashes = ExecutableHashes::new(config.host_root.clone());
        let mut processes = ProcessTable::new(config.process_table_size.get(), proc_root);
        let known = processes.scan();
        tracing::debug!("{known} processes were running");
        let gauges = Arc::new(PipelineGauges::default());
        export(metrics, &sensor, &reader, &gauges)?;
        let heartbeat = readiness.heartbeat();
        metrics.register(&HEARTBEAT_AGE, move || {
            let age = heartbeat.age(Instant::now());
            age.map(|age| Sample::new([], age.as_secs_f64()))
                .into_iter()
                .collect()
        })?;
        let containers = if needs_container_metadata(program) {
            Some(ask_runtimes(config, program, metrics, &reader)?)
        } else {
            None
        };
        let drops = sensor.drop_counters();
        let stop = reader.stop_handle();
        let mut users = Users::new(&config.host_root);
        if asks_for_names(program) {
            users = users.with_containers(&config.host_root);
        }
        let pipeline = Pipeline {
            reader,
            program: Arc::clone(program),
            processes,
            hashes,
            users,
            alerts: alerts.sender(),
            counters: metrics.hot(),
            gauges,
            hostname: config.hostname.clone(),
            static_fields: config.static_fields.clone(),
            second_view: config.sensor.second_view,
            heartbeat: readiness.heartbeat(),
            drops: Box::new(move || drops.read().ok()),
            containers,
            hold_limits: config.containers.hold,
            hold_delay: metrics.hold_delay(),
        };
        let guard = readiness.fail_on_drop();
        let thread = std::thread::Builder::new()
            .name("matching".to_owned())
            .spawn(move || {
                let _guard = guard;
                pipeline.run()
            })
            .map_err(RunError::system("start the matching thread"))?;
        heap::give_back();
        readiness.ready();
        Ok(Self {
            sensor,
            stop,
            thread,
        })
    }
}

/// Starts asking the container runtimes, and exports what is counted there.
fn ask_runtimes(
    config: &Config,
    program: &Program,
    metrics: &Metrics,
    reader: &Reader,
) -> Result<MetadataTable, RunError> {
    let stats = Arc::new(DirectoryStats::default());
    let wake = reader.wake_handle();
    let inquiry = Inquiry {
        sockets: &config.containers.sockets_below(&config.host_root),
        host_root: &config.host_root,
        needs_address: needs_container_address(program),
    };
    let directory = Directory::start(inquiry, Arc::clone(&stats), Box::new(move || wake.wake()));
    let errors = Arc::clone(&stats);
    metrics.register(&CONTAINER_RUNTIME_ERRORS, move || {
        vec![Sample::count([], errors.errors.load(Ordering::Relaxed))]
    })?;
    metrics.register(&CONTAINER_UNKNOWN, move || {
        vec![Sample::count([], stats.unknown.load(Ordering::Relaxed))]
    })?;
    let table = MetadataTable::new(directory);
    match &config.kubernetes {
        Some(api) => watch_pods(api, metrics, table),
        None => Ok(table),
    }
}

/// Starts watching the pods of this node, and exports what goes wrong there.
fn watch_pods(
    api: &KubernetesApi,
    metrics: &Metrics,
    table: MetadataTable,
) -> Result<MetadataTable, RunError> {
    let stats = Arc::new(KubernetesStats::default());
    let updates = api.clone().watch(Arc::clone(&stats));
    metrics.register(&KUBERNETES_ERRORS, move || {
        [
            ("request", &stats.errors),
            ("too_many_pods", &stats.left_out),
        ]
        .map(|(cause, count)| Sample::count([cause.to_owned()], count.load(Ordering::Relaxed)))
        .into()
    })?;
    Ok(table.with_pods(updates))
}

/// Our process id in the initial pid namespace; `None` if nothing tells.
fn own_pid(proc_root: &std::path::Path) -> Option<Pid> {
    match sensor::own_pid() {
        Ok(pid) => Some(pid),
        Err(error) => {
            tracing::debug!(%error, "the kernel does not tell our process id; asking procfs");
            own_pid_of_procfs(proc_root)
        }
    }
}

/// The same for kernels before 5.10. In a container the mounted procfs of the host has it. Without one
/// there is only the id in our own namespace, which on the host is somebody else's.
fn own_pid_of_procfs(proc_root: &std::path::Path) -> Option<Pid> {
    /// `PROC_PID_INIT_INO` of the kernel: the inode of the initial pid namespace.
    const INITIAL_NAMESPACE: &str = "pid:[4026531836]";
    let of_procfs = std::fs::read_link(proc_root.join("1/ns/pid"));
    let is_initial = of_procfs
        .as_ref()
        .is_ok_and(|namespace| namespace.as_os_str() == INITIAL_NAMESPACE);
    if !is_initial {
        tracing::warn!(
            "{} is not the host's procfs: the agent does not know its own process id there, and sees itself; in a container mount the host's root and name it in HOST_ROOT",
            proc_root.display()
        );
        return None;
    }
    let link = std::fs::read_link(proc_root.join("self")).ok()?;
    link.to_str()?.parse().ok().map(Pid)
}

/// Exports what the sensor and the pipeline count.
fn export(
    metrics: &Metrics,
    sensor: &Sensor,
    reader: &Reader,
    gauges: &Arc<PipelineGauges>,
) -> Result<(), RunError> {
    let drops = sensor.drop_counters();
    let of_pipeline = Arc::clone(gauges);
    metrics.register(&DROPS, move || {
        let of_ours = [
            ("undecodable", &of_pipeline.undecodable),
            ("process_memory_unread", &of_pipeline.abandoned_reads),
            ("container_names_unread", &of_pipeline.missing_names),
        ]
        .map(|(cause, counter)| Sample::count([cause.to_owned()], counter.get()));
        match drops.read() {
            Ok(drops) => drops
                .by_cause()
                .map(|(cause, count)| Sample::count([cause], count))
                .chain(of_ours)
                .collect(),
            Err(error) => {
                tracing::error!(%error, "cannot read the drop counters");
                of_ours.into()
            }
        }
    })?;
    let usage = reader.usage();
    let sizes = usage.clone();
    metrics.register(&RING_USED_BYTES, move || {
        usage
            .rings()
            .map(|(ring, used, _)| Sample::count([ring.to_owned()], used))
            .to_vec()
    })?;
    metrics.register(&RING_SIZE_BYTES, move || {
        sizes
            .rings()
            .map(|(ring, _, size)| Sample::count([ring.to_owned()], size))
            .to_vec()
    })?;
    let single = |read: fn(&PipelineGauges) -> &HotCounter| {
        let gauges = Arc::clone(gauges);
        move || vec![Sample::count([], read(&gauges).get())]
    };
    metrics.register(&PROCESS_TABLE_ENTRIES, single(|gauges| &gauges.processes))?;
    metrics.register(&PROCESS_TABLE_EVICTIONS, single(|gauges| &gauges.evictions))?;
    metrics.register(&CONTAINERS, single(|gauges| &gauges.containers))?;
    metrics.register(&CONTAINER_HELD, single(|gauges| &gauges.held))?;
    metrics.register(&CONTAINER_DEADLINE, single(|gauges| &gauges.held_in_vain))?;
    metrics.register(
        &EXECUTABLES_NOT_HASHED,
        single(|gauges| &gauges.missing_hashes),
    )?;
    metrics.register(
        &PROCESS_TABLE_DROPPED_TEXTS,
        single(|gauges| &gauges.dropped_texts),
    )?;
    metrics.register(&UNORDERED_RECORDS, single(|gauges| &gauges.unordered))?;
    let gauges = Arc::clone(gauges);
    metrics.register(&PROCESS_TABLE_MISSES, move || {
        vec![
            Sample::count(["true".to_owned()], gauges.misses_in_proc.get()),
            Sample::count(["false".to_owned()], gauges.misses_degraded.get()),
        ]
    })?;
    Ok(())
}
