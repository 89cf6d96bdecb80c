//! Async calls of sandboxes in worker processes: the same outcome and bill as on threads, no thread of the host's blocked,
//! and nothing left behind by what is dropped or dies.

use super::{builder, marked};
use pycage::process::{DeathCause, Pool};
use pycage::{AuditRecord, Budget, Error, Sandbox, SandboxBuilder, Usage};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// On one thread: whatever blocks it stands in everybody's way.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn pool(most: usize) -> Pool {
    builder().size(most, most).tasks(1).build().expect("a worker comes up")
}

#[test]
fn an_async_call_is_the_same_in_both_rings() {
    const SOURCES: [&str; 9] = [
        "sum(i * i for i in range(50_000))",
        "print('seen')\n[await_me for await_me in 'abc']",
        "import math",
        "def f(): return f()\nf()",
        "1 +",
        "().__class__",
        "x = [1]\nx.append(x)\nx",
        "try:\n    while True: pass\nexcept: pass",
        "log = []\nlog.append(1 / 0)",
    ];
    let record = |builder: SandboxBuilder| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let budget = Budget::default().instructions(2_000_000);
        let audit = move |record: &AuditRecord| {
            sink.lock().unwrap().push(format!("{:?} {:?}", record.operation, record.outcome));
            Ok(())
        };
        let mut sandbox = builder.budget(budget).audit(audit).build().unwrap();
        let counts = |usage: Usage| (usage.instructions, usage.native_steps, usage.output_bytes);
        sandbox.async_function("twice", |n: i64| async move { n * 2 }).unwrap();
        sandbox
            .exec("async def deep(n): return await twice(n) if n < 3 else await deep(n - 1) + sum(range(40_000))")
            .unwrap();
        let mut seen = Vec::new();
        run(async {
            for source in SOURCES {
                let answer = match sandbox.eval_async::<pycage::Value>(source).await {
                    Ok(value) => format!("{value:?}"),
                    Err(Error::Budget(stop)) => format!("{:?} {} of {}", stop.limit, stop.used, stop.allowed),
                    Err(error) => error.to_string(),
                };
                seen.push((answer, counts(sandbox.total_usage()), sandbox.take_output()));
            }
            let deep = sandbox.call_async::<i64>("deep", (6,)).await.unwrap();
            seen.push((deep.to_string(), counts(sandbox.total_usage()), String::new()));
        });
        let told = told.lock().unwrap().clone();
        (seen, told)
    };
    let pool = pool(1);
    let (threads, processes) = (record(Sandbox::builder()), record(Sandbox::builder().pool(&pool)));
    for (threads, processes) in threads.0.iter().zip(&processes.0) {
        assert_eq!(threads, processes);
    }
    assert!(threads.0[0].0.contains("41665416675000") && threads.0[9].0 == (4 + 4 * 799_980_000_i64).to_string());
    assert_eq!(threads.1, processes.1);
}

#[test]
fn dropped_at_any_moment_it_leaves_room_for_the_next() {
    let pool = pool(1);
    let budget = Budget::default().instructions(1 << 40).timeout(Duration::from_secs(10));
    let mut sandbox = Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    sandbox.async_function("nap", || tokio::time::sleep(Duration::from_micros(100))).unwrap();
    sandbox
        .exec("log = []\nasync def naps():\n    try:\n        while True: await nap()\n    finally: log.append(1)\ndef spins():\n    try:\n        while True: pass\n    finally: log.append(2)")
        .unwrap();
    run(async {
        // There is room for one task: the next call finds it, or fails.
        for n in 0..120 {
            let name = if n % 2 == 0 { "naps" } else { "spins" };
            let call = sandbox.call_async::<()>(name, ());
            let patience = Duration::from_micros(n * n);
            assert!(tokio::time::timeout(patience, call).await.is_err(), "{n}");
            if n % 3 == 0 {
                assert_eq!(sandbox.eval_async::<u64>(&format!("{n} + 1")).await.unwrap(), n + 1);
            }
        }
        assert_eq!(sandbox.eval_async::<i64>("len(log)").await.unwrap(), 0);
        // The same with the sandbox along.
        let dropped = async move { sandbox.call_async::<()>("spins", ()).await };
        assert!(tokio::time::timeout(Duration::from_millis(20), dropped).await.is_err());
        let mut next = Sandbox::builder().pool(&pool).build_async().await.unwrap();
        assert_eq!(next.eval_async::<i64>("6 * 7").await.unwrap(), 42);
        assert_eq!(pool.workers(), 1);
    });
}

#[test]
fn a_worker_that_dies_takes_its_own_call_along_and_no_other() {
    let mark = 7_437;
    let doomed = builder().size(1, 1).tasks(1).cpu_seconds(mark).build().unwrap();
    let well = pool(1);
    let budget = Budget::default().instructions(1 << 40).timeout(Duration::from_secs(20));
    let build = |pool: &Pool| Sandbox::builder().pool(pool).budget(budget.clone()).build().unwrap();
    let kill = move || {
        for worker in marked(mark) {
            let killed = std::process::Command::new("kill").args(["-9", &worker.to_string()]).status();
            assert!(killed.is_ok_and(|status| status.success()));
        }
    };
    run(async {
        let mut bystander = build(&well);
        bystander.async_function("nap", || tokio::time::sleep(Duration::from_millis(600))).unwrap();
        bystander.exec("async def naps(): await nap()\nkept = 1").unwrap();
        let bystander = tokio::spawn(async move {
            bystander.call_async::<()>("naps", ()).await?;
            bystander.get::<i64>("kept")
        });
        // In the middle of a slice.
        let mut victim = build(&doomed);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            kill();
        });
        match victim.eval_async::<()>("while True: pass").await {
            Err(Error::Died(death)) => {
                assert_eq!(death.cause, DeathCause::Signal(9));
                assert!(death.usage.instructions > 0);
            }
            other => panic!("{other:?}"),
        }
        killer.join().unwrap();
        assert!(matches!(victim.eval_async::<i64>("1").await, Err(Error::Lost)));
        drop(victim);
        // While the host is awaited.
        let mut victim = Sandbox::builder().pool(&doomed).build_async().await.unwrap();
        victim.async_function("murder", move || async move { kill() }).unwrap();
        victim.exec("async def asks(): await murder()").unwrap();
        assert!(matches!(victim.call_async::<()>("asks", ()).await, Err(Error::Died(_))));
        drop(victim);
        let mut next = Sandbox::builder().pool(&doomed).build_async().await.unwrap();
        assert_eq!(next.eval_async::<i64>("6 * 7").await.unwrap(), 42);
        assert_eq!(bystander.await.unwrap().unwrap(), 1);
    });
}

#[test]
fn many_futures_share_two_workers_and_one_thread() {
    let pool = pool(2);
    run(async {
        let mut waits = Vec::new();
        for n in 0..60_i64 {
            let build = Sandbox::builder().pool(&pool).build_async();
            waits.push(tokio::spawn(async move {
                // A few lose their patience, before their turn or after.
                if n % 10 == 3 {
                    let _ = tokio::time::timeout(Duration::from_millis(3 * n as u64), build).await;
                    return Ok(n * 3);
                }
                let mut sandbox = build.await?;
                sandbox.async_function("nap", |n: i64| async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    n * 2
                })?;
                sandbox.exec("async def main(n): return sum(range(1000)) * 0 + n + await nap(n)")?;
                sandbox.call_async::<i64>("main", (n,)).await
            }));
        }
        for (n, wait) in (0..60).zip(waits) {
            assert_eq!(wait.await.unwrap().unwrap(), n * 3);
        }
    });
    // What was dropped in the middle comes back as well.
    let patience = Instant::now() + Duration::from_secs(10);
    while pool.idle() < pool.workers() {
        assert!(Instant::now() < patience, "a worker did not come back: {pool:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(pool.workers() <= 2);
}

#[test]
fn who_waits_for_a_worker_waits_in_order_and_not_for_ever() {
    let pool = builder().size(1, 1).tasks(1).patience(Duration::from_millis(300)).build().unwrap();
    run(async {
        let build = || Sandbox::builder().pool(&pool).build_async();
        let first = build().await.unwrap();
        let began = Instant::now();
        match build().await {
            Err(Error::Setup(message)) => assert!(message.contains("all 1 workers of the pool"), "{message}"),
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() >= Duration::from_millis(300));
        let order = Arc::new(Mutex::new(Vec::new()));
        let waits: Vec<_> = (0..4)
            .map(|n| {
                let (build, order) = (build(), order.clone());
                tokio::spawn(async move {
                    let sandbox = build.await;
                    order.lock().unwrap().push(n);
                    sandbox.map(drop)
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // One that goes away does not keep the others from their turn.
        waits[0].abort();
        drop(first);
        for (n, wait) in waits.into_iter().enumerate() {
            assert_eq!(wait.await.is_ok_and(|built| built.is_ok()), n > 0);
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_pool_without_room_for_tasks_says_what_to_set() {
    let none = builder().tasks(0).build().unwrap();
    let mut sandbox = super::sandbox(&none);
    match run(sandbox.eval_async::<i64>("6 * 7")) {
        Err(Error::Setup(message)) => assert!(message.contains("PoolBuilder::tasks"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(sandbox.eval::<i64>("6 * 7").unwrap(), 42);
    // Nothing has to be set for one call at a time.
    let pool = builder().build().unwrap();
    assert_eq!(run(super::sandbox(&pool).eval_async::<i64>("6 * 7")).unwrap(), 42);
}
