//! Async hosts: calls that do not block, functions that are futures, and what a dropped future leaves behind.

use pycage::{Budget, Error, Limit, Sandbox};
use std::future::Future;
use std::time::{Duration, Instant};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(future)
}

#[test]
fn scripts_await_the_host_side_by_side() {
    let began = Instant::now();
    let sum = run(async {
        let mut waits = Vec::new();
        for n in 0..8_i64 {
            waits.push(tokio::spawn(async move {
                let mut sandbox = Sandbox::new()?;
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

#[test]
fn the_budget_of_an_async_call_is_the_sandboxs() {
    let mut sandbox = Sandbox::builder().budget(Budget::default().instructions(250_000).output(100)).build().unwrap();
    let stop = run(sandbox.eval_async::<()>("while True: pass")).unwrap_err();
    assert!(matches!(stop, Error::Budget(stop) if stop.limit == Limit::Instructions && stop.allowed == 250_000));
    let stop = run(sandbox.eval_async::<()>("while True: print('x')")).unwrap_err();
    assert!(matches!(stop, Error::Budget(stop) if stop.limit == Limit::Output));
    assert_eq!(sandbox.take_output().len(), 100);
    assert!(matches!(run(sandbox.eval_async::<()>("().__class__")), Err(Error::Rejected(_))));
    assert!(matches!(run(sandbox.eval_async::<()>("1 / 0")), Err(Error::Exception(_))));
    assert!(matches!(run(sandbox.eval_async::<i64>("'x'")), Err(Error::Conversion(_))));
}

#[test]
fn a_future_that_is_dropped_takes_its_script_along() {
    let mut sandbox = Sandbox::builder().budget(Budget::default().instructions(1 << 40)).build().unwrap();
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
