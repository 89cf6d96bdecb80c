//! Snapshots, and scripts that are reloaded.

use pycage::{Budget, Error, Handle, HostObject, Members, Sandbox, Snapshot, Value};

struct Thing;

impl HostObject for Thing {
    const NAME: &'static str = "Thing";
    fn members(_: &mut Members<Self>) {}
}

#[test]
fn plain_data_is_kept_and_the_rest_named() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.set("thing", Handle::new(Thing)).unwrap();
    sandbox.function("call", || 1).unwrap();
    sandbox
        .exec("import_ = 1\na = [1, (2, {3}), {'k': b'x', (1, None): 2.5}]\nb = a\nbig = 1 << 200\ndef f(): pass\nclass C: pass\nc = [C()]\nloop = []\nloop.append(loop)\n_private = 'p'")
        .unwrap();
    let snapshot = sandbox.snapshot().unwrap();
    let kept: Vec<&str> = snapshot.globals.keys().map(String::as_str).collect();
    assert_eq!(kept, ["_private", "a", "b", "big", "import_"]);
    for (name, why) in [
        ("C", "type"),
        ("c", "contains a C"),
        ("call", "host_function"),
        ("f", "function"),
        ("loop", "contains itself"),
        ("thing", "Thing"),
    ] {
        assert!(snapshot.left_out[name].contains(why), "{name}: {}", snapshot.left_out[name]);
    }
    assert_eq!(snapshot.left_out.len(), 6);
    sandbox.exec("a.clear()\nbig = None\nnew = 5").unwrap();
    sandbox.restore(&snapshot).unwrap();
    assert_eq!(
        sandbox.eval::<String>("f'{a} {big == 1 << 200} {new} {a is b}'").unwrap(),
        "[1, (2, {3}), {'k': b'x', (1, None): 2.5}] True 5 False"
    );
    // Another sandbox takes it as well.
    let mut other = Sandbox::new().unwrap();
    other.restore(&snapshot).unwrap();
    assert_eq!(other.snapshot().unwrap().globals, snapshot.globals);
}

#[test]
fn a_snapshot_is_restored_whole_or_not_at_all() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("a = 1").unwrap();
    let mut snapshot = Snapshot::default();
    snapshot.globals.insert("a".into(), Value::Int(2));
    for (name, value) in [
        ("b", Value::Opaque("C".into())),
        ("b", Value::Set(vec![Value::List(vec![])])),
        ("__builtins__", Value::Dict(vec![])),
        ("__name__", Value::Int(1)),
        ("", Value::Int(1)),
    ] {
        let mut broken = snapshot.clone();
        broken.globals.insert(name.into(), value);
        assert!(matches!(sandbox.restore(&broken), Err(Error::Conversion(_) | Error::Setup(_))), "{name}");
        assert_eq!(sandbox.get::<i64>("a").unwrap(), 1);
    }
    sandbox.restore(&snapshot).unwrap();
    assert_eq!(sandbox.get::<i64>("a").unwrap(), 2);
}

#[test]
fn a_snapshot_is_written_and_read_exactly() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox
        .exec("a = (1, [2], {3}, {}, (), b'\\x00\\xff', 'é\\n', None, True, -1 << 70, 1e300, -0.0)\ninf = float('-inf')\nd = {1: 2, 'x': (1,), (1, 'y'): None, 2.5: 1, None: 3}")
        .unwrap();
    let snapshot = sandbox.snapshot().unwrap();
    let text = serde_json::to_string(&snapshot).unwrap();
    let back: Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(back, snapshot);
    let newer = text.replacen("\"version\":1", "\"version\":9", 1);
    assert!(serde_json::from_str::<Snapshot>(&newer).unwrap_err().to_string().contains("version 9"));
}

#[test]
fn snapshots_are_within_the_budget() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.exec("a = [list(range(1000)) for i in range(100)]").unwrap();
    sandbox.set_budget(Budget::default().instructions(1000));
    assert!(matches!(sandbox.snapshot(), Err(Error::Budget(_))));
}

fn reload(sandbox: &mut Sandbox, source: &str) -> Result<pycage::Reloaded, Error> {
    let script = sandbox.compile("new.py", source)?;
    sandbox.reload(&script)
}

#[test]
fn a_reload_keeps_state_and_takes_code() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.function("host", || 7).unwrap();
    sandbox.set("config", Value::List(vec![Value::Int(1)])).unwrap();
    sandbox
        .exec("LIMIT = 1\nhits = 0\nlog = []\nalias = log\nclass Unit: pass\nunit = Unit()\ndef step():\n    global hits\n    hits += LIMIT\n    log.append(hits)\n    return hits\ndef old(): return 1")
        .unwrap();
    sandbox.call::<i64>("step", ()).unwrap();
    let came = reload(
        &mut sandbox,
        "LIMIT = 100\nhits = 0\nfresh = host() + config[0]\nlog = []\ndef step():\n    global hits\n    hits += LIMIT\n    log.append(hits)\n    return hits",
    )
    .unwrap();
    assert_eq!(came.kept, ["alias", "config", "hits", "log"]);
    assert_eq!(came.left_out.keys().collect::<Vec<_>>(), ["Unit", "old", "unit"]);
    assert_eq!(sandbox.call::<i64>("step", ()).unwrap(), 101);
    assert_eq!(
        sandbox.eval::<Value>("(log, alias is log, fresh, LIMIT, host())").unwrap().to_string(),
        "([1, 101], True, 8, 100, 7)"
    );
    assert!(matches!(sandbox.call::<Value>("old", ()), Err(Error::Setup(_))));
    // What was data may become code.
    reload(&mut sandbox, "def hits(): return 'code'").unwrap();
    assert_eq!(sandbox.call::<String>("hits", ()).unwrap(), "code");
}

#[test]
fn a_reload_that_fails_changes_nothing() {
    let mut sandbox = Sandbox::new().unwrap();
    sandbox.set("config", Value::List(vec![Value::Int(1)])).unwrap();
    sandbox.exec("n = 1\nlog = [1]\ndef f(): return (n, log, config)").unwrap();
    let spin = Budget::default().instructions(10_000);
    sandbox.set_budget(spin);
    for source in [
        "n = 5\nconfig.append(2)\ndef f(): return 'new'\nraise ValueError",
        "n = 5\nlog.append(2)",
        "def f(): return 'new'\nwhile True: pass",
        "def f(: pass",
        "import os",
    ] {
        assert!(reload(&mut sandbox, source).is_err(), "{source}");
        assert_eq!(sandbox.call::<Value>("f", ()).unwrap().to_string(), "(1, [1], [1])", "{source}");
    }
    sandbox.exec("n = 2").unwrap();
    assert_eq!(sandbox.call::<Value>("f", ()).unwrap().to_string(), "(2, [1], [1])");
}

#[test]
fn reloads_do_not_pile_up() {
    let mut sandbox = Sandbox::new().unwrap();
    let script = sandbox.compile("s.py", "data = None\nclass A: pass\ndef f(): return 'x' * 100").unwrap();
    let mut early = 0;
    for turn in 0..3000 {
        sandbox.reload(&script).unwrap();
        if turn == 1000 {
            early = sandbox.exec_with("1", Budget::default()).unwrap().live_bytes;
        }
    }
    let late = sandbox.exec_with("1", Budget::default()).unwrap().live_bytes;
    assert!(late < early + (8 << 20), "{early} {late}");
}
