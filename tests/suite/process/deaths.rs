//! Workers that die in the middle of a call, in every way there is: each a typed error, and the pool goes on.

use super::{builder, pool, sandbox};
use pycage::process::{DeathCause, WorkerDeath};
use pycage::{Budget, Error, Sandbox};
use std::time::{Duration, Instant};

fn death(sandbox: &mut Sandbox, attack: &str) -> WorkerDeath {
    match sandbox.attack(attack) {
        Err(Error::Died(death)) => death,
        other => panic!("{attack}: {other:?}"),
    }
}

#[test]
fn each_death_is_told_apart_and_the_worker_replaced() {
    let pool = builder().size(2, 2).memory(64 << 20).build().unwrap();
    let mut bystander = sandbox(&pool);
    bystander.exec("kept = 1").unwrap();
    for (attack, expected) in [
        ("exit", DeathCause::Exited(7)),
        ("abort", DeathCause::Signal(6)),
        ("crash", DeathCause::Signal(11)),
        ("allocate", DeathCause::OutOfMemory),
        ("spin", DeathCause::Deadline),
    ] {
        let mut victim = sandbox(&pool);
        let began = Instant::now();
        let death = death(&mut victim, attack);
        assert_eq!(death.cause, expected, "{attack}: {death}");
        assert!(began.elapsed() < Duration::from_millis(2500 + 1500), "{attack}: {:?}", began.elapsed());
        assert!(matches!(victim.eval::<i64>("1"), Err(Error::Lost)), "{attack}");
        drop(victim);
        assert_eq!(bystander.get::<i64>("kept").unwrap(), 1);
        assert_eq!(sandbox(&pool).eval::<i64>("1 + 1").unwrap(), 2, "after {attack}");
        assert!(pool.workers() <= 2);
    }
    drop(bystander);
    let patience = Instant::now() + Duration::from_secs(10);
    while pool.idle() < 2 {
        assert!(Instant::now() < patience, "the pool is not back at its size: {pool:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_panic_is_a_crash_of_this_worker_alone() {
    let pool = pool();
    let mut victim = sandbox(&pool);
    match victim.attack("panic") {
        Err(Error::Crashed { message, .. }) => assert_eq!(message, "an attack"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(victim.eval::<i64>("1"), Err(Error::Lost)));
    assert_eq!(sandbox(&pool).eval::<i64>("1").unwrap(), 1);
}

#[test]
fn what_was_used_until_then_is_told() {
    // The script runs, and reports, before native code takes over and does not stop.
    let pool = builder().unguarded().build().unwrap();
    let budget = Budget::default().timeout(Duration::from_millis(500));
    let mut sandbox = Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    match sandbox.exec("while True: pass") {
        Err(Error::Died(death)) => {
            assert_eq!(death.cause, DeathCause::Deadline);
            assert!(death.usage.instructions > 0, "{death:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_frame_or_has_no_place_ends_the_worker() {
    let pool = pool();
    for attack in ["garbage", "huge-frame", "unknown-kind", "out-of-order", "wrong-function", "half-frame", "flood"] {
        let death = death(&mut sandbox(&pool), attack);
        assert!(matches!(death.cause, DeathCause::Protocol(_) | DeathCause::Exited(0)), "{attack}: {death}");
        assert_eq!(sandbox(&pool).eval::<i64>("1").unwrap(), 1, "after {attack}");
    }
}

#[test]
fn standard_error_is_kept_up_to_a_cap() {
    let pool = pool();
    let mut victim = sandbox(&pool);
    assert_eq!(victim.attack("flood-stderr").unwrap(), "it worked");
    let death = death(&mut victim, "exit");
    assert!(death.stderr.starts_with("a line of nothing"), "{death:?}");
    assert!(death.stderr.len() <= 16 << 10, "{}", death.stderr.len());
}

#[test]
fn a_worker_is_replaced_after_its_number_of_calls() {
    let pool = builder().size(1, 1).recycle_after(3).build().unwrap();
    for _ in 0..10 {
        let mut sandbox = sandbox(&pool);
        for _ in 0..5 {
            assert_eq!(sandbox.eval::<i64>("1").unwrap(), 1);
        }
    }
}
