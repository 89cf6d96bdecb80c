//! Modules of the host that scripts import.

use crate::in_both_rings;
use crate::process::sandbox as worker;
use crate::support::Ring;
use pycage::{
    Budget, Error, Handle, HostModule, HostObject, Kwargs, Members, Policy, Progress, Runner, Sandbox, SandboxBuilder,
    Value,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

struct Purse(i64);

impl HostObject for Purse {
    const NAME: &'static str = "Purse";

    fn members(members: &mut Members<Self>) {
        members.field_mut("gold", |purse| purse.0, |purse, gold: i64| purse.0 = gold);
    }
}

fn game() -> HostModule {
    HostModule::new("game")
        .constant("MAX_LEVEL", 50)
        .constant("kinds", ["orc", "elf"])
        .function("spawn", |kind: &str| format!("a new {kind}"))
        .function_named("move_to", ["x", "y"], |x: i64, y: i64| x * 10 + y)
        .function("options", |options: Kwargs<i64>| options.0.values().sum::<i64>())
        .function("fail", || -> Result<(), &str> { Err("as asked") })
}

fn fails(sandbox: &mut Sandbox, source: &str, type_name: &str, message: &str) {
    match sandbox.exec(source) {
        Err(Error::Exception(exception)) => {
            assert_eq!(exception.type_name, type_name, "{source}: {}", exception.message);
            assert!(exception.message.contains(message), "{source}: {}", exception.message);
        }
        other => panic!("{source}: {other:?}"),
    }
}

fn refused(builder: SandboxBuilder, message: &str) {
    match builder.build() {
        Err(Error::Setup(why)) => assert!(why.contains(message), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("built, but: {message}"),
    }
}

/// What every ring must do in the same way.
fn uses(mut sandbox: Sandbox) -> (u64, u64) {
    let source = "
import game
import game as again
from game import spawn, MAX_LEVEL as top
assert again is game
assert game.spawn is spawn
def inner():
    from game import move_to
    return move_to(y=2, x=1)
[spawn('orc'), top, game.kinds[1], inner(), game.options(a=1, b=2), str(game), hasattr(game, 'spawn'), hasattr(game, 'x')]";
    let (value, usage) = sandbox.eval_with::<Value>(source, Budget::default()).unwrap();
    assert_eq!(value.to_string(), "['a new orc', 50, 'elf', 12, 3, \"<module 'game'>\", True, False]");
    for (source, type_name, message) in [
        ("import game\ngame.spawn = 1", "AttributeError", "module 'game' is read-only"),
        ("import game\ndel game.spawn", "AttributeError", "module 'game' is read-only"),
        ("import game\ngame.nothing", "AttributeError", "module 'game' has no attribute 'nothing'"),
        ("from game import nothing", "ImportError", "nothing"),
        ("import game\ngame.spawn()", "TypeError", "game.spawn() misses argument 1"),
        ("import game\ngame.move_to(1, 2, 3)", "TypeError", "game.move_to() takes 2 positional arguments but 3"),
        ("import game\ngame.fail()", "RuntimeError", "as asked"),
    ] {
        fails(&mut sandbox, source, type_name, message);
    }
    assert!(matches!(sandbox.exec("import shop"), Err(Error::Rejected(_))));
    assert!(matches!(sandbox.exec("import game.shop"), Err(Error::Rejected(_))));
    (usage.instructions, usage.native_steps)
}

#[test]
fn a_module_is_imported_and_read_only() {
    let cold = uses(Sandbox::builder().runner(&Runner::new().unwrap()).module(game()).build().unwrap());
    let runner = Runner::new().unwrap();
    for _ in 0..2 {
        assert_eq!(uses(Sandbox::builder().runner(&runner).module(game()).build().unwrap()), cold);
    }
}

#[test]
fn a_worker_has_the_same_module() {
    let here = uses(Sandbox::builder().module(game()).build().unwrap());
    let pool = crate::process::pool();
    for _ in 0..2 {
        assert_eq!(uses(Sandbox::builder().pool(&pool).module(game()).build().unwrap()), here);
    }
    // A sandbox of the same pool has none of it.
    assert!(matches!(worker(&pool).exec("import game"), Err(Error::Rejected(_))));
}

fn each_sandbox_has_constants_of_its_own_and_shares_functions_and_objects(ring: Ring) {
    let calls = Arc::new(AtomicI64::new(0));
    let count = calls.clone();
    let purse = Handle::new(Purse(7));
    let module = HostModule::new("shared")
        .constant("names", ["orc"])
        .constant("purse", purse.clone())
        .function("count", move || count.fetch_add(1, Ordering::Relaxed) + 1);
    let build = || ring.builder().module(module.clone()).build().unwrap();
    let (mut first, mut second) = (build(), build());
    first.exec("import shared\nshared.names.append('elf')\nshared.purse.gold += 1\nshared.count()").unwrap();
    assert_eq!(first.eval::<i64>("len(shared.names)").unwrap(), 2);
    assert_eq!(second.eval::<i64>("import shared\nlen(shared.names)").unwrap(), 1);
    assert_eq!(second.eval::<i64>("shared.count()").unwrap(), 2);
    assert_eq!(purse.borrow().unwrap().0, 8);
}

#[test]
fn a_reloaded_script_keeps_the_module() {
    let mut sandbox = Sandbox::builder().module(game()).build().unwrap();
    sandbox.exec("import game\ngame.kinds.append('imp')").unwrap();
    let script = sandbox.compile("next.py", "from game import kinds").unwrap();
    sandbox.reload(&script).unwrap();
    assert_eq!(sandbox.eval::<Vec<String>>("kinds").unwrap(), ["orc", "elf", "imp"]);
}

#[test]
fn a_task_awaits_a_member() {
    let module = HostModule::new("host").awaitable("sleep").function("now", || 5);
    let mut sandbox = Sandbox::builder().module(module).build().unwrap();
    sandbox
        .exec(
            "
import host
from host import sleep
async def nap(n):
    total = 0
    for i in range(n):
        total += await host.sleep(i) + await sleep(i)
    return total + host.now()
",
        )
        .unwrap();
    let mut task = sandbox.start("nap", (2,)).unwrap();
    let mut progress = task.resume(Budget::default()).unwrap();
    let mut asked = 0;
    while let Progress::Awaiting(request) = &progress {
        assert_eq!(request.name, "host.sleep");
        asked += 1;
        let answer = request.args[0].clone();
        progress = task.resume_with(answer, Budget::default()).unwrap();
    }
    assert_eq!((asked, progress), (4, Progress::Done(Value::Int(7))));
    fails(&mut sandbox, "nap(1).send(None)", "RuntimeError", "host.sleep() can only be awaited in a task");
}

#[tokio::test]
async fn async_functions_are_members() {
    let pool = crate::process::builder().tasks(1).build().unwrap();
    for builder in [Sandbox::builder(), Sandbox::builder().pool(&pool)] {
        let module = HostModule::new("shop").async_function("price", |item: String, count: Option<i64>| async move {
            tokio::task::yield_now().await;
            if item == "axe" { Ok(20 * count.unwrap_or(1)) } else { Err(format!("no {item}")) }
        });
        let mut sandbox = builder.module(module).build_async().await.unwrap();
        sandbox
            .exec(
                "
import shop
async def cost(item):
    try:
        return await shop.price(item, 2) + await shop.price(item)
    except RuntimeError as error:
        return str(error)
",
            )
            .unwrap();
        assert_eq!(sandbox.call_async::<i64>("cost", ("axe",)).await.unwrap(), 60);
        assert_eq!(sandbox.call_async::<String>("cost", ("elf",)).await.unwrap(), "no elf");
    }
}

#[test]
fn what_no_script_could_use_is_refused() {
    let builder = Sandbox::builder;
    for name in ["", "9lives", "a.b", "_x", "__main__", "a b", "größe", "import", "mro", "sys"] {
        assert!(matches!(builder().module(HostModule::new(name)).build(), Err(Error::Setup(_))), "{name}");
    }
    for name in ["", "_x", "__dict__", "a.b", "gi_frame", "class"] {
        refused(builder().module(HostModule::new("kit").constant(name, 1)), "use a public identifier");
    }
    let twice = HostModule::new("kit").constant("x", 1).function("x", || 1);
    refused(builder().module(twice), "two members named 'x'");
    refused(builder().module(HostModule::new("kit")).module(HostModule::new("kit")), "two modules named 'kit'");
    let policy = Policy::minimal().grant("math");
    refused(builder().policy(policy).module(HostModule::new("math")), "the policy grants a module 'math'");
    let mut other = Sandbox::new().unwrap();
    let function: Value = other.eval("def f(): pass\nf").unwrap();
    refused(builder().module(HostModule::new("kit").constant("f", vec![function])), "'f' holds a function");
}

#[test]
fn a_module_of_the_host_stands_for_one_that_is_not_granted() {
    // `statistics` of pycage's own uses its own `math`, whatever the script gets under that name.
    let policy = Policy::minimal().grant("statistics");
    let math = HostModule::new("math").constant("pi", 3);
    let mut sandbox = Sandbox::builder().policy(policy).module(math).build().unwrap();
    assert_eq!(sandbox.eval::<i64>("import math\nmath.pi").unwrap(), 3);
    assert_eq!(sandbox.eval::<f64>("import statistics\nstatistics.stdev([1, 2, 3])").unwrap(), 1.0);
}

in_both_rings! {
    each_sandbox_has_constants_of_its_own_and_shares_functions_and_objects
}
