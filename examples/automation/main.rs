//! A house whose owner writes rules: scripts that get each event and await what the house answers. All rules have an event at the same
//! time, on tokio; a rule that spins, imports what it may not or raises is switched off, and the others go on.
//!
//! ```text
//! cargo run --release --ignore-rust-version --features async --example automation
//! ```

use pycage::{Budget, Error, HostModule, MeteredAlloc, Policy, Sandbox};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

// The rules' memory limit rests on this line.
#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

/// What happens in the house: when, what, and its figure.
const EVENTS: [(&str, &str, f64); 12] = [
    ("06:50", "temperature", 17.5),
    ("07:10", "motion", 1.0),
    ("07:30", "door", 1.0),
    ("07:31", "door", 0.0),
    ("09:00", "temperature", 18.5),
    ("12:00", "temperature", 21.5),
    ("14:20", "humidity", 71.0),
    ("15:00", "door", 1.0),
    ("18:00", "temperature", 19.0),
    ("22:15", "motion", 1.0),
    ("23:00", "door", 0.0),
    ("23:40", "motion", 1.0),
];

/// A rule: a script in a sandbox of its own.
struct Rule {
    name: String,
    /// `None` once it was switched off.
    sandbox: Option<Sandbox>,
    /// What it had the house do since the last time.
    done: Arc<Mutex<Vec<String>>>,
}

impl Rule {
    fn load(name: &str, source: &str) -> (Rule, Result<(), Error>) {
        let done = Arc::<Mutex<Vec<String>>>::default();
        let (sandbox, loaded) = match Rule::sandbox(name, source, &done) {
            Ok(sandbox) => (Some(sandbox), Ok(())),
            Err(error) => (None, Err(error)),
        };
        (Rule { name: name.to_owned(), sandbox, done }, loaded)
    }

    fn sandbox(name: &str, source: &str, done: &Arc<Mutex<Vec<String>>>) -> Result<Sandbox, Error> {
        // The instructions are the limit that counts, as they are the same on every machine. The time is a safety net; it
        // stands still while a rule awaits.
        let budget =
            Budget::default().instructions(50_000).memory(4 << 20).output(1_000).timeout(Duration::from_secs(5));
        let mut sandbox = Sandbox::builder()
            .label(name)
            .policy(Policy::minimal().grant("statistics"))
            .budget(budget)
            .module(house(done))
            .build()?;
        let script = sandbox.compile(&format!("{name}.py"), source)?;
        sandbox.run::<()>(&script).map(|()| sandbox)
    }

    /// Gives the rule an event. One that fails is switched off.
    async fn handle(mut self, event: (&str, &str, f64)) -> (Rule, Result<(), Error>) {
        let handled = match &mut self.sandbox {
            Some(sandbox) => sandbox.call_async::<()>("on_event", event).await,
            None => Ok(()),
        };
        if handled.is_err() {
            self.sandbox = None;
        }
        (self, handled)
    }

    fn take_done(&self) -> Vec<String> {
        std::mem::take(&mut *self.done.lock().expect("nobody panics with it"))
    }
}

/// The module `host` of the rules.
fn house(done: &Arc<Mutex<Vec<String>>>) -> HostModule {
    let (switched, notified) = (done.clone(), done.clone());
    HostModule::new("host")
        .async_function("read", |sensor: String| async move {
            // A real one is somewhere on the network.
            tokio::time::sleep(Duration::from_millis(2)).await;
            match sensor.as_str() {
                "lux" => Ok(12.0),
                "outside" => Ok(9.5),
                _ => Err(format!("there is no sensor '{sensor}'")),
            }
        })
        .async_function("switch", move |device: String, on: bool| {
            let done = switched.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let state = if on { "on" } else { "off" };
                done.lock().expect("nobody panics with it").push(format!("switches the {device} {state}"));
            }
        })
        .async_function("notify", move |text: String| {
            let done = notified.clone();
            async move { done.lock().expect("nobody panics with it").push(format!("tells the owner: {text}")) }
        })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/automation/rules");
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut rules = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (rule, loaded) = Rule::load(&name, &std::fs::read_to_string(&file)?);
        if let Err(error) = loaded {
            println!("load   {name} is off: {error}");
        }
        rules.push(rule);
    }
    for event in EVENTS {
        // All at the same time, told in order.
        let handling: Vec<_> = rules.drain(..).map(|rule| tokio::spawn(rule.handle(event))).collect();
        for handled in handling {
            let (rule, result) = handled.await?;
            for what in rule.take_done() {
                println!("{}  {} {what}", event.0, rule.name);
            }
            if let Err(error) = result {
                println!("{}  {} is off: {error}", event.0, rule.name);
            }
            rules.push(rule);
        }
    }
    for rule in &rules {
        match &rule.sandbox {
            Some(sandbox) => println!("{}: on, {} instructions", rule.name, sandbox.total_usage().instructions),
            None => println!("{}: off", rule.name),
        }
    }
    Ok(())
}
