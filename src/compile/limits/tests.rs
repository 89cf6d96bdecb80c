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
        "limit-finally-nesting" => ("try:\n try: pass\n finally:\n  pass\nfinally: pass".into(), 2),
        "limit-with-nesting" => ("with a, b:\n with c: pass\nwith d: pass".into(), 3),
        "limit-parameters" => ("def f(a, /, b, *c, d, **e): pass".into(), 5),
        "limit-arguments" => ("f(a, *b, c=1, **d)".into(), 4),
        "limit-decorators" => ("@a\n@b\n@c\nclass A: pass".into(), 3),
        "limit-bases" => ("class A(b, c, d): pass".into(), 3),
        "limit-targets" => ("(a, [b, *c], d) = e = f".into(), 8),
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
    let found = rejection("a b", &unlimited().tokens(1));
    assert_eq!((found.rule, found.line, found.column), ("limit-tokens", 1, 3));
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

/// The worst sources that pass the default limits, as far as they are known. Each compiles on a small stack.
fn worst() -> Vec<(&'static str, String)> {
    let defs = |count: u64, body: &str| many(count, |i| format!("def f{i}():\n {body}\n"));
    let pad =
        |head: &str, part: &str, bytes: usize| format!("{head}{}", part.repeat((bytes - head.len()) / part.len()));
    vec![
        ("statements", "x=1\n".repeat(16_000)),
        ("names", many(16_000, |i| format!("a{i}=0\n"))),
        ("names in a function", format!("def f():\n{}", many(16_000, |i| format!(" a{i}=0\n")))),
        (
            "reads in a function",
            format!("def f():\n{}{}", many(5_000, |i| format!(" a{i}=0\n")), many(5_000, |i| format!(" a{i}\n"))),
        ),
        (
            "branches over many locals",
            format!(
                "def f(x):\n{}{}",
                many(4_000, |i| format!(" if x: a{i}=0\n")),
                many(4_000, |i| format!(" a{i}\n"))
            ),
        ),
        (
            "deletes over many locals",
            format!(
                "def f(x):\n{}{}",
                many(4_000, |i| format!(" a{i}=0\n")),
                many(4_000, |i| format!(" if x: del a{i}\n"))
            ),
        ),
        ("constants", many(3_990, |i| format!("{}\n", i + 1000))),
        ("floats", many(3_990, |i| format!("{i}.5\n"))),
        ("strings", many(3_990, |i| format!("x='{}{i:04}'\n", "a".repeat(50)))),
        ("bytes", many(3_990, |i| format!("x=b'{}{i:04}'\n", "a".repeat(50)))),
        ("integers", many(1_000, |i| format!("x={}{i:04}\n", "1".repeat(200)))),
        ("tuples", many(1_900, |i| format!("x=(1,2,3,4,5,6,{})\n", i + 1000))),
        ("folded tuples", many(80, |i| format!("x=(1,)*250+({},)\n", i + 1000))),
        ("folded strings", many(60, |i| format!("x='a'*4096+'{i}'\n"))),
        ("sums of strings", many(20, |i| format!("x='{}'{}\n", i, "+'b'*99".repeat(100)))),
        ("nested tuples", many(60, |i| format!("x={}1,{i}{}\n", "(".repeat(60), ",)".repeat(60)))),
        ("one set", format!("x in {{{}}}", many(3_900, |i| format!("{},", 1000 + i)))),
        ("sets", many(8, |k| format!("x in {{{}}}\n", many(1_400, |i| format!("{},", 1000 + (i + k * 17) % 1_400))))),
        ("a table", format!("x=[{}]", many(10_000, |i| format!("({},{}),", i % 1000, i % 900)))),
        ("a dict", format!("x={{{}}}", many(3_900, |i| format!("'k{i}':{},", i % 100)))),
        ("functions", defs(999, "x=1;y=2;return x+y+z")),
        ("equal lambdas", "lambda:0\n".repeat(1_990)),
        ("equal lambdas in one line", "lambda:0;".repeat(490)),
        ("equal long functions", many(990, |_| "def f():x(1);x(1);x(1);x(1);x(1);x(1);x(1);x(1)\n".into())),
        ("functions under many names", format!("{}{}", many(9_000, |i| format!("a{i}=0\n")), defs(900, "a1"))),
        (
            "closures",
            format!(
                "def f():\n{}{}",
                many(4_000, |i| format!(" a{i}=0\n")),
                many(990, |i| format!(" def g{i}():a{i};a{}\n", i + 1))
            ),
        ),
        (
            "closures over all",
            format!(
                "def f():\n{}{}",
                many(300, |i| format!(" a{i}=0\n")),
                many(80, |i| format!(" def g{i}():{}\n", many(300, |j| format!("a{j};"))))
            ),
        ),
        (
            "nested functions",
            format!(
                "{}{}pass",
                many(22, |i| format!("{}def f({}):\n", " ".repeat(i as usize), many(255, |j| format!("a{i}_{j},")))),
                " ".repeat(22)
            ),
        ),
        (
            "nested functions that read the outermost",
            format!(
                "def f():\n{}{}{}\n",
                many(2_000, |i| format!(" a{i}=0\n")),
                many(20, |i| format!("{}def f():\n", " ".repeat(i as usize + 1))),
                format!("{}{}", " ".repeat(21), many(2_000, |i| format!("a{i};")))
            ),
        ),
        (
            "globals",
            format!(
                "{}",
                many(900, |i| format!(
                    "def f{i}():\n global {}\n",
                    many(15, |j| format!("a{},", i * 15 + j)).trim_end_matches(',')
                ))
            ),
        ),
        ("comprehensions", "[x for x in y]\n".repeat(1_990)),
        ("comprehensions in a function", format!("def f(y):\n{}", " [x for x in y]\n".repeat(1_980))),
        (
            "nested comprehensions",
            many(490, |_| format!("{}x{}\n", "[".repeat(4), many(4, |i| format!(" for a{i} in b]")))),
        ),
        (
            "nested comprehensions with lambdas",
            many(150, |_| {
                format!(
                    "{}x{}\n",
                    "[(lambda:0)(".repeat(4),
                    many(4, |i| format!(",lambda:1) for a{i} in b if [lambda:c]]"))
                )
            }),
        ),
        ("many clauses", many(200, |_| format!("[x{}]\n", " for x in y if x".repeat(16)))),
        ("deep calls", many(480, |_| format!("{}x{}\n", "f(".repeat(60), ")".repeat(60)))),
        ("deep sums", many(250, |_| format!("x{}\n", "+x".repeat(120)))),
        ("deep attributes", many(500, |_| format!("x{}\n", ".a".repeat(120)))),
        ("deep conditions", many(120, |_| format!("x = {}z\n", "a if b else ".repeat(120)))),
        ("mixed and/or", many(250, |_| format!("x = {}z{}\n", "a and (b or ".repeat(60), ")".repeat(60)))),
        ("and", format!("x = {}z\n", "a and ".repeat(900))),
        ("and in ifs", many(60, |_| format!("if {}z: x\n", "a and ".repeat(500)))),
        ("comparisons", many(40, |_| format!("x = {}z\n", "a<".repeat(900)))),
        ("elif", many(20, |_| format!("if a: b\n{}", "elif a: b\n".repeat(499)))),
        ("ifs", "if a: b\n".repeat(13_000)),
        ("ifs in a function", format!("def f(a):\n{}", " if a: b\n".repeat(13_000))),
        ("if with else", "if a: b\nelse: c\n".repeat(8_000)),
        (
            "nested ifs",
            many(300, |_| {
                format!("{}{}x\n", many(23, |i| format!("{}if a:\n", " ".repeat(i as usize))), " ".repeat(23))
            }),
        ),
        ("loops", "for a in b: c\n".repeat(9_000)),
        ("whiles", "while a: b\n".repeat(9_000)),
        ("endless whiles", "while 1: b\n".repeat(9_000)),
        ("breaks", format!("while a:\n{}", " if b: break\n".repeat(10_000))),
        (
            "nested loops",
            many(300, |_| {
                format!("{}{}x\n", many(19, |i| format!("{}for a in b:\n", " ".repeat(i as usize))), " ".repeat(19))
            }),
        ),
        ("dead code", format!("def f():\n return\n{}", " if a: b\n".repeat(13_000))),
        ("returns", format!("def f(a):\n{}", " if a: return\n".repeat(10_000))),
        ("try", "try: a\nexcept: b\n".repeat(8_000)),
        ("try as", "try: a\nexcept E as e: b\n".repeat(6_000)),
        (
            "nested try",
            many(300, |_| {
                format!(
                    "{}{}x\n{}",
                    many(18, |i| format!("{}try:\n", " ".repeat(i as usize))),
                    " ".repeat(18),
                    many(18, |i| format!("{}except: y\n", " ".repeat(17 - i as usize)))
                )
            }),
        ),
        ("finally", "try: a\nfinally: b\n".repeat(8_000)),
        (
            "finally with returns",
            format!("def f(a):\n try:\n{} finally:\n{}", "  if a: return 1\n".repeat(300), "  b\n".repeat(600)),
        ),
        (
            "nested finally",
            format!(
                "def f(a):\n{}",
                many(4, |i| format!("{s}try:\n{s} if a: return 1\n", s = " ".repeat(i as usize + 1)))
                    + "     pass\n"
                    + &many(4, |i| format!(
                        "{s}finally:\n{b}",
                        s = " ".repeat(4 - i as usize),
                        b = format!("{}b\n", " ".repeat(5 - i as usize)).repeat(60)
                    ))
            ),
        ),
        ("with", "with a: b\n".repeat(9_000)),
        (
            "with and returns",
            format!("def f(a):\n with {}:\n{}", vec!["a"; 16].join(","), "  if a: return 1\n".repeat(2_400)),
        ),
        (
            "swaps",
            many(25, |_| {
                let names = many(1_000, |i| format!("a{i},"));
                format!("{names}={names}\n")
            }),
        ),
        ("short swaps", "a,b,c=c,b,a\n".repeat(6_000)),
        ("chained targets", many(25, |_| format!("{}0\n", many(1_000, |i| format!("a{i}="))))),
        ("captures", format!("match x:\n{}", many(80, |_| format!(" case [{}]: y\n", many(64, |i| format!("a{i},")))))),
        (
            "or-patterns with captures",
            format!("match x:\n{}", many(20, |_| format!(" case {}: y\n", vec!["[a,b,c,d,e,f,g,h]"; 100].join("|")))),
        ),
        ("or-patterns", format!("match x:\n{}", many(25, |_| format!(" case {}: y\n", vec!["1"; 1_000].join("|"))))),
        ("cases", format!("match x:\n{}", " case 1: y\n".repeat(9_000))),
        ("f-strings", format!("x=f'{}'\n", "{a}b".repeat(9_000))),
        ("f-strings with formats", "x=f'{a!r:>{b}}'\n".repeat(5_000)),
        ("annotations", many(3_900, |i| format!("a{i}:int\n"))),
        ("annotated functions", many(990, |i| format!("def f{i}(a:int,b:str,c:list[int])->x:pass\n"))),
        ("annotated classes", many(990, |i| format!("class C{i}:\n a:int\n b:str=1\n"))),
        (
            "methods",
            many(90, |i| format!("class C{i}:\n{}", many(10, |j| format!(" def m{j}(self): return super().m{j}()\n")))),
        ),
        ("keywords", many(3_900, |i| format!("f(a{i}=1)\n"))),
        ("arguments", format!("f({})", "a,".repeat(4_090))),
        ("keyword arguments", format!("f({})", many(3_900, |i| format!("a{i}=1,")))),
        ("starred arguments", format!("f({})", "*a,".repeat(4_090))),
        ("decorators", many(990, |_| "@a\n".repeat(20) + "def f():pass\n")),
        ("one long line", format!("x='é';{}", "y(z);".repeat(12_000))),
        ("asserts", "assert a, b\n".repeat(12_000)),
        ("async", format!("async def f():\n{}", " async with a: await b\n".repeat(4_000))),
        ("async loops", format!("async def f():\n{}", " async for a in b: await c\n".repeat(4_000))),
        ("yields", format!("def f():\n{}", " yield a\n".repeat(15_000))),
        ("yield from", format!("def f():\n{}", " yield from a\n".repeat(9_000))),
        ("walrus", "(x:=(y:=z))\n".repeat(9_000)),
        ("slices of a constant", many(3, |i| format!("x='{}{i}'{}\n", "a".repeat(3_000), "[:]".repeat(100)))),
        ("comments", pad("x=1\n", "# comment\n", 260_000)),
        ("one string", format!("x='{}'", "a".repeat(65_000))),
        ("one string of escapes", format!("x='{}'", "\\x41".repeat(16_000))),
        ("named characters", format!("x='{}'", "\\N{LATIN SMALL LETTER A}".repeat(2_700))),
        ("joined strings", format!("x=({})", "'a' ".repeat(30_000))),
        ("imports", "import a\n".repeat(15_000)),
        ("imports of names", many(3_900, |i| format!("from a import b{i}\n"))),
        ("assignments of small sets", "x in {1,2,3}\n".repeat(8_000)),
    ]
}

/// Compiles each on a stack of 2 MiB. With `PYCAGE_COSTS` set it prints what each costs.
#[test]
fn what_passes_the_limits_compiles_quickly() {
    let print = std::env::var_os("PYCAGE_COSTS").is_some();
    let only = std::env::var("PYCAGE_ONLY").ok();
    let run = move || {
        for (name, source) in worst() {
            if only.as_ref().is_some_and(|only| only != name) {
                continue;
            }
            reset_peak();
            let (before, start) = (resident("VmRSS"), Instant::now());
            let checked = parse_checked(&source, "test.py", &SourceLimits::default(), Some(&|_| Grant::Granted));
            let parsed = start.elapsed();
            let outcome = match checked {
                Ok((tree, file)) => match compile_top(tree, file, Mode::Exec, CompileOpts::default()) {
                    Ok(_) => "ok".to_owned(),
                    Err(error) => format!("compiler: {error}"),
                },
                Err(error) => format!("{error}"),
            };
            let (total, peak) = (start.elapsed(), resident("VmHWM").saturating_sub(before));
            if print {
                println!(
                    "{:>7.1} ms {:>7.1} ms {:>7} KiB {:>7} B  {name}: {outcome}",
                    parsed.as_secs_f64() * 1e3,
                    total.as_secs_f64() * 1e3,
                    peak,
                    source.len()
                );
            }
            // Far above what is measured, for slow machines and debug builds.
            assert!(total.as_secs() < 20, "{name}: {total:?}");
        }
    };
    thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread starts").join().expect("no panic");
}

#[test]
fn measure() {
    let Ok(path) = std::env::var("PYCAGE_FILE") else { return };
    thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for source in std::fs::read_to_string(path).unwrap().split("\n####\n") {
                reset_peak();
                let (before, start) = (resident("VmRSS"), Instant::now());
                let checked = parse_checked(&source, "test.py", &SourceLimits::default(), Some(&|_| Grant::Granted));
                let parsed = start.elapsed();
                let outcome = match checked {
                    Ok((tree, file)) => match compile_top(tree, file, Mode::Exec, CompileOpts::default()) {
                        Ok(_) => "ok".to_owned(),
                        Err(error) => format!("compiler: {error}"),
                    },
                    Err(error) => format!("{error}"),
                };
                let (total, peak) = (start.elapsed(), resident("VmHWM").saturating_sub(before));
                println!(
                    "{:>7.1} ms {:>7.1} ms {:>7} KiB {:>7} B {}: {outcome}",
                    parsed.as_secs_f64() * 1e3,
                    total.as_secs_f64() * 1e3,
                    peak,
                    source.len(),
                    source.chars().take(50).collect::<String>().replace('\n', "|")
                );
            }
        })
        .unwrap()
        .join()
        .unwrap();
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
