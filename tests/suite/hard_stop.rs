//! The hard stop: once a budget trips, nothing of the script runs any more, neither now nor later.
//!
//! A script leaves marks, in its output and in a global; none may appear that comes after the trip. The tables under
//! `hostile/catchers` do the same in processes of their own.

use crate::support::assert_none;
use pycage::{Budget, Error, HookAction, Limit, Sandbox, Usage, Value};
use std::time::Duration;

/// Each ends in an endless loop, and would mark what runs after it.
const CATCHERS: [(&str, &str); 24] = [
    ("bare except", "try:\n    spin()\nexcept:\n    mark()"),
    ("except Exception", "try:\n    spin()\nexcept Exception:\n    mark()"),
    ("finally", "try:\n    spin()\nfinally:\n    mark()"),
    (
        "finally with return",
        "def f():\n    try:\n        spin()\n    finally:\n        mark()\n        return 1\nf()\nmark()",
    ),
    (
        "finally with continue",
        "for i in range(3):\n    try:\n        spin()\n    finally:\n        mark()\n        continue\nmark()",
    ),
    ("finally with break", "while True:\n    try:\n        spin()\n    finally:\n        break\nmark()"),
    (
        "exit that answers True",
        "class C:\n    def __enter__(self): pass\n    def __exit__(self, *a):\n        mark()\n        return True\nwith C():\n    spin()\nmark()",
    ),
    (
        "handler in the spinning function",
        "def f():\n    while True:\n        try:\n            spin()\n        except:\n            mark()\nf()",
    ),
    (
        "generator",
        "def g():\n    try:\n        spin()\n        yield\n    except:\n        mark()\n        yield\nfor x in g(): mark()\nmark()",
    ),
    (
        "generator that is suspended",
        "def g():\n    try:\n        yield\n    finally:\n        mark()\nx = g()\nnext(x)\nspin()",
    ),
    ("next with default", "def g():\n    spin()\n    yield\nnext(g(), None)\nmark()"),
    ("getattr with default", "class A:\n    @property\n    def x(self): spin()\ngetattr(A(), 'x', None)\nmark()"),
    ("hasattr", "class A:\n    @property\n    def x(self): spin()\nhasattr(A(), 'x')\nmark()"),
    (
        "eq in a list",
        "class A:\n    def __eq__(self, o):\n        try: spin()\n        except: mark()\n1 in [A()]\nmark()",
    ),
    (
        "hash in a dict",
        "class A:\n    def __hash__(self):\n        try: spin()\n        except: mark()\n        return 1\n{A(): 1}\nmark()",
    ),
    (
        "lt in a sort",
        "class A:\n    def __lt__(self, o):\n        try: spin()\n        except: mark()\n        return True\nsorted([A(), A()])\nmark()",
    ),
    (
        "key of a sort",
        "def key(x):\n    try: spin()\n    except: mark()\n    return x\nsorted([1, 2], key=key)\nmark()",
    ),
    ("class body", "class A:\n    try: spin()\n    except: mark()\nmark()"),
    ("decorator", "def d(f):\n    try: spin()\n    except: mark()\n@d\ndef f(): pass\nmark()"),
    (
        "comprehension condition",
        "def no():\n    spin()\ntry:\n    [x for x in [1] if no()]\nexcept:\n    mark()\nmark()",
    ),
    ("native loop", "try:\n    sum(iter(int, 1))\nexcept:\n    mark()\nmark()"),
    (
        "str of an exception",
        "class E(Exception):\n    def __str__(self):\n        try: spin()\n        except: mark()\n        return 'x'\nraise E()",
    ),
    (
        "coroutine",
        "async def c():\n    try: spin()\n    except: mark()\n    finally: mark()\nasync def main():\n    try: await c()\n    except: mark()\nmain()",
    ),
    (
        "match guard",
        "def g():\n    try: spin()\n    except: mark()\n    return True\nmatch 1:\n    case 1 if g(): mark()\nmark()",
    ),
];

const PRELUDE: &str = "
marks = []
def mark():
    marks.append('after')
    print('AFTER')
def spin():
    while True:
        pass
";

fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::builder().budget(budget()).build().unwrap();
    sandbox.exec(PRELUDE).unwrap();
    sandbox
}

fn budget() -> Budget {
    Budget::default().instructions(50_000).timeout(Duration::from_secs(20))
}

#[test]
fn no_catcher_runs_on() {
    let mut wrong = Vec::new();
    for (name, source) in CATCHERS {
        let mut sandbox = sandbox();
        match sandbox.eval::<Value>(source) {
            Err(Error::Budget(stop)) if stop.limit == Limit::Instructions => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
        if sandbox.take_output().contains("AFTER") {
            wrong.push(format!("{name}: printed after the trip"));
        }
        // Nor later: what was suspended stays so, also when the sandbox runs again or goes.
        match sandbox.eval::<Value>("len(marks)") {
            Ok(Value::Int(0)) => {}
            other => wrong.push(format!("{name}: marks {other:?}")),
        }
    }
    assert_none("catchers that ran on", wrong);
}

#[test]
fn the_same_for_time_cancel_and_hook() {
    for (name, source) in CATCHERS {
        let mut timed = sandbox();
        let budget = Budget::default().instructions(1 << 50).timeout(Duration::from_millis(30));
        let stopped = timed.eval_with::<Value>(source, budget);
        assert!(matches!(stopped, Err(Error::Budget(ref stop)) if stop.limit == Limit::Time), "{name}: {stopped:?}");
        assert_eq!(timed.take_output(), "", "{name}");

        let mut hooked = Sandbox::builder()
            .budget(self::budget().instructions(1 << 50))
            .hook(|usage: &Usage| {
                if usage.instructions + usage.native_steps > 20_000 {
                    HookAction::Stop("enough".into())
                } else {
                    HookAction::Continue
                }
            })
            .build()
            .unwrap();
        hooked.exec(PRELUDE).unwrap();
        let stopped = hooked.eval::<Value>(source);
        assert!(matches!(stopped, Err(Error::Stopped(ref stop)) if stop.reason == "enough"), "{name}: {stopped:?}");
        assert_eq!(hooked.take_output(), "", "{name}");
    }
}

#[test]
fn memory_and_output_stop_as_hard() {
    for (source, limit) in [
        (
            "kept = []\ntry:\n    while True: kept.append('x' * 10000 + str(len(kept)))\nexcept:\n    mark()\nfinally:\n    mark()",
            Limit::Memory,
        ),
        (
            "kept = []\ntry:\n    while True: kept.append([len(kept) + 1000])\nexcept:\n    mark()\nmark()",
            Limit::Allocations,
        ),
    ] {
        let mut sandbox = sandbox();
        let budget = Budget::default().memory(8 << 20).allocations(100_000).instructions(1 << 50);
        match sandbox.exec_with(source, budget.timeout(Duration::from_secs(20))) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, limit),
            other => panic!("{other:?}"),
        }
        assert_eq!(sandbox.take_output(), "");
    }
    let mut sandbox = sandbox();
    let source = "try:\n    while True: print('x' * 100)\nexcept:\n    print('AFTER')\nfinally:\n    print('AFTER')";
    match sandbox.exec_with(source, budget().output(5_000)) {
        Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Output),
        other => panic!("{other:?}"),
    }
    let output = sandbox.take_output();
    assert!(!output.contains("AFTER") && output.len() <= 5_000 && output.len() >= 4_000, "{} bytes", output.len());
}

/// A sandbox that was stopped goes on to work, with the state from before.
#[test]
fn a_stopped_sandbox_works_on() {
    let mut sandbox = sandbox();
    sandbox.exec("state = {'n': 1}").unwrap();
    for turn in 0..20 {
        assert!(matches!(sandbox.exec("state['n'] += 1\nspin()"), Err(Error::Budget(_))), "turn {turn}");
        assert_eq!(sandbox.eval::<i64>("state['n']").unwrap(), turn + 2);
    }
    assert!(matches!(sandbox.exec("spin()"), Err(Error::Budget(_))));
    assert_eq!(sandbox.call::<Option<i64>>("mark", ()).unwrap(), None);
    assert_eq!(sandbox.take_output(), "AFTER\n");
}

/// What was suspended when the budget tripped does not run when it is dropped.
#[test]
fn what_was_suspended_never_wakes() {
    let mut sandbox = sandbox();
    sandbox.exec("def g():\n    try:\n        yield\n    finally:\n        mark()\nheld = g()\nnext(held)").unwrap();
    assert!(matches!(sandbox.exec("inner = g()\nnext(inner)\nspin()"), Err(Error::Budget(_))));
    assert_eq!(sandbox.take_output(), "");
    let mut other = Sandbox::new().unwrap();
    drop(sandbox);
    other.exec("x = [[i] for i in range(1000)]").unwrap();
    assert_eq!(other.take_output(), "");
}

/// What grows past the memory limit in one native operation ends the run, and not the runner, which would keep all that the
/// script had for ever.
#[test]
fn growing_costs_no_runner() {
    const GROWING: [&str; 11] = [
        "b = bytearray()\nwhile True: b.extend(b'x' * 100000)",
        "b = bytearray(40000000)\nb.append(1)",
        "b = bytearray(40000000)\nb += b'x'",
        "b = bytearray(40000000)\nb.insert(0, 1)",
        "x = [0] * 4000000\nd = bytes(20000000)\nx.append(1)\nfor i in d: pass",
        // With nothing after it.
        "x = [0] * 4000000\nd = bytes(20000000)\nx.append(1)",
        "x = [0] * 4000000\nd = bytes(20000000)\nx.append(1)\n1 / 0",
        "d = bytes(30000000)\nx = [0 for _ in range(10**7)]",
        "d = bytes(30000000)\nx = {i: i for i in range(10**7)}",
        "s = '\\u0390' * 1000\nwhile True: s = (s.upper() + s).casefold()",
        "s = '\\\\'\nwhile True: s = repr(s)",
    ];
    let runner = pycage::Runner::new().unwrap();
    for source in GROWING {
        let budget = Budget::default().instructions(1 << 40).timeout(Duration::from_secs(20)).memory(64 << 20);
        let mut sandbox = Sandbox::builder().runner(&runner).budget(budget).build().unwrap();
        match sandbox.exec(source) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Memory, "{source}"),
            other => panic!("{source}: {other:?}"),
        }
        assert!(runner.is_alive(), "{source}");
    }
}

/// The last that a script does can take it past a limit, with nothing of it left to be stopped: it ends as over its limit
/// all the same, at the line where its code ends, in both rings.
#[test]
fn what_a_script_ends_with_is_looked_at() {
    const GROWS: &str = "x = [0] * 4000000\nd = bytes(20000000)\n";
    let scripts: [(&str, u32, Option<u32>); 4] = [
        ("x.append(1)", 3, None),
        ("def f():\n    x.append(1)\nf()", 5, None),
        ("async def f():\n    x.append(1)\nf()", 5, None),
        ("x.append(1) or 1 / 0", 3, Some(1)),
    ];
    let pool = crate::process::pool();
    let budget = Budget::default().timeout(Duration::from_secs(20)).memory(64 << 20);
    let sandboxes = [
        |_: &_, budget| Sandbox::builder().budget(budget).build(),
        |pool: &_, budget| Sandbox::builder().pool(pool).budget(budget).build(),
    ];
    for make in sandboxes {
        let make = || make(&pool, budget.clone()).unwrap();
        let stopped = |what: &str, came: Result<(), Error>| match came {
            Err(Error::Budget(stop)) => {
                assert_eq!(stop.limit, Limit::Memory, "{what}");
                assert!(stop.used > stop.allowed, "{what}: {stop}");
                let entry = stop.traceback.into_iter().next_back();
                entry.map(|entry| (entry.line, entry.column, entry.function))
            }
            other => panic!("{what}: {other:?}"),
        };
        for (source, line, column) in scripts {
            let came = stopped(source, make().exec(&format!("{GROWS}{source}")));
            let column = column.or(came.as_ref().and_then(|(_, column, _)| *column));
            assert_eq!(came, Some((line, column, "<module>".to_owned())), "{source}");
        }
        let mut sandbox = make();
        sandbox.exec(&format!("{GROWS}n = 7\ndef last():\n    x.append(1)")).unwrap();
        assert_eq!(stopped("call", sandbox.call("last", ())), Some((5, None, "last".to_owned())));
        // What is over the limit stays over it, and can still be looked at.
        assert!(stopped("again", sandbox.call("last", ())).is_some());
        assert_eq!(sandbox.get::<i64>("n").unwrap(), 7);
        let mut sandbox = make();
        sandbox.exec(&format!("{GROWS}class C:\n    def __call__(self): x.append(1)\nc = C()")).unwrap();
        assert_eq!(stopped("object", sandbox.call("c", ())), None);
        // What is garbage by then is collected first.
        let cycles = "for i in range(6):\n    x = [bytes(10000000)]\n    x.append(x)\nx = None";
        make().exec(cycles).unwrap();
    }
}

/// A call may be allowed less than its sandbox holds by then: it is stopped, and its runner goes on.
#[test]
fn a_call_below_what_is_held_is_stopped() {
    let mut sandbox = Sandbox::builder().budget(Budget::default().memory(64 << 20)).build().unwrap();
    sandbox.exec("d = bytes(40000000)\ndef f(): return [len(d)]").unwrap();
    for _ in 0..3 {
        match sandbox.call_with::<Vec<i64>>("f", (), Budget::default().memory(8 << 20)) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Memory),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sandbox.call::<Vec<i64>>("f", ()).unwrap(), [40000000]);
}
