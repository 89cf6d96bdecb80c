//! Many runs: nothing is lost, nothing is left.

use super::{builder, marked, sandbox, status};
use pycage::{Error, Sandbox};
use std::time::{Duration, Instant};

/// Evals over a pool of two, from two threads, with a worker that dies every hundredth: every answer comes, and neither
/// descriptors nor processes nor zombies are left.
fn many(evals: u64) {
    let mark = 5000 + evals;
    let pool = builder().size(2, 2).cpu_seconds(mark).build().unwrap();
    let before = descriptors();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let pool = &pool;
            scope.spawn(move || {
                for index in (half..evals).step_by(2) {
                    let mut sandbox = sandbox(pool);
                    if index % 100 == 0 {
                        assert!(matches!(sandbox.attack("crash"), Err(Error::Died(_))));
                    } else {
                        let answer: u64 = sandbox.eval(&format!("x = {index}\nx * 2")).unwrap();
                        assert_eq!(answer, index * 2);
                    }
                }
            });
        }
    });
    let took = began.elapsed();
    println!("{evals} evals, {} deaths: {took:?}, {:.0} a second", evals / 100, evals as f64 / took.as_secs_f64());
    let patience = Instant::now() + Duration::from_secs(10);
    while pool.idle() < 2 {
        assert!(Instant::now() < patience, "the pool is not back at its size: {pool:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    if cfg!(target_os = "linux") {
        assert_eq!(marked(mark).len(), 2, "processes, zombies among them, are left");
        // Other tests of this process have pipes of their own, but not this many.
        let left = descriptors().saturating_sub(before);
        assert!(left < 200, "{left} descriptors are left");
        drop(pool);
        assert!(marked(mark).is_empty());
    }
}

#[test]
fn two_thousand_evals_with_deaths() {
    many(2_000);
}

#[test]
#[ignore = "a long run: cargo test --release --test suite -- --ignored hundred_thousand"]
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
#[ignore = "a long run: cargo test --release --test suite -- --ignored million_calls"]
fn a_session_of_a_million_calls_does_not_grow() {
    session(1_000_000);
}

/// Bytes that only this process has, in KiB.
fn resident(pid: u32) -> u64 {
    let kibibytes = |field| status(pid, field).and_then(|text| text.trim_end_matches(" kB").trim().parse::<u64>().ok());
    kibibytes("RssAnon:").unwrap_or(0)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
