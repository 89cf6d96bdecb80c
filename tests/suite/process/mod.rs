//! The process ring: the same sandbox in a worker, its deaths, and the wall around it.

mod api;
mod asynchronous;
#[cfg(target_os = "linux")]
mod cgroup;
mod deaths;
mod handles;
#[cfg(target_os = "linux")]
mod launchers;
mod long;
#[cfg(target_os = "linux")]
mod silent;
mod tasks;
#[cfg(target_os = "linux")]
mod wall;

use pycage::process::{Launcher, Pool, PoolBuilder};
use pycage::{Budget, Sandbox};
use std::time::Duration;

/// A pool whose workers are forked from a template of the `pycage` binary.
pub(crate) fn builder() -> PoolBuilder {
    Pool::builder().launcher(Launcher::executable(env!("CARGO_BIN_EXE_pycage"))).size(1, 4)
}

pub(crate) fn pool() -> Pool {
    builder().build().expect("a worker comes up")
}

/// A pool whose workers are started one by one, without a template.
fn direct() -> Pool {
    builder().launcher(Launcher::command([env!("CARGO_BIN_EXE_pycage"), "worker"])).build().expect("a worker comes up")
}

pub(crate) fn sandbox(pool: &Pool) -> Sandbox {
    let budget = Budget::default().timeout(Duration::from_millis(2000));
    Sandbox::builder().pool(pool).budget(budget).build().expect("a worker is free")
}

/// The workers of the pool that was given this number of seconds of processor time, by which the system shows them.
fn marked(cpu_seconds: u64) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        limits.lines().any(|line| {
            let mut words = line.strip_prefix("Max cpu time").unwrap_or_default().split_whitespace();
            words.next() == Some(&cpu_seconds.to_string())
        })
    })
    .collect()
}

/// A line of what the system says of a process.
fn status(pid: u32, field: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(field)?.trim().to_owned()))
}
