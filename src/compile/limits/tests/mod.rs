//! Every limit trips one over its value and passes at its value.

mod programs;
mod worst;

use super::*;
use crate::compile::parse::parse_checked;
use crate::compile::validate::Grant;
use crate::error::{Error, Rejection};
use std::thread;

/// Limits that nothing reaches.
fn unlimited() -> SourceLimits {
    ALL.iter().fold(SourceLimits::default(), |limits, (_, set)| set(limits, u64::MAX))
}

fn check(source: &str, limits: &SourceLimits) -> Result<(), Error> {
    parse_checked(source, "test.py", limits, Some(&|_| Grant::Denied)).map(drop)
}

fn rejection(source: &str, limits: &SourceLimits) -> Rejection {
    match check(source, limits) {
        Err(Error::Rejected(rejection)) => rejection,
        other => panic!("{other:?} for {}", source.chars().take(80).collect::<String>()),
    }
}

fn times(text: &str, count: u64) -> String {
    many(count, |_| text.to_owned())
}

fn many(count: u64, part: impl Fn(u64) -> String) -> String {
    (0..count).map(part).collect()
}

fn check_granted(source: &str) -> Result<(rustpython_ast::Mod, rustpython_source_file::SourceFile), Error> {
    parse_checked(source, "test.py", &SourceLimits::default(), Some(&|_| Grant::Granted))
}

/// A source whose value for the limit is the second field.
fn at_value(rule: &str) -> (String, u64) {
    let repeat = |text: &str, count: usize| text.repeat(count);
    match rule {
        "limit-bytes" => (format!("#{}", repeat("é", 20)), 41),
        "limit-tokens" => (format!("{}x", repeat("-", 18)), 20),
        "limit-brackets" => (format!("f({}x{})", repeat("[", 8), repeat("]", 8)), 9),
        "limit-indentation" => {
            (format!("{}{}pass", many(6, |i| format!("{}if x:\n", repeat(" ", i as usize))), repeat(" ", 6)), 6)
        }
        "limit-int-digits" => (format!("x = 0x{}", repeat("f", 40)), 42),
        "limit-string-bytes" => (format!("x = '{}'", repeat("a", 40)), 42),
        "limit-depth" => (format!("{}x", repeat("not ", 20)), 22),
        "limit-nodes" => (repeat("pass\n", 30), 30),
        "limit-definitions" => (repeat("def f(): pass\n", 10) + &repeat("class A: pass\n", 3), 13),
        "limit-scopes" => {
            ("def f(): lambda: [[{z: 0 for z in y} for y in x] for x in {a for a in b}]\n(c for c in d)".into(), 7)
        }
        "limit-constants" => (many(20, |i| format!("{}\n", 1000 + i)) + "1000\n7\nNone", 20),
        "limit-folded-bytes" => (format!("('{}',)", repeat("a", 20)), 100),
        "limit-set-pairs" => ("{1, 2, 3, 4}".into(), 8),
        "limit-elif-clauses" => (format!("if x: pass\n{}", repeat("elif x: pass\n", 9)), 9),
        "limit-comprehension-clauses" => (format!("[x {}]", repeat("for x in y ", 5)), 5),
        "limit-comprehension-nesting" => {
            ("[{x for x in y} for z in [(a for a in b) for c in [d for d in e]]]".into(), 3)
        }
        "limit-scope-names" => ("def f(a, b): lambda: c\nd = e".into(), 8),
        "limit-captured-names" => {
            ("def f(x):\n y = 1\n def g(): return lambda: x + y + z\nclass A:\n def h(): x".into(), 6)
        }
        "limit-finally-nesting" => ("try:\n try: pass\n finally:\n  pass\nfinally: pass".into(), 2),
        "limit-with-nesting" => ("with a, b:\n with c: pass\nwith d: pass".into(), 3),
        "limit-parameters" => ("def f(a, /, b, *c, d, **e): pass".into(), 5),
        "limit-arguments" => ("f(a, *b, c=1, **d)".into(), 4),
        "limit-decorators" => ("@a\n@b\n@c\nclass A: pass".into(), 3),
        "limit-bases" => ("class A(b, c, d): pass".into(), 3),
        "limit-targets" => ("(a, [b, *c], d) = e = f".into(), 7),
        "limit-captures" => ("match x:\n case [a, *b] | {1: a, **b}: pass\n case c: pass".into(), 4),
        "limit-pattern-nodes" => ("match x:\n case 1 | 2 | A(b=3): pass\n case 1: pass".into(), 5),
        "limit-format-width" => ("f'{x:>{w}.123}'".into(), 123),
        "limit-instructions" => (repeat("pass\n", 30), 30),
        other => panic!("no source for {other}"),
    }
}

#[test]
fn every_limit_passes_at_its_value_and_trips_one_over() {
    for (rule, set) in ALL {
        let (source, value) = at_value(rule.name);
        let passed = check(&source, &set(unlimited(), value));
        assert!(passed.is_ok(), "{}: {passed:?}", rule.name);
        let tripped = rejection(&source, &set(unlimited(), value - 1));
        assert_eq!(tripped.rule, rule.name);
        assert_eq!(tripped.limit, Some(SourceLimit { value, max: value - 1 }), "{}", rule.name);
        assert!(tripped.message.contains(&value.to_string()) && !tripped.advice.is_empty());
    }
}

#[test]
fn the_place_of_a_token_limit_is_found() {
    let limits = unlimited().brackets(2);
    let found = rejection("x = 1\n\ny = 'é' + f([x, (1)])\n", &limits);
    assert_eq!((found.rule, found.line, found.column), ("limit-brackets", 3, 17));
    let found = rejection("x = 1\nif x:\n  if x:\n    pass\n", &unlimited().indentation(1));
    assert_eq!((found.rule, found.line), ("limit-indentation", 4));
    let found = rejection("a b c d", &unlimited().tokens(3));
    assert_eq!((found.rule, found.line, found.column), ("limit-tokens", 1, 5));
}

#[test]
fn brackets_that_do_not_match_are_syntax_errors() {
    for (source, line, column) in [
        ("x = (1]", 1, 7),
        ("x = 1)", 1, 6),
        ("\n  }", 2, 3),
        ("x = (1, [2)", 1, 11),
        ("f(\n  (1, 2)", 1, 2),
        ("x = [\n\n", 1, 5),
        ("[1, {2: 3]", 1, 10),
    ] {
        match check(source, &SourceLimits::default()) {
            Err(Error::Syntax(error)) => assert_eq!((error.line, error.column), (line, column), "{source:?}: {error}"),
            other => panic!("{source:?}: {other:?}"),
        }
    }
}

#[test]
fn syntax_errors_have_lines_and_columns_in_characters() {
    for (source, line, column) in
        [("x = 'é' 1", 1, 9), ("def f(:)\n  pass", 1, 7), ("x = 1\n  y = 2", 2, 1), ("if x\n", 1, 5)]
    {
        match check(source, &SourceLimits::default()) {
            Err(Error::Syntax(error)) => assert_eq!((error.line, error.column), (line, column), "{source:?}: {error}"),
            other => panic!("{source:?}: {other:?}"),
        }
    }
}

/// A host that lifts every limit does not lift what keeps the walks of the tree on the stack.
#[test]
fn some_bounds_hold_whatever_the_limits() {
    let nested = many(101, |i| times(" ", i) + "if x:\n") + &times(" ", 101) + "x";
    assert_eq!(rejection(&nested, &unlimited()).limit, Some(SourceLimit { value: 101, max: 100 }));
    assert_eq!(rejection(&("x".to_owned() + &times("+x", 1_001)), &unlimited()).rule, "limit-chain");
    assert_eq!(
        rejection(&format!("({})", times("(1, (x.a + 1)", 600) + &times(")", 600)), &unlimited()).rule,
        "limit-chain"
    );
    // Entries of a table start afresh.
    assert!(check(&format!("[{}]", times("(1, x.a + 1),", 3_000)), &unlimited()).is_ok());
    assert!(check(&format!("f({})", times("a=x.b(c),", 3_000)), &unlimited()).is_ok());
}

#[test]
fn nul_is_refused() {
    assert_eq!(rejection("x = 'a\0b'", &unlimited()).rule, "nul-character");
}

/// What the compiler would fold for ever, or into a gigabyte.
#[test]
fn folding_blow_ups_are_refused() {
    for source in [
        "'' * 10**18",
        "x = '' * 1000000000000000000",
        "10**18 * b''",
        "if 0: x = '' * 2000000",
        "'abc'[1:1] * 10**18",
        "('' or '') * 10**18",
        "(a := '') * 10**18",
        "('' if 1 else 'a') * 10**18",
        "f'' * 10**18",
        "(('a' * 0) * 10**18)",
        "('' + '') * 10**18",
        "'' * (1 << 60)",
        "'' * (-(-10**18))",
        "'' * ~-10**18",
        "'' 'a'[1:] * 10**18",
        "(('a' * 4096,) * 256,) * 2",
        "x = [('a' * 4096,) * 256]",
    ] {
        assert_eq!(rejection(source, &SourceLimits::default()).rule, "limit-folded-bytes", "{source}");
    }
    for source in [
        "'-' * 80",
        "[0] * 10**6",
        "(0,) * 100",
        "x * 10**9",
        "'ab' * 10**9",
        "2**100",
        "'' * n",
        "10**18",
        "[''] * 10**6",
    ] {
        assert!(check(source, &SourceLimits::default()).is_ok(), "{source}");
    }
}

#[test]
fn constant_formats_are_bounded() {
    for source in [
        "f'{x:10001}'",
        "f'{x:>99999999999999999999}'",
        "f'{x:.{y}10001}'",
        "f'{x:1{y}0001}'",
        "'%10001d' % x",
        "'%(a)-10001d' % x",
        "'%% %s %.99999f' % x",
        "b'%10001d' % x",
        "'{:10001}'.format(x)",
        "'{0:{1}.10001}'.format(x)",
        "'{a:>٩٩٩٩٩}'.format(x)",
        "'{:10001}'.format_map(x)",
        "str.format('{:10001}', x)",
        "format(x, '10001')",
        "f'{f\"{x:10001}\"}'",
    ] {
        assert_eq!(rejection(source, &SourceLimits::default()).rule, "limit-format-width", "{source}");
    }
    for source in [
        "f'{x:10000}'",
        "f'{123456789}'",
        "f'123456 {x} 123456'",
        "'123456 %d 123456' % x",
        "'%(123456)s' % x",
        "'{0[123456]} 123456'.format(x)",
        "'123456'.format(x)",
        "123456 % 7",
        "format(123456)",
    ] {
        assert!(check(source, &SourceLimits::default()).is_ok(), "{source}");
    }
}

/// Trees that only become deep, and sources that only confuse the parser: none may need more than a small stack, whether
/// they pass or not, and with limits lifted as far as a host may.
#[test]
fn deep_sources_need_little_stack() {
    let sources: Vec<String> = [
        ("", "(", "x", ")", 100_000),
        ("", "[", "x", "]", 100_000),
        ("x = ", "{1:", "x", "}", 50_000),
        ("", "f(", "x", ")", 100_000),
        ("", "-", "x", "", 200_000),
        ("", "not ", "x", "", 60_000),
        ("", "await ", "x", "", 40_000),
        ("", "lambda a, b: ", "x", "", 20_000),
        ("", "lambda a=", "1", ":1", 20_000),
        ("", "x**", "x", "", 80_000),
        ("", "x+", "x", "", 100_000),
        ("x", ".a", "", "", 100_000),
        ("x", "()", "", "", 100_000),
        ("x", "[0]", "", "", 80_000),
        ("", "x if y else ", "x", "", 20_000),
        ("", "if x: ", "pass", "", 40_000),
        ("", "if x, ", "pass", "", 40_000),
        ("(", ", if a", "", "", 40_000),
        ("", "while x, ", "pass", "", 20_000),
        ("", "for x in ", "y", "", 20_000),
        ("", "async ", "x", "", 40_000),
        ("", "with x, ", "y", "", 30_000),
        ("", "yield ", "x", "", 40_000),
        ("", "yield a, ", "x", "", 30_000),
        ("", "return ", "x", "", 40_000),
        ("", "@", "x", "", 200_000),
        ("", "*", "x", "", 200_000),
        ("", "f'{", "x", "}'", 20_000),
        ("", "f\"{f'{", "x", "}'}\"", 20_000),
        ("", "f'{x:{", "y", "}}'", 20_000),
        ("", "(yield ", "x", ")", 30_000),
        ("", "(y := ", "x", ")", 30_000),
        ("match x:\n case ", "[", "y", "]", 60_000),
        ("match x:\n case ", "a|", "y", "", 60_000),
        ("match x:\n case ", "A(", "y", ")", 60_000),
        ("match x:\n case ", "(", "y", ")", 60_000),
        ("", "match x: ", "y", "", 20_000),
        ("", "match (", "y", ")", 20_000),
        ("", "f(a], ", "x", ")", 20_000),
        ("", "(\n if x:\n", "x", "", 20_000),
        ("", "class A(", "x", "): pass", 20_000),
        ("", "def f(a=", "x", "): pass", 20_000),
        ("", "def f(): ", "x", "", 20_000),
        ("", "try: ", "x", "", 30_000),
        ("", "a; if x: ", "x", "", 20_000),
        ("", "else: ", "x", "", 30_000),
        ("x = (", "a for a in b if ", "x", ")", 10_000),
        ("x: ", "y[", "x", "]", 60_000),
        ("", "'", "", "", 100_000),
        ("", "\\\n", "", "", 100_000),
        ("", "{", "", "", 200_000),
        ("f'", "{{", "", "", 100_000),
        ("f'{", "!r:{", "", "", 50_000),
    ]
    .iter()
    .map(|(before, open, middle, close, count)| [before, &*open.repeat(*count), middle, &close.repeat(*count)].concat())
    .chain([
        many(700, |i| format!("{}if x:\n", " ".repeat(i as usize))),
        many(700, |i| format!("({}if x:\n", " ".repeat(i as usize))),
    ])
    .collect();
    let run = move || {
        for source in &sources {
            for limits in [SourceLimits::default(), unlimited().depth(10_000)] {
                // Passing is as good as being refused; overflowing the stack would end the process.
                let _ = check(source, &limits);
            }
            // A tree as deep as the default limits let through, whatever the chain.
            for cut in [50, 120, 400, 900] {
                let cut = source.floor_char_boundary(cut);
                let _ = check(&source[..cut], &unlimited());
            }
        }
    };
    thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread starts").join().expect("no panic");
}
