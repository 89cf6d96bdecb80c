//! What metering and guarding cost, by criterion: each piece of work on bare RustPython and on pycage.
//!
//! The ratios, with their geometric mean, are printed by the `ratios` bench, which asks both in turn.

mod support;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use std::cell::RefCell;
use std::time::Duration;
use support::allocator::{self, EitherAlloc};
use support::{Engine, WORKLOADS, Work, Worker};

#[global_allocator]
static ALLOCATOR: EitherAlloc = EitherAlloc::new();

fn main() {
    support::serve_if_worker();
    allocator::leave_bare();
    let mut criterion = Criterion::default().configure_from_args();
    let workers = RefCell::new((Worker::start(Engine::Bare), Worker::start(Engine::Metered)));

    for (index, (name, _)) in WORKLOADS.iter().enumerate() {
        compare(&mut criterion.benchmark_group(*name), &workers, Work::Run(index));
    }
    compare(&mut criterion.benchmark_group("compile"), &workers, Work::Compile);
    compare(&mut criterion.benchmark_group("warm_call"), &workers, Work::Call);
    compare(&mut criterion.benchmark_group("warm_sandbox"), &workers, Work::Sandbox);

    // Interpreters are never given back: as few as criterion can do with.
    let mut cold = criterion.benchmark_group("cold_sandbox");
    cold.sample_size(10).sampling_mode(SamplingMode::Flat);
    cold.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(100));
    compare(&mut cold, &workers, Work::Cold);
    drop(cold);

    criterion.final_summary();
}

fn compare(group: &mut BenchmarkGroup<'_, WallTime>, workers: &RefCell<(Worker, Worker)>, work: Work) {
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|turns| workers.borrow_mut().0.ask(work, turns).elapsed);
    });
    group.bench_function("metered", |bencher| {
        bencher.iter_custom(|turns| workers.borrow_mut().1.ask(work, turns).elapsed);
    });
}
