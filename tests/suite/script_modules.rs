//! Modules that are scripts themselves, found by a resolver of the host.

use crate::support::child;
use pycage::{
    Budget, Error, Limit, MemoryModules, ModuleSource, Policy, Progress, Resolver, Runner, Sandbox, SandboxBuilder,
    Value,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn with(modules: &[(&str, &str)]) -> SandboxBuilder {
    let modules = modules.iter().fold(MemoryModules::new(), |all, (name, source)| all.with(*name, *source));
    Sandbox::builder().resolver(modules)
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

const SHOP: &str = "
from dice import roll
_till = 0
sold = 0
class Item:
    def __init__(self, name):
        self.name = name
def sell(name):
    global sold, _till
    sold += 1
    _till += roll(3)
    return Item(name).name + ' for ' + str(_till)
";

const DICE: &str = "
print('dice is run')
def roll(n): return n * 2
";

/// What every ring does in the same way.
fn uses(mut sandbox: Sandbox) -> (String, u64, u64) {
    let source = "
import shop
import shop as again
from shop import sell, Item
assert again is shop
def late():
    import dice
    return dice.roll(1)
[sell('axe'), shop.sell('elf'), shop.sold, Item('x').name, late(), str(shop), hasattr(shop, '_till'), hasattr(shop, 'Item')]";
    let (value, usage) = sandbox.eval_with::<Value>(source, Budget::default()).unwrap();
    assert_eq!(sandbox.take_output(), "dice is run\n");
    for (source, type_name, message) in [
        ("import shop\nshop.sold = 5", "AttributeError", "module 'shop' is read-only"),
        ("import shop\ndel shop.sold", "AttributeError", "read-only"),
        ("from shop import nothing", "ImportError", "nothing"),
        ("import nowhere", "ModuleNotFoundError", "nowhere"),
        ("import shop\ngetattr(shop, '_' + 'till')", "AttributeError", "_till"),
        ("import shop\ngetattr(shop, '__buil' + 'tins__')", "AttributeError", ""),
    ] {
        fails(&mut sandbox, source, type_name, message);
    }
    for source in ["import shop.dice", "from shop import _till", "from . import shop"] {
        assert!(matches!(sandbox.exec(source), Err(Error::Rejected(_))), "{source}");
    }
    (value.to_string(), usage.instructions, usage.native_steps)
}

#[test]
fn modules_run_once_in_every_ring_at_the_same_cost() {
    let build = || with(&[("shop", SHOP), ("dice", DICE)]);
    let runner = Runner::new().unwrap();
    let cold = uses(build().runner(&runner).build().unwrap());
    assert_eq!(cold.0, "['axe for 6', 'elf for 12', 2, 'x', 2, \"<module 'shop'>\", False, True]");
    assert_eq!(uses(build().runner(&runner).build().unwrap()), cold);
    assert_eq!(uses(build().runner(&Runner::new().unwrap()).build().unwrap()), cold);
    let pool = crate::process::pool();
    for _ in 0..2 {
        assert_eq!(uses(build().pool(&pool).build().unwrap()), cold);
    }
}

#[test]
fn circles_are_refused() {
    let mut sandbox = with(&[
        ("one", "import two\nx = 1"),
        ("two", "import three"),
        ("three", "import two"),
        ("own", "import own"),
        ("late", "def f():\n    import user\n    return user.x\ny = 2"),
        ("user", "import late\nx = late.y"),
    ])
    .build()
    .unwrap();
    fails(&mut sandbox, "import one", "ImportError", "in a circle: two -> three -> two");
    fails(&mut sandbox, "import own", "ImportError", "in a circle: own -> own");
    // What is imported to its end is no circle.
    assert_eq!(sandbox.eval::<i64>("import user, late\nlate.f()").unwrap(), 2);
}

#[test]
fn errors_name_the_file_and_the_line() {
    let mut sandbox = with(&[
        ("broken", "x = 1\ndef f(:"),
        ("rude", "x = 1\ny = x.__class__"),
        ("failing", "def f(x):\n    return 1 // x\nf(0)"),
        ("importing", "import failing"),
        ("wide", "import os"),
    ])
    .build()
    .unwrap();
    fails(&mut sandbox, "import broken", "ImportError", "broken.py:2:");
    fails(&mut sandbox, "import rude", "ImportError", "rude.py:2:");
    fails(&mut sandbox, "import wide", "ModuleNotFoundError", "os");
    match sandbox.exec("import importing") {
        Err(Error::Exception(raised)) => {
            let lines: Vec<(&str, u32)> =
                raised.traceback.iter().map(|entry| (entry.file.as_str(), entry.line)).collect();
            assert_eq!(lines, [("<script>", 1), ("importing.py", 1), ("failing.py", 3), ("failing.py", 2)]);
        }
        other => panic!("{other:?}"),
    }
    // A module that failed is not there, and is tried again.
    fails(&mut sandbox, "import failing", "ZeroDivisionError", "");
    fails(
        &mut sandbox,
        "try: import broken\nexcept ImportError as error: raise ValueError(str(error))",
        "ValueError",
        "broken.py",
    );
}

#[test]
fn a_resolver_says_why() {
    struct Fussy;
    impl Resolver for Fussy {
        fn resolve(&self, name: &str) -> Result<Option<ModuleSource>, Box<dyn std::error::Error + Send + Sync>> {
            match name {
                "gone" => Err("the disk is gone".into()),
                "panics" => std::panic::resume_unwind(Box::new("as asked")),
                _ => Ok(None),
            }
        }
    }
    let pool = crate::process::pool();
    for builder in [Sandbox::builder(), Sandbox::builder().pool(&pool)] {
        let mut sandbox = builder.resolver(Fussy).build().unwrap();
        fails(&mut sandbox, "import gone", "ImportError", "the disk is gone");
        fails(&mut sandbox, "import panics", "RuntimeError", "panicked");
        fails(&mut sandbox, "import other", "ModuleNotFoundError", "other");
        assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
    }
}

/// The interpreter imports `sys` by itself, to report what it cannot raise: no resolver is asked then.
#[test]
fn the_resolver_is_never_asked_for_what_is_not_the_scripts() {
    struct Asked(Arc<AtomicU64>);
    impl Resolver for Asked {
        fn resolve(&self, name: &str) -> Result<Option<ModuleSource>, Box<dyn std::error::Error + Send + Sync>> {
            assert_ne!(name, "sys");
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Some(ModuleSource::new(format!("{name}.py"), "x = 1")))
        }
    }
    let asked = Arc::new(AtomicU64::new(0));
    let mut sandbox =
        Sandbox::builder().policy(Policy::minimal().grant("math")).resolver(Asked(asked.clone())).build().unwrap();
    let source = "
import math
import sys
def g():
    try: yield 1
    finally: raise ValueError('nobody hears')
it = g()
next(it)
del it
import mine, mine as again
from mine import x
hasattr(sys, 'x')";
    assert!(!sandbox.eval::<bool>(source).unwrap());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn modules_are_metered_and_stopped_for_good() {
    let mut sandbox = with(&[
        ("spin", "while True: pass"),
        ("catch", "try:\n    while True: pass\nexcept BaseException: pass\nfinally: print('AFTER')\n"),
        ("hoard", "x = [0]\nwhile True: x = x + x"),
        ("many", "import many2"),
        ("deep", "def f(n): return f(n + 1)\nf(0)"),
    ])
    .build()
    .unwrap();
    let budget = Budget::default().instructions(200_000);
    match sandbox.exec_with("try: import spin\nfinally: print('AFTER')", budget.clone()) {
        Err(Error::Budget(stop)) => {
            assert_eq!(stop.limit, Limit::Instructions);
            assert!(stop.traceback.iter().any(|entry| entry.file == "spin.py"), "{:?}", stop.traceback);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        sandbox.exec_with("import catch", budget.clone()),
        Err(Error::Budget(_)) | Err(Error::Exception(_))
    ));
    assert!(matches!(sandbox.exec_with("import hoard", budget.clone()), Err(Error::Budget(_))));
    fails(&mut sandbox, "import deep", "RecursionError", "");
    assert_eq!(sandbox.take_output(), "");
    // What compiling costs is on the bill.
    let long = "x = 1\n".repeat(4000);
    let mut sandbox = with(&[("long", &long)]).build().unwrap();
    let usage = sandbox.exec_with("import long", Budget::default()).unwrap();
    assert!(usage.native_steps > 32 * long.len() as u64, "{usage:?}");
    let again = sandbox.exec_with("import long", Budget::default()).unwrap();
    assert!(again.native_steps < 100, "{again:?}");
}

/// However slow a source is to compile, an import in a loop is not: and who waits is answered.
#[test]
fn a_source_that_is_slow_to_compile_is_compiled_once() {
    let slow: String = (0..900).map(|n| format!("def f{n}(a: int, b: str) -> int: pass\n")).collect();
    let broken = format!("{slow}\n1 // 0");
    let mut sandbox = with(&[("slow", &broken)]).build().unwrap();
    let source = "
for i in range(50):
    try:
        import slow
    except ZeroDivisionError:
        pass";
    let budget = Budget::default().timeout(Duration::from_millis(50)).instructions(u64::MAX);
    let began = std::time::Instant::now();
    let came = sandbox.exec_with(source, budget.clone());
    assert!(matches!(came, Ok(_) | Err(Error::Budget(_))), "{came:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // The runner was not given up.
    assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
}

#[test]
fn there_is_an_end_to_modules() {
    struct Endless;
    impl Resolver for Endless {
        fn resolve(&self, name: &str) -> Result<Option<ModuleSource>, Box<dyn std::error::Error + Send + Sync>> {
            let number: u64 = name.trim_start_matches('m').parse()?;
            Ok(Some(ModuleSource::new("m.py", format!("import m{}", number + 1))))
        }
    }
    let mut sandbox = Sandbox::builder().resolver(Endless).build().unwrap();
    match sandbox.exec_with("import m0", Budget::default().recursion(5000)) {
        Err(Error::Exception(raised)) => {
            assert!(
                raised.message.contains("at most 256 modules") || raised.type_name == "RecursionError",
                "{raised:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

/// The compiler recurses on the stack of the script that imports.
#[test]
fn an_import_at_the_bottom_of_a_deep_stack() {
    let nested = format!("x = {}1{}", "(".repeat(60), ")".repeat(60));
    let mut sandbox = with(&[("nested", &nested)]).build().unwrap();
    let source = "
found = None
def dig(n):
    global found
    if n == 0:
        import nested
        found = nested.x
    else:
        sorted([1], key=lambda _: dig(n - 1))
dig(DEPTH)
found";
    // As deep as the budget lets it, and a little less: it must be an answer or a `RecursionError`, never a crash.
    for depth in [10, 300, 330, 450, 2000] {
        let budget = Budget::default().recursion(1000).timeout(Duration::from_secs(20));
        match sandbox.eval_with::<Option<i64>>(&source.replace("DEPTH", &depth.to_string()), budget) {
            Ok((found, _)) => assert_eq!(found, Some(1), "{depth}"),
            Err(Error::Exception(raised)) => assert_eq!(raised.type_name, "RecursionError", "{depth}: {raised:?}"),
            Err(other) => panic!("{depth}: {other}"),
        }
    }
    assert_eq!(sandbox.eval::<i64>("1 + 1").unwrap(), 2);
}

#[test]
fn a_task_that_is_left_in_the_middle_of_an_import() {
    let slow = "total = 0\nfor i in range(20_000): total += i\n";
    let mut sandbox = with(&[("slow", slow)]).build().unwrap();
    sandbox.exec("async def go():\n    import slow\n    return slow.total").unwrap();
    let slice = Budget::default().instructions(3_000);
    let mut first = sandbox.start("go", ()).unwrap();
    assert!(matches!(first.resume(slice.clone()).unwrap(), Progress::Paused(_)));
    // Another comes for the same module meanwhile, and is served.
    assert_eq!(sandbox.eval::<i64>("import slow\nslow.total").unwrap(), 199_990_000);
    let done = loop {
        match first.resume(slice.clone()).unwrap() {
            Progress::Done(value) => break value,
            Progress::Paused(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(done, Value::Int(199_990_000));
}

/// Escapes that begin in a module are stopped as those in a script: each must show neither the secret nor `REACHED`.
#[test]
fn modules_escape_no_more_than_scripts() {
    const ATTEMPTS: [&str; 14] = [
        "found = ().__class__.__base__",
        "found = __builtins__",
        "found = __import__('os')",
        "import os\nfound = os",
        "import hostmod\nfound = hostmod.secret",
        "found = (lambda: 0).__globals__",
        "found = print.__self__",
        "import kit\nfound = kit.__dict__",
        "import kit\nkit.f = lambda: 1\nfound = kit.f()",
        "import kit\nfound = kit.f.__globals__",
        "import kit\nfound = '{0.__dict__}'.format(kit)",
        "import kit\nmatch kit:\n    case object(__dict__=found): pass\nfound",
        "import kit\nfound = kit._inner",
        "import kit\nfound = type(kit)()",
    ];
    let runner = Runner::new().unwrap();
    runner.plant_canary().unwrap();
    for unvalidated in [false, true] {
        for attempt in ATTEMPTS {
            let builder = with(&[("kit", "_inner = 'REACHED'\ndef f(): return 2"), ("plot", attempt)]).runner(&runner);
            let builder = if unvalidated { builder.unvalidated_modules() } else { builder };
            let mut sandbox = builder.build().unwrap();
            let came = sandbox.eval::<Value>("import plot\n'REACHED ' + str(plot.found)");
            assert!(matches!(came, Err(Error::Exception(_))), "{unvalidated}: {attempt}: {came:?}");
            assert!(!came.unwrap_err().to_string().contains("S3CRET"), "{attempt}");
            assert_eq!(sandbox.reached().unwrap(), None, "{attempt}");
        }
        // A control: what an ordinary module does works.
        let builder = with(&[("kit", "def f(): return 2"), ("plot", "import kit\nfound = kit.f()")]);
        let builder = if unvalidated { builder.unvalidated_modules() } else { builder };
        assert_eq!(builder.build().unwrap().eval::<i64>("import plot\nplot.found").unwrap(), 2);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_of_modules_is_not_left() {
    use pycage::FolderModules;
    let base = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("modules-{}", std::process::id()));
    let folder = base.join("plugin");
    std::fs::create_dir_all(folder.join("package.py")).unwrap();
    std::fs::write(base.join("outside.py"), "x = 'REACHED'").unwrap();
    std::fs::write(folder.join("shop.py"), "x = 'inside'").unwrap();
    std::fs::write(folder.join("latin.py"), b"x = '\xe9'").unwrap();
    std::os::unix::fs::symlink("../outside.py", folder.join("link.py")).unwrap();
    let path = std::ffi::CString::new(folder.join("pipe.py").to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string that lives through the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
    let mut sandbox = Sandbox::builder().resolver(FolderModules::open(&folder).unwrap()).build().unwrap();
    assert_eq!(sandbox.eval::<String>("import shop\nshop.x").unwrap(), "inside");
    fails(&mut sandbox, "import link", "ImportError", "links are not followed");
    fails(&mut sandbox, "import pipe", "ImportError", "no regular file");
    fails(&mut sandbox, "import latin", "ImportError", "latin.py is not UTF-8");
    for name in ["package", "outside", "nothing"] {
        fails(&mut sandbox, &format!("import {name}"), "ModuleNotFoundError", name);
    }
    let modules = folder.display().to_string();
    let came = child::pycage(&["run", "--json", "--modules", &modules, "-"], b"from shop import x\nx").json().unwrap();
    assert_eq!(came["value"], "inside");
    let checked = child::pycage(&["check", "--modules", &modules, "-"], b"import shop");
    assert_eq!(checked.status, Some(0), "{}", checked.stderr);
    assert_eq!(child::pycage(&["check", "-"], b"import shop").status, Some(3));
    let mount = format!("plug={modules}:overlay");
    let source = b"open('plug/shop.py', 'a').write('#')\nopen('plug/shop.py').read()";
    let came = child::pycage(&["run", "--json", "--mount", &mount, "-"], source).json().unwrap();
    assert_eq!(came["value"], "x = 'inside'#", "{came}");
    assert_eq!(std::fs::read_to_string(folder.join("shop.py")).unwrap(), "x = 'inside'");
    for (mount, status) in [("plug", 2), ("=x", 2), ("plug=/there/is/no/such", 2)] {
        assert_eq!(child::pycage(&["run", "--mount", mount, "-"], b"1").status, Some(status), "{mount}");
    }
    let read_only = format!("plug={modules}");
    let came = child::pycage(&["run", "--json", "--mount", &read_only, "-"], source).json().unwrap();
    assert_eq!(came["outcome"], "exception", "{came}");
    let _ = std::fs::remove_dir_all(&base);
}
