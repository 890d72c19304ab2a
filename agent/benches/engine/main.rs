//! How fast rules are loaded and events are matched, with the naive evaluator beside.
//!
//! `cargo bench -p peregrine --features naive --bench engine -- [RULES_FILE...]`; without files, with the
//! default rules. Everything runs on one thread, rounds are interleaved, and medians are shown.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts and times of a benchmark are far below 2^52"
)]

mod allocator;
mod events;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use peregrine::default_rules;
use peregrine::fields::FieldUse;
use peregrine::rules::naive::NaiveCondition;
use peregrine::rules::{
    CompileOptions, EvaluationCache, LoadReport, Matching, Program, RuleSet, RuleSource, load,
};

use allocator::Counting;
use events::{Event, Stream, World};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Events of a stream.
const EVENTS: usize = 1_000_000;
/// Events that the naive evaluator gets of them: as it takes long.
const NAIVE_EVENTS: usize = 50_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    let sources = read(&files)?;
    let rules = loading(&sources)?;
    matching(&rules);
    Ok(())
}

fn read(files: &[PathBuf]) -> Result<Vec<RuleSource>, Box<dyn Error>> {
    if files.is_empty() {
        let source = |(name, text): &(&str, &str)| RuleSource {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        };
        return Ok(default_rules::FILES.iter().map(source).collect());
    }
    let mut sources = Vec::new();
    for file in files {
        let text =
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        sources.push(RuleSource {
            name: file.display().to_string(),
            text,
        });
    }
    Ok(sources)
}

fn compile(report: &LoadReport) -> Program {
    compile_rules(&report.rules, Matching::First)
}

fn compile_rules(rules: &RuleSet, matching: Matching) -> Program {
    let options = CompileOptions {
        matching,
        ..CompileOptions::default()
    };
    Program::compile(rules, options)
}

/// Loads the files again and again; gives what was loaded.
fn loading(sources: &[RuleSource]) -> Result<RuleSet, Box<dyn Error>> {
    let mut parse = Vec::new();
    let mut whole = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let report = load(sources);
        parse.push(start.elapsed());
        black_box(compile(&report));
        whole.push(start.elapsed());
    }
    let before = allocator::in_use();
    allocator::reset_peak();
    let report = load(sources);
    if let Some(error) = report.errors().next() {
        return Err(format!("{}: {}", error.code.name(), error.message).into());
    }
    let program = compile(&report);
    let peak = allocator::peak() - before;
    let kept = allocator::in_use() - before;
    println!("rules                     {}", report.rules.rules().count());
    println!(
        "load                      {:.1} ms",
        milliseconds(median(&mut parse))
    );
    println!(
        "load and compile          {:.1} ms",
        milliseconds(median(&mut whole))
    );
    println!("memory kept               {:.2} MB", megabytes(kept));
    println!("memory at the peak        {:.2} MB", megabytes(peak));
    drop(program);
    let LoadReport { rules, .. } = report;
    Ok(rules)
}

fn matching(rules: &RuleSet) {
    let program = compile_rules(rules, Matching::First);
    let world = World::new(program.fields());
    for stream in [Stream::Quiet, Stream::Mixed] {
        let events: Vec<Event> = stream.events(EVENTS).collect();
        let (mut compiled, mut naive, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut matched = 0;
        let mut allocations = 0;
        for _ in 0..ROUNDS {
            let before = allocator::count();
            let (time, matches) = run(&program, &world, &events);
            allocations = allocator::count() - before;
            matched = matches;
            let fast = per_second(EVENTS, time);
            let slow = per_second(
                NAIVE_EVENTS,
                run_naive(rules, &world, &events[..NAIVE_EVENTS]),
            );
            compiled.push(fast);
            naive.push(slow);
            ratios.push(fast / slow);
        }
        println!();
        println!("{stream:?} stream, {EVENTS} events: {matched} match");
        println!(
            "compiled                  {:.2} M events/s",
            middle(&mut compiled) / 1e6
        );
        println!(
            "naive                     {:.3} M events/s",
            middle(&mut naive) / 1e6
        );
        println!("compiled / naive          {:.1}", middle(&mut ratios));
        println!(
            "allocations per event     {:.4}",
            allocations as f64 / EVENTS as f64
        );
    }
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
            event.event_type,
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
        matched += usize::from(conditions.iter().any(|condition| condition.holds(&lookup)));
    }
    black_box(matched);
    start.elapsed()
}

fn per_second(events: usize, time: Duration) -> f64 {
    events as f64 / time.as_secs_f64()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
