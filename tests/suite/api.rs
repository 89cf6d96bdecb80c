//! The library's front door: calls, state, budgets, cancel, hook, many sandboxes, many threads.

use pycage::{Budget, Error, HookAction, Limit, Policy, Runner, Sandbox, Usage, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn long() -> Budget {
    Budget::default().instructions(1 << 50).timeout(Duration::from_secs(30))
}

#[test]
fn eval_exec_call_get_set() {
    let mut sandbox = Sandbox::new().unwrap();
    assert_eq!(sandbox.eval::<i64>("x = 20\nx + 1").unwrap(), 21);
    sandbox.exec("def add(a, b=1): return a + b\nx += 1\n'ignored'").unwrap();
    assert_eq!(sandbox.get::<i64>("x").unwrap(), 21);
    sandbox.set("x", 5).unwrap();
    assert_eq!(sandbox.eval::<i64>("x").unwrap(), 5);
    assert_eq!(sandbox.call::<i64>("add", (2, 3)).unwrap(), 5);
    assert_eq!(sandbox.call::<i64>("add", (2,)).unwrap(), 3);
    assert_eq!(sandbox.call::<i64>("add", vec![Value::Int(4), Value::Int(4)]).unwrap(), 8);
    assert_eq!(sandbox.eval::<Value>("y = 3").unwrap(), Value::None);
}

#[test]
fn state_stays_from_call_to_call_and_after_failures() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox
        .exec("log = []\ndef note(x):\n    log.append(x)\n    if x < 0: raise ValueError(x)\n    return len(log)")
        .unwrap();
    assert_eq!(sandbox.call::<i64>("note", (1,)).unwrap(), 1);
    assert!(matches!(sandbox.call::<i64>("note", (-1,)), Err(Error::Exception(_))));
    assert!(matches!(sandbox.exec("log.append(3)\nwhile True: pass"), Err(Error::Budget(_))));
    assert!(matches!(sandbox.exec("log.append("), Err(Error::Syntax(_))));
    assert!(matches!(sandbox.exec("import os"), Err(Error::Rejected(_))));
    assert_eq!(sandbox.get::<Vec<i64>>("log").unwrap(), [1, -1, 3]);
}

#[test]
fn names_that_are_not_there_or_not_allowed() {
    let mut sandbox = Sandbox::new().unwrap();
    assert!(matches!(sandbox.get::<Value>("missing"), Err(Error::Setup(_))));
    assert!(matches!(sandbox.call::<Value>("missing", ()), Err(Error::Setup(_))));
    for name in ["__builtins__", "__name__", "__import__", "__x", ""] {
        assert!(matches!(sandbox.set(name, 1), Err(Error::Setup(_))), "set {name}");
        assert!(matches!(sandbox.get::<Value>(name), Err(Error::Setup(_))), "get {name}");
        assert!(matches!(sandbox.call::<Value>(name, ()), Err(Error::Setup(_))), "call {name}");
    }
    // A builtin is no global.
    assert!(sandbox.get::<Value>("len").is_err());
    sandbox.set("x", 1).unwrap();
    assert!(matches!(sandbox.call::<Value>("x", ()), Err(Error::Exception(ref e)) if e.type_name == "TypeError"));
    assert!(matches!(Sandbox::builder().policy(Policy::default().grant("no_such")).build(), Err(Error::Setup(_))));
}

#[test]
fn exceptions_are_typed_with_a_traceback() {
    let mut sandbox = Sandbox::new().unwrap();
    let script = sandbox.compile("plugin.py", "def f(n):\n    return 10 // n\n\ndef g(n):\n    return f(n)\n").unwrap();
    sandbox.run::<Value>(&script).unwrap();
    let Err(Error::Exception(exception)) = sandbox.call::<i64>("g", (0,)) else { panic!("no exception") };
    assert_eq!(exception.type_name, "ZeroDivisionError");
    let places: Vec<(&str, u32, &str)> =
        exception.traceback.iter().map(|entry| (entry.file.as_str(), entry.line, entry.function.as_str())).collect();
    assert_eq!(places, [("plugin.py", 5, "g"), ("plugin.py", 2, "f")]);
    assert!(exception.usage.instructions > 0);
    let Err(Error::Exception(exception)) = sandbox.eval::<i64>("class Boom(Exception): pass\nraise Boom('x' * 100000)")
    else {
        panic!("no exception")
    };
    assert_eq!(exception.type_name, "Boom");
    assert!(exception.message.len() < 10_000 && exception.message.starts_with("xxx"));
}

#[test]
fn coroutines_are_run_to_their_end() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("async def leaf(n): return n * 2\nasync def work(n): return await leaf(n) + 1").unwrap();
    assert_eq!(sandbox.call::<i64>("work", (20,)).unwrap(), 41);
    assert_eq!(sandbox.eval::<i64>("work(1)").unwrap(), 3);
    sandbox.exec("class Never:\n    def __await__(self): yield\nasync def stuck(): await Never()").unwrap();
    assert!(
        matches!(sandbox.call::<Value>("stuck", ()), Err(Error::Exception(ref e)) if e.type_name == "RuntimeError")
    );
}

#[test]
fn budgets_per_call() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("def spin(n):\n    for i in range(n): pass\n    return n").unwrap();
    let small = Budget::default().instructions(1_000);
    let Err(Error::Budget(stop)) = sandbox.call_with::<i64>("spin", (100_000,), small.clone()) else {
        panic!("not stopped")
    };
    assert_eq!((stop.limit, stop.allowed), (Limit::Instructions, 1_000));
    // The next call has its own.
    assert_eq!(sandbox.call_with::<i64>("spin", (10,), small.clone()).unwrap().0, 10);
    assert_eq!(sandbox.call::<i64>("spin", (10_000,)).unwrap(), 10_000);
    sandbox.set_budget(small);
    assert!(matches!(sandbox.call::<i64>("spin", (100_000,)), Err(Error::Budget(_))));
    let nothing = Budget::default().instructions(0);
    assert!(matches!(sandbox.eval_with::<Value>("1", nothing), Err(Error::Budget(_))));
}

#[test]
fn recursion_is_bounded_and_catchable() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("def down(n): return 0 if n == 0 else 1 + down(n - 1)").unwrap();
    let shallow = Budget::default().recursion(50);
    assert_eq!(sandbox.call_with::<i64>("down", (30,), shallow.clone()).unwrap().0, 30);
    let error = sandbox.call_with::<i64>("down", (60,), shallow).unwrap_err();
    assert!(matches!(error, Error::Exception(ref e) if e.type_name == "RecursionError"), "{error:?}");
    assert_eq!(sandbox.call_with::<i64>("down", (2_000,), long().recursion(5_000)).unwrap().0, 2_000);
}

#[test]
fn output_is_captured_capped_and_taken() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("print('a', 1, sep='-', end=';')\nprint()").unwrap();
    sandbox.exec("print('b')").unwrap();
    assert_eq!(sandbox.take_output(), "a-1;\nb\n");
    assert_eq!(sandbox.take_output(), "");
    let error = sandbox.exec_with("while True: print('0123456789')", Budget::default().output(100)).unwrap_err();
    assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Output), "{error:?}");
    let output = sandbox.take_output();
    assert!(output.len() <= 100 && output.starts_with("0123456789\n"), "{output:?}");
    let usage = sandbox.exec_with("print('é')", Budget::default()).unwrap();
    assert_eq!(usage.output_bytes, 3);
}

#[test]
fn the_bill_of_memory() {
    let mut sandbox = Sandbox::new().unwrap();
    let usage = sandbox.exec_with("kept = 'x' * 3000000", Budget::default()).unwrap();
    assert!(usage.live_bytes >= 3_000_000 && usage.live_bytes < 6_000_000, "{usage:?}");
    assert!(
        usage.peak_bytes >= usage.live_bytes && usage.allocated_bytes >= 3_000_000 && usage.allocations > 0,
        "{usage:?}"
    );
    let usage = sandbox.exec_with("kept = None", Budget::default()).unwrap();
    assert!(usage.live_bytes < 1_000_000, "{usage:?}");
    // What a sandbox holds counts for its later calls, and not for its neighbours.
    sandbox.exec("kept = 'x' * 6000000").unwrap();
    let tight = Budget::default().memory(10_000_000);
    assert!(sandbox.exec_with("more = 'y' * 3000000", tight.clone()).is_ok());
    let error = sandbox.exec_with("yet = 'z' * 3000000\nlen(yet)", tight.clone()).unwrap_err();
    assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Memory), "{error:?}");
    let mut neighbour = Sandbox::new().unwrap();
    assert!(neighbour.exec_with("mine = 'z' * 6000000", tight).is_ok());
}

#[test]
fn cancel_from_another_thread() {
    let mut sandbox = Sandbox::new().unwrap();
    let cancel = sandbox.cancel_handle();
    let started = Instant::now();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        cancel.cancel();
    });
    let error = sandbox.exec_with("while True: pass", long()).unwrap_err();
    assert!(matches!(error, Error::Cancelled(ref usage) if usage.instructions > 0), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    canceller.join().unwrap();
    let cancel = sandbox.cancel_handle();
    assert!(cancel.is_cancelled());
    assert!(matches!(sandbox.eval::<i64>("1"), Err(Error::Cancelled(_))));
    cancel.reset();
    assert_eq!(sandbox.eval::<i64>("1").unwrap(), 1);
}

#[test]
fn a_cancel_stops_one_sandbox_only() {
    let runner = Runner::new().unwrap();
    let cancelled = Sandbox::builder().runner(&runner).build().unwrap();
    let mut other = Sandbox::builder().runner(&runner).build().unwrap();
    cancelled.cancel_handle().cancel();
    assert_eq!(other.eval::<i64>("2").unwrap(), 2);
}

#[test]
fn the_hook_extends_and_stops() {
    let calls = Arc::new(AtomicU64::new(0));
    let seen = calls.clone();
    let mut sandbox = Sandbox::builder()
        .hook(move |_: &Usage| {
            seen.fetch_add(1, Ordering::Relaxed);
            HookAction::Extend(1_000_000)
        })
        .build()
        .unwrap();
    // More than the budget: each checkpoint allows a million more.
    let spin = "n = 0\nwhile n < 100000: n += 1\nn";
    assert_eq!(sandbox.eval_with::<i64>(spin, long().instructions(100_000)).unwrap().0, 100_000);
    assert!(calls.load(Ordering::Relaxed) > 0);

    let mut last = Sandbox::builder()
        .hook(|usage: &Usage| match usage.instructions {
            0..=200_000 => HookAction::Continue,
            _ => HookAction::Stop("frame over".into()),
        })
        .build()
        .unwrap();
    let error = last.exec_with("while True: pass", long()).unwrap_err();
    assert!(matches!(error, Error::Stopped(ref stop) if stop.reason == "frame over"), "{error:?}");
    assert!(error.usage().is_some_and(|usage| usage.instructions > 200_000));
}

#[test]
fn usage_is_readable_while_a_call_runs() {
    let mut sandbox = Sandbox::new().unwrap();
    let (live, cancel) = (sandbox.live_usage(), sandbox.cancel_handle());
    let watcher = std::thread::spawn(move || {
        let started = Instant::now();
        while live.instructions() < 10_000 && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancel.cancel();
        live.instructions()
    });
    assert!(matches!(sandbox.exec_with("while True: pass", long()), Err(Error::Cancelled(_))));
    assert!(watcher.join().unwrap() >= 10_000);
}

#[test]
fn a_deadline_holds() {
    let mut sandbox = Sandbox::new().unwrap();
    for source in ["while True: pass", "sum(iter(int, 1))", "x = 3\nwhile True: x = x * 3 % (1 << 4000)"] {
        let started = Instant::now();
        let error = sandbox.exec_with(source, long().timeout(Duration::from_millis(100))).unwrap_err();
        assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Time), "{source}: {error:?}");
        assert!(started.elapsed() < Duration::from_millis(600), "{source}: {:?}", started.elapsed());
    }
}

#[test]
fn a_script_runs_in_many_sandboxes() {
    let (a, b) = (Runner::new().unwrap(), Runner::new().unwrap());
    let script = Sandbox::new().unwrap().compile("shared.py", "n = n + 1\nn").unwrap();
    for (index, runner) in [&a, &b, &a, &b].into_iter().enumerate() {
        let mut sandbox = Sandbox::builder().runner(runner).build().unwrap();
        sandbox.set("n", index as i64).unwrap();
        assert_eq!(sandbox.run::<i64>(&script).unwrap(), index as i64 + 1);
        assert_eq!(sandbox.run::<i64>(&script.clone()).unwrap(), index as i64 + 2);
    }
    assert_eq!(script.name(), "shared.py");
}

#[test]
fn sandboxes_on_one_runner_share_nothing() {
    let runner = Runner::new().unwrap();
    let mut sandboxes: Vec<Sandbox> = (0..50).map(|_| Sandbox::builder().runner(&runner).build().unwrap()).collect();
    for (index, sandbox) in sandboxes.iter_mut().enumerate() {
        sandbox.set("n", index as i64).unwrap();
        sandbox.exec("class A: pass\nA.n = n\nlen = n\nprint(n)").unwrap();
    }
    for (index, sandbox) in sandboxes.iter_mut().enumerate() {
        assert_eq!(
            sandbox.eval::<(i64, i64, i64)>("(n, A.n, len)").unwrap(),
            (index as i64, index as i64, index as i64)
        );
        assert_eq!(sandbox.take_output(), format!("{index}\n"));
    }
    let mut fresh = Sandbox::builder().runner(&runner).build().unwrap();
    assert!(matches!(fresh.eval::<Value>("n"), Err(Error::Exception(ref e)) if e.type_name == "NameError"));
    assert_eq!(fresh.eval::<i64>("len('abc')").unwrap(), 3);
}

#[test]
fn sandboxes_come_and_go() {
    // In a process of its own: what other tests hold meanwhile is not to be measured.
    if std::env::var_os("PYCAGE_TEST_ALONE").is_none() {
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "api::sandboxes_come_and_go", "--nocapture"])
            .env("PYCAGE_TEST_ALONE", "1")
            .output()
            .unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
        return;
    }
    let runner = Runner::new().unwrap();
    let turns = 6_000;
    let mut after_warm_up = 0;
    for turn in 0..turns {
        let mut sandbox = Sandbox::builder().runner(&runner).build().unwrap();
        assert_eq!(sandbox.eval::<i64>("class A:\n    def f(self): return [self]\nlen(A().f())").unwrap(), 1);
        if turn == turns / 3 {
            after_warm_up = resident();
        }
    }
    let grown = resident().saturating_sub(after_warm_up);
    assert!(grown < 16 << 20, "{} KiB more for {} sandboxes", grown >> 10, turns * 2 / 3);
}

/// Resident memory of this process. Zero where the system has no `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

#[test]
fn sandboxes_are_used_from_many_threads() {
    let threads: Vec<_> = (0..6)
        .map(|index: i64| {
            std::thread::spawn(move || {
                let runner = Runner::new().unwrap();
                let mut sandbox = Sandbox::builder().runner(&runner).build().unwrap();
                sandbox.set("k", index).unwrap();
                sandbox.exec("def work(n): return sum(i * k for i in range(n))").unwrap();
                for n in 0..50_i64 {
                    assert_eq!(sandbox.call::<i64>("work", (n,)).unwrap(), index * n * (n - 1) / 2);
                }
                sandbox
            })
        })
        .collect();
    for (index, thread) in threads.into_iter().enumerate() {
        // A sandbox is sent to another thread and works there.
        let mut sandbox = thread.join().unwrap();
        assert_eq!(sandbox.get::<i64>("k").unwrap(), index as i64);
    }
}

#[test]
fn calls_on_one_runner_take_turns() {
    let runner = Runner::new().unwrap();
    std::thread::scope(|scope| {
        for index in 0..4_i64 {
            let runner = &runner;
            scope.spawn(move || {
                let mut sandbox = Sandbox::builder().runner(runner).build().unwrap();
                sandbox.set("k", index).unwrap();
                for _ in 0..50 {
                    assert_eq!(sandbox.eval::<i64>("t = 0\nfor i in range(100): t += k\nt").unwrap(), index * 100);
                }
            });
        }
    });
    assert!(runner.is_alive());
}

#[test]
fn what_is_enforced_can_be_asked() {
    let enforced = Sandbox::new().unwrap().enforced();
    for ring in [
        "validator",
        "builtins",
        "attributes",
        "instructions",
        "time",
        "memory",
        "allocations",
        "recursion",
        "output",
        "host_calls",
    ] {
        assert!(enforced.contains(&ring), "{ring}");
    }
}

#[test]
fn rejections_carry_what_a_host_shows() {
    let sandbox = Sandbox::new().unwrap();
    let Err(Error::Rejected(rejection)) = sandbox.compile("bad.py", "x = 1\nif x:\n    y = x.__class__\n") else {
        panic!("not rejected")
    };
    assert_eq!((rejection.file.as_str(), rejection.line, rejection.column), ("bad.py", 3, 11));
    assert!(!rejection.rule.is_empty() && !rejection.message.is_empty() && !rejection.advice.is_empty());
    let Err(Error::Syntax(error)) = sandbox.compile("worse.py", "x = 1\ny = (\n") else { panic!("no syntax error") };
    assert_eq!(error.file, "worse.py");
    assert!(error.line >= 2);
}

/// A panic on the runner (here the host's hook) is the end of that runner, and of nothing else.
#[test]
fn a_panic_is_contained() {
    let runner = Runner::new().unwrap();
    let mut bystander = Sandbox::builder().runner(&runner).build().unwrap();
    bystander.set("x", 1).unwrap();
    let mut elsewhere = Sandbox::builder().runner(&Runner::new().unwrap()).build().unwrap();
    elsewhere.set("x", 2).unwrap();
    let hook = |usage: &pycage::Usage| -> pycage::HookAction {
        assert!(usage.instructions < 10_000, "injected");
        pycage::HookAction::Continue
    };
    let mut sandbox = Sandbox::builder().runner(&runner).hook(hook).build().unwrap();
    match sandbox.exec("def f(n):\n    return f(n - 1) if n else [x for x in range(9 ** 9)]\nf(50)") {
        Err(Error::Crashed { message, usage }) => {
            assert!(message.contains("injected"), "{message}");
            assert!(usage.instructions > 0);
        }
        other => panic!("{other:?}"),
    }
    assert!(!runner.is_alive());
    assert!(matches!(sandbox.eval::<Value>("1"), Err(Error::Lost)));
    assert!(matches!(bystander.eval::<Value>("x"), Err(Error::Lost)));
    assert_eq!(elsewhere.eval::<i64>("x").unwrap(), 2);
    let mut later = Sandbox::builder().runner(&Runner::new().unwrap()).build().unwrap();
    assert_eq!(later.eval::<i64>("sum(range(10))").unwrap(), 45);
}

/// Native code that meets no checkpoint is given up at the deadline and its grace: the end of its runner, and of nothing
/// else, also when it comes back later.
#[test]
fn a_runner_that_does_not_stop_is_given_up() {
    let timeout = std::time::Duration::from_millis(100);
    let held_up = std::time::Duration::from_millis(1500);
    let runner = Runner::new().unwrap();
    let mut bystander = Sandbox::builder().runner(&runner).build().unwrap();
    bystander.set("x", 1).unwrap();
    let mut elsewhere = Sandbox::builder().runner(&Runner::new().unwrap()).build().unwrap();
    elsewhere.set("x", 2).unwrap();
    let budget = Budget::default().timeout(timeout);
    let mut sandbox = Sandbox::builder().runner(&runner).budget(budget).build().unwrap();
    sandbox.exec("def f(): return 1").unwrap();

    let called = Instant::now();
    match sandbox.hold_up(held_up) {
        Err(Error::Stuck(usage)) => assert!(usage.elapsed > timeout, "{usage:?}"),
        other => panic!("{other:?}"),
    }
    let took = called.elapsed();
    assert!(took > timeout && took < held_up, "{took:?}");

    assert!(!runner.is_alive());
    assert!(matches!(sandbox.call::<Value>("f", ()), Err(Error::Lost)));
    assert!(matches!(bystander.eval::<Value>("x"), Err(Error::Lost)));
    assert_eq!(elsewhere.eval::<i64>("x").unwrap(), 2);
    let mut later = Sandbox::builder().runner(&Runner::new().unwrap()).build().unwrap();
    assert_eq!(later.eval::<i64>("sum(range(10))").unwrap(), 45);

    // The lost thread comes back, finds that it was given up, and ends.
    std::thread::sleep(held_up.saturating_sub(called.elapsed()) + timeout);
    assert!(matches!(bystander.eval::<Value>("x"), Err(Error::Lost)));
    assert_eq!(later.eval::<i64>("sum(range(10))").unwrap(), 45);
    assert_eq!(elsewhere.eval::<i64>("x").unwrap(), 2);
}

/// A call within the grace comes back like any other.
#[test]
fn a_hold_up_within_the_grace_is_no_loss() {
    let budget = Budget::default().timeout(std::time::Duration::from_millis(2000));
    let runner = Runner::new().unwrap();
    let mut sandbox = Sandbox::builder().runner(&runner).budget(budget).build().unwrap();
    sandbox.hold_up(std::time::Duration::from_millis(50)).unwrap();
    assert!(runner.is_alive());
    assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
}

/// Host functions: values both ways, errors that come back as they went, a cap on calls, time apart.
#[test]
fn host_functions() {
    #[derive(Debug, thiserror::Error)]
    #[error("no such item: {0}")]
    struct NoItem(String);

    let mut sandbox = Sandbox::builder().budget(Budget::default().host_calls(50)).build().unwrap();
    sandbox.function("price", |name: String| if name == "sword" { Ok(30) } else { Err(NoItem(name)) }).unwrap();
    sandbox.function("nap", || std::thread::sleep(std::time::Duration::from_millis(30))).unwrap();
    sandbox.function("burst", || -> i64 { panic!("the host's own") }).unwrap();
    assert_eq!(sandbox.eval::<i64>("price('sword') + 1").unwrap(), 31);
    assert_eq!(
        sandbox.eval::<String>("try: price('x')\nexcept RuntimeError as e: r = str(e)\nr").unwrap(),
        "no such item: x"
    );
    match sandbox.eval::<Value>("price('axe')") {
        Err(Error::Exception(exception)) => {
            let error = exception.host_error.expect("the host's own error comes back");
            assert_eq!(error.downcast_ref::<NoItem>().map(|error| error.0.as_str()), Some("axe"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(sandbox.eval::<Value>("price(1)"), Err(Error::Exception(ref e)) if e.type_name == "TypeError"));
    assert!(matches!(sandbox.eval::<Value>("price()"), Err(Error::Exception(ref e)) if e.type_name == "TypeError"));
    assert!(matches!(sandbox.eval::<Value>("burst()"), Err(Error::Exception(ref e)) if e.type_name == "RuntimeError"));
    let usage = sandbox.exec_with("nap()", Budget::default().timeout(std::time::Duration::from_millis(20))).unwrap();
    assert!(usage.host_time >= std::time::Duration::from_millis(30) && usage.elapsed < usage.host_time);
    match sandbox.exec("while True:\n    try:\n        while True: price('sword')\n    except: print('AFTER')") {
        Err(Error::Budget(stop)) => assert_eq!((stop.limit, stop.used), (pycage::Limit::HostCalls, 51)),
        other => panic!("{other:?}"),
    }
    assert_eq!(sandbox.take_output(), "");
}
