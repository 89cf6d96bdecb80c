//! The command line: its JSON, its exit statuses, several files on one runner, and what is bad usage.

use crate::support::child::{self, Ended};
use serde_json::Value as Json;
use std::path::PathBuf;

fn run(source: &str) -> (Option<i32>, Json) {
    let ended = child::pycage(&["run", "--json", "-"], source.as_bytes());
    let line = ended.json().unwrap();
    (ended.status, line)
}

fn file(name: &str, source: &[u8]) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, source).unwrap();
    path.display().to_string()
}

fn run_files(options: &[&str], files: &[String]) -> Ended {
    let args: Vec<&str> = ["run"].iter().chain(options).copied().chain(files.iter().map(String::as_str)).collect();
    child::pycage(&args, b"")
}

#[test]
fn a_profile() {
    let script = "import math\ndef slow(n):\n    total = 0\n    for i in range(n):\n        total += math.isqrt(i)\n    return total\nprint(slow(1000))\n";
    let script = file("slow.py", script.as_bytes());
    let (svg, folded) = (file("slow.svg", b""), file("slow.folded", b""));
    let ended = child::pycage(&["profile", "--grant", "math", "--svg", &svg, "--folded", &folded, &script], b"");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let line = ended.stdout.lines().find(|line| line.ends_with("total += math.isqrt(i)")).unwrap();
    let instructions: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    assert!(instructions >= 5_000, "{line}");
    assert!(ended.stdout.lines().last().is_some_and(|line| line.ends_with("<module>")), "{}", ended.stdout);
    let read = |file: &str| std::fs::read_to_string(file).unwrap();
    assert!(read(&folded).lines().any(|line| line.starts_with("<module>;slow ")), "{}", read(&folded));
    assert!(read(&svg).contains("<svg") && read(&svg).contains("slow"), "{}", read(&svg));
    // Also of a script that does not end well.
    let ended = child::pycage(&["profile", "--max-instructions", "10000", "-"], b"while True:\n    pass\n");
    assert_eq!(ended.status, Some(4));
    assert!(ended.stdout.contains("while True:") && ended.stderr.contains("budget"), "{ended:?}");
    assert_eq!(child::pycage(&["profile", "-"], b"import os\n").status, Some(3));
}

#[test]
fn the_json_of_a_run() {
    let (status, line) = run("print('hi')\nsum(i*i for i in range(1000))");
    assert_eq!(status, Some(0));
    assert_eq!(line["outcome"], "ok");
    assert_eq!(line["value"], 332_833_500);
    assert_eq!(line["output"], "hi\n");
    assert_eq!(line["error"], Json::Null);
    for field in
        ["instructions", "native_steps", "allocations", "allocated_bytes", "peak_bytes", "elapsed_ns", "host_ns"]
    {
        assert!(line["usage"][field].is_u64(), "{field}");
    }
    for field in ["instructions", "allocations", "allocated_bytes", "peak_bytes", "elapsed_ns"] {
        assert_ne!(line["usage"][field], 0, "{field}");
    }
    let enforced = line["enforced"].as_array().unwrap();
    for ring in
        ["validator", "builtins", "attributes", "instructions", "time", "recursion", "output", "memory", "allocations"]
    {
        assert!(enforced.contains(&ring.into()), "{ring}");
    }
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["outcome", "value", "output", "error", "usage", "enforced"]);
}

#[test]
fn values_as_json() {
    for (source, value) in [
        ("None", "null"),
        ("x = 5", "null"),
        ("True", "true"),
        ("-7", "-7"),
        ("1 << 70", r#"{"$int":"1180591620717411303424"}"#),
        ("1.5", "1.5"),
        ("float('inf')", r#"{"$float":"inf"}"#),
        ("'é\\n'", r#""é\n""#),
        ("b'\\x00a'", r#"{"$bytes":"0061"}"#),
        ("[1, (2, 3)]", "[1,[2,3]]"),
        ("{'a': 1, 'b': None}", r#"{"a":1,"b":null}"#),
        ("{1: 'x'}", r#"{"$dict":[[1,"x"]]}"#),
        ("{'$a': 1}", r#"{"$dict":[["$a",1]]}"#),
        ("{5}", "[5]"),
        ("class Orc: pass\nOrc()", r#"{"$object":"Orc"}"#),
    ] {
        let (status, line) = run(source);
        assert_eq!((status, line["value"].to_string().as_str()), (Some(0), value), "{source}");
    }
}

#[test]
fn an_exception() {
    let (status, line) = run("def f(x):\n    return 1 / x\nprint('before')\nf(0)\n");
    assert_eq!(status, Some(1));
    assert_eq!(line["outcome"], "exception");
    assert_eq!(line["output"], "before\n");
    assert_eq!(line["value"], Json::Null);
    let error = &line["error"];
    assert_eq!((&error["kind"], &error["line"]), (&"ZeroDivisionError".into(), &2.into()));
    let traceback = error["traceback"].as_str().unwrap();
    assert!(traceback.starts_with("Traceback (most recent call last):\n"), "{traceback}");
    assert!(traceback.contains("line 4, in <module>") && traceback.contains("line 2, in f"), "{traceback}");
    assert!(line["usage"]["instructions"].as_u64().unwrap() > 0);
}

#[test]
fn a_rejection_says_where_and_why() {
    let (status, line) = run("x = 1\ny = x.__class__\n");
    assert_eq!(status, Some(3));
    assert_eq!(line["outcome"], "rejected");
    let error = &line["error"];
    assert_eq!((&error["line"], &error["column"]), (&2.into(), &7.into()));
    assert!(error["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{error}");
    assert_eq!(line["usage"]["instructions"], 0);
}

#[test]
fn a_syntax_error_is_a_rejection() {
    let (status, line) = run("x = (1,\n");
    assert_eq!(status, Some(3));
    assert_eq!((&line["outcome"], &line["error"]["rule"]), (&"rejected".into(), &"syntax".into()));
    assert!(line["error"]["line"].as_u64().is_some_and(|line| line >= 1));
}

#[test]
fn each_limit_is_named() {
    let cases: [(&str, &[&str], &str); 6] = [
        ("while True: pass", &["--max-instructions", "10000"], "instructions"),
        ("while True: pass", &["--timeout", "50", "--max-instructions", "100000000000"], "time"),
        ("x = []\nwhile True: x.append('x' * 10000 + str(len(x)))", &["--max-memory", "10000000"], "memory"),
        ("x = []\nwhile True: x.append([len(x) + 1000])", &["--max-allocations", "1000"], "allocations"),
        ("while True: print('x' * 1000)", &[], "output"),
        ("while True: pass", &[], "instructions"),
    ];
    for (source, options, limit) in cases {
        let args: Vec<&str> = ["run", "--json"].iter().chain(options).copied().chain(["-"]).collect();
        let ended = child::pycage(&args, source.as_bytes());
        let line = ended.json().unwrap();
        let error = &line["error"];
        // In the dev profile the default instructions may take longer than the default time.
        let also = if options.is_empty() && limit == "instructions" { "time" } else { limit };
        assert_eq!((ended.status, &line["outcome"]), (Some(4), &"budget".into()), "{source}: {error}");
        assert!(error["limit"] == limit || error["limit"] == also, "{source}: {error}");
    }
}

#[test]
fn several_files_give_a_line_each_and_the_highest_status() {
    let ok = file("ok.py", b"1 + 1");
    let exception = file("exception.py", b"1 / 0");
    let rejected = file("rejected.py", b"import os");
    let budget = file("budget.py", b"while True: pass");
    let cases: [(&[&String], i32); 6] = [
        (&[&ok, &ok], 0),
        (&[&ok, &exception, &ok], 1),
        (&[&rejected, &exception], 3),
        (&[&exception, &rejected, &ok], 3),
        (&[&budget, &ok], 4),
        (&[&ok, &exception, &rejected, &budget, &ok], 4),
    ];
    for (files, status) in cases {
        let files: Vec<String> = files.iter().map(|file| (*file).clone()).collect();
        let ended = run_files(&["--json", "--max-instructions", "100000"], &files);
        let lines = ended.json_lines().unwrap();
        assert_eq!((ended.status, lines.len()), (Some(status), files.len()), "{files:?}");
        for (name, line) in files.iter().zip(&lines) {
            assert!(name.ends_with(&format!("{}.py", line["outcome"].as_str().unwrap())), "{name}: {line}");
        }
    }
}

#[test]
fn a_file_leaves_nothing_for_the_next() {
    let first = file("first.py", b"secret = 'left'\nclass Kept: pass\nKept.note = 'left'\nprint('one')\nsecret");
    let second = file("second.py", b"secret");
    let third = file("third.py", b"print('three')\n3");
    let ended = run_files(&["--json"], &[first, second, third]);
    let lines = ended.json_lines().unwrap();
    assert_eq!(ended.status, Some(1));
    assert_eq!((&lines[0]["value"], &lines[0]["output"]), (&"left".into(), &"one\n".into()));
    assert_eq!((&lines[1]["error"]["kind"], &lines[1]["output"]), (&"NameError".into(), &"".into()));
    assert_eq!((&lines[2]["value"], &lines[2]["output"]), (&3.into(), &"three\n".into()));
}

#[test]
fn a_missing_file_does_not_cost_the_others() {
    let ok = file("there.py", b"5");
    let ended = run_files(&["--json"], &["no-such-file.py".to_owned(), ok]);
    assert_eq!(ended.status, Some(2));
    assert_eq!(ended.json().unwrap()["value"], 5);
    assert!(ended.stderr.contains("no-such-file.py"), "{}", ended.stderr);
}

#[test]
fn bad_usage() {
    let not_text = file("not_text.py", b"x = '\xff'");
    let cases: [&[&str]; 10] = [
        &[],
        &["run"],
        &["fly", "x.py"],
        &["run", "--nonsense", "-"],
        &["run", "--max-instructions", "many", "-"],
        &["run", "--timeout", "-5", "-"],
        &["run", "--isolation", "magic", "-"],
        &["run", "--grant", "no_such_module", "-"],
        &["run", "--json", &not_text],
        &["check", "no-such-file.py"],
    ];
    for args in cases {
        let ended = child::pycage(args, b"1");
        assert_eq!(ended.status, Some(2), "{args:?}: {ended:?}");
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{args:?}: {ended:?}");
    }
}

#[test]
fn for_people() {
    let ended = child::pycage(&["run", "-"], b"print('hello')\n[1, 'two', None]");
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "hello\n[1, 'two', None]\n"));
    let ended = child::pycage(&["run", "-"], b"print('hello')\n1 / 0");
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), "hello\n"));
    assert!(ended.stderr.contains("ZeroDivisionError") && ended.stderr.contains("line 2"), "{}", ended.stderr);
    let ended = child::pycage(&["run", "-"], b"import os");
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(3), ""));
    assert!(ended.stderr.contains("<stdin>:1:"), "{}", ended.stderr);
}

#[test]
fn check_says_and_does_not_run() {
    let ended = child::pycage(&["check", "-"], b"print('ran')\nwhile True: pass");
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "<stdin>: ok\n"));
    for bad in ["import os", "x = ().__class__", "x ="] {
        let ended = child::pycage(&["check", "-"], bad.as_bytes());
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(3), ""), "{bad}");
        assert!(ended.stderr.starts_with("<stdin>:1:"), "{bad}: {}", ended.stderr);
    }
}

#[test]
fn the_named_escapes_end_with_line_and_column() {
    for source in [
        "import os",
        "().__class__",
        "x = 1\nx.__globals__",
        "(lambda: 0).__code__",
        "match 1:\n    case object(__class__=c): pass",
        "[].__class__.__base__",
        "().__𝒸𝓁𝒶𝓈𝓈__",
        "()._＿class_＿",
        "__import__('os')",
        "open('x')",
        "eval('1')",
    ] {
        let (status, line) = run(source);
        assert!(matches!(status, Some(1 | 3)), "{source}: {line}");
        let error = &line["error"];
        assert!(error["line"].is_u64() && error["column"].is_u64(), "{source}: {error}");
    }
}

#[test]
fn the_canary_is_not_in_reach() {
    for source in ["_canary_secret", "import hostmod\nhostmod.secret", "print(getattr(len, '__self__'))"] {
        let ended = child::pycage(&["run", "--json", "--canary", "-"], source.as_bytes());
        assert!(matches!(ended.status, Some(1 | 3)), "{source}: {ended:?}");
        assert!(!ended.stdout.contains("S3CRET") && !ended.stderr.contains("S3CRET"), "{source}: {ended:?}");
    }
}

#[test]
fn nothing_of_a_script_reaches_standard_error() {
    for source in [
        "async def f(): pass\nf()\nNone",
        "def g():\n    try:\n        yield\n    finally:\n        raise ValueError('late')\nx = g()\nnext(x)\nx = None",
        "x = 'a' is 'a'\nx",
        "'\\d'",
        "assert (1, 'always true')",
        "class E(Exception):\n    def __str__(self): raise ValueError('no')\nraise E()",
    ] {
        let ended = child::pycage(&["run", "--json", "-"], source.as_bytes());
        assert_eq!(ended.stderr, "", "{source}");
        ended.json().unwrap();
    }
}

#[test]
fn inputs_come_from_a_json_file() {
    let script = file("inputs.py", b"inputs['n'] + len(inputs['names'])");
    let input = file("inputs.json", br#"{"n": 40, "names": ["a", "b"], "rest": [1.5, null, true]}"#);
    let ended = run_files(&["--json", "--input", &input], std::slice::from_ref(&script));
    assert_eq!(ended.json().unwrap()["value"], 42);
    for broken in [file("broken.json", b"{"), "no/such/file.json".to_owned()] {
        let ended = run_files(&["--json", "--input", &broken], std::slice::from_ref(&script));
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{broken}");
    }
}
