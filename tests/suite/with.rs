//! Many calls in one hand-over: what holds for a call holds inside `Runner::with`.

use pycage::{Budget, Error, Limit, Runner, Sandbox, Usage, Value};
use std::time::{Duration, Instant};

fn sandbox(runner: &Runner, source: &str) -> Sandbox {
    let mut sandbox = Sandbox::builder().runner(runner).build().unwrap();
    sandbox.exec(source).unwrap();
    sandbox
}

#[test]
fn calls_give_the_same_values_and_bills() {
    let runner = Runner::new().unwrap();
    let source = "def f(n):\n    print(n)\n    return [i * i for i in range(n)]";
    let mut outside = sandbox(&runner, source);
    let mut inside = sandbox(&runner, source);
    for n in [0, 1, 10, 1000] {
        let (value, usage) = outside.call_with::<Value>("f", (n,), Budget::default()).unwrap();
        let (sandbox, same, bill) = runner
            .with(move |cage| {
                let (value, usage) = cage.call_with::<Value>(&mut inside, "f", (n,), Budget::default()).unwrap();
                (inside, value, usage)
            })
            .unwrap();
        inside = sandbox;
        assert_eq!(same, value);
        assert_eq!((bill.instructions, bill.native_steps), (usage.instructions, usage.native_steps));
        assert_eq!(inside.take_output(), outside.take_output());
    }
    assert_eq!(inside.total_usage().instructions, outside.total_usage().instructions);
}

#[test]
fn whatever_can_be_called_is_called_as_it_is_declared_the_first_time_and_later() {
    let exact = [
        ("def f(a, b): return [a, b]", "[1, 2]"),
        ("def f(a, b=9): return [a, b]", "[1, 2]"),
        ("def f(a, b, c=9): return [a, b, c]", "[1, 2, 9]"),
        ("def f(a, /, b): return [a, b]", "[1, 2]"),
        ("def f(*a): return a", "(1, 2)"),
        ("def f(a, *b): return [a, b]", "[1, (2,)]"),
        ("def f(a, b, *c): return [a, b, c]", "[1, 2, ()]"),
        ("def f(a, b, **c): return [a, b, c]", "[1, 2, {}]"),
        ("def f(a, b, *, c=9): return [a, b, c]", "[1, 2, 9]"),
        ("def f(a, b):\n    g = lambda: [a, b]\n    a = 7\n    return g()", "[7, 2]"),
        ("def make(c):\n    def f(a, b): return [a, b, c]\n    return f\nf = make(9)", "[1, 2, 9]"),
        ("f = lambda a, b: [a, b]", "[1, 2]"),
        ("async def g(a): return a\nasync def f(a, b): return [await g(a), b]", "[1, 2]"),
        ("class C:\n    def f(self, a, b): return [a, b]\nf = C().f", "[1, 2]"),
        ("class C:\n    def __call__(self, a, b): return [a, b]\nf = C()", "[1, 2]"),
        ("f = max", "2"),
        ("f = lambda a, b: a if a > 9 else f(a + 5, b)", "11"),
    ];
    let wrong = [
        "def f(): pass",
        "def f(a): pass",
        "def f(a, b, c): pass",
        "def f(*, a, b): pass",
        "def f(a, b, *, c): pass",
        "class C:\n    def f(self, a): pass\nf = C().f",
        "f = 3",
    ];
    let runner = Runner::new().unwrap();
    for (source, expected) in exact {
        let mut outside = sandbox(&runner, source);
        let mut inside = sandbox(&runner, source);
        let mut bills = Vec::new();
        // What else can be called takes more memory the first time, for the interpreter's own caches.
        let bill = |usage: Usage| {
            let allocations = if source.starts_with("def f(") { usage.allocations } else { 0 };
            (usage.instructions, usage.native_steps, allocations)
        };
        for _ in 0..3 {
            let (value, usage) = outside.call_with::<Value>("f", (1, 2), Budget::default()).unwrap();
            assert_eq!(value.to_string(), expected, "{source}");
            bills.push(bill(usage));
        }
        let called = runner.with(move |cage| {
            let mut call = || cage.call_with::<Value>(&mut inside, "f", (1, 2), Budget::default());
            [call(), call(), call()]
        });
        for done in called.unwrap() {
            let (value, usage) = done.unwrap();
            assert_eq!(value.to_string(), expected, "{source}");
            bills.push(bill(usage));
        }
        assert!(bills.iter().all(|bill| *bill == bills[0]), "{source}: {bills:?}");
    }
    for source in wrong {
        let mut sandbox = sandbox(&runner, source);
        for _ in 0..3 {
            match sandbox.call::<Value>("f", (1, 2)) {
                Err(Error::Exception(exception)) => assert_eq!(exception.type_name, "TypeError", "{source}"),
                other => panic!("{source}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_global_that_is_made_anew_is_called_as_it_then_is() {
    let runner = Runner::new().unwrap();
    let mut sandbox = sandbox(&runner, "");
    for _ in 0..2 {
        // More than are remembered, under names that look alike.
        for n in 0..40 {
            sandbox.exec(&format!("def f_{n}_(a): return a + {n}\ndef g(a, b=1): return a * {n} + b")).unwrap();
            assert_eq!(sandbox.call::<i64>(&format!("f_{n}_"), (1,)).unwrap(), n + 1);
            assert_eq!(sandbox.call::<i64>("g", (2,)).unwrap(), 2 * n + 1);
            assert_eq!(sandbox.call::<i64>("g", (2, 3)).unwrap(), 2 * n + 3);
            sandbox.exec(&format!("def g(a): return a - {n}")).unwrap();
            assert_eq!(sandbox.call::<i64>("g", (2,)).unwrap(), 2 - n);
            assert!(matches!(sandbox.call::<i64>("g", (2, 3)), Err(Error::Exception(_))));
        }
    }
    for n in 0..40 {
        assert_eq!(sandbox.call::<i64>(&format!("f_{n}_"), (1,)).unwrap(), n + 1);
    }
}

#[test]
fn limits_hold_inside() {
    let runner = Runner::new().unwrap();
    let mut sandbox = sandbox(
        &runner,
        "late = []\ndef spin():\n    try:\n        while True: pass\n    finally: late.append(1)\ndef grow():\n    x = []\n    while True: x.append('y' * 1000)\ndef talk():\n    while True: print('x' * 100)\ndef native():\n    while True: sum(range(10000))",
    );
    let (mut sandbox, stops) = runner
        .with(move |cage| {
            let mut stop = |name: &str, budget: Budget| {
                let began = Instant::now();
                match cage.call_with::<()>(&mut sandbox, name, (), budget) {
                    Err(Error::Budget(stop)) => (stop.limit, began.elapsed()),
                    other => panic!("{name}: {other:?}"),
                }
            };
            let many = || Budget::default().instructions(1 << 40);
            let stops = [
                stop("spin", Budget::default().instructions(1000)),
                stop("spin", many().timeout(Duration::from_millis(50))),
                stop("native", many().timeout(Duration::from_millis(50))),
                stop("grow", many().memory(8 << 20)),
                stop("talk", many().output(1000)),
            ];
            (sandbox, stops)
        })
        .unwrap();
    let limits = stops.map(|(limit, _)| limit);
    assert_eq!(limits, [Limit::Instructions, Limit::Time, Limit::Time, Limit::Memory, Limit::Output]);
    assert!(stops[1].1 < Duration::from_millis(400) && stops[2].1 < Duration::from_millis(400), "{stops:?}");
    assert_eq!(sandbox.eval::<i64>("len(late)").unwrap(), 0);
}

#[test]
fn a_cancel_and_a_lifetime_budget_hold_inside() {
    let runner = Runner::new().unwrap();
    let mut sandbox =
        Sandbox::builder().runner(&runner).lifetime_budget(Budget::default().instructions(5_000)).build().unwrap();
    sandbox.exec("def f():\n    for i in range(100): pass").unwrap();
    let sandbox = runner
        .with(move |cage| {
            let cancel = sandbox.cancel_handle();
            cancel.cancel();
            assert!(matches!(cage.call::<()>(&mut sandbox, "f", ()), Err(Error::Cancelled(_))));
            cancel.reset();
            let stop = loop {
                match cage.call::<()>(&mut sandbox, "f", ()) {
                    Ok(()) => {}
                    Err(Error::Budget(stop)) => break stop,
                    other => panic!("{other:?}"),
                }
            };
            assert!(stop.lifetime);
            sandbox
        })
        .unwrap();
    assert!(sandbox.total_usage().instructions > 4_000);
}

#[test]
fn a_sandbox_of_another_runner_is_refused() {
    let (one, other) = (Runner::new().unwrap(), Runner::new().unwrap());
    let mut stranger = sandbox(&other, "x = 1");
    let refused = one.with(move |cage| cage.get::<i64>(&mut stranger, "x")).unwrap();
    assert!(matches!(refused, Err(Error::Setup(_))));
    let mut own = sandbox(&one, "x = 1");
    // Through the handle, on the runner's own thread.
    let refused = one.with(move |_| own.get::<i64>("x")).unwrap();
    assert!(matches!(refused, Err(Error::Setup(_))));
}

#[test]
fn a_closure_that_panics_outside_of_a_call_costs_no_runner() {
    let runner = Runner::new().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runner.with(|_| panic!("the host's own"))));
    assert_eq!(*panicked.unwrap_err().downcast_ref::<&str>().unwrap(), "the host's own");
    assert!(runner.is_alive());
    assert_eq!(sandbox(&runner, "x = 2").get::<i64>("x").unwrap(), 2);
}

#[test]
fn a_closure_that_does_not_come_back_costs_its_runner() {
    let runner = Runner::new().unwrap();
    let mut own = sandbox(&runner, "x = 1");
    let began = Instant::now();
    let gone = runner.with_patience(Duration::from_millis(100), |_| std::thread::sleep(Duration::from_millis(700)));
    assert!(matches!(gone, Err(Error::Stuck(_))));
    assert!(began.elapsed() < Duration::from_millis(650));
    assert!(!runner.is_alive());
    assert!(matches!(own.get::<i64>("x"), Err(Error::Lost)));
}
