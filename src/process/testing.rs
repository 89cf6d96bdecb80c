//! For this crate's own tests and fuzzers.

use super::death::Exit;
use super::handles::Handles;
use super::jail::{JailSpec, Report};
use super::launcher::{Link, Process};
use super::protocol::VERSION;
use super::protocol::frame::{self, FrameReader, Message};
use super::protocol::message::{
    Asked, CallBack, Done, FromWorker, HostCall, Ready, Released, Start as StartWorker, ToWorker, Turn, WireHandles,
    WireRequest, WireType,
};
use super::protocol::outcome::Outcome;
use super::protocol::value::Flat;
use super::session::{Session, Worker};
use super::supply::Shared;
use crate::budget::Budget;
use crate::host::callback::{Callback, Token};
use crate::host::context::CallContext;
use crate::host::function;
use crate::host::object::members::Members;
use crate::host::object::{Handle, HostObject};
use crate::meter::hook::Cancel;
use crate::meter::run::LiveUsage;
use crate::policy::Policy;
use crate::runner::fiber::Reply;
use crate::runner::operation::Op;
use crate::runner::tasks::{Allowance, Start, TaskId};
use crate::sandbox::Config;
use crate::usage::Usage;
use crate::value::{IntoValue, Value};
use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Reads bytes as a worker reads its host, to the first thing that is no frame. That it ends, without a panic and without
/// more memory than the bytes explain, is what matters. Answers how many frames there were.
pub fn read_as_worker(bytes: &[u8]) -> usize {
    let mut worker = FrameReader::new(bytes);
    let mut count = 0;
    while worker.next::<ToWorker>().is_ok() {
        count += 1;
    }
    count
}

/// Has a host come up, and make some calls, with a worker that says these bytes whatever it is told. Answers how many of
/// the calls were answered.
pub fn host_against(bytes: &[u8]) -> usize {
    struct Nothing;
    impl Process for Nothing {
        fn kill(&self) {}
        fn wait(&self, _patience: Duration) -> Option<Exit> {
            Some(Exit::Unknown)
        }
    }
    let link = Link {
        input: Box::new(std::io::sink()),
        output: Box::new(Cursor::new(bytes.to_vec())),
        errors: None,
        process: Arc::new(Nothing),
    };
    let jail = JailSpec { memory: 0, tasks: 0, tasks_asked: false, cpu_seconds: 0, unguarded: false };
    let Ok(worker) = Worker::come_up(link, StartWorker { version: VERSION, jail }, Duration::from_secs(60)) else {
        return 0;
    };
    let config = Config {
        policy: Policy::default(),
        hook: None,
        cancel: Cancel::default(),
        data: None,
        provided: Default::default(),
        profile: None,
        observer: None,
    };
    let mut session = Session::with(worker, &Shared::detached(), Handles::default());
    let budget = Budget::default().timeout(Duration::from_secs(60));
    let function = |name: &str, function| {
        Op::SetFunction(function::NewFunction { name: name.to_owned(), parameters: Vec::new(), function })
    };
    let ops = [
        function("twice", function::erase(|text: String| text.clone() + &text)),
        function("run", function::erase(|context: CallContext, f: Callback| context.call::<Value>(&f, ()).is_ok())),
        Op::Get("x".to_owned()),
        Op::Set("x".to_owned(), THING.clone().into_value()),
        Op::Call { name: "tick".to_owned(), args: vec![Value::Int(1)] },
    ];
    let live = LiveUsage::default();
    // Entered into books, as a sandbox does.
    let mut spent = Usage::default();
    let mut calls = 0;
    for op in ops {
        if let Ok(done) = session.call(op, &budget, &config, &live) {
            spent.add(&done.usage);
            calls += 1;
        }
    }
    let start = Start::Call { name: "tick".to_owned(), args: Vec::new() };
    let started = usize::from(session.start_task(TaskId(1), start, &config).is_ok());
    let allowed = Allowance { slice: budget.clone(), rest: (u64::MAX, Duration::MAX), told: budget };
    let slices = [Reply::Go, Reply::Go, Reply::Value(Value::Int(1))].into_iter().map(|reply| {
        let stepped = session.step_task(TaskId(1), &allowed, Duration::from_secs(60), reply, &config, &live)?;
        let slice = stepped.usage.since(&spent);
        spent.add(&slice);
        stepped.result
    });
    calls + started + slices.filter(Result::is_ok).count()
}

/// An object that the host gives to its worker. It is the first one of a fuzzer's process.
static THING: LazyLock<Handle<Thing>> = LazyLock::new(|| Handle::new(Thing));

struct Thing;

impl HostObject for Thing {
    const NAME: &'static str = "Thing";

    fn members(members: &mut Members<Self>) {
        members.field("x", |_| 1).iter(|_| 0..1_i64);
    }
}

fn asked(asked: Asked, args: Vec<Value>) -> FromWorker {
    FromWorker::HostCall(HostCall {
        usage: Usage::default(),
        left: (0, 0),
        asked,
        args: args.into_iter().map(Flat::packed).collect(),
        keywords: Vec::new(),
    })
}

fn ready() -> FromWorker {
    FromWorker::Ready(Ready { version: VERSION, report: Report::default() })
}

fn done(number: u64, result: Outcome, usage: Usage, output: &str) -> FromWorker {
    let output = output.to_owned();
    FromWorker::Done(Box::new(Done { number, result, usage, output, last: false, left: false }))
}

fn callable() -> Value {
    Value::Function(Callback::new("function".to_owned(), Token::new(3, Arc::default())))
}

/// What a worker may say, frame by frame, for seeds: up, calls of host functions and of an object, one that calls back, a
/// report, and answers.
pub fn conversation() -> Vec<u8> {
    let value = Value::Dict(vec![(Value::Str("loot".into()), Value::List(vec![Value::Int(-7), Value::Float(0.5)]))]);
    let usage = Usage { instructions: 40, ..Usage::default() };
    let done = |number, result| done(number, result, usage, "hi\n");
    let mut bytes = Vec::new();
    let mut say = |message: FromWorker| put(&mut bytes, &message);
    say(ready());
    let thing = THING.as_any().inner.id;
    say(done(1, Outcome::Value(Flat::packed(Value::None))));
    say(done(2, Outcome::Value(Flat::packed(Value::None))));
    say(asked(Asked::Function(0), vec![Value::Str("na".into())]));
    say(FromWorker::Progress(Usage::default()));
    say(done(3, Outcome::Value(Flat::packed(value))));
    say(done(4, Outcome::Setup("no".to_owned())));
    say(asked(Asked::Object(thing, WireRequest::Read("x".to_owned())), Vec::new()));
    say(asked(Asked::Items(thing), Vec::new()));
    say(asked(Asked::Next(0), Vec::new()));
    say(asked(Asked::Next(0), Vec::new()));
    say(asked(Asked::Function(1), vec![callable()]));
    say(asked(Asked::Function(1), vec![callable()]));
    say(FromWorker::CalledBack(Box::new(Outcome::Value(Flat::packed(THING.clone().into_value())))));
    say(FromWorker::CalledBack(Box::new(Outcome::Cancelled)));
    say(FromWorker::Released(Released { objects: vec![thing], iterators: vec![0], functions: vec![0] }));
    say(done(5, Outcome::Stopped { reason: "enough".to_owned(), traceback: Vec::new() }));
    say(done(6, Outcome::Value(Flat::packed(Value::None))));
    say(done(7, Outcome::Paused));
    say(done(8, Outcome::Awaiting("ask".to_owned(), vec![Flat::packed(callable())])));
    say(done(9, Outcome::Value(Flat::packed(Value::Int(1)))));
    bytes
}

/// What a host may say, for seeds.
pub fn host_conversation() -> Vec<u8> {
    let mut bytes = Vec::new();
    let jail = JailSpec { memory: 1 << 28, tasks: 3, tasks_asked: true, cpu_seconds: 60, unguarded: false };
    put(&mut bytes, &ToWorker::Start(StartWorker { version: VERSION, jail }));
    put(&mut bytes, &ToWorker::Open(Box::default()));
    let told = WireType { name: "Orc".to_owned(), named: Vec::new(), operators: Vec::new(), problem: None };
    put(&mut bytes, &ToWorker::Handles(WireHandles { types: vec![told], objects: vec![(9, 0)], forget: vec![1] }));
    put(
        &mut bytes,
        &ToWorker::CallBack(Turn {
            took: Duration::from_millis(1),
            said: CallBack { key: 3, args: vec![Flat::packed(Value::Int(1))] },
        }),
    );
    put(&mut bytes, &ToWorker::Cancel(3));
    put(&mut bytes, &ToWorker::Close(()));
    bytes
}

fn put<M: Message>(bytes: &mut Vec<u8>, message: &M) {
    // Writing to memory does not fail.
    let _ = frame::write(bytes, &mut Vec::new(), message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::object::AnyObject;

    fn answered(number: u64, value: Value) -> FromWorker {
        done(number, Outcome::Value(Flat::packed(value)), Usage::default(), "")
    }

    /// What a worker says that has come up, and has answered so many calls.
    fn up_to(calls: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, &ready());
        (1..=calls).for_each(|number| put(&mut bytes, &answered(number, Value::None)));
        bytes
    }

    #[test]
    fn what_is_said_is_understood() {
        assert_eq!(host_against(&conversation()), 9);
        assert_eq!(read_as_worker(&host_conversation()), 6);
    }

    /// What a worker that was taken over may try with the host's objects and with calls back.
    #[test]
    fn what_was_never_given_ends_the_conversation() {
        let thing = THING.as_any().inner.id;
        let unknown = || Value::List(vec![Value::Object(AnyObject::unopened(u64::MAX))]);
        let done = |value| answered(3, value);
        let read = || WireRequest::Read("x".to_owned());
        let back = |value| FromWorker::CalledBack(Box::new(Outcome::Value(Flat::packed(value))));
        let call = || asked(Asked::Function(1), vec![callable()]);
        for (what, frames) in [
            ("an object", vec![asked(Asked::Object(u64::MAX, read()), Vec::new())]),
            ("one that it is given later", vec![asked(Asked::Object(thing, read()), Vec::new())]),
            ("items", vec![asked(Asked::Items(u64::MAX), Vec::new())]),
            ("an iterator", vec![asked(Asked::Next(0), Vec::new())]),
            ("a function", vec![asked(Asked::Function(2), Vec::new())]),
            ("an argument", vec![asked(Asked::Function(0), vec![unknown()])]),
            ("an answer", vec![done(unknown())]),
            ("the end of no call back", vec![back(Value::None)]),
            ("an answer of a call back", vec![call(), back(unknown())]),
            ("the end of the call in a call back", vec![call(), done(Value::None)]),
            ("a slice's end of a call back", vec![call(), FromWorker::CalledBack(Box::new(Outcome::Paused))]),
            ("nothing more in a call back", vec![call()]),
        ] {
            let mut bytes = up_to(2);
            frames.iter().for_each(|frame| put(&mut bytes, frame));
            put(&mut bytes, &done(Value::None));
            assert_eq!(host_against(&bytes), 2, "{what}");
        }
    }

    #[test]
    fn calls_back_nest_no_deeper_than_they_may() {
        // The host's function is not there yet when the first call of it comes, or it is.
        for answered in [0, 2] {
            let mut bytes = up_to(answered);
            for _ in 0..100_000 {
                put(&mut bytes, &asked(Asked::Function(1), vec![callable()]));
            }
            assert_eq!(host_against(&bytes), answered as usize);
        }
    }

    #[test]
    fn no_cut_and_no_changed_byte_is_a_panic() {
        let said = conversation();
        for end in 0..said.len() {
            assert!(host_against(&said[..end]) < 9);
        }
        for index in 0..said.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = said.clone();
                changed[index] ^= flip;
                host_against(&changed);
                read_as_worker(&changed);
            }
        }
    }

    #[test]
    fn no_figure_is_believed() {
        let most = Usage {
            instructions: u64::MAX,
            native_steps: u64::MAX,
            allocations: u64::MAX,
            allocated_bytes: u64::MAX,
            live_bytes: u64::MAX,
            peak_bytes: u64::MAX,
            output_bytes: u64::MAX,
            host_calls: u64::MAX,
            elapsed: Duration::MAX,
            host_time: Duration::MAX,
        };
        let mut bytes = up_to(0);
        for number in 1..=9 {
            put(&mut bytes, &FromWorker::Progress(most));
            put(&mut bytes, &done(number, Outcome::Value(Flat::packed(Value::None)), most, ""));
        }
        assert_eq!(host_against(&bytes), 9);
    }

    #[test]
    fn a_length_is_not_believed() {
        // Kind 2 may be large: the length alone must not make the host take memory for it.
        let mut lie = (64u32 << 20).to_le_bytes().to_vec();
        lie.push(2);
        assert!(matches!(FrameReader::new(&lie[..]).next::<FromWorker>(), Err(frame::FrameError::Truncated)));
        let mut too_large = u32::MAX.to_le_bytes().to_vec();
        too_large.push(2);
        let error = FrameReader::new(&too_large[..]).next::<FromWorker>().unwrap_err();
        assert!(matches!(error, frame::FrameError::TooLarge { .. }), "{error}");
        let empty = [0, 0, 0, 0, 2];
        assert!(matches!(FrameReader::new(&empty[..]).next::<FromWorker>(), Err(frame::FrameError::Empty)));
    }
}
