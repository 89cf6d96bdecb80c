//! `pycage` in a child process, with a wall-clock limit and its peak of resident memory watched from outside.

use serde_json::Value as Json;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long any child may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A child that grows past this is killed, so that a failing case does not take the machine with it.
const GROWN_TOO_LARGE: u64 = 2 << 30;

/// Between two looks at a child.
const POLL: Duration = Duration::from_millis(2);

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// The signal, or why it was killed from here.
    pub killed: Option<String>,
    /// From its start to its end.
    pub elapsed: Duration,
    /// Peak of resident memory in bytes, as of the last look before its end. Zero where the system has no `/proc`.
    pub peak_resident: u64,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The lines of standard output as JSON, or what is wrong with them.
    pub fn json_lines(&self) -> Result<Vec<Json>, String> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).map_err(|error| format!("not JSON ({error}): {line:.200}")))
            .collect()
    }

    /// The only line of standard output.
    pub fn json(&self) -> Result<Json, String> {
        match <[Json; 1]>::try_from(self.json_lines()?) {
            Ok([line]) => Ok(line),
            Err(lines) => Err(format!("{} lines of JSON, not 1; {self:?}", lines.len()).chars().take(1500).collect()),
        }
    }
}

/// Runs `pycage` with these arguments and this standard input.
pub fn pycage<S: AsRef<str>>(args: &[S], stdin: &[u8]) -> Ended {
    run(Command::new(env!("CARGO_BIN_EXE_pycage")).args(args.iter().map(AsRef::as_ref)), stdin)
}

/// Runs one ignored test of this binary, in a process of its own, with this standard input.
pub fn ignored_test(name: &str, stdin: &[u8]) -> Ended {
    let binary = std::env::current_exe().expect("the system knows what runs");
    run(Command::new(binary).args([name, "--exact", "--ignored", "--nocapture", "--quiet"]), stdin)
}

fn run(command: &mut Command, stdin: &[u8]) -> Ended {
    let _slot = Slot::take();
    let started = Instant::now();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut input = child.stdin.take().expect("standard input was piped");
    let output = child.stdout.take().expect("standard output was piped");
    let errors = child.stderr.take().expect("standard error was piped");
    std::thread::scope(|scope| {
        // On threads of their own: a child may stop reading, and may write more than a pipe holds.
        scope.spawn(move || {
            // A child that ends without reading all of it is no failure of the test.
            let _ = input.write_all(stdin);
        });
        let stdout = scope.spawn(|| read_all(output));
        let stderr = scope.spawn(|| read_all(errors));
        let (status, why, peak_resident) = watch(&mut child, started);
        Ended {
            status: status.code(),
            killed: why.or_else(|| signal(status)),
            elapsed: started.elapsed(),
            peak_resident,
            stdout: stdout.join().expect("the reader of standard output ends"),
            stderr: stderr.join().expect("the reader of standard error ends"),
        }
    })
}

fn watch(child: &mut Child, started: Instant) -> (ExitStatus, Option<String>, u64) {
    let mut peak = 0;
    let mut why = None;
    loop {
        peak = peak.max(peak_resident(child.id()));
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return (status, why, peak);
        }
        if why.is_none() {
            if started.elapsed() > PATIENCE {
                why = Some(format!("killed: still running after {PATIENCE:?}"));
            } else if peak > GROWN_TOO_LARGE {
                why = Some(format!("killed: {} MiB resident", peak >> 20));
            }
            if why.is_some() {
                child.kill().expect("a child can be killed");
            }
        }
        std::thread::sleep(POLL);
    }
}

/// The high-water mark that the kernel keeps, so a peak between two looks is seen at the second.
fn peak_resident(pid: u32) -> u64 {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

fn read_all(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("a pipe can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt;
    status.signal().map(|signal| format!("signal {signal}"))
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<String> {
    None
}

/// A place for one child: more at once than there are cores would be measured as slow.
struct Slot;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Slot {
        let places = std::thread::available_parallelism().map_or(2, usize::from);
        let mut taken = TAKEN.lock().unwrap();
        while *taken >= places {
            taken = FREED.wait(taken).unwrap();
        }
        *taken += 1;
        Slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap() -= 1;
        FREED.notify_one();
    }
}
