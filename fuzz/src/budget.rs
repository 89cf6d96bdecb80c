//! Programs that want more than they may have: none gets more than its budget and the bound that is stated, and the bill
//! is the same the second time.

use super::bed;
use super::writer;
use arbitrary::Unstructured;
use pycage::{Budget, Error, Limit, Usage, Value};
use std::fmt::Write;
use std::time::Duration;

/// How far beyond the limit a run may be stopped: the rest of a block of instructions, and one that enters a function with
/// very many variables.
const BLOCK: u64 = 2048;

/// What may be held above the limit for a moment.
const MEMORY_SLACK: u64 = 16 << 20;

/// What a call may take beyond its timeout.
const GRACE: Duration = Duration::from_millis(300);

/// The first bytes are the budget, the next one says how the rest becomes a program.
pub fn run(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    let budget = budget(&mut u);
    let source = match u.arbitrary::<u8>().unwrap_or(1) {
        0 => bed::text(u.take_rest()),
        1..=60 => writer::Writer::program(u.take_rest()),
        _ => hungry(&mut u),
    };
    bed::show(&format!("{budget:?}\n{source}"));
    let bound = Duration::from_millis(budget.allowed(Limit::Time)) + GRACE;
    bed::patiently(bound, || {
        let first = attempt(&source, &budget)?;
        let second = attempt(&source, &budget)?;
        if let (Some(first), Some(second)) = (first, second) {
            assert_eq!(first, second, "the bill does not repeat\n{budget:?}\n{source}");
        }
        Ok(())
    });
}

/// A number that is small, large or in between.
fn scaled(u: &mut Unstructured<'_>, least: u64, most: u64) -> u64 {
    let doublings = (most / least).ilog2() + 1;
    let exponent = u32::from(u.arbitrary::<u8>().unwrap_or(8)) % doublings;
    (least << exponent) + u64::from(u.arbitrary::<u8>().unwrap_or(0)) % least
}

fn budget(u: &mut Unstructured<'_>) -> Budget {
    Budget::default()
        .instructions(scaled(u, 16, 2_000_000))
        .timeout(Duration::from_millis(scaled(u, 8, 400)))
        .memory(scaled(u, 256 << 10, 16 << 20))
        .output(scaled(u, 16, 1 << 20))
        .recursion(scaled(u, 8, 2000) as usize)
}

/// The bill of a run, as far as it is to repeat.
type Bill = (u64, u64, u64, String);

/// `Err` for what may be due to a loaded machine.
fn attempt(source: &str, budget: &Budget) -> Result<Option<Bill>, String> {
    let mut sandbox = bed::sandbox(budget.clone());
    let script = match sandbox.compile_unvalidated("fuzz.py", source) {
        Ok(script) => script,
        Err(error) => {
            bed::expect_typed(&error, source);
            return Ok(None);
        }
    };
    let result = sandbox.run_with::<Value>(&script, budget.clone());
    let (usage, outcome) = match &result {
        Ok((_, usage)) => (*usage, "ok".to_owned()),
        Err(error) => {
            bed::expect_typed(error, source);
            if let Error::Stuck(usage) = error {
                return Err(format!("stuck after {usage:?}\n{budget:?}\n{source}"));
            }
            let outcome = match error {
                Error::Exception(exception) => format!("{}: {}", exception.type_name, exception.message),
                Error::Budget(stop) => stop.limit.to_string(),
                other => other.to_string(),
            };
            match error.usage() {
                Some(usage) => (*usage, outcome),
                None => return Ok(None),
            }
        }
    };
    check(&usage, budget, &sandbox.take_output(), source)?;
    // Where a limit on what is measured is met, is not counted.
    let measured =
        matches!(&result, Err(Error::Budget(stop)) if !matches!(stop.limit, Limit::Instructions | Limit::Output));
    Ok((!measured).then_some((usage.instructions, usage.native_steps, usage.output_bytes, outcome)))
}

fn check(usage: &Usage, budget: &Budget, output: &str, source: &str) -> Result<(), String> {
    let context = format!("{usage:?}\n{budget:?}\n{source}");
    let spent = usage.instructions + usage.native_steps;
    assert!(spent <= budget.allowed(Limit::Instructions) + BLOCK, "too many instructions: {context}");
    assert!(usage.peak_bytes <= budget.allowed(Limit::Memory) + MEMORY_SLACK, "too much memory: {context}");
    assert!(output.len() as u64 <= budget.allowed(Limit::Output), "too much output: {context}");
    let timeout = Duration::from_millis(budget.allowed(Limit::Time));
    if usage.elapsed > timeout + GRACE { Err(format!("too much time: {context}")) } else { Ok(()) }
}

const SIZES: [&str; 16] = [
    "0",
    "1",
    "3",
    "17",
    "100",
    "1000",
    "10**4",
    "10**5",
    "10**6",
    "3 * 10**6",
    "10**8",
    "2**31",
    "2**63",
    "10**30",
    "-1",
    "-10**6",
];

/// What takes room or time by a size `N` and values `X` and `Y`.
const FORMS: [&str; 96] = [
    "X = [X] * N",
    "X = 'ab' * N",
    "X = b'ab' * N",
    "X += X",
    "X = X + Y",
    "X = X * Y",
    "X = list(range(N))",
    "X = [Y for i in range(N)]",
    "X = {i: Y for i in range(N)}",
    "X = set(range(N))",
    "X = 2 ** N",
    "X = 1 << N",
    "X = pow(3, N, 10**9 + 7)",
    "X = 10 ** N // 7",
    "X = str(10 ** N)",
    "X = int('7' * N)",
    "X = '%*d' % (N, 1)",
    "X = '{:>{}}'.format(1, N)",
    "X = f'{1:>{N}}'",
    "X = 'a'.ljust(N)",
    "X = 'a\\t'.expandtabs(N)",
    "X = bytes(N)",
    "X = bytearray(N)",
    "X.extend(Y)",
    "X.append(X)",
    "X.update(Y)",
    "X = sorted(X)",
    "X.sort()",
    "X.reverse()",
    "X = sum(X, Y)",
    "X = max(range(N))",
    "X = ','.join(map(str, range(N)))",
    "X = ('a' * N).split('a')",
    "X = ('a' * N).replace('a', 'bb')",
    "X = ('a' * N).replace('', Y)",
    "X = ('a' * N).count('b')",
    "X = ('ab' * N).find('ba' * N)",
    "X = ('a' * N).translate({97: 'b' * 9})",
    "X = zip(*[range(N)] * 9)",
    "X = list(zip(range(N), range(N)))",
    "X = map(str, X)",
    "X = list(X)",
    "X = tuple(X)",
    "X = set(X)",
    "X = dict.fromkeys(range(N), X)",
    "X = repr(X)",
    "X = str(X)",
    "X = hash(X)",
    "X = X == Y",
    "X = X < Y",
    "X = Y in X",
    "X = X[::-1]",
    "X = X[:N]",
    "X[0:1] = Y",
    "X = (1, 2) * N == (1, 2) * N",
    "X = [[1] * 99] * N == [[1] * 99] * N",
    "print(X)",
    "print('x' * N)",
    "print(*range(N))",
    "X = N in range(N)",
    "X = range(N).index(N - 1)",
    "X = range(N).count(1.5)",
    "X = list(reversed(range(N)))",
    "X = list(enumerate(range(N)))",
    "X = all(range(1, N))",
    "X = any(0 for i in range(N))",
    "for i in range(N): X = i",
    "for i in range(N): X = [X]",
    "for i in range(N): X = X, X",
    "while True: pass",
    "while True: X = [X, Y]",
    "while N > 0: X += Y",
    "def r(n): return r(n + 1)\nX = r(N)",
    "def r(n): yield from r(n + 1)\nX = list(r(N))",
    "class R:\n    def __eq__(self, o): return self == o\nX = R() == R()",
    "class R:\n    def __repr__(self): return repr(self)\nX = repr(R())",
    "try:\n    while True: X = [X]\nfinally:\n    while True: X = 1",
    "def g():\n    try: yield 1\n    finally:\n        for i in range(N): pass\nX = g(); next(X); del X",
    "def g():\n    try: yield 1\n    except: pass\nX = [g() for i in range(99)]",
    "X = {i * (2**61 - 1): 0 for i in range(N)}",
    "X = {str(i): str(i) * 3 for i in range(N)}",
    "X = (N).to_bytes(999, 'big', signed=True)",
    "X = int.from_bytes(bytes(N), 'big')",
    "X = float('1' * N)",
    "X = round(12345, -N)",
    "X = divmod(10 ** N, 7 ** 99)",
    "X = complex(N, 2) ** 9",
    "X = bin(1 << N)",
    "X = (1 << N).bit_count()",
    "X = X.copy()",
    "X = [*X, *Y]",
    "X = {**{'a': X}, 'b': Y}",
    "X = lambda *a: a\nX = X(*range(N))",
    "a, *X = range(N)",
    "X = [i for i in range(N) if [j for j in range(N)]]",
    "for i in range(N):\n    try: raise ValueError(X)\n    except ValueError as e: X = e",
];

/// A program of hungry statements.
fn hungry(u: &mut Unstructured<'_>) -> String {
    let mut source = String::from("v0, v1, v2, v3 = [1, 2], 'ab', {'k': 1}, 7\n");
    for _ in 0..16 {
        if u.is_empty() {
            break;
        }
        let mut choose = |count: usize| usize::from(u.arbitrary::<u8>().unwrap_or(0)) % count;
        let (x, y) = (format!("v{}", choose(4)), format!("v{}", choose(4)));
        let form = FORMS[choose(FORMS.len())]
            .replace('X', &x)
            .replace('Y', &y)
            .replace('N', &format!("({})", SIZES[choose(SIZES.len())]));
        if choose(4) == 0 {
            let _ = writeln!(source, "{form}");
        } else {
            let handler = ["except Exception as e: v0 = e", "except: pass", "finally: v1 = 'ab'"][choose(3)];
            let _ = writeln!(source, "try:\n    {}\n{handler}", form.replace('\n', "\n    "));
        }
    }
    source
}
