//! Objects of the host and callables of the script, across the pipe: how long they live, and when they end with the worker.

use super::{builder, marked, pool, sandbox};
use crate::support::Ring;
use pycage::process::DeathCause;
use pycage::{Budget, CallContext, Callback, Error, Handle, HostModule, HostObject, Members, Progress, Sandbox, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts those that are alive.
struct Orc(Arc<AtomicU64>);

impl Orc {
    fn new(alive: &Arc<AtomicU64>) -> Handle<Orc> {
        alive.fetch_add(1, Ordering::Relaxed);
        Handle::new(Orc(alive.clone()))
    }
}

impl Drop for Orc {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HostObject for Orc {
    const NAME: &'static str = "Orc";

    fn members(members: &mut Members<Self>) {
        members.field("alive", |orc| orc.0.load(Ordering::Relaxed)).iter(|_| 0_i64..3);
    }
}

fn with_orcs(mut sandbox: Sandbox) -> (Sandbox, Arc<AtomicU64>) {
    let alive = Arc::new(AtomicU64::new(0));
    let (makes, counts) = (alive.clone(), alive.clone());
    sandbox.function("spawn", move || Orc::new(&makes)).unwrap();
    sandbox.function("alive", move || counts.load(Ordering::Relaxed)).unwrap();
    (sandbox, alive)
}

/// On a busy machine each call of the host takes its time to cross.
fn patient() -> Budget {
    Budget::default().timeout(Duration::from_secs(60))
}

#[test]
fn the_host_lets_go_of_what_the_script_lets_go_of() {
    let (mut sandbox, alive) = with_orcs(Sandbox::builder().pool(&pool()).budget(patient()).build().unwrap());
    assert_eq!(sandbox.eval::<u64>("orcs = [spawn() for i in range(100)]\nalive()").unwrap(), 100);
    assert_eq!(sandbox.eval::<u64>("del orcs[10:]\nalive()").unwrap(), 10);
    assert_eq!(sandbox.eval::<u64>("for i in range(1000): last = spawn()\nalive()").unwrap(), 11);
    // Also what the host has set, and what it has called with.
    sandbox.set("boss", Orc::new(&alive)).unwrap();
    sandbox.exec("def look(orc): return orc.alive").unwrap();
    assert_eq!(sandbox.call::<u64>("look", (Orc::new(&alive),)).unwrap(), 13);
    assert_eq!(sandbox.eval::<u64>("boss = None\nalive()").unwrap(), 11);
    drop(sandbox);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// What a sandbox had is unknown to the next one of the same worker.
#[test]
fn nothing_is_handed_on_to_the_next_sandbox() {
    let pool = builder().size(1, 1).tasks(1).build().unwrap();
    let alive = Arc::new(AtomicU64::new(0));
    let kept: Arc<parking_lot::Mutex<Vec<Callback>>> = Arc::default();
    for round in 0..20_u64 {
        let module = HostModule::new("game").constant("boss", Orc::new(&alive));
        let (mut sandbox, spawned) =
            with_orcs(Sandbox::builder().pool(&pool).module(module).budget(patient()).build().unwrap());
        let keep = kept.clone();
        sandbox.function("keep", move |f: Callback| keep.lock().push(f)).unwrap();
        let source = "import game\norcs = [spawn() for i in range(5)]\nkeep(lambda: len(orcs))\ngame.boss.alive";
        assert_eq!(sandbox.eval::<u64>(source).unwrap(), 1, "round {round}");
        let callbacks = kept.lock().clone();
        for (index, callback) in callbacks.iter().enumerate() {
            let came = sandbox.call_function::<i64>(callback, ());
            assert_eq!(came.is_ok(), index as u64 == round, "{came:?}");
        }
        drop(sandbox);
        assert_eq!((alive.load(Ordering::Relaxed), spawned.load(Ordering::Relaxed)), (0, 0), "round {round}");
    }
}

/// An object that a dropped task had, and the host hands over again before the worker could say that it is gone.
#[test]
fn an_object_comes_back_that_was_just_let_go_of() {
    let pool = builder().tasks(2).build().unwrap();
    let mut sandbox = sandbox(&pool);
    let alive = Arc::new(AtomicU64::new(0));
    let orc = Orc::new(&alive);
    sandbox.exec("def hold(orc):\n    while True: orc.alive\ndef look(orc): return orc.alive").unwrap();
    for _ in 0..50 {
        let mut task = sandbox.start("hold", (orc.clone(),)).unwrap();
        assert!(matches!(task.resume(Budget::default().instructions(50)).unwrap(), Progress::Paused(_)));
        drop(task);
        assert_eq!(sandbox.call::<u64>("look", (orc.clone(),)).unwrap(), 1);
    }
}

fn callables_do_not_pile_up(ring: Ring) {
    let mut sandbox = ring.sandbox();
    sandbox.function("look", |_: Callback| ()).unwrap();
    let budget = Budget::default().timeout(Duration::from_secs(60));
    let source = "for i in range(20000):\n    text = 'x' * 10000 + str(i)\n    look(lambda: text)";
    // In a function, so that each has its own text.
    let source = format!(
        "def main():\n    {}\nmain()",
        source.replace('\n', "\n    ").replace("lambda: text", "lambda text=text: text")
    );
    let usage = sandbox.exec_with(&source, budget).unwrap();
    assert!(usage.peak_bytes < 4 << 20, "{usage:?}");
}

fn iterators_have_a_cap_and_are_given_back(ring: Ring) {
    let (mut sandbox, _alive) = with_orcs(ring.sandbox());
    let source = "
def main():
    orc = spawn()
    kept = [iter(orc) for i in range(1000)]
    try:
        iter(orc)
    except RuntimeError as error:
        refused = str(error)
    kept = None
    return refused, sum(sum(orc) for i in range(3000))
main()";
    let ((refused, sum), _) = sandbox.eval_with::<(String, i64)>(source, patient()).unwrap();
    assert_eq!((refused.contains("1000 iterators"), sum), (true, 9000));
}

/// Exceptions of a callback keep what they are, and who raised them.
fn the_hosts_own_error_comes_through_a_callback(ring: Ring) {
    #[derive(Debug, thiserror::Error, PartialEq)]
    #[error("only {0} left")]
    struct Short(u32);
    let mut sandbox = ring.sandbox();
    sandbox.function("pay", || -> Result<(), Short> { Err(Short(3)) }).unwrap();
    sandbox
        .function("run", |context: CallContext, f: Callback| -> Result<Value, Error> {
            let came = context.call(&f, ());
            if let Err(Error::Exception(exception)) = &came {
                let own = exception.host_error.as_ref().and_then(|error| error.downcast_ref::<Short>());
                assert_eq!(own, Some(&Short(3)));
            }
            came
        })
        .unwrap();
    let Err(Error::Exception(exception)) = sandbox.eval::<Value>("run(pay)") else { panic!("it raises") };
    assert_eq!(exception.host_error.unwrap().downcast_ref::<Short>(), Some(&Short(3)));
}

#[test]
fn a_worker_that_dies_in_a_callback_is_reported_whatever_the_function_makes_of_it() {
    const MARK: u64 = 3_611;
    let pool = builder().cpu_seconds(MARK).size(1, 2).build().unwrap();
    let mut sandbox = sandbox(&pool);
    let said = Arc::new(AtomicU64::new(0));
    let lost = said.clone();
    sandbox
        .function("shoot", move |context: CallContext, f: Callback| {
            for pid in marked(MARK) {
                std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            }
            for _ in 0..2 {
                assert!(matches!(context.call::<i64>(&f, ()), Err(Error::Lost)));
                lost.fetch_add(1, Ordering::Relaxed);
            }
            7
        })
        .unwrap();
    match sandbox.eval::<i64>("shoot(lambda: 1)") {
        Err(Error::Died(death)) => assert_eq!(death.cause, DeathCause::Signal(9), "{death}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(said.load(Ordering::Relaxed), 2);
    assert_eq!(super::sandbox(&pool).eval::<i64>("1 + 1").unwrap(), 2);
}

crate::in_both_rings! {
    callables_do_not_pile_up
    iterators_have_a_cap_and_are_given_back
    the_hosts_own_error_comes_through_a_callback
}
