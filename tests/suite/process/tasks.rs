//! Tasks of sandboxes in worker processes: the same as on threads, to the instruction.

use super::{builder, marked, sandbox};
use pycage::process::{DeathCause, Pool};
use pycage::{Budget, Error, HostModule, Limit, Progress, Sandbox, Task, Value};
use std::time::Duration;

fn pool() -> Pool {
    builder().tasks(24).build().expect("a worker comes up")
}

const COUNT: &str = "
log = []
def count(n):
    total = 0
    for i in range(n):
        total += i
        if i % 100 == 0:
            log.append(i)
            print(i)
    return total
async def greet(name):
    try:
        return 'Hello ' + await ask(name, 'who?')
    except RuntimeError as error:
        return 'Nobody: ' + str(error)
";

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn slice(instructions: u64) -> Budget {
    Budget::default().instructions(instructions)
}

/// Runs a task to its end in slices; what it answered, its slices, its bill and its output.
fn drive(task: &mut Task, slice: &Budget) -> (Value, u32, (u64, u64), String) {
    let mut slices = 0;
    loop {
        slices += 1;
        match task.resume(slice.clone()).unwrap() {
            Progress::Paused(_) => {}
            Progress::Done(value) => {
                let usage = task.usage();
                return (value, slices, (usage.instructions, usage.native_steps), task.take_output());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_task_is_the_same_in_both_rings() {
    let pool = pool();
    let run = |mut sandbox: Sandbox, size: u64| {
        sandbox.exec(COUNT).unwrap();
        let mut task = sandbox.start("count", (1_000,)).unwrap();
        let done = drive(&mut task, &slice(size));
        assert!(matches!(task.resume(slice(1)), Err(Error::Setup(_))));
        assert_eq!(sandbox.eval::<i64>("len(log)").unwrap(), 10);
        (done, sandbox.total_usage().instructions)
    };
    let whole = run(sandbox(&pool), 1 << 40);
    assert_eq!(whole.0.1, 1);
    assert_eq!(whole.0.0, Value::Int(499_500));
    for size in [1, 50, 997] {
        let (threads, processes) = (run(Sandbox::new().unwrap(), size), run(sandbox(&pool), size));
        assert_eq!(threads, processes, "slices of {size}");
        assert!(processes.0.1 > 3);
        assert_eq!((&processes.0.0, processes.0.2, &processes.0.3), (&whole.0.0, whole.0.2, &whole.0.3));
    }
}

#[test]
fn tasks_take_turns_with_each_other_and_with_calls() {
    let mut sandbox = sandbox(&pool());
    sandbox.exec(COUNT).unwrap();
    let mut tasks: Vec<Task> = (0..20).map(|n| sandbox.start("count", (100 + n,)).unwrap()).collect();
    let mut answers = vec![None; 20];
    for frame in 0.. {
        for (task, answer) in tasks.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            match task.resume(slice(100)).unwrap() {
                Progress::Done(value) => *answer = Some(value),
                Progress::Paused(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(sandbox.eval::<i64>(&format!("{frame} + 1")).unwrap(), frame + 1);
        if answers.iter().all(Option::is_some) {
            break;
        }
    }
    for (n, answer) in (0..20).zip(answers) {
        assert_eq!(answer, Some(Value::Int((100 + n) * (99 + n) / 2)));
    }
}

#[test]
fn what_is_awaited_crosses_both_ways() {
    let module = HostModule::new("host").awaitable("sleep");
    let pool = pool();
    let mut sandbox = Sandbox::builder().pool(&pool).module(module).build().unwrap();
    sandbox.awaitable("ask").unwrap();
    sandbox.exec(COUNT).unwrap();
    sandbox.exec("import host\nasync def nap(): return await host.sleep(3)").unwrap();

    let mut task = sandbox.start("greet", ("Ada",)).unwrap();
    let Ok(Progress::Awaiting(request)) = task.resume(slice(10_000)) else { panic!("it asks") };
    assert_eq!((request.name.as_str(), request.args), ("ask", vec![text("Ada"), text("who?")]));
    // It goes on awaiting.
    assert!(matches!(task.resume(slice(10_000)), Ok(Progress::Awaiting(_))));
    assert_eq!(task.resume_with("Eve", slice(10_000)).unwrap(), Progress::Done(text("Hello Eve")));

    let mut task = sandbox.start("greet", ("Ada",)).unwrap();
    task.resume(slice(10_000)).unwrap();
    assert_eq!(task.resume_with_error("offline", slice(10_000)).unwrap(), Progress::Done(text("Nobody: offline")));

    let mut task = sandbox.start("nap", ()).unwrap();
    let Ok(Progress::Awaiting(request)) = task.resume(slice(10_000)) else { panic!("it sleeps") };
    assert_eq!((request.name.as_str(), request.args), ("host.sleep", vec![Value::Int(3)]));
    // The host's own error comes back as itself.
    #[derive(Debug, thiserror::Error, PartialEq)]
    #[error("fire")]
    struct Fire(u32);
    match task.resume_with_error(Fire(7), slice(10_000)) {
        Err(Error::Exception(exception)) => {
            assert_eq!(exception.host_error.as_ref().and_then(|error| error.downcast_ref::<Fire>()), Some(&Fire(7)))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_and_cancels_stop_a_task_for_good() {
    let pool = pool();
    let mut sandbox = sandbox(&pool);
    let spin = sandbox.compile("spin", "while True: pass").unwrap();
    let hog = sandbox.compile("hog", "x = []\nwhile True: x.append('y' * 1000)").unwrap();

    let mut task = sandbox.start_script(&spin).unwrap();
    task.set_limit(Some(slice(1_500)));
    assert!(matches!(task.resume(slice(1_000)), Ok(Progress::Paused(_))));
    task.set_limit(Some(slice(2_500)));
    assert!(matches!(task.resume(slice(1_000)), Ok(Progress::Paused(_))));
    assert!(matches!(task.resume(slice(1_000)), Err(Error::Budget(stop)) if stop.limit == Limit::Instructions));
    assert!(task.is_done());

    let mut task = sandbox.start_script(&hog).unwrap();
    let stop = loop {
        match task.resume(slice(20_000).memory(8 << 20)) {
            Ok(Progress::Paused(_)) => {}
            Err(Error::Budget(stop)) => break stop,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stop.limit, Limit::Memory);
    assert!(task.is_done());

    let mut task = sandbox.start_script(&spin).unwrap();
    let paused = task.resume(Budget::default().instructions(1 << 40).timeout(Duration::from_millis(50)));
    assert!(matches!(paused, Ok(Progress::Paused(usage)) if usage.elapsed >= Duration::from_millis(50)));
    sandbox.cancel_handle().cancel();
    assert!(matches!(task.resume(slice(100)), Err(Error::Cancelled(_))));
    sandbox.cancel_handle().reset();
    assert_eq!(sandbox.eval::<i64>("6 * 7").unwrap(), 42);
}

#[test]
fn a_dropped_task_ends_and_a_dropped_sandbox_ends_its_tasks() {
    let pool = pool();
    let mut sandbox = sandbox(&pool);
    sandbox
        .exec("log = []\ndef wait():\n    try:\n        while True: pass\n    finally:\n        log.append(1)")
        .unwrap();
    for _ in 0..200 {
        let mut task = sandbox.start("wait", ()).unwrap();
        assert!(matches!(task.resume(slice(100)), Ok(Progress::Paused(_))));
    }
    assert_eq!(sandbox.eval::<i64>("len(log)").unwrap(), 0);
    let mut orphan = sandbox.start("wait", ()).unwrap();
    assert!(matches!(orphan.resume(slice(100)), Ok(Progress::Paused(_))));
    drop(sandbox);
    assert!(matches!(orphan.resume(slice(100)), Err(Error::Setup(_))));
    assert!(orphan.is_done());
    // The worker is none the worse for it.
    assert_eq!(super::sandbox(&pool).eval::<i64>("6 * 7").unwrap(), 42);
}

#[test]
fn a_worker_that_dies_ends_its_tasks() {
    let mark = 7_431;
    let pool = builder().size(1, 1).tasks(2).cpu_seconds(mark).build().unwrap();
    let mut sandbox = sandbox(&pool);
    let spin = sandbox.compile("spin", "while True: pass").unwrap();
    let mut first = sandbox.start_script(&spin).unwrap();
    let mut second = sandbox.start_script(&spin).unwrap();
    assert!(matches!(first.resume(slice(100)), Ok(Progress::Paused(_))));
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        for worker in marked(mark) {
            let killed = std::process::Command::new("kill").args(["-9", &worker.to_string()]).status();
            assert!(killed.is_ok_and(|status| status.success()));
        }
    });
    match second.resume(Budget::default().instructions(1 << 40).timeout(Duration::from_secs(20))) {
        Err(Error::Died(death)) => assert_eq!(death.cause, DeathCause::Signal(9)),
        other => panic!("{other:?}"),
    }
    killer.join().unwrap();
    assert!(second.is_done());
    assert!(matches!(first.resume(slice(100)), Err(Error::Lost)));
    assert!(first.is_done());
    drop(sandbox);
    assert_eq!(super::sandbox(&pool).eval::<i64>("6 * 7").unwrap(), 42);
}

#[test]
fn there_are_as_many_as_the_pool_allows() {
    let none = builder().tasks(0).build().unwrap();
    let mut sandbox = sandbox(&none);
    sandbox.exec("def f(): return 1").unwrap();
    match sandbox.start("f", ()) {
        Err(Error::Setup(message)) => assert!(message.contains("PoolBuilder::tasks"), "{message}"),
        other => panic!("{other:?}"),
    }
    let two = builder().tasks(2).build().unwrap();
    for _ in 0..3 {
        let mut sandbox = super::sandbox(&two);
        sandbox.exec("def f(): return 1").unwrap();
        let (_first, mut second) = (sandbox.start("f", ()).unwrap(), sandbox.start("f", ()).unwrap());
        assert!(matches!(sandbox.start("f", ()), Err(Error::Setup(_))));
        assert_eq!(second.resume(slice(100)).unwrap(), Progress::Done(Value::Int(1)));
        // One that ended makes room, and so does one that is dropped.
        for _ in 0..20 {
            let mut third = sandbox.start("f", ()).unwrap();
            assert!(matches!(third.resume(slice(1)), Ok(Progress::Paused(_) | Progress::Done(_))));
        }
    }
}
