//! `peregrine run`

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::wanted::wanted_by;
use crate::alert::{Dispatcher, Renderer, Sink, Stdout};
use crate::config::{Config, ConfigError, RuleMatching};
use crate::container::{Directory, DirectoryStats, MetadataTable};
use crate::event::Pid;
use crate::http::{self, HttpError, Readiness};
use crate::logging::{self, LoggingError};
use crate::metrics::{
    CONTAINER_DEADLINE, CONTAINER_HELD, CONTAINER_RUNTIME_ERRORS, CONTAINER_UNKNOWN, CONTAINERS,
    DROPS, HotCounter, Metrics, MetricsError, PROCESS_TABLE_ENTRIES, PROCESS_TABLE_EVICTIONS,
    PROCESS_TABLE_MISSES, RING_SIZE_BYTES, RING_USED_BYTES, RuleLabels, Sample,
};
use crate::pipeline::{Pipeline, PipelineError, PipelineGauges, needs_container_metadata};
use crate::rules::{self, CompileOptions, Matching, Program, RuleSource};
use crate::sensor::{self, Reader, Sensor, SensorError};
use crate::state::{ProcessTable, Users, host_names};

/// How long pending alerts may take at the end: the agent has to be gone within a second.
const FLUSH_TIME: Duration = Duration::from_millis(500);

/// Arguments of `run`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Configuration file [default: /etc/peregrine/peregrine.yaml if it exists]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Rules file, or directory with rules files, instead of those configured; repeatable
    #[arg(short, long, value_name = "RULES")]
    pub rules: Vec<PathBuf>,

    /// Override a setting of the configuration file; repeatable
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = option)]
    pub options: Vec<String>,

    /// Stop after so many seconds
    #[arg(short = 'M', long, value_name = "SECONDS", value_parser = seconds)]
    pub stop_after: Option<Duration>,

    /// Print what is attached to the kernel, one name a line on standard error
    #[arg(long)]
    pub print_attached: bool,
}

fn option(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("expected KEY=VALUE, such as json_output=true".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds, such as 60 or 0.5".to_owned())
}

/// The agent could not start or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration or a file it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logging.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The web server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The rules do not load.
    #[error("the rules do not load:\n{0}")]
    Rules(String),
    /// The kernel cannot be watched.
    #[error(transparent)]
    Sensor(#[from] SensorError),
    /// The kernel's records cannot be read any more.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The thread that matches rules panicked; the panic was printed where it happened.
    #[error("the matching thread ended by a defect; see the lines above")]
    Defect,
    /// The system refused something basic.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl RunError {
    fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// Runs the agent until a signal, the time limit, or a failure ends it.
pub fn run(args: &Args) -> Result<ExitCode, RunError> {
    let config = Config::load(args.config.as_deref(), &args.options)?;
    logging::start(config.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(RunError::system("start the asynchronous runtime"))?;
    let result = runtime.block_on(run_configured(args, &config));
    // A task that hangs must not keep the agent from ending.
    runtime.shutdown_background();
    result
}

async fn run_configured(args: &Args, config: &Config) -> Result<ExitCode, RunError> {
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(RunError::system("handle SIGINT"))?;
    let mut terminate =
        signal(SignalKind::terminate()).map_err(RunError::system("handle SIGTERM"))?;

    let program = Arc::new(load_rules(args, config)?);
    let labels = program.rules().iter().map(|rule| RuleLabels {
        rule: Arc::clone(&rule.name),
        priority: rule.priority,
        source: Arc::clone(&rule.source),
        tags: Arc::clone(&rule.tags),
    });
    let metrics = Arc::new(Metrics::new(labels.collect())?);
    let readiness = Readiness::default();

    // Before anything is attached: a port in use is a reason not to start at all.
    let (stop_server, server_stopped) = oneshot::channel::<()>();
    let mut server = None;
    if config.webserver.enabled {
        let bound = http::Server::bind(&config.webserver).await?;
        let shutdown = async {
            let _ = server_stopped.await;
        };
        server = Some(tokio::spawn(bound.serve(
            Arc::clone(&metrics),
            readiness.clone(),
            shutdown,
        )));
    }

    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if config.stdout_output {
        let stdout = Stdout::new(config.buffered_outputs);
        sinks.push(Box::new(
            stdout.map_err(RunError::system("use standard output"))?,
        ));
    }
    let renderer = Renderer::new(config.alert_format, config.hostname.clone());
    let alerts = Dispatcher::start(sinks, renderer, config.outputs_queue_capacity, &metrics)
        .map_err(RunError::system("start a thread"))?;

    let watching = Watching::start(args, config, &program, &metrics, &alerts, &readiness)?;
    let stop = watching.stop.clone();
    let mut thread = tokio::task::spawn_blocking(move || watching.thread.join());

    let time_limit = async {
        match args.stop_after {
            Some(limit) => tokio::time::sleep(limit).await,
            None => pending().await,
        }
    };
    let ended = tokio::select! {
        _ = interrupt.recv() => { tracing::info!("ending: SIGINT"); None }
        _ = terminate.recv() => { tracing::info!("ending: SIGTERM"); None }
        () = time_limit => { tracing::info!("ending: the time limit is reached"); None }
        ended = &mut thread => Some(ended),
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            stop.stop()
                .map_err(RunError::system("stop the matching thread"))?;
            thread.await
        }
    };
    // Nothing more is recorded; what was, has been matched.
    drop(watching.sensor);

    let unfinished = tokio::task::block_in_place(|| alerts.flush(Instant::now() + FLUSH_TIME));
    for sink in unfinished {
        tracing::error!("alert output {sink} did not take all pending alerts in time");
    }
    drop(stop_server);
    if let Some(server) = server {
        // An error would be a panic in the server, which has been printed already.
        let _ = server.await;
    }
    match ended {
        Ok(Ok(outcome)) => outcome?,
        Ok(Err(_)) | Err(_) => return Err(RunError::Defect),
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads and compiles the rules; warnings are logged, errors end it.
fn load_rules(args: &Args, config: &Config) -> Result<Program, RunError> {
    let sources: Vec<RuleSource> = config
        .rule_files(&args.rules)?
        .into_iter()
        .map(|file| RuleSource {
            name: file.name,
            text: file.text,
        })
        .collect();
    let mut report = rules::load_with(&sources, &config.output_settings());
    let errors: Vec<String> = report.errors().map(ToString::to_string).collect();
    if !errors.is_empty() {
        return Err(RunError::Rules(errors.join("\n")));
    }
    for warning in report.warnings() {
        tracing::warn!("{warning}");
    }
    for switch in report.rules.switch(&config.rules) {
        tracing::warn!("rules: no rule {switch}, so there is none to change");
    }
    let options = CompileOptions {
        matching: match config.rule_matching {
            RuleMatching::First => Matching::First,
            RuleMatching::All => Matching::All,
        },
        minimum_priority: config.priority,
    };
    let program = Program::compile(&report.rules, options);
    for rule in program.inert_rules() {
        tracing::warn!("rule '{rule}' can match none of the events that are delivered so far");
    }
    host_names::start_resolving().map_err(RunError::system("start a thread"))?;
    tracing::info!(
        "{} rules from {} file(s)",
        program.rules().len(),
        sources.len()
    );
    Ok(program)
}

/// The attached sensor and the thread that handles what it records.
struct Watching {
    sensor: Sensor,
    stop: sensor::StopHandle,
    thread: std::thread::JoinHandle<Result<(), PipelineError>>,
}

impl Watching {
    fn start(
        args: &Args,
        config: &Config,
        program: &Arc<Program>,
        metrics: &Metrics,
        alerts: &Dispatcher,
        readiness: &Readiness,
    ) -> Result<Self, RunError> {
        let proc_root = config.host_root.join("proc");
        let options = sensor::Options {
            process_ring_bytes: config.sensor.process_ring_bytes,
            event_ring_bytes: config.sensor.event_ring_bytes,
            data_bytes: config.sensor.data_bytes,
            wanted: wanted_by(program, config.sensor.failed_exec),
            leave_out: if config.sensor.trace_self {
                None
            } else {
                own_pid(&proc_root)
            },
            oldest_ways: config.sensor.oldest_ways,
        };
        let (sensor, reader) = Sensor::start(&options)?;
        if args.print_attached {
            for probe in sensor.attached() {
                super::say(&format!("attached: {probe}"));
            }
        }
        // Attached first, scanned then: a process that starts between is told by its event.
        let mut processes = ProcessTable::new(config.process_table_size.get(), proc_root);
        let known = processes.scan();
        tracing::debug!("{known} processes were running");
        let gauges = Arc::new(PipelineGauges::default());
        export(metrics, &sensor, &reader, &gauges)?;
        let containers = if needs_container_metadata(program) {
            Some(ask_runtimes(config, metrics, &reader)?)
        } else {
            None
        };
        let drops = sensor.drop_counters();
        let stop = reader.stop_handle();
        let pipeline = Pipeline {
            reader,
            program: Arc::clone(program),
            processes,
            users: Users::new(&config.host_root),
            alerts: alerts.sender(),
            counters: metrics.hot(),
            gauges,
            hostname: config.hostname.clone(),
            static_fields: config.static_fields.clone(),
            second_view: config.sensor.second_view,
            process_drops: Box::new(move || drops.read().map_or(0, |drops| drops.of_processes())),
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
        give_back_memory();
        readiness.ready();
        super::say(&format!(
            "ready: {} rules, {} programs attached",
            program.rules().len(),
            sensor.attached().len()
        ));
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
    metrics: &Metrics,
    reader: &Reader,
) -> Result<MetadataTable, RunError> {
    let stats = Arc::new(DirectoryStats::default());
    let wake = reader.wake_handle();
    let directory = Directory::start(
        &config.containers.sockets_below(&config.host_root),
        &config.host_root,
        Arc::clone(&stats),
        Box::new(move || wake.wake()),
    );
    let errors = Arc::clone(&stats);
    metrics.register(&CONTAINER_RUNTIME_ERRORS, move || {
        vec![Sample::count([], errors.errors.load(Ordering::Relaxed))]
    })?;
    metrics.register(&CONTAINER_UNKNOWN, move || {
        vec![Sample::count([], stats.unknown.load(Ordering::Relaxed))]
    })?;
    Ok(MetadataTable::new(directory))
}

/// Returns to the system what reading the kernel's types and loading the programs left free in the
/// heap: some 10 MB, which the allocator would keep.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` may be called at any time and touches only memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Our process id in the host's pid namespace; `None` if this procfs does not tell.
///
/// In a container the mounted procfs of the host has it. Without one there is only the id in our own
/// namespace, which on the host is somebody else's.
fn own_pid(proc_root: &std::path::Path) -> Option<Pid> {
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
    let gauges = Arc::clone(gauges);
    metrics.register(&PROCESS_TABLE_MISSES, move || {
        vec![
            Sample::count(["true".to_owned()], gauges.misses_in_proc.get()),
            Sample::count(["false".to_owned()], gauges.misses_degraded.get()),
        ]
    })?;
    Ok(())
}
