//! Audit records: one for each run, however it ends, and the same in every ring.

use crate::process;
use crate::support::child;
use pycage::{
    AuditRecord, Budget, Callback, Error, HookAction, HostModule, Isolation, JsonLines, MemoryFiles, MemoryModules,
    Mount, Operation, OutcomeKind, Policy, Progress, Runner, Sandbox, SandboxBuilder, Stage, Usage, Value,
};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// What came of the runs so far.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<AuditRecord>>>);

impl Records {
    fn sink(
        &self,
    ) -> impl Fn(&AuditRecord) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync + use<> {
        let records = self.0.clone();
        move |record| {
            records.lock().unwrap().push(record.clone());
            Ok(())
        }
    }

    fn take(&self) -> Vec<AuditRecord> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The only record since the last time.
    #[track_caller]
    fn one(&self) -> AuditRecord {
        let records = self.take();
        match <[AuditRecord; 1]>::try_from(records) {
            Ok([record]) => record,
            Err(records) => panic!("{} records, not 1: {records:#?}", records.len()),
        }
    }
}

fn budget() -> Budget {
    Budget::default().instructions(100_000).output(1_000).timeout(Duration::from_secs(20))
}

fn outcome(record: &AuditRecord) -> (Operation, OutcomeKind) {
    (record.operation, record.outcome.kind)
}

/// What is the same in every ring: all but times, memory, and the sandbox itself.
fn same(record: &AuditRecord) -> AuditRecord {
    let mut record = record.clone();
    record.time = SystemTime::UNIX_EPOCH;
    (record.sandbox, record.isolation) = (0, Isolation::Thread);
    let mut usage = Usage::default();
    (usage.instructions, usage.native_steps) = (record.usage.instructions, record.usage.native_steps);
    (usage.output_bytes, usage.host_calls) = (record.usage.output_bytes, record.usage.host_calls);
    record.usage = usage;
    record
}

/// Runs all that can be run in either ring, and checks each record; gives them.
fn runs(builder: SandboxBuilder) -> Vec<AuditRecord> {
    let records = Records::default();
    let mut all = Vec::new();
    let mut sandbox = builder
        .label("orc")
        .policy(Policy::minimal().grant("math").named("test"))
        .budget(budget())
        .module(HostModule::new("game").constant("LEVEL", 3))
        .resolver(MemoryModules::new())
        .mount("saves", Mount::memory(&MemoryFiles::new()))
        .audit(records.sink())
        .build()
        .unwrap();
    assert!(records.take().is_empty());

    let source = "import math\ndef f(x): return [x, math.pi]\ndef spin():\n    while True: pass\nprint('a secret')";
    sandbox.exec_with(source, budget()).unwrap();
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Exec, OutcomeKind::Returned));
    assert_eq!(record.outcome.value_type.as_deref(), Some("None"));
    assert_eq!((record.label.as_deref(), record.run, record.sandbox), (Some("orc"), 1, sandbox.id()));
    let script = record.script.clone().unwrap();
    assert_eq!((script.name.as_str(), script.bytes), ("<script>", source.len() as u64));
    // `sha256sum` of the same text.
    assert_eq!(script.sha256, sha256(source));
    assert_eq!((record.policy.name.as_str(), record.policy.script_modules), ("test", true));
    assert_eq!((&record.policy.modules, &record.policy.host_modules), (&vec!["math".into()], &vec!["game".into()]));
    assert_eq!(record.policy.mounts, ["saves"]);
    assert_eq!(record.budget, Some(budget()));
    assert!(record.usage.instructions > 10 && record.usage.output_bytes == 9, "{record:?}");
    assert!(record.time.elapsed().unwrap() < Duration::from_secs(60));
    all.push(record);

    sandbox.eval::<Value>("{'k': 1}").unwrap();
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Eval, OutcomeKind::Returned));
    assert_eq!((record.outcome.value_type.as_deref(), record.run), (Some("dict"), 2));
    all.push(record);

    // What runs no script has no record.
    sandbox.set("n", 1).unwrap();
    sandbox.get::<i64>("n").unwrap();
    let snapshot = sandbox.snapshot().unwrap();
    sandbox.restore(&snapshot).unwrap();
    sandbox.function("twice", |x: i64| x * 2).unwrap();
    assert!(records.take().is_empty());

    let (_, usage) = sandbox.call_with::<Value>("f", (1,), budget()).unwrap();
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Call, OutcomeKind::Returned));
    assert_eq!((record.function.as_deref(), record.usage), (Some("f"), usage));
    assert_eq!(record.outcome.value_type.as_deref(), Some("list"));
    all.push(record);

    type Failing = fn(&mut Sandbox) -> Result<Value, Error>;
    let failing: [(&str, Failing, OutcomeKind, Stage); 12] = [
        ("syntax", |sandbox| sandbox.eval("x = ="), OutcomeKind::Syntax, Stage::Compile),
        ("import", |sandbox| sandbox.eval("import os.path"), OutcomeKind::Rejected, Stage::Compile),
        ("dunder-attribute", |sandbox| sandbox.eval("\nx = ().__class__"), OutcomeKind::Rejected, Stage::Compile),
        ("ValueError", |sandbox| sandbox.eval("\n\nraise ValueError('a secret')"), OutcomeKind::Exception, Stage::Run),
        ("TypeError", |sandbox| sandbox.call("f", ()), OutcomeKind::Exception, Stage::Run),
        ("RecursionError", |sandbox| sandbox.eval("def r(): r()\nr()"), OutcomeKind::Exception, Stage::Run),
        ("instructions", |sandbox| sandbox.call("spin", ()), OutcomeKind::Budget, Stage::Run),
        ("output", |sandbox| sandbox.eval("print('x' * 2000)"), OutcomeKind::Budget, Stage::Run),
        ("time", spin_by_the_clock, OutcomeKind::Budget, Stage::Run),
        ("memory", hoard, OutcomeKind::Budget, Stage::Run),
        ("", |sandbox| sandbox.call("nothing", ()), OutcomeKind::Setup, Stage::Host),
        ("", |sandbox| sandbox.eval("x = []\nx.append(x)\nx"), OutcomeKind::Conversion, Stage::Run),
    ];
    for (detail, fail, kind, stage) in failing {
        let error = fail(&mut sandbox).unwrap_err();
        let record = records.one();
        let outcome = &record.outcome;
        assert_eq!((outcome.kind, outcome.stage), (kind, stage), "{detail}: {error}");
        if !matches!(detail, "" | "syntax") {
            let found = outcome.rule.as_deref().or(outcome.exception.as_deref()).or(outcome.limit.as_deref());
            assert_eq!(found, Some(detail), "{error}");
        }
        if let Some(usage) = error.usage() {
            assert_eq!(record.usage, *usage, "{error}");
        }
        if matches!(kind, OutcomeKind::Exception | OutcomeKind::Conversion) {
            assert!(record.usage.instructions + record.usage.native_steps > 0, "{record:?}");
        }
        let line = match detail {
            "dunder-attribute" => Some(2),
            "ValueError" => Some(3),
            _ => outcome.line,
        };
        assert_eq!(outcome.line, line, "{error}");
        // Where the clock or the allocator stops it differs from run to run.
        if !matches!(detail, "time" | "memory") {
            all.push(record);
        }
    }

    assert!(sandbox.compile("bad.py", "x = __builtins__").is_err());
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Compile, OutcomeKind::Rejected));
    assert_eq!(record.script.as_ref().unwrap().name, "bad.py");
    all.push(record);

    let script = sandbox.compile("v2.py", "n = 0\ndef f(x): return x").unwrap();
    assert!(records.take().is_empty(), "a script that was not run has no record");
    sandbox.reload(&script).unwrap();
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Reload, OutcomeKind::Returned));
    assert_eq!(record.script.as_ref().unwrap().name, "v2.py");
    all.push(record);
    let broken = sandbox.compile("v3.py", "1 / 0").unwrap();
    assert!(sandbox.reload(&broken).is_err());
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Reload, OutcomeKind::Exception));
    all.push(record);

    let cancel = sandbox.cancel_handle();
    cancel.cancel();
    assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Cancelled(_))));
    cancel.reset();
    assert_eq!(outcome(&records.one()), (Operation::Exec, OutcomeKind::Cancelled));
    assert_eq!(sandbox.audit_failures().count, 0);
    all
}

fn spin_by_the_clock(sandbox: &mut Sandbox) -> Result<Value, Error> {
    let budget = Budget::default().instructions(u64::MAX).timeout(Duration::from_millis(50));
    sandbox.eval_with("while True: pass", budget).map(|(value, _)| value)
}

fn hoard(sandbox: &mut Sandbox) -> Result<Value, Error> {
    let budget = Budget::default().memory(8 << 20).timeout(Duration::from_secs(60));
    sandbox
        .eval_with("def h():\n    kept = []\n    while True: kept.append('x' * 1000)\nh()", budget)
        .map(|(value, _)| value)
}

fn sha256(text: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("audit");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("source-{:?}", std::thread::current().id()));
    std::fs::write(&file, text).unwrap();
    let sum = std::process::Command::new("sha256sum").arg(&file).output().unwrap();
    String::from_utf8(sum.stdout).unwrap().trim_start_matches('\\').split_whitespace().next().unwrap().to_owned()
}

#[test]
fn every_run_has_one_record_and_the_same_in_every_ring() {
    let here = runs(Sandbox::builder());
    assert!(here.iter().all(|record| record.isolation == Isolation::Thread));
    let there = runs(Sandbox::builder().pool(&process::pool()));
    assert!(there.iter().all(|record| record.isolation == Isolation::Process));
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(same(here), same(there));
    }
    // No secret of a script is in them.
    assert!(!format!("{here:?}{there:?}").contains("a secret"));
}

#[test]
fn calls_within_a_closure_tasks_and_callbacks_have_records() {
    let (records, runner) = (Records::default(), Runner::new().unwrap());
    let mut sandbox = Sandbox::builder().runner(&runner).budget(budget()).audit(records.sink()).build().unwrap();
    sandbox.exec("def f(x): return x\ndef spin():\n    while True: pass\ng = lambda: 'x'").unwrap();
    records.one();
    let held: Callback = sandbox.get("g").unwrap();
    sandbox.call_function::<String>(&held, ()).unwrap();
    assert_eq!(outcome(&records.one()), (Operation::Callback, OutcomeKind::Returned));

    let taken = records.clone();
    let mut sandbox = runner
        .with(move |cage| {
            let script = sandbox.compile_on(cage);
            cage.call::<i64>(&mut sandbox, "f", (1,)).unwrap();
            cage.eval::<i64>(&mut sandbox, "1").unwrap();
            cage.exec(&mut sandbox, "x = 1").unwrap();
            cage.call_function::<String>(&mut sandbox, &held, ()).unwrap();
            cage.get::<i64>(&mut sandbox, "x").unwrap();
            assert!(cage.call::<i64>(&mut sandbox, "spin", ()).is_err());
            assert!(cage.eval::<i64>(&mut sandbox, "import os").is_err());
            assert!(script.is_err());
            sandbox
        })
        .unwrap();
    let outcomes: Vec<_> = taken.take().iter().map(outcome).collect();
    assert_eq!(
        outcomes,
        [
            (Operation::Compile, OutcomeKind::Setup),
            (Operation::Call, OutcomeKind::Returned),
            (Operation::Eval, OutcomeKind::Returned),
            (Operation::Exec, OutcomeKind::Returned),
            (Operation::Callback, OutcomeKind::Returned),
            (Operation::Call, OutcomeKind::Budget),
            (Operation::Eval, OutcomeKind::Rejected),
        ]
    );

    let slice = || Budget::default().instructions(1_000);
    let mut task = sandbox.start("spin", ()).unwrap();
    task.set_limit(Some(Budget::default().instructions(2_500)));
    while let Ok(Progress::Paused(_)) = task.resume(slice()) {}
    drop(task);
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Task, OutcomeKind::Budget));
    assert_eq!(record.budget, Some(Budget::default().instructions(2_500)));
    assert!(record.usage.instructions >= 2_500, "a task's whole bill: {record:?}");
    let mut task = sandbox.start("f", (1,)).unwrap();
    assert!(records.take().is_empty());
    assert_eq!(task.resume(slice()).unwrap(), Progress::Done(Value::Int(1)));
    drop(task);
    assert_eq!(outcome(&records.one()), (Operation::Task, OutcomeKind::Returned));
    let mut task = sandbox.start("spin", ()).unwrap();
    task.resume(slice()).unwrap();
    drop(task);
    let record = records.one();
    assert_eq!((outcome(&record), record.outcome.stage), ((Operation::Task, OutcomeKind::Dropped), Stage::Host));
    assert!(record.usage.instructions > 0);
    // Within a closure.
    let mut task = sandbox.start("f", (1,)).unwrap();
    runner.with(move |cage| cage.resume(&mut task, Budget::default()).unwrap()).unwrap();
    assert_eq!(outcome(&records.one()), (Operation::Task, OutcomeKind::Returned));
    // One that outlives its sandbox.
    let mut task = sandbox.start("spin", ()).unwrap();
    task.resume(slice()).unwrap();
    drop(sandbox);
    assert!(task.resume(slice()).is_err());
    assert_eq!(outcome(&records.one()), (Operation::Task, OutcomeKind::Setup));
}

/// So that the test above can say it in one line: a sandbox cannot be used as such on its own runner.
trait CompileOn {
    fn compile_on(&mut self, cage: &mut pycage::Cage<'_>) -> Result<pycage::Script, Error>;
}

impl CompileOn for Sandbox {
    fn compile_on(&mut self, _: &mut pycage::Cage<'_>) -> Result<pycage::Script, Error> {
        self.compile("x.py", "x = 1")
    }
}

#[test]
fn async_calls_have_records() {
    let records = Records::default();
    let mut sandbox = Sandbox::builder().budget(budget()).audit(records.sink()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        assert_eq!(sandbox.eval_async::<i64>("1 + 1").await.unwrap(), 2);
        let record = records.one();
        assert_eq!(outcome(&record), (Operation::Task, OutcomeKind::Returned));
        assert_eq!(record.budget, Some(budget()));
        assert!(sandbox.eval_async::<i64>("import os").await.is_err());
        assert_eq!(outcome(&records.one()), (Operation::Task, OutcomeKind::Rejected));
        assert!(sandbox.eval_async::<i64>("while True: pass").await.is_err());
        assert_eq!(outcome(&records.one()), (Operation::Task, OutcomeKind::Budget));
        let long = Budget::default().instructions(1 << 40).timeout(Duration::from_secs(600));
        sandbox.set_budget(long);
        let spun = tokio::time::timeout(Duration::from_millis(50), sandbox.eval_async::<i64>("while True: pass"));
        assert!(spun.await.is_err());
        assert_eq!(outcome(&records.one()), (Operation::Task, OutcomeKind::Dropped));
    });
}

#[test]
fn crashed_stuck_lost_and_stopped_runs_have_records() {
    let panics = |usage: &Usage| -> HookAction {
        assert!(usage.instructions < 10_000, "injected");
        HookAction::Continue
    };
    let short = Budget::default().timeout(Duration::from_millis(100));
    let build = |records: &Records, runner: &Runner| {
        let builder = Sandbox::builder().runner(runner).budget(short.clone()).audit(records.sink());
        builder.hook(panics).build().unwrap()
    };
    for inside in [false, true] {
        let (records, runner) = (Records::default(), Runner::new().unwrap());
        let mut sandbox = build(&records, &runner);
        let mut bystander = build(&records, &runner);
        let spin = "for x in range(9 ** 9): pass";
        if inside {
            assert!(matches!(runner.with(move |cage| cage.exec(&mut sandbox, spin)), Err(Error::Crashed { .. })));
        } else {
            assert!(matches!(sandbox.exec(spin), Err(Error::Crashed { .. })));
        }
        let record = records.one();
        assert_eq!((outcome(&record), record.outcome.stage), ((Operation::Exec, OutcomeKind::Crashed), Stage::Run));
        assert_eq!(record.budget, Some(short.clone()));
        assert!(record.usage.instructions > 0 || inside, "{record:?}");
        assert!(matches!(bystander.exec("x = 1"), Err(Error::Lost)));
        assert_eq!(outcome(&records.one()), (Operation::Exec, OutcomeKind::Lost));

        let runner = Runner::new().unwrap();
        let mut sandbox = build(&records, &runner);
        let held_up = Duration::from_millis(1200);
        if inside {
            let gone = runner.with(move |cage| cage.hold_up(&mut sandbox, held_up));
            assert!(matches!(gone, Err(Error::Stuck(_))));
        } else {
            assert!(matches!(sandbox.hold_up(held_up), Err(Error::Stuck(_))));
        }
        assert_eq!(records.one().outcome.kind, OutcomeKind::Stuck);
        // It comes back, and is not told again.
        std::thread::sleep(held_up);
        assert!(records.take().is_empty());
    }
    let records = Records::default();
    let stops = |_: &Usage| HookAction::Stop("a secret".into());
    let mut sandbox = Sandbox::builder().hook(stops).audit(records.sink()).build().unwrap();
    assert!(sandbox.exec("while True: pass").is_err());
    assert_eq!(outcome(&records.one()), (Operation::Exec, OutcomeKind::Stopped));
}

#[test]
fn a_worker_that_dies_leaves_a_record_and_a_pool_can_have_the_sink() {
    let records = Records::default();
    let pool = process::builder().unguarded().tasks(0).audit(records.sink()).build().unwrap();
    let short = Budget::default().timeout(Duration::from_millis(300));
    let mut sandbox = Sandbox::builder().pool(&pool).label("spinner").budget(short).build().unwrap();
    assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Died(_))));
    let record = records.one();
    assert_eq!(outcome(&record), (Operation::Exec, OutcomeKind::Died));
    assert_eq!((record.outcome.cause.as_deref(), record.label.as_deref()), (Some("deadline"), Some("spinner")));
    assert!(record.usage.instructions > 0);
    assert!(matches!(sandbox.exec("x = 1"), Err(Error::Lost)));
    assert_eq!(outcome(&records.one()), (Operation::Exec, OutcomeKind::Lost));
    // A sandbox's own sink goes before the pool's.
    let own = Records::default();
    let mut sandbox = Sandbox::builder().pool(&pool).audit(own.sink()).build().unwrap();
    sandbox.exec("x = 1").unwrap();
    assert_eq!((own.one().run, records.take().len()), (1, 0));
    assert!(sandbox.start("f", ()).is_err());
    assert_eq!(outcome(&own.one()), (Operation::Task, OutcomeKind::Setup));
}

/// A writer that others look at, and that fails when it is told to: in the middle of a line.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<(Vec<u8>, bool)>>);

impl Paper {
    fn fail(&self, fail: bool) {
        self.0.lock().unwrap().1 = fail;
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().0.clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (text, fails) = &mut *self.0.lock().unwrap();
        if *fails && text.last() != Some(&b'{') {
            text.push(b'{');
            return Ok(1);
        }
        if *fails {
            return Err(io::Error::other("the paper is full"));
        }
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_is_told_of_and_nothing_else_fails() {
    let paper = Paper::default();
    let audit = JsonLines::new(paper.clone());
    let mut sandbox = Sandbox::builder().label("orc").audit(audit.clone()).build().unwrap();
    let mut other = Sandbox::builder().audit(audit.clone()).build().unwrap();
    sandbox.exec("x = 1").unwrap();
    paper.fail(true);
    assert_eq!(sandbox.eval::<i64>("x + 1").unwrap(), 2);
    assert!(matches!(sandbox.exec("1 / 0"), Err(Error::Exception(_))));
    paper.fail(false);
    other.exec("x = 1").unwrap();
    sandbox.exec("x = 2").unwrap();
    for failures in [sandbox.audit_failures(), audit.failures()] {
        assert_eq!((failures.count, failures.last.as_deref()), (2, Some("the paper is full")));
    }
    assert_eq!(other.audit_failures().count, 0);
    // The torn line stands by itself, and the numbers show the gap.
    let text = paper.text();
    let whole: Vec<AuditRecord> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let runs: Vec<u64> = whole.iter().filter(|record| record.label.is_some()).map(|record| record.run).collect();
    assert_eq!((runs, whole.len()), (vec![1, 4], 3));
    assert!(text.ends_with('\n'));

    let mut sandbox = Sandbox::builder().audit(|_: &AuditRecord| panic!("the sink's own")).build().unwrap();
    assert_eq!(sandbox.eval::<i64>("1").unwrap(), 1);
    assert_eq!(sandbox.audit_failures().count, 1);
}

#[test]
fn the_written_form_is_what_is_documented() {
    let paper = Paper::default();
    let mut sandbox =
        Sandbox::builder().label("orc").policy(Policy::plugin()).audit(JsonLines::new(paper.clone())).build().unwrap();
    assert!(sandbox.exec("1 / 0").is_err());
    let line: serde_json::Value = serde_json::from_str(paper.text().trim_end()).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&line),
        "v time_ms sandbox label run operation function script isolation policy budget usage outcome"
    );
    assert_eq!(line["v"], 1);
    assert_eq!(keys(&line["script"]), "name sha256 bytes");
    assert_eq!(keys(&line["policy"]), "name modules host_modules script_modules mounts");
    assert_eq!(keys(&line["budget"]), "instructions timeout_ms memory allocations recursion output host_calls");
    assert_eq!(
        keys(&line["usage"]),
        "instructions native_steps allocations allocated_bytes live_bytes peak_bytes output_bytes host_calls elapsed_ns \
         host_ns"
    );
    assert_eq!(keys(&line["outcome"]), "kind stage exception line");
    // What was written comes back as what it was, also from a later version that says more.
    let record: AuditRecord = serde_json::from_value(line.clone()).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), line);
    let mut later = line.clone();
    later["outcome"]["more"] = 1.into();
    later["more"] = 1.into();
    assert_eq!(serde_json::from_value::<AuditRecord>(later).unwrap(), record);
    // The document shows a record with these fields.
    let document = include_str!("../../docs/observability.md");
    let shown = document.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let shown: AuditRecord = serde_json::from_str(&shown.replace('\n', "")).unwrap();
    assert_eq!(keys(&serde_json::to_value(&shown).unwrap()), keys(&line));
}

#[test]
fn the_command_line_appends_records() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("audit");
    std::fs::create_dir_all(&folder).unwrap();
    let (good, bad) = (folder.join("good.py"), folder.join("bad.py"));
    std::fs::write(&good, "1 + 1").unwrap();
    std::fs::write(&bad, "import os").unwrap();
    let (good, bad) = (good.display().to_string(), bad.display().to_string());
    let file = folder.join("audit.jsonl");
    let _ = std::fs::remove_file(&file);
    let audit = file.display().to_string();
    for isolation in ["thread", "process"] {
        let ended = child::pycage(&["run", "--isolation", isolation, "--audit", &audit, &good, &bad], b"");
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(3), "2\n"), "{ended:?}");
    }
    let jobs = folder.join("jobs.jsonl");
    std::fs::write(&jobs, "{\"id\": \"a\", \"script\": \"1 / 0\"}\n{\"id\": \"b\", \"script\": \"2\"}\n").unwrap();
    let results = folder.join("results.jsonl");
    let _ = std::fs::remove_file(&results);
    let (jobs, results) = (jobs.display().to_string(), results.display().to_string());
    let batch = ["batch", "--workers", "1", "--audit", &audit, "--results", &results, &jobs];
    assert_eq!(child::pycage(&batch, b"").status, Some(0));
    let records: Vec<AuditRecord> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            (record.isolation.name(), record.label.as_deref().unwrap_or_default(), record.outcome.kind.name())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("thread", good.as_str(), "returned"),
            ("thread", bad.as_str(), "rejected"),
            ("process", good.as_str(), "returned"),
            ("process", bad.as_str(), "rejected"),
            ("thread", "a", "exception"),
            ("thread", "b", "returned"),
        ]
    );
    // A file that cannot be opened is bad usage before anything runs; one that is full is told at the end.
    let ended = child::pycage(&["run", "--audit", &folder.display().to_string(), &good], b"");
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    if cfg!(target_os = "linux") {
        let ended = child::pycage(&["run", "--audit", "/dev/full", &good, &good], b"");
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "2\n2\n"), "{ended:?}");
        assert!(ended.stderr.contains("2 audit records were lost"), "{ended:?}");
        let _ = std::fs::remove_file(&results);
        let batch = ["batch", "--audit", "/dev/full", "--results", &results, &jobs];
        let ended = child::pycage(&batch, b"");
        assert_eq!(ended.status, Some(2), "{ended:?}");
    }
}
