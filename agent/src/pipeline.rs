//! The hot path: one thread that takes records from the kernel, keeps the state, matches the rules and
//! hands alerts over. It shares nothing but counters, and takes no lock.

mod held;
mod loss;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tracing::{error, warn};

use crate::alert::{Alert, AlertSender};
use crate::container::{ContainerIdentity, ContainerMetadata, Known, MetadataTable};
use crate::event::{DecodeError, Event, EventType, Payload, decode};
use crate::fields::{
    Context, EventFields, EventTimes, Extractors, FieldSource, FileNames, ResolvedName, View,
    file_names, resolved_names,
};
use crate::metrics::{Heartbeat, HotCounter, HotCounters};
use crate::rules::{EvaluationCache, EventClass, Program, RuleIndex};
use crate::sensor::{KernelDrops, Reader, Wake};
use crate::state::{BootClock, ExecutableHashes, ProcessTable, Users};
use held::{HeldEvent, HeldEvents, Witness};
use loss::LossReport;

pub use held::HoldLimits;

/// How often is done what is due by time.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How often the process table is compared with /proc for exits that were lost.
const SWEEP: Duration = Duration::from_mins(5);
/// How often is looked for containers that have ended.
const ENDED_CONTAINERS: Duration = Duration::from_secs(30);
/// How long records are still handled after the order to stop.
const LAST_RECORDS: Duration = Duration::from_millis(300);
/// How many records are handled before the clock is looked at.
const BATCH: usize = 1024;

/// The thread had to end.
#[derive(Debug, Error)]
#[error("cannot wait for the kernel's records: {0}")]
pub struct PipelineError(#[from] std::io::Error);

/// What the thread tells others about itself.
#[derive(Debug, Default)]
pub struct PipelineGauges {
    /// Processes known.
    pub processes: HotCounter,
    /// Processes pushed out of a full table.
    pub evictions: HotCounter,
    /// Environments, arguments and paths of processes dropped for want of room.
    pub dropped_texts: HotCounter,
    /// Events of an unknown process that /proc still knew.
    pub misses_in_proc: HotCounter,
    /// Events of an unknown process of which only the event's header is known.
    pub misses_degraded: HotCounter,
    /// Records that could not be decoded.
    pub undecodable: HotCounter,
    /// Times that names of a container's users could not be read.
    pub missing_names: HotCounter,
    /// Records that may have been handled before an older one.
    pub unordered: HotCounter,
    /// Processes whose arguments and environment `/proc` did not give in time.
    pub abandoned_reads: HotCounter,
    /// Hashes of executables that were asked for and could not be given.
    pub missing_hashes: HotCounter,
    /// Containers remembered with their metadata.
    pub containers: HotCounter,
    /// Events that waited for a container's metadata.
    pub held: HotCounter,
    /// Of those, events that were matched without it: the deadline passed, or too many waited.
    pub held_in_vain: HotCounter,
}

/// What the thread works with.
pub struct Pipeline {
    /// Where records come from.
    pub reader: Reader,
    /// The rules.
    pub program: Arc<Program>,
    /// The processes.
    pub processes: ProcessTable,
    /// Hashes of what they run.
    pub hashes: ExecutableHashes,
    /// The users.
    pub users: Users,
    /// Where alerts go.
    pub alerts: AlertSender,
    /// What is counted by event and rule.
    pub counters: Arc<HotCounters>,
    /// What is told besides.
    pub gauges: Arc<PipelineGauges>,
    /// The host's name.
    pub hostname: String,
    /// Constants of the configuration: the fields `static.NAME`.
    pub static_fields: BTreeMap<String, String>,
    /// Whether a path is also judged as the kernel resolved it.
    pub second_view: bool,
    /// Shows that the thread goes on.
    pub heartbeat: Heartbeat,
    /// What the kernel side dropped so far; `None` if it cannot be read.
    pub drops: Box<dyn FnMut() -> Option<KernelDrops> + Send>,
    /// The metadata of containers; `None` if no rule asks for it.
    pub containers: Option<MetadataTable>,
    /// How long, and how many, events wait for it.
    pub hold_limits: HoldLimits,
    /// Told how long each event waited, in seconds.
    pub hold_delay: prometheus::Histogram,
}

/// Whether a rule set needs the metadata of containers.
pub fn needs_container_metadata(program: &Program) -> bool {
    Extractors::new(program.fields()).any_of_container()
}

/// Whether a rule set asks for an address of a container.
pub fn needs_container_address(program: &Program) -> bool {
    let is_address = |name: &str| matches!(name, "container.ip" | "k8s.pod.ip");
    program.fields().iter().any(|field| is_address(field.name))
}

impl Pipeline {
    /// Runs until the reader is stopped; what is in the rings then is still handled.
    pub fn run(self) -> Result<(), PipelineError> {
        let mut matcher = Matcher {
            extractors: Extractors::new(self.program.fields()),
            program: self.program,
            hashes: self.hashes,
            users: self.users,
            clock: BootClock::new(),
            hostname: self.hostname,
            static_fields: self.static_fields,
            second_view: self.second_view,
            alerts: self.alerts,
            counters: self.counters,
            cache: EvaluationCache::default(),
            names: FileNames::default(),
            matches: Vec::new(),
            number: 0,
            times: None,
            containers: self.containers,
            held: HeldEvents::new(self.hold_limits),
            hold_delay: self.hold_delay,
            gauges: Arc::clone(&self.gauges),
        };
        matcher
            .users
            .expect(self.processes.iter(), BootClock::now());
        matcher.ask_for_running(&self.processes);
        let mut state = State {
            processes: self.processes,
            gauges: self.gauges,
            drops: self.drops,
            report: LossReport::default(),
            known_drops: 0,
            next: Instant::now(),
            next_sweep: Instant::now() + SWEEP,
            next_look: Instant::now() + ENDED_CONTAINERS,
        };
        let mut reader = self.reader;
        let mut stopping: Option<Instant> = None;
        loop {
            self.heartbeat.beat(Instant::now());
            state.keep_house(&mut matcher, &reader);
            matcher.release();
            let mut handled = 0;
            while handled < BATCH {
                let Some(record) = reader.next_record() else {
                    break;
                };
                handled += 1;
                match decode(record) {
                    Ok(event) => matcher.handle(&event, &mut state.processes),
                    Err(problem) => state.undecodable(problem),
                }
            }
            // Under a flood the rings never run empty, and there is no wait that says so.
            if handled == BATCH && stopping.is_none() && reader.is_stopped() {
                stopping = Some(Instant::now() + LAST_RECORDS);
            }
            match stopping {
                Some(deadline) if Instant::now() >= deadline && handled == BATCH => {
                    warn!(
                        "ending with records unread: they came faster than they could be handled"
                    );
                    matcher.release_all();
                    return Ok(());
                }
                _ if handled == BATCH => {}
                Some(_) => {
                    matcher.release_all();
                    return Ok(());
                }
                None => {
                    // What is held has a deadline: a long sleep would miss it.
                    if reader.wait(handled > 0 || !matcher.held.is_empty())? == Wake::Stop {
                        stopping = Some(Instant::now() + LAST_RECORDS);
                    }
                }
            }
        }
    }
}

/// The state and what is done to it by time.
struct State {
    processes: ProcessTable,
    gauges: Arc<PipelineGauges>,
    drops: Box<dyn FnMut() -> Option<KernelDrops> + Send>,
    report: LossReport,
    known_drops: u64,
    next: Instant,
    next_sweep: Instant,
    next_look: Instant,
}

impl State {
    fn undecodable(&self, problem: DecodeError) {
        // One is a defect of ours and worth a line; more of them say no more.
        if self.gauges.undecodable.get() == 0 {
            error!(%problem, "a record of the kernel side cannot be decoded");
        }
        self.gauges.undecodable.add(1);
    }

    fn keep_house(&mut self, matcher: &mut Matcher, reader: &Reader) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + HOUSEKEEPING;
        matcher.clock.refresh();
        if let Err(problem) = matcher.users.refresh(BootClock::now()) {
            warn!(%problem, "names of users and groups may be out of date");
        }
        if let Some(drops) = (self.drops)() {
            if drops.of_processes() > self.known_drops {
                self.known_drops = drops.of_processes();
                self.processes.note_loss();
                self.next_sweep = now;
            }
            let time = matcher.clock.wall_ns(BootClock::now());
            if let Some(alert) = self.report.due(&drops, now, time) {
                matcher.alerts.send(alert);
            }
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            self.processes.sweep();
        }
        if now >= self.next_look {
            self.next_look = now + ENDED_CONTAINERS;
            matcher.forget_ended(&self.processes);
        }
        let names = matcher.users.container_stats();
        self.gauges
            .missing_names
            .set(names.abandoned + names.evictions);
        self.gauges.unordered.set(reader.unordered());
        let stats = self.processes.stats();
        self.gauges.processes.set(self.processes.len() as u64);
        self.gauges.evictions.set(stats.evictions);
        self.gauges.dropped_texts.set(stats.dropped_texts);
        self.gauges.abandoned_reads.set(stats.abandoned_reads);
        self.gauges.missing_hashes.set(matcher.hashes.misses());
        self.gauges.misses_degraded.set(stats.degraded);
        self.gauges
            .misses_in_proc
            .set(stats.misses.saturating_sub(stats.degraded));
    }
}

/// Judges events.
struct Matcher {
    program: Arc<Program>,
    extractors: Extractors,
    hashes: ExecutableHashes,
    users: Users,
    clock: BootClock,
    hostname: String,
    static_fields: BTreeMap<String, String>,
    second_view: bool,
    alerts: AlertSender,
    counters: Arc<HotCounters>,
    cache: EvaluationCache,
    names: FileNames,
    matches: Vec<RuleIndex>,
    number: u64,
    times: Option<EventTimes>,
    containers: Option<MetadataTable>,
    held: HeldEvents,
    hold_delay: prometheus::Histogram,
    gauges: Arc<PipelineGauges>,
}

impl Matcher {
    fn handle(&mut self, event: &Event<'_>, processes: &mut ProcessTable) {
        if processes.is_repeated_exit(event) {
            return;
        }
        // An exit leaves the process in the table for a while, so it can be applied first as well.
        processes.apply(event);
        if let Payload::CgroupCreated(created) = &event.payload
            && let Some(containers) = &mut self.containers
            && let Some(identity) = ContainerIdentity::from_cgroup_path(created.path.bytes)
        {
            containers.appeared(&Arc::new(identity));
        }
        if event.event_type == EventType::STATE {
            return;
        }
        self.number += 1;
        let now = event.origin.time;
        let times = self.times.unwrap_or(EventTimes {
            first: now,
            previous: now,
        });
        self.times = Some(EventTimes {
            previous: now,
            ..times
        });
        self.counters.count_event(event.event_type);
        if !self.program.events().contains(event.event_type) {
            return;
        }
        let subject = processes.process_of(&event.origin);
        let is_exec = matches!(event.payload, Payload::Exec(_));
        self.users
            .prepare(subject.process, event.origin.time, is_exec);
        let metadata = match (&mut self.containers, &subject.process.container) {
            (Some(containers), Some(identity)) => containers.get(identity),
            _ => Known::Now(None),
        };
        let (container, awaited) = match (&metadata, &subject.process.container) {
            (Known::Now(metadata), _) => (metadata.as_deref(), None),
            (Known::Awaited, identity) => (None, identity.as_ref()),
        };
        file_names(event, &mut self.names);
        let context = Context {
            event,
            number: self.number,
            times,
            process: subject.process,
            processes: subject.table,
            hashes: &self.hashes,
            users: &self.users,
            clock: &self.clock,
            hostname: &self.hostname,
            static_fields: &self.static_fields,
            container,
            names: &self.names,
            view: View::Passed,
        };
        let passed = EventFields {
            context,
            extractors: &self.extractors,
        };
        let kernel = EventFields {
            context: Context {
                view: View::Kernel,
                ..context
            },
            extractors: &self.extractors,
        };
        let views: [&dyn FieldSource; 2] = [&passed, &kernel];
        let views = if self.second_view && self.names.differ() {
            &views[..]
        } else {
            &views[..1]
        };
        let class = class_of(event);
        self.matches.clear();
        if let Some(identity) = awaited {
            let witnesses: Vec<Witness<'_>> = views
                .iter()
                .map(|view| Witness::new(*view, &self.extractors))
                .collect();
            let watched: Vec<&dyn FieldSource> = witnesses
                .iter()
                .map(|witness| witness as &dyn FieldSource)
                .collect();
            self.program.evaluate(
                event.event_type,
                class,
                &watched,
                &mut self.cache,
                &mut self.matches,
            );
            // An event that no rule asked the metadata for, and none matched, needs none.
            if !self.matches.is_empty() || witnesses.iter().any(Witness::was_asked) {
                self.gauges.held.add(1);
                let resolved = resolved_names(&context);
                let held = HeldEvent::new(
                    event.event_type,
                    class,
                    context.time_ns(),
                    views,
                    resolved,
                    self.extractors.len(),
                );
                self.held.push(identity, held);
                // Not only once a batch: a thousand events with long arguments are more than the bound.
                if self.held.is_full() {
                    self.release();
                }
            }
            return;
        }
        self.program.evaluate(
            event.event_type,
            class,
            views,
            &mut self.cache,
            &mut self.matches,
        );
        for index in &self.matches {
            self.counters.count_match(index.0);
            let resolved = resolved_names(&context);
            self.alerts.send(alert(
                &self.program,
                *index,
                &passed,
                context.time_ns(),
                &resolved,
            ));
        }
    }

    /// Asks for the containers that were running before the agent.
    fn ask_for_running(&mut self, processes: &ProcessTable) {
        let Some(containers) = &mut self.containers else {
            return;
        };
        for process in processes.iter() {
            if let Some(identity) = &process.container {
                // What is known does not matter yet.
                let _ = containers.get(identity);
                self.held.is_old(identity);
            }
        }
    }

    /// Forgets the containers in which no process is any more.
    fn forget_ended(&mut self, processes: &ProcessTable) {
        if let Some(containers) = &mut self.containers {
            let alive: HashSet<_, foldhash::fast::RandomState> = processes
                .iter()
                .filter(|process| process.exited.is_none())
                .filter_map(|process| process.container.as_ref())
                .collect();
            containers.forget_ended(|identity| alive.contains(identity));
        }
    }

    /// Matches the held events whose wait is over.
    fn release(&mut self) {
        let Some(containers) = &mut self.containers else {
            return;
        };
        let held = &mut self.held;
        containers.take_answers(|identity| held.settle(identity));
        self.gauges.containers.set(containers.len() as u64);
        while let Some(released) = self.held.next_due() {
            self.judge_released(&released);
        }
    }

    fn release_all(&mut self) {
        self.release();
        while let Some(released) = self.held.pop() {
            self.judge_released(&released);
        }
    }

    fn judge_released(&mut self, released: &held::Released) {
        let Some(containers) = &mut self.containers else {
            return;
        };
        let metadata = containers.give_up(&released.identity);
        for (held, waited) in &released.events {
            self.hold_delay.observe(waited.as_secs_f64());
            if !released.settled {
                self.gauges.held_in_vain.add(1);
            }
            self.judge_held(held, metadata.as_deref());
        }
    }

    fn judge_held(&mut self, held: &HeldEvent, metadata: Option<&ContainerMetadata>) {
        let views = held.views(&self.extractors, metadata);
        let sources: Vec<&dyn FieldSource> =
            views.iter().map(|view| view as &dyn FieldSource).collect();
        self.matches.clear();
        self.program.evaluate(
            held.event_type,
            held.class,
            &sources,
            &mut self.cache,
            &mut self.matches,
        );
        let Some(passed) = sources.first() else {
            return;
        };
        for index in &self.matches {
            self.counters.count_match(index.0);
            let resolved = &held.resolved;
            self.alerts
                .send(alert(&self.program, *index, *passed, held.time, resolved));
        }
    }
}

/// What an event's result and flags tell the rules beforehand.
fn class_of(event: &Event<'_>) -> EventClass {
    match (event.origin.result, &event.payload) {
        (None, _) => EventClass::Unknown,
        (Some(result), _) if result < 0 => EventClass::Failed,
        (Some(_), Payload::Open(open)) if open.can_write() => EventClass::OpenedForWriting,
        (Some(_), Payload::Open(_)) => EventClass::OpenedForReading,
        (Some(_), _) => EventClass::Succeeded,
    }
}

/// What a match of a rule says.
fn alert(
    program: &Program,
    index: RuleIndex,
    fields: &dyn FieldSource,
    time: u64,
    resolved: &[ResolvedName],
) -> Alert {
    let rule = program.rule(index);
    let value = |field: &crate::fields::FieldUse| {
        program.slot_of(field).and_then(|slot| fields.value(slot))
    };
    let (mut message, mut output_fields) = rule.output.render(&value);
    // What was used is another file than its name says: that has to be seen.
    for ResolvedName { field, label, path } in resolved {
        // A rule may print it itself.
        if !output_fields.contains_key(*field) {
            message.push(' ');
            message.push_str(label);
            message.push('=');
            message.push_str(path);
            output_fields.insert((*field).to_owned(), path.as_str().into());
        }
    }
    Alert {
        time,
        rule: Arc::clone(&rule.name),
        priority: rule.priority,
        source: Arc::clone(&rule.source),
        tags: Arc::clone(&rule.tags),
        message,
        output_fields,
    }
}
