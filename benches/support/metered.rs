//! The work on pycage, through its public API.

use super::{Answer, PLUGIN, SMALL, WORKLOADS, Work};
use pycage::{Budget, Error, Runner, Sandbox, Script, Value};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Makes the engine, and hands what it can do to `serve`.
pub fn with_engine(serve: impl FnOnce(&mut dyn FnMut(Work, u64) -> Answer)) {
    let mut metered = Metered::new().expect("the workloads keep the rules");
    assert!(metered.caller.enforced().contains(&"memory"), "the metered allocator is not installed");
    serve(&mut |work, turns| metered.perform(work, turns).expect("the work keeps within its budget"));
}

/// Metered like any other, and never at its end.
fn budget() -> Budget {
    Budget::default().instructions(1 << 50).allocations(1 << 50).memory(1 << 30).timeout(Duration::from_secs(60))
}

struct Metered {
    runner: Runner,
    workloads: Vec<(Script, Sandbox)>,
    small: Script,
    caller: Sandbox,
    /// Held, so that no cold start takes one of them over.
    cold: Vec<Runner>,
}

impl Metered {
    fn new() -> Result<Self, Error> {
        let runner = Runner::new()?;
        let sandbox = || Sandbox::builder().runner(&runner).budget(budget()).build();
        let mut workloads = Vec::new();
        for (name, source) in WORKLOADS {
            let sandbox = sandbox()?;
            workloads.push((sandbox.compile(name, source)?, sandbox));
        }
        let mut caller = sandbox()?;
        let small = caller.compile("small", SMALL)?;
        caller.run::<Value>(&small)?;
        Ok(Metered { runner, workloads, small, caller, cold: Vec::new() })
    }

    fn perform(&mut self, work: Work, turns: u64) -> Result<Answer, Error> {
        let mut elapsed = Duration::ZERO;
        let mut last = (Value::None, 0);
        for _ in 0..turns {
            let start = Instant::now();
            last = black_box(self.turn(work)?);
            elapsed += start.elapsed();
        }
        let (value, instructions) = last;
        Ok(Answer { elapsed, instructions, value: value.to_string() })
    }

    /// Does it once; gives the result and the instructions.
    fn turn(&mut self, work: Work) -> Result<(Value, u64), Error> {
        let (value, usage) = match work {
            Work::Run(index) => {
                let (script, sandbox) = &mut self.workloads[index];
                sandbox.run_with(script, budget())?
            }
            Work::Call => self.caller.call_with("add", (1, 2), budget())?,
            Work::Sandbox => {
                let mut sandbox = Sandbox::builder().runner(&self.runner).budget(budget()).build()?;
                sandbox.run_with(&self.small, budget())?
            }
            Work::Compile => {
                black_box(self.caller.compile("plugin", PLUGIN)?);
                return Ok((Value::None, 0));
            }
            Work::Cold => {
                let runner = Runner::new()?;
                let mut sandbox = Sandbox::builder().runner(&runner).budget(budget()).build()?;
                self.cold.push(runner);
                sandbox.eval_with(SMALL, budget())?
            }
        };
        Ok((value, usage.instructions + usage.native_steps))
    }
}
