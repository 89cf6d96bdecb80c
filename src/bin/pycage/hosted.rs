//! Things of the host's for scripts to attack: for this crate's own tests.

use pycage::{
    CallContext, Callback, Error, Handle, HostModule, HostObject, IntoValue, Members, MemoryFiles, Mount, Rest, Runner,
    Sandbox, SandboxBuilder, Value,
};
use std::sync::{Arc, Mutex};

/// A chest of gold, whose `secret` no script may see.
struct Chest {
    gold: i64,
    secret: &'static str,
}

impl HostObject for Chest {
    const NAME: &'static str = "Chest";

    fn members(members: &mut Members<Self>) {
        members
            .field("name", |_| "chest")
            .field_mut("gold", |chest| chest.gold, |chest, gold: i64| chest.gold = gold)
            .method("put", |chest: &mut Chest, gold: i64| chest.gold = chest.gold.saturating_add(gold))
            .method("each", |chest: &Chest, context: CallContext, f: Callback| -> Result<Value, Error> {
                context.call(&f, (chest.gold,))
            })
            .method("guess", |chest: &Chest, secret: &str| secret == chest.secret)
            .len(|_| 3)
            .index(|chest, at: i64| chest.gold.saturating_add(at))
            .set_index(|chest, _: Value, gold: i64| chest.gold = gold)
            .contains(|chest, gold: i64| gold == chest.gold)
            .iter(|chest| vec![chest.gold; 3])
            .eq(|chest, gold: i64| gold == chest.gold)
            .hash(|_| 7)
            .repr(|_| "<Chest>".to_owned())
            .call(|chest: &Chest, rest: Rest| chest.gold.saturating_add(rest.0.len() as i64));
    }
}

/// Something to iterate over without an end.
struct Endless;

impl HostObject for Endless {
    const NAME: &'static str = "Endless";

    fn members(members: &mut Members<Self>) {
        members.iter(|_| 0_i64..);
    }
}

/// What a sandbox that is lent things has beside: kept while it is.
pub struct Neighbour(#[allow(dead_code, reason = "alive, so that its callable is")] Sandbox);

/// Gives a sandbox that is to be built a module and files of the host.
pub fn provide(builder: SandboxBuilder) -> Result<SandboxBuilder, Error> {
    let files = MemoryFiles::new();
    files.insert("a.txt", "inside")?;
    Ok(builder.module(module()).mount("scratch", Mount::memory(&files)))
}

fn module() -> HostModule {
    HostModule::new("hostkit")
        .constant("LIMIT", 5)
        .constant("names", ["orc", "elf"])
        .constant("chest", Handle::new(Chest { gold: 5, secret: "S3CRET" }))
        .function_named("add", ["a", "b"], |a: i64, b: i64| a.saturating_add(b))
        .function("call", |context: CallContext, f: Callback| -> Result<Value, Error> { context.call(&f, ()) })
        .awaitable("ask")
}

/// Gives a sandbox host functions, objects and something to await; and a neighbour on its runner, of which it gets a callable.
pub fn furnish(sandbox: &mut Sandbox, runner: &Runner) -> Result<Neighbour, Error> {
    sandbox.set("host_chest", Handle::new(Chest { gold: 5, secret: "S3CRET" }))?;
    sandbox.set("host_endless", Handle::new(Endless))?;
    sandbox.function_named("host_add", ["a", "b"], |a: i64, b: i64| a.saturating_add(b))?;
    sandbox.function("host_length", |text: &str| text.len())?;
    sandbox.function("host_echo", |value: Value| value)?;
    // Without a word on standard error.
    sandbox.function("host_panic", || -> () { std::panic::resume_unwind(Box::new("as asked")) })?;
    sandbox.function("host_fail", || -> Result<(), &str> { Err("as asked") })?;
    sandbox.function("host_call", |context: CallContext, f: Callback, rest: Rest| -> Result<Value, Error> {
        context.call(&f, rest.0)
    })?;
    // A host that makes nothing of what stopped the script.
    sandbox.function("host_try", |context: CallContext, f: Callback| {
        context.call::<Value>(&f, ()).unwrap_or_else(|error| error.to_string().into_value())
    })?;
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    let keep = kept.clone();
    sandbox.function("host_keep", move |value: Value| {
        if let Ok(mut kept) = keep.lock() {
            kept.push(value);
        }
    })?;
    sandbox.function("host_kept", move || kept.lock().ok().and_then(|kept| kept.last().cloned()))?;
    let mut neighbour = Sandbox::builder().runner(runner).build()?;
    neighbour.exec("def foreign(): return 'REACHED'")?;
    let foreign: Callback = neighbour.get("foreign")?;
    sandbox.function("host_foreign", move || foreign.clone())?;
    sandbox.awaitable("host_ask")?;
    Ok(Neighbour(neighbour))
}
