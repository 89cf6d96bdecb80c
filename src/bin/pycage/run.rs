//! `pycage run`.

use crate::report::Report;
use crate::{Isolation, RunArgs, print, read, status};
use pycage::{Budget, Error, Policy, Runner, Sandbox, Script, Value};
use std::path::Path;
use std::time::Duration;

/// Runs every file; gives the highest exit status.
pub fn run(args: &RunArgs) -> Result<u8, String> {
    if args.isolation == Isolation::Process {
        return Err("--isolation process is not available in this version; use --isolation thread".to_owned());
    }
    let inputs = args.input.as_deref().map(inputs).transpose()?;
    let mut runner = new_runner(args)?;
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
        if !runner.is_alive() {
            runner = new_runner(args)?;
        }
        let report = run_one(args, &runner, inputs.as_ref(), &name, &source)?;
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

fn new_runner(args: &RunArgs) -> Result<Runner, String> {
    let runner = Runner::new().map_err(|error| error.to_string())?;
    if args.canary {
        runner.plant_canary().map_err(|error| error.to_string())?;
    }
    Ok(runner)
}

/// The value of `--input`. An int beyond 64 bits is a float to JSON.
fn inputs(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: not JSON: {error}", file.display()))
}

fn run_one(
    args: &RunArgs,
    runner: &Runner,
    inputs: Option<&Value>,
    name: &str,
    source: &str,
) -> Result<Report, String> {
    let mut sandbox = Sandbox::builder()
        .runner(runner)
        .policy(policy(&args.grants))
        .budget(budget(args))
        .build()
        .map_err(|error| error.to_string())?;
    if let Some(inputs) = inputs {
        sandbox.set("inputs", inputs.clone()).map_err(|error| format!("--input: {error}"))?;
    }
    let result = compile(args, &sandbox, name, source)
        .and_then(|script| sandbox.run_with::<Value>(&script, sandbox.budget().clone()));
    Ok(Report { result, output: sandbox.take_output(), enforced: sandbox.enforced() })
}

fn compile(args: &RunArgs, sandbox: &Sandbox, name: &str, source: &str) -> Result<Script, Error> {
    #[cfg(feature = "test-hooks")]
    if args.unvalidated {
        return sandbox.compile_unvalidated(name, source);
    }
    #[cfg(not(feature = "test-hooks"))]
    let _ = args;
    sandbox.compile(name, source)
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
