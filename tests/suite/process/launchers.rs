//! The same scripts behind every way to start a worker: their outcomes agree, and an attacker is stopped in each.

use super::{builder, sandbox};
use pycage::process::{Launcher, Pool};
use pycage::{Budget, Error, Sandbox};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What ends well, badly, is rejected, or is stopped.
const SCRIPTS: &[&str] = &[
    "sum(i * i for i in range(1000))",
    "sorted('pycage')",
    "{'a': [1, 2.5, None], 'b': (True, 'x')}",
    "class A:\n    def __init__(self, x): self.x = x\nA(7).x",
    "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)\nf(12)",
    "[x async for x in y] if False else 3",
    "f'{3.14159:.2f}|{\"a\":>5}'",
    "match [1, 2]:\n    case [a, b]: r = a + b\nr",
    "2 ** 100",
    "print('hello')",
    "1 / 0",
    "[][1]",
    "{}['k']",
    "int('x')",
    "undefined",
    "raise ValueError('no')",
    "assert False, 'never'",
    "def f(): return f()\nf()",
    "import os",
    "().__class__",
    "open('/etc/passwd')",
    "eval('1')",
    "x = = 1",
    "while True: pass",
    "x = []\nwhile True: x.append('a' * 10000)",
    "while True: print('a' * 1000)",
];

/// What native code in the worker tries, once it has been taken over.
const ATTACKS: &[&str] = &["crash", "open", "connect", "exec"];

/// What came of a script, without what differs from run to run.
fn outcome(sandbox: &mut Sandbox, source: &str) -> String {
    match sandbox.eval_with::<pycage::Value>(source, sandbox.budget().clone()) {
        Ok((value, usage)) => format!("{value} for {} instructions", usage.instructions),
        Err(Error::Exception(exception)) => format!("{}: {}", exception.type_name, exception.message),
        Err(Error::Rejected(rejection)) => format!("rejected by {}", rejection.rule),
        Err(Error::Syntax(_)) => "no Python".to_owned(),
        Err(Error::Budget(stop)) => format!("stopped for {}", stop.limit.name()),
        Err(error) => format!("{error:?}"),
    }
}

fn outcomes(mut sandbox: impl FnMut() -> Sandbox) -> Vec<String> {
    SCRIPTS.iter().map(|source| outcome(&mut sandbox(), source)).collect()
}

fn budget() -> Budget {
    Budget::default().instructions(300_000).memory(16 << 20).timeout(Duration::from_secs(10))
}

fn expected() -> Vec<String> {
    outcomes(|| Sandbox::builder().budget(budget()).build().expect("a runner is there"))
}

fn check(name: &str, pool: &Pool, expected: &[String]) {
    let found = outcomes(|| Sandbox::builder().pool(pool).budget(budget()).build().expect("a worker is free"));
    for ((source, expected), found) in SCRIPTS.iter().zip(expected).zip(&found) {
        assert_eq!(found, expected, "{name}: {source}");
    }
    for attack in ATTACKS {
        match sandbox(pool).attack(attack) {
            Err(Error::Died(death)) => println!("{name}: {attack}: the worker {}", death.cause),
            other => panic!("{name}: {attack}: {other:?}"),
        }
        assert_eq!(sandbox(pool).eval::<i64>("6 * 7").expect("the pool goes on"), 42, "{name}: after {attack}");
    }
}

#[test]
fn forked_from_a_template() {
    check("template", &builder().build().expect("a worker comes up"), &expected());
}

#[test]
fn started_by_a_command() {
    check("command", &super::direct(), &expected());
}

/// No network, a root of its own with the worker and the system's libraries in it, read-only, all namespaces new.
#[test]
fn in_bubblewrap() {
    let installed = Command::new("bwrap").arg("--version").stdout(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("bubblewrap: NOT TESTED, bwrap is not installed; `.ci/launchers` installs it");
        return;
    }
    let worker = env!("CARGO_BIN_EXE_pycage");
    let command = [
        &["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr"][..],
        &["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc"],
        &["--ro-bind", worker, "/pycage", "/pycage", "worker"],
    ]
    .concat();
    match builder().launcher(Launcher::command(command)).build() {
        Ok(pool) => check("bubblewrap", &pool, &expected()),
        // Where the system grants no user namespaces to this user, bubblewrap itself says so.
        Err(error) if error.to_string().contains("ermission") || error.to_string().contains("not permitted") => {
            println!("bubblewrap: NOT TESTED, the system does not let it: {error}");
        }
        Err(error) => panic!("bubblewrap: {error}"),
    }
}
