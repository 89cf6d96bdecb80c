//! The texts of the example `classroom`: each kind of error that a program can meet has one of its own.

#[path = "../../examples/classroom/friendly.rs"]
mod friendly;

use friendly::{Friendly, explain};
use pycage::{Budget, Error, HookAction, Sandbox, Usage};
use std::time::Duration;

fn sandbox() -> Sandbox {
    let budget = Budget::default()
        .instructions(200_000)
        .memory(8 << 20)
        .output(100)
        .timeout(Duration::from_secs(20))
        .recursion(50);
    Sandbox::builder().budget(budget).build().unwrap()
}

#[track_caller]
fn told(source: &str) -> Friendly {
    let error = sandbox().eval::<pycage::Value>(source).unwrap_err();
    explain(source, &error)
}

#[test]
fn every_kind_of_error_has_a_text_a_place_and_what_to_do() {
    // What goes wrong, what is told of it, the line, and how to mend it.
    let table = [
        ("print('a'", "a bracket is opened", 1, "Count the brackets"),
        ("x = 1\nif x\n    y = 2", "a colon is missing", 2, "end with a colon"),
        ("if x = 3: pass", "a colon is missing", 1, "To compare, write =="),
        ("x = 'abc", "a text has no end", 1, "same quote"),
        ("x = 1\n  y = 2", "too far to the right", 2, "Begin it where the line above"),
        ("if True:\n    x = 1\n  y = 2", "where no other does", 3, "of its block"),
        ("if True:\nx = 1", "the next line has to go in", 2, "four blanks"),
        ("return 3", "inside of a function", 1, "a def"),
        ("break", "inside of a loop", 1, "a for or a while"),
        ("continue", "inside of a loop", 1, "a for or a while"),
        ("5 = x", "only a name", 1, "x = 5"),
        ("print 'x'", "two things in one line", 1, "print needs brackets"),
        ("x = 5 +", "something is missing", 1, "both sides"),
        ("else: pass", "a line cannot begin", 1, "belong to an if"),
        ("import os", "You cannot use this module", 1, "math or random"),
        ("x = 1\nx.__class__", "not allowed here", 2, "matching built-in"),
        ("x = open('f')", "no variable or function with the name open", 1, "Give it a value"),
        ("length = 3\nprint(lenght)", "the name lenght", 2, "Did you mean length?"),
        ("prnt(3)", "the name prnt", 1, "Did you mean print?"),
        ("def f():\n    print(q)\n    q = 1\nf()", "no value yet", 2, "global"),
        ("x = 'a' + 1", "do not go together", 1, "str(...)"),
        ("x = int('x')", "right kind", 1, "Print the value"),
        ("x = [1][3]", "no place with this number", 1, "count from 0"),
        ("x = {}['k']", "no such key", 1, "if key in d"),
        ("x = (1).nothing", "behind the dot", 1, "type(...)"),
        ("x = 1 // 0", "divide by zero", 1, "divisor"),
        ("def f(n): return f(n)\nf(1)", "calls itself", 1, "if that returns"),
        ("x = 10.0 ** 1000", "too large", 1, "too often"),
        ("assert 1 > 2", "must be true", 1, "Print what"),
        ("x = next(iter([]))", "nothing further", 1, "Use for"),
        ("x = '\\ud800'.encode('utf-8')", "into bytes", 1, "utf-8"),
        ("raise NotImplementedError", "not written", 1, "in the place of raise"),
        ("d = {1: 2}\nfor k in d: d[k + 1] = 2", "does not work here", 2, "while a loop"),
        ("class Mine(Exception): pass\nraise Mine('no')", "stopped with Mine: no", 2, "raised this itself"),
        ("x = 0\nwhile True:\n    x = 1", "did not come to an end", 2, "the loop around it"),
        ("while True: print('hello')", "prints too much", 1, "inside a loop"),
        ("x = []\nwhile True: x.append('x' * 10000)", "more than there is room", 2, "Keep only"),
    ];
    for (source, what, line, mend) in table {
        let told = told(source);
        assert!(told.what.contains(what) && told.mend.contains(mend), "{source}\n{told}");
        let (at, column, text) = told.place.clone().unwrap_or_else(|| panic!("no place: {source}\n{told}"));
        assert_eq!((at, text.as_str()), (line, source.lines().nth(line as usize - 1).unwrap()), "{source}\n{told}");
        assert!(column.is_none_or(|column| column as usize <= text.chars().count() + 1), "{source}\n{told}");
    }
}

#[test]
fn every_exception_of_python_has_a_text_of_its_own() {
    // All that a sandbox knows, but those that nothing raises by itself: what stands above others, and warnings.
    let mut sandbox = sandbox();
    let reachable = include_str!("../../src/guard/tests/reachable.txt");
    let words = reachable.split(|c: char| !c.is_alphanumeric());
    let mut names: Vec<&str> = words.filter(|word| word.ends_with("Error") || *word == "StopIteration").collect();
    names.sort_unstable();
    names.dedup();
    let (mut known, mut none) = (0, Vec::new());
    for name in names {
        if sandbox.eval::<bool>(&format!("issubclass({name}, Exception)")).is_err() {
            continue;
        }
        known += 1;
        let source = format!("raise {name}('x')");
        let told = told(&source);
        if told.what.contains("stopped with") {
            none.push(name);
        }
    }
    assert!(known > 15, "{known}");
    let raised_by_programs_alone = [
        "ArithmeticError",
        "BufferError",
        "FloatingPointError",
        "IndentationError",
        "InterruptedError",
        "LookupError",
        "SyntaxError",
        "SystemError",
        "TabError",
    ];
    assert_eq!(none, raised_by_programs_alone);
}

#[test]
fn every_other_end_has_a_text() {
    let usage = Box::<Usage>::default;
    let hook = |_: &Usage| HookAction::Stop("the lesson is over".into());
    let mut stopped = Sandbox::builder().hook(hook).build().unwrap();
    let loops = "while True: pass";
    let told = explain(loops, &stopped.exec(loops).unwrap_err());
    assert!(told.what.contains("the lesson is over"), "{told}");
    let own = "x = []\nx.append(x)\nx";
    assert!(explain(own, &sandbox().eval::<pycage::Value>(own).unwrap_err()).mend.contains("contains itself"));
    assert!(explain("", &Error::Cancelled(usage())).what.contains("your teacher"));
    let others = [
        Error::Stuck(usage()),
        Error::Crashed { message: "x".into(), usage: usage() },
        Error::Lost,
        Error::NamesExhausted { bytes: 1 },
        Error::Setup("x".into()),
    ];
    for error in others {
        let told = explain("", &error);
        assert!(told.what.starts_with("The classroom had to stop") && !told.mend.is_empty(), "{error}: {told}");
    }
}
