//! What passes the limits compiles quickly, on a small stack.

use super::{check_granted, many, times};
use rustpython_codegen::compile::{CompileOpts, compile_top};
use rustpython_compiler_core::Mode;
use std::thread;
use std::time::Instant;

type SourceOf = fn(u64) -> String;

/// The worst forms that are known, each with a size that is too large and a source of a given size.
const WORST: &[(&str, u64, SourceOf)] = &[
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
                size = if print { size * 9 / 10 } else { size * 3 / 4 };
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

/// Makes the kernel forget the peak of resident memory, where it can.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}
