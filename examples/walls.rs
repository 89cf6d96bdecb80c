//! What each wall around a script costs: one more worker's start, a call's round trip, and a worker's memory.
//!
//! ```text
//! cargo run --ignore-rust-version --example walls -- 'bubblewrap=launchers/bubblewrap target/debug/pycage'
//! ```
//!
//! Sandboxes in this process and in workers forked from a template are always measured, and each `NAME=COMMAND` beside them.
//! `launchers/measure` prepares all of the walls and measures them. Linux only.

#[global_allocator]
static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();

fn main() {
    pycage::worker::init();
    #[cfg(target_os = "linux")]
    linux::measure(std::env::args().skip(1));
    #[cfg(not(target_os = "linux"))]
    println!("the walls are measured on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use pycage::process::{Launcher, Pool};
    use pycage::{Budget, Error, Runner, Sandbox};
    use std::collections::{HashMap, HashSet};
    use std::fs::read_to_string;
    use std::time::{Duration, Instant};

    /// Workers that are started; the median counts.
    const STARTS: usize = 5;
    /// Calls that are made; the median counts.
    const CALLS: usize = 1000;

    pub fn measure(commands: impl Iterator<Item = String>) {
        println!("| wall | one more worker | a call | memory of a worker |");
        println!("|---|---|---|---|");
        told("in process", in_process());
        told("worker process", behind(Launcher::this_executable()));
        for command in commands {
            match command.split_once('=') {
                Some((name, words)) => told(name, behind(Launcher::command(words.split_whitespace()))),
                None => eprintln!("{command}: not of the form NAME=COMMAND"),
            }
        }
    }

    struct Cost {
        start: Duration,
        call: Duration,
        kilobytes: u64,
    }

    fn told(name: &str, cost: Result<Cost, Error>) {
        match cost {
            Ok(Cost { start, call, kilobytes }) => println!(
                "| {name} | {:.1} ms | {:.0} µs | {:.1} MiB |",
                start.as_secs_f64() * 1e3,
                call.as_secs_f64() * 1e6,
                kilobytes as f64 / 1024.0
            ),
            Err(error) => println!("| {name} | not measured: {error} | | |"),
        }
    }

    /// A runner of its own for each sandbox, which is what compares to a worker.
    fn in_process() -> Result<Cost, Error> {
        let own = std::process::id();
        let mut first = ready(Sandbox::builder().runner(&Runner::new()?))?;
        let (mut starts, mut kept) = (Vec::new(), Vec::new());
        let before = memory(own);
        for _ in 0..STARTS {
            let began = Instant::now();
            kept.push(ready(Sandbox::builder().runner(&Runner::new()?))?);
            starts.push(began.elapsed());
        }
        let kilobytes = memory(own).saturating_sub(before) / STARTS as u64;
        Ok(Cost { start: median(starts), call: call(&mut first)?, kilobytes })
    }

    fn behind(launcher: Launcher) -> Result<Cost, Error> {
        // One call wears a worker out, so that each sandbox is a start.
        let pool =
            Pool::builder().launcher(launcher).size(1, 2).recycle_after(1).start_timeout(Duration::from_secs(180));
        let pool = pool.build()?;
        let mut first = ready(Sandbox::builder().pool(&pool))?;
        let before = processes();
        let (mut starts, mut kilobytes) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let began = Instant::now();
            let more = ready(Sandbox::builder().pool(&pool))?;
            starts.push(began.elapsed());
            kilobytes.push(processes().difference(&before).map(|&pid| memory(pid)).sum::<u64>());
            drop(more);
        }
        Ok(Cost { start: median(starts), call: call(&mut first)?, kilobytes: median(kilobytes) })
    }

    /// A sandbox that has run a script.
    fn ready(builder: pycage::SandboxBuilder) -> Result<Sandbox, Error> {
        let budget = Budget::default().timeout(Duration::from_secs(60));
        let mut sandbox = builder.budget(budget).build()?;
        sandbox.exec("def tick(n):\n    return n + 1")?;
        Ok(sandbox)
    }

    fn call(sandbox: &mut Sandbox) -> Result<Duration, Error> {
        let mut times = Vec::new();
        for turn in 0..CALLS as i64 {
            let began = Instant::now();
            assert_eq!(sandbox.call::<i64>("tick", (turn,))?, turn + 1);
            times.push(began.elapsed());
        }
        Ok(median(times))
    }

    fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
        values.sort();
        values[values.len() / 2]
    }

    /// What descends from this process, and from what watches over a job on a node of Slurm.
    fn processes() -> HashSet<u32> {
        let all = std::fs::read_dir("/proc").into_iter().flatten();
        let all = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let parents: HashMap<u32, (u32, bool)> = all
            .filter_map(|pid| {
                let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
                let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())?;
                let is_root = pid == std::process::id() || status.starts_with("Name:\tslurmstepd\n");
                Some((pid, (parent, is_root)))
            })
            .collect();
        let descends = |pid: &u32| {
            let mut pid = *pid;
            while let Some(&(parent, is_root)) = parents.get(&pid) {
                if is_root {
                    return true;
                }
                pid = parent;
            }
            false
        };
        parents.keys().copied().filter(descends).collect()
    }

    /// A process's memory in kilobytes, with its part of what it shares.
    fn memory(pid: u32) -> u64 {
        let rollup = read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok())
            .unwrap_or_default()
    }
}
