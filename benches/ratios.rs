//! What metering and guarding cost, as a table of ratios: pycage to bare RustPython, in pairs, each pair one right after
//! the other, so that a machine that speeds up or slows down does so for both. The median of the pairs counts.
//!
//! ```text
//! cargo bench --ignore-rust-version --bench ratios [-- [--pairs N] [NAME]]
//! ```
//!
//! Without `--bench` among the arguments (as under `cargo test --bench ratios`) it only checks that each piece of work
//! gives the same result on both.

mod support;

use std::process::ExitCode;
use std::time::Duration;
use support::allocator::{self, EitherAlloc};
use support::{Engine, WORKLOADS, Work, Worker};

#[global_allocator]
static ALLOCATOR: EitherAlloc = EitherAlloc::new();

/// How long one side of a pair is to take.
const SIDE: Duration = Duration::from_millis(40);

const PAIRS: usize = 15;

/// Interpreters are never given back: a few pairs of one each.
const COLD_PAIRS: usize = 5;

fn main() -> ExitCode {
    support::serve_if_worker();
    allocator::leave_bare();
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("ratios: {message}");
            return ExitCode::from(2);
        }
    };
    let mut pair = Pair { bare: Worker::start(Engine::Bare), metered: Worker::start(Engine::Metered), differ: false };

    println!(
        "{:<14} {:>12} {:>12} {:>7} {:>15} {:>14}",
        "", "bare us", "pycage us", "ratio", "lowest-highest", "instructions"
    );
    let mut ratios = Vec::new();
    for (index, (name, _)) in WORKLOADS.iter().enumerate() {
        if options.wants(name)
            && let Some(ratio) = pair.compare(name, Work::Run(index), &options)
        {
            ratios.push(ratio);
        }
    }
    if let Some(mean) = geometric_mean(&ratios) {
        println!("{:<14} {:>33.3}   (geometric mean of {} workloads)\n", "", mean, ratios.len());
    }
    let others = [
        ("compile", Work::Compile),
        ("warm call", Work::Call),
        ("with: tick", Work::Tick),
        ("handle: tick", Work::HandleTick),
        ("host calls", Work::HostCalls),
        ("warm sandbox", Work::Sandbox),
        ("cold sandbox", Work::Cold),
    ];
    for (name, work) in others {
        if options.wants(name) {
            pair.compare(name, work, &options);
        }
    }
    if pair.differ { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Options {
    measure: bool,
    pairs: usize,
    only: Option<String>,
}

impl Options {
    fn from_args() -> Result<Options, String> {
        let mut options = Options { measure: false, pairs: PAIRS, only: None };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => options.measure = true,
                "--pairs" => {
                    let count = args.next().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
                    options.pairs = count.ok_or("--pairs wants a number above zero")?;
                }
                flag if flag.starts_with('-') => return Err(format!("there is no option {flag}")),
                name => options.only = Some(name.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

struct Pair {
    bare: Worker,
    metered: Worker,
    /// Whether some result was not the same on both.
    differ: bool,
}

impl Pair {
    /// Prints a line, and gives the median ratio when it was measured.
    fn compare(&mut self, name: &str, work: Work, options: &Options) -> Option<f64> {
        let (bare, metered) = (self.bare.ask(work, 1), self.metered.ask(work, 1));
        if bare.value != metered.value {
            println!("{name:<14} differs: {} bare, {} metered", bare.value, metered.value);
            self.differ = true;
            return None;
        }
        if !options.measure {
            println!("{name:<14} same result: {}", bare.value);
            return None;
        }
        let cold = work == Work::Cold;
        let turns = if cold { 1 } else { self.turns(work) };
        let mut pairs = Vec::new();
        for index in 0..if cold { options.pairs.min(COLD_PAIRS) } else { options.pairs } {
            // Who goes first changes, so that neither always finds the caches warm.
            let (bare, metered) = if index % 2 == 0 {
                let bare = self.bare.ask(work, turns);
                (bare, self.metered.ask(work, turns))
            } else {
                let metered = self.metered.ask(work, turns);
                (self.bare.ask(work, turns), metered)
            };
            let micros = |elapsed: Duration| elapsed.as_secs_f64() * 1e6 / turns as f64;
            pairs.push((micros(bare.elapsed), micros(metered.elapsed)));
        }
        let ratios = sorted(pairs.iter().map(|(bare, metered)| metered / bare));
        let ratio = median(&ratios);
        println!(
            "{name:<14} {:>12.2} {:>12.2} {:>7.3} {:>15} {:>14}",
            median(&sorted(pairs.iter().map(|(bare, _)| *bare))),
            median(&sorted(pairs.iter().map(|(_, metered)| *metered))),
            ratio,
            format!("{:.3}-{:.3}", ratios[0], ratios[ratios.len() - 1]),
            metered.instructions,
        );
        Some(ratio)
    }

    /// How often the work fits into a side of a pair; both are warm afterwards.
    fn turns(&mut self, work: Work) -> u64 {
        let mut turns = 1;
        loop {
            let elapsed = self.bare.ask(work, turns).elapsed;
            self.metered.ask(work, turns);
            if elapsed >= SIDE / 2 {
                let more = SIDE.as_secs_f64() / elapsed.as_secs_f64();
                return ((turns as f64 * more) as u64).max(1);
            }
            turns *= 2;
        }
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values, at least one.
fn median(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some((values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}
