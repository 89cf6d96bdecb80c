//! Throws the hostile scripts of the tests at one process, in random order, for a chosen time, and says how it fared.
//!
//! `cargo run --release --ignore-rust-version --example soak -- SECONDS [FOLDER OF .py FILES]`
//!
//! Each script gets a sandbox of its own and 0.5 s or 64 MiB to end by; instructions are not limited, so that time and
//! memory are what stops it. What is not stopped so (a crash, a call that did not return by its deadline and grace, a
//! runner that was parked at the hard memory limit) is listed, and the exit status is then 1.
//!
//! Deadlines are wall-clock time. On a machine that is busy with other things every figure here grows by what the machine
//! itself is late; a thread that only sleeps measures how much that is.

#[path = "support/resident.rs"]
mod resident;

use pycage::{Budget, Error, Limit, MeteredAlloc, Runner, Sandbox, Usage, Value};
use resident::resident_kib;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const TIMEOUT: Duration = Duration::from_millis(500);
const MEMORY: u64 = 64 << 20;
const MINUTE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let scripts = match args.next() {
        Some(folder) => files(Path::new(&folder)),
        None => tables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/hostile")),
    };
    assert!(!scripts.is_empty(), "there are no scripts to throw");
    std::thread::spawn(watch_the_machine);
    let mut soak = Soak::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    while soak.started.elapsed() < Duration::from_secs(seconds) {
        let (name, source) = &scripts[random.below(scripts.len())];
        soak.throw(name, source);
    }
    println!("{} hostile scripts for {seconds} s", scripts.len());
    soak.report();
    if soak.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What has happened so far.
struct Soak {
    started: Instant,
    runner: Runner,
    budget: Budget,
    outcomes: BTreeMap<&'static str, u64>,
    /// How far past its timeout the clock of a run that was stopped by it went.
    overshoots: Vec<Duration>,
    /// The furthest of each script.
    latest: BTreeMap<String, Duration>,
    /// How far past its timeout a call came back, of all that took that long.
    returns: Vec<Duration>,
    /// The most that a sandbox held beyond its limit, and whose it was.
    held: (u64, String),
    bad: BTreeMap<String, u64>,
    resident: Vec<u64>,
}

impl Soak {
    fn new() -> Self {
        Soak {
            started: Instant::now(),
            runner: new_runner(),
            budget: Budget::default().instructions(u64::MAX).timeout(TIMEOUT).memory(MEMORY),
            outcomes: BTreeMap::new(),
            overshoots: Vec::new(),
            latest: BTreeMap::new(),
            returns: Vec::new(),
            held: (0, String::new()),
            bad: BTreeMap::new(),
            resident: vec![resident_kib()],
        }
    }

    fn throw(&mut self, name: &str, source: &str) {
        let mut sandbox = match Sandbox::builder().runner(&self.runner).budget(self.budget.clone()).build() {
            Ok(sandbox) => sandbox,
            Err(error) => panic!("no sandbox: {error}"),
        };
        let script = sandbox.compile(name, source);
        let called = Instant::now();
        let result = script.and_then(|script| sandbox.run_with::<Value>(&script, self.budget.clone()));
        let took = called.elapsed();
        if took > TIMEOUT {
            self.returns.push(took - TIMEOUT);
        }
        let usage = match &result {
            Ok((_, usage)) => *usage,
            Err(error) => error.usage().copied().unwrap_or_default(),
        };
        let over = usage.peak_bytes.saturating_sub(MEMORY);
        if over > self.held.0 {
            self.held = (over, name.to_owned());
        }
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Error::Exception(_) | Error::Conversion(_)) => "exception",
            Err(Error::Syntax(_) | Error::Rejected(_)) => "rejected",
            Err(Error::Budget(stop)) => {
                if stop.limit == Limit::Time {
                    let late = usage.elapsed.saturating_sub(TIMEOUT);
                    self.overshoots.push(late);
                    let latest = self.latest.entry(name.to_owned()).or_default();
                    *latest = late.max(*latest);
                }
                stop.limit.name()
            }
            Err(error) => {
                *self.bad.entry(format!("{name}: {error}{}", seen(&usage))).or_default() += 1;
                "crashed, stuck or lost"
            }
        };
        *self.outcomes.entry(outcome).or_default() += 1;
        if !self.runner.is_alive() {
            if result.as_ref().is_err_and(|error| matches!(error, Error::Budget(_))) {
                *self.bad.entry(format!("{name}: its runner was parked at the hard memory limit")).or_default() += 1;
            }
            self.runner = new_runner();
        }
        // One figure a minute: the first one is what later growth is measured from.
        if self.started.elapsed() >= MINUTE * self.resident.len() as u32 {
            self.resident.push(resident_kib());
        }
    }

    fn report(&mut self) {
        let runs: u64 = self.outcomes.values().sum();
        let bad: u64 = self.bad.values().sum();
        println!("survived:           {} of {runs} runs, and the process all", runs - bad);
        println!("outcomes:           {:?}", self.outcomes);
        println!("deadline overshoot: {} (the run's clock at the stop)", percentiles(&mut self.overshoots));
        println!("                    {} (the call back at the caller)", percentiles(&mut self.returns));
        let mut latest: Vec<_> = self.latest.iter().collect();
        latest.sort_by_key(|(_, late)| std::cmp::Reverse(**late));
        for (name, late) in latest.iter().take(10) {
            println!("                    {late:?} {name}");
        }
        println!(
            "memory overshoot:   max {:.1} MiB over {} MiB {}",
            self.held.0 as f64 / f64::from(1 << 20),
            MEMORY >> 20,
            self.held.1
        );
        let mut late = LATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        println!("the machine late:   {} (a thread that only sleeps)", percentiles(&mut late));
        let (start, end) = (self.resident[0], resident_kib());
        println!("resident:           {start} KiB at the start, {end} KiB at the end");
        if let [_, first, later @ ..] = &self.resident[..] {
            let grown = (end as f64 / *first as f64 - 1.0) * 100.0;
            println!("                    {first} KiB after the first minute, {grown:+.1} % since");
            println!("                    by minute after that: {later:?}");
        }
        for (what, times) in &self.bad {
            println!("BAD {times} times {what}");
        }
    }
}

fn new_runner() -> Runner {
    Runner::new().unwrap_or_else(|error| panic!("no runner: {error}"))
}

/// How much later than asked for a thread woke that only sleeps.
static LATE: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

fn watch_the_machine() {
    const NAP: Duration = Duration::from_millis(100);
    loop {
        let began = Instant::now();
        std::thread::sleep(NAP);
        let late = began.elapsed().saturating_sub(NAP);
        LATE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(late);
    }
}

/// How far a run that was given up is known to have come.
fn seen(usage: &Usage) -> String {
    format!(" ({} instructions, {} native steps at its last checkpoint)", usage.instructions, usage.native_steps)
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |part: f64| times.get(((times.len() as f64 - 1.0) * part) as usize).copied().unwrap_or_default();
    format!("p50 {:?}, p99 {:?}, max {:?} of {}", at(0.5), at(0.99), at(1.0), times.len())
}

/// The `.py` files of a folder.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut scripts: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .filter_map(|path| {
            Some((path.file_name()?.to_string_lossy().into_owned(), std::fs::read_to_string(path).ok()?))
        })
        .collect();
    scripts.sort();
    scripts
}

/// The cases of the tables in a folder.
fn tables(folder: &Path) -> Vec<(String, String)> {
    let mut scripts = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in table.get("case").and_then(toml::Value::as_array).into_iter().flatten() {
            if let (Some(name), Some(source)) =
                (case.get("name").and_then(toml::Value::as_str), case.get("source").and_then(toml::Value::as_str))
            {
                scripts.push((name.to_owned(), source.to_owned()));
            }
        }
    }
    scripts.sort();
    scripts
}

/// A small generator, so that two soaks throw the same scripts.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
