//! `peregrine run`

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::watching::Watching;
use crate::alert::{Dispatcher, Renderer, Sink, Stdout};
use crate::config::{Config, ConfigError, RuleMatching};
use crate::http::{self, HttpError, Readiness};
use crate::logging::{self, LoggingError};
use crate::metrics::{Metrics, MetricsError, RuleLabels};
use crate::pipeline::PipelineError;
use crate::rules::{self, CompileOptions, Matching, Program, RuleSource};
use crate::sensor::SensorError;

/// How long pending alerts may take at the end: the agent has to be gone within a second.
pub(super) const FLUSH_TIME: Duration = Duration::from_millis(500);

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

pub(super) fn option(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("expected KEY=VALUE, such as json_output=true".to_owned()),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
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
    pub(super) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
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

    let watching = Watching::start(config, &program, &metrics, &alerts, &readiness)?;
    let attached = watching.sensor.attached();
    if args.print_attached {
        for probe in attached {
            super::say(&format!("attached: {probe}"));
        }
    }
    super::say(&format!(
        "ready: {} rules, {} programs attached",
        program.rules().len(),
        attached.len()
    ));
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
        failed_exec: config.sensor.failed_exec,
    };
    let program = Program::compile(&report.rules, options);
    for rule in program.inert_rules() {
        tracing::warn!("rule '{rule}' can match none of the events that are delivered so far");
    }
    tracing::info!(
        "{} rules from {} file(s)",
        program.rules().len(),
        sources.len()
    );
    for rule in program.rules().iter().filter(|rule| rule.is_switched_off) {
        tracing::debug!(
            "rule '{}' waits for what its lists and macros leave to you",
            rule.name
        );
    }
    Ok(program)
}
