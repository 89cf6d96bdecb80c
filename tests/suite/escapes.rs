//! Escapes: every known technique is stopped by the ring that its table names, and by the run ring without the validator.
//!
//! A script that gets what it must not have shows `REACHED`, or the planted secret. Each entry has a control: a program
//! that looks like it and must run, so that an entry cannot be stopped for the wrong reason.

use crate::support::table::{CaseTable, Entry};
use crate::support::{assert_none, child, expect, in_parallel};
use pycage::{Error, HostModule, MemoryFiles, Mount, Sandbox};
use serde_json::Value as Json;
use std::path::PathBuf;

/// Files that one child runs on one runner: what one leaves behind, the next can find.
const BATCH: usize = 24;

/// What a script shows that has escaped.
const SIGNALS: [&str; 2] = ["REACHED", "S3CRET"];

/// The stage that must stop an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The compile ring rejects it; at run time there is no harm in it.
    Compile,
    /// The compile ring cannot see it; the run ring stops it.
    Run,
    /// The compile ring rejects it, and the run ring stops it all the same.
    Both,
}

impl Stage {
    fn of(entry: &Entry) -> Stage {
        match entry.text("stage") {
            "compile" => Stage::Compile,
            "run" => Stage::Run,
            "both" => Stage::Both,
            other => panic!("{}: '{other}' is no stage", entry.name),
        }
    }

    fn by_compile_ring(self) -> bool {
        self != Stage::Run
    }
}

/// Which rings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Both,
    /// With the validator switched off, by a flag that only this crate's tests have.
    RunAlone,
}

impl Mode {
    /// The outcomes that stop an entry of this stage.
    fn stops(self, stage: Stage) -> &'static [&'static str] {
        match (self, stage) {
            (Mode::Both, Stage::Run) => &["exception", "budget", "rejected"],
            (Mode::Both, _) => &["rejected"],
            (Mode::RunAlone, Stage::Compile) => &["ok", "exception", "budget", "rejected"],
            (Mode::RunAlone, _) => &["exception", "budget", "rejected"],
        }
    }
}

#[test]
fn both_rings_stop_every_entry() {
    none_escapes(Mode::Both);
}

#[test]
fn the_run_ring_alone_stops_every_entry() {
    none_escapes(Mode::RunAlone);
}

#[test]
fn every_control_runs() {
    controls_run(Mode::Both);
}

/// With the validator off they must run too: else an entry could be stopped by what breaks ordinary programs.
#[test]
fn every_control_runs_without_the_validator() {
    controls_run(Mode::RunAlone);
}

fn none_escapes(mode: Mode) {
    let entries = entries();
    let sources = entries.iter().map(|entry| (&entry.name, &*entry.source)).collect();
    let wrong = entries.iter().zip(run_all(mode, sources)).filter_map(|(entry, came)| {
        came.and_then(|came| stopped(entry, mode, &came)).err().map(|why| named(entry, &why))
    });
    assert_none("escapes not stopped", wrong.collect());
}

fn controls_run(mode: Mode) {
    let entries = entries();
    let sources = entries.iter().map(|entry| (&entry.name, entry.text("control"))).collect();
    let wrong = entries.iter().zip(run_all(mode, sources)).filter_map(|(entry, came)| {
        came.and_then(|came| {
            expect::check("ok", &came)?;
            let value = came["value"].to_string();
            if value == entry.text("value") {
                Ok(())
            } else {
                Err(format!("expected {}, got {value}", entry.text("value")))
            }
        })
        .err()
        .map(|why| named(entry, &why))
    });
    assert_none("controls that do not run", wrong.collect());
}

#[test]
fn the_compile_ring_alone_rejects() {
    // What `--hosted` gives, by name: controls may import it.
    let files = Mount::memory(&MemoryFiles::new());
    let provided = Sandbox::builder().module(HostModule::new("hostkit")).mount("scratch", files);
    let sandbox = provided.build().unwrap();
    let mut wrong = Vec::new();
    for entry in entries().iter().filter(|entry| Stage::of(entry).by_compile_ring()) {
        match sandbox.compile(&entry.name, &entry.source) {
            Err(Error::Rejected(rejection)) if rejection.line >= 1 && rejection.column >= 1 => {}
            Err(Error::Syntax(error)) if error.line >= 1 && error.column >= 1 => {}
            other => wrong.push(named(entry, &format!("{other:?}"))),
        }
        if let Err(error) = sandbox.compile(&entry.name, entry.text("control")) {
            wrong.push(named(entry, &format!("its control: {error}")));
        }
    }
    assert_none("escapes not rejected", wrong);
}

fn stopped(entry: &Entry, mode: Mode, came: &Json) -> Result<(), String> {
    // Only what the script shows counts: a rejection may quote its source.
    let shown = match came["outcome"].as_str() {
        Some("rejected") => came["output"].to_string(),
        _ => came.to_string(),
    };
    // What the compile ring alone is named for reaches nothing at run time, whatever it prints.
    let harmless = mode == Mode::RunAlone && Stage::of(entry) == Stage::Compile;
    let signals = if harmless { &SIGNALS[1..] } else { &SIGNALS[..] };
    if let Some(signal) = signals.iter().find(|signal| shown.contains(**signal)) {
        return Err(format!("escaped ({signal}): {shown:.300}"));
    }
    let outcome = came["outcome"].as_str().unwrap_or("nothing");
    let stops = mode.stops(Stage::of(entry));
    if !stops.contains(&outcome) {
        return Err(format!("expected one of {stops:?}, came to {}: {shown:.300}", expect::outcome(came)));
    }
    if outcome == "rejected" && !(came["error"]["line"].is_u64() && came["error"]["column"].is_u64()) {
        return Err(format!("rejected without line and column: {came:.300}"));
    }
    Ok(())
}

/// Runs sources with the canary planted, many on one runner; answers what came of each.
fn run_all(mode: Mode, sources: Vec<(&String, &str)>) -> Vec<Result<Json, String>> {
    let batches: Vec<Vec<(&String, &str)>> = sources.chunks(BATCH).map(<[_]>::to_vec).collect();
    let answers = in_parallel(&batches, |batch| {
        let files: Vec<PathBuf> = batch.iter().map(|(name, source)| written(mode, name, source)).collect();
        let lines = run_files(mode, &files);
        match lines {
            Ok(lines) if lines.len() == files.len() => lines.into_iter().map(Ok).collect::<Vec<_>>(),
            // One of them took the process down: each alone, to name it.
            _ => files.iter().map(|file| run_files(mode, std::slice::from_ref(file)).and_then(only)).collect(),
        }
    });
    answers.into_iter().flatten().collect()
}

fn run_files(mode: Mode, files: &[PathBuf]) -> Result<Vec<Json>, String> {
    let unvalidated = (mode == Mode::RunAlone).then_some("--unvalidated");
    let options = ["run", "--json", "--canary", "--hosted", "--timeout", "2000"]
        .into_iter()
        .chain(unvalidated)
        .map(str::to_owned);
    let files = files.iter().map(|file| file.display().to_string());
    let ended = child::pycage(&options.chain(files).collect::<Vec<_>>(), b"");
    if let Some(why) = &ended.killed {
        return Err(format!("{why}; {:.300}", ended.stderr));
    }
    if !ended.stderr.is_empty() && SIGNALS.iter().any(|signal| ended.stderr.contains(signal)) {
        return Err(format!("escaped to standard error: {:.300}", ended.stderr));
    }
    ended.json_lines()
}

fn only(lines: Vec<Json>) -> Result<Json, String> {
    lines.into_iter().next().ok_or_else(|| "the process ended without a line".to_owned())
}

/// A file of its own for each source and mode: entries and controls of a name run at the same time, in every mode.
fn written(mode: Mode, name: &str, source: &str) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("escapes-{mode:?}"));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}-{:016x}.py", hasher.finish()));
    std::fs::write(&file, source).unwrap();
    file
}

fn entries() -> Vec<Entry> {
    CaseTable::read_folder("escapes")
        .iter()
        .flat_map(|table| table.entries("entry", &["technique", "stage", "control", "value"]))
        .collect()
}

fn named(entry: &Entry, why: &str) -> String {
    format!("{} ({}): {why}", entry.name, entry.text("technique"))
}
