//! Granted modules: each call of the tables in `tests/cases/modules` gives what CPython 3.11 gives, and each name is there or
//! not, as its table says. Where there is a `python3` of that version, the tables are compared with it too.

use crate::support::table::CaseTable;
use crate::support::{assert_none, has_python};
use pycage::process::{Launcher, Pool};
use pycage::{Budget, Clock, Error, Limit, Policy, Progress, Runner, Sandbox, Value};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Calls that each table has at least.
const CALLS: usize = 20;

struct ModuleTable {
    module: String,
    /// Other modules that its calls use.
    beside: Vec<String>,
    setup: String,
    works: Vec<String>,
    differs: Vec<String>,
    absent: Vec<String>,
    /// Expressions, each with the `repr` of its value, or of its exception.
    calls: Vec<(String, String)>,
}

fn tables() -> Vec<ModuleTable> {
    let tables: Vec<ModuleTable> = CaseTable::read_folder("modules")
        .iter()
        .map(|table| ModuleTable {
            module: table.text("module"),
            beside: table.list("beside"),
            setup: table.optional("setup").unwrap_or_default(),
            works: table.list("works"),
            differs: table.list("differs"),
            absent: table.list("absent"),
            calls: table.pairs("calls"),
        })
        .collect();
    assert!(!tables.is_empty());
    tables
}

/// A program that prints what came of each call, on a line of its own.
fn program(table: &ModuleTable) -> String {
    let mut source = format!("import {}\n{}\n", table.module, table.setup);
    for (index, (call, _)) in table.calls.iter().enumerate() {
        // One call is one function: none finds a name of another.
        source.push_str(&format!("def call_{index}():\n    return {call}\n"));
    }
    source.push_str("def show(call):\n    try:\n        return repr(call())\n    except Exception as error:\n        return repr(error)\n");
    for index in 0..table.calls.len() {
        source.push_str(&format!("print(ascii(show(call_{index})))\n"));
    }
    source
}

fn compare(table: &ModuleTable, output: &str, whose: &str, wrong: &mut Vec<String>) {
    let lines: Vec<&str> = output.lines().collect();
    if lines.len() != table.calls.len() {
        wrong.push(format!("{}: {whose}: {} lines for {} calls", table.module, lines.len(), table.calls.len()));
        return;
    }
    for ((call, expected), line) in table.calls.iter().zip(lines) {
        let expected = ascii(expected);
        if line != expected {
            wrong.push(format!("{call}\n    expected {expected}\n    {whose:8} {line}"));
        }
    }
}

/// As Python's `ascii` of a text.
fn ascii(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == quote => shown.extend(['\\', c]),
            ' '..='~' => shown.push(c),
            c if (c as u32) < 0x100 => shown.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x1_0000 => shown.push_str(&format!("\\u{:04x}", c as u32)),
            c => shown.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    shown.push(quote);
    shown
}

fn sandbox(runner: &Runner, table: &ModuleTable) -> Sandbox {
    let policy = table.beside.iter().fold(Policy::default().grant(&table.module), Policy::grant);
    Sandbox::builder().runner(runner).policy(policy).build().unwrap()
}

#[test]
fn calls_answer_what_python_answers() {
    let runner = Runner::new().unwrap();
    let mut wrong = Vec::new();
    for table in tables() {
        assert!(table.calls.len() >= CALLS, "{}: {} calls", table.module, table.calls.len());
        let mut sandbox = sandbox(&runner, &table);
        match sandbox.exec(&program(&table)) {
            Ok(()) => compare(&table, &sandbox.take_output(), "pycage", &mut wrong),
            Err(error) => wrong.push(format!("{}: {error}", table.module)),
        }
    }
    assert_none("calls that differ from Python's", wrong);
}

/// On the same runner, in an interpreter that is warm, and on another one: the bill is the same.
#[test]
fn modules_cost_the_same_each_time() {
    let (first, second) = (Runner::new().unwrap(), Runner::new().unwrap());
    for table in tables() {
        let bill = |runner: &Runner| {
            let mut sandbox = sandbox(runner, &table);
            let usage = sandbox.exec_with(&program(&table), sandbox.budget().clone()).unwrap();
            (usage.instructions, usage.native_steps)
        };
        let bills = [bill(&first), bill(&first), bill(&second)];
        assert!(bills.iter().all(|one| *one == bills[0] && one.0 > 0), "{}: {bills:?}", table.module);
    }
}

#[test]
fn names_are_there_or_not() {
    let runner = Runner::new().unwrap();
    let mut wrong = Vec::new();
    for table in tables() {
        let mut sandbox = sandbox(&runner, &table);
        let module = &table.module;
        sandbox.exec(&format!("import {module}\ndef there(name): return hasattr({module}, name)")).unwrap();
        let there = table.works.iter().chain(&table.differs).map(|name| (name, true));
        for (name, expected) in there.chain(table.absent.iter().map(|name| (name, false))) {
            if sandbox.call::<bool>("there", (name.as_str(),)).unwrap() != expected {
                wrong.push(format!("{module}.{name}: expected {}", if expected { "there" } else { "absent" }));
            }
        }
    }
    assert_none("names that are not as their table says", wrong);
}

/// What is there is in the table, for every module that can be granted.
#[test]
fn tables_name_all_that_is_there() {
    let runner = Runner::new().unwrap();
    let tables = tables();
    let granted: BTreeSet<String> = Policy::data().modules().map(str::to_owned).collect();
    let named: BTreeSet<String> = tables.iter().map(|table| table.module.clone()).collect();
    assert_eq!(granted, named, "each module that can be granted has a table, and no other");
    for table in tables {
        let sandbox = sandbox(&runner, &table);
        let there: BTreeSet<String> = sandbox.module_names(&table.module).unwrap().into_iter().collect();
        let listed: BTreeSet<String> = table.works.iter().chain(&table.differs).cloned().collect();
        let differ: Vec<_> = there.symmetric_difference(&listed).collect();
        assert!(differ.is_empty(), "{}: {differ:?}", table.module);
    }
}

/// The recorded values are CPython's own, and the tables leave none of its public names out.
#[test]
fn tables_say_what_python_says() {
    if !has_python() {
        // The other tests compare with what is recorded.
        return;
    }
    let mut wrong = Vec::new();
    for table in tables() {
        let output = Command::new("python3").args(["-I", "-c", &program(&table)]).output().unwrap();
        if !output.status.success() {
            wrong.push(format!("{}: {}", table.module, String::from_utf8_lossy(&output.stderr)));
            continue;
        }
        compare(&table, &String::from_utf8_lossy(&output.stdout), "python", &mut wrong);
        let listed = format!(
            "import {0}, types\nfor n in getattr({0}, '__all__', dir({0})):\n    if not n.startswith('_') and not \
             isinstance(getattr({0}, n), types.ModuleType): print(n)",
            table.module
        );
        let output = Command::new("python3").args(["-I", "-c", &listed]).output().unwrap();
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        let known: BTreeSet<&str> =
            table.works.iter().chain(&table.differs).chain(&table.absent).map(String::as_str).collect();
        wrong.extend(names.lines().filter(|name| !known.contains(name)).map(|name| format!("{}.{name}", table.module)));
    }
    assert_none("tables that CPython does not agree with", wrong);
}

#[test]
fn only_what_is_granted_can_be_imported() {
    let runner = Runner::new().unwrap();
    let mut sandbox = Sandbox::builder().runner(&runner).policy(Policy::default().grant("math")).build().unwrap();
    for source in
        ["import json", "from random import random", "import math.pi", "import os", "import sys", "import builtins"]
    {
        assert!(matches!(sandbox.exec(source), Err(pycage::Error::Rejected(_))), "{source}");
        let script = sandbox.compile_unvalidated("x", source).unwrap();
        assert!(sandbox.run::<pycage::Value>(&script).is_err() || source == "import sys", "{source}");
    }
    assert_eq!(sandbox.eval::<f64>("from math import sqrt\nsqrt(16)").unwrap(), 4.0);
    assert!(Sandbox::builder().policy(Policy::default().grant("os")).build().is_err());
}

/// Patterns that try without end: each is stopped by the instructions it may spend, and by the deadline.
#[test]
fn patterns_are_stopped_by_the_budget_and_in_time() {
    const TIMEOUT: Duration = Duration::from_millis(60);
    const LATE: Duration = Duration::from_millis(300);
    let runner = Runner::new().unwrap();
    let policy = Policy::default().grant("re");
    for call in [
        "re.match(r'(a+)+$', 'a' * 64 + 'b')",
        "re.match(r'(a|a)*b', 'a' * 64)",
        "re.match(r'(.*)*x', 'a' * 64)",
        "re.match('(?=' * 60 + '(a|aa)+$' + ')' * 60, 'a' * 64 + 'b')",
        "re.match(r'(a*)*\\1b', 'a' * 64)",
        "re.fullmatch('(?:' + '|'.join('ab'[i % 2] * (i % 7 + 1) for i in range(2000)) + ')*c', 'ab' * 60)",
        "re.sub(r'(?i)(\u{e9}+)+$', 'x', '\u{e9}' * 64 + 'b')",
    ] {
        let mut sandbox = Sandbox::builder().runner(&runner).policy(policy.clone()).build().unwrap();
        sandbox.exec("import re").unwrap();
        let spent = Budget::default().instructions(100_000);
        let bill = |sandbox: &mut Sandbox| match sandbox.eval_with::<Value>(call, spent.clone()) {
            Err(Error::Budget(stop)) => {
                assert_eq!(stop.limit, Limit::Instructions, "{call}");
                (stop.usage.instructions, stop.usage.native_steps)
            }
            other => panic!("{call}: {other:?}"),
        };
        let first = bill(&mut sandbox);
        assert!(first.0 <= 100_000 && first.1 > 50_000, "{call}: {first:?}");
        let timed = Budget::default().instructions(u64::MAX).timeout(TIMEOUT);
        let begun = Instant::now();
        match sandbox.eval_with::<Value>(call, timed) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Time, "{call}"),
            other => panic!("{call}: {other:?}"),
        }
        assert!(begun.elapsed() < TIMEOUT + LATE, "{call}: {:?}", begun.elapsed());
    }
}

/// What one sandbox does to its modules, no other sees.
#[test]
fn modules_are_a_sandboxs_own() {
    let runner = Runner::new().unwrap();
    let policy = Policy::data();
    let build = || Sandbox::builder().runner(&runner).policy(policy.clone()).build().unwrap();
    let (mut one, mut other) = (build(), build());
    one.exec("import random, json\nrandom.seed(5)\nrandom.Random.random = lambda self: 'mine'\njson.JSONEncoder.item_separator = ';'")
        .unwrap();
    assert_eq!(one.eval::<String>("json.dumps([1, 2])").unwrap(), "[1;2]");
    assert_eq!(other.eval::<String>("import json\njson.dumps([1, 2])").unwrap(), "[1, 2]");
    assert_eq!(other.eval::<f64>("import random\nrandom.random()").unwrap(), 0.844_421_851_525_048_1);
    assert!(one.exec("random.seed = None").is_err());
    assert!(one.exec("del json.dumps").is_err());
}

#[test]
fn the_policy_seeds_random() {
    let draw = |seed| {
        let policy = Policy::plugin().random_seed(seed);
        let mut sandbox = Sandbox::builder().policy(policy).build().unwrap();
        sandbox.eval::<f64>("import random\nrandom.random()").unwrap()
    };
    assert_eq!(draw(42), 0.639_426_798_457_883_8);
    assert_eq!(draw(42), draw(42));
    assert_ne!(draw(1), draw(2));
}

/// The policy's clock is what scripts see: it stands still, goes on with each reading, or is the system's.
#[test]
fn the_policy_has_the_clock() {
    let at = |clock: Clock, source: &str| {
        let policy = Policy::plugin().clock(clock);
        let mut sandbox = Sandbox::builder().policy(policy).build().unwrap();
        sandbox.exec("import time, datetime").unwrap();
        sandbox.eval::<String>(source).unwrap()
    };
    let still = "str([time.time(), time.time_ns(), time.monotonic(), str(datetime.datetime.now()), time.ctime()])";
    let expected = "[946684800.0, 946684800000000000, 0.0, '2000-01-01 00:00:00', 'Sat Jan  1 00:00:00 2000']";
    assert_eq!(at(Clock::default(), still), expected);
    let late = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_210_096_789);
    assert_eq!(at(Clock::fixed(late), "str(datetime.datetime.now(datetime.UTC))"), "2024-02-29 12:34:56.789000+00:00");
    let early = SystemTime::UNIX_EPOCH - Duration::from_millis(500);
    assert_eq!(at(Clock::fixed(early), "str(datetime.datetime.now())"), "1969-12-31 23:59:59.500000");
    let ticking = Clock::fixed(late).ticking(Duration::from_millis(250));
    assert_eq!(at(ticking, "str([time.monotonic() for _ in range(3)])"), "[0.0, 0.25, 0.5]");
    assert_eq!(at(Clock::system(), "str(abs(time.time() - time.time()) < 60 and time.time() > 1.7e9)"), "True");
    // Whatever zone the host is in.
    let zone = "str([time.tzname, time.timezone, time.daylight, time.localtime(0).tm_hour])";
    assert_eq!(at(Clock::system(), zone), "[('UTC', 'UTC'), 0, 0, 0]");
}

/// A script that imports every module, and something of what it does with them.
fn importer() -> String {
    let mut source: String = Policy::data().modules().map(|module| format!("import {module}\n")).collect();
    source.push_str(
        "def main():\n    point = collections.namedtuple('Point', 'x y')(random.random(), math.sqrt(2))\n    return \
         json.dumps([*itertools.accumulate([1, 2, 3]), point])\n",
    );
    source
}

/// Called, run as a task of short slices, inside `Runner::with` and in a worker process: one value, one bill.
#[test]
fn modules_are_the_same_wherever_a_sandbox_runs() {
    let (runner, source) = (Runner::new().unwrap(), importer());
    // Time is not what this is about, and the machine may be busy.
    let budget = Budget::default().timeout(Duration::from_secs(60));
    let builder = || Sandbox::builder().policy(Policy::data()).budget(budget.clone());
    let build = || builder().runner(&runner).build().unwrap();

    let mut called = build();
    let loaded = called.exec_with(&source, budget.clone()).unwrap();
    let (value, usage) = called.call_with::<String>("main", (), budget.clone()).unwrap();
    assert_eq!(value, "[1, 3, 6, [0.8444218515250481, 1.4142135623730951]]");
    let bills = [(loaded.instructions, loaded.native_steps), (usage.instructions, usage.native_steps)];

    let mut tasked = build();
    let script = tasked.compile("importer", &source).unwrap();
    let mut task = tasked.start_script(&script).unwrap();
    let mut pauses = 0;
    while let Progress::Paused(_) = task.resume(budget.clone().instructions(50)).unwrap() {
        pauses += 1;
    }
    assert!(pauses > 10, "{pauses}");
    assert_eq!((task.usage().instructions, task.usage().native_steps), bills[0]);
    assert_eq!(tasked.call::<String>("main", ()).unwrap(), value);

    let mut inside = build();
    let (text, wanted) = (source.clone(), budget.clone());
    let came = runner
        .with(move |cage| {
            cage.exec(&mut inside, &text).unwrap();
            cage.call_with::<String>(&mut inside, "main", (), wanted).unwrap()
        })
        .unwrap();
    assert_eq!((came.0, came.1.instructions, came.1.native_steps), (value.clone(), bills[1].0, bills[1].1));

    let launcher = Launcher::executable(env!("CARGO_BIN_EXE_pycage"));
    let pool = Pool::builder().launcher(launcher).size(1, 1).build().unwrap();
    let mut worker = builder().pool(&pool).build().unwrap();
    let far = worker.exec_with(&source, budget.clone()).unwrap();
    assert_eq!((far.instructions, far.native_steps), bills[0]);
    assert_eq!(worker.call::<String>("main", ()).unwrap(), value);
}

/// Modules stay through a reload, with what they have done.
#[test]
fn a_reload_keeps_the_modules() {
    let mut sandbox = Sandbox::builder().policy(Policy::data().random_seed(42)).build().unwrap();
    sandbox.exec("import random\nfirst = random.random()\ndef draw(): return random.random()").unwrap();
    let broken = sandbox.compile("broken", "import json, random\ndef draw(): return json\n1 / 0").unwrap();
    assert!(sandbox.reload(&broken).is_err());
    let better =
        sandbox.compile("better", "import json, random\ndef draw(): return json.dumps(random.random())").unwrap();
    let before = sandbox.total_usage().live_bytes;
    for _ in 0..200 {
        sandbox.reload(&better).unwrap();
    }
    assert_eq!(sandbox.get::<f64>("first").unwrap(), 0.639_426_798_457_883_8);
    assert_eq!(sandbox.call::<String>("draw", ()).unwrap(), "0.025010755222666936");
    let held = sandbox.total_usage().live_bytes;
    assert!(held < before + (1 << 20), "{before} bytes were held, {held} are");
}

/// A task that is left while a module runs is no reason for others not to have it, and an import that was stopped is made
/// good by the next.
#[test]
fn an_import_can_be_left_and_stopped() {
    let runner = Runner::new().unwrap();
    let mut sandbox = Sandbox::builder().runner(&runner).policy(Policy::data()).build().unwrap();
    let script = sandbox.compile("left", "import functools\nfunctools.reduce(max, [1, 3, 2])").unwrap();
    let mut left = sandbox.start_script(&script).unwrap();
    assert!(matches!(left.resume(Budget::default().instructions(200)).unwrap(), Progress::Paused(_)));
    assert_eq!(sandbox.eval::<i64>("import functools\nfunctools.reduce(min, [3, 1, 2])").unwrap(), 1);
    let mut dropped = sandbox.start_script(&script).unwrap();
    assert!(matches!(dropped.resume(Budget::default().instructions(10)).unwrap(), Progress::Paused(_)));
    drop(dropped);
    match left.resume(Budget::default()).unwrap() {
        Progress::Done(value) => assert_eq!(value, Value::Int(3)),
        other => panic!("{other:?}"),
    }

    let small = Budget::default().instructions(300);
    for _ in 0..50 {
        match sandbox.exec_with("import random", small.clone()) {
            Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Instructions),
            other => panic!("{other:?}"),
        }
    }
    let (_, usage) = sandbox.eval_with::<Value>("import random\nNone", Budget::default()).unwrap();
    assert!(usage.live_bytes < 2 << 20, "{} bytes are held", usage.live_bytes);
    assert_eq!(sandbox.eval::<f64>("random.random()").unwrap(), 0.844_421_851_525_048_1);
}

/// What a script can take out of a module, and out of that in turn, is nothing of the interpreter's or of another sandbox.
#[test]
fn modules_hand_out_nothing_of_the_interpreter() {
    let runner = Runner::new().unwrap();
    let build = || Sandbox::builder().runner(&runner).policy(Policy::data()).build().unwrap();
    let (mut one, mut other) = (build(), build());
    for table in tables() {
        let names = one.module_names(&table.module).unwrap();
        let all = names.iter().map(|name| format!("{}.{name},", table.module)).collect::<String>();
        let source = format!("import {0}\nall_of_{0} = [{all}]", table.module);
        for sandbox in [&mut other, &mut one] {
            sandbox.exec(&source).unwrap();
            assert_eq!(sandbox.reached().unwrap(), None, "{}", table.module);
        }
    }
}

/// With the validator and without it, on a runner with the canary.
#[test]
fn nothing_escapes_through_a_module() {
    let runner = Runner::new().unwrap();
    runner.plant_canary().unwrap();
    let entries = CaseTable::read("module-escapes.toml").pairs("entries");
    assert!(entries.len() > 50);
    let mut wrong = Vec::new();
    for (name, source) in entries {
        for validated in [true, false] {
            let mut sandbox = Sandbox::builder().runner(&runner).policy(Policy::data()).build().unwrap();
            let compiled =
                if validated { sandbox.compile(&name, &source) } else { sandbox.compile_unvalidated(&name, &source) };
            let came = compiled.and_then(|script| sandbox.run::<pycage::Value>(&script));
            let output = sandbox.take_output();
            match came {
                Err(pycage::Error::Exception(_) | pycage::Error::Rejected(_)) if !output.contains("REACHED") => {}
                other => wrong.push(format!("{name} (validated: {validated}): {other:?}, printed {output:?}")),
            }
        }
    }
    assert_none("escapes through modules", wrong);
}
