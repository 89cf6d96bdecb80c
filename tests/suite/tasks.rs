//! Tasks: pausing anywhere, awaiting the host, ending at any time, and the same bill wherever they are paused.

use pycage::{Budget, Error, HookAction, IntoValue, Limit, Progress, Runner, Sandbox, Task, Usage, Value};
use std::time::Duration;

/// Programs that are paused in all kinds of places. Each defines `main()`.
const PROGRAMS: &[(&str, &str)] = &[
    ("loop", "def main():\n    total = 0\n    for i in range(3000):\n        total += i\n    return total"),
    (
        "sort_key",
        "def main():\n    def key(x):\n        t = 0\n        for i in range(5): t += (x * 7919 + i) % 101\n        return t\n    return sorted(range(200), key=key)[:5]",
    ),
    (
        "sort_lt",
        "class K:\n    def __init__(self, n): self.n = n\n    def __lt__(self, other):\n        for i in range(3): pass\n        return self.n < other.n\ndef main():\n    return [k.n for k in sorted([K((i * 37) % 61) for i in range(61)])][:3]",
    ),
    (
        "finally",
        "def main():\n    log = []\n    for i in range(50):\n        try:\n            try:\n                if i % 3 == 0: raise ValueError(i)\n            finally:\n                for j in range(10): pass\n                log.append(i)\n        except ValueError as e:\n            for j in range(10): pass\n            log.append(str(e))\n    return len(log)",
    ),
    (
        "generators",
        "def gen(n):\n    try:\n        for i in range(n):\n            yield i\n    finally:\n        for j in range(5): pass\ndef outer(n):\n    r = yield from gen(n)\n    yield r\ndef main():\n    return sum(x for x in outer(300) if x is not None)",
    ),
    (
        "native_loops",
        "def main():\n    a = sum(range(2000))\n    b = list(map(lambda x: x + 1, range(500)))\n    c = max(i * 7 % 13 for i in range(500))\n    return a, len(b), c, [x for x in zip(range(300), range(300))][-1]",
    ),
    ("recursion", "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\ndef main():\n    return fib(14)"),
    (
        "classes",
        "class A:\n    def __init__(self): self.items = {}\n    def __enter__(self): return self\n    def __exit__(self, *a):\n        for i in range(20): pass\n        return True\n    def put(self, k): self.items[k] = self.items.get(k, 0) + 1\ndef main():\n    a = A()\n    for i in range(100):\n        with a:\n            a.put(i % 7)\n            if i % 10 == 0: raise KeyError(i)\n    return sorted(a.items.items())",
    ),
    (
        "coroutines",
        "async def add(a, b):\n    for i in range(10): pass\n    return a + b\nasync def main():\n    t = 0\n    for i in range(100):\n        t = await add(t, i)\n    return t",
    ),
    (
        "strings",
        "def main():\n    s = ''\n    for i in range(300):\n        s = s + str(i) + ','\n    return len(s), s.replace('1', 'xx').count('x'), f'{s[:10]:>20}'",
    ),
];

fn sandbox(runner: &Runner) -> Sandbox {
    Sandbox::builder().runner(runner).build().unwrap()
}

fn slice(instructions: u64) -> Budget {
    Budget::default().instructions(instructions)
}

/// Runs a task to its end; gives its value and how often it was paused.
fn finish(task: &mut Task, instructions: u64) -> (Value, usize) {
    let mut paused = 0;
    loop {
        match task.resume(slice(instructions)).unwrap() {
            Progress::Paused(_) => paused += 1,
            Progress::Done(value) => return (value, paused),
            other => panic!("{other:?}"),
        }
    }
}

fn exact(usage: &Usage) -> (u64, u64, u64) {
    (usage.instructions, usage.native_steps, usage.host_calls)
}

#[test]
fn a_bill_does_not_depend_on_where_a_task_was_paused() {
    let runner = Runner::new().unwrap();
    let mut most = 0;
    for (name, source) in PROGRAMS {
        let mut whole = sandbox(&runner);
        whole.exec(source).unwrap();
        let (value, usage) = whole.call_with::<Value>("main", (), Budget::default()).unwrap();
        for every in [1, 7, 100, 1000] {
            let mut sliced = sandbox(&runner);
            sliced.exec(source).unwrap();
            let mut task = sliced.start("main", ()).unwrap();
            let (sliced_value, paused) = finish(&mut task, every);
            assert_eq!(sliced_value, value, "{name}, every {every}");
            assert_eq!(exact(&task.usage()), exact(&usage), "{name}, every {every}");
            assert!(every > 100 || paused > 10, "{name}, every {every}: paused {paused} times");
            most = most.max(paused);
        }
    }
    assert!(most > 1000, "{most}");
}

#[test]
fn tasks_take_turns_on_one_runner() {
    let runner = Runner::new().unwrap();
    let mut sandboxes: Vec<Sandbox> = PROGRAMS
        .iter()
        .map(|(_, source)| {
            let mut sandbox = sandbox(&runner);
            sandbox.exec(source).unwrap();
            sandbox
        })
        .collect();
    let expected: Vec<Value> = sandboxes.iter_mut().map(|sandbox| sandbox.call("main", ()).unwrap()).collect();
    // Two of each, all in the middle at the same time.
    let mut tasks: Vec<(usize, Task)> = (0..2 * PROGRAMS.len())
        .map(|n| (n % PROGRAMS.len(), sandboxes[n % PROGRAMS.len()].start("main", ()).unwrap()))
        .collect();
    let mut done = 0;
    while !tasks.is_empty() {
        tasks.retain_mut(|(index, task)| match task.resume(slice(50)).unwrap() {
            Progress::Paused(_) => true,
            Progress::Done(value) => {
                assert_eq!(value, expected[*index], "{}", PROGRAMS[*index].0);
                done += 1;
                false
            }
            other => panic!("{other:?}"),
        });
        // A call of a sandbox that has tasks in the middle.
        let index = done % PROGRAMS.len();
        assert_eq!(sandboxes[index].eval::<i64>("6 * 7").unwrap(), 42);
    }
    assert_eq!(done, 2 * PROGRAMS.len());
}

#[test]
fn a_script_that_never_awaits_is_paused_after_its_slice() {
    let runner = Runner::new().unwrap();
    let mut hog = sandbox(&runner);
    let mut other = sandbox(&runner);
    other.exec("def f(): return 1").unwrap();
    for source in [
        "while True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "while True: sum(range(100000))",
        "while True: sorted(range(1000), key=lambda x: -x)",
        "def g():\n    while True: yield 1\nfor x in g(): pass",
        "sum(iter(int, 1))",
    ] {
        let script = hog.compile("hog", source).unwrap();
        let mut task = hog.start_script(&script).unwrap();
        for _ in 0..20 {
            let before = task.usage();
            assert!(matches!(task.resume(slice(1000)), Ok(Progress::Paused(_))), "{source}");
            let usage = task.usage();
            let spent = usage.instructions + usage.native_steps - before.instructions - before.native_steps;
            // The slice, and what one native operation (a sort of a thousand) is charged.
            assert!(spent <= 4000, "{source}: {spent}");
            assert_eq!(other.call::<i64>("f", ()).unwrap(), 1);
        }
    }
}

#[test]
fn a_slice_of_time_pauses_too() {
    let mut sandbox = Sandbox::new().unwrap();
    let script = sandbox.compile("hog", "while True: pass").unwrap();
    let mut task = sandbox.start_script(&script).unwrap();
    for _ in 0..3 {
        let budget = slice(1 << 40).timeout(Duration::from_millis(20));
        let Progress::Paused(usage) = task.resume(budget).unwrap() else { panic!("not paused") };
        assert!(usage.elapsed >= Duration::from_millis(20) && usage.elapsed < Duration::from_millis(1000), "{usage:?}");
    }
}

#[test]
fn a_task_that_is_dropped_runs_no_further_code() {
    for (what, source) in [
        ("finally", "try:\n    while True: pass\nfinally:\n    log.append(1)"),
        ("except", "try:\n    while True: pass\nexcept BaseException:\n    log.append(1)"),
        (
            "with",
            "class C:\n    def __enter__(self): pass\n    def __exit__(self, *a): log.append(1)\nwith C():\n    while True: pass",
        ),
        (
            "generator",
            "def g():\n    try:\n        while True: yield 1\n    finally:\n        log.append(1)\nfor x in g(): pass",
        ),
        (
            "sort",
            "def key(x):\n    try:\n        while True: pass\n    finally: log.append(1)\nsorted([1, 2], key=key)",
        ),
    ] {
        let mut sandbox = Sandbox::new().unwrap();
        sandbox.exec("log = []").unwrap();
        let script = sandbox.compile(what, source).unwrap();
        let mut task = sandbox.start_script(&script).unwrap();
        assert!(matches!(task.resume(slice(500)), Ok(Progress::Paused(_))));
        drop(task);
        assert_eq!(sandbox.eval::<i64>("len(log)").unwrap(), 0, "{what}");
        assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
    }
}

#[test]
fn a_sandbox_takes_its_tasks_along() {
    let runner = Runner::new().unwrap();
    let mut doomed = sandbox(&runner);
    let script = doomed.compile("hog", "while True: pass").unwrap();
    let mut task = doomed.start_script(&script).unwrap();
    let mut fresh = doomed.start_script(&script).unwrap();
    assert!(matches!(task.resume(slice(100)), Ok(Progress::Paused(_))));
    drop(doomed);
    assert!(matches!(task.resume(slice(100)), Err(Error::Setup(_))));
    assert!(matches!(fresh.resume(slice(100)), Err(Error::Setup(_))));
    assert!(task.is_done());
    assert_eq!(sandbox(&runner).eval::<i64>("1 + 1").unwrap(), 2);
}

#[test]
fn limits_stop_a_task_for_good() {
    let mut sandbox = Sandbox::new().unwrap();
    let hog = sandbox
        .compile("hog", "try:\n    x = []\n    while True: x.append('y' * 1000)\nfinally:\n    late = 1")
        .unwrap();
    let mut task = sandbox.start_script(&hog).unwrap();
    let stop = loop {
        match task.resume(slice(20_000).memory(8 << 20)) {
            Ok(Progress::Paused(_)) => {}
            Err(Error::Budget(stop)) => break stop,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stop.limit, Limit::Memory);
    assert!(task.is_done());
    assert!(matches!(task.resume(slice(1)), Err(Error::Setup(_))));
    assert!(sandbox.get::<i64>("late").is_err());

    let printer = sandbox.compile("printer", "while True: print('x' * 100)").unwrap();
    let mut task = sandbox.start_script(&printer).unwrap();
    let stop = task.resume(slice(1 << 30).output(1000)).unwrap_err();
    assert!(matches!(stop, Error::Budget(stop) if stop.limit == Limit::Output));
    assert!(task.take_output().len() >= 900);
}

#[test]
fn a_lifetime_budget_holds_over_calls_and_tasks() {
    let mut sandbox = Sandbox::builder().lifetime_budget(Budget::default().instructions(10_000)).build().unwrap();
    let script = sandbox.compile("hog", "while True: pass").unwrap();
    let mut task = sandbox.start_script(&script).unwrap();
    let mut slices = 0;
    let stop = loop {
        match task.resume(slice(1000)) {
            Ok(Progress::Paused(_)) => slices += 1,
            Err(Error::Budget(stop)) => break stop,
            other => panic!("{other:?}"),
        }
    };
    assert!(stop.lifetime && stop.limit == Limit::Instructions && stop.allowed == 10_000, "{stop:?}");
    assert!((8..=10).contains(&slices), "{slices}");
    assert!(matches!(sandbox.exec("for i in range(100): pass"), Err(Error::Budget(stop)) if stop.lifetime));
    assert!(sandbox.total_usage().instructions >= 9_000);
}

#[test]
fn a_cancel_ends_a_paused_task_at_its_next_slice() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.awaitable("ask").unwrap();
    sandbox
        .exec("async def main():\n    try:\n        await ask()\n    finally:\n        log.append(1)\nlog = []")
        .unwrap();
    let script = sandbox.compile("hog", "while True: pass").unwrap();
    let mut hog = sandbox.start_script(&script).unwrap();
    let mut waits = sandbox.start("main", ()).unwrap();
    assert!(matches!(hog.resume(slice(100)), Ok(Progress::Paused(_))));
    assert!(matches!(waits.resume(slice(1000)), Ok(Progress::Awaiting(_))));
    sandbox.cancel_handle().cancel();
    assert!(matches!(hog.resume(slice(100)), Err(Error::Cancelled(_))));
    assert!(matches!(waits.resume_with(1, slice(100)), Err(Error::Cancelled(_))));
    sandbox.cancel_handle().reset();
    assert_eq!(sandbox.eval::<i64>("len(log)").unwrap(), 0);
}

#[test]
fn awaiting_works_through_any_number_of_coroutines() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.awaitable("ask").unwrap();
    sandbox
        .exec("async def deep(n):\n    if n: return await deep(n - 1) + 1\n    return await ask('how many', n)\nasync def main():\n    return [await deep(5), await ask(), await ask(1, 2)]")
        .unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    let Progress::Awaiting(request) = task.resume(slice(10_000)).unwrap() else { panic!() };
    assert_eq!((request.name.as_str(), &request.args[..]), ("ask", &["how many".into_value(), 0.into_value()][..]));
    // Without an answer it waits on, and pays next to nothing.
    assert!(matches!(task.resume(slice(10_000)).unwrap(), Progress::Awaiting(_)));
    assert!(matches!(task.resume_with(37, slice(10_000)).unwrap(), Progress::Awaiting(_)));
    assert!(matches!(task.resume_with("x", slice(10_000)).unwrap(), Progress::Awaiting(_)));
    let Progress::Done(value) = task.resume_with(vec![1], slice(10_000)).unwrap() else { panic!() };
    assert_eq!(value.to_string(), "[42, 'x', [1]]");
    assert!(matches!(task.resume_with(1, slice(1)), Err(Error::Setup(_))));
}

#[test]
fn awaiting_outside_of_a_task_is_an_error() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.awaitable("ask").unwrap();
    sandbox.exec("async def main(): return await ask()").unwrap();
    assert!(matches!(sandbox.call::<Value>("main", ()), Err(Error::Exception(e)) if e.type_name == "RuntimeError"));
    sandbox.exec("async def twice():\n    a = ask()\n    await a\n    await a").unwrap();
    let mut task = sandbox.start("twice", ()).unwrap();
    assert!(matches!(task.resume(slice(10_000)).unwrap(), Progress::Awaiting(_)));
    assert!(matches!(task.resume_with((), slice(10_000)), Err(Error::Exception(e)) if e.type_name == "RuntimeError"));
}

#[test]
fn exceptions_stay_with_their_task() {
    let runner = Runner::new().unwrap();
    let mut sandbox = sandbox(&runner);
    sandbox
        .exec("def main(n):\n    for i in range(20):\n        try:\n            raise ValueError(n)\n        except ValueError as e:\n            for j in range(50): pass\n            try:\n                raise\n            except ValueError as again:\n                assert again.args == (n,), again\n    raise KeyError(n)")
        .unwrap();
    let mut tasks: Vec<Task> = (0..10).map(|n| sandbox.start("main", (n,)).unwrap()).collect();
    let mut ended = 0;
    while ended < 10 {
        for (n, task) in tasks.iter_mut().enumerate() {
            match task.resume(slice(40)) {
                Ok(Progress::Paused(_)) => {}
                Err(Error::Exception(e)) => {
                    assert_eq!((e.type_name.as_str(), e.message.as_str()), ("KeyError", n.to_string().as_str()));
                    ended += 1;
                }
                Err(Error::Setup(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn deep_recursion_in_a_task_is_an_error_and_not_an_overflow() {
    let runner = Runner::new().unwrap();
    let mut sandbox = sandbox(&runner);
    let budget = |instructions| slice(instructions).recursion(10_000).timeout(Duration::from_secs(60));
    for source in [
        "def f(n): return f(n + 1)\nf(0)",
        "class K:\n    def __init__(self, n): self.n = n\n    def __lt__(self, o): return sorted([K(self.n + 1), K(0)]) is None\nsorted([K(1), K(2)])",
        "x = iter([])\nfor i in range(20000): x = map(int, x)\nlist(x)",
        "x = []\nfor i in range(20000): x = [x]\nrepr(x)",
    ] {
        let script = sandbox.compile("deep", source).unwrap();
        let called = sandbox.run_with::<Value>(&script, budget(20_000_000)).unwrap_err();
        let mut task = sandbox.start_script(&script).unwrap();
        let error = loop {
            match task.resume(budget(5_000)) {
                Ok(Progress::Paused(_)) => {}
                Ok(other) => panic!("{source}: {other:?}"),
                Err(error) => break error,
            }
        };
        match (&called, &error) {
            (Error::Exception(a), Error::Exception(b)) => assert_eq!(a.type_name, b.type_name, "{source}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn garbage_is_collected_around_paused_tasks() {
    let runner = Runner::new().unwrap();
    let mut sandbox = sandbox(&runner);
    // Objects that only a paused stack refers to, in cycles and not.
    sandbox
        .exec("class N: pass\ndef main():\n    held = []\n    for i in range(200):\n        n = N()\n        n.me = n\n        n.i = i\n        held.append(n)\n        for j in range(20): pass\n    return sum(n.i for n in held if n.me is n)\ndef churn():\n    for i in range(30000):\n        n = N()\n        n.me = n\n        n.pad = 'x' * 200")
        .unwrap();
    let mut tasks: Vec<Task> = (0..5).map(|_| sandbox.start("main", ()).unwrap()).collect();
    let mut open = tasks.len();
    while open > 0 {
        open = 0;
        for task in &mut tasks {
            if task.is_done() {
                continue;
            }
            match task.resume(slice(3_000)).unwrap() {
                Progress::Paused(_) => open += 1,
                Progress::Done(value) => assert_eq!(value, 19900.into_value()),
                other => panic!("{other:?}"),
            }
        }
        // Other tests' runners can put a collection off; then it comes later.
        for tries in 0.. {
            match sandbox.call_with::<()>(
                "churn",
                (),
                Budget::default().memory(24 << 20).timeout(Duration::from_secs(60)),
            ) {
                Err(Error::Budget(stop)) if stop.limit == Limit::Memory && tries < 100 => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                churned => {
                    churned.unwrap();
                    break;
                }
            }
        }
    }
}

#[test]
fn a_task_is_not_left_in_a_host_function_or_a_finaliser() {
    let mut sandbox = Sandbox::builder().hook(|_: &Usage| HookAction::Continue).build().unwrap();
    sandbox.function("twice", |x: i64| x * 2).unwrap();
    sandbox
        .exec("log = []\ndef g():\n    try:\n        yield 1\n    finally:\n        for i in range(10): log.append(i)\ndef main():\n    for i in range(100):\n        x = g()\n        next(x)\n        del x\n        twice(i)\n    return len(log)")
        .unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    let (value, paused) = finish(&mut task, 5);
    assert_eq!(value, 1000.into_value());
    assert!(paused > 50, "{paused}");
}

#[test]
fn a_thousand_tasks_are_there_at_once() {
    let runner = Runner::new().unwrap();
    let mut sandbox = sandbox(&runner);
    sandbox.exec("def main(n):\n    t = 0\n    while t < 3000: t += 1\n    return n").unwrap();
    let mut tasks: Vec<Task> = (0..1000).map(|n| sandbox.start("main", (n,)).unwrap()).collect();
    let mut frames = 0;
    while tasks.iter().any(|task| !task.is_done()) {
        tasks = runner
            .with(move |cage| {
                for (n, task) in tasks.iter_mut().enumerate() {
                    if task.is_done() {
                        continue;
                    }
                    match cage.resume(task, slice(1000)).unwrap() {
                        Progress::Paused(_) => {}
                        Progress::Done(value) => assert_eq!(value, (n as i64).into_value()),
                        other => panic!("{other:?}"),
                    }
                }
                tasks
            })
            .unwrap();
        frames += 1;
    }
    assert!(frames > 5);
}
