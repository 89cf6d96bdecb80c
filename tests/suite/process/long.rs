//! Many runs: nothing is lost, nothing is left.

use super::{builder, marked, sandbox, status};
use pycage::process::Pool;
use pycage::{Error, Sandbox};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Evals over a pool of two, from two threads, with a worker that dies every hundredth: every answer comes, and neither
/// descriptors nor processes nor zombies are left.
fn many(evals: u64) {
    let mark = 5000 + evals;
    let pool = builder().size(2, 2).cpu_seconds(mark).build().unwrap();
    is_at_its_size(&pool);
    let answers = AtomicU64::new(0);
    let deaths = AtomicU64::new(0);
    let run = |from: u64, to: u64| {
        std::thread::scope(|scope| {
            for half in 0..2 {
                let (pool, answers, deaths) = (&pool, &answers, &deaths);
                scope.spawn(move || {
                    for index in (from + half..to).step_by(2) {
                        let mut sandbox = sandbox(pool);
                        if index % 100 == 0 {
                            assert!(matches!(sandbox.attack("crash"), Err(Error::Died(_))));
                            deaths.fetch_add(1, Ordering::Relaxed);
                        } else {
                            let answer: u64 = sandbox.eval(&format!("x = {index}\nx * 2")).unwrap();
                            assert_eq!(answer, index * 2);
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    };
    // What is made at first use is made in the first tenth.
    run(0, evals / 10);
    let before = State::of(&pool, mark);
    let began = Instant::now();
    run(evals / 10, evals);
    let took = began.elapsed();
    let after = State::of(&pool, mark);
    let (answers, deaths) = (answers.into_inner(), deaths.into_inner());
    println!(
        "{evals} evals: {answers} answers, {deaths} deaths, {} lost; {:.0} a second\nafter a tenth: {before}\nat the end:    {after}",
        evals - answers - deaths,
        (evals - evals / 10) as f64 / took.as_secs_f64()
    );
    assert_eq!((answers, deaths), (evals - evals / 100, evals / 100));
    if cfg!(target_os = "linux") {
        assert_eq!(after.workers.len(), 2, "processes, zombies among them, are left");
        // Other tests of this process have pipes of their own, but not this many.
        let left = after.descriptors.saturating_sub(before.descriptors);
        assert!(left < 200, "{left} descriptors are left");
        drop(pool);
        assert!(marked(mark).is_empty());
    }
}

/// What a pool and its host hold.
struct State {
    descriptors: usize,
    zombies: usize,
    host: u64,
    /// Of each worker.
    workers: Vec<u64>,
}

impl State {
    fn of(pool: &Pool, mark: u64) -> State {
        is_at_its_size(pool);
        let workers = marked(mark).into_iter().map(resident).collect();
        State { descriptors: descriptors(), zombies: zombies(), host: resident(std::process::id()), workers }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { descriptors, zombies, host, workers } = self;
        write!(f, "{descriptors} descriptors, {zombies} zombies of pycage, host {host} KiB, workers {workers:?} KiB")
    }
}

fn is_at_its_size(pool: &Pool) {
    let patience = Instant::now() + Duration::from_secs(10);
    while pool.idle() < 2 {
        assert!(Instant::now() < patience, "the pool is not back at its size: {pool:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_thousand_evals_with_deaths() {
    many(2_000);
}

#[test]
#[ignore = "a long run: cargo test --release --ignore-rust-version --test suite -- --nocapture --ignored hundred_thousand"]
fn a_hundred_thousand_evals_with_deaths() {
    many(100_000);
}

/// Calls of one session: the worker's memory and this process's stay.
fn session(calls: u64) {
    let mark = 4000 + calls;
    let pool = builder().size(1, 1).cpu_seconds(mark).build().unwrap();
    let worker = || marked(mark).first().map_or(0, |worker| resident(*worker));
    let mut sandbox: Sandbox = sandbox(&pool);
    sandbox.exec("def tick(x): return x + 1").unwrap();
    let mut call = |calls: u64| {
        for index in 0..calls {
            assert_eq!(sandbox.call::<u64>("tick", (index,)).unwrap(), index + 1);
        }
    };
    call(calls / 10);
    let (here, there) = (resident(std::process::id()), worker());
    let began = Instant::now();
    call(calls);
    let took = began.elapsed();
    let (here_now, there_now) = (resident(std::process::id()), worker());
    println!(
        "{calls} calls: {took:?}, {:.2} us each; worker {there} KiB, then {there_now}; host {here}, then {here_now}",
        took.as_secs_f64() * 1e6 / calls as f64
    );
    assert!(there_now <= there + 256, "the worker grew from {there} to {there_now} KiB");
}

#[test]
fn a_session_of_ten_thousand_calls_does_not_grow() {
    session(10_000);
}

#[test]
#[ignore = "a long run: cargo test --release --ignore-rust-version --test suite -- --nocapture --ignored million_calls"]
fn a_session_of_a_million_calls_does_not_grow() {
    session(1_000_000);
}

/// Bytes that only this process has, in KiB.
fn resident(pid: u32) -> u64 {
    let kibibytes = |field| status(pid, field).and_then(|text| text.trim_end_matches(" kB").trim().parse::<u64>().ok());
    kibibytes("RssAnon:").unwrap_or(0)
}

/// Workers and templates, of any pool on this machine, that nobody has waited for.
fn zombies() -> usize {
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is = |pid: u32, field, text: &str| status(pid, field).is_some_and(|said| said.starts_with(text));
    pids.filter(|pid| is(*pid, "State:", "Z") && is(*pid, "Name:", "pycage")).count()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
