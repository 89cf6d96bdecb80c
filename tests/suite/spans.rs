//! The feature `tracing`: what a subscriber is told of runs and workers, and what it is never told.

use crate::process;
use pycage::{Budget, Error, HookAction, Runner, Sandbox, SandboxBuilder, Usage};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A span or an event, with its fields as text.
#[derive(Clone, Debug)]
struct Told {
    target: &'static str,
    name: String,
    level: Level,
    fields: BTreeMap<&'static str, String>,
    /// The span that it is in.
    inside: Option<usize>,
}

impl Told {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

#[derive(Default)]
struct Heard {
    spans: Vec<Told>,
    events: Vec<Told>,
    entered: Vec<usize>,
}

/// A subscriber that keeps all that pycage tells.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Heard>>);

impl Collector {
    /// What is told while `f` runs, on this thread.
    fn during(f: impl FnOnce()) -> Heard {
        let collector = Collector::default();
        tracing::subscriber::with_default(collector.clone(), f);
        std::mem::take(&mut *collector.0.lock().unwrap())
    }
}

impl Heard {
    #[track_caller]
    fn event(&self, name: &str) -> &Told {
        let found: Vec<&Told> = self.events.iter().filter(|event| event.name == name).collect();
        match found[..] {
            [event] => event,
            _ => panic!("{} events '{name}' in {:#?}", found.len(), self.events),
        }
    }

    #[track_caller]
    fn span(&self, name: &str) -> &Told {
        let found: Vec<&Told> = self.spans.iter().filter(|span| span.name == name).collect();
        match found[..] {
            [span] => span,
            _ => panic!("{} spans '{name}' in {:#?}", found.len(), self.spans),
        }
    }

    /// The name of the span that an event is in.
    fn inside(&self, event: &Told) -> &str {
        event.inside.map_or("", |span| &self.spans[span].name)
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("pycage")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut heard = self.0.lock().unwrap();
        let metadata = attributes.metadata();
        let inside = heard.entered.last().copied();
        let mut told = Told {
            target: metadata.target(),
            name: metadata.name().to_owned(),
            level: *metadata.level(),
            fields: BTreeMap::new(),
            inside,
        };
        attributes.record(&mut told);
        heard.spans.push(told);
        Id::from_u64(heard.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut self.0.lock().unwrap().spans[span.into_u64() as usize - 1]);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut heard = self.0.lock().unwrap();
        let metadata = event.metadata();
        let inside = heard.entered.last().copied();
        let (target, level) = (metadata.target(), *metadata.level());
        let mut told = Told { target, name: String::new(), level, fields: BTreeMap::new(), inside };
        event.record(&mut told);
        told.name = told.fields.remove("message").unwrap_or_default();
        heard.events.push(told);
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64() as usize - 1);
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().entered.pop();
    }
}

fn budget() -> Budget {
    Budget::default().instructions(100_000).timeout(Duration::from_secs(20))
}

const SECRET: &str = "hunter2";

/// What is told of runs in either ring.
fn runs(builder: SandboxBuilder, isolation: &str) {
    let mut sandbox = builder.label("orc").budget(budget()).build().unwrap();
    let heard = Collector::during(|| {
        sandbox.set("n", SECRET).unwrap();
        sandbox.exec(&format!("def f(x): return x\nprint('{SECRET}')")).unwrap();
    });
    let run = heard.span("run");
    assert_eq!((run.target, run.level), ("pycage::run", Level::INFO));
    for (field, value) in [
        ("label", "orc"),
        ("operation", "exec"),
        ("script", "<script>"),
        ("isolation", isolation),
        ("outcome", "returned"),
    ] {
        assert_eq!(run.field(field), value, "{run:?}");
    }
    assert_eq!(run.field("sandbox"), sandbox.id().to_string());
    assert!(run.field("instructions").parse::<u64>().unwrap() > 3, "{run:?}");
    let ended = heard.event("run ended");
    assert_eq!((ended.level, heard.inside(ended), ended.field("value_type")), (Level::DEBUG, "run", "None"));

    let heard = Collector::during(|| {
        let script = sandbox.compile("orc.py", "x = 1").unwrap();
        sandbox.run::<()>(&script).unwrap();
        assert!(sandbox.compile("bad.py", &format!("x = '{SECRET}'\nx.__class__")).is_err());
    });
    let compiled: Vec<_> = heard.spans.iter().filter(|span| span.name == "compile").collect();
    assert_eq!(compiled.len(), 2);
    assert_eq!((compiled[0].target, compiled[0].level), ("pycage::compile", Level::DEBUG));
    assert_eq!((compiled[0].field("script"), compiled[0].field("bytes")), ("orc.py", "5"));
    let rejected = heard.event("rejected");
    assert_eq!((rejected.target, rejected.level), ("pycage::compile", Level::INFO));
    let place = (rejected.field("script"), rejected.field("rule"), rejected.field("line"), rejected.field("column"));
    assert_eq!(place, ("bad.py", "dunder-attribute", "2", "3"));

    let heard = Collector::during(|| assert!(sandbox.exec("import os").is_err()));
    let rejected = heard.event("rejected");
    assert_eq!((rejected.field("rule"), heard.inside(rejected)), ("import", "run"));
    let heard = Collector::during(|| assert!(sandbox.exec("x = =").is_err()));
    assert_eq!(heard.event("rejected").field("rule"), "syntax");

    let heard = Collector::during(|| assert!(sandbox.exec("while True: pass").is_err()));
    let stop = heard.event("the budget ran out");
    assert_eq!((stop.target, stop.level, heard.inside(stop)), ("pycage::budget", Level::INFO, "run"));
    assert_eq!((stop.field("limit"), stop.field("allowed")), ("instructions", "100000"));
    assert!(stop.field("used").parse::<u64>().unwrap() > 100_000);
    assert_eq!(heard.event("run ended").level, Level::INFO);

    let heard = Collector::during(|| {
        assert!(sandbox.exec(&format!("def g(): raise ValueError('{SECRET}')\ng()")).is_err());
        sandbox.call::<String>("f", (SECRET,)).unwrap();
    });
    let ended = &heard.events[0];
    assert_eq!((ended.field("outcome"), ended.field("exception")), ("exception", "ValueError"));
    // What a script says, is given and answers is in none of them.
    for told in heard.spans.iter().chain(&heard.events) {
        assert!(!format!("{told:?}").contains(SECRET), "{told:?}");
    }
}

#[test]
fn runs_are_told_of_in_this_process() {
    runs(Sandbox::builder(), "thread");
}

#[test]
fn runs_are_told_of_in_a_worker() {
    runs(Sandbox::builder().pool(&process::pool()), "process");
}

#[test]
fn calls_within_a_closure_are_told_of() {
    let runner = Runner::new().unwrap();
    let mut sandbox = Sandbox::builder().runner(&runner).budget(budget()).build().unwrap();
    let collector = Collector::default();
    let inner = collector.clone();
    runner
        .with(move |cage| {
            tracing::subscriber::with_default(inner, || {
                cage.exec(&mut sandbox, "def f(): return 1").unwrap();
                cage.call::<i64>(&mut sandbox, "f", ()).unwrap();
            });
        })
        .unwrap();
    let heard = std::mem::take(&mut *collector.0.lock().unwrap());
    let runs: Vec<_> = heard.spans.iter().filter(|span| span.name == "run").collect();
    assert_eq!(runs.iter().map(|run| run.field("operation")).collect::<Vec<_>>(), ["exec", "call"]);
    assert_eq!(runs[1].field("function"), "f");
}

#[test]
fn a_retired_runner_and_a_lost_record_are_told_of() {
    let heard = Collector::during(|| {
        let panics = |usage: &Usage| -> HookAction {
            assert!(usage.instructions < 10_000, "injected");
            HookAction::Continue
        };
        let runner = Runner::new().unwrap();
        let builder = Sandbox::builder().runner(&runner).hook(panics);
        let mut sandbox = builder.audit(|_: &pycage::AuditRecord| Err("the disk is full".into())).build().unwrap();
        assert!(matches!(sandbox.exec("for i in range(9 ** 9): pass"), Err(Error::Crashed { .. })));
    });
    let lost = heard.event("an audit record was lost");
    assert_eq!((lost.target, lost.level, lost.field("error")), ("pycage::audit", Level::ERROR, "the disk is full"));
    assert_eq!(heard.event("run ended").field("outcome"), "crashed");

    let heard = Collector::during(|| {
        let runner = Runner::new().unwrap();
        let short = Budget::default().timeout(Duration::from_millis(50));
        let mut sandbox = Sandbox::builder().runner(&runner).budget(short).build().unwrap();
        assert!(matches!(sandbox.hold_up(Duration::from_millis(900)), Err(Error::Stuck(_))));
    });
    let retired = heard.event("runner retired");
    assert_eq!((retired.target, retired.level), ("pycage::runner", Level::WARN));
    assert_eq!(retired.field("reason"), "it did not stop by its deadline");
}

#[test]
fn the_life_of_workers_is_told_of() {
    let heard = Collector::during(|| {
        let pool = process::builder().unguarded().recycle_after(2).build().unwrap();
        let short = Budget::default().timeout(Duration::from_millis(300));
        let mut sandbox = Sandbox::builder().pool(&pool).budget(short).build().unwrap();
        sandbox.exec("x = 1").unwrap();
        sandbox.exec("x = 1").unwrap();
        drop(sandbox);
        let short = Budget::default().timeout(Duration::from_millis(300));
        let mut sandbox = Sandbox::builder().pool(&pool).budget(short).build().unwrap();
        assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Died(_))));
    });
    let started = heard.events.iter().find(|event| event.name == "worker started").unwrap();
    assert_eq!((started.target, started.level), ("pycage::worker", Level::INFO));
    if cfg!(target_os = "linux") {
        assert!(started.field("enforced").split(' ').any(|wall| wall == "seccomp"), "{started:?}");
    }
    let died = heard.event("worker died");
    assert_eq!((died.level, died.field("cause"), heard.inside(died)), (Level::WARN, "deadline", "run"));
    let recycled: Vec<_> = heard.events.iter().filter(|event| event.name == "worker recycled").collect();
    assert_eq!(recycled[0].field("calls"), "2", "{recycled:?}");
    let none = Collector::during(|| {
        let launcher = pycage::process::Launcher::command(["false"]);
        assert!(process::builder().launcher(launcher).build().is_err());
    });
    assert_eq!(none.event("no worker came up").level, Level::WARN);
}
