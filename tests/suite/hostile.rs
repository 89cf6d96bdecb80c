//! Hostile scripts, a table a class, each in a process of its own: it ends by itself, in time, without taking the
//! machine's memory, and never by a signal.

use crate::support::child::{self, Ended};
use crate::support::table::{CaseTable, Entry};
use crate::support::{assert_none, expect, in_parallel};
use std::time::Duration;

/// The budget of every case.
const BUDGET: [&str; 4] = ["--timeout", "2000", "--max-memory", "67108864"];

/// A case ends within this, from the start of its process to its end.
const WITHIN: Duration = Duration::from_millis(2500);

/// Added for the dev profile, and for a machine that does other work beside.
const MARGIN: Duration = Duration::from_millis(1500);

/// Resident memory of a process that runs a case.
const RESIDENT: u64 = 256 << 20;

/// What a sandbox holds at its peak: the memory budget, and what one operation may take past it.
const HELD: u64 = (64 + 16) << 20;

/// What a script must never print: tables have it after what trips the budget.
const AFTER: &str = "AFTER";

macro_rules! tables {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(concat!("hostile/", stringify!($name), ".toml"));
        }
    )*};
}

tables! { loops catchers native sizes quadratic memory stack compile panics modules regex hosted files }

fn check(path: &str) {
    let table = CaseTable::read(path);
    let args = [vec!["run".to_owned(), "--json".to_owned()], BUDGET.map(str::to_owned).to_vec(), table.list("args")];
    let args = [args.concat(), vec!["-".to_owned()]].concat();
    let cases = table.entries("case", &["expect"]);
    let controls = table.entries("control", &["value"]);
    assert!(!cases.is_empty() && !controls.is_empty(), "{path}: needs cases and controls");

    let ended = in_parallel(&cases, |case| child::pycage(&args, case.source.as_bytes()));
    let mut wrong = Vec::new();
    for (case, ended) in cases.iter().zip(&ended) {
        if let Err(why) = ended_well(ended).and_then(|()| came_to(case, ended)) {
            wrong.push(format!("{path}: {}: {why}", case.name));
        }
    }
    // Controls have the default budget: they show that the same operations work in ordinary sizes.
    let control_args = [vec!["run".to_owned(), "--json".to_owned()], given(&args), vec!["-".to_owned()]].concat();
    let controlled = in_parallel(&controls, |control| child::pycage(&control_args, control.source.as_bytes()));
    for (control, ended) in controls.iter().zip(&controlled) {
        if let Err(why) = ran(control, ended) {
            wrong.push(format!("{path}: control {}: {why}", control.name));
        }
    }
    summary(path, &cases, &ended);
    assert_none("hostile cases not held", wrong);
}

/// What holds for every case, whatever it comes to.
fn ended_well(ended: &Ended) -> Result<(), String> {
    if let Some(why) = &ended.killed {
        return Err(format!("{why} after {:?}; {:.300}", ended.elapsed, ended.stderr));
    }
    if !matches!(ended.status, Some(0 | 1 | 3 | 4)) {
        return Err(format!("exit status {:?}; {:.300}{:.300}", ended.status, ended.stderr, ended.stdout));
    }
    if ended.elapsed > WITHIN + MARGIN {
        return Err(format!("took {:?}", ended.elapsed));
    }
    if ended.peak_resident > RESIDENT {
        return Err(format!("{} MiB resident", ended.peak_resident >> 20));
    }
    if !ended.stderr.is_empty() {
        return Err(format!("wrote to the host's standard error: {:.300}", ended.stderr));
    }
    Ok(())
}

fn came_to(case: &Entry, ended: &Ended) -> Result<(), String> {
    let came = ended.json()?;
    expect::check(case.text("expect"), &came)?;
    if came["usage"]["peak_bytes"].as_u64().is_none_or(|peak| peak > HELD) {
        return Err(format!("held {} bytes", came["usage"]["peak_bytes"]));
    }
    if came["output"].as_str().is_none_or(|output| output.contains(AFTER)) {
        return Err(format!("ran on after its budget: {:.300}", came["output"].to_string()));
    }
    Ok(())
}

fn ran(control: &Entry, ended: &Ended) -> Result<(), String> {
    let came = ended.json()?;
    expect::check("ok", &came)?;
    let value = came["value"].to_string();
    if value != control.text("value") {
        return Err(format!("expected {}, got {value}", control.text("value")));
    }
    Ok(())
}

/// Seen with `--nocapture`: what took longest, and most.
fn summary(path: &str, cases: &[Entry], ended: &[Ended]) {
    let slowest = cases.iter().zip(ended).max_by_key(|(_, ended)| ended.elapsed);
    let largest = cases.iter().zip(ended).max_by_key(|(_, ended)| ended.peak_resident);
    if let (Some((slow, time)), Some((large, memory))) = (slowest, largest) {
        println!(
            "{path}: {} cases; slowest {} {:?}; largest {} {} MiB",
            cases.len(),
            slow.name,
            time.elapsed,
            large.name,
            memory.peak_resident >> 20
        );
    }
}

/// What a table gives its scripts: modules, and what is the host's.
fn given(args: &[String]) -> Vec<String> {
    let grants = args.windows(2).filter(|pair| pair[0] == "--grant").flatten();
    grants.chain(args.iter().filter(|arg| *arg == "--hosted")).cloned().collect()
}
