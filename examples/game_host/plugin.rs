//! A plugin: a script in a sandbox of its own, under a budget, switched off when it misbehaves.

use crate::Played;
use crate::bill::Bill;
use crate::hero::Hero;
use crate::story::Story;
use crate::world::Command;
use pycage::{Budget, Error, Handle, Sandbox, Script, Usage, Value};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

/// Failed ticks in a row that a plugin is allowed, its author being human.
const STRIKES: u32 = 3;

pub struct Plugin {
    name: String,
    script: Option<Script>,
    sandbox: Option<Sandbox>,
    hero: Handle<Hero>,
    story: Option<Story>,
    /// What the story has printed since the last time.
    said: String,
    state: State,
    strikes: u32,
    bill: Bill,
}

/// Whether a plugin takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    On,
    /// It did not load.
    Refused,
    /// Switched off in that frame.
    Disabled {
        frame: u64,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::On => f.write_str("on"),
            State::Refused => f.write_str("refused at load"),
            State::Disabled { frame } => write!(f, "disabled in frame {frame}"),
        }
    }
}

/// What one tick may cost. The instructions are the limit that counts, as they are the same on every machine; the time is
/// a safety net, wide enough for a busy machine.
fn tick_budget() -> Budget {
    Budget::default()
        .instructions(200_000)
        .memory(4 << 20)
        .allocations(200_000)
        .recursion(100)
        .output(2 << 10)
        .timeout(Duration::from_millis(500))
}

/// A sandbox with what the game gives to plugins.
pub fn furnished(hero: &Handle<Hero>) -> Result<Sandbox, Error> {
    let mut sandbox = Sandbox::builder().budget(tick_budget()).build()?;
    sandbox.set("hero", hero.clone())?;
    sandbox.awaitable("sleep")?;
    sandbox.doc("sleep", "In a story: goes on after so many frames.");
    Ok(sandbox)
}

impl Plugin {
    /// Reads a plugin and runs its top level. One that fails is there as well, switched off, with what is wrong.
    pub fn load(file: &Path, hero: &Handle<Hero>) -> io::Result<(Plugin, Option<String>)> {
        let source = fs::read_to_string(file)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut plugin = Plugin {
            name,
            script: None,
            sandbox: None,
            hero: hero.clone(),
            story: None,
            said: String::new(),
            state: State::On,
            strikes: 0,
            bill: Bill::default(),
        };
        let fault = plugin.start(&source).err().map(|error| {
            plugin.switch_off(State::Refused);
            error.to_string()
        });
        Ok((plugin, fault))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_on(&self) -> bool {
        self.state == State::On
    }

    /// Asks the plugin what it wants done in this frame.
    pub fn tick(&mut self, frame: u64, world: &Value) -> Result<Vec<Command>, String> {
        match self.try_tick(frame, world) {
            // Another plugin took the interpreter down, which no script should be able to do: start afresh.
            Err(Error::Lost) => match self.restart().and_then(|()| self.try_tick(frame, world)) {
                Ok(answer) => self.read(frame, answer),
                Err(error) => Err(self.failed(frame, &error)),
            },
            Ok(answer) => self.read(frame, answer),
            Err(error) => Err(self.failed(frame, &error)),
        }
    }

    /// Goes on with the plugin's story, if it has one.
    pub fn tell(&mut self, frame: u64) -> Result<(), String> {
        let Some(story) = &mut self.story else { return Ok(()) };
        let told = story.tell(frame, tick_budget());
        self.said.push_str(&story.take_output());
        if !matches!(told, Ok(true)) {
            self.bill.add_story(&story.usage());
            self.story = None;
        }
        told.map(drop).map_err(|error| self.failed(frame, &error))
    }

    /// What the plugin has printed since the last time.
    pub fn take_output(&mut self) -> String {
        let mut output = self.sandbox.as_mut().map(Sandbox::take_output).unwrap_or_default();
        output.push_str(&std::mem::take(&mut self.said));
        output
    }

    pub fn into_played(mut self) -> Played {
        if let Some(story) = self.story.take() {
            self.bill.add_story(&story.usage());
        }
        Played { name: self.name, state: self.state, bill: self.bill }
    }

    fn start(&mut self, source: &str) -> Result<(), Error> {
        let sandbox = Sandbox::builder().budget(tick_budget()).build()?;
        self.script = Some(sandbox.compile(&format!("{}.py", self.name), source)?);
        self.restart()
    }

    /// Runs the top level in a new sandbox. A script is compiled once, for any number of sandboxes.
    fn restart(&mut self) -> Result<(), Error> {
        let mut sandbox = furnished(&self.hero)?;
        let ran = match &self.script {
            Some(script) => sandbox.run_with::<Value>(script, tick_budget()),
            None => return Ok(()),
        };
        self.pay(ran)?;
        self.story = Story::begin(&mut sandbox)?;
        self.sandbox = Some(sandbox);
        Ok(())
    }

    fn try_tick(&mut self, frame: u64, world: &Value) -> Result<Vec<Value>, Error> {
        let Some(sandbox) = &mut self.sandbox else { return Err(Error::Lost) };
        let called = sandbox.call_with::<Vec<Value>>("tick", (frame, world.clone()), tick_budget());
        self.pay(called)
    }

    /// Writes a call to the bill, whatever came of it.
    fn pay<T>(&mut self, called: Result<(T, Usage), Error>) -> Result<T, Error> {
        match called {
            Ok((value, usage)) => {
                self.bill.add(&usage);
                Ok(value)
            }
            Err(error) => {
                if let Some(usage) = error.usage() {
                    self.bill.add(usage);
                }
                Err(error)
            }
        }
    }

    fn read(&mut self, frame: u64, answer: Vec<Value>) -> Result<Vec<Command>, String> {
        let commands: Result<_, String> = answer.into_iter().map(Command::parse).collect();
        match commands {
            Ok(commands) => {
                self.strikes = 0;
                Ok(commands)
            }
            Err(reason) => Err(self.strike(frame, &reason)),
        }
    }

    fn failed(&mut self, frame: u64, error: &Error) -> String {
        match error {
            // A mistake of its author, perhaps once in a while.
            Error::Exception(_) | Error::Conversion(_) => self.strike(frame, &error.to_string()),
            // Who takes more than the frame can give is off at once.
            _ => {
                self.switch_off(State::Disabled { frame });
                format!("{error}; disabled")
            }
        }
    }

    fn strike(&mut self, frame: u64, reason: &str) -> String {
        self.strikes += 1;
        if self.strikes < STRIKES {
            return format!("{reason} (strike {})", self.strikes);
        }
        self.switch_off(State::Disabled { frame });
        format!("{reason} (strike {}); disabled", self.strikes)
    }

    /// Drops the sandbox, which gives back all that the plugin holds.
    fn switch_off(&mut self, state: State) {
        self.state = state;
        self.story = None;
        self.sandbox = None;
    }
}
