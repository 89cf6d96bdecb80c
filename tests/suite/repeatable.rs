//! The bill is exact and repeatable: the same script gives the same instructions and native steps in every process, as
//! the first and as the thousandth run, on another runner, beside other sandboxes.

use crate::support::{assert_none, child, in_parallel};
use pycage::{Budget, Error, Runner, Sandbox, Script, Usage, Value};

/// Programs of many shapes, each with what the VM specialises, caches or orders.
const SHAPES: [(&str, &str); 30] = [
    ("sum of squares", "sum(i*i for i in range(1000))"),
    ("while loop", "n = 0\nwhile n < 500:\n    n += 1\nn"),
    ("for over range", "t = 0\nfor i in range(300):\n    t += i\nt"),
    ("for over list", "t = 0\nfor i in [3, 1, 2] * 50:\n    t += i\nt"),
    ("for over dict items", "d = {str(i): i for i in range(100)}\nsum(v for k, v in d.items())"),
    ("for over generator", "def g(n):\n    for i in range(n):\n        yield i\nsum(x for x in g(200))"),
    ("nested loops", "[a * b for a in range(20) for b in range(20) if a != b]"),
    ("recursion", "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(14)"),
    (
        "methods",
        "class A:\n    def __init__(self): self.n = 0\n    def up(self):\n        self.n += 1\n        return self\na = A()\nfor i in range(100): a.up().up()\na.n",
    ),
    (
        "attributes of many classes",
        "class A: x = 1\nclass B: x = 2\nclass C(A): y = 3\nsum(o.x for o in [A(), B(), C()] * 40)",
    ),
    ("closures", "def adder(n):\n    return lambda x: x + n\nsum(f(1) for f in [adder(i) for i in range(50)])"),
    (
        "exceptions",
        "n = 0\nfor i in range(50):\n    try:\n        if i % 3 == 0: raise ValueError(i)\n        [][i]\n    except (ValueError, IndexError) as e:\n        n += 1\n    finally:\n        n += 1\nn",
    ),
    ("sort with key", "sorted([(i * 37) % 101 for i in range(200)], key=lambda n: -n)[:5]"),
    (
        "sort with lt",
        "class A:\n    def __init__(self, n): self.n = n\n    def __lt__(self, o): return self.n < o.n\n[a.n for a in sorted(A((i * 37) % 101) for i in range(100))][:5]",
    ),
    ("string building", "s = ''\nfor i in range(200):\n    s += str(i)\nlen(s)"),
    ("string methods", "' '.join(w.upper().replace('A', '4') for w in ('a bat cat ' * 30).split())[:20]"),
    ("formats", "[f'{i:>5}|{i / 3:.2f}|{i!r}' for i in range(50)][-1]"),
    ("sets of strings", "len({str(i % 17) + 'x' for i in range(300)} & {'3x', '4x'})"),
    ("set order", "list({'b', 'a', 'c', 'apple', 'pear', 'fig', 'x1', 'x2', 'x3', 'x4'})"),
    (
        "objects in sets",
        "class A: pass\nobjects = [A() for i in range(100)]\ns = set(objects)\nn = 0\nfor o in s:\n    n += 1\n    if o is objects[0]: break\nn",
    ),
    ("hash of objects", "class A: pass\n[hash(A()) == hash(A()), len({hash(A()) % 64 for i in range(100)})]"),
    (
        "hashes that are told",
        "class A:\n    def __hash__(self): return super().__hash__()\n    def up(self): return self\nkinds = [object(), A, A(), len, [].append, A().up, lambda: 1, float('nan'), (1, object()), frozenset([A]), slice(A), list[A], A | int, ..., ValueError()]\nfor k in kinds:\n    for i in range(hash(k) % 97): pass",
    ),
    ("dict of objects", "class A: pass\nd = {A(): i for i in range(200)}\nsum(d.values())"),
    (
        "match",
        "def f(x):\n    match x:\n        case [a, b]: return a + b\n        case {'k': v}: return v\n        case int(n): return n\n        case _: return 0\nsum(f(x) for x in [[1, 2], {'k': 3}, 4, 'x'] * 30)",
    ),
    (
        "async",
        "async def leaf(n): return n\nasync def main():\n    t = 0\n    for i in range(50):\n        t += await leaf(i)\n    return t\nmain()",
    ),
    ("a coroutine that nothing awaits", "async def main(): return 1\ndef f():\n    main()\nf()\n[main(), 1][1]"),
    (
        "with",
        "class L:\n    def __enter__(self): return self\n    def __exit__(self, *a): return False\nn = 0\nfor i in range(60):\n    with L() as a, L() as b:\n        n += 1\nn",
    ),
    ("big integers", "n = 1\nfor i in range(1, 200):\n    n *= i\nlen(str(n))"),
    (
        "native iterators",
        "[sum(map(len, zip(range(100), range(100)))), max(enumerate('abc' * 30)), list(filter(None, range(50)))[-1], any(reversed(range(40)))]",
    ),
    (
        "unpacking",
        "def f(*a, **k): return len(a) + len(k)\nt = 0\nfor i in range(60):\n    a, *b = range(5)\n    t += f(*b, *b, x=a, **{'y': 1})\nt",
    ),
];

/// A program that the budget stops, to repeat the bill of a trip.
const ENDLESS: &str = "n = 0\nwhile True:\n    try:\n        n += sum(range(50))\n    except Exception:\n        n = 0";

/// Runs after which nothing changes any more: the VM specialises within a few.
const WARM: usize = 100;

type Bill = (u64, u64, String);

#[test]
fn the_same_in_every_process() {
    let processes: Vec<usize> = (0..12).collect();
    let bills = in_parallel(&processes, |_| SHAPES.map(|(_, source)| bill_of_process(source)));
    let mut wrong = Vec::new();
    for (index, (shape, _)) in SHAPES.iter().enumerate() {
        let all: Vec<&Bill> = bills.iter().map(|bills| &bills[index]).collect();
        if all.iter().any(|bill| *bill != all[0]) || all[0].0 == 0 {
            wrong.push(format!("{shape}: {all:?}"));
        }
    }
    assert_none("shapes whose bill differs between processes", wrong);
}

fn bill_of_process(source: &str) -> Bill {
    let line = child::pycage(&["run", "--json", "--timeout", "20000", "-"], source.as_bytes()).json().unwrap();
    let usage = &line["usage"];
    (usage["instructions"].as_u64().unwrap(), usage["native_steps"].as_u64().unwrap(), line["value"].to_string())
}

#[test]
fn the_same_a_hundred_times_in_a_row() {
    let source = "sum(i*i for i in range(1000))";
    let processes: Vec<usize> = (0..100).collect();
    let bills = in_parallel(&processes, |_| bill_of_process(source));
    assert_eq!(bills[0].2, "332833500");
    assert!(bills.iter().all(|bill| *bill == bills[0] && bill.0 > 0), "{bills:?}");
}

#[test]
fn the_same_cold_and_warm() {
    let runner = Runner::new().unwrap();
    let mut wrong = Vec::new();
    for (shape, source) in SHAPES {
        let mut sandbox = Sandbox::builder().runner(&runner).build().unwrap();
        let script = sandbox.compile(shape, source).unwrap_or_else(|error| panic!("{shape}: {error}"));
        let first = bill(&mut sandbox, &script);
        // In one sandbox, so that everything is warm; the last in a fresh one.
        for turn in 2..=WARM {
            let again = bill(&mut sandbox, &script);
            if again != first {
                wrong.push(format!("{shape}: {first:?}, run {turn}: {again:?}"));
                break;
            }
        }
        let fresh = bill(&mut Sandbox::builder().runner(&runner).build().unwrap(), &script);
        if fresh != first || first.0 == 0 {
            wrong.push(format!("{shape}: {first:?}, in a fresh sandbox {fresh:?}"));
        }
    }
    assert_none("shapes whose bill changes with time", wrong);
}

#[test]
fn the_thousandth_run_of_the_smallest_script() {
    let mut sandbox = Sandbox::new().unwrap();
    let script = sandbox.compile("sum.py", "sum(i*i for i in range(1000))").unwrap();
    let first = bill(&mut sandbox, &script);
    for turn in 2..=1000 {
        assert_eq!(bill(&mut sandbox, &script), first, "run {turn}");
    }
}

#[test]
fn the_same_on_another_runner_and_beside_others() {
    let (a, b) = (Runner::new().unwrap(), Runner::new().unwrap());
    let bills = in_parallel(&[a, b], |runner| {
        SHAPES.map(|(shape, source)| {
            // A neighbour that leaves garbage, to be collected in the middle of it.
            let mut other = Sandbox::builder().runner(runner).build().unwrap();
            other.exec("kept = [[i, [i]] for i in range(2000)]\nfor k in kept: k.append(k)").unwrap();
            let mut sandbox = Sandbox::builder().runner(runner).build().unwrap();
            let script = sandbox.compile(shape, source).unwrap();
            bill(&mut sandbox, &script)
        })
    });
    for (index, (shape, _)) in SHAPES.iter().enumerate() {
        assert_eq!(bills[0][index], bills[1][index], "{shape}");
    }
}

#[test]
fn a_trip_costs_the_same() {
    let mut sandbox = Sandbox::new().unwrap();
    let script = sandbox.compile("endless.py", ENDLESS).unwrap();
    let budget = Budget::default().instructions(100_000).timeout(std::time::Duration::from_secs(20));
    let mut bills = Vec::new();
    for _ in 0..20 {
        match sandbox.run_with::<Value>(&script, budget.clone()) {
            Err(Error::Budget(stop)) => bills.push((stop.limit, stop.usage.instructions, stop.usage.native_steps)),
            other => panic!("{other:?}"),
        }
    }
    assert!(bills.iter().all(|bill| *bill == bills[0]), "{bills:?}");
}

/// The instruction count does not depend on the sandbox's own history either: a call after a thousand others.
#[test]
fn calls_cost_the_same_cold_and_warm() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("def work(n):\n    return sum(i for i in range(n)) + len([x for x in 'abc' * n])").unwrap();
    let budget = sandbox.budget().clone();
    let usages: Vec<Usage> =
        (0..300).map(|_| sandbox.call_with::<i64>("work", (20,), budget.clone()).unwrap().1).collect();
    for (turn, usage) in usages.iter().enumerate() {
        assert_eq!(
            (usage.instructions, usage.native_steps),
            (usages[0].instructions, usages[0].native_steps),
            "call {turn}"
        );
    }
}

fn bill(sandbox: &mut Sandbox, script: &Script) -> Bill {
    let budget = sandbox.budget().clone().timeout(std::time::Duration::from_secs(20));
    let (value, usage) =
        sandbox.run_with::<Value>(script, budget).unwrap_or_else(|error| panic!("{script:?}: {error}"));
    (usage.instructions, usage.native_steps, value.to_string())
}
