//! `pycage run`.

use crate::report::Report;
use crate::{Isolation, RunArgs, print, read, status};
use pycage::process::Pool;
use pycage::{Budget, Error, Policy, Runner, Sandbox, Usage, Value};
use std::path::Path;
use std::time::Duration;

/// Runs every file; gives the highest exit status.
pub fn run(args: &RunArgs) -> Result<u8, String> {
    let inputs = args.input.as_deref().map(inputs).transpose()?;
    let mut place = Place::new(args)?;
    let mut highest = status::OK;
    for file in &args.files {
        // Read first: a file that is not there must not cost the results of the others.
        let (name, source) = match read(file) {
            Ok(read) => read,
            Err(message) => {
                eprintln!("pycage: {message}");
                highest = highest.max(status::USAGE);
                continue;
            }
        };
        let report = run_one(args, &mut place, inputs.as_ref(), &name, &source)?;
        if args.json {
            print(&format!("{}\n", report.to_json()));
        } else {
            report.show();
        }
        highest = highest.max(report.status());
    }
    Ok(highest)
}

pub fn policy(grants: &[String]) -> Policy {
    grants.iter().fold(Policy::default(), |policy, module| policy.grant(module))
}

/// Where the files run, one after the other.
enum Place {
    Runner(Runner),
    Pool(Pool),
}

/// What a worker process may take in memory beyond the budget's limit before the kernel's holds.
const WALL_ROOM: u64 = 64 << 20;

impl Place {
    fn new(args: &RunArgs) -> Result<Place, String> {
        match args.isolation {
            Isolation::Thread => new_runner(args).map(Place::Runner),
            Isolation::Process => new_pool(args).map(Place::Pool),
        }
    }

    /// A sandbox there, on a new runner if the last one was lost.
    fn sandbox(&mut self, args: &RunArgs) -> Result<Sandbox, String> {
        let builder = Sandbox::builder().policy(policy(&args.grants)).budget(budget(args));
        let builder = match self {
            Place::Runner(runner) => {
                if !runner.is_alive() {
                    *runner = new_runner(args)?;
                }
                builder.runner(runner)
            }
            Place::Pool(pool) => builder.pool(pool),
        };
        builder.build().map_err(|error| error.to_string())
    }
}

fn new_runner(args: &RunArgs) -> Result<Runner, String> {
    let runner = Runner::new().map_err(|error| error.to_string())?;
    if args.canary {
        runner.plant_canary().map_err(|error| error.to_string())?;
    }
    Ok(runner)
}

fn new_pool(args: &RunArgs) -> Result<Pool, String> {
    if args.canary {
        return Err("--canary is for --isolation thread".to_owned());
    }
    let mut pool = Pool::builder().size(1, 1);
    if let Some(bytes) = args.max_memory {
        pool = pool.memory(bytes.saturating_add(WALL_ROOM));
    }
    #[cfg(feature = "test-hooks")]
    if args.unguarded {
        pool = pool.unguarded();
    }
    pool.build().map_err(|error| error.to_string())
}

/// The value of `--input`. An int beyond 64 bits is a float to JSON.
fn inputs(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: not JSON: {error}", file.display()))
}

fn run_one(
    args: &RunArgs,
    place: &mut Place,
    inputs: Option<&Value>,
    name: &str,
    source: &str,
) -> Result<Report, String> {
    let mut sandbox = place.sandbox(args)?;
    let enforced = sandbox.enforced();
    #[cfg(feature = "test-hooks")]
    let _neighbour = match (args.hosted, &*place) {
        (true, Place::Runner(runner)) => {
            let furnished = crate::hosted::furnish(&mut sandbox, runner);
            Some(furnished.map_err(|error| format!("--hosted: {error}"))?)
        }
        (true, Place::Pool(_)) => return Err("--hosted is for --isolation thread".to_owned()),
        (false, _) => None,
    };
    if let Some(inputs) = inputs {
        sandbox.set("inputs", inputs.clone()).map_err(|error| format!("--input: {error}"))?;
    }
    let result = eval(args, &mut sandbox, name, source);
    Ok(Report { result, output: sandbox.take_output(), enforced })
}

fn eval(args: &RunArgs, sandbox: &mut Sandbox, name: &str, source: &str) -> Result<(Value, Usage), Error> {
    let budget = sandbox.budget().clone();
    #[cfg(feature = "test-hooks")]
    if args.unvalidated {
        let script = sandbox.compile_unvalidated(name, source)?;
        return sandbox.run_with(&script, budget);
    }
    #[cfg(not(feature = "test-hooks"))]
    let _ = args;
    sandbox.eval_named(name, source, budget)
}

fn budget(args: &RunArgs) -> Budget {
    let mut budget = Budget::default();
    if let Some(count) = args.max_instructions {
        budget = budget.instructions(count);
    }
    if let Some(count) = args.max_allocations {
        budget = budget.allocations(count);
    }
    if let Some(bytes) = args.max_memory {
        budget = budget.memory(bytes);
    }
    if let Some(millis) = args.timeout {
        budget = budget.timeout(Duration::from_millis(millis));
    }
    budget
}
