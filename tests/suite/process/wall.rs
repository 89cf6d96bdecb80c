//! The wall itself: native code of an attacker in the worker, one test a power; what the system shows of a worker from
//! outside; and every hostile script, with the guards of the interpreter and without.

use super::{builder, marked, pool, sandbox, status};
use crate::support::child::{self, Ended};
use crate::support::table::CaseTable;
use crate::support::{assert_none, in_parallel};
use pycage::Error;
use pycage::process::{DeathCause, Wall};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

/// Each power, tried by native code in the worker, ends the worker by a system call that is not on the list.
macro_rules! powers {
    ($($test:ident: $attack:literal;)*) => {$(
        #[test]
        fn $test() {
            let pool = pool();
            let mut sandbox = sandbox(&pool);
            match sandbox.attack($attack) {
                Err(Error::Died(death)) if death.cause == DeathCause::Denied => {
                    println!("{}: denied by seccomp, which killed the worker", $attack);
                }
                other => panic!("{}: {other:?}; in force: {:?}", $attack, sandbox.enforced()),
            }
        }
    )*};
}

powers! {
    no_file_is_opened: "open";
    no_file_is_created: "create";
    no_folder_is_listed: "list";
    no_socket_is_bound: "socket";
    no_connection_is_made: "connect";
    no_socket_pair_is_made: "unix-socket";
    no_process_is_forked: "fork";
    no_thread_is_started: "thread";
    no_program_is_started: "exec";
    no_process_is_traced: "ptrace";
    no_other_memory_is_read: "read-memory";
    the_parent_is_not_signalled: "kill-parent";
    nobody_is_signalled: "kill-all";
    no_other_descriptor_is_written: "write-descriptor";
    no_other_descriptor_is_read: "read-descriptor";
    no_memory_is_made_executable: "executable-memory";
    no_limit_is_raised: "raise-limit";
    no_namespace_is_entered: "namespace";
    nothing_is_mounted: "mount";
    no_ring_is_set_up: "io-uring";
    no_program_goes_into_the_kernel: "bpf";
    no_key_is_read: "keyctl";
    no_call_goes_by_another_numbering: "other-abi";
    no_stream_is_closed: "close-output";
}

#[test]
fn memory_has_an_end() {
    let pool = builder().memory(96 << 20).cpu_seconds(4801).build().unwrap();
    let mut sandbox = sandbox(&pool);
    match sandbox.attack("allocate") {
        Err(Error::Died(death)) => {
            assert_eq!(death.cause, DeathCause::OutOfMemory, "{death}");
            println!("allocate: denied by the rlimit on address space");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn time_has_an_end() {
    let pool = pool();
    match sandbox(&pool).attack("spin") {
        Err(Error::Died(death)) => {
            assert_eq!(death.cause, DeathCause::Deadline, "{death}");
            println!("spin: killed by the host at the deadline");
        }
        other => panic!("{other:?}"),
    }
    // And where the host gave it all the time in the world.
    let pool = builder().cpu_seconds(1).build().unwrap();
    let budget = pycage::Budget::default().timeout(Duration::from_secs(60));
    let mut sandbox = pycage::Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    match sandbox.attack("spin") {
        Err(Error::Died(death)) => {
            assert!(matches!(death.cause, DeathCause::CpuTime | DeathCause::Signal(9)), "{death}")
        }
        other => panic!("{other:?}"),
    }
    println!("spin: ended by the rlimit on processor time");
}

#[test]
fn the_stack_has_an_end() {
    let pool = pool();
    match sandbox(&pool).attack("overflow-stack") {
        Err(Error::Died(death)) => println!("overflow-stack: {death}"),
        other => panic!("{other:?}"),
    }
}

/// What a kernel of this kind can do; a machine where it cannot has to say so in this test.
const EXPECTED: [Wall; 14] = [
    Wall::Rlimits,
    Wall::NoNewPrivileges,
    Wall::ParentDeathSignal,
    Wall::NonDumpable,
    Wall::NoCapabilities,
    Wall::LandlockFiles,
    Wall::LandlockNetwork,
    Wall::LandlockScope,
    Wall::Seccomp,
    Wall::UserNamespace,
    Wall::MountNamespace,
    Wall::NetworkNamespace,
    Wall::PidNamespace,
    Wall::IpcNamespace,
];

/// The walls that hold on any kernel that is still looked after; the others depend on how a machine is set up.
const EVERYWHERE: [Wall; 6] = [
    Wall::Rlimits,
    Wall::NoNewPrivileges,
    Wall::ParentDeathSignal,
    Wall::NonDumpable,
    Wall::NoCapabilities,
    Wall::Seccomp,
];

#[test]
fn what_is_in_force_is_seen_from_outside() {
    let mark = 4802;
    let pool = builder().cpu_seconds(mark).require(EVERYWHERE).build().unwrap();
    let sandbox = sandbox(&pool);
    let enforced = sandbox.enforced();
    for (wall, why) in sandbox.lacking() {
        println!("THIS KERNEL LACKS {wall}: {why}");
    }
    for wall in EXPECTED {
        assert!(
            enforced.contains(&wall.name()) || sandbox.lacking().iter().any(|(lacking, _)| *lacking == wall.name()),
            "{wall} is neither in force nor lacking"
        );
    }
    let workers = marked(mark);
    let [worker] = workers[..] else { panic!("one worker, not {workers:?}") };
    let said = |field: &str| status(worker, field).unwrap_or_else(|| panic!("no {field}"));
    assert_eq!(said("Seccomp:"), "2");
    assert_eq!(said("NoNewPrivs:"), "1");
    assert_eq!(said("Threads:"), "1");
    for sets in ["CapInh:", "CapPrm:", "CapEff:"] {
        assert_eq!(u64::from_str_radix(&said(sets), 16), Ok(0), "{sets}");
    }
    assert!(!said("Uid:").split_whitespace().any(|uid| uid == "0") || !enforced.contains(&"user_namespace"));
    let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    for (limit, most) in
        [("Max open files", "3"), ("Max file size", "0"), ("Max core file size", "0"), ("Max processes", "0")]
    {
        let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
        assert!(line[limit.len()..].split_whitespace().take(2).all(|value| value == most), "{line}");
    }
    // The rest is in files that only a privileged user may look at.
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{worker}/fd")) else {
        println!("THIS USER MAY NOT LOOK at a worker's descriptors and namespaces");
        return;
    };
    assert_eq!(descriptors.count(), 3);
    assert_eq!(std::fs::read(format!("/proc/{worker}/environ")).unwrap(), b"");
    for (wall, name) in [
        ("user_namespace", "user"),
        ("mount_namespace", "mnt"),
        ("network_namespace", "net"),
        ("pid_namespace", "pid"),
        ("ipc_namespace", "ipc"),
    ] {
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap();
        assert_eq!(namespace("self") != namespace(&worker.to_string()), enforced.contains(&wall), "{wall}");
    }
    if enforced.contains(&"mount_namespace") {
        let root: Vec<_> = std::fs::read_dir(format!("/proc/{worker}/root/")).unwrap().collect();
        assert!(root.is_empty(), "{root:?}");
    }
}

/// How every hostile case is run.
const ARGS: [&str; 6] = ["run", "--json", "--isolation", "process", "--max-memory", "67108864"];

/// The budget for time in milliseconds, as in `hostile.rs`. Without guards nearly every case uses all of it: less there,
/// so that the tables are through in minutes. `PYCAGE_FULL=1` has them take the same.
const TIMEOUT: u64 = 2000;
const TIMEOUT_UNGUARDED: u64 = 500;

/// A case ends within its time and this, and some for a machine that does other work beside.
const WITHIN: Duration = Duration::from_millis(500 + 1500);

macro_rules! tables {
    ($($name:ident)*) => {
        /// Every hostile script behind the wall.
        mod guarded {
            $(
                #[test]
                fn $name() {
                    super::hostile(concat!("hostile/", stringify!($name), ".toml"), &[]);
                }
            )*
        }

        /// The same with no validator, no limits on sources and no budgets in the worker: the wall stands alone.
        mod unguarded {
            $(
                #[test]
                fn $name() {
                    super::hostile(concat!("hostile/", stringify!($name), ".toml"), &["--unguarded"]);
                }
            )*
        }
    };
}

tables! { loops catchers native sizes quadratic memory stack compile panics }

/// Each case, followed by an ordinary script in the same host, which must still work.
fn hostile(path: &str, extra: &[&str]) {
    let table = CaseTable::read(path);
    // Written once: another test may read it at any time.
    static AFTER: LazyLock<PathBuf> = LazyLock::new(|| {
        let after = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("after-the-hostile.py");
        std::fs::write(&after, "40 + 2").unwrap();
        after
    });
    let full = extra.is_empty() || std::env::var_os("PYCAGE_FULL").is_some();
    let timeout = if full { TIMEOUT } else { TIMEOUT_UNGUARDED };
    let mut args: Vec<String> = ARGS.iter().chain(extra).map(|arg| (*arg).to_owned()).collect();
    args.extend(table.list("args"));
    args.extend(["--timeout".to_owned(), timeout.to_string(), "-".to_owned(), AFTER.display().to_string()]);
    let cases = table.entries("case", &["expect"]);
    let ended = in_parallel(&cases, |case| child::pycage(&args, case.source.as_bytes()));
    let mut wrong = Vec::new();
    let mut slowest = (Duration::ZERO, "");
    for (case, ended) in cases.iter().zip(&ended) {
        slowest = slowest.max((ended.elapsed, &case.name));
        if let Err(why) = held(ended, Duration::from_millis(timeout) + WITHIN) {
            wrong.push(format!("{path}: {}: {why}", case.name));
        }
    }
    println!("{path} {extra:?}: {} cases, the slowest {slowest:?}", cases.len());
    assert_none("hostile cases not held", wrong);
}

fn held(ended: &Ended, within: Duration) -> Result<(), String> {
    if let Some(why) = &ended.killed {
        return Err(format!("{why} after {:?}; {:.300}", ended.elapsed, ended.stderr));
    }
    if ended.elapsed > within {
        return Err(format!("took {:?}", ended.elapsed));
    }
    let lines = ended.json_lines()?;
    let [came, after] = &lines[..] else { return Err(format!("{} lines; {:.300}", lines.len(), ended.stderr)) };
    let outcome = came["outcome"].as_str().unwrap_or_default();
    if !["ok", "exception", "rejected", "budget", "crashed"].contains(&outcome) {
        return Err(format!("came to {outcome}"));
    }
    if after["value"] != 42 {
        return Err(format!("what came after: {after}"));
    }
    Ok(())
}
