//! From the matching thread to the sinks: a bounded queue and a thread for each sink.
//!
//! A sink that blocks (a full pipe, a slow disk) fills its own queue and nothing else: matching
//! never waits, the other sinks go on, and what does not fit is counted.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::{Alert, Delivery, Renderer, Sink, SinkError};
use crate::metrics::{Metrics, SinkMetrics};

/// What the alerts in a queue may take together, in bytes; further ones are dropped and counted.
const MOST_BYTES: usize = 32 << 20;

/// How many alerts each sink's queue holds unless configured otherwise; [`MOST_BYTES`] comes first if
/// they are long.
pub const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(16 * 1024).unwrap();

/// After this time without an alert, a sink writes what it holds back.
const IDLE_FLUSH: Duration = Duration::from_secs(1);

/// While a sink keeps failing, it is said again after this time.
const FAILURE_LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What a sink's queue carries.
enum Message {
    Alert(Arc<Queued>, Charge),
    /// Write what is held back, then answer.
    Flush(SyncSender<()>),
}

struct Queued {
    alert: Alert,
    line: OnceLock<String>,
}

/// What an alert takes in a queue, given back when it leaves.
struct Charge {
    bytes: usize,
    queued: Arc<AtomicUsize>,
}

impl Charge {
    /// `None` if the queue holds too much already.
    fn take(bytes: usize, queued: &Arc<AtomicUsize>) -> Option<Self> {
        let charge = Self {
            bytes,
            queued: Arc::clone(queued),
        };
        (queued.fetch_add(bytes, Relaxed) + bytes <= MOST_BYTES).then_some(charge)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.queued.fetch_sub(self.bytes, Relaxed);
    }
}

/// About the bytes that an alert takes: its texts as they are, and once more in its line.
fn bytes_of(alert: &Alert) -> usize {
    const REST: usize = 512;
    let fields: usize = alert
        .output_fields
        .iter()
        .map(|(name, value)| name.len() + value.as_str().map_or(64, str::len))
        .sum();
    REST + 2 * (alert.message.len() + fields)
}

/// Hands alerts to the sinks; any thread can have one.
#[derive(Clone)]
pub struct AlertSender {
    queues: Arc<[Queue]>,
}

struct Queue {
    sink: &'static str,
    messages: SyncSender<Message>,
    /// Bytes that its alerts take.
    queued: Arc<AtomicUsize>,
    metrics: SinkMetrics,
}

impl AlertSender {
    /// Queues an alert for every sink. Never blocks: for a sink whose queue is full the alert is
    /// dropped and counted.
    pub fn send(&self, alert: Alert) {
        let bytes = bytes_of(&alert);
        let queued = Arc::new(Queued {
            alert,
            line: OnceLock::new(),
        });
        for queue in &*self.queues {
            // A sink that stands still must not take the memory of the machine, however long the texts
            // of a process are.
            let Some(charge) = Charge::take(bytes, &queue.queued) else {
                queue.metrics.queue_full.inc();
                continue;
            };
            match queue
                .messages
                .try_send(Message::Alert(Arc::clone(&queued), charge))
            {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => queue.metrics.queue_full.inc(),
                // The sink's thread ended, which only a panic in the sink can cause.
                Err(TrySendError::Disconnected(_)) => queue.metrics.failed.inc(),
            }
        }
    }
}

/// The sinks at work.
pub struct Dispatcher {
    sender: AlertSender,
}

impl Dispatcher {
    /// Starts a thread for each sink. `capacity` is the number of alerts that each queue holds.
    ///
    /// Fails only if the system gives no thread.
    pub fn start(
        sinks: Vec<Box<dyn Sink>>,
        renderer: Renderer,
        capacity: NonZeroUsize,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        let renderer = Arc::new(renderer);
        let mut queues = Vec::with_capacity(sinks.len());
        for sink in sinks {
            let (sender, messages) = mpsc::sync_channel(capacity.get());
            let name = sink.name();
            let metrics = metrics.sink(name);
            let worker = Worker {
                sink,
                renderer: Arc::clone(&renderer),
                metrics: metrics.clone(),
                failure: None,
            };
            // Not joined: a sink that hangs must not keep the agent from ending.
            thread::Builder::new()
                .name(format!("alert-{name}"))
                .spawn(move || worker.run(&messages))?;
            queues.push(Queue {
                sink: name,
                messages: sender,
                queued: Arc::default(),
                metrics,
            });
        }
        Ok(Self {
            sender: AlertSender {
                queues: queues.into(),
            },
        })
    }

    /// A handle for a thread that raises alerts.
    pub fn sender(&self) -> AlertSender {
        self.sender.clone()
    }

    /// Waits until everything sent before is delivered or given up, at most until `deadline`.
    /// Blocks the calling thread. Returns the sinks that did not finish.
    pub fn flush(&self, deadline: Instant) -> Vec<&'static str> {
        let waiting: Vec<_> = self
            .sender
            .queues
            .iter()
            .map(|queue| (queue.sink, request_flush(&queue.messages, deadline)))
            .collect();
        waiting
            .into_iter()
            .filter(|(_, answer)| {
                let rest = deadline.saturating_duration_since(Instant::now());
                answer
                    .as_ref()
                    .is_none_or(|answer| answer.recv_timeout(rest).is_err())
            })
            .map(|(sink, _)| sink)
            .collect()
    }
}

/// Asks a sink to flush, after what is queued already; `None` if its queue stays full until the
/// deadline or its thread is gone.
fn request_flush(messages: &SyncSender<Message>, deadline: Instant) -> Option<Receiver<()>> {
    let (answer, answered) = mpsc::sync_channel(1);
    let mut message = Message::Flush(answer);
    loop {
        match messages.try_send(message) {
            Ok(()) => return Some(answered),
            Err(TrySendError::Disconnected(_)) => return None,
            Err(TrySendError::Full(_)) if Instant::now() >= deadline => return None,
            Err(TrySendError::Full(back)) => message = back,
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// One sink's thread.
struct Worker {
    sink: Box<dyn Sink>,
    renderer: Arc<Renderer>,
    metrics: SinkMetrics,
    failure: Option<Failure>,
}

/// A run of failed deliveries.
struct Failure {
    lost: u64,
    logged: Instant,
}

impl Worker {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            match messages.recv_timeout(IDLE_FLUSH) {
                Ok(Message::Alert(queued, _charge)) => {
                    let delivery = Delivery::new(&queued.alert, &self.renderer, &queued.line);
                    let result = self.sink.deliver(&delivery);
                    if result.is_ok() {
                        self.metrics.latency.observe(age(queued.alert.time));
                    }
                    self.note(result);
                }
                Ok(Message::Flush(answer)) => {
                    let result = self.sink.flush();
                    self.note_flush(result);
                    // Nobody waits any more if the deadline passed.
                    let _ = answer.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    let result = self.sink.flush();
                    self.note_flush(result);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let result = self.sink.flush();
                    self.note_flush(result);
                    return;
                }
            }
        }
    }

    /// A flush of nothing says nothing about whether the sink works again.
    fn note_flush(&mut self, result: Result<(), SinkError>) {
        if result.as_ref().is_err_and(|error| error.lost > 0) {
            self.note(result);
        }
    }

    /// Counts what was lost and logs the first loss, then at most one a minute, and the recovery.
    fn note(&mut self, result: Result<(), SinkError>) {
        let sink = self.sink.name();
        match result {
            Ok(()) => {
                if let Some(failure) = self.failure.take() {
                    let lost = failure.lost;
                    tracing::warn!("alert output {sink} works again; {lost} alert(s) were lost");
                }
            }
            Err(error) => {
                self.metrics.failed.inc_by(error.lost);
                let lost = self.failure.as_ref().map_or(0, |failure| failure.lost) + error.lost;
                let due = self
                    .failure
                    .as_ref()
                    .is_none_or(|failure| failure.logged.elapsed() >= FAILURE_LOG_INTERVAL);
                if due {
                    tracing::error!(
                        "alert output {sink} fails: {}; {lost} alert(s) lost so far",
                        error.source
                    );
                }
                let logged = match &self.failure {
                    Some(failure) if !due => failure.logged,
                    _ => Instant::now(),
                };
                self.failure = Some(Failure { lost, logged });
            }
        }
    }
}

/// Seconds since a wall-clock time in ns since the epoch; 0 if the clock was set back.
#[expect(
    clippy::cast_precision_loss,
    reason = "a histogram's buckets do not need 53 bits"
)]
fn age(time: u64) -> f64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    now.saturating_sub(time) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::AlertFormat;
    use super::super::tests::alert;
    use super::*;

    /// Keeps what it is given; waits for the gate before each delivery if there is one.
    struct Recorder {
        lines: Arc<Mutex<Vec<String>>>,
        gate: Option<Receiver<()>>,
        fail: bool,
    }

    impl Sink for Recorder {
        fn name(&self) -> &'static str {
            "recorder"
        }

        fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
            if let Some(gate) = &self.gate {
                let _ = gate.recv();
            }
            if self.fail {
                return Err(SinkError {
                    lost: 1,
                    source: io::ErrorKind::BrokenPipe.into(),
                });
            }
            self.lines.lock().unwrap().push(delivery.line().to_owned());
            Ok(())
        }

        fn flush(&mut self) -> Result<(), SinkError> {
            Ok(())
        }
    }

    fn start(sink: Recorder, capacity: usize, metrics: &Metrics) -> Dispatcher {
        let renderer = Renderer::new(AlertFormat::default(), "host".to_owned());
        let capacity = NonZeroUsize::new(capacity).unwrap();
        Dispatcher::start(vec![Box::new(sink)], renderer, capacity, metrics).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn alerts_arrive_in_order_and_a_flush_waits_for_them() {
        let lines = Arc::default();
        let metrics = Metrics::new(Vec::new()).unwrap();
        let sink = Recorder {
            lines: Arc::clone(&lines),
            gate: None,
            fail: false,
        };
        let dispatcher = start(sink, 1000, &metrics);
        let sender = dispatcher.sender();
        for number in 0..100 {
            sender.send(alert(&format!("number {number}")));
        }
        assert!(dispatcher.flush(soon()).is_empty());
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 100);
        assert!(lines[99].ends_with("number 99\n"));
        assert_eq!(metrics.sink("recorder").latency.get_sample_count(), 100);
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_never_blocks() {
        let lines = Arc::default();
        let metrics = Metrics::new(Vec::new()).unwrap();
        let (open, gate) = mpsc::channel();
        let sink = Recorder {
            lines: Arc::clone(&lines),
            gate: Some(gate),
            fail: false,
        };
        let dispatcher = start(sink, 4, &metrics);
        let sender = dispatcher.sender();
        for number in 0..100 {
            sender.send(alert(&format!("number {number}")));
        }
        // Nothing gets through, so a flush gives up at its deadline and says which sink.
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(dispatcher.flush(deadline), ["recorder"]);
        drop(open);
        assert!(dispatcher.flush(soon()).is_empty());
        let delivered = lines.lock().unwrap().len() as u64;
        // Four fit, one more if the thread had taken the first one out.
        assert!((4..=5).contains(&delivered), "{delivered}");
        assert_eq!(metrics.sink("recorder").queue_full.get(), 100 - delivered);
    }

    #[test]
    fn a_failing_sink_is_counted_and_goes_on() {
        let metrics = Metrics::new(Vec::new()).unwrap();
        let sink = Recorder {
            lines: Arc::default(),
            gate: None,
            fail: true,
        };
        let dispatcher = start(sink, 10, &metrics);
        for _ in 0..5 {
            dispatcher.sender().send(alert("lost"));
        }
        assert!(dispatcher.flush(soon()).is_empty());
        assert_eq!(metrics.sink("recorder").failed.get(), 5);
    }
}
