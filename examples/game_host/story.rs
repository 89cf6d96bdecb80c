//! A plugin's story, an `async def story()`: a task that runs a slice in each frame, and sleeps when it says so.

use pycage::{Budget, Error, Progress, Sandbox, Task, Usage, Value};

/// What a frame gives a story; one that wants more goes on in the next.
const SLICE: u64 = 5_000;

pub struct Story {
    task: Task,
    wakes: Option<u64>,
}

impl Story {
    /// Begins a plugin's story, if it has one.
    pub fn begin(sandbox: &mut Sandbox) -> Result<Option<Story>, Error> {
        match sandbox.get::<pycage::Callback>("story") {
            Ok(_) => Ok(Some(Story { task: sandbox.start("story", ())?, wakes: None })),
            Err(_) => Ok(None),
        }
    }

    /// Tells on. `false` when it has ended.
    pub fn tell(&mut self, frame: u64, budget: Budget) -> Result<bool, Error> {
        let slice = budget.instructions(SLICE);
        let progress = match self.wakes {
            Some(when) if when > frame => return Ok(true),
            Some(_) => self.task.resume_with(frame, slice)?,
            None => self.task.resume(slice)?,
        };
        match progress {
            Progress::Awaiting(request) => {
                let frames = match request.args[..] {
                    [Value::Int(frames)] => frames.clamp(1, 1_000) as u64,
                    _ => 1,
                };
                self.wakes = Some(frame + frames);
                Ok(true)
            }
            Progress::Paused(_) => {
                self.wakes = None;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub fn take_output(&mut self) -> String {
        self.task.take_output()
    }

    /// What all of it has cost so far.
    pub fn usage(&self) -> Usage {
        self.task.usage()
    }
}
