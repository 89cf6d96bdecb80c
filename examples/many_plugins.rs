//! A thousand plugins at sixty frames a second: each is called once a frame on the runner's own thread, and has a task that
//! gets a slice of a thousand instructions. Prints what that takes.
//!
//! `cargo run --release --ignore-rust-version --example many_plugins [-- PLUGINS [FRAMES]]`

use pycage::{Budget, Cage, Error, MeteredAlloc, Progress, Runner, Sandbox, Task};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const PLUGIN: &str = "
class Creature:
    def __init__(self, x):
        self.x = x
        self.seen = 0

me = Creature(START)

def tick(x):
    me.x = (me.x + x) % 1000
    return me.x

def plan():
    # Thinks for ever, and never gives way by itself.
    best = 0
    while True:
        for step in range(100):
            score = (me.x * 31 + step * 17) % 997
            if score > best:
                best = score
        me.seen += 1
";

/// What a frame may take.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

const SLICE: u64 = 1_000;

struct World {
    plugins: Vec<Sandbox>,
    tasks: Vec<Task>,
    instructions: u64,
}

fn main() -> Result<(), Error> {
    let mut numbers = std::env::args().skip(1).filter_map(|number| number.parse::<usize>().ok());
    let (count, frames) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(60));
    let runner = Runner::new()?;
    let script = Sandbox::builder().runner(&runner).build()?.compile("creature.py", PLUGIN)?;
    let idle = resident_kib();

    let mut plugins = Vec::new();
    for start in 0..count {
        let mut sandbox = Sandbox::builder().runner(&runner).build()?;
        sandbox.set("START", start as u64)?;
        sandbox.run::<()>(&script)?;
        plugins.push(sandbox);
    }
    let loaded = resident_kib();
    println!("{count} plugins loaded:  {:>8} KiB resident, {:.1} KiB each", loaded, each(loaded, idle, count));

    let began = Instant::now();
    let tasks = plugins.iter_mut().map(|plugin| plugin.start("plan", ())).collect::<Result<Vec<_>, _>>()?;
    let starting = began.elapsed();
    let mut world = World { plugins, tasks, instructions: 0 };
    world = frame(&runner, world, think)?.0;
    let paused = resident_kib();
    println!("{count} tasks paused:    {:>8} KiB resident, {:.1} KiB each", paused, each(paused, loaded, count));
    println!("starting a task:      {:>8.1} us", starting.as_secs_f64() * 1e6 / count as f64);

    let (mut calls, mut slices) = (Vec::new(), Vec::new());
    for _ in 0..frames {
        let (back, took) = frame(&runner, world, tick)?;
        calls.push(took);
        let (back, took) = frame(&runner, back, think)?;
        slices.push(took);
        world = back;
    }
    report("calling each once", &mut calls);
    report("a slice for each", &mut slices);
    let spent = world.instructions / (world.tasks.len() as u64 * (frames as u64 + 1));
    println!("instructions a slice: {spent:>8}");

    let began = Instant::now();
    drop(world.tasks);
    // Behind the tasks' ends in the runner's queue.
    runner.with(|_| ())?;
    println!("ending a task:        {:>8.1} us", began.elapsed().as_secs_f64() * 1e6 / count as f64);
    println!("afterwards:           {:>8} KiB resident", resident_kib());
    Ok(())
}

/// One hand-over to the runner's thread; gives the world back, and what it took.
fn frame(runner: &Runner, mut world: World, work: fn(&mut Cage<'_>, &mut World)) -> Result<(World, Duration), Error> {
    let began = Instant::now();
    let world = runner.with(move |cage| {
        work(cage, &mut world);
        world
    })?;
    Ok((world, began.elapsed()))
}

fn tick(cage: &mut Cage<'_>, world: &mut World) {
    for plugin in &mut world.plugins {
        if let Err(error) = cage.call::<i64>(plugin, "tick", (3,)) {
            println!("{error}");
        }
    }
}

fn think(cage: &mut Cage<'_>, world: &mut World) {
    for task in &mut world.tasks {
        match cage.resume(task, Budget::default().instructions(SLICE)) {
            Ok(Progress::Paused(usage)) => world.instructions += usage.instructions,
            Ok(other) => println!("{other:?}"),
            Err(error) => println!("{error}"),
        }
    }
}

fn report(what: &str, frames: &mut [Duration]) {
    frames.sort();
    if let (Some(middle), Some(worst)) = (frames.get(frames.len() / 2), frames.last()) {
        let share = 100.0 * middle.as_secs_f64() / FRAME.as_secs_f64();
        println!("{what:<20}: {:>8.2} ms a frame ({share:.0} % of it), at worst {:.2} ms", ms(*middle), ms(*worst));
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn each(now: u64, before: u64, count: usize) -> f64 {
    now.saturating_sub(before) as f64 / count as f64
}

/// Resident memory of this process; zero where the system has no `/proc`.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}
