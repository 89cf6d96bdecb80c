//! Functions of the host: their arguments, their errors, what they know of the call, and callbacks.

use crate::in_both_rings;
use crate::support::Ring;
use pycage::{
    Budget, CallContext, Callback, Error, ExceptionType, Handle, HostObject, Kwargs, Limit, Members, OrDefault, Raise,
    Rest, Sandbox, Value,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn fails(sandbox: &mut Sandbox, source: &str, type_name: &str, message: &str) {
    match sandbox.eval::<Value>(source) {
        Err(Error::Exception(exception)) => {
            assert_eq!(exception.type_name, type_name, "{source}: {}", exception.message);
            assert!(exception.message.contains(message), "{source}: {}", exception.message);
        }
        other => panic!("{source}: {other:?}"),
    }
}

fn arguments_by_position_and_keyword(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.function("none", || 1).unwrap();
    sandbox
        .function("eight", |a: i64, b: &str, c: f64, d: bool, e: Vec<i64>, f: (i64, i64), g: &str, h: Value| {
            format!("{a} {b} {c} {d} {e:?} {f:?} {g} {h}")
        })
        .unwrap();
    sandbox.function_named("named", ["a", "b", "c"], |a: i64, b: Option<i64>, c: OrDefault<i64>| (a, b, c.0)).unwrap();
    sandbox
        .function_named("all", ["first"], |first: &str, rest: Rest<i64>, options: Kwargs| {
            let options: Vec<String> = options.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{first} {:?} {}", rest.0, options.join(","))
        })
        .unwrap();
    assert_eq!(sandbox.eval::<i64>("none()").unwrap(), 1);
    assert_eq!(
        sandbox.eval::<String>("eight(1, 'é', 2, True, [3], (4, 5), '', {'k': None})").unwrap(),
        "1 é 2 true [3] (4, 5)  {'k': None}"
    );
    for (source, shown) in [
        ("named(1)", "(1, None, 0)"),
        ("named(1, 2, 3)", "(1, 2, 3)"),
        ("named(c=3, a=1)", "(1, None, 3)"),
        ("named(1, c=3)", "(1, None, 3)"),
        ("named(*[1], **{'b': 2})", "(1, 2, 0)"),
        ("all('x')", "'x [] '"),
        ("all('x', 1, 2, z=[1], y=None)", "'x [1, 2] y=None,z=[1]'"),
        ("all(first='x', y=1)", "'x [] y=1'"),
    ] {
        assert_eq!(sandbox.eval::<Value>(source).unwrap().to_string(), shown, "{source}");
    }
    for (source, message) in [
        ("none(1)", "none() takes 0 positional arguments but 1 were given"),
        ("none(x=1)", "unexpected keyword argument 'x'"),
        ("named()", "misses argument 'a'"),
        ("named(b=1)", "misses argument 'a'"),
        ("named(1, a=1)", "two values for argument 'a'"),
        ("named(1, 2, 3, 4)", "takes 3 positional arguments but 4 were given"),
        ("named(1, d=1)", "unexpected keyword argument 'd'"),
        ("named('x')", "argument 'a': expected int, got str"),
        ("named(a='x')", "argument 'a': expected int, got str"),
        ("eight(1, 2)", "argument 2: expected str, got int"),
        ("eight(1, '\\ud800')", "lone surrogate"),
        ("eight(1)", "misses argument 2"),
        ("all('x', 1, 'y')", "argument 3: expected int, got str"),
        ("all(1)", "argument 'first': expected str"),
        ("all(**{str(i): i for i in range(100)})", "misses argument 'first'"),
        ("all('x', **{str(i): i for i in range(100)})", "at most 64 keyword arguments"),
    ] {
        fails(&mut sandbox, source, "TypeError", message);
    }
}

#[derive(Debug)]
struct NoTile(i64);

impl std::fmt::Display for NoTile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no tile at {}", self.0)
    }
}

impl std::error::Error for NoTile {}

fn errors_keep_their_type_at_the_far_end(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.function("tile", |at: i64| -> Result<i64, NoTile> { Err(NoTile(at)) }).unwrap();
    sandbox
        .function("lookup", |at: i64| -> Result<i64, Raise> { Err(Raise::new(ExceptionType::IndexError, NoTile(at))) })
        .unwrap();
    for (source, type_name) in [("tile(3)", "RuntimeError"), ("lookup(3)", "IndexError")] {
        let Err(Error::Exception(exception)) = sandbox.eval::<Value>(source) else { panic!("{source}") };
        assert_eq!((exception.type_name.as_str(), exception.message.as_str()), (type_name, "no tile at 3"));
        let own = exception.host_error.as_ref().and_then(|error| error.downcast_ref::<NoTile>());
        assert_eq!(own.unwrap().0, 3);
    }
    let caught = "try:\n    lookup(4)\nexcept LookupError as error:\n    text = str(error)\ntext";
    assert_eq!(sandbox.eval::<String>(caught).unwrap(), "no tile at 4");
    // Another exception than the host's carries none of it.
    let other = "try:\n    lookup(4)\nexcept LookupError:\n    pass\n1 / 0";
    let Err(Error::Exception(exception)) = sandbox.eval::<Value>(other) else { panic!() };
    assert!(exception.host_error.is_none());
}

fn panics_are_contained(ring: Ring) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut sandbox = ring.sandbox();
    let bomb = Bomb;
    sandbox
        .function("boom", move |how: i64| match how {
            0 => panic!("as said"),
            1 => std::panic::panic_any(Bomb),
            _ => {
                let _ = &bomb;
                how
            }
        })
        .unwrap();
    fails(&mut sandbox, "boom(0)", "RuntimeError", "boom() panicked");
    fails(&mut sandbox, "boom(1)", "RuntimeError", "boom() panicked");
    assert_eq!(sandbox.eval::<i64>("boom(7)").unwrap(), 7);
    // The closure goes, and what it holds panics.
    sandbox.exec("boom = None").unwrap();
    assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
}

fn the_context_tells_of_the_call(ring: Ring) {
    let mut sandbox = ring.builder().data(vec![7_u8]).build().unwrap();
    sandbox.function("data", |context: CallContext| context.data::<Vec<u8>>().cloned()).unwrap();
    sandbox.function("wrong", |context: CallContext| context.data::<String>().is_none()).unwrap();
    sandbox
        .function("left", |a: i64, context: CallContext, b: i64| {
            assert!(context.usage().instructions > 0 && context.usage().host_calls > 0);
            (a, b, context.remaining(Limit::Instructions), context.remaining(Limit::HostCalls))
        })
        .unwrap();
    sandbox.function("stop", |context: CallContext| context.cancel_handle().cancel()).unwrap();
    assert_eq!(sandbox.eval::<Vec<u8>>("data()").unwrap(), [7]);
    assert!(sandbox.eval::<bool>("wrong()").unwrap());
    let budget = Budget::default().instructions(50_000).host_calls(10);
    let source = "first = left(1, 2)\nfor i in range(1000): pass\nfirst + left(3, 4)";
    let ((a, b, early, calls, c, d, late, calls_late), usage) =
        sandbox.eval_with::<(i64, i64, u64, u64, i64, i64, u64, u64)>(source, budget).unwrap();
    assert_eq!((a, b, c, d, calls, calls_late), (1, 2, 3, 4, 9, 8));
    assert!(early < 50_000 && late < early - 1000, "{early} {late}");
    assert!(50_000 - late <= usage.instructions + usage.native_steps);
    assert!(matches!(sandbox.exec("stop()\nwhile True: pass"), Err(Error::Cancelled(_))));
}

fn time_in_the_host_is_the_hosts_and_a_callbacks_is_the_scripts(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.function("nap", || std::thread::sleep(Duration::from_millis(150))).unwrap();
    sandbox
        .function("through", |context: CallContext, f: Callback| -> Result<(), Error> {
            std::thread::sleep(Duration::from_millis(60));
            context.call(&f, ())
        })
        .unwrap();
    let tight = Budget::default().timeout(Duration::from_millis(100)).instructions(1 << 50);
    let (_, usage) = sandbox.eval_with::<Value>("nap()", tight.clone()).unwrap();
    assert!(usage.host_time >= Duration::from_millis(150) && usage.elapsed < Duration::from_millis(100), "{usage:?}");
    let spin = "def spin():\n    while True: pass\nthrough(spin)";
    let error = sandbox.eval_with::<Value>(spin, tight).unwrap_err();
    assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Time), "{error:?}");
}

fn with_callbacks(ring: Ring) -> Sandbox {
    let mut sandbox = ring.sandbox();
    sandbox
        .function("apply", |context: CallContext, f: Callback, args: Rest| -> Result<Value, Error> {
            context.call(&f, args.0)
        })
        .unwrap();
    sandbox.function("swallow", |context: CallContext, f: Callback| context.call::<Value>(&f, ()).is_err()).unwrap();
    sandbox
}

fn callbacks_are_called_and_metered(ring: Ring) {
    let mut sandbox = with_callbacks(ring);
    assert_eq!(sandbox.eval::<i64>("apply(lambda a, b: a * b, 6, 7)").unwrap(), 42);
    assert_eq!(sandbox.eval::<i64>("apply(len, [1, 2])").unwrap(), 2);
    assert_eq!(
        sandbox
            .eval::<i64>(
                "class P:\n    def __init__(self, x): self.x = x\n    def get(self): return self.x\napply(P(5).get)"
            )
            .unwrap(),
        5
    );
    assert_eq!(sandbox.eval::<i64>("apply(apply, lambda: 9)").unwrap(), 9);
    let (_, direct) =
        sandbox.eval_with::<Value>("def f():\n    for i in range(1000): pass\nf()", Budget::default()).unwrap();
    let (_, through) = sandbox.eval_with::<Value>("apply(f)", Budget::default()).unwrap();
    assert!(through.instructions >= 2000 && through.instructions < direct.instructions + 100, "{through:?} {direct:?}");
    let (_, again) = sandbox.eval_with::<Value>("apply(f)", Budget::default()).unwrap();
    assert_eq!((through.instructions, through.native_steps), (again.instructions, again.native_steps));
}

fn a_callbacks_exception_is_the_scripts_own(ring: Ring) {
    let mut sandbox = with_callbacks(ring);
    let source = "
class Mine(Exception): pass
kept = Mine('x')
def f(): raise kept
try:
    apply(f)
except Mine as error:
    same = error is kept
same";
    assert!(sandbox.eval::<bool>(source).unwrap());
    assert!(sandbox.eval::<bool>("swallow(f)").unwrap());
    fails(&mut sandbox, "apply(f)", "Mine", "x");
    fails(&mut sandbox, "apply(5)", "TypeError", "expected a callable, got int");
    fails(&mut sandbox, "apply(lambda: apply(lambda: 1 / 0))", "ZeroDivisionError", "");
}

/// Whatever the host makes of the error, nothing of the script runs on.
fn a_stop_passes_through_callbacks(ring: Ring) {
    let mut sandbox = with_callbacks(ring);
    sandbox
        .exec("log = []\ndef spin():\n    try:\n        while True: pass\n    finally:\n        log.append(1)")
        .unwrap();
    for source in ["swallow(spin)\nlog.append(2)", "try:\n    apply(spin)\nexcept BaseException:\n    log.append(3)"] {
        let source = source.replace("BaseException", "Exception");
        let error = sandbox.exec_with(&source, Budget::default().instructions(100_000)).unwrap_err();
        assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Instructions), "{error:?}");
    }
    assert!(sandbox.get::<Vec<i64>>("log").unwrap().is_empty());
    let error = sandbox.exec_with("swallow(lambda: 'x' * 10**9)", Budget::default().memory(1 << 20)).unwrap_err();
    assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::Memory), "{error:?}");
}

fn recursion_between_script_and_host_is_bounded(ring: Ring) {
    let mut sandbox = with_callbacks(ring);
    sandbox.exec("depth = 0\ndef down():\n    global depth\n    depth += 1\n    return apply(down)").unwrap();
    let started = Instant::now();
    let error = sandbox.eval_with::<Value>("down()", Budget::default().recursion(10_000)).unwrap_err();
    assert!(matches!(error, Error::Exception(_)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let depth = sandbox.get::<i64>("depth").unwrap();
    assert!((30..=70).contains(&depth), "{depth}");
    assert_eq!(sandbox.eval::<i64>("apply(lambda: 3)").unwrap(), 3);
}

fn callbacks_are_kept_released_and_refused_elsewhere(ring: Ring) {
    let mut sandbox = ring.sandbox();
    let kept: Arc<Mutex<Vec<Callback>>> = Arc::default();
    let list = kept.clone();
    sandbox.function("keep", move |f: Callback| list.lock().unwrap().push(f)).unwrap();
    sandbox.exec("def f(x): return x + 1\nkeep(f)\nf = None").unwrap();
    let f = kept.lock().unwrap()[0].clone();
    assert_eq!(sandbox.call_function::<i64>(&f, (1,)).unwrap(), 2);
    // It goes back in as what it was.
    sandbox.set("g", f.clone()).unwrap();
    assert_eq!(sandbox.eval::<i64>("g(5)").unwrap(), 6);
    let mut other = with_callbacks(ring);
    assert!(matches!(other.call_function::<i64>(&f, (1,)), Err(Error::Conversion(_))));
    assert!(matches!(other.set("g", f.clone()), Err(Error::Conversion(_))));
    // Memory that a callback keeps is given back once the host lets go.
    sandbox
        .exec("def big():\n    data = 'x' * 4000000\n    return lambda: len(data)\nkeep(big())\nbig = None")
        .unwrap();
    let held = sandbox.exec_with("1", Budget::default()).unwrap().live_bytes;
    let taken = std::mem::take(&mut *kept.lock().unwrap());
    std::thread::spawn(move || drop(taken)).join().unwrap();
    let after = sandbox.exec_with("1", Budget::default()).unwrap().live_bytes;
    assert!(held > 4_000_000 && after < held - 3_900_000, "{held} {after}");
    // After its sandbox.
    drop(sandbox);
    assert!(other.call_function::<i64>(&f, (1,)).is_err());
    assert_eq!(other.eval::<i64>("apply(lambda: 1)").unwrap(), 1);
}

fn host_calls_are_counted_and_capped(ring: Ring) {
    let mut sandbox = ring.sandbox();
    let calls = Arc::new(AtomicU64::new(0));
    let seen = calls.clone();
    sandbox.function("tick", move || seen.fetch_add(1, Ordering::Relaxed)).unwrap();
    let error = sandbox.exec_with("while True: tick()", Budget::default().host_calls(100)).unwrap_err();
    assert!(matches!(error, Error::Budget(ref stop) if stop.limit == Limit::HostCalls), "{error:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 100);
}

fn huge_values_do_not_cross(ring: Ring) {
    let limits = pycage::ValueLimits::default().items(1000).bytes(10_000).depth(10);
    let mut sandbox = ring.builder().policy(pycage::Policy::default().value_limits(limits)).build().unwrap();
    sandbox.function("take", |text: &str| text.len()).unwrap();
    sandbox.function("take_two", |a: String, b: String| a.len() + b.len()).unwrap();
    sandbox.function("take_any", |_: Value| ()).unwrap();
    sandbox.function("give", |count: usize| vec![0_i64; count]).unwrap();
    sandbox.function("text", |count: usize| "x".repeat(count)).unwrap();
    assert_eq!(sandbox.eval::<i64>("take('x' * 9000)").unwrap(), 9000);
    fails(&mut sandbox, "take('x' * 11000)", "TypeError", "10000 bytes");
    fails(&mut sandbox, "take_two('x' * 6000, 'x' * 6000)", "TypeError", "10000 bytes");
    fails(&mut sandbox, "take_any(list(range(2000)))", "TypeError", "1000 parts");
    fails(&mut sandbox, "x = []\nx.append(x)\ntake_any(x)", "TypeError", "10 levels");
    fails(&mut sandbox, "give(2000)", "TypeError", "1000 parts");
    fails(&mut sandbox, "text(11000)", "TypeError", "10000 bytes");
}

struct Thing;

impl HostObject for Thing {
    const NAME: &'static str = "Thing";
    fn members(_: &mut Members<Self>) {}
}

fn objects_are_told_apart_as_arguments(ring: Ring) {
    struct Other;
    impl HostObject for Other {
        const NAME: &'static str = "Other";
        fn members(_: &mut Members<Self>) {}
    }
    let mut sandbox = ring.sandbox();
    sandbox.set("thing", Handle::new(Thing)).unwrap();
    sandbox.set("other", Handle::new(Other)).unwrap();
    sandbox.function("take", |_: Handle<Thing>| true).unwrap();
    sandbox.function("maybe", |thing: Option<Handle<Thing>>| thing.is_some()).unwrap();
    assert!(sandbox.eval::<bool>("take(thing)").unwrap());
    assert_eq!(
        sandbox.eval::<(bool, bool, bool)>("(maybe(thing), maybe(None), maybe())").unwrap(),
        (true, false, false)
    );
    fails(&mut sandbox, "take(other)", "TypeError", "expected Thing, got Other");
    fails(&mut sandbox, "take(5)", "TypeError", "expected Thing, got int");
}

in_both_rings! {
    arguments_by_position_and_keyword
    errors_keep_their_type_at_the_far_end
    panics_are_contained
    the_context_tells_of_the_call
    time_in_the_host_is_the_hosts_and_a_callbacks_is_the_scripts
    callbacks_are_called_and_metered
    a_callbacks_exception_is_the_scripts_own
    a_stop_passes_through_callbacks
    recursion_between_script_and_host_is_bounded
    callbacks_are_kept_released_and_refused_elsewhere
    host_calls_are_counted_and_capped
    huge_values_do_not_cross
    objects_are_told_apart_as_arguments
}
