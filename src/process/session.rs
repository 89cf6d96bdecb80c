//! A worker in the hands of a sandbox: what it is asked for, and its end.

use super::call::{Broken, HostsTurn, Run, believable, find, keep};
use super::death::{DeathCause, WorkerDeath, cause};
use super::handles::Handles;
use super::jail::{Report, Wall};
use super::launcher::{Link, Process};
use super::opening;
use super::place::Place;
use super::protocol::VERSION;
use super::protocol::frame::{self, FrameError, FrameReader};
use super::protocol::message::{
    Call, Done as WireDone, FromWorker, HostAnswer, Start as StartWorker, ToWorker, WireOp, WireScript, WireSlice,
};
use super::supply::Shared;
use super::watchdog;
use super::watchdog::{Input, Watch};
use crate::budget::Budget;
use crate::error::Error;
use crate::host::failure::HostError;
use crate::meter::run::LiveUsage;
use crate::runner::cage::Done;
use crate::runner::fiber::Reply;
use crate::runner::operation::Op;
use crate::runner::tasks::{Allowance, Start, Stepped, TaskId};
use crate::sandbox::{COMPILE_PATIENCE, Config};
use crate::script::{Script, ScriptId};
use crate::usage::Usage;
use crate::value::Value;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long past its deadline a call may go on before its worker is killed.
const GRACE: Duration = Duration::from_millis(300);

/// How long a worker may take to forget a sandbox.
const CLOSING: Duration = Duration::from_millis(500);

/// How long after its pipe broke a worker may take to end by itself, so that its own end is what is reported.
const ENDING: Duration = Duration::from_millis(100);

/// What is kept of a worker's standard error.
const MAX_STDERR: u64 = 16 << 10;

/// Scripts known to a worker at which it is worth looking for dropped ones.
const FORGET_AT: usize = 64;

/// A worker that has come up.
pub(crate) struct Worker {
    pub(super) reader: FrameReader<Box<dyn Read + Send>>,
    input: Input,
    errors: Option<Box<dyn Read + Send>>,
    process: Arc<dyn Process>,
    pub(super) watch: Arc<Watch>,
    scratch: Vec<u8>,
    pub(crate) report: Report,
    /// Calls so far.
    pub(crate) calls: u64,
    /// Whether it has said that it cannot go on.
    worn: bool,
    /// Whether it is to be replaced when its sandbox is done with it: what it has used up comes back with a new process.
    used_up: bool,
}

impl Worker {
    /// Waits for a launched worker to come up, in the jail that is wanted.
    pub(crate) fn come_up(link: Link, start: StartWorker, patience: Duration) -> Result<Worker, Error> {
        watchdog::start().map_err(|error| Error::Setup(format!("no thread for the watchdog: {error}")))?;
        let input: Input = Arc::new(Mutex::new(Some(link.input)));
        let watch = Watch::begin(link.process.clone(), input.clone());
        let mut worker = Worker {
            reader: FrameReader::new(link.output),
            input,
            errors: link.errors,
            process: link.process,
            watch,
            scratch: Vec::new(),
            report: Report::default(),
            calls: 0,
            worn: false,
            used_up: false,
        };
        worker.watch.arm(0, patience);
        let ready = worker.send(&ToWorker::Start(start)).and_then(|()| worker.reader.next());
        let in_time = worker.watch.disarm().is_some();
        match ready {
            Ok(FromWorker::Ready(ready)) if ready.version == VERSION && in_time => {
                worker.report = ready.report;
                for (wall, raised) in worker.process.walls() {
                    worker.report.note_seen(wall, raised);
                }
                Ok(worker)
            }
            Ok(FromWorker::Ready(ready)) if in_time => Err(Error::Setup(format!(
                "the worker speaks version {} of the protocol, this host version {VERSION}; use the same pycage on both",
                ready.version
            ))),
            Ok(_) if in_time => Err(Error::Setup("what was started does not speak as a worker".to_owned())),
            _ if !in_time => {
                Err(Error::Setup(format!("no worker came up within {patience:?}; {}", worker.complaint())))
            }
            Ok(_) => Err(Error::Setup("no worker came up".to_owned())),
            Err(error) => Err(Error::Setup(format!("no worker came up: {error}; {}", worker.complaint()))),
        }
    }

    /// What it has on its heart, for a message.
    fn complaint(&mut self) -> String {
        let exit = self.process.wait(ENDING);
        let stderr = self.stderr();
        match (exit, stderr.trim()) {
            (Some(exit), "") => match self.process.ended_by() {
                Some(wall) => format!("{wall} ended it"),
                None => format!("it ended ({exit:?}) without a word"),
            },
            (None, "") => "it wrote nothing to its standard error".to_owned(),
            (_, text) => format!("it wrote: {text}"),
        }
    }

    fn stderr(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(errors) = &mut self.errors {
            // Ends with an error where more could come: what is there is kept.
            let _ = errors.take(MAX_STDERR).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn send(&mut self, message: &ToWorker) -> Result<(), FrameError> {
        match self.input.lock().as_mut() {
            Some(input) => frame::write(input, &mut self.scratch, message),
            None => Err(FrameError::Closed),
        }
    }

    /// Begins a sandbox.
    pub(crate) fn open(
        &mut self,
        handles: Option<&ToWorker>,
        opening: &ToWorker,
        config: &Config,
    ) -> Result<(), FrameError> {
        self.watch.set_cancel(Some(config.cancel.0.clone()));
        self.watch.arm(0, CLOSING);
        let sent = handles.map_or(Ok(()), |handles| self.send(handles)).and_then(|()| self.send(opening));
        match self.watch.disarm() {
            Some(_) => sent,
            None => Err(FrameError::Closed),
        }
    }

    /// Ends the sandbox. `false` when the worker is of no further use.
    pub(crate) fn close(&mut self) -> bool {
        self.watch.set_cancel(None);
        if self.worn || self.used_up {
            return false;
        }
        self.watch.arm(0, CLOSING);
        let closed = self.send(&ToWorker::Close(())).and_then(|()| self.reader.next());
        // What wrappers around the worker say now and then must not fill the pipe.
        self.stderr();
        self.watch.disarm().is_some() && matches!(closed, Ok(FromWorker::Closed(()))) && !self.reader.has_buffered()
    }

    /// Makes an end of it, and says how it ended.
    fn bury(&mut self, error: &FrameError, too_late: bool, usage: Usage) -> WorkerDeath {
        self.worn = true;
        let broken = matches!(error, FrameError::Closed | FrameError::Truncated | FrameError::Io(_));
        // Its own end is what counts, where it has come to one.
        let own = if broken && !too_late { self.process.wait(ENDING) } else { None };
        self.process.kill();
        let stderr = self.stderr();
        let wall = own.and_then(|_| self.process.ended_by());
        let cause = match own {
            _ if too_late => DeathCause::Deadline,
            Some(_) if wall == Some(Wall::CgroupMemory) => DeathCause::OutOfMemory,
            Some(exit) => cause(exit, &stderr),
            None => DeathCause::Protocol(error.to_string()),
        };
        event!(
            target: "pycage::worker", WARN,
            cause = cause.name(), calls = self.calls, instructions = usage.instructions,
            "worker died"
        );
        WorkerDeath { cause, wall, stderr, usage: Box::new(usage) }
    }
}

impl Drop for Worker {
    /// Leaves neither a process nor a zombie.
    fn drop(&mut self) {
        *self.input.lock() = None;
        self.process.kill();
        self.process.wait(Duration::from_secs(1));
    }
}

/// A sandbox's hold on its worker.
pub(crate) struct Session {
    pool: Arc<Shared>,
    worker: Option<Worker>,
    handles: Handles,
    /// Scripts that the worker keeps.
    known: HashMap<ScriptId, Script>,
    /// Which of them the worker is to be told to forget.
    forget: Vec<u64>,
    /// Tasks that were dropped, of which the worker is still to be told.
    ended: Arc<Mutex<Vec<u64>>>,
    /// The last errors of host functions, by number.
    host_errors: VecDeque<(u32, HostError)>,
}

impl Session {
    /// Takes a worker from its pool.
    pub(crate) fn begin(mut place: Place, config: &Config) -> Result<Session, Error> {
        let mut handles = Handles::default();
        let opening = ToWorker::Open(Box::new(opening::of(config, &mut handles)?));
        let news = handles.take_news().map(ToWorker::Handles);
        let pool = place.pool().clone();
        // An idle worker may have died meanwhile: then another one.
        loop {
            let mut worker = place.into_worker()?;
            match worker.open(news.as_ref(), &opening, config) {
                Ok(()) => return Ok(Session::with(worker, &pool, handles)),
                Err(FrameError::DoesNotFit(bytes)) => {
                    pool.check_in(worker, true);
                    return Err(Error::Setup(format!(
                        "what the host's modules hold has {bytes} bytes; {} can be handed to a worker",
                        frame::MAX_FRAME
                    )));
                }
                Err(_) => pool.check_in(worker, false),
            }
            place = pool.place()?;
        }
    }

    /// `handles` are those that the worker was told of as it opened the sandbox.
    pub(super) fn with(worker: Worker, pool: &Arc<Shared>, handles: Handles) -> Session {
        Session {
            pool: pool.clone(),
            worker: Some(worker),
            handles,
            known: HashMap::new(),
            forget: Vec::new(),
            ended: Arc::default(),
            host_errors: VecDeque::new(),
        }
    }

    /// What is in force around the worker.
    pub(crate) fn report(&self) -> Report {
        self.worker.as_ref().map(|worker| worker.report.clone()).unwrap_or_default()
    }

    /// Has an operation done.
    pub(crate) fn call(&mut self, op: Op, budget: &Budget, config: &Config, live: &LiveUsage) -> Result<Done, Error> {
        let op = self.wire(op)?;
        self.perform(op, budget, config, live)
    }

    /// Has a script checked, and kept for later runs if it passes.
    pub(crate) fn compile(&mut self, script: &Script, budget: &Budget, config: &Config) -> Result<(), Error> {
        let op = WireOp::Compile(self.wire_script(script)?);
        self.perform(op, budget, config, &LiveUsage::default())?.result.map(drop)
    }

    /// A listing of a script's instrumented code.
    pub(crate) fn disassemble(&mut self, script: &Script, budget: &Budget, config: &Config) -> Result<String, Error> {
        let op = WireOp::Disassemble(self.wire_script(script)?);
        let listing = self.perform(op, budget, config, &LiveUsage::default())?.result?;
        Ok(crate::value::FromValue::from_value(listing)?)
    }

    /// Sends an attack's name: see the worker's own documentation.
    #[cfg(feature = "test-hooks")]
    pub(crate) fn attack(&mut self, name: &str, budget: &Budget, config: &Config) -> Result<Done, Error> {
        self.perform(WireOp::Attack(name.to_owned()), budget, config, &LiveUsage::default())
    }

    /// Makes a task.
    pub(crate) fn start_task(&mut self, id: TaskId, start: Start, config: &Config) -> Result<(), Error> {
        let op = match start {
            Start::Call { name, args } => WireOp::StartCall { task: id.0, name, args: self.handles.pack_all(args)? },
            Start::Run(script) => WireOp::StartRun(id.0, self.wire_script(&script)?),
        };
        let budget = Budget::default().timeout(COMPILE_PATIENCE);
        self.perform(op, &budget, config, &LiveUsage::default())?.result.map(drop)
    }

    /// Runs a slice of a task.
    pub(crate) fn step_task(
        &mut self,
        id: TaskId,
        allowed: &Allowance,
        patience: Duration,
        reply: Reply,
        config: &Config,
        live: &LiveUsage,
    ) -> Result<Stepped, Error> {
        let reply = match reply {
            Reply::Go => None,
            Reply::Value(value) => Some(HostAnswer::Value(self.handles.pack(value)?)),
            Reply::Error(error) => Some(HostAnswer::Failed(keep(&mut self.host_errors, error))),
        };
        let slice = WireSlice { task: id.0, rest: allowed.rest, told: allowed.told.clone(), reply };
        let op = WireOp::Resume(Box::new(slice));
        let WireDone { result, usage, output, left, .. } = self.exchange(op, &allowed.slice, patience, config, live)?;
        let result = result.into_step(usage, |number| find(&self.host_errors, number));
        self.look_after(&result);
        Ok(Stepped { result, usage, output, left })
    }

    fn wire(&mut self, op: Op) -> Result<WireOp, Error> {
        Ok(match op {
            Op::Run(script) => WireOp::Run(self.wire_script(&script)?),
            Op::Exec(script) => WireOp::Exec(self.wire_script(&script)?),
            Op::Call { name, args } => WireOp::Call { name, args: self.handles.pack_all(args)? },
            Op::CallFunction { callback, args } => {
                WireOp::CallFunction(self.handles.key(&callback)?, self.handles.pack_all(args)?)
            }
            Op::Get(name) => WireOp::Get(name),
            Op::Set(name, value) => WireOp::Set(name, self.handles.pack(value)?),
            Op::SetFunction(new) => {
                WireOp::SetFunction(new.name, self.handles.add_function(new.parameters, new.function))
            }
            Op::Snapshot => WireOp::Snapshot,
            Op::Restore(data) => {
                let data = data.into_iter().map(|(name, value)| Ok((name, self.handles.pack(value)?)));
                WireOp::Restore(data.collect::<Result<_, Error>>()?)
            }
            Op::SetAwaitable(name) => WireOp::SetAwaitable(name),
            Op::Reload(script) => WireOp::Reload(self.wire_script(&script)?),
            #[cfg(feature = "test-hooks")]
            Op::HoldUp(_) => return Err(Error::Setup("a worker is held up by an attack".to_owned())),
        })
    }

    fn wire_script(&mut self, script: &Script) -> Result<WireScript, Error> {
        let mut wire = script.to_wire()?;
        if wire.id.is_some() {
            if self.known.contains_key(&script.id()) {
                wire.source = None;
            } else {
                if self.known.len() >= FORGET_AT && self.known.len().is_power_of_two() {
                    let dropped = self.known.extract_if(|_, script| script.is_last_handle());
                    self.forget.extend(dropped.filter_map(|(_, script)| script.to_wire().ok()?.id));
                }
                self.known.insert(script.id(), script.clone());
            }
        }
        Ok(wire)
    }

    fn perform(&mut self, op: WireOp, budget: &Budget, config: &Config, live: &LiveUsage) -> Result<Done, Error> {
        let patience = budget.timeout.saturating_add(GRACE);
        let WireDone { result, usage, output, .. } = self.exchange(op, budget, patience, config, live)?;
        let result = result.into_result(usage, |number| find(&self.host_errors, number));
        self.look_after(&result);
        Ok(Done { result, usage, output })
    }

    /// A worker that can take no new names is replaced in time.
    fn look_after<T>(&mut self, result: &Result<T, Error>) {
        if let Some(worker) = &mut self.worker {
            worker.used_up |= matches!(result, Err(Error::NamesExhausted { .. }));
        }
    }

    /// Has the worker do it, and serves it meanwhile.
    fn exchange(
        &mut self,
        op: WireOp,
        budget: &Budget,
        patience: Duration,
        config: &Config,
        live: &LiveUsage,
    ) -> Result<WireDone<Value>, Error> {
        let Some(worker) = self.worker.as_mut().filter(|worker| !worker.worn) else {
            return Err(Error::Lost);
        };
        worker.calls += 1;
        let number = worker.calls;
        // One that was dropped before it is even there is ended by the next call.
        let starts = match &op {
            WireOp::StartCall { task, .. } | WireOp::StartRun(task, _) => Some(*task),
            _ => None,
        };
        let end = self.ended.lock().extract_if(.., |task| Some(*task) != starts).collect();
        let call = Call {
            number,
            budget: budget.clone(),
            cancelled: config.cancel.0.load(Ordering::Acquire),
            hooked: config.hook.is_some(),
            forget: std::mem::take(&mut self.forget),
            end,
            op,
        };
        let mut run = Run {
            in_slice: matches!(call.op, WireOp::Resume(_)),
            worker,
            handles: &mut self.handles,
            budget,
            config,
            live,
            number,
            usage: Usage::default(),
            host_calls: 0,
            host_bytes: 0,
            host_errors: &mut self.host_errors,
            turn: HostsTurn::default(),
        };
        let answer = run.drive_to_end(call, patience);
        let usage = run.usage;
        match answer {
            Ok(mut done) => {
                worker.worn |= done.last;
                done.usage = believable(done.usage);
                Ok(done)
            }
            // Nothing was sent, and the worker waits.
            Err(Broken { error: FrameError::DoesNotFit(bytes), unsent: true, .. }) => Err(Error::Setup(format!(
                "what is to be handed to the worker has {bytes} bytes; {} are the most",
                frame::MAX_FRAME
            ))),
            Err(broken) => Err(Error::Died(worker.bury(&broken.error, broken.too_late, usage))),
        }
    }
}

/// A sandbox's session, which the sandbox has in common with its tasks.
pub(crate) struct SharedSession {
    session: Mutex<Session>,
    ended: Arc<Mutex<Vec<u64>>>,
}

impl SharedSession {
    pub(crate) fn new(session: Session) -> Arc<SharedSession> {
        Arc::new(SharedSession { ended: session.ended.clone(), session: Mutex::new(session) })
    }

    /// Waits for the call that the worker is busy with.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock()
    }

    /// Where to say that a task was dropped: does not wait.
    pub(crate) fn ended_tasks(&self) -> Arc<Mutex<Vec<u64>>> {
        self.ended.clone()
    }
}

impl Drop for Session {
    /// Gives the worker back.
    fn drop(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            let well = worker.close();
            self.pool.check_in(worker, well);
        }
    }
}
