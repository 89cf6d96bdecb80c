//! A tour of pycage, a feature after the other, each with what it gives.
//!
//! ```text
//! cargo run --release --ignore-rust-version --example guided_tour
//! ```

use pycage::{
    Budget, CallContext, Callback, Error, ExceptionType, Handle, HostObject, Kwargs, Limit, Members, MeteredAlloc,
    Policy, Raise, Rest, Sandbox, Value, ValueLimits, from_value, to_value,
};
use serde::{Deserialize, Serialize};

// Memory and allocation limits rest on this line.
#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

fn main() -> Result<(), Error> {
    scripts_and_values()?;
    budgets()?;
    functions()?;
    callbacks()?;
    objects()?;
    scopes()?;
    data()?;
    state()?;
    Ok(())
}

/// Step 1: A sandbox runs scripts, keeps their globals, and exchanges values with the host.
fn scripts_and_values() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    sandbox.set("name", "ada")?;
    sandbox.exec("def greet(times): return ['hello ' + name] * times")?;
    let greetings: Vec<String> = sandbox.call("greet", (2,))?;
    println!("1. values: {greetings:?}, and {}", sandbox.eval::<i64>("6 * 7")?);
    Ok(())
}

/// Step 2: Every call has a budget, and every answer a bill. Nothing that a script does outlives its budget.
fn budgets() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    let (sum, usage) = sandbox.eval_with::<i64>("sum(i * i for i in range(1000))", Budget::default())?;
    println!("2. bills: {sum} for {} instructions and {} native steps", usage.instructions, usage.native_steps);
    match sandbox.exec_with("while True: pass", Budget::default().instructions(10_000)) {
        Err(Error::Budget(stop)) => println!("   {stop}"),
        other => println!("   not stopped: {other:?}"),
    }
    Ok(())
}

/// Step 3: Functions of the host take text without copying it, and optional, keyword and variadic arguments. Their errors
/// become the exceptions that they choose, and come back as what they were.
fn functions() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    sandbox.function_named("spawn", ["kind", "count"], |kind: &str, count: Option<u32>| -> Result<String, Raise> {
        match kind {
            "orc" | "elf" => Ok(format!("{} {kind}", count.unwrap_or(1))),
            other => Err(Raise::new(ExceptionType::ValueError, format!("there is no {other}"))),
        }
    })?;
    sandbox.function("note", |text: &str, rest: Rest<i64>, options: Kwargs<bool>| {
        format!("{text} {:?} {:?}", rest.0, options.0)
    })?;
    println!("3. functions: {}", sandbox.eval::<String>("spawn('orc') + ', ' + spawn(count=3, kind='elf')")?);
    println!("   {}", sandbox.eval::<String>("note('x', 1, 2, loud=True)")?);
    let source = "try:\n    spawn('dragon')\nexcept ValueError as error:\n    answer = str(error)\nanswer";
    println!("   {}", sandbox.eval::<String>(source)?);
    Ok(())
}

/// Step 4: A script's callables are called back, metered, in the middle of a host function and later.
fn callbacks() -> Result<(), Error> {
    let mut sandbox = Sandbox::builder().data(10_i64).build()?;
    sandbox.function("scaled", |context: CallContext, f: Callback, x: i64| -> Result<i64, Error> {
        let scale = context.data::<i64>().copied().unwrap_or(1);
        let left = context.remaining(Limit::Instructions);
        let answer: i64 = context.call(&f, (x * scale,))?;
        println!("4. callbacks: {} of the budget's instructions", left - context.remaining(Limit::Instructions));
        Ok(answer)
    })?;
    println!("   {}", sandbox.eval::<i64>("scaled(lambda x: x + 1, 4)")?);
    sandbox.exec("def on_hit(damage): return max(0, damage - 3)")?;
    let handler: Callback = sandbox.get("on_hit")?;
    println!("   {}", sandbox.call_function::<i64>(&handler, (10,))?);
    Ok(())
}

/// An object of the host's, with everything that scripts can do to it.
struct Player {
    name: String,
    hp: i64,
    bag: Vec<String>,
}

impl HostObject for Player {
    const NAME: &'static str = "Player";

    fn members(members: &mut Members<Self>) {
        members
            .field("name", |player| player.name.clone())
            .field_mut("hp", |player| player.hp, |player, hp: i64| player.hp = hp.clamp(0, 100))
            .method("take", |player: &mut Player, item: &str| player.bag.push(item.to_owned()))
            .len(|player| player.bag.len())
            .index(|player, at: usize| player.bag.get(at).cloned())
            .iter(|player| player.bag.clone())
            .repr(|player| format!("<Player {}>", player.name));
    }
}

/// Step 5: Objects of the host are shared, not copied, and have the members that their type lists, and no others.
fn objects() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    let ada = Handle::new(Player { name: "ada".into(), hp: 90, bag: vec!["rope".into()] });
    sandbox.set("player", ada.clone())?;
    sandbox.exec("player.hp += 50\nplayer.take('lamp')")?;
    println!("5. objects: {}", sandbox.eval::<String>("f'{player} has {list(player)} and {player.hp} hp'")?);
    if let Ok(player) = ada.borrow() {
        println!("   the host sees {:?}", player.bag);
    }
    if let Err(Error::Exception(exception)) = sandbox.exec("player.bag") {
        println!("   {}: {}", exception.type_name, exception.message);
    }
    Ok(())
}

/// Step 6: A scope lends what the host only borrows. After it, nothing of it is left to the script.
fn scopes() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    let mut player = Player { name: "bob".into(), hp: 20, bag: Vec::new() };
    let mut log = Vec::new();
    sandbox.scope(|scope| {
        let lent = scope.object(&mut player);
        scope.set("player", lent)?;
        scope.function("log", |line: &str| log.push(line.to_owned()))?;
        scope.exec("player.hp -= 5\nlog(player.name + ' is hurt')")
    })?;
    println!("6. scopes: {log:?}, {} hp", player.hp);
    if let Err(Error::Exception(exception)) = sandbox.exec("player.hp = 100") {
        println!("   {}: {}", exception.type_name, exception.message);
    }
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct Quest {
    title: String,
    rewards: Vec<u32>,
}

/// Step 7: Values go to and from serde's types; what is too much does not cross.
fn data() -> Result<(), Error> {
    let limits = ValueLimits::default().items(1_000);
    let mut sandbox = Sandbox::builder().policy(Policy::default().value_limits(limits)).build()?;
    let quest = Quest { title: "find the lamp".into(), rewards: vec![5, 10] };
    match to_value(&quest) {
        Ok(value) => sandbox.set("quest", value)?,
        Err(error) => println!("7. {error}"),
    }
    let changed: Value = sandbox.eval("quest['rewards'].append(sum(quest['rewards']))\nquest")?;
    println!("7. data: {:?}", from_value::<Quest>(changed));
    println!(
        "   {:?}",
        from_value::<Quest>(sandbox.eval("{'title': 'x', 'rewards': [1, 'two']}")?).map_err(|e| e.to_string())
    );
    println!("   {:?}", sandbox.eval::<Value>("[0] * 5000").map_err(|error| error.to_string()));
    Ok(())
}

/// Step 8: State is kept apart, put back, and kept through a new version of the script.
fn state() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    sandbox.exec("STEP = 1\nhits = 0\ndef hit():\n    global hits\n    hits += STEP\n    return hits")?;
    sandbox.call::<i64>("hit", ())?;
    let before = sandbox.snapshot()?;
    println!("8. state: {:?}, without {:?}", before.globals, before.left_out.keys().collect::<Vec<_>>());
    let better = sandbox
        .compile("v2.py", "STEP = 10\nhits = 0\ndef hit():\n    global hits\n    hits += STEP\n    return hits")?;
    sandbox.reload(&better)?;
    println!("   after a reload: {}", sandbox.call::<i64>("hit", ())?);
    sandbox.restore(&before)?;
    println!("   put back: {}", sandbox.get::<i64>("hits")?);
    Ok(())
}
