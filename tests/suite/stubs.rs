//! Editor stubs: a type checker that uses them finds nothing wrong with a plugin that is right, and everything that is wrong
//! with one that is not; and they name what scripts can reach, and nothing else.

use crate::support::assert_none;
use pycage::{
    CallContext, Callback, Error, Handle, HostModule, HostObject, Kwargs, Members, MemoryFiles, MemoryModules, Mount,
    Policy, Rest, Sandbox, Stubs, Value,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The checker, from the Python package index.
const MYPY: &str = "mypy==2.4.1";

struct Hero {
    hp: i64,
    bag: Handle<Bag>,
}

struct Bag(Vec<String>);

struct World;

impl HostObject for Hero {
    const NAME: &'static str = "Hero";

    fn members(members: &mut Members<Self>) {
        members.doc("Who the game is about.");
        members
            .field("name", |_| "Ada")
            .field("armour", |_| 3_i64)
            .field("bag", |hero| hero.bag.clone())
            .field_mut("hp", |hero| hero.hp, |hero, hp: i64| hero.hp = hp)
            .doc("Hit points left.")
            .method("hit", |hero: &mut Hero, damage: i64| {
                hero.hp -= damage;
                hero.hp > 0
            })
            .doc("Takes damage.\n\nAnswers whether the hero lives on.")
            .repr(|_| "<Hero>".to_owned());
    }
}

impl HostObject for Bag {
    const NAME: &'static str = "Bag";

    fn members(members: &mut Members<Self>) {
        members
            .len(|bag| bag.0.len())
            .contains(|bag, item: String| bag.0.contains(&item))
            .index(|bag, at: usize| bag.0.get(at).cloned())
            .set_index(|bag, at: usize, item: String| bag.0[at] = item)
            .del_index(|bag, at: usize| drop(bag.0.remove(at)))
            .eq(|bag, other: Vec<String>| bag.0 == other)
            .iter(|bag| bag.0.clone());
    }
}

impl HostObject for World {
    const NAME: &'static str = "World";

    fn members(members: &mut Members<Self>) {
        members.field("day", |_| 3_u32);
    }
}

/// A sandbox with something of each kind that a host can give.
fn furnished(policy: Policy, with_files: bool) -> Sandbox {
    let game = HostModule::new("game")
        .constant("MAX_LEVEL", 50)
        .constant("world", Handle::new(World))
        .function_named("spawn", ["kind", "count"], |kind: &str, count: Option<u32>| {
            format!("{} {kind}", count.unwrap_or(1))
        })
        .doc("Makes new ones.")
        .function("total", |numbers: Rest<i64>| numbers.0.iter().sum::<i64>())
        .async_function("price", |item: String| async move { item.len() });
    let mut builder = Sandbox::builder().policy(policy).module(game);
    if with_files {
        builder = builder.mount("saves", Mount::memory(&MemoryFiles::new()));
    }
    let loot = MemoryModules::new().with("loot", LOOT);
    let mut sandbox = builder.resolver(loot).build().unwrap();
    let bag = Handle::new(Bag(vec!["axe".into(), "rope".into()]));
    sandbox.set("hero", Handle::new(Hero { hp: 9, bag })).unwrap();
    sandbox.set("inputs", Value::Dict(vec![(Value::Str("name".into()), Value::Str("Ada".into()))])).unwrap();
    sandbox
        .function("log", |_: CallContext, words: Rest<String>, _: Kwargs<bool>| assert!(words.0.len() < 100))
        .unwrap();
    sandbox
        .function("when", |context: CallContext, ready: bool, then: Callback| -> Result<(), Error> {
            if ready { context.call(&then, ()) } else { Ok(()) }
        })
        .unwrap();
    sandbox.function("nearest", |from: (i64, i64), to: Option<Vec<i64>>| to.map_or(from.0, |to| to[0])).unwrap();
    sandbox.awaitable("ask").unwrap();
    sandbox
}

const LOOT: &str = "def price(item: str) -> int:\n    return len(item)\n";

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/stubs")
}

/// A folder for the stubs of one test.
fn write(stubs: &Stubs, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubs").join(name);
    stubs.write_to(&folder).unwrap();
    folder
}

/// The checker: the command in `PYCAGE_MYPY`, or one that is installed below `target` the first time.
fn checker() -> PathBuf {
    if let Some(given) = std::env::var_os("PYCAGE_MYPY") {
        return given.into();
    }
    static INSTALL: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = INSTALL.lock();
    let (python, programs) = if cfg!(windows) { ("python", "Scripts") } else { ("python3", "bin") };
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(MYPY);
    let mypy = environment.join(programs).join("mypy");
    // Written last, so that half an installation is not taken for a whole one.
    let done = environment.join("installed");
    if !done.exists() {
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment));
        let pip = environment.join(programs).join(python);
        run(Command::new(pip).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", MYPY]));
        std::fs::write(done, "").unwrap();
    }
    mypy
}

fn run(command: &mut Command) {
    let failed = match command.output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "this test needs the type checker {MYPY}: install Python 3.10 or later with `venv` and `pip` (and let it reach the \
         package index), or set PYCAGE_MYPY to a mypy that is there. {command:?}: {failed}"
    );
}

fn check(stubs: &Path, plugins: &[PathBuf]) -> Output {
    let mut command = Command::new(checker());
    command.arg("--config-file").arg(stubs.join("mypy.ini")).args(["--no-incremental", "--no-error-summary"]);
    let output = command.args(["--show-error-codes", "--hide-error-context"]).args(plugins).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The lines that a checker complains of, with the kinds of error.
fn complaints(output: &Output, file: &str) -> BTreeSet<(usize, String)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = text.lines().filter(|line| line.contains(": error: "));
    errors
        .map(|line| {
            let (place, what) = line.split_once(": error: ").unwrap();
            let (path, number) = place.rsplit_once(':').unwrap();
            assert!(path.ends_with(file), "an error elsewhere: {line}");
            let kind = what.rsplit_once('[').unwrap().1.trim_end_matches(']');
            (number.parse().unwrap(), kind.to_owned())
        })
        .collect()
}

#[test]
fn a_checker_accepts_a_plugin_that_is_right() {
    let sandbox = furnished(Policy::data(), true);
    let sources = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubs/sources");
    std::fs::create_dir_all(&sources).unwrap();
    std::fs::write(sources.join("loot.py"), LOOT).unwrap();
    let stubs = write(&sandbox.stubs().source_folder(sources), "good");
    let output = check(&stubs, &[cases().join("good.py")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// And pycage runs what the checker accepts: the plugin is not only right on paper.
#[test]
fn what_a_checker_accepts_runs() {
    let mut sandbox = furnished(Policy::data(), true);
    sandbox.exec(&std::fs::read_to_string(cases().join("good.py")).unwrap()).unwrap();
    sandbox.exec("with open('saves/orc.bin', 'wb') as raw: raw.write(b'hi')\nmain()").unwrap();
}

#[test]
fn a_checker_finds_all_that_is_wrong() {
    let sandbox = furnished(Policy::minimal().grant("math"), false);
    let stubs = write(&sandbox.stubs(), "bad");
    let plugin = cases().join("bad.py");
    let source = std::fs::read_to_string(&plugin).unwrap();
    let marked = source
        .lines()
        .enumerate()
        .filter_map(|(index, line)| line.split_once("# wrong: ").map(|(_, kind)| (index + 1, kind.to_owned())));
    let marked: BTreeSet<(usize, String)> = marked.collect();
    let found = complaints(&check(&stubs, &[plugin]), "bad.py");
    let missed: Vec<_> = marked.difference(&found).collect();
    let extra: Vec<_> = found.difference(&marked).collect();
    assert!(missed.is_empty() && extra.is_empty(), "not found: {missed:?}\nfound beside: {extra:?}");
}

/// A checker is silent about its own library, so each stub is checked as a source, under another name. Two kinds of
/// builtins are in the play then for the files that define them: of those, only unknown names count.
#[test]
fn the_stubs_are_right_themselves() {
    let sandbox = furnished(Policy::data(), true);
    let stubs = write(&sandbox.stubs().object::<World>(), "themselves");
    let mut copies = Vec::new();
    for (path, text) in sandbox.stubs().files().iter().filter(|(path, _)| path.ends_with(".pyi")) {
        let copy = stubs.join(path.trim_start_matches("typeshed/").replace(['/', '-'], "_"));
        std::fs::write(&copy, text).unwrap();
        copies.push(copy);
    }
    assert!(copies.len() > 30, "{copies:?}");
    let output = String::from_utf8_lossy(&check(&stubs, &copies).stdout).into_owned();
    let unknown = ["[name-defined]", "[attr-defined]", "[import-not-found]", "[syntax]"];
    let wrong = output.lines().filter(|line| line.contains(": error: ")).filter(|line| {
        let double = ["stdlib_builtins.pyi:", "stdlib_typing.pyi:"].iter().any(|file| line.contains(file));
        !double || unknown.iter().any(|kind| line.ends_with(kind))
    });
    let wrong = wrong.map(str::to_owned).collect();
    assert_none("stubs with errors", wrong);
}

/// The public names at the top of a stub, each with the members that a class has there.
#[derive(Debug, Default)]
struct Outline {
    names: BTreeSet<String>,
    classes: BTreeMap<String, Class>,
}

#[derive(Debug, Default)]
struct Class {
    bases: Vec<String>,
    /// Methods, properties and class variables.
    members: BTreeSet<String>,
    /// What only instances have.
    instance: BTreeSet<String>,
    special: BTreeSet<String>,
}

fn outline(stub: &str) -> Outline {
    let mut outline = Outline::default();
    let mut class: Option<String> = None;
    for line in stub.lines() {
        let inner = line.strip_prefix("    ");
        let text = inner.unwrap_or(line);
        let text = text.strip_prefix("async ").unwrap_or(text);
        if text.starts_with([' ', '#', '@', ')', '"']) || text.is_empty() {
            continue;
        }
        let word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
        let defined = text.strip_prefix("def ").or_else(|| text.strip_prefix("class ")).map(word);
        let variable = text.split_once(':').map(|(name, _)| name.to_owned()).filter(|name| *name == word(text));
        let assigned = text.split_once(" = ").map(|(name, _)| name.to_owned()).filter(|name| *name == word(text));
        match (inner, &class) {
            (Some(_), Some(of)) => {
                let of = outline.classes.entry(of.clone()).or_default();
                let Some(name) = defined.or(variable.clone()) else { continue };
                if name.starts_with("__") {
                    of.special.insert(name);
                } else if variable.is_some() && !text.contains("ClassVar") {
                    of.instance.insert(name);
                } else if !name.starts_with('_') {
                    of.members.insert(name);
                }
            }
            (Some(_), None) => {}
            (None, _) => {
                class = text.starts_with("class ").then(|| word(&text["class ".len()..]));
                if let Some(name) = &class {
                    let bases =
                        text.split_once('(').map_or("", |(_, bases)| bases.trim_end_matches([' ', '.', ':', ')']));
                    // `Base[Parameters]`: the parameters are no bases.
                    let mut depth = 0;
                    let outside = |c: &char| {
                        depth += i32::from(*c == '[') - i32::from(*c == ']');
                        depth == 0 && *c != ']'
                    };
                    let bases: String = bases.chars().filter(outside).collect();
                    let bases = bases.split(", ").map(word).filter(|base| !base.is_empty()).collect();
                    outline.classes.entry(name.clone()).or_default().bases = bases;
                }
                // `import x as x` hands a name on.
                let handed =
                    text.strip_prefix("from ").and_then(|text| text.split_once(" as ")).map(|(_, name)| word(name));
                outline
                    .names
                    .extend(defined.or(variable).or(assigned).or(handed).filter(|name| !name.starts_with('_')));
            }
        }
    }
    outline
}

/// Names that are there for the checkers alone, as the stubs say where they stand.
fn for_checkers(module: &str) -> &'static [&'static str] {
    match module {
        "builtins" => &["BaseException", "ellipsis", "function"],
        "enum" => &["EnumMeta"],
        "typing" => &["AsyncGenerator", "SupportsFloat", "SupportsInt"],
        _ => &[],
    }
}

/// What a class has with what is above it, in its own stub and among the builtins.
fn inherited(name: &str, own: &Outline, builtins: &Outline, shared: &Outline) -> BTreeSet<String> {
    let Some(class) = [own, builtins, shared].into_iter().find_map(|outline| outline.classes.get(name)) else {
        return BTreeSet::new();
    };
    let above = class.bases.iter().flat_map(|base| inherited(base, own, builtins, shared));
    class.members.iter().chain(&class.instance).cloned().chain(above).collect()
}

/// Every granted module's stub has its public names and no others, and its classes have their members.
#[test]
fn stubs_of_modules_name_what_is_there() {
    let sandbox =
        Sandbox::builder().policy(Policy::data()).mount("x", Mount::memory(&MemoryFiles::new())).build().unwrap();
    let files = sandbox.stubs().files();
    let stub = |path: &str| outline(&files[&format!("typeshed/stdlib/{path}.pyi")]);
    let (builtins, shared) = (stub("builtins"), stub("_typeshed/__init__"));
    let mut wrong = Vec::new();
    for module in Policy::data().modules().chain(["pathlib"]) {
        let path = if module == "collections" { "collections/__init__" } else { module };
        let told = stub(path);
        let there: BTreeSet<String> = sandbox.module_names(module).unwrap().into_iter().collect();
        let expected: BTreeSet<String> =
            there.iter().cloned().chain(for_checkers(module).iter().map(|name| (*name).to_owned())).collect();
        wrong.extend(told.names.symmetric_difference(&expected).map(|name| format!("{module}.{name}")));
        for (name, members) in sandbox.module_classes(module).unwrap() {
            let Some(class) = told.classes.get(&name).or_else(|| shared.classes.get(&name)) else { continue };
            // The few with an underscore are a named tuple's.
            let there: BTreeSet<String> = members.into_iter().filter(|name| !name.starts_with('_')).collect();
            let stated = inherited(&name, &told, &builtins, &shared);
            // What is annotated alone is there on instances.
            let differ = there.symmetric_difference(&stated);
            let differ = differ.filter(|member| there.contains(*member) || class.members.contains(*member));
            wrong.extend(differ.map(|member| format!("{module}.{name}.{member}")));
        }
    }
    assert_none("names that stubs and modules do not share", wrong);
}

/// The builtins, and what can be asked of each by name, are those of the reviewed table of what scripts can reach.
#[test]
fn stubs_of_builtins_name_what_is_reached() {
    const TABLE: &str = include_str!("../../src/guard/tests/reachable.txt");
    let files = Sandbox::new().unwrap().stubs().files();
    let told = outline(&files["typeshed/stdlib/builtins.pyi"]);
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let (name, names) = line.split_once(':').unwrap();
        reached.entry(name).or_default().extend(names.split_whitespace());
    }
    let mut wrong = Vec::new();
    // Those with underscores are for compiled code, and some are no names to Python itself.
    let spoken = reached["builtins"].iter().filter(|name| !name.starts_with('_'));
    let spoken = spoken.filter(|name| !["True", "False", "None"].contains(name)).map(|name| (*name).to_owned());
    let expected: BTreeSet<String> =
        spoken.chain(for_checkers("builtins").iter().map(|name| (*name).to_owned())).collect();
    wrong.extend(told.names.symmetric_difference(&expected).cloned());
    for (name, class) in &told.classes {
        let Some(members) = reached.get(name.as_str()) else { continue };
        let members: BTreeSet<String> = members.iter().map(|name| (*name).to_owned()).collect();
        let stated: BTreeSet<String> = class.members.union(&class.instance).cloned().collect();
        wrong.extend(members.symmetric_difference(&stated).map(|member| format!("{name}.{member}")));
        let hidden = |name: &str| reached.get(format!("{name}, not by name").as_str()).cloned().unwrap_or_default();
        let mut operators = hidden(name);
        operators.extend(hidden("object"));
        class.bases.iter().for_each(|base| operators.extend(hidden(base)));
        wrong.extend(class.special.iter().filter(|s| !operators.contains(s.as_str())).map(|s| format!("{name}.{s}")));
    }
    assert!(told.classes.len() > 60, "{}", told.classes.len());
    assert_none("names that stubs and builtins do not share", wrong);
}

/// A function that the host gives is found before the builtin of that name.
#[test]
fn what_the_host_gives_goes_before_the_builtins() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.function_named("max", ["of"], |of: Vec<i64>| of.len()).unwrap();
    sandbox.function("not a name", || 1).unwrap();
    let files = sandbox.stubs().files();
    let builtins = &files["typeshed/stdlib/builtins.pyi"];
    assert_eq!(builtins.matches("def max(").count(), 1);
    assert!(builtins.contains("def max(of: list[int] | tuple[int, ...] | bytes) -> int: ...\n"));
    assert!(builtins.contains("def min(arg1") && !builtins.contains("not a name"));
}

/// Two types of one name are two classes, and one that is lent anew is the same.
#[test]
fn types_of_one_name_are_told_apart() {
    mod other {
        pub struct Bag;
        impl pycage::HostObject for Bag {
            const NAME: &'static str = "Bag";
            fn members(members: &mut pycage::Members<Self>) {
                members.field("weight", |_| 3.5);
            }
        }
        pub struct Any;
        impl pycage::HostObject for Any {
            const NAME: &'static str = "Any";
            fn members(_: &mut pycage::Members<Self>) {}
        }
    }
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.set("one", Handle::new(Bag(Vec::new()))).unwrap();
    sandbox.set("other", Handle::new(other::Bag)).unwrap();
    sandbox.set("third", Handle::new(other::Any)).unwrap();
    let (mut first, mut second) = (World, World);
    sandbox.scope(|scope| {
        let (first, second) = (scope.object(&mut first), scope.object(&mut second));
        scope.set("first", first).unwrap();
        scope.set("second", second).unwrap();
    });
    let files = sandbox.stubs().files();
    let builtins = &files["typeshed/stdlib/builtins.pyi"];
    let globals: Vec<&str> = builtins.lines().rev().take(5).collect();
    assert_eq!(globals, ["third: Any_2", "second: World", "other: Bag_2", "one: Bag", "first: World"]);
    assert!(builtins.contains("class Bag_2:\n") && builtins.matches("class World:\n").count() == 1);
}

/// A module that is no longer granted is no longer known.
#[test]
fn stubs_of_an_earlier_time_are_removed() {
    let stubs = |module| Sandbox::builder().policy(Policy::minimal().grant(module)).build().unwrap().stubs();
    let folder = write(&stubs("math"), "earlier");
    assert!(folder.join("typeshed/stdlib/math.pyi").exists());
    write(&stubs("json"), "earlier");
    assert!(!folder.join("typeshed/stdlib/math.pyi").exists() && folder.join("typeshed/stdlib/json.pyi").exists());
}

#[test]
fn the_command_line_writes_them() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubs/cli");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("inputs.json"), "[1, 2]").unwrap();
    std::fs::write(folder.join("loot.py"), LOOT).unwrap();
    std::fs::write(folder.join("plugin.py"), "import loot, math\nloot.price(3)\ninputs.append(math.pi)\nimport json\n")
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pycage"));
    command.current_dir(&folder).args(["stubs", "--grant", "math", "--input", "inputs.json"]);
    if cfg!(unix) {
        command.args(["--modules", "."]);
    }
    let output = command.args(["-o", "out"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if cfg!(unix) {
        let found = complaints(&check(&folder.join("out"), &[folder.join("plugin.py")]), "plugin.py");
        let expected = [(2, "arg-type".to_owned()), (4, "import-not-found".to_owned())];
        assert_eq!(found, BTreeSet::from(expected));
    }
}
