//! The same scripts behind every way to start a worker: their outcomes agree, and an attacker is stopped in each.

use super::{builder, sandbox};
use pycage::process::{DeathCause, Launcher, Pool, PoolBuilder};
use pycage::{Budget, Error, Sandbox};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The built command line, whose workers are started.
const PYCAGE: &str = env!("CARGO_BIN_EXE_pycage");

/// A virtual machine on a busy machine without KVM takes its time.
const START: Duration = Duration::from_secs(180);

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
    "def g():\n    yield 1\n    yield from (2, 3)\nlist(g())",
    "1 / 0",
    "sorted([1, 'a'])",
    "10 ** 10 ** 6",
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
    "'a' * 10 ** 9",
];

/// What native code in the worker tries, once it has been taken over, and what becomes of the worker.
const ATTACKS: &[(&str, DeathCause)] = &[
    ("crash", DeathCause::Signal(11)),
    ("abort", DeathCause::Signal(6)),
    ("exit", DeathCause::Exited(7)),
    ("allocate", DeathCause::OutOfMemory),
    ("spin", DeathCause::Deadline),
    ("open", DeathCause::Denied),
    ("connect", DeathCause::Denied),
    ("exec", DeathCause::Denied),
];

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
    for (attack, cause) in ATTACKS {
        // Taking all memory is slow in an emulated machine.
        let patience = Duration::from_secs(if *cause == DeathCause::Deadline { 1 } else { 20 });
        let victim = Sandbox::builder().pool(pool).budget(Budget::default().timeout(patience)).build();
        match victim.expect("a worker is free").attack(attack) {
            Err(Error::Died(death)) => assert_eq!(&death.cause, cause, "{name}: {attack}: {death}"),
            other => panic!("{name}: {attack}: {other:?}"),
        }
        assert_eq!(sandbox(pool).eval::<i64>("6 * 7").expect("the pool goes on"), 42, "{name}: after {attack}");
    }
    // Two that are up at the same time do not get in each other's way.
    let patient = || Sandbox::builder().pool(pool).budget(Budget::default().timeout(START)).build();
    let (mut one, mut other) = (patient().expect("a worker is free"), patient().expect("another one comes up"));
    one.exec("x = 6").expect("one runs");
    other.exec("x = 7").expect("the other runs");
    assert_eq!((one.get::<i64>("x").ok(), other.get::<i64>("x").ok()), (Some(6), Some(7)), "{name}: side by side");
    let walls = one.enforced();
    println!("{name}: {} scripts agree, {} attacks are stopped; in force: {walls:?}", SCRIPTS.len(), ATTACKS.len());
}

/// A pool with that launcher.
fn behind(command: &[&str]) -> PoolBuilder {
    builder().launcher(Launcher::command(command.iter().copied())).start_timeout(START).memory(96 << 20)
}

/// The script of that name in the folder `launchers`.
fn script(name: &str) -> String {
    format!("{}/launchers/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What `.ci/launchers` says it has prepared for a wall. Without it the wall is not tested, which is said.
fn prepared(wall: &str, variable: &str) -> Option<String> {
    let prepared = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if prepared.is_none() {
        println!("{wall}: NOT TESTED, {variable} is not set; `.ci/launchers` installs what it needs and sets it");
    }
    prepared
}

#[test]
fn forked_from_a_template() {
    let pool = builder().memory(96 << 20).build().expect("a worker comes up");
    check("template", &pool, &expected());
}

#[test]
fn started_by_a_command() {
    check("command", &behind(&[PYCAGE, "worker"]).build().expect("a worker comes up"), &expected());
}

#[test]
fn in_bubblewrap() {
    let installed = Command::new("bwrap").arg("--version").stdout(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("bubblewrap: NOT TESTED, bwrap is not installed; `.ci/launchers` installs it");
        return;
    }
    match behind(&[&script("bubblewrap"), PYCAGE]).build() {
        Ok(pool) => check("bubblewrap", &pool, &expected()),
        // Where the system grants no user namespaces to this user, bubblewrap itself says so.
        Err(error) if error.to_string().contains("ermission") || error.to_string().contains("not permitted") => {
            println!("bubblewrap: NOT TESTED, the system does not let it: {error}");
        }
        Err(error) => panic!("bubblewrap: {error}"),
    }
}

#[test]
fn on_gvisor() {
    if let Some(platform) = prepared("gVisor", "PYCAGE_GVISOR") {
        let pool = behind(&[&script("gvisor"), PYCAGE, &platform]).build().expect("gVisor starts");
        check("gVisor", &pool, &expected());
    }
}

#[test]
fn in_a_container() {
    if let Some(runtime) = prepared("container", "PYCAGE_CONTAINER") {
        let pool = behind(&[&script("container"), PYCAGE, &runtime]).build().expect("the container starts");
        check("container", &pool, &expected());
    }
}

#[test]
fn in_podman() {
    if prepared("podman", "PYCAGE_PODMAN").is_some() {
        let pool = behind(&[&script("container"), PYCAGE, "podman"]).build().expect("podman starts a container");
        check("podman", &pool, &expected());
    }
}

/// Over a connection to this machine, with a key that may do nothing else than start a worker.
#[test]
fn over_ssh() {
    if let Some(config) = prepared("ssh", "PYCAGE_SSH") {
        let pool = behind(&["ssh", "-F", &config, "-T", "judge"]).build().expect("ssh starts a worker");
        check("ssh", &pool, &expected());
    }
}

#[test]
fn in_a_virtual_machine() {
    if let Some(folder) = prepared("virtual machine", "PYCAGE_VM") {
        let began = Instant::now();
        let pool = behind(&[&script("virtual-machine"), "run", &folder]).size(2, 4).build().expect("the machine boots");
        hides_the_start(&pool, began.elapsed());
        check("virtual machine", &pool, &expected());
    }
}

/// A pool that keeps two up has one at once, also just after another was lost, though a start takes `start`.
fn hides_the_start(pool: &Pool, start: Duration) {
    let patience = Instant::now() + START;
    while pool.idle() < 2 {
        assert!(Instant::now() < patience, "the pool does not come to its size: {pool:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let taken = || {
        let began = Instant::now();
        let mut sandbox = sandbox(pool);
        assert_eq!(sandbox.eval::<i64>("6 * 7").expect("it is up"), 42);
        (sandbox, began.elapsed())
    };
    let (mut first, warm) = taken();
    assert!(matches!(first.attack("exit"), Err(Error::Died(_))));
    drop(first);
    let (_second, after_a_loss) = taken();
    println!("virtual machine: started in {start:.0?}; from the pool in {warm:.1?}, after a loss {after_a_loss:.1?}");
    assert!(warm.max(after_a_loss) * 4 < start, "{warm:?} and {after_a_loss:?} against {start:?}");
}

/// Where KVM is there but does not run the guest, the launcher goes on without. The memory is the guest's own: what wants
/// more is ended by the guest's kernel, whatever the worker's limits allow.
#[test]
fn a_machine_that_is_silent_with_kvm_runs_without() {
    let Some(built) = prepared("virtual machine without KVM", "PYCAGE_VM") else { return };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("silent-with-kvm");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    for file in ["vmlinuz", "disk.cpio"] {
        std::os::unix::fs::symlink(format!("{built}/{file}"), folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("accel"), "kvm\n").unwrap();
    // With KVM it says nothing; otherwise it is the machine's own.
    let qemu = "#!/bin/sh\ncase \"$*\" in *'-accel kvm'*) exec sleep 600 ;; esac\n\
                PATH=${PATH#*:}\nexec qemu-system-x86_64 \"$@\"\n";
    let path = folder.join("bin/qemu-system-x86_64");
    std::fs::write(&path, qemu).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&path).status().is_ok_and(|status| status.success()));
    let path = format!("PATH={}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let launcher = script("virtual-machine");
    let command = ["env", &path, &launcher, "run", folder.to_str().unwrap(), "256", "2"];
    let pool = behind(&command).memory(8 << 30).size(0, 1).build().expect("the machine boots without KVM");
    assert_eq!(std::fs::read_to_string(folder.join("accel")).unwrap(), "tcg\n", "it is remembered");
    let mut sandbox = Sandbox::builder().pool(&pool).budget(Budget::default().timeout(START)).build().unwrap();
    assert_eq!(sandbox.eval::<i64>("6 * 7").expect("it runs"), 42);
    match sandbox.attack("allocate") {
        Err(Error::Died(death)) => {
            assert_eq!(death.cause, DeathCause::Signal(9), "{death}");
            println!("virtual machine: runs without KVM where that is silent; 8 GiB in a guest of 256 MiB: {death}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn on_a_cluster() {
    if let Some(folder) = prepared("Slurm", "PYCAGE_SLURM") {
        let conf = format!("SLURM_CONF={folder}/slurm.conf");
        let command = ["env", &conf, "srun", "--quiet", "--unbuffered", "--ntasks", "1", PYCAGE, "worker"];
        check("Slurm", &behind(&command).build().expect("Slurm starts a worker"), &expected());
    }
}
