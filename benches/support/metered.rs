//! The work on pycage, through its public API.

use super::{Answer, CALLS, PLUGIN, SMALL, TICK, WORKLOADS, Work};
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
    calls: Script,
    /// Put back after each use.
    ticker: Option<Sandbox>,
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
        caller.function("host", |x: i64| x + 1)?;
        let calls = caller.compile("calls", CALLS)?;
        let mut ticker = sandbox()?;
        ticker.exec(TICK)?;
        Ok(Metered { runner, workloads, small, caller, calls, ticker: Some(ticker), cold: Vec::new() })
    }

    fn perform(&mut self, work: Work, turns: u64) -> Result<Answer, Error> {
        if matches!(work, Work::Tick | Work::HandleTick) {
            return self.tick(work, turns);
        }
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

    /// A frame's worth of calls, timed as a whole.
    fn tick(&mut self, work: Work, turns: u64) -> Result<Answer, Error> {
        let mut sandbox = self.ticker.take().expect("put back below");
        let (sandbox, elapsed, last) = if work == Work::Tick {
            self.runner.with(move |cage| {
                let start = Instant::now();
                let mut last = Ok(0);
                for turn in 0..turns {
                    last = black_box(cage.call::<i64>(&mut sandbox, "tick", (turn & 127,)));
                }
                let elapsed = start.elapsed();
                (sandbox, elapsed, last)
            })?
        } else {
            let start = Instant::now();
            let mut last = Ok(0);
            for turn in 0..turns {
                last = black_box(sandbox.call::<i64>("tick", (turn & 127,)));
            }
            let elapsed = start.elapsed();
            (sandbox, elapsed, last)
        };
        self.ticker = Some(sandbox);
        Ok(Answer { elapsed, instructions: 0, value: last?.to_string() })
    }

    /// Does it once; gives the result and the instructions.
    fn turn(&mut self, work: Work) -> Result<(Value, u64), Error> {
        let (value, usage) = match work {
            Work::Run(index) => {
                let (script, sandbox) = &mut self.workloads[index];
                sandbox.run_with(script, budget())?
            }
            Work::Call => self.caller.call_with("add", (1, 2), budget())?,
            Work::Tick | Work::HandleTick => unreachable!("done above"),
            Work::HostCalls => self.caller.run_with(&self.calls, budget())?,
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
