//! A tour of pycage, a feature after the other. Each step checks what it says.
//!
//! ```text
//! cargo run --release --ignore-rust-version --example guided_tour
//! ```

use pycage::{
    AuditRecord, Budget, CallContext, Callback, Error, ExceptionType, Handle, HostModule, HostObject, Kwargs, Limit,
    Members, MemoryFiles, MemoryModules, MeteredAlloc, Mount, Policy, Progress, Raise, Rest, Runner, Sandbox,
    ValueLimits, from_value, to_value,
};
use serde::{Deserialize, Serialize};
use std::sync::mpsc;

// Memory and allocation limits rest on this line.
#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

type Step = fn() -> Result<(), Error>;

fn main() -> Result<(), Error> {
    let steps: [(&str, Step); 13] = [
        ("scripts and values", scripts_and_values),
        ("budgets", budgets),
        ("functions", functions),
        ("callbacks", callbacks),
        ("objects", objects),
        ("scopes", scopes),
        ("data", data),
        ("state", state),
        ("tasks", tasks),
        ("a frame's worth of calls", frames),
        ("modules and files", modules_and_files),
        ("audit records", audit_records),
        ("editor stubs", editor_stubs),
    ];
    for (number, (name, step)) in steps.into_iter().enumerate() {
        step()?;
        println!("{:>2}. {name}: as said", number + 1);
    }
    Ok(())
}

/// Step 1: a sandbox runs scripts, keeps their globals, and exchanges values with the host.
fn scripts_and_values() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    assert_eq!(sandbox.eval::<i64>("6 * 7")?, 42);
    sandbox.set("name", "ada")?;
    sandbox.exec("def greet(times): return ['hello ' + name] * times")?;
    let greetings: Vec<String> = sandbox.call("greet", (2,))?;
    assert_eq!(greetings, ["hello ada", "hello ada"]);
    // What scripts may not use is not there: it is refused before it runs, with a line and what to do instead.
    assert!(matches!(sandbox.exec("import os"), Err(Error::Rejected(_))));
    Ok(())
}

/// Step 2: every call has a budget, and every answer a bill. Nothing that a script does outlives its budget.
fn budgets() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    let (sum, usage) = sandbox.eval_with::<i64>("sum(i * i for i in range(1000))", Budget::default())?;
    let (_, again) = sandbox.eval_with::<i64>("sum(i * i for i in range(1000))", Budget::default())?;
    assert_eq!(sum, 332_833_500);
    assert_eq!((usage.instructions, usage.native_steps), (again.instructions, again.native_steps));

    let endless = "while True:\n    try:\n        while True: pass\n    finally: pass";
    let Err(Error::Budget(stop)) = sandbox.exec_with(endless, Budget::default().instructions(10_000)) else {
        panic!("it is stopped")
    };
    assert_eq!((stop.limit, stop.allowed), (Limit::Instructions, 10_000));
    assert!(matches!(sandbox.exec("[0] * 10**12"), Err(Error::Budget(_))));
    Ok(())
}

/// Step 3: functions of the host take text without copying it, and optional, keyword and variadic arguments. Their errors
/// become the exceptions that they choose, and come back as what they were.
fn functions() -> Result<(), Error> {
    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("there is no {0}")]
    struct Unknown(String);

    let mut sandbox = Sandbox::new()?;
    sandbox.function_named("spawn", ["kind", "count"], |kind: &str, count: Option<u32>| -> Result<String, Raise> {
        match kind {
            "orc" | "elf" => Ok(format!("{} {kind}", count.unwrap_or(1))),
            other => Err(Raise::new(ExceptionType::ValueError, Unknown(other.to_owned()))),
        }
    })?;
    sandbox.function("note", |text: &str, rest: Rest<i64>, options: Kwargs<bool>| {
        format!("{text} {:?} {:?}", rest.0, options.0)
    })?;
    assert_eq!(sandbox.eval::<String>("spawn('orc') + ', ' + spawn(count=3, kind='elf')")?, "1 orc, 3 elf");
    assert_eq!(sandbox.eval::<String>("note('x', 1, 2, loud=True)")?, r#"x [1, 2] {"loud": true}"#);
    let source = "try:\n    spawn('dragon')\nexcept ValueError as error:\n    answer = str(error)\nanswer";
    assert_eq!(sandbox.eval::<String>(source)?, "there is no dragon");

    let Err(Error::Exception(exception)) = sandbox.exec("spawn('dragon')") else { panic!("it raises") };
    let unknown = exception.host_error.expect("the host's own error");
    assert_eq!(unknown.downcast_ref::<Unknown>(), Some(&Unknown("dragon".to_owned())));
    Ok(())
}

/// Step 4: a script's callables are called back, metered, in the middle of a host function and later.
fn callbacks() -> Result<(), Error> {
    let mut sandbox = Sandbox::builder().data(10_i64).build()?;
    sandbox.function("scaled", |context: CallContext, f: Callback, x: i64| -> Result<i64, Error> {
        let scale = context.data::<i64>().copied().unwrap_or(1);
        let left = context.remaining(Limit::Instructions);
        let answer: i64 = context.call(&f, (x * scale,))?;
        assert!(context.remaining(Limit::Instructions) < left, "it is on the script's bill");
        Ok(answer)
    })?;
    assert_eq!(sandbox.eval::<i64>("scaled(lambda x: x + 1, 4)")?, 41);
    sandbox.exec("def on_hit(damage): return max(0, damage - 3)")?;
    let handler: Callback = sandbox.get("on_hit")?;
    assert_eq!(sandbox.call_function::<i64>(&handler, (10,))?, 7);
    Ok(())
}

/// An object of the host's, with what scripts can do to it.
struct Player {
    name: String,
    hp: i64,
    bag: Vec<String>,
}

impl Player {
    fn new(name: &str) -> Player {
        Player { name: name.to_owned(), hp: 90, bag: Vec::new() }
    }
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

/// Step 5: objects of the host are shared, not copied, and have the members that their type lists, and no others.
fn objects() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    let ada = Handle::new(Player::new("ada"));
    sandbox.set("player", ada.clone())?;
    sandbox.exec("player.hp += 50\nplayer.take('lamp')")?;
    assert_eq!(
        sandbox.eval::<String>("f'{player} has {list(player)}, {player.hp}'")?,
        "<Player ada> has ['lamp'], 100"
    );
    assert_eq!(ada.borrow().expect("nobody uses it").bag, ["lamp"]);
    let Err(Error::Exception(exception)) = sandbox.exec("player.bag") else { panic!("it is not listed") };
    assert_eq!(exception.type_name, "AttributeError");
    Ok(())
}

/// Step 6: a scope lends what the host only borrows. After it, nothing of it is left to the script.
fn scopes() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    let mut player = Player::new("bob");
    let mut log = Vec::new();
    sandbox.scope(|scope| {
        let lent = scope.object(&mut player);
        scope.set("player", lent)?;
        scope.function("log", |line: &str| log.push(line.to_owned()))?;
        scope.exec("player.hp -= 5\nlog(player.name + ' is hurt')")
    })?;
    assert_eq!((log, player.hp), (vec!["bob is hurt".to_owned()], 85));
    let Err(Error::Exception(exception)) = sandbox.exec("player.hp = 100") else { panic!("it was taken back") };
    assert_eq!(exception.type_name, "ReferenceError");
    Ok(())
}

/// Step 7: values go to and from serde's types; what is too much does not cross.
fn data() -> Result<(), Error> {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Quest {
        title: String,
        rewards: Vec<u32>,
    }

    let limits = ValueLimits::default().items(1_000);
    let mut sandbox = Sandbox::builder().policy(Policy::default().value_limits(limits)).build()?;
    let quest = Quest { title: "find the lamp".into(), rewards: vec![5, 10] };
    sandbox.set("quest", to_value(&quest).expect("plain data"))?;
    let changed = sandbox.eval("quest['rewards'].append(sum(quest['rewards']))\nquest")?;
    assert_eq!(from_value::<Quest>(changed).expect("a quest").rewards, [5, 10, 15]);
    let wrong = from_value::<Quest>(sandbox.eval("{'title': 'x', 'rewards': [1, 'two']}")?).unwrap_err();
    assert_eq!(wrong.path, "rewards[1]");
    assert!(matches!(sandbox.eval::<Vec<i64>>("[0] * 5000"), Err(Error::Conversion(_))));
    Ok(())
}

/// Step 8: state is kept apart, put back, and kept through a new version of the script.
fn state() -> Result<(), Error> {
    let source =
        |step: u32| format!("STEP = {step}\nhits = 0\ndef hit():\n    global hits\n    hits += STEP\n    return hits");
    let mut sandbox = Sandbox::new()?;
    sandbox.exec(&source(1))?;
    sandbox.call::<i64>("hit", ())?;
    let before = sandbox.snapshot()?;
    let better = sandbox.compile("v2.py", &source(10))?;
    sandbox.reload(&better)?;
    assert_eq!(sandbox.call::<i64>("hit", ())?, 11);
    sandbox.restore(&before)?;
    assert_eq!(sandbox.get::<i64>("hits")?, 1);
    Ok(())
}

/// Step 9: a task runs a slice at a time, is left wherever its slice ends, and can await the host.
fn tasks() -> Result<(), Error> {
    let mut sandbox = Sandbox::new()?;
    sandbox.awaitable("ask")?;
    sandbox.exec(
        "async def quest():\n    steps = sum(i % 3 for i in range(5_000))\n    return f'{await ask('who?')}: {steps}'",
    )?;
    let slice = || Budget::default().instructions(1_000);
    let mut task = sandbox.start("quest", ())?;
    let mut frames = 0;
    let mut progress = task.resume(slice())?;
    let answer = loop {
        frames += 1;
        progress = match progress {
            Progress::Paused(_) => task.resume(slice())?,
            Progress::Awaiting(request) => {
                assert_eq!(request.name, "ask");
                task.resume_with("ada", slice())?
            }
            Progress::Done(answer) => break answer,
            other => panic!("{other:?}"),
        };
    };
    assert_eq!(answer.to_string(), "'ada: 4999'");
    assert!(frames > 10, "{frames}");
    Ok(())
}

/// Step 10: a frame calls all its sandboxes on the runner's own thread, in one hand-over.
fn frames() -> Result<(), Error> {
    let runner = Runner::new()?;
    let mut plugins = Vec::new();
    for n in 0..100 {
        let mut sandbox = Sandbox::builder().runner(&runner).build()?;
        sandbox.exec(&format!("def tick(x): return x + {n}"))?;
        plugins.push(sandbox);
    }
    let sum = runner.with(move |cage| {
        let ticks = plugins.iter_mut().map(|plugin| cage.call::<i64>(plugin, "tick", (1,)));
        ticks.sum::<Result<i64, Error>>()
    })?;
    assert_eq!(sum?, 5_050);
    Ok(())
}

/// Step 11: modules of the host, other files of the plugin, and files to read and to write.
fn modules_and_files() -> Result<(), Error> {
    let game =
        HostModule::new("game").constant("MAX_LEVEL", 50).function("spawn", |kind: &str| format!("a new {kind}"));
    let plugin = MemoryModules::new().with("monsters", "from game import spawn\ndef orc(): return spawn('orc')");
    let (assets, saves) = (MemoryFiles::new(), MemoryFiles::new());
    assets.insert("names.txt", "Grom\nMog\n")?;
    let mut sandbox = Sandbox::builder()
        .module(game)
        .resolver(plugin)
        .mount("assets", Mount::memory(&assets).read_only())
        .mount("saves", Mount::memory(&saves).max_bytes(1 << 20))
        .build()?;
    sandbox.exec(
        "import monsters\n\
         from pathlib import Path\n\
         names = [line.strip() for line in open('assets/names.txt')]\n\
         Path('saves/orcs.txt').write_text(', '.join(f'{monsters.orc()} {name}' for name in names))",
    )?;
    assert_eq!(saves.read("orcs.txt").as_deref(), Some(&b"a new orc Grom, a new orc Mog"[..]));
    assert!(sandbox.exec("open('assets/names.txt', 'w')").is_err());
    assert!(sandbox.exec("open('saves/../../etc/passwd')").is_err());
    Ok(())
}

/// Step 12: each run leaves a record, whatever becomes of it, and none holds what the script says. `JsonLines` writes them.
fn audit_records() -> Result<(), Error> {
    let (sender, records) = mpsc::channel();
    let sink = move |record: &AuditRecord| Ok(sender.send(record.clone())?);
    let budget = Budget::default().instructions(10_000);
    let mut sandbox = Sandbox::builder().label("orc").policy(Policy::plugin()).budget(budget).audit(sink).build()?;
    sandbox.exec("def on_hit(damage): return max(0, damage - 3)")?;
    sandbox.call::<i64>("on_hit", (10,))?;
    assert!(sandbox.exec("import os").is_err());
    assert!(sandbox.exec("while True: pass").is_err());

    let records: Vec<AuditRecord> = records.try_iter().collect();
    let kinds: Vec<&str> = records.iter().map(|record| record.outcome.kind.name()).collect();
    assert_eq!(kinds, ["returned", "returned", "rejected", "budget"]);
    assert!(records.iter().all(|record| record.label.as_deref() == Some("orc") && record.policy.name == "plugin"));
    assert_eq!(records[1].function.as_deref(), Some("on_hit"));
    assert_eq!(records[1].script, records[0].script);
    assert_eq!(records[2].outcome.rule.as_deref(), Some("import"));
    assert_eq!(records[3].outcome.limit.as_deref(), Some("instructions"));
    // A sink that fails is no matter of the script's, and is told.
    assert_eq!(sandbox.audit_failures().count, 0);
    Ok(())
}

/// Step 13: what scripts may use, told to editors and type checkers.
fn editor_stubs() -> Result<(), Error> {
    let shop = HostModule::new("shop")
        .function_named("buy", ["item", "count"], |item: &str, count: Option<u32>| format!("{count:?} {item}"))
        .doc("Answers what was bought.");
    let mut sandbox = Sandbox::builder().policy(Policy::minimal().grant("math")).module(shop).build()?;
    sandbox.set("gold", 12)?;
    sandbox.doc("gold", "What is left to spend.");
    // `write_to` writes them into a folder: `mypy --config-file FOLDER/mypy.ini plugin.py`.
    let files = sandbox.stubs().files();
    let buy = "def buy(item: str, count: int | None = None) -> str:\n    \"\"\"Answers what was bought.\"\"\"\n";
    assert!(files["typeshed/stdlib/shop.pyi"].ends_with(buy));
    // They stand in the place of Python's own: what is not granted is not there.
    assert!(files.contains_key("typeshed/stdlib/math.pyi") && !files.contains_key("typeshed/stdlib/os.pyi"));
    let builtins = &files["typeshed/stdlib/builtins.pyi"];
    assert!(builtins.contains("gold: int\n") && !builtins.contains("def eval("));
    Ok(())
}
