//! `peregrine run`

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::alert::{Dispatcher, Renderer, Sink, Stdout};
use crate::config::{Config, ConfigError};
use crate::http::{self, HttpError, Readiness};
use crate::logging::{self, LoggingError};
use crate::metrics::{Metrics, MetricsError};

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

    let rule_files = config.rule_files(&args.rules)?;
    tracing::info!("{} rules file(s)", rule_files.len());
    let metrics = Arc::new(Metrics::new(Vec::new())?);
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

    let time_limit = async {
        match args.stop_after {
            Some(limit) => tokio::time::sleep(limit).await,
            None => pending().await,
        }
    };
    tokio::select! {
        _ = interrupt.recv() => tracing::info!("ending: SIGINT"),
        _ = terminate.recv() => tracing::info!("ending: SIGTERM"),
        () = time_limit => tracing::info!("ending: the time limit is reached"),
    }

    let unfinished = tokio::task::block_in_place(|| alerts.flush(Instant::now() + FLUSH_TIME));
    for sink in unfinished {
        tracing::error!("alert output {sink} did not take all pending alerts in time");
    }
    drop(stop_server);
    if let Some(server) = server {
        // An error would be a panic in the server, which has been printed already.
        let _ = server.await;
    }
    Ok(ExitCode::SUCCESS)
}
