//! Where the cost of scripts goes: the parts are the whole, each in its line and under its callers.

use pycage::{Budget, Error, Isolation, Profile, Progress, Sandbox, Usage, Value};
use std::collections::BTreeMap;

fn sandbox() -> Sandbox {
    Sandbox::builder().policy(pycage::Policy::data()).profile(true).build().unwrap()
}

fn run(source: &str) -> (Profile, Usage) {
    let mut sandbox = sandbox();
    let script = sandbox.compile("script.py", source).unwrap();
    let budget = Budget::default().recursion(300);
    match sandbox.run_with::<Value>(&script, budget) {
        Ok((_, usage)) => (sandbox.profile(), usage),
        Err(error) => (sandbox.profile(), *error.usage().unwrap_or_else(|| panic!("{error}"))),
    }
}

fn total(profile: &Profile) -> u64 {
    profile.lines.iter().map(|line| line.instructions + line.native_steps).sum()
}

fn by_line(profile: &Profile) -> BTreeMap<u32, (u64, u64)> {
    let mut lines = BTreeMap::new();
    for line in &profile.lines {
        let cost: &mut (u64, u64) = lines.entry(line.line).or_default();
        *cost = (cost.0 + line.instructions, cost.1 + line.native_steps);
    }
    lines
}

const PROGRAMS: [&str; 7] = [
    "x = 1\nfor i in range(50):\n    x += i\n    if x % 3:\n        x -= 1\nelse:\n    x = str(x)\n",
    "def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\nfib(12)\n",
    "def gen():\n    for i in range(20):\n        yield i\ntotal = sum(gen())\nsorted([3, 1, 2] * 100, key=lambda x: -x)\n",
    "class C:\n    def __init__(self):\n        self.x = [i\n            for i in range(10)]\n    def m(self):\n        return len(self.x)\n[C().m() for _ in range(9)]\n",
    "import json\ndef f():\n    return json.dumps({'a': [1, 2, 3]})\nf()\nf()\n",
    "async def a():\n    return 1\nasync def b():\n    return await a() + await a()\nawait_me = b()\ntry:\n    await_me.send(None)\nexcept StopIteration as e:\n    x = e.value\n",
    "while True:\n    pass\n",
];

#[test]
fn the_parts_are_the_whole() {
    for program in PROGRAMS {
        let (profile, usage) = run(program);
        assert_eq!(total(&profile), usage.instructions + usage.native_steps, "{program}");
        let stacks: u64 = profile.stacks.iter().map(|stack| stack.cost).sum();
        assert_eq!(stacks, total(&profile), "{program}");
    }
}

#[test]
fn a_profiled_script_has_the_same_bill() {
    // But for exceptions: the last two of these raise.
    for program in &PROGRAMS[..5] {
        let mut plain = Sandbox::builder().policy(pycage::Policy::data()).build().unwrap();
        let script = plain.compile("script.py", program).unwrap();
        let (_, usage) = plain.run_with::<Value>(&script, Budget::default()).unwrap();
        let (_, profiled) = run(program);
        assert_eq!(profiled.instructions, usage.instructions, "{program}");
        assert_eq!(profiled.native_steps, usage.native_steps, "{program}");
    }
}

#[test]
fn each_line_has_its_own() {
    let (profile, _) =
        run("a = 1\nfor i in range(10):\n    b = i\nc = sum(range(5000))\ndef f():\n    return 1\nf()\n");
    let lines = by_line(&profile);
    assert_eq!(lines.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(lines[&3].0 % 10, 0);
    assert!(lines[&4].1 >= 4900 && lines.iter().all(|(line, cost)| *line == 4 || cost.1 < 50), "{lines:?}");
    let inside: Vec<_> = profile.lines.iter().filter(|line| line.function == "f").collect();
    // Entering it is its first line's.
    assert_eq!(inside.iter().map(|line| (line.line, line.passes)).collect::<Vec<_>>(), [(5, 1), (6, 1)]);
}

#[test]
fn functions_stand_under_their_callers() {
    let source = "def leaf(): return sum(range(100))\ndef one(): return leaf()\ndef two():\n    one()\n    return leaf()\nfor _ in range(3):\n    two()\n    one()\n";
    let (profile, _) = run(source);
    let stacks: BTreeMap<String, u64> =
        profile.stacks.iter().map(|stack| (stack.functions.join(";"), stack.cost)).collect();
    let names: Vec<&str> = stacks.keys().map(String::as_str).collect();
    let expected = [
        "<module>",
        "<module>;one",
        "<module>;one;leaf",
        "<module>;two",
        "<module>;two;leaf",
        "<module>;two;one",
        "<module>;two;one;leaf",
    ];
    assert_eq!(names, expected);
    assert_eq!(stacks["<module>;one;leaf"], stacks["<module>;two;one;leaf"]);
    assert!(profile.folded().lines().count() == 7);
}

#[test]
fn recursion_and_generators_keep_their_depth() {
    let (profile, _) = run("def down(n):\n    if n:\n        down(n - 1)\ndown(100)\n");
    assert_eq!(profile.stacks.iter().map(|stack| stack.functions.len()).max(), Some(102));
    let (profile, _) =
        run("def gen():\n    yield 1\n    yield 2\ndef use(g):\n    return next(g)\ng = gen()\nuse(g)\nuse(g)\n");
    let mut names: Vec<String> = profile.stacks.iter().map(|stack| stack.functions.join(";")).collect();
    names.sort();
    assert_eq!(names, ["<module>", "<module>;use", "<module>;use;gen"]);
}

#[test]
fn calls_and_tasks_add_up() {
    let mut sandbox = sandbox();
    sandbox.exec("def f(n):\n    for i in range(n):\n        pass\n    return n").unwrap();
    let before = total(&sandbox.profile());
    let (_, usage) = sandbox.call_with::<i64>("f", (10,), Budget::default()).unwrap();
    assert_eq!(total(&sandbox.profile()) - before, usage.instructions + usage.native_steps);
    let before = total(&sandbox.profile());
    let mut task = sandbox.start("f", (1000,)).unwrap();
    while !matches!(task.resume(Budget::default().instructions(100)).unwrap(), Progress::Done(_)) {}
    let usage = task.usage();
    assert_eq!(total(&sandbox.profile()) - before, usage.instructions + usage.native_steps);
}

#[test]
fn time_is_where_it_went() {
    let mut sandbox = sandbox();
    sandbox.function("host_sleep", || std::thread::sleep(std::time::Duration::from_millis(30))).unwrap();
    let script = "host_sleep()\nx = 0\nfor i in range(20000):\n    x += i * i\n";
    let (_, usage) = sandbox.eval_with::<Value>(script, Budget::default()).unwrap();
    let profile = sandbox.profile();
    let time: std::time::Duration = profile.lines.iter().map(|line| line.time).sum();
    assert!(time <= usage.elapsed, "{time:?} of {:?}", usage.elapsed);
    let of = |wanted: u32| -> std::time::Duration {
        profile.lines.iter().filter(|line| line.line == wanted).map(|line| line.time).sum()
    };
    // What the host did is not the script's; the loop is.
    assert!(of(4) + of(3) > of(1) + of(2), "{profile:?}");
}

#[test]
fn what_is_not_asked_for_is_not_there() {
    let mut plain = Sandbox::new().unwrap();
    plain.exec("x = 1").unwrap();
    assert!(plain.profile().lines.is_empty());
    let refused = Sandbox::builder().profile(true).isolation(Isolation::Process).build();
    assert!(matches!(refused, Err(Error::Setup(_))));
}
