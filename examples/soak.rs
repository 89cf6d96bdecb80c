//! Throws the hostile scripts of the tests at one process, in random order, for a chosen time, and says how it fared.
//!
//! `cargo run --release --ignore-rust-version --example soak -- SECONDS [FOLDER OF .py FILES]`

use pycage::{Budget, Error, Limit, MeteredAlloc, Sandbox, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const TIMEOUT: Duration = Duration::from_millis(500);
const MEMORY: u64 = 64 << 20;

fn main() {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let scripts = match args.next() {
        Some(folder) => files(Path::new(&folder)),
        None => tables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/hostile")),
    };
    assert!(!scripts.is_empty(), "there are no scripts to throw");
    let budget = Budget::default().instructions(u64::MAX).timeout(TIMEOUT).memory(MEMORY);
    let (started, mut random) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15));
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut overshoots, mut returns) = (Vec::new(), Vec::new());
    let (mut most_held, mut bad) = (0, BTreeMap::new());
    let mut marks = vec![(0, resident_kib())];
    while started.elapsed() < Duration::from_secs(seconds) {
        let (name, source) = &scripts[random.below(scripts.len())];
        let mut sandbox = match Sandbox::builder().budget(budget.clone()).build() {
            Ok(sandbox) => sandbox,
            Err(error) => panic!("no sandbox: {error}"),
        };
        let called = Instant::now();
        let result = sandbox.compile(name, source).and_then(|script| sandbox.run::<Value>(&script));
        returns.push(called.elapsed());
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Error::Exception(_) | Error::Conversion(_)) => "exception",
            Err(Error::Syntax(_) | Error::Rejected(_)) => "rejected",
            Err(Error::Budget(stop)) => {
                if stop.limit == Limit::Time {
                    overshoots.push(stop.usage.elapsed.saturating_sub(TIMEOUT));
                }
                stop.limit.name()
            }
            Err(_) => {
                *bad.entry(name.clone()).or_insert(0u64) += 1;
                "crashed, stuck or lost"
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
        let usage = result.as_ref().err().and_then(Error::usage).copied().unwrap_or_default();
        most_held = most_held.max(usage.peak_bytes);
        let minute = started.elapsed().as_secs() / 60;
        if minute > marks.last().map_or(0, |(minute, _)| *minute) {
            marks.push((minute, resident_kib()));
        }
    }
    println!("{} runs of {} scripts in {seconds} s: {outcomes:?}", returns.len(), scripts.len());
    println!("deadline overshoot: {}", percentiles(&mut overshoots));
    println!("time of a call:     {}", percentiles(&mut returns));
    println!("most held by a sandbox: {:.1} MiB of {} MiB", most_held as f64 / f64::from(1 << 20), MEMORY >> 20);
    println!("resident KiB by minute: {marks:?}, at the end {}", resident_kib());
    for (name, times) in &bad {
        println!("BAD {name}: {times} times");
    }
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

/// Resident memory of this process; zero where the system has no `/proc`.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}
