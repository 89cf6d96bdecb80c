//! Any text, any tokens and any program get an answer, and never a panic.

use super::{check, check_granted};
use crate::compile::code::{COMPILER_PANIC, compile_checked};
use crate::compile::limits::SourceLimits;
use crate::error::Error;
use proptest::prelude::*;
use rustpython_codegen::compile::CompileOpts;
use rustpython_compiler_core::Mode;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn any_text_is_answered(source in any::<String>()) {
        let _ = check(&source, &SourceLimits::default());
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&String::from_utf8_lossy(&bytes), &SourceLimits::default());
    }

    #[test]
    fn any_program_is_answered(source in program()) {
        if let Ok((tree, file)) = check_granted(&source) {
            compile_or_refuse(tree, file);
        }
    }

    /// Pieces of grammar in any order: far more of these get past the lexer.
    #[test]
    fn any_tokens_are_answered(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        let source = pieces.concat();
        if let Ok((tree, file)) = check_granted(&source) {
            compile_or_refuse(tree, file);
        }
    }
}

/// What passes may still be an error for the compiler. It may panic only where it is known to: when it leaves a `with` after
/// an error, it counts a block below zero.
fn compile_or_refuse(tree: rustpython_ast::Mod, file: rustpython_source_file::SourceFile) {
    if let Err(Error::Rejected(rejection)) = compile_checked(tree, file, Mode::Exec, CompileOpts::default()) {
        assert_eq!(rejection.rule, COMPILER_PANIC);
        assert!(rejection.message.contains("attempt to subtract with overflow"), "{rejection}");
    }
}

/// An expression: leaves filled into templates, a few levels deep.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        (prop::sample::select(EXPRESSIONS), prop::collection::vec(inner, 3)).prop_map(|(template, parts)| {
            parts.iter().fold(template.to_owned(), |text, part| text.replacen('$', part, 1)).replace('$', "x")
        })
    })
}

/// Statements with expressions, indented blocks inside one another.
fn program() -> impl Strategy<Value = String> {
    let simple = (prop::sample::select(STATEMENTS), prop::collection::vec(expression(), 2))
        .prop_map(|(template, parts)| parts.iter().fold(template.to_owned(), |text, part| text.replacen('$', part, 1)));
    let statement = simple.prop_recursive(4, 24, 3, |inner| {
        (prop::sample::select(BLOCKS), expression(), prop::collection::vec(inner, 3)).prop_map(
            |(template, part, bodies)| {
                bodies
                    .iter()
                    .fold(template.replace('$', &part), |text, body| text.replacen('@', &body.replace('\n', "\n "), 1))
            },
        )
    });
    prop::collection::vec(statement, 1..4).prop_map(|statements| statements.join("\n"))
}

const LEAVES: &[&str] = &[
    "x",
    "y",
    "0",
    "1",
    "-1",
    "300",
    "2.5",
    "1e308",
    "2j",
    "''",
    "'a'",
    "'%s'",
    "b''",
    "b'a'",
    "()",
    "(1, 2)",
    "[]",
    "{}",
    "None",
    "True",
    "...",
    "super()",
    "9223372036854775808",
    "'é'",
    "10**20",
    "f'{x}'",
    "'\\ud800'",
];

const EXPRESSIONS: &[&str] = &[
    "($ + $)",
    "($ * $)",
    "($ ** $)",
    "($ - $)",
    "($ / $)",
    "($ // $)",
    "($ % $)",
    "($ << $)",
    "($ >> $)",
    "($ & $)",
    "($ @ $)",
    "(-$)",
    "(~$)",
    "(not $)",
    "($ and $)",
    "($ or $ or $)",
    "($ < $ <= $)",
    "($ in [$, 1])",
    "($ in {$, 1, 2})",
    "($ is not $)",
    "($ if $ else $)",
    "$[$]",
    "$[$:$]",
    "$[::$]",
    "$[$, $]",
    "$.a",
    "$($)",
    "x(*$, **$)",
    "x(a=$, *$)",
    "[$, $, *$]",
    "($, $, $)",
    "{$, $, $}",
    "{$: $, **$}",
    "[$ for x in $ if $]",
    "{$: $ for y, *x in $}",
    "($ for x in $)",
    "(lambda x=$, *y: $)",
    "(y := $)",
    "f'{$}'",
    "f'{($)!r:>{$}}'",
    "(await $)",
    "(yield $)",
    "(yield from $)",
    "('%s %r' % ($, $))",
    "[$ async for x in $]",
    "{*$}",
];

const STATEMENTS: &[&str] = &[
    "$",
    "x = $",
    "x, *y = $",
    "x[$] = $",
    "x.a = $",
    "x += $",
    "x: $ = $",
    "x.a: $",
    "del x, y.a",
    "assert $, $",
    "raise $ from $",
    "pass",
    "return $",
    "break",
    "continue",
    "global x",
    "nonlocal y",
    "import a.b",
    "from a import b as y",
    "x = y = $",
    "for x in $: y",
    "return",
];

const BLOCKS: &[&str] = &[
    "if $:\n @\nelif x:\n @\nelse:\n @",
    "while $:\n @\n @\nelse:\n @",
    "for x, y in $:\n @\n @\nelse:\n @",
    "try:\n @\nexcept $ as x:\n @\nfinally:\n @",
    "try:\n @\nexcept:\n @\nelse:\n @",
    "try:\n @\nfinally:\n @\n @",
    "with $ as x, y as (x, z):\n @\n @\n @",
    "def f(x, /, y=$, *z, w):\n @\n @\n @",
    "async def f():\n @\n async with $: x\n async for x in y:\n  @\n @",
    "class A($):\n @\n def m(self):\n  @\n @",
    "@$\ndef g():\n @\n @\n return x",
    "match $:\n case [x, *y]:\n  @\n case {'a': 1, **z}:\n  @\n case A(b=x) | (1 as x) if y:\n  @",
    "while True:\n @\n break\n@\n@",
];

const CASES: u32 = 1_000;

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
