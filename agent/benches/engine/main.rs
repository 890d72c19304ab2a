//! How fast rules are loaded and events are matched, with the naive evaluator beside.
//!
//! `cargo xtask bench engine [--rules FILE...]`; without files, with the default rules. Everything runs
//! on one thread, rounds are interleaved, and medians are shown.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and times of a benchmark are far below 2^52"
)]
#![expect(clippy::print_stdout, reason = "the report of a command")]

mod allocator;
mod events;
mod options;
mod report;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use peregrine::fields::FieldUse;
use peregrine::rules::naive::NaiveCondition;
use peregrine::rules::{CompileOptions, EvaluationCache, Program, RuleSet, RuleSource, load};

use allocator::Counting;
use events::{Event, Stream, World};
use options::Options;
use report::{Report, median};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Events of a stream.
const EVENTS: usize = 1_000_000;
/// As many of them the naive evaluator gets: it takes long.
const NAIVE_EVENTS: usize = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments(std::env::args().skip(1))?;
    let sources = options.sources()?;
    let mut report = Report::default();
    let rules = loading(&sources, options.rounds, &mut report)?;
    for stream in [Stream::Quiet, Stream::Mixed] {
        matching(&rules, stream, options.rounds, &mut report);
    }
    println!("{}", report.shown(options.json));
    Ok(())
}

fn compile(rules: &RuleSet) -> Program {
    Program::compile(rules, CompileOptions::default())
}

/// Loads the files again and again; gives what was loaded.
fn loading(
    sources: &[RuleSource],
    rounds: usize,
    report: &mut Report,
) -> Result<RuleSet, Box<dyn Error>> {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let (mut read, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        let loaded = load(sources);
        read.push(milliseconds(start.elapsed()));
        black_box(compile(&loaded.rules));
        whole.push(milliseconds(start.elapsed()));
    }
    let before = allocator::in_use();
    allocator::reset_peak();
    let loaded = load(sources);
    if let Some(error) = loaded.errors().next() {
        return Err(error.to_string().into());
    }
    let program = compile(&loaded.rules);
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    let kept = allocator::in_use().saturating_sub(before);
    let peak = allocator::peak().saturating_sub(before);
    drop(program);
    report.add("rules", loaded.rules.rules().count() as f64, "");
    report.add("load", median(read), "ms");
    report.add("load and compile", median(whole), "ms");
    report.add("memory of rules and program", megabytes(kept), "MB");
    report.add("memory at the peak", megabytes(peak), "MB");
    Ok(loaded.rules)
}

fn matching(rules: &RuleSet, stream: Stream, rounds: usize, report: &mut Report) {
    let program = compile(rules);
    let world = World::new(program.fields());
    let events: Vec<Event> = stream.events(EVENTS).collect();
    let (mut compiled, mut naive, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut matched = 0;
    let mut allocations = 0;
    for _ in 0..rounds {
        let before = allocator::count();
        let time;
        (time, matched) = run(&program, &world, &events);
        allocations = allocator::count() - before;
        let fast = EVENTS as f64 / time.as_secs_f64() / 1e6;
        let time = run_naive(rules, &world, &events[..NAIVE_EVENTS]);
        let slow = NAIVE_EVENTS as f64 / time.as_secs_f64() / 1e6;
        compiled.push(fast);
        naive.push(slow);
        ratios.push(fast / slow);
    }
    let name = stream.name();
    let each = EVENTS as f64;
    report.add(&format!("{name}: matches"), matched as f64, "");
    report.add(&format!("{name}: compiled"), median(compiled), "M events/s");
    report.add(&format!("{name}: naive"), median(naive), "M events/s");
    report.add(&format!("{name}: compiled / naive"), median(ratios), "");
    report.add(
        &format!("{name}: allocations per event"),
        allocations as f64 / each,
        "",
    );
}

fn run(program: &Program, world: &World, events: &[Event]) -> (Duration, usize) {
    let mut cache = EvaluationCache::default();
    let mut found = Vec::new();
    let mut matched = 0;
    let start = Instant::now();
    for event in events {
        found.clear();
        let source = world.source(event);
        program.evaluate(
            event.kind,
            event.class(),
            &[&source],
            &mut cache,
            &mut found,
        );
        matched += found.len();
    }
    (start.elapsed(), matched)
}

fn run_naive(rules: &RuleSet, world: &World, events: &[Event]) -> Duration {
    let conditions: Vec<NaiveCondition> = rules
        .rules()
        .filter(|rule| rule.enabled)
        .map(|rule| NaiveCondition::new(&rule.condition))
        .collect();
    let start = Instant::now();
    let mut matched = 0;
    for event in events {
        let lookup = |field: &FieldUse| world.value(event, field);
        let holds = conditions.iter().any(|condition| condition.holds(&lookup));
        matched += usize::from(holds);
    }
    black_box(matched);
    start.elapsed()
}
