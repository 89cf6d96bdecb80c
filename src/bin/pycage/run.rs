//! `pycage run`.

use crate::place::{Audit, Place, Wanted};
use crate::report::Report;
use crate::{RunArgs, print, read, status};
use pycage::{Error, Sandbox, Usage, Value};
use std::path::Path;

/// Runs every file; gives the highest exit status.
pub fn run(args: &RunArgs) -> Result<u8, String> {
    let inputs = args.input.as_deref().map(inputs).transpose()?;
    let audit = args.place.audit()?;
    let mut place = Place::new(&args.place, wanted(args))?;
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
        let report = run_one(args, &mut place, &audit, inputs.as_ref(), &name, &source)?;
        if args.json {
            print(&format!("{}\n", report.to_json()));
        } else {
            report.show();
        }
        highest = highest.max(report.status());
    }
    if let Err(message) = audit.finish() {
        eprintln!("pycage: {message}");
        highest = highest.max(status::USAGE);
    }
    Ok(highest)
}

fn wanted(args: &RunArgs) -> Wanted {
    Wanted {
        workers: 1,
        memory: args.place.limits.max_memory,
        canary: args.canary,
        #[cfg(feature = "test-hooks")]
        unguarded: args.unguarded,
    }
}

/// The value of `--input`. An int beyond 64 bits is a float to JSON.
pub fn inputs(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: not JSON: {error}", file.display()))
}

fn run_one(
    args: &RunArgs,
    place: &mut Place,
    audit: &Audit,
    inputs: Option<&Value>,
    name: &str,
    source: &str,
) -> Result<Report, String> {
    let builder = Sandbox::builder().policy(args.place.policy()).budget(args.place.budget());
    let builder = audit.of(args.place.furnish(builder)?, name);
    #[cfg(feature = "test-hooks")]
    let builder = match args.hosted {
        true => crate::hosted::provide(builder).map_err(|error| format!("--hosted: {error}"))?,
        false => builder,
    };
    #[cfg(feature = "test-hooks")]
    let builder = if args.unvalidated { builder.unvalidated_modules() } else { builder };
    let mut sandbox = place.build(builder).map_err(|error| error.to_string())?;
    let enforced = sandbox.enforced();
    #[cfg(feature = "test-hooks")]
    let _neighbour = match (args.hosted, &*place) {
        (true, Place::Runner { runner, .. }) => {
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
