//! What the targets share: one runner a process, as interpreters cannot be given back, and time that is measured fairly.

use pycage::{Budget, Error, Runner, Sandbox};
use std::sync::{Mutex, Once, OnceLock};
use std::time::Duration;

/// The runner of all targets, with the canary planted. A new one when the last was lost.
pub fn runner() -> Runner {
    static RUNNER: Mutex<Option<Runner>> = Mutex::new(None);
    // The fuzzing engine ends the process at any panic, also at one of the compiler's that pycage answers with a rejection.
    // A panic that counts comes back as `Error::Crashed`, or leaves the target, where the engine sees it.
    static HOOK: Once = Once::new();
    if cfg!(fuzzing) {
        HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
    }
    let mut runner = RUNNER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match runner.as_ref() {
        Some(runner) if runner.is_alive() => runner.clone(),
        _ => {
            let fresh = Runner::new().expect("the system has a thread");
            fresh.plant_canary().expect("a fresh runner takes the canary");
            *runner = Some(fresh.clone());
            fresh
        }
    }
}

/// A new sandbox on the runner.
pub fn sandbox(budget: Budget) -> Sandbox {
    Sandbox::builder().runner(&runner()).budget(budget).build().expect("a sandbox can be built")
}

/// A budget for small programs that are expected to end: by their instructions, however loaded the machine is.
pub fn small() -> Budget {
    Budget::default().instructions(300_000).timeout(Duration::from_secs(600)).output(1 << 16)
}

/// Runs what measures time by the clock, and panics when it is too slow each time.
///
/// On a loaded machine a thread can wait for a core longer than any bound. An attempt that took less of the processor than
/// the bound was not too slow, whatever the clock says.
pub fn patiently(bound: Duration, mut attempt: impl FnMut() -> Result<(), String>) {
    let mut why = String::new();
    for _ in 0..4 {
        let before = processor_time();
        match attempt() {
            Ok(()) => return,
            Err(slow) => why = slow,
        }
        if processor_time().zip(before).is_some_and(|(after, before)| after - before < bound) {
            return;
        }
    }
    panic!("{why}");
}

/// What this process has had of the processor. `None` where the system does not tell.
fn processor_time() -> Option<Duration> {
    let status = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name in parentheses; user and system time, in hundredths of a second.
    let fields: Vec<&str> = status.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// Panics for the errors that no source and no script may cause.
pub fn expect_typed(error: &Error, source: &str) {
    match error {
        Error::Crashed { message, .. } => panic!("the interpreter panicked: {message}\n{source}"),
        Error::Lost => panic!("the runner was lost\n{source}"),
        Error::Setup(message) => panic!("not a host's mistake: {message}\n{source}"),
        _ => {}
    }
}

/// The source that raw bytes stand for.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether programs are to be shown, to look into a finding.
pub fn show(source: &str) {
    static SHOW: OnceLock<bool> = OnceLock::new();
    if *SHOW.get_or_init(|| std::env::var_os("PYCAGE_FUZZ_SHOW").is_some()) {
        eprintln!("{source}\n----");
    }
}
