//! Every limit trips one over its value and passes at its value; and what passes all of them compiles quickly.

use super::*;
use crate::compile::parse::parse_checked;
use crate::compile::validate::Grant;
use crate::error::{Error, Rejection};
use proptest::prelude::*;
use rustpython_codegen::compile::{CompileOpts, compile_top};
use rustpython_compiler_core::Mode;
use std::thread;
use std::time::Instant;

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

fn many(count: u64, part: impl Fn(u64) -> String) -> String {
    (0..count).map(part).collect()
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_answered(source in any::<String>()) {
        let _ = check(&source, &SourceLimits::default());
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&String::from_utf8_lossy(&bytes), &SourceLimits::default());
    }

    /// Pieces of grammar in any order: far more of these get past the lexer.
    #[test]
    fn any_tokens_are_answered(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        let source = pieces.concat();
        if let Ok((tree, file)) = parse_checked(&source, "test.py", &SourceLimits::default(), Some(&|_| Grant::Granted)) {
            // What passes may still be an error for the compiler, and must not be a panic.
            let _ = compile_top(tree, file, Mode::Exec, CompileOpts::default());
        }
    }
}

const PIECES: &[&str] = &[
    "x",
    "y ",
    "1",
    "1.5",
    "'a'",
    "b'a'",
    "f'{",
    "f'a{x}'",
    "}'",
    "f\"{x!r:>{y}}\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ";",
    "\n",
    "\n ",
    "\n  ",
    "\n\t",
    " ",
    "=",
    ":=",
    "==",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "@",
    "&",
    "|",
    "^",
    "~",
    "<<",
    "<",
    ">=",
    "!=",
    "->",
    ".",
    "...",
    "!",
    "\\\n",
    "#c\n",
    "if ",
    "elif ",
    "else: ",
    "for ",
    " in ",
    "while ",
    "try: ",
    "except ",
    "except* ",
    "finally: ",
    "with ",
    " as ",
    "def f",
    "class A",
    "lambda ",
    "return ",
    "yield ",
    "yield from ",
    "await ",
    "async ",
    "import ",
    "from ",
    "global ",
    "nonlocal ",
    "del ",
    "assert ",
    "raise ",
    "pass\n",
    "break\n",
    "continue\n",
    "match x:\n case ",
    "case ",
    "type X = ",
    "lazy ",
    " not ",
    " and ",
    " or ",
    " is ",
    "None",
    "True",
    "super()",
    ".__init__(",
    "__x",
    "_",
    "é",
    "\u{ff3f}",
    "\u{feff}",
    "\x0c",
    "\r",
    "t'{",
    "rf'",
    "'''",
    "\"",
    "'",
    "0x",
    "1e",
    "1j",
    "0777",
    "\u{0}",
    "\u{1d426}ro",
    "print(x)\n",
    "def g(a, /, *b, c=1, **d):\n ",
    "[x for x in y]",
    "{**x}",
    "*x",
    "case {**rest}",
    "case [a, *b]",
    "case A(b=1)",
    "case int(x)",
];

/// The worst forms that are known, each with a size that is too large and a source of a given size.
const WORST: &[(&str, u64, fn(u64) -> String)] = &[
    ("statements", 16_000, |n| times("x=1\n", n)),
    ("names", 16_000, |n| many(n, |i| format!("a{i}=0\n"))),
    ("names in a function", 16_000, |n| format!("def f():\n{}", many(n, |i| format!(" a{i}=0\n")))),
    ("reads in a function", 8_000, |n| {
        format!("def f():\n{}{}", many(n, |i| format!(" a{i}=0\n")), many(n, |i| format!(" a{i}\n")))
    }),
    ("branches over many locals", 6_000, |n| {
        format!("def f(x):\n{}{}", many(n, |i| format!(" if x: a{i}=0\n")), many(n, |i| format!(" a{i}\n")))
    }),
    ("deletes over many locals", 6_000, |n| {
        format!("def f(x):\n{}{}", many(n, |i| format!(" a{i}=0\n")), many(n, |i| format!(" if x: del a{i}\n")))
    }),
    ("constants", 5_000, |n| many(n, |i| format!("{}\n", i + 1000))),
    ("floats", 5_000, |n| many(n, |i| format!("{i}.5\n"))),
    ("strings", 5_000, |n| many(n, |i| format!("x='{}{i:04}'\n", times("a", 60)))),
    ("bytes", 5_000, |n| many(n, |i| format!("x=b'{}{i:04}'\n", times("a", 60)))),
    ("integers", 1_500, |n| many(n, |i| format!("x={}{i:04}\n", times("1", 200)))),
    ("long integers", 80, |n| many(n, |i| format!("x={}{i:04}\n", times("1", 4_290)))),
    ("tuples", 2_500, |n| many(n, |i| format!("x=(1,2,3,4,5,6,{})\n", i + 1000))),
    ("folded tuples", 100, |n| many(n, |i| format!("x=(1,)*250+({},)\n", i + 1000))),
    ("folded strings", 80, |n| many(n, |i| format!("x='a'*4096+'{i}'\n"))),
    ("short folded strings", 3_500, |n| many(n, |i| format!("x='a'*200+'{i}'\n"))),
    ("sums of strings", 100, |n| many(n, |i| format!("x='{i}'{}\n", times("+'b'*99", 15)))),
    ("nested tuples", 80, |n| many(n, |i| format!("x={}1,{i}{}\n", times("(", 60), times(",)", 60)))),
    ("one set", 5_000, |n| format!("x in {{{}}}", many(n, |i| format!("{},", 1000 + i)))),
    ("sets", 10, |n| {
        many(n, |k| format!("x in {{{}}}\n", many(1_400, |i| format!("{},", 1000 + (i + k * 17) % 1_400))))
    }),
    ("a table", 8_000, |n| format!("x=[{}]", many(n, |i| format!("({},{}),", i % 100, i % 29)))),
    ("a dict", 5_000, |n| format!("x={{{}}}", many(n, |i| format!("'k{i}':{},", i % 100)))),
    ("functions", 1_200, |n| many(n, |i| format!("def f{i}():\n x=1;y=2;return x+y+z\n"))),
    ("equal lambdas", 2_500, |n| times("lambda:0\n", n)),
    ("equal long lambdas", 2_500, |n| times("lambda:x(1)(1)(1)\n", n)),
    ("equal long functions", 1_200, |n| times("def f():x(1);x(1);x(1);x(1);x(1);x(1)\n", n)),
    ("lambdas under many names", 9_000, |n| many(n, |i| format!("a{i}=0\n")) + &times("lambda:0\n", 450)),
    ("functions under many names", 9_000, |n| many(n, |i| format!("a{i}=0\n")) + &times("def f():a\n", 900)),
    ("closures", 4_000, |n| {
        let inner = many(n / 4, |i| format!(" def g{i}():a{i};a{}\n", i + 1));
        format!("def f():\n{}{inner}", many(n, |i| format!(" a{i}=0\n")))
    }),
    ("closures over all", 120, |n| {
        let inner = many(n, |i| format!(" def g{i}():{}\n", many(250, |j| format!("a{j};"))));
        format!("def f():\n{}{inner}", many(250, |i| format!(" a{i}=0\n")))
    }),
    ("nested functions", 22, |n| {
        many(n, |i| format!("{}def f({}):\n", times(" ", i), many(255, |j| format!("a{i}_{j},"))))
            + &times(" ", n)
            + "pass"
    }),
    ("nested functions that read the outermost", 3_000, |n| {
        let functions = many(20, |i| format!("{}def f():\n", times(" ", i + 1)));
        let reads = many(n, |i| format!("a{i};"));
        format!("def f():\n{}{functions}{}{reads}\n", many(n, |i| format!(" a{i}=0\n")), times(" ", 21))
    }),
    ("globals", 1_200, |n| many(n, |i| format!("def f{i}():\n global a{i},{}z\n", many(13, |j| format!("b{j},"))))),
    ("comprehensions", 2_500, |n| times("[x for x in y]\n", n)),
    ("comprehensions in a function", 2_500, |n| format!("def f(y):\n{}", times(" [x for x in y]\n", n))),
    ("nested comprehensions", 700, |n| {
        many(n, |_| times("[", 4) + "x" + &many(4, |i| format!(" for a{i} in b]")) + "\n")
    }),
    ("nested comprehensions with lambdas", 300, |n| {
        many(n, |_| {
            times("[(lambda:0)(", 4) + "x" + &many(4, |i| format!(",lambda:1) for a{i} in b if [lambda:c]]")) + "\n"
        })
    }),
    ("many clauses", 200, |n| many(n, |_| format!("[x{}]\n", times(" for x in y if x", 16)))),
    ("deep calls", 480, |n| many(n, |_| format!("{}x{}\n", times("f(", 60), times(")", 60)))),
    ("deep sums", 250, |n| many(n, |_| format!("x{}\n", times("+x", 120)))),
    ("deep attributes", 250, |n| many(n, |_| format!("x{}\n", times(".a", 120)))),
    ("deep conditions", 100, |n| many(n, |_| format!("x = {}z\n", times("a if b else ", 120)))),
    ("mixed and/or", 150, |n| many(n, |_| format!("x = {}z{}\n", times("a and (b or ", 60), times(")", 60)))),
    ("and in ifs", 60, |n| many(n, |_| format!("if {}z: x\n", times("a and ", 500)))),
    ("comparisons", 40, |n| many(n, |_| format!("x = {}z\n", times("a<", 900)))),
    ("elif", 20, |n| many(n, |_| format!("if a: b\n{}", times("elif a: b\n", 499)))),
    ("ifs", 13_000, |n| times("if a: b\n", n)),
    ("ifs in a function", 13_000, |n| format!("def f(a):\n{}", times(" if a: b\n", n))),
    ("if with else", 8_000, |n| times("if a: b\nelse: c\n", n)),
    ("nested ifs", 300, |n| many(n, |_| many(23, |i| times(" ", i) + "if a:\n") + &times(" ", 23) + "x\n")),
    ("nested ifs with else", 300, |n| {
        many(n, |_| {
            let ends = many(20, |i| times(" ", 19 - i) + "else: y\n");
            many(20, |i| times(" ", i) + "if a:\n") + &times(" ", 20) + "x\n" + &ends
        })
    }),
    ("loops", 9_000, |n| times("for a in b: c\n", n)),
    ("whiles", 9_000, |n| times("while a: b\n", n)),
    ("endless whiles", 9_000, |n| times("while 1: b\n", n)),
    ("breaks", 10_000, |n| format!("while a:\n{}", times(" if b: break\n", n))),
    ("nested loops", 300, |n| many(n, |_| many(19, |i| times(" ", i) + "for a in b:\n") + &times(" ", 19) + "x\n")),
    ("dead code", 13_000, |n| format!("def f():\n return\n{}", times(" if a: b\n", n))),
    ("returns", 10_000, |n| format!("def f(a):\n{}", times(" if a: return\n", n))),
    ("try", 8_000, |n| times("try: a\nexcept: b\n", n)),
    ("try as", 6_000, |n| times("try: a\nexcept E as e: b\n", n)),
    ("many handlers", 6_000, |n| format!("try: a\n{}", times("except E as e: b\n", n))),
    ("nested try", 300, |n| {
        many(n, |_| {
            let handlers = many(18, |i| times(" ", 17 - i) + "except: y\n");
            many(18, |i| times(" ", i) + "try:\n") + &times(" ", 18) + "x\n" + &handlers
        })
    }),
    ("finally", 8_000, |n| times("try: a\nfinally: b\n", n)),
    ("finally with returns", 600, |n| {
        format!("def f(a):\n try:\n{} finally:\n{}", times("  if a: return 1\n", n), times("  b\n", n))
    }),
    ("nested finally", 200, |n| {
        let tries = many(4, |i| format!("{s}try:\n{s} if a: return 1\n", s = times(" ", i + 1)));
        let finals = many(4, |i| times(" ", 4 - i) + "finally:\n" + &times(&(times(" ", 5 - i) + "b\n"), n));
        format!("def f(a):\n{tries}     pass\n{finals}")
    }),
    ("finally in finally", 80, |n| {
        let tries = many(4, |i| format!("{s}try:\n{s} if a: return 1\n{s}finally:\n", s = times(" ", i + 1)));
        format!("def f(a):\n{tries}{}", times("     if a: return 2\n", n))
    }),
    ("with", 9_000, |n| times("with a: b\n", n)),
    ("with and returns", 2_400, |n| {
        format!("def f(a):\n with {}a:\n{}", times("a,", 15), times("  if a: return 1\n", n))
    }),
    ("swaps", 25, |n| {
        many(n, |_| {
            let names = many(1_000, |i| format!("a{i},"));
            format!("{names}={names}\n")
        })
    }),
    ("short swaps", 6_000, |n| times("a,b,c=c,b,a\n", n)),
    ("chained targets", 25, |n| many(n, |_| many(1_000, |i| format!("a{i}=")) + "0\n")),
    ("captures", 80, |n| {
        format!("match x:\n{}", many(n, |_| format!(" case [{}]: y\n", many(63, |i| format!("a{i},")))))
    }),
    ("or-patterns with captures", 100, |n| {
        format!("match x:\n{}", times(" case [a,b,c,d,e,f,g,h]|[h,g,f,e,d,c,b,a]: y\n", n))
    }),
    ("or-patterns", 25, |n| format!("match x:\n{}", many(n, |_| format!(" case {}1: y\n", times("1|", 300))))),
    ("cases", 9_000, |n| format!("match x:\n{}", times(" case 1: y\n", n))),
    ("class patterns", 4_000, |n| format!("match x:\n{}", times(" case A(a=1,b=c): y\n", n))),
    ("mapping patterns", 4_000, |n| format!("match x:\n{}", times(" case {'a':1,'b':c,**d}: y\n", n))),
    ("f-strings", 300, |n| times(&format!("x=f'{}'\n", times("{a}b", 200)), n)),
    ("f-strings with formats", 5_000, |n| times("x=f'{a!r:>{b}}'\n", n)),
    ("annotations", 5_000, |n| many(n, |i| format!("a{i}:int\n"))),
    ("annotations in branches", 5_000, |n| many(n, |i| format!("if x:a{i}:int\n"))),
    ("annotated functions", 1_200, |n| many(n, |i| format!("def f{i}(a:int,b:str,c:list[int])->x:pass\n"))),
    ("annotated classes", 1_200, |n| many(n, |i| format!("class C{i}:\n a:int\n b:str=1\n"))),
    ("methods", 120, |n| {
        many(n, |i| format!("class C{i}:\n",) + &many(9, |j| format!(" def m{j}(self): return super().m{j}()\n")))
    }),
    ("keywords", 5_000, |n| many(n, |i| format!("f(a{i}=1)\n"))),
    ("arguments", 5_000, |n| format!("f({})", times("a,", n))),
    ("keyword arguments", 5_000, |n| format!("f({})", many(n, |i| format!("a{i}=1,")))),
    ("starred arguments", 5_000, |n| format!("f({})", times("*a,", n))),
    ("decorators", 1_200, |n| times(&(times("@a\n", 9) + "def f():pass\n"), n)),
    ("one long line", 12_000, |n| format!("x='é';{}", times("y(z);", n))),
    ("asserts", 12_000, |n| times("assert a, b\n", n)),
    ("async with", 4_000, |n| format!("async def f():\n{}", times(" async with a: await b\n", n))),
    ("async loops", 4_000, |n| format!("async def f():\n{}", times(" async for a in b: await c\n", n))),
    ("async comprehensions", 2_500, |n| format!("async def f():\n{}", times(" [a async for a in b]\n", n))),
    ("awaits", 9_000, |n| format!("async def f():\n{}", times(" await a\n", n))),
    ("yields", 15_000, |n| format!("def f():\n{}", times(" yield a\n", n))),
    ("yield from", 9_000, |n| format!("def f():\n{}", times(" yield from a\n", n))),
    ("walrus", 9_000, |n| times("(x:=(y:=z))\n", n)),
    ("slices of a constant", 10, |n| many(n, |i| format!("x='{}{i}'{}\n", times("a", 3_000), times("[:]", 100)))),
    ("comments", 40_000, |n| times("# comment\n", n)),
    ("strings of escapes", 16, |n| many(n, |i| format!("x='{i}{}'\n", times("\\x41", 4_000)))),
    ("named characters", 9, |n| many(n, |i| format!("x='{i}{}'\n", times("\\N{LATIN SMALL LETTER A}", 1_000)))),
    ("joined strings", 39_000, |n| format!("x=({})", times("'a' ", n))),
    ("imports", 15_000, |n| times("import a\n", n)),
    ("imports of names", 5_000, |n| many(n, |i| format!("from a import b{i}\n"))),
    ("small sets", 8_000, |n| times("x in {1,2,3}\n", n)),
    ("brackets", 2_000, |n| times(&format!("{}x{}\n", times("[", 60), times("]", 60)), n)),
    ("ternaries of constants", 9_000, |n| times("x=1 if 0 else 2\n", n)),
    ("jumps to jumps", 2_000, |n| format!("while a:\n{}", times(" if b:\n  if c: continue\n  else: break\n", n))),
];

fn times(text: &str, count: u64) -> String {
    many(count, |_| text.to_owned())
}

/// Grows each of the worst forms until a limit stops it, and compiles the last one that passed, on a stack of 2 MiB.
/// With `PYCAGE_COSTS` set it prints what each costs; `PYCAGE_ONLY` picks one, whose memory is then told exactly.
#[test]
fn what_passes_the_limits_compiles_quickly() {
    let print = std::env::var_os("PYCAGE_COSTS").is_some();
    let only = std::env::var("PYCAGE_ONLY").ok();
    let run = move || {
        for &(name, most, source_of) in WORST {
            if only.as_ref().is_some_and(|only| only != name) {
                continue;
            }
            let passes = |size: u64| check_granted(&source_of(size)).is_ok();
            let mut size = most;
            while !passes(size) {
                size = size * 9 / 10;
                assert!(size > 0, "{name}: nothing passes: {:?}", check_granted(&source_of(1)));
            }
            reset_peak();
            let source = source_of(size);
            let (before, start) = (resident("VmRSS"), Instant::now());
            let (tree, file) = check_granted(&source).expect("this size passed");
            let parsed = start.elapsed();
            let compiled = compile_top(tree, file, Mode::Exec, CompileOpts::default());
            let (total, peak) = (start.elapsed(), resident("VmHWM").saturating_sub(before));
            if print {
                println!(
                    "{:>6.1} ms {:>6.1} ms {peak:>6} KiB {:>6} B  {name} {size} of {most}{}",
                    parsed.as_secs_f64() * 1e3,
                    total.as_secs_f64() * 1e3,
                    source.len(),
                    compiled.err().map_or(String::new(), |error| format!(": {error}"))
                );
            }
            // Far above what is measured, for slow machines and debug builds.
            assert!(total.as_secs() < 20, "{name}: {total:?}");
        }
    };
    thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread starts").join().expect("no panic");
}

fn check_granted(source: &str) -> Result<(rustpython_ast::Mod, rustpython_source_file::SourceFile), Error> {
    parse_checked(source, "test.py", &SourceLimits::default(), Some(&|_| Grant::Granted))
}

/// Makes the kernel forget the peak of resident memory, where it can.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}
