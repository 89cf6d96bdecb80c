//! The host's functions, objects and callbacks where scripts are paused, and in many calls of one hand-over.

use crate::in_both_rings;
use crate::support::Ring;
use crate::values::{settled, value};
use proptest::prelude::*;
use pycage::{
    Budget, CallContext, Callback, Error, ExceptionType, Handle, HostObject, IntoValue, Limit, Members, Progress,
    Raise, Runner, Sandbox, SandboxBuilder, Task, Usage, Value,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Chest {
    gold: i64,
}

impl HostObject for Chest {
    const NAME: &'static str = "Chest";

    fn members(members: &mut Members<Self>) {
        members
            .field_mut("gold", |chest| chest.gold, |chest, gold: i64| chest.gold = gold)
            .method("put", |chest: &mut Chest, gold: i64| chest.gold += gold)
            .method("burst", |_: &mut Chest| -> () { panic!("as said") })
            .method("each", |chest: &Chest, context: CallContext, f: Callback| -> Result<i64, Error> {
                (0..3).try_fold(0, |sum, n| Ok(sum + context.call::<i64>(&f, (chest.gold + n,))?))
            })
            .iter(|chest| 0..chest.gold);
    }
}

/// Uses everything of the host's, and what the script does in between takes more than a slice.
const EVERYTHING: &str = "
def work(x):
    total = 0
    for i in range(20): total += i
    return total + x
def main(chest):
    log = []
    for i in range(10):
        chest.put(i)
        log.append(add(chest.gold, b=i))
        log.append(twice(work, i))
        log.append(chest.each(work))
        try:
            refuse('no')
        except KeyError as error:
            log.append(str(error))
    log.append(sum(chest))
    return log
";

fn furnished(builder: SandboxBuilder) -> Sandbox {
    let mut sandbox = builder.data(7_i64).build().unwrap();
    sandbox.function_named("add", ["a", "b"], |a: i64, b: i64| a + b).unwrap();
    sandbox
        .function("twice", |context: CallContext, f: Callback, x: i64| -> Result<i64, Error> {
            let once: i64 = context.call(&f, (x,))?;
            context.call(&f, (once + context.data::<i64>().copied().unwrap_or(0),))
        })
        .unwrap();
    sandbox
        .function("refuse", |why: &str| -> Result<(), Raise> {
            Err(Raise::new(ExceptionType::KeyError, why.to_owned()))
        })
        .unwrap();
    sandbox.function("explode", || -> i64 { panic!("as said") }).unwrap();
    sandbox.exec(EVERYTHING).unwrap();
    sandbox
}

fn slice(instructions: u64) -> Budget {
    Budget::default().instructions(instructions)
}

/// Runs a task to its end; gives its value and how often it was paused.
fn finish(task: &mut Task, instructions: u64) -> Result<(Value, usize), Error> {
    let mut paused = 0;
    loop {
        match task.resume(slice(instructions))? {
            Progress::Paused(_) => paused += 1,
            Progress::Done(value) => return Ok((value, paused)),
            other => panic!("{other:?}"),
        }
    }
}

fn counted(usage: &Usage) -> (u64, u64, u64) {
    (usage.instructions, usage.native_steps, usage.host_calls)
}

fn all_of_the_hosts_works_in_a_task_at_the_same_bill(ring: Ring) {
    let mut sandbox = furnished(ring.builder());
    let chest = || Handle::new(Chest { gold: 5 });
    let budget = sandbox.budget().clone();
    let (called, usage) = sandbox.call_with::<Value>("main", (chest(),), budget).unwrap();
    assert!(usage.host_calls > 50, "{usage:?}");
    for (instructions, pauses) in [(1, 20..1_000), (7, 20..1_000), (100, 5..1_000), (1_000_000, 0..1)] {
        let mut task = sandbox.start("main", (chest(),)).unwrap();
        let (value, paused) = finish(&mut task, instructions).unwrap();
        assert_eq!(value, called, "slices of {instructions}");
        assert_eq!(counted(&task.usage()), counted(&usage), "slices of {instructions}");
        assert!(pauses.contains(&paused), "{paused} pauses at slices of {instructions}");
    }
}

#[test]
fn all_of_the_hosts_works_within_one_hand_over() {
    let runner = Runner::new().unwrap();
    let mut sandbox = furnished(Sandbox::builder().runner(&runner));
    let chest = || Handle::new(Chest { gold: 5 });
    let budget = sandbox.budget().clone();
    let (called, usage) = sandbox.call_with::<Value>("main", (chest(),), budget.clone()).unwrap();
    let task = sandbox.start("main", (chest(),)).unwrap();
    let (main, handed, held) = runner
        .with(move |cage| {
            let (mut sandbox, mut task) = (sandbox, task);
            let direct = cage.call_with::<Value>(&mut sandbox, "main", (chest(),), budget).unwrap();
            let mut steps = 0;
            let sliced = loop {
                steps += 1;
                match cage.resume(&mut task, slice(100)).unwrap() {
                    Progress::Done(value) => break value,
                    Progress::Paused(_) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert!(steps > 10, "{steps}");
            // A callable and an object come out, and go back in.
            let work: Callback = cage.get(&mut sandbox, "work").unwrap();
            let held: i64 = cage.call_function(&mut sandbox, &work, (1,)).unwrap();
            cage.set(&mut sandbox, "kept", chest()).unwrap();
            let kept: Handle<Chest> = cage.get(&mut sandbox, "kept").unwrap();
            cage.exec(&mut sandbox, "kept.put(3)").unwrap();
            assert_eq!(kept.borrow().unwrap().gold, 8);
            (direct, sliced, held)
        })
        .unwrap();
    assert_eq!((&main.0, counted(&main.1)), (&called, counted(&usage)));
    assert_eq!(handed, called);
    assert_eq!(held, 191);
}

fn a_panic_in_the_hosts_code_is_contained_in_a_task(ring: Ring) {
    let mut sandbox = furnished(ring.builder());
    let source = "
def caught(chest):
    seen = []
    for i in range(3):
        for go in (explode, chest.burst):
            try:
                go()
            except RuntimeError as error:
                seen.append(str(error))
            for j in range(50): pass
    return seen
def loud():
    for j in range(50): pass
    explode()
";
    sandbox.exec(source).unwrap();
    let mut task = sandbox.start("caught", (Handle::new(Chest { gold: 0 }),)).unwrap();
    let (seen, paused) = finish(&mut task, 20).unwrap();
    assert!(paused > 5);
    assert_eq!(seen, ["explode() panicked", "burst() panicked"].repeat(3).into_value());
    let mut task = sandbox.start("loud", ()).unwrap();
    match finish(&mut task, 20) {
        Err(Error::Exception(exception)) => assert_eq!(exception.message, "explode() panicked"),
        other => panic!("{other:?}"),
    }
    // The sandbox goes on.
    assert_eq!(sandbox.call::<i64>("work", (1,)).unwrap(), 191);
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("only {0} left")]
struct Short(u32);

fn errors_keep_their_type_at_the_far_end_of_a_task(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.function("pay", || -> Result<(), Raise> { Err(Raise::new(ExceptionType::ValueError, Short(3))) }).unwrap();
    sandbox.exec("def main():\n    for i in range(100): pass\n    pay()").unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    let Err(Error::Exception(exception)) = finish(&mut task, 30) else { panic!("it pays") };
    assert_eq!(exception.type_name, "ValueError");
    assert_eq!(exception.host_error.unwrap().downcast_ref::<Short>(), Some(&Short(3)));
}

fn what_was_lent_is_gone_for_a_task_that_goes_on(ring: Ring) {
    let mut sandbox = ring.sandbox();
    let source = "
def main(chest):
    chest.put(1)
    log('before')
    for i in range(100): pass
    seen = []
    for use in (lambda: chest.put(1), lambda: chest.gold, lambda: list(chest), lambda: log('after')):
        try:
            use()
        except ReferenceError:
            seen.append('gone')
    return seen
";
    sandbox.exec(source).unwrap();
    let mut chest = Chest { gold: 0 };
    let mut lines: Vec<String> = Vec::new();
    let mut task = sandbox.scope(|scope| {
        let lent = scope.object(&mut chest);
        scope.function("log", |line: &str| lines.push(line.to_owned())).unwrap();
        let mut task = scope.start("main", (lent,)).unwrap();
        assert!(matches!(task.resume(slice(60)).unwrap(), Progress::Paused(_)));
        task
    });
    let (seen, _) = finish(&mut task, 1_000).unwrap();
    assert_eq!(seen, vec!["gone"; 4].into_value());
    assert_eq!((chest.gold, lines), (1, vec!["before".to_owned()]));
}

fn a_tasks_callables_are_called_while_it_is_paused(ring: Ring) {
    let mut sandbox = ring.sandbox();
    let handlers: Arc<Mutex<Vec<Callback>>> = Arc::default();
    let registered = handlers.clone();
    sandbox.function("on_hit", move |handler: Callback| registered.lock().unwrap().push(handler)).unwrap();
    let source = "
def main():
    hits = []
    on_hit(lambda n: hits.append(n) or len(hits))
    while len(hits) < 3: pass
    return hits
";
    sandbox.exec(source).unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    for n in 1..=3 {
        assert!(matches!(task.resume(slice(200)).unwrap(), Progress::Paused(_)));
        let handler = handlers.lock().unwrap()[0].clone();
        assert_eq!(sandbox.call_function::<i64>(&handler, (n,)).unwrap(), n);
    }
    assert_eq!(finish(&mut task, 200).unwrap().0, vec![1, 2, 3].into_value());
}

fn a_callback_runs_past_the_slice_but_not_past_the_limit(ring: Ring) {
    let mut sandbox = furnished(ring.builder());
    let after = Arc::new(AtomicU64::new(0));
    let seen = after.clone();
    sandbox
        .function("run", move |context: CallContext, f: Callback| -> Result<i64, Error> {
            let answer = context.call(&f, ());
            seen.fetch_add(1, Ordering::Relaxed);
            answer
        })
        .unwrap();
    let source = "
def long():
    for i in range(10_000): pass
    return 1
def forever():
    while True: pass
def main():
    return run(long)
def stuck():
    try:
        return run(forever)
    finally:
        run(long)
";
    sandbox.exec(source).unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    let (value, paused) = finish(&mut task, 100).unwrap();
    assert_eq!((value, paused), (Value::Int(1), 0), "it was left in a callback");
    assert!(task.usage().instructions > 10_000, "{:?}", task.usage());
    let mut task = sandbox.start("stuck", ()).unwrap();
    task.set_limit(Some(slice(50_000)));
    match finish(&mut task, 100) {
        Err(Error::Budget(stop)) => assert_eq!(stop.limit, Limit::Instructions),
        other => panic!("{other:?}"),
    }
    // The one of `long`, and the one that was stopped: none in the `finally`.
    assert_eq!(after.load(Ordering::Relaxed), 2);
}

fn the_context_knows_the_tasks_limits(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox
        .function("left", |context: CallContext, of: &str| match of {
            "instructions" => context.remaining(Limit::Instructions),
            "time" => context.remaining(Limit::Time),
            _ => context.usage().host_calls,
        })
        .unwrap();
    sandbox.exec("def main():\n    return left('instructions'), left('time'), left('calls')").unwrap();
    let mut free = sandbox.start("main", ()).unwrap();
    assert_eq!(finish(&mut free, 100).unwrap().0, (u64::MAX, u64::MAX, 3_u64).into_value());
    let mut bound = sandbox.start("main", ()).unwrap();
    bound.set_limit(Some(slice(1_000).timeout(Duration::from_secs(60))));
    let Value::Tuple(items) = finish(&mut bound, 100).unwrap().0 else { panic!("a tuple") };
    let Value::Int(left) = items[0] else { panic!("{items:?}") };
    assert!((900..1_000).contains(&left), "{left}");
    let Value::Int(left) = items[1] else { panic!("{items:?}") };
    assert!((50_000..=60_000).contains(&left), "{left}");
}

/// What the host does in its functions is on nobody's clock: neither a slice's time nor the wait for a stuck script.
fn a_slow_host_function_neither_stops_nor_loses_a_task(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.function("slow", || std::thread::sleep(Duration::from_millis(700))).unwrap();
    sandbox.exec("def main():\n    slow()\n    return 1").unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    let budget = Budget::default().timeout(Duration::from_millis(50));
    let value = loop {
        match task.resume(budget.clone()).unwrap() {
            Progress::Done(value) => break value,
            Progress::Paused(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(value, Value::Int(1));
    assert!(task.usage().host_time >= Duration::from_millis(700));
    assert!(task.usage().elapsed < Duration::from_millis(400), "{:?}", task.usage());
}

fn objects_and_callables_cross_in_what_is_awaited(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.awaitable("ask").unwrap();
    sandbox.function("run", |context: CallContext, f: Callback| context.call::<Value>(&f, ())).unwrap();
    let source = "
async def main():
    chest = await ask(lambda n: n + 1, 2)
    chest.put(4)
    return chest.gold
def inside():
    try:
        return run(waits)
    except RuntimeError as error:
        return str(error)
async def waits():
    return await ask()
async def named():
    try:
        await ask(x=1)
    except TypeError as error:
        return str(error)
";
    sandbox.exec(source).unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    let Progress::Awaiting(request) = task.resume(Budget::default()).unwrap() else { panic!("it asks") };
    let [Value::Function(more), Value::Int(n)] = &request.args[..] else { panic!("{request:?}") };
    let more: i64 = sandbox.call_function(more, (*n,)).unwrap();
    let progress = task.resume_with(Handle::new(Chest { gold: more }), Budget::default()).unwrap();
    assert_eq!(progress, Progress::Done(Value::Int(7)));
    // The host's own code is on the stack: the task cannot be left there.
    let mut task = sandbox.start("inside", ()).unwrap();
    let progress = task.resume(Budget::default()).unwrap();
    assert_eq!(progress, Progress::Done("ask() can only be awaited in a task".into_value()));
    let mut task = sandbox.start("named", ()).unwrap();
    let progress = task.resume(Budget::default()).unwrap();
    assert_eq!(progress, Progress::Done("ask() takes no keyword arguments".into_value()));
}

/// A task goes on with the globals that it was started with.
fn a_reload_leaves_tasks_their_code(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.exec("hits = []\ndef main():\n    for i in range(100): pass\n    hits.append('old')\n    return name()\ndef name(): return 1").unwrap();
    let mut task = sandbox.start("main", ()).unwrap();
    assert!(matches!(task.resume(slice(50)).unwrap(), Progress::Paused(_)));
    let script = sandbox.compile("v2", "hits = []\ndef name(): return 2").unwrap();
    sandbox.reload(&script).unwrap();
    assert_eq!(finish(&mut task, 1_000).unwrap().0, Value::Int(1));
    // State moved over as objects, so that both have the same list.
    assert_eq!(sandbox.eval::<(i64, Vec<String>)>("name(), hits").unwrap(), (2, vec!["old".to_owned()]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Into a sandbox, out as a snapshot, written and read, into another sandbox, out again.
    #[test]
    fn a_snapshot_is_the_same_after_it_was_restored(values in proptest::collection::vec(value(), 1..4)) {
        let mut first = Sandbox::new().unwrap();
        for (n, value) in values.iter().enumerate() {
            first.set(&format!("v{n}"), value.clone()).unwrap();
        }
        let snapshot = first.snapshot().unwrap();
        prop_assert!(snapshot.left_out.is_empty());
        let written = serde_json::to_string(&snapshot).unwrap();
        let read: pycage::Snapshot = serde_json::from_str(&written).unwrap();
        let mut second = Sandbox::new().unwrap();
        second.restore(&read).unwrap();
        let again = second.snapshot().unwrap();
        for (n, value) in values.into_iter().enumerate() {
            let name = format!("v{n}");
            let value = settled(value);
            prop_assert_eq!(&settled(snapshot.globals[&name].clone()), &value);
            prop_assert_eq!(&settled(again.globals[&name].clone()), &value);
        }
        prop_assert_eq!(again.globals.len(), snapshot.globals.len());
    }
}

in_both_rings! {
    all_of_the_hosts_works_in_a_task_at_the_same_bill
    a_panic_in_the_hosts_code_is_contained_in_a_task
    errors_keep_their_type_at_the_far_end_of_a_task
    what_was_lent_is_gone_for_a_task_that_goes_on
    a_tasks_callables_are_called_while_it_is_paused
    a_callback_runs_past_the_slice_but_not_past_the_limit
    the_context_knows_the_tasks_limits
    a_slow_host_function_neither_stops_nor_loses_a_task
    objects_and_callables_cross_in_what_is_awaited
    a_reload_leaves_tasks_their_code
}
