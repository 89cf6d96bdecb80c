//! A sandbox in a worker does what one in this process does.

use super::{builder, direct, pool, sandbox};
use pycage::process::{Launcher, Pool, Wall};
use pycage::{Budget, CallContext, Callback, Error, HookAction, Isolation, Limit, Policy, Sandbox, Usage, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Everything that counts of what a call came to.
fn told(result: Result<(Value, Usage), Error>) -> String {
    match result {
        Ok((value, usage)) => format!("{value} {} {}", usage.instructions, usage.native_steps),
        Err(error) => {
            let usage = error.usage().map(|usage| (usage.instructions, usage.native_steps));
            format!("{error} {usage:?}")
        }
    }
}

#[test]
fn answers_errors_and_bills_are_those_of_a_thread() {
    let pool = pool();
    for source in [
        "sum(i*i for i in range(1000))",
        "print('hi'); {'a': [1, 2.5, None, (True, b'x', {3}, 'é', 1 << 99)]}",
        "class Orc: pass\nOrc()",
        "def f(x):\n    return 1 / x\nf(0)",
        "while True: pass",
        "print('x' * 5000000)",
        "import os",
        "x = (",
        "x.__class__",
        "'\\ud800'",
        "raise ValueError('é' * 10)",
    ] {
        let budget = Budget::default().instructions(100_000).timeout(Duration::from_secs(60));
        let mut here = Sandbox::builder().build().unwrap();
        let mut there = sandbox(&pool);
        let came = told(there.eval_with(source, budget.clone()));
        assert_eq!(came, told(here.eval_with(source, budget)), "{source}");
        assert_eq!(there.take_output(), here.take_output(), "{source}");
    }
}

#[test]
fn state_stays_and_goes_with_the_sandbox() {
    let pool = builder().size(1, 1).build().unwrap();
    let mut first = sandbox(&pool);
    first.exec("hits = 0\ndef hit(n):\n    global hits\n    hits += n\n    return hits").unwrap();
    first.set("bonus", vec![1, 2]).unwrap();
    let script = first.compile("turn.py", "hit(len(bonus))").unwrap();
    assert_eq!(first.run::<i64>(&script).unwrap(), 2);
    assert_eq!(first.run::<i64>(&script).unwrap(), 4);
    assert_eq!(first.call::<i64>("hit", (10,)).unwrap(), 14);
    assert_eq!(first.get::<i64>("hits").unwrap(), 14);
    assert!(matches!(first.get::<i64>("nothing"), Err(Error::Setup(_))));
    assert!(matches!(first.compile("bad.py", "import os"), Err(Error::Rejected(_))));
    assert!(first.disassemble(&script).unwrap().contains("hit"));
    drop(first);
    // The same worker, as there is only one: nothing of the first is left.
    let mut second = sandbox(&pool);
    assert!(matches!(second.get::<i64>("hits"), Err(Error::Setup(_))));
    second.exec("def hit(n): return -n").unwrap();
    assert_eq!(
        second.run::<i64>(&script).unwrap_err().to_string(),
        "turn.py:1: NameError: name 'bonus' is not defined"
    );
    // A script is of one kind or the other, and says so.
    let mut here = Sandbox::new().unwrap();
    assert!(matches!(here.run::<i64>(&script), Err(Error::Setup(_))));
    let own = here.compile("own.py", "1").unwrap();
    assert!(matches!(second.run::<i64>(&own), Err(Error::Setup(_))));
}

#[test]
fn scripts_that_were_dropped_are_forgotten_and_others_still_run() {
    let pool = pool();
    let mut sandbox = sandbox(&pool);
    let kept = sandbox.compile("kept.py", "40 + 2").unwrap();
    for index in 0..300 {
        let script = sandbox.compile("one.py", &format!("{index} + 1")).unwrap();
        assert_eq!(sandbox.run::<i64>(&script).unwrap(), index + 1);
    }
    assert_eq!(sandbox.run::<i64>(&kept).unwrap(), 42);
}

#[test]
fn host_functions_are_called_here() {
    #[derive(Debug, thiserror::Error)]
    #[error("no such door: {0}")]
    struct NoDoor(i64);

    let pool = pool();
    let mut sandbox = sandbox(&pool);
    let opened = Arc::new(AtomicU64::new(0));
    let count = opened.clone();
    sandbox
        .function("open_door", move |door: i64, with: Option<String>| -> Result<String, NoDoor> {
            if door > 3 {
                return Err(NoDoor(door));
            }
            count.fetch_add(1, Ordering::Relaxed);
            Ok(format!("door {door} {}", with.unwrap_or_default()))
        })
        .unwrap();
    sandbox.function("explode", || -> i64 { panic!("a host function's own fault") }).unwrap();
    assert_eq!(sandbox.eval::<String>("open_door(2, 'key')").unwrap(), "door 2 key");
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    let (_, usage) = sandbox.eval_with::<Value>("[open_door(1, None) for i in range(5)]", Budget::default()).unwrap();
    assert_eq!(usage.host_calls, 5);
    match sandbox.eval::<Value>("open_door(7, None)") {
        Err(Error::Exception(exception)) => {
            let error = exception.host_error.expect("the host's own error comes back");
            assert_eq!(error.downcast_ref::<NoDoor>().unwrap().0, 7);
        }
        other => panic!("{other:?}"),
    }
    for (source, expected) in [
        ("try:\n    open_door(9, None)\nexcept RuntimeError as e:\n    r = str(e)\nr", "no such door: 9"),
        (
            "try:\n    open_door('x', None)\nexcept TypeError as e:\n    r = str(e)\nr",
            "open_door() argument 1: expected int, got str",
        ),
        ("try:\n    explode()\nexcept RuntimeError as e:\n    r = str(e)\nr", "explode() panicked"),
    ] {
        assert_eq!(sandbox.eval::<String>(source).unwrap(), expected, "{source}");
    }
    match sandbox.eval_with::<Value>("while True: open_door(1, None)", Budget::default().host_calls(10)) {
        Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::HostCalls),
        other => panic!("{other:?}"),
    }
}

/// What calls take on their way is the script's time: its own limit stops it, before the host gives the worker up.
#[test]
fn a_script_that_does_nothing_but_call_the_host_is_stopped_in_time() {
    let pool = pool();
    let mut sandbox = sandbox(&pool);
    sandbox.function("tick", || 1).unwrap();
    sandbox.function("run", |context: CallContext, f: Callback| context.call::<i64>(&f, ())).unwrap();
    for source in ["while True: tick()", "while True: run(tick)", "while True: run(lambda: 1)"] {
        let budget = Budget::default().timeout(Duration::from_millis(700));
        match sandbox.exec_with(source, budget) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Time, "{source}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn time_in_a_host_function_is_not_the_scripts() {
    let pool = pool();
    let mut sandbox = sandbox(&pool);
    sandbox.function("wait", || std::thread::sleep(Duration::from_millis(1200))).unwrap();
    let budget = Budget::default().timeout(Duration::from_millis(300));
    let ((), usage) = sandbox.eval_with("wait()", budget).unwrap();
    assert!(usage.host_time >= Duration::from_millis(1000), "{usage:?}");
    assert!(usage.elapsed < Duration::from_millis(300), "{usage:?}");
}

#[test]
fn a_hook_and_a_cancel_reach_into_the_worker() {
    let pool = pool();
    let budget = Budget::default().instructions(u64::MAX).timeout(Duration::from_secs(30));
    let mut hooked = Sandbox::builder()
        .pool(&pool)
        .budget(budget.clone())
        .hook(
            |usage: &Usage| {
                if usage.instructions > 50_000 { HookAction::Stop("enough".into()) } else { HookAction::Continue }
            },
        )
        .build()
        .unwrap();
    match hooked.exec("while True: pass") {
        Err(Error::Stopped(stop)) => assert_eq!(stop.reason, "enough"),
        other => panic!("{other:?}"),
    }
    let mut sandbox = Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    let (cancel, live) = (sandbox.cancel_handle(), sandbox.live_usage());
    let canceller = std::thread::spawn(move || {
        while live.instructions() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancel.cancel();
    });
    let began = Instant::now();
    assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Cancelled(_))));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    canceller.join().unwrap();
    // It stands until it is taken back, and the worker is still there.
    assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Cancelled(_))));
    sandbox.cancel_handle().reset();
    assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
}

#[test]
fn workers_without_a_template_serve_too() {
    let pool = direct();
    let mut sandbox = sandbox(&pool);
    assert_eq!(sandbox.eval::<i64>("6 * 7").unwrap(), 42);
    if cfg!(target_os = "linux") {
        assert!(sandbox.enforced().contains(&"seccomp"), "{:?}", sandbox.lacking());
    }
}

#[test]
fn what_cannot_be_had_is_refused_in_words() {
    let setup = |result: Result<Pool, Error>| match result {
        Err(Error::Setup(message)) => message,
        other => panic!("{other:?}"),
    };
    // This test's own executable does not call `worker::init`.
    assert!(setup(Pool::new()).contains("worker::init"));
    assert!(matches!(Sandbox::builder().isolation(Isolation::Process).build(), Err(Error::Setup(_))));
    assert!(
        setup(Pool::builder().launcher(Launcher::command(["/nowhere/at-all"])).build()).contains("/nowhere/at-all")
    );
    let wrong = Pool::builder().launcher(Launcher::command(["echo", "hello"])).build();
    assert!(setup(wrong).contains("no worker came up"));
    let silent =
        Pool::builder().launcher(Launcher::command(["sleep", "60"])).start_timeout(Duration::from_millis(300)).build();
    assert!(setup(silent).contains("within 300ms"));
    // Started one by one, workers share the host's processes.
    let command = Launcher::command([env!("CARGO_BIN_EXE_pycage"), "worker"]);
    let message = setup(builder().launcher(command).require([Wall::PidNamespace]).build());
    assert!(message.contains("pid_namespace"), "{message}");
    let unknown = Sandbox::builder().pool(&pool()).policy(Policy::default().grant("os")).build();
    assert!(matches!(unknown, Err(Error::Setup(_))));
}

#[test]
fn a_pool_says_when_all_workers_are_taken() {
    let pool = builder().size(1, 1).patience(Duration::from_millis(200)).build().unwrap();
    let held = sandbox(&pool);
    assert!(matches!(Sandbox::builder().pool(&pool).build(), Err(Error::Setup(_))));
    drop(held);
    assert_eq!(sandbox(&pool).eval::<i64>("1").unwrap(), 1);
}
