//! `pycage repl`: one sandbox, an entry at a time, and the bill after each.

mod editor;
mod entry;

use crate::place::{Place, PlaceArgs, Wanted};
use crate::{print, status};
use clap::Args;
use editor::Lines;
use entry::Entry;
use pycage::{Cancel, Error, Sandbox, Usage, Value};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const HELP: &str = "\
Type Python; a block ends with an empty line. `_` is the last value. Control-C stops what runs.
:help    this text
:total   what the entries since the last :reset have cost together
:reset   an empty sandbox
:quit    the end, as Control-D
";

#[derive(Args)]
pub struct ReplArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Keep the history of entries there from one time to the next
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// Reads, runs and shows until the input ends.
pub fn repl(args: &ReplArgs) -> Result<u8, String> {
    let wanted = Wanted { workers: 1, memory: args.place.limits.max_memory, ..Wanted::default() };
    let mut console = Console::new(args, Place::new(&args.place, wanted)?)?;
    let mut lines = Lines::new(args.history.clone())?;
    if lines.interactive {
        print(&format!("pycage {}: restricted Python, metered. :help for help\n", env!("CARGO_PKG_VERSION")));
    }
    while let Some(text) = lines.next(&console.sandbox)? {
        match text.trim() {
            "" => {}
            ":quit" => break,
            ":help" => print(HELP),
            ":total" => print(&bill(&console.sandbox.total_usage())),
            ":reset" => console.reset()?,
            command if command.starts_with(':') => {
                print(&format!("there is no {command}; :help tells what there is\n"))
            }
            _ => console.answer(&text)?,
        }
    }
    lines.save()?;
    Ok(status::OK)
}

/// The sandbox that entries run in.
struct Console<'a> {
    args: &'a ReplArgs,
    place: Place,
    sandbox: Sandbox,
    /// What Control-C stops.
    cancel: Arc<Mutex<Cancel>>,
    entries: u32,
}

impl<'a> Console<'a> {
    fn new(args: &'a ReplArgs, mut place: Place) -> Result<Self, String> {
        let sandbox = new_sandbox(args, &mut place)?;
        let cancel = Arc::new(Mutex::new(sandbox.cancel_handle()));
        let stop = cancel.clone();
        let handled = ctrlc::set_handler(move || {
            if let Ok(cancel) = stop.lock() {
                cancel.cancel();
            }
        });
        handled.map_err(|error| format!("Control-C: {error}"))?;
        Ok(Console { args, place, sandbox, cancel, entries: 0 })
    }

    /// Runs an entry, shows what it printed and its value, and the bill.
    fn answer(&mut self, text: &str) -> Result<(), String> {
        self.entries += 1;
        let name = format!("<entry {}>", self.entries);
        let before = self.sandbox.total_usage();
        self.sandbox.cancel_handle().reset();
        let result = self.evaluate(&name, text);
        print(&self.sandbox.take_output());
        match &result {
            Ok(None) => {}
            Ok(Some(shown)) => print(&format!("{shown}\n")),
            Err(Error::Exception(exception)) => print(&format!("{}\n", exception.traceback_text())),
            Err(error) => print(&format!("{error}\n")),
        }
        print(&bill(&since(&before, &self.sandbox.total_usage())));
        match result {
            Err(Error::Stuck(_) | Error::Crashed { .. } | Error::Lost | Error::Died(_)) => {
                print("the sandbox is lost with all that was in it; here is an empty one\n");
                self.reset()
            }
            _ => Ok(()),
        }
    }

    /// The `repr` of the entry's value, if it has one.
    fn evaluate(&mut self, name: &str, text: &str) -> Result<Option<String>, Error> {
        let budget = self.sandbox.budget().clone();
        // First as it was typed: so the positions of errors are right.
        self.sandbox.compile(name, text)?;
        let entry = Entry::new(text);
        self.sandbox.eval_named::<Value>(name, entry.source(), budget.clone())?;
        if !entry.has_value() {
            return Ok(None);
        }
        // A part of the entry, as its `__repr__` may be the script's.
        let (shown, _) = self.sandbox.eval_named::<Option<String>>(name, Entry::SHOW, budget)?;
        Ok(shown)
    }

    fn reset(&mut self) -> Result<(), String> {
        self.sandbox = new_sandbox(self.args, &mut self.place)?;
        if let Ok(mut cancel) = self.cancel.lock() {
            *cancel = self.sandbox.cancel_handle();
        }
        Ok(())
    }
}

fn new_sandbox(args: &ReplArgs, place: &mut Place) -> Result<Sandbox, String> {
    let builder = Sandbox::builder().policy(args.place.policy()).budget(args.place.budget());
    let builder = args.place.furnish(builder)?;
    place.build(builder).map_err(|error| error.to_string())
}

fn since(before: &Usage, after: &Usage) -> Usage {
    let mut usage = *after;
    usage.instructions -= before.instructions;
    usage.native_steps -= before.native_steps;
    usage.allocated_bytes -= before.allocated_bytes;
    usage.elapsed -= before.elapsed;
    usage
}

/// As a comment, so that a session can be pasted into a file.
fn bill(usage: &Usage) -> String {
    format!(
        "# {} instructions, {} native steps, {:.1} KiB allocated, {:.2} ms\n",
        usage.instructions,
        usage.native_steps,
        usage.allocated_bytes as f64 / 1024.0,
        usage.elapsed.as_secs_f64() * 1e3,
    )
}
