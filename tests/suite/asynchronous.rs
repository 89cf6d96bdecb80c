//! Async hosts, in both rings: calls that do not block, functions that are futures, and what a dropped future leaves behind.

use crate::in_both_rings;
use crate::support::Ring;
use pycage::process::Pool;
use pycage::{Budget, Error, Limit, Sandbox, SandboxBuilder};
use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(future)
}

/// On a thread, or in a worker process that has room for one task.
fn builder(ring: Ring) -> SandboxBuilder {
    static POOL: LazyLock<Pool> = LazyLock::new(|| crate::process::builder().size(1, 8).tasks(1).build().unwrap());
    match ring {
        Ring::Thread => ring.builder(),
        Ring::Process => Sandbox::builder().pool(&POOL),
    }
}

fn scripts_await_the_host_side_by_side(ring: Ring) {
    let began = Instant::now();
    let sum = run(async {
        let mut waits = Vec::new();
        for n in 0..8_i64 {
            let build = builder(ring).build_async();
            waits.push(tokio::spawn(async move {
                let mut sandbox = build.await?;
                sandbox.async_function("nap", |n: i64| async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    n * 2
                })?;
                sandbox.exec("async def main(n): return await nap(n) + await nap(n)")?;
                sandbox.call_async::<i64>("main", (n,)).await
            }));
        }
        let mut sum = 0;
        for wait in waits {
            sum += wait.await.unwrap().unwrap();
        }
        sum
    });
    assert_eq!(sum, 4 * 28);
    assert!(began.elapsed() >= Duration::from_millis(400));
}

fn the_budget_of_an_async_call_is_the_sandboxs(ring: Ring) {
    let mut sandbox = builder(ring).budget(Budget::default().instructions(250_000).output(100)).build().unwrap();
    let stop = run(sandbox.eval_async::<()>("while True: pass")).unwrap_err();
    assert!(matches!(stop, Error::Budget(stop) if stop.limit == Limit::Instructions && stop.allowed == 250_000));
    let stop = run(sandbox.eval_async::<()>("while True: print('x')")).unwrap_err();
    assert!(matches!(stop, Error::Budget(stop) if stop.limit == Limit::Output));
    assert_eq!(sandbox.take_output().len(), 100);
    assert!(matches!(run(sandbox.eval_async::<()>("().__class__")), Err(Error::Rejected(_))));
    assert!(matches!(run(sandbox.eval_async::<()>("1 / 0")), Err(Error::Exception(_))));
    assert!(matches!(run(sandbox.eval_async::<i64>("'x'")), Err(Error::Conversion(_))));
}

fn time_that_the_host_is_awaited_is_not_the_scripts(ring: Ring) {
    let budget = Budget::default().instructions(1 << 40).timeout(Duration::from_millis(400));
    let mut sandbox = builder(ring).budget(budget).build().unwrap();
    sandbox.async_function("nap", || tokio::time::sleep(Duration::from_millis(600))).unwrap();
    sandbox.exec("async def naps(): await nap()\ndef spins():\n    while True: pass").unwrap();
    run(sandbox.call_async::<()>("naps", ())).unwrap();
    assert!(sandbox.total_usage().elapsed < Duration::from_millis(400));
    let stop = run(sandbox.call_async::<()>("spins", ())).unwrap_err();
    assert!(matches!(stop, Error::Budget(stop) if stop.limit == Limit::Time && stop.used >= 400));
}

fn a_future_that_is_dropped_takes_its_script_along(ring: Ring) {
    let mut sandbox = builder(ring).budget(Budget::default().instructions(1 << 40)).build().unwrap();
    sandbox.async_function("never", std::future::pending::<()>).unwrap();
    sandbox
        .exec("log = []\ndef hog():\n    try:\n        while True: pass\n    finally: log.append(1)\nasync def waits():\n    try:\n        await never()\n    finally: log.append(2)")
        .unwrap();
    run(async {
        for name in ["hog", "waits"] {
            let call = sandbox.call_async::<()>(name, ());
            assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err(), "{name}");
        }
    });
    assert_eq!(sandbox.eval::<i64>("len(log)").unwrap(), 0);
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("fire")]
struct Fire(u32);

fn the_hosts_errors_come_back_as_themselves_and_its_panics_are_caught(ring: Ring) {
    let mut sandbox = builder(ring).build().unwrap();
    sandbox.async_function("burn", |n: u32| async move { Err::<(), _>(Fire(n)) }).unwrap();
    sandbox
        .async_function("fall", |early: bool| {
            assert!(!early, "before there is a future");
            async move { assert!(early, "in it") }
        })
        .unwrap();
    sandbox.exec("async def burns(n): await burn(n)\nasync def falls(early): await fall(early)\nasync def wrong(): await burn('x')").unwrap();
    match run(sandbox.call_async::<()>("burns", (7,))) {
        Err(Error::Exception(exception)) => {
            let error = exception.host_error.as_ref().and_then(|error| error.downcast_ref::<Fire>());
            assert_eq!(error, Some(&Fire(7)));
        }
        other => panic!("{other:?}"),
    }
    for early in [true, false] {
        match run(sandbox.call_async::<()>("falls", (early,))) {
            Err(Error::Exception(exception)) => assert_eq!(exception.message, "fall() panicked"),
            other => panic!("{other:?}"),
        }
    }
    match run(sandbox.call_async::<()>("wrong", ())) {
        Err(Error::Exception(exception)) => assert_eq!(exception.type_name, "TypeError"),
        other => panic!("{other:?}"),
    }
}

in_both_rings! {
    scripts_await_the_host_side_by_side
    the_budget_of_an_async_call_is_the_sandboxs
    time_that_the_host_is_awaited_is_not_the_scripts
    a_future_that_is_dropped_takes_its_script_along
    the_hosts_errors_come_back_as_themselves_and_its_panics_are_caught
}
