//! Programs that look for a way out, with the validator on and off: whatever they get hold of is looked at afterwards.
//!
//! Half of the programs have some of the modules, and all have a host object, host functions and an awaitable; some run as
//! tasks, a slice at a time.
//!
//! A reach shows as one of these: the planted secret in what the script shows, a call of a host function that belongs to
//! another sandbox, an object in the sandbox's globals that no script may hold (a module, a frame, code, a builtin that was
//! withheld, anything of another sandbox), or a bill of another sandbox that is not what it was before.

use super::introspection::{self, Module, Program};
use super::{bed, guest};
use pycage::{Budget, Error, Policy, Progress, Sandbox, Script, Task, Usage, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The secret that [`pycage::Runner::plant_canary`] plants.
pub(super) const SECRET: &str = "S3CRET";

/// Set by the host function of the neighbour.
static ALARM: AtomicBool = AtomicBool::new(false);

/// A first byte of zero takes the rest as source; else all of it are choices of the generator.
pub fn run(bytes: &[u8]) {
    let program = match bytes.split_first() {
        Some((0, source)) => Program { source: bed::text(source), ..Program::default() },
        _ => introspection::program(bytes, modules()),
    };
    bed::show(&program.source);
    for validated in [true, false] {
        attempt(&program, validated);
    }
}

/// All modules, and the names in them that are for scripts.
fn modules() -> &'static [Module] {
    static MODULES: OnceLock<Vec<Module>> = OnceLock::new();
    MODULES.get_or_init(|| {
        let sandbox = granted(Policy::data());
        let names = |module: &str| sandbox.module_names(module).expect("it is granted");
        Policy::data().modules().map(|module| (module.to_owned(), names(module))).collect()
    })
}

fn granted(policy: Policy) -> Sandbox {
    let budget = Budget::default()
        .instructions(200_000)
        .timeout(Duration::from_secs(5))
        .output(1 << 16)
        .recursion(100)
        .host_calls(1000);
    Sandbox::builder().runner(&bed::runner()).budget(budget).policy(policy).build().expect("a sandbox can be built")
}

fn attempt(program: &Program, validated: bool) {
    let source = &*program.source;
    let mut sandbox = granted(program.granted.iter().fold(Policy::minimal(), Policy::grant));
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
    match guest::equip(&mut sandbox) {
        Ok(()) => {}
        // No script has run yet: a machine with more to do than this.
        Err(Error::Stuck(_)) => return,
        Err(error) => panic!("{error}"),
    }
    let (result, printed) = if program.sliced {
        in_slices(&mut sandbox, &script)
    } else {
        let result = sandbox.run_with::<Value>(&script, sandbox.budget().clone()).map(|(value, _)| value);
        (result, sandbox.take_output())
    };
    let shown = match &result {
        Ok(value) => format!("{value:?}"),
        Err(Error::Exception(exception)) => format!("{}: {}", exception.type_name, exception.message),
        Err(error) => {
            bed::expect_typed(error, source);
            String::new()
        }
    };
    let rings = if validated { "both rings" } else { "the run ring" };
    if !source.contains(SECRET) {
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

/// Runs a script as a task. What it awaits it is given.
fn in_slices(sandbox: &mut Sandbox, script: &Script) -> (Result<Value, Error>, String) {
    let mut task = match sandbox.start_script(script) {
        Ok(task) => task,
        Err(error) => return (Err(error), String::new()),
    };
    let result = drive(&mut task, &sandbox.budget().clone().instructions(700));
    (result, task.take_output())
}

fn drive(task: &mut Task, slice: &Budget) -> Result<Value, Error> {
    let mut progress = task.resume(slice.clone())?;
    // As many instructions as a run gets; what is not done by then is dropped in the middle.
    for _ in 0..300 {
        progress = match progress {
            Progress::Done(value) => return Ok(value),
            Progress::Awaiting(request) => task.resume_with(request.name, slice.clone())?,
            _ => task.resume(slice.clone())?,
        };
    }
    Ok(Value::None)
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
import collections, copy, dataclasses, enum, functools, itertools, json, math, operator, random, string, typing
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
    math.gcd(12, 18), json.dumps({'a': [1, None]}), str(collections.Counter('aab')), random.Random(3).randrange(100),
    functools.reduce(operator.add, [1, 2]), list(itertools.pairwise('abc')), string.digits, copy.copy([1]),
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
@dataclasses.dataclass
class Point: x: int = 1
class Hue(enum.Enum): RED = 1
found += [str(Point()), str(Hue.RED), sorted(name for m in (math, json, typing) for name in ('planted', 'pi') if hasattr(m, name))]
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
        let mut sandbox = granted(Policy::data());
        let alarm = || {
            ALARM.store(true, Ordering::SeqCst);
            SECRET.to_owned()
        };
        sandbox.function("alarm", alarm).expect("a function can be set");
        sandbox.set("secret", SECRET).expect("a global can be set");
        sandbox.set("treasure", vec![1, 2, 3]).expect("a global can be set");
        let script = sandbox.compile("neighbour.py", ROUTINE).expect("the routine is valid");
        // The second run replaces what the first one left, as all later ones do.
        sandbox.run_with::<Value>(&script, bed::small()).expect("the routine runs");
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
