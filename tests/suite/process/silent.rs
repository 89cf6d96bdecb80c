//! Workers that are silent, and not dead: they take a call, and neither answer nor close their pipe. What is behind a launcher
//! may stand still for reasons of its own: a machine that hangs, a network that swallows all.

use super::{builder, marked, sandbox};
use pycage::process::{DeathCause, Launcher, Pool, PoolBuilder};
use pycage::{Budget, Error, Sandbox};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn stop(pid: u32) {
    let stopped = Command::new("kill").args(["-STOP", &pid.to_string()]).stderr(Stdio::null()).status();
    assert!(stopped.is_ok_and(|status| status.success()), "process {pid} cannot be stopped");
}

fn quick(pool: &Pool) -> Sandbox {
    let budget = Budget::default().instructions(u64::MAX).timeout(Duration::from_millis(500));
    Sandbox::builder().pool(pool).budget(budget).build().expect("a worker is free")
}

/// Its call is ended by the deadline and grace, with a typed error; another worker answers; the silent one is gone.
fn is_given_up(builder: PoolBuilder, mark: u64) {
    let pool = builder.size(1, 2).cpu_seconds(mark).build().expect("a worker comes up");
    // Between two calls.
    let mut victim = quick(&pool);
    victim.exec("x = 1").expect("it runs");
    let silent = marked(mark);
    silent.iter().copied().for_each(stop);
    let began = Instant::now();
    match victim.eval::<i64>("x") {
        Err(Error::Died(death)) => assert_eq!(death.cause, DeathCause::Deadline, "{death}"),
        other => panic!("{other:?}"),
    }
    let took = began.elapsed();
    // The deadline, the grace, and what a busy machine needs to notice.
    assert!(took >= Duration::from_millis(790) && took < Duration::from_secs(4), "{took:?}");
    assert!(matches!(victim.eval::<i64>("x"), Err(Error::Lost)));
    drop(victim);
    assert_eq!(sandbox(&pool).eval::<i64>("6 * 7").expect("another answers"), 42);
    assert!(marked(mark).iter().all(|pid| !silent.contains(pid)), "the silent worker is still there");

    // In the middle of a call.
    let mut victim = quick(&pool);
    let worker = marked(mark);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(250));
            worker.iter().copied().for_each(stop);
        });
        match victim.exec("while True: pass") {
            Err(Error::Died(death)) => {
                assert_eq!(death.cause, DeathCause::Deadline, "{death}");
                assert!(death.usage.instructions > 0, "what it had cost is told: {death:?}");
            }
            other => panic!("{other:?}"),
        }
    });
    drop(victim);

    // While it waits for a sandbox.
    // (One that was stopped with the other may have been waiting already.)
    let answered = (0..3).any(|_| sandbox(&pool).eval::<i64>("1").is_ok());
    assert!(answered, "another answers");
    marked(mark).into_iter().for_each(stop);
    let began = Instant::now();
    let mut lost = 0;
    while let Err(error) = quick(&pool).eval::<i64>("6 * 7") {
        assert!(matches!(&error, Error::Died(death) if death.cause == DeathCause::Deadline), "{error}");
        lost += 1;
    }
    assert!((1..=2).contains(&lost) && began.elapsed() < Duration::from_secs(8), "{lost}, {:?}", began.elapsed());
}

#[test]
fn a_forked_worker_that_is_silent_is_given_up() {
    is_given_up(builder(), 4911);
}

#[test]
fn a_worker_of_a_command_that_is_silent_is_given_up() {
    is_given_up(builder().launcher(Launcher::command([env!("CARGO_BIN_EXE_pycage"), "worker"])), 4912);
}

/// What a command leaves behind at its kill, and holds its pipes open, holds up no call: neither one that waits for an answer
/// nor one that has more to hand over than the pipe takes.
#[test]
fn what_outlives_its_command_holds_nobody_up() {
    let mark = 4913;
    let line = format!("exec 3<&0; setsid {} worker <&3 & exec sleep 600 <&- >&-", env!("CARGO_BIN_EXE_pycage"));
    let pool = builder().launcher(Launcher::command(["sh", "-c", &line])).size(0, 2).cpu_seconds(mark).build();
    let pool = pool.expect("a worker comes up");
    let (mut one, mut other) = (quick(&pool), quick(&pool));
    one.exec("x = 1").expect("it runs");
    other.exec("x = 1").expect("it runs");
    let silent = marked(mark);
    assert_eq!(silent.len(), 2);
    silent.iter().copied().for_each(stop);
    let began = Instant::now();
    let waits = one.eval::<i64>("x");
    let hands_over = other.set("x", "a".repeat(4 << 20));
    let took = began.elapsed();
    let left = marked(mark);
    for pid in &left {
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    for result in [waits.map(drop), hands_over] {
        assert!(matches!(&result, Err(Error::Died(death)) if death.cause == DeathCause::Deadline), "{result:?}");
    }
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(left.len(), 2, "they were to outlive their command");
}

/// What never says that it is up.
#[test]
fn a_worker_that_comes_up_silent_is_no_worker() {
    let began = Instant::now();
    let pool =
        builder().launcher(Launcher::command(["sleep", "600"])).start_timeout(Duration::from_millis(300)).build();
    let error = pool.expect_err("nothing came up").to_string();
    assert!(error.contains("no worker came up within 300ms"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
