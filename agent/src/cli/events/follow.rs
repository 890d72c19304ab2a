//! `peregrine events`: the live stream.

use std::future::pending;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::row::{self, Colours};
use super::selection::Selection;
use super::terminal::{Form, Terminal};
use super::{Args, EventsError};
use crate::alert::{AlertFormat, Dispatcher, Renderer};
use crate::cli::run::{FLUSH_TIME, RunError};
use crate::cli::say;
use crate::cli::watching::Watching;
use crate::config::Config;
use crate::http::Readiness;
use crate::logging;
use crate::metrics::Metrics;
use crate::rules::Program;

/// More types of events than this are worth a word: each is a place in the kernel to attach to, and to
/// detach from.
const MANY_EVENTS: usize = 100;

/// Prints events until a signal, a limit, or the reader ends it.
pub(super) fn follow(args: &Args) -> Result<ExitCode, EventsError> {
    let config = Config::load(args.config.as_deref(), &args.options).map_err(RunError::from)?;
    logging::start(config.log_level).map_err(RunError::from)?;
    let files = config.rule_files(&args.rules).map_err(RunError::from)?;
    let selection = Selection {
        filter: args.filter.as_deref(),
        output: args.output.as_deref().unwrap_or(row::OUTPUT),
        failed_exec: config.sensor.failed_exec,
    };
    let program = Arc::new(selection.compile(files)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(RunError::system("start the asynchronous runtime"))?;
    let result = runtime.block_on(print_events(args, &config, &program));
    runtime.shutdown_background();
    Ok(result?)
}

async fn print_events(
    args: &Args,
    config: &Config,
    program: &Arc<Program>,
) -> Result<ExitCode, RunError> {
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(RunError::system("handle SIGINT"))?;
    let mut terminate =
        signal(SignalKind::terminate()).map_err(RunError::system("handle SIGTERM"))?;
    let number = program.events().iter().count();
    if number > MANY_EVENTS {
        say(&format!(
            "the filter is about {number} types of events; with evt.type in it, starting and ending are quicker"
        ));
    }
    let metrics = Metrics::new(Vec::new())?;
    let (end, ended) = oneshot::channel();
    let stdout = io::stdout();
    let form = match (args.json, &args.output) {
        (true, _) => Form::Json,
        (false, Some(_)) => Form::Text,
        (false, None) => Form::Row(colours(&stdout)),
    };
    let terminal = Terminal::new(stdout, form, args.count, end)
        .map_err(RunError::system("use standard output"))?;
    let dispatcher = Dispatcher::start(
        vec![Box::new(terminal)],
        Renderer::new(AlertFormat::default(), config.hostname.clone()),
        config.outputs_queue_capacity,
        &metrics,
    )
    .map_err(RunError::system("start a thread"))?;
    let watching = Watching::start(
        config,
        program,
        &metrics,
        &dispatcher,
        &Readiness::default(),
    )?;
    say(&format!("ready: {number} types of events"));
    let stop = watching.stop.clone();
    let mut thread = tokio::task::spawn_blocking(move || watching.thread.join());

    let time_limit = async {
        match args.stop_after {
            Some(limit) => tokio::time::sleep(limit).await,
            None => pending().await,
        }
    };
    let outcome = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        () = time_limit => None,
        _ = ended => None,
        outcome = &mut thread => Some(outcome),
    };
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => {
            stop.stop()
                .map_err(RunError::system("stop the matching thread"))?;
            thread.await
        }
    };
    let lost: u64 = match watching.sensor.drop_counters().read() {
        Ok(drops) => drops.by_cause().map(|(_, count)| count).sum(),
        Err(error) => {
            say(&format!("cannot tell how many events were lost: {error}"));
            0
        }
    };
    drop(watching.sensor);
    tokio::task::block_in_place(|| dispatcher.flush(Instant::now() + FLUSH_TIME));
    let sink = metrics.sink("stdout");
    let unprinted = sink.queue_full.get() + sink.failed.get();
    if lost + unprinted > 0 {
        say(&format!(
            "{lost} events were lost in the kernel, {unprinted} could not be printed in time: a narrower filter loses less"
        ));
    }
    match outcome {
        Ok(Ok(outcome)) => outcome?,
        Ok(Err(_)) | Err(_) => return Err(RunError::Defect),
    }
    Ok(ExitCode::SUCCESS)
}

fn colours(stdout: &io::Stdout) -> Colours {
    if stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        Colours::On
    } else {
        Colours::Off
    }
}
