//! Where scripts run: threads of this process or worker processes, and under which limits.

use crate::Isolation;
use crate::furnish::GivenArgs;
use clap::Args;
use pycage::process::{Cgroup, Launcher, Pool, Wall};
use pycage::{Budget, Error, JsonLines, Policy, Runner, Sandbox, SandboxBuilder};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

/// What `run` and `batch` have in common.
#[derive(Args)]
pub struct PlaceArgs {
    /// Where the scripts run
    #[arg(long, value_enum, default_value = "thread")]
    pub isolation: Isolation,
    /// The command that starts a worker process, in the quoting of a shell, such as `ssh judge2 pycage worker`
    #[arg(long, value_name = "COMMAND")]
    launcher: Option<String>,
    /// How long a worker process may take to come up, where 20 seconds are not enough: in a queue, in a virtual machine
    #[arg(long, value_name = "MS")]
    start_timeout: Option<u64>,
    /// A delegated control group of Linux, version 2: each worker process gets one below it, with limits on memory and processes
    #[arg(long, value_name = "FOLDER")]
    cgroup: Option<PathBuf>,
    /// Append an audit record of each run to a file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    given: GivenArgs,
}

impl PlaceArgs {
    pub fn policy(&self) -> Policy {
        self.given.policy()
    }

    /// Gives a sandbox the modules and the files that are asked for.
    pub fn furnish(&self, builder: SandboxBuilder) -> Result<SandboxBuilder, String> {
        self.given.furnish(builder)
    }

    /// Where records go, if they are asked for.
    pub fn audit(&self) -> Result<Audit, String> {
        let open = |file: &PathBuf| {
            let opened = File::options().create(true).append(true).open(file);
            opened.map(JsonLines::new).map_err(|error| format!("--audit: {}: {error}", file.display()))
        };
        Ok(Audit(self.audit.as_ref().map(open).transpose()?))
    }

    pub fn budget(&self) -> Budget {
        self.limits.on(Budget::default())
    }
}

/// Where the records of runs go, if anywhere.
pub struct Audit(Option<JsonLines>);

impl Audit {
    /// Has the runs of a sandbox recorded, under this label.
    pub fn of(&self, builder: SandboxBuilder, label: &str) -> SandboxBuilder {
        match &self.0 {
            Some(lines) => builder.label(label).audit(lines.clone()),
            None => builder,
        }
    }

    /// An error if any record was lost.
    pub fn finish(&self) -> Result<(), String> {
        let failures = self.0.as_ref().map(JsonLines::failures).unwrap_or_default();
        match failures.last {
            Some(why) => Err(format!("{} audit records were lost: {why}", failures.count)),
            None => Ok(()),
        }
    }
}

/// What is asked for in the place of a budget's own limits.
#[derive(Args)]
pub struct Limits {
    /// Instructions, native steps among them
    #[arg(long, value_name = "N")]
    pub max_instructions: Option<u64>,
    /// Allocations
    #[arg(long, value_name = "N")]
    pub max_allocations: Option<u64>,
    /// Bytes held at any time
    #[arg(long, value_name = "BYTES")]
    pub max_memory: Option<u64>,
    /// Wall-clock time
    #[arg(long, value_name = "MS")]
    pub timeout: Option<u64>,
}

impl Limits {
    pub fn on(&self, mut budget: Budget) -> Budget {
        if let Some(count) = self.max_instructions {
            budget = budget.instructions(count);
        }
        if let Some(count) = self.max_allocations {
            budget = budget.allocations(count);
        }
        if let Some(bytes) = self.max_memory {
            budget = budget.memory(bytes);
        }
        if let Some(millis) = self.timeout {
            budget = budget.timeout(Duration::from_millis(millis));
        }
        budget
    }
}

/// Where scripts run, one after the other.
pub enum Place {
    /// On a thread; with the canary planted, if it is to be.
    Runner {
        runner: Runner,
        canary: bool,
    },
    Pool(Pool),
}

/// What else a place is to be.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    /// How many scripts run at a time.
    pub workers: usize,
    /// The largest memory limit of a script.
    pub memory: Option<u64>,
    pub canary: bool,
    /// No guards in the workers.
    #[cfg(feature = "test-hooks")]
    pub unguarded: bool,
}

/// What a worker process may take in memory beyond the budget's limit before the kernel's holds.
const WALL_ROOM: u64 = 64 << 20;

impl Place {
    pub fn new(args: &PlaceArgs, wanted: Wanted) -> Result<Place, String> {
        match args.isolation {
            Isolation::Thread if args.launcher.is_some() => Err("--launcher is for --isolation process".to_owned()),
            Isolation::Thread if args.cgroup.is_some() => Err("--cgroup is for --isolation process".to_owned()),
            Isolation::Thread => Runner::new().and_then(|runner| Place::on(runner, wanted.canary)).map_err(shown),
            Isolation::Process if wanted.canary => Err("--canary is for --isolation thread".to_owned()),
            Isolation::Process => new_pool(args, wanted).map(Place::Pool),
        }
    }

    fn on(runner: Runner, canary: bool) -> Result<Place, Error> {
        if canary {
            runner.plant_canary()?;
        }
        Ok(Place::Runner { runner, canary })
    }

    /// One more place of the kind, for another thread.
    pub fn another(&self) -> Result<Place, String> {
        match self {
            Place::Runner { canary, .. } => Runner::new().and_then(|runner| Place::on(runner, *canary)).map_err(shown),
            Place::Pool(pool) => Ok(Place::Pool(pool.clone())),
        }
    }

    /// Builds a sandbox there, on a new runner if the last one was lost.
    pub fn build(&mut self, builder: SandboxBuilder) -> Result<Sandbox, Error> {
        if let Place::Runner { runner, canary } = self
            && !runner.is_alive()
        {
            *self = Place::on(Runner::new()?, *canary)?;
        }
        match self {
            Place::Runner { runner, .. } => builder.runner(runner).build(),
            Place::Pool(pool) => builder.pool(pool).build(),
        }
    }
}

fn shown(error: Error) -> String {
    error.to_string()
}

fn new_pool(args: &PlaceArgs, wanted: Wanted) -> Result<Pool, String> {
    let mut pool = Pool::builder().size(wanted.workers, wanted.workers);
    if let Some(command) = &args.launcher {
        let words = shlex::split(command).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| format!("--launcher: not a command: {command}"))?;
        pool = pool.launcher(Launcher::command(words));
    }
    if let Some(millis) = args.start_timeout {
        pool = pool.start_timeout(Duration::from_millis(millis));
    }
    if let Some(folder) = &args.cgroup {
        // Whoever asks for it on a command line cannot ask afterwards whether it is in force.
        let walls = [Wall::Seccomp, Wall::NoNewPrivileges, Wall::Rlimits, Wall::CgroupMemory, Wall::CgroupPids];
        pool = pool.cgroup(Cgroup::at(folder)).require(walls);
    }
    if let Some(bytes) = wanted.memory {
        pool = pool.memory(bytes.saturating_add(WALL_ROOM));
    }
    #[cfg(feature = "test-hooks")]
    if wanted.unguarded {
        pool = pool.unguarded();
    }
    pool.build().map_err(shown)
}
