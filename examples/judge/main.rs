//! A judge: each submission is run against the tests of its problem, each test in a sandbox of its own, with limits on
//! instructions, memory and output. A verdict rests on counted instructions, not on the clock, so it is the same on every machine.
//!
//! AC accepted, WA wrong answer, TLE time limit (in instructions), MLE memory limit, OLE output limit, RE error while running,
//! CE not compiled: no Python, or not allowed.
//!
//! ```text
//! cargo run --release --ignore-rust-version --example judge
//! ```

use pycage::{Budget, Error, ExceptionType, Limit, MeteredAlloc, Policy, Raise, Sandbox, Usage};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

// The memory limit rests on this line.
#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

/// One test of a problem.
struct Test {
    input: String,
    expected: String,
}

/// What came of a submission.
struct Verdict {
    code: &'static str,
    /// The test that decided, from 1. 0 if all passed.
    test: usize,
    /// The most that a test took.
    usage: Usage,
    /// For the author: what went wrong, and where.
    detail: String,
}

/// What each test may cost.
fn budget() -> Budget {
    Budget::default()
        .instructions(1_000_000)
        .memory(8 << 20)
        .output(4 << 10)
        .recursion(200)
        // A safety net, far above what the instructions take.
        .timeout(Duration::from_secs(30))
}

fn main() -> io::Result<()> {
    let problems = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/judge/problems");
    println!("| problem  | submission      | verdict | test | instructions | native steps | peak KiB |     ms |");
    println!("| -------- | --------------- | ------- | ---- | ------------ | ------------ | -------- | ------ |");
    let mut details = Vec::new();
    for problem in sorted(&problems)? {
        let tests = tests(&fs::read_to_string(problem.join("tests.txt"))?);
        for file in sorted(&problem.join("submissions"))? {
            let (title, name) = (stem(&problem), stem(&file));
            let Verdict { code, test, usage, detail } = judge(&fs::read_to_string(&file)?, &tests);
            println!(
                "| {title:<8} | {name:<15} | {code:<7} | {:<4} | {:>12} | {:>12} | {:>8} | {:>6.1} |",
                if test == 0 { "all".to_owned() } else { test.to_string() },
                usage.instructions,
                usage.native_steps,
                usage.peak_bytes >> 10,
                usage.elapsed.as_secs_f64() * 1e3,
            );
            if !detail.is_empty() {
                details.push(format!("{title}/{name}: {detail}"));
            }
        }
    }
    println!("\n{}", details.join("\n"));
    Ok(())
}

/// Runs a submission against the tests, up to the first that it does not pass.
fn judge(source: &str, tests: &[Test]) -> Verdict {
    let mut most = Usage::default();
    for (number, test) in tests.iter().enumerate() {
        let number = number + 1;
        let (result, output) = match run(source, &test.input) {
            Ok(ran) => ran,
            Err(error) => return Verdict { code: "JE", test: number, usage: most, detail: error.to_string() },
        };
        let usage = match &result {
            Ok(usage) => *usage,
            Err(error) => error.usage().copied().unwrap_or_default(),
        };
        if usage.instructions + usage.native_steps >= most.instructions + most.native_steps {
            most = usage;
        }
        if let Err(error) = result {
            return Verdict { code: code(&error), test: number, usage, detail: error.to_string() };
        }
        if !output.split_whitespace().eq(test.expected.split_whitespace()) {
            let detail = format!("expected {:?}, got {:?}", test.expected.trim(), output.trim());
            return Verdict { code: "WA", test: number, usage, detail };
        }
    }
    Verdict { code: "AC", test: 0, usage: most, detail: String::new() }
}

/// One run: what it cost or why it failed, and what it printed.
fn run(source: &str, input: &str) -> Result<(Result<Usage, Error>, String), Error> {
    let policy = Policy::minimal().grant("math").grant("collections").named("judge");
    let mut sandbox = Sandbox::builder().policy(policy).budget(budget()).build()?;
    let lines: Vec<String> = input.split('\n').rev().map(str::to_owned).collect();
    let lines = Mutex::new(lines);
    sandbox.function("input", move || {
        let line = lines.lock().expect("nobody panics with it").pop();
        line.ok_or_else(|| Raise::new(ExceptionType::ValueError, "the input has no further line"))
    })?;
    let result = sandbox.exec_with(source, budget());
    Ok((result, sandbox.take_output()))
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::Syntax(_) | Error::Rejected(_) => "CE",
        Error::Exception(_) => "RE",
        Error::Budget(stop) => match stop.limit {
            Limit::Instructions | Limit::Time => "TLE",
            Limit::Memory | Limit::Allocations => "MLE",
            Limit::Output => "OLE",
            _ => "RE",
        },
        // The judge's own error: to be run again.
        _ => "JE",
    }
}

/// Tests as the file has them: input, a line `--`, what is expected, and a line `==` between two.
fn tests(text: &str) -> Vec<Test> {
    let tests = text.split("\n==\n").filter_map(|test| test.split_once("\n--\n"));
    tests.map(|(input, expected)| Test { input: input.to_owned(), expected: expected.to_owned() }).collect()
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
