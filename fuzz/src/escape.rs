//! Programs that look for a way out, with the validator on and off: whatever they get hold of is looked at afterwards.
//!
//! A reach shows as one of these: the planted secret in what the script shows, a call of a host function that belongs to
//! another sandbox, an object in the sandbox's globals that no script may hold (a module, a frame, code, a builtin that was
//! withheld, anything of another sandbox), or a bill of another sandbox that is not what it was before.

use super::{bed, introspection};
use pycage::{Budget, Error, Sandbox, Usage, Value};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The secret that [`pycage::Runner::plant_canary`] plants.
const SECRET: &str = "S3CRET";

/// Set by the host function of the neighbour.
static ALARM: AtomicBool = AtomicBool::new(false);

/// A first byte of zero takes the rest as source; else all of it are choices of the generator.
pub fn run(bytes: &[u8]) {
    let source = match bytes.split_first() {
        Some((0, source)) => bed::text(source),
        _ => introspection::program(bytes),
    };
    bed::show(&source);
    for validated in [true, false] {
        attempt(&source, validated);
    }
}

fn attempt(source: &str, validated: bool) {
    let budget = Budget::default()
        .instructions(200_000)
        .timeout(Duration::from_secs(5))
        .output(1 << 16)
        .recursion(100)
        .host_calls(1000);
    let mut sandbox = bed::sandbox(budget);
    let script =
        if validated { sandbox.compile("fuzz.py", source) } else { sandbox.compile_unvalidated("fuzz.py", source) };
    let script = match script {
        Ok(script) => script,
        Err(error) => return bed::expect_typed(&error, source),
    };
    let mut neighbour = NEIGHBOUR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let neighbour = match &mut *neighbour {
        Some(neighbour) if neighbour.runner.is_alive() => neighbour,
        neighbour => neighbour.insert(Neighbour::new()),
    };
    if let Err(error) = sandbox.function("ask", |text: String| text.len() as i64) {
        panic!("{error}");
    }
    let result = sandbox.run_with::<Value>(&script, sandbox.budget().clone());
    let shown = match &result {
        Ok((value, _)) => format!("{value:?}"),
        Err(Error::Exception(exception)) => format!("{}: {}", exception.type_name, exception.message),
        Err(error) => {
            bed::expect_typed(error, source);
            String::new()
        }
    };
    let rings = if validated { "both rings" } else { "the run ring" };
    if !source.contains(SECRET) {
        let printed = sandbox.take_output();
        assert!(!shown.contains(SECRET) && !printed.contains(SECRET), "past {rings}: {shown} {printed}\n{source}");
    }
    assert!(!ALARM.load(Ordering::SeqCst), "past {rings}: called the neighbour's host function\n{source}");
    if !neighbour.runner.is_alive() {
        // The runner was given up: too slow for its deadline, which another target judges, or parked at the hard memory limit.
        return;
    }
    match sandbox.reached() {
        Ok(None) => {}
        Ok(Some(what)) => panic!("past {rings}: reached {what}\n{source}"),
        Err(error) => panic!("{error}\n{source}"),
    }
    neighbour.check(rings, source);
}

/// A sandbox on the same runner that is left alone by all programs.
struct Neighbour {
    runner: pycage::Runner,
    sandbox: Sandbox,
    script: pycage::Script,
    expected: (Value, Usage),
}

static NEIGHBOUR: Mutex<Option<Neighbour>> = Mutex::new(None);

/// Asks built-in types and functions what they have always answered.
const ROUTINE: &str = "
class Base:
    kind = 'base'
    def __init__(self, x): self.x = x
    def __eq__(self, other): return self.x == other.x
    def __hash__(self): return hash(self.x)
class Below(Base):
    def __repr__(self): return f'Below({self.x!r:>3})'
def gen():
    try: yield from (1, 2)
    except ValueError as e: yield str(e)
g = gen(); next(g)
found = [
    Below(1), Below(2) == Base(2), isinstance(Below(1), Base), g.throw(ValueError('v')), sorted([3, 1, 2], key=lambda x: -x),
    '{0.x} {1:>4}'.format(Below(5), 'a'), [type(x) is y for x, y in ((1, int), ('', str), ([], list), ({}, dict))],
    repr(type(1)), repr(len), repr(print), [hasattr(x, 'planted') for x in (1, '', [], int, str, list, object, len, Exception)],
    getattr(1, 'real'), int('7') + True, {1: 2} | {3: 4}, [*map(str, range(3))], list(zip('ab', (1, 2))), str(treasure),
]
try: missing
except NameError as e: found.append([str(e), e.args])
try: [].missing
except AttributeError as e: found.append([str(e), e.args])
try: raise KeyError('k') from ValueError()
except KeyError as e: found.append(e.args)
try: int('x')
except ValueError as e: found.append(str(e))
match Below(3):
    case Base(x=y): found.append(y)
async def co(): return [x async for x in agen()]
async def agen(): yield 1
try: co().send(None)
except StopIteration as e: found.append(e.value)
str(found)
";

impl Neighbour {
    fn new() -> Self {
        let mut sandbox = bed::sandbox(bed::small());
        let alarm = || {
            ALARM.store(true, Ordering::SeqCst);
            SECRET.to_owned()
        };
        sandbox.function("alarm", alarm).expect("a function can be set");
        sandbox.set("secret", SECRET).expect("a global can be set");
        sandbox.set("treasure", vec![1, 2, 3]).expect("a global can be set");
        let script = sandbox.compile("neighbour.py", ROUTINE).expect("the routine is valid");
        // The second run replaces what the first one left, as all later ones do.
        sandbox.run::<Value>(&script).expect("the routine runs");
        let expected = sandbox.run_with(&script, bed::small()).expect("the routine runs");
        Neighbour { runner: bed::runner(), sandbox, script, expected }
    }

    fn check(&mut self, rings: &str, source: &str) {
        let (value, usage) = self
            .sandbox
            .run_with::<Value>(&self.script, bed::small())
            .unwrap_or_else(|error| panic!("past {rings}: the neighbour fails: {error}\n{source}"));
        assert_eq!(value, self.expected.0, "past {rings}: the neighbour's results changed\n{source}");
        let bill = |usage: &Usage| (usage.instructions, usage.native_steps);
        assert_eq!(bill(&usage), bill(&self.expected.1), "past {rings}: the neighbour's bill changed\n{source}");
    }
}
