//! `pycage batch`: many jobs over many workers, one result for each.
//!
//! * [`job`]: what is to be done.
//! * [`results`]: the file that each result is written to, once.
//! * [`summary`]: what people see.

mod job;
mod results;
mod summary;

use crate::place::{Audit, Place, Wanted};
use crate::report::Report;
use crate::{BatchArgs, json, status};
use job::Job;
use pycage::process::DeathCause;
use pycage::{Error, Sandbox};
use results::Results;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use summary::Summary;

/// After a worker that could not be had, before the next try. It doubles with each.
const PAUSE: Duration = Duration::from_millis(200);

/// It does not double further.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs every job that has no result yet. The status is 0 when all of them have one, whatever it is.
pub fn batch(args: &BatchArgs) -> Result<u8, String> {
    let (_, text) = crate::read(&args.jobs)?;
    let jobs = job::read(&text).map_err(|error| format!("{}: {error}", args.jobs.display()))?;
    let audit = args.place.audit()?;
    let (results, done) = Results::open(&args.results, args.in_order)?;
    let todo: Vec<&Job> = jobs.iter().filter(|job| !done.contains(&job.id)).collect();
    let skipped = jobs.len() - todo.len();
    let batch = Batch {
        args,
        audit,
        folder: args.jobs.parent().map(Path::to_owned).unwrap_or_default(),
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        written: Mutex::new((results, Summary::new(todo.len()))),
        todo,
    };
    let workers = args.workers.max(1);
    let wanted = Wanted { workers, memory: batch.most_memory(), ..Wanted::default() };
    let place = again(args.retries, || Place::new(&args.place, wanted))?;
    thread::scope(|scope| {
        let shared = &batch;
        let start = |_| place.another().map(|mut place| scope.spawn(move || shared.work(&mut place)));
        let workers: Vec<_> = (0..workers).map(start).collect();
        workers.into_iter().try_for_each(|worker| match worker?.join() {
            Ok(result) => result,
            Err(_) => Err("a worker's thread panicked".to_owned()),
        })
    })?;
    let lost = batch.audit.finish();
    let (mut results, mut summary) = batch.written.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.finish().map_err(|error| format!("{}: {error}", args.results.display()))?;
    eprint!("{}", summary.table(skipped));
    lost.map(|()| status::OK)
}

struct Batch<'a> {
    args: &'a BatchArgs,
    audit: Audit,
    /// What the paths of jobs are relative to.
    folder: PathBuf,
    todo: Vec<&'a Job>,
    next: AtomicUsize,
    /// Whether one of the workers has given up: then all do.
    stopped: AtomicBool,
    written: Mutex<(Results, Summary)>,
}

impl Batch<'_> {
    /// The largest memory limit of a job, which its worker has to have.
    fn most_memory(&self) -> Option<u64> {
        self.todo.iter().filter_map(|job| job.max_memory).chain(self.args.place.limits.max_memory).max()
    }

    /// Takes one job after the other.
    fn work(&self, place: &mut Place) -> Result<(), String> {
        while !self.stopped.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.todo.get(number) else { break };
            let done = self.finish(place, job, number);
            if done.is_err() {
                self.stopped.store(true, Ordering::Relaxed);
                return done;
            }
        }
        Ok(())
    }

    /// Runs a job until something came of it, and writes that down.
    fn finish(&self, place: &mut Place, job: &Job, number: usize) -> Result<(), String> {
        let mut attempts = 0;
        let report = loop {
            attempts += 1;
            let report = self.attempt(place, job)?;
            if attempts > self.args.retries || !worker_was_lost(&report) {
                break report;
            }
        };
        let mut line = serde_json::Map::new();
        line.insert("id".into(), job.id.clone().into());
        line.insert("attempts".into(), attempts.into());
        line.extend(report.object());
        let line = json::line(&serde_json::Value::Object(line));
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (results, summary) = &mut *written;
        results.write(number, line).map_err(|error| format!("{}: {error}", self.args.results.display()))?;
        summary.add(report.outcome(), &report.usage(), attempts);
        Ok(())
    }

    fn attempt(&self, place: &mut Place, job: &Job) -> Result<Report, String> {
        let rejected =
            |why: String| Report { result: Err(Error::Setup(why)), output: String::new(), enforced: Vec::new() };
        let (name, source) = match job.source(&self.folder) {
            Ok(source) => source,
            Err(why) => return Ok(rejected(why)),
        };
        let mut sandbox = self.sandbox(place, job)?;
        let enforced = sandbox.enforced();
        let budget = sandbox.budget().clone();
        let set = job.inputs.as_ref().map_or(Ok(()), |inputs| sandbox.set("inputs", inputs.clone()));
        let result = set.and_then(|()| sandbox.eval_named(&name, &source, budget));
        Ok(Report { result, output: sandbox.take_output(), enforced })
    }

    /// A sandbox for a job. That no worker is to be had is no result of the job's: after some tries the batch gives up,
    /// and can be taken up again.
    fn sandbox(&self, place: &mut Place, job: &Job) -> Result<Sandbox, String> {
        let base = self.args.place.policy();
        let builder = || {
            let builder = Sandbox::builder().policy(job.policy(&base)).budget(job.budget(&self.args.place.budget()));
            self.args.place.furnish(self.audit.of(builder, &job.id))
        };
        again(self.args.retries, || place.build(builder().map_err(Error::Setup)?))
            .map_err(|error| format!("no worker for the job '{}': {error}; the same command goes on from here", job.id))
    }
}

/// Tries until it works, `retries` times after the first: workers that start can be lost as others.
fn again<T, E>(retries: u32, mut attempt: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut pause = PAUSE;
    for _ in 0..retries {
        if let Ok(done) = attempt() {
            return Ok(done);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    attempt()
}

/// Whether a worker went away, by what the script need not have to do with. A worker stops its script by itself at the
/// deadline: one that says nothing by then may be on a machine that is gone.
fn worker_was_lost(report: &Report) -> bool {
    match &report.result {
        Err(Error::Lost) => true,
        Err(Error::Died(death)) => {
            !matches!(death.cause, DeathCause::OutOfMemory | DeathCause::CpuTime | DeathCause::Denied)
        }
        _ => false,
    }
}
