//! Workers in control groups. These tests need a file system of control groups (version 2) that they may make groups in, and
//! for the limits its controllers; where there is none they say so. `PYCAGE_CGROUP` names the group to work in.

use super::{builder, marked, sandbox};
use pycage::process::{Cgroup, DeathCause, Launcher, Pool, Wall};
use pycage::{Budget, Error, Sandbox};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A group of a test's own, as if delegated to it.
struct Delegated(PathBuf);

impl Delegated {
    /// `None`, having said so, where there is no such group or it lacks one of the controllers.
    fn with(what: &str, controllers: &[&str]) -> Option<Delegated> {
        match Delegated::new(controllers) {
            Ok(group) => Some(group),
            Err(why) => {
                println!("control group, {what}: NOT TESTED, {why}");
                None
            }
        }
    }

    fn new(controllers: &[&str]) -> Result<Delegated, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let above = std::env::var_os("PYCAGE_CGROUP").map(PathBuf::from).or_else(mounted);
        let above = above.ok_or("no control groups of version 2 are mounted here")?;
        let name = format!("suite-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let group = Delegated(above.join(name));
        std::fs::create_dir(&group.0)
            .map_err(|error| format!("no group can be made in {}: {error}", above.display()))?;
        let there = group.says("cgroup.controllers");
        match controllers.iter().find(|wanted| !there.split_whitespace().any(|name| name == **wanted)) {
            Some(missing) => Err(format!("{} hands no controller {missing} on", above.display())),
            None => Ok(group),
        }
    }

    fn says(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }

    fn leaves(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).expect("the group is there").flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    fn only_leaf(&self) -> PathBuf {
        let leaves = self.leaves();
        let [leaf] = &leaves[..] else { panic!("one leaf, not {leaves:?}") };
        leaf.clone()
    }

    fn is_soon_empty(&self) {
        let patience = Instant::now() + Duration::from_secs(10);
        while !self.leaves().is_empty() {
            assert!(Instant::now() < patience, "leaves are left: {:?}", self.leaves());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn as_wanted(&self) -> Cgroup {
        Cgroup::at(&self.0)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The top of the first file system of control groups, version 2.
fn mounted() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let of_groups = |line: &&str| line.split(" - ").nth(1).is_some_and(|kind| kind.starts_with("cgroup2 "));
    Some(PathBuf::from(mounts.lines().find(of_groups)?.split(' ').nth(4)?))
}

fn number(leaf: &Path, file: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(leaf.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("no {field} in {file}: {text}"))
}

#[test]
fn leaves_come_and_go_with_their_workers() {
    let Some(group) = Delegated::with("200 runs", &[]) else { return };
    let mark = 4951;
    let pool = builder().size(1, 2).recycle_after(1).cpu_seconds(mark).cgroup(group.as_wanted()).build().unwrap();
    for index in 0..200 {
        let mut sandbox = sandbox(&pool);
        match index % 20 {
            7 => assert!(matches!(sandbox.attack("crash"), Err(Error::Died(_)))),
            13 => assert!(matches!(sandbox.attack("exit"), Err(Error::Died(_)))),
            _ => assert_eq!(sandbox.eval::<u64>(&format!("{index} + 1")).unwrap(), index + 1),
        }
        if index % 50 == 0 {
            // It is in a leaf as the system says it, and there are no more leaves than workers, one of which may be on its way.
            let name = format!("/{}/pycage-", group.0.file_name().unwrap().to_str().unwrap());
            let inside = |pid: &u32| {
                let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
                groups.lines().any(|line| line.starts_with("0::") && line.contains(&name))
            };
            assert!(marked(mark).iter().any(inside), "no worker is in a leaf");
            assert!((1..=2).contains(&group.leaves().len()), "{:?}", group.leaves());
        }
    }
    drop(pool);
    group.is_soon_empty();
    assert!(marked(mark).is_empty());
    println!("control group: 200 runs, 20 deaths, no leaf left");
}

#[test]
fn all_that_is_in_a_leaf_goes_with_its_worker() {
    let Some(group) = Delegated::with("kill", &[]) else { return };
    let pool = builder().size(1, 1).recycle_after(1).cgroup(group.as_wanted()).build().unwrap();
    let budget = Budget::default().timeout(Duration::from_millis(300));
    let mut sandbox = Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    let leaf = group.only_leaf();
    if !leaf.join("cgroup.kill").exists() {
        println!("control group, kill: NOT TESTED, this kernel has no cgroup.kill");
        return;
    }
    // As if the worker had been able to start it.
    let mut bystander = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    std::fs::write(leaf.join("cgroup.procs"), bystander.id().to_string()).unwrap();
    match sandbox.attack("spin") {
        Err(Error::Died(death)) => assert_eq!(death.cause, DeathCause::Deadline, "{death}"),
        other => panic!("{other:?}"),
    }
    let ended = bystander.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "{ended}");
    drop((sandbox, pool));
    group.is_soon_empty();
}

#[test]
fn memory_that_is_taken_has_an_end() {
    let Some(group) = Delegated::with("memory", &["memory"]) else { return };
    // The limit on address space is far away.
    let wanted = group.as_wanted().memory(64 << 20);
    let pool = builder().size(1, 1).memory(4 << 30).cgroup(wanted).require([Wall::CgroupMemory]).build().unwrap();
    let budget = Budget::default().timeout(Duration::from_secs(60));
    let mut victim = Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    assert!(victim.enforced().contains(&"cgroup_memory"), "{:?}", victim.lacking());
    let leaf = group.only_leaf();
    assert_eq!(number(&leaf, "memory.max", ""), 64 << 20);
    assert_eq!(victim.eval::<u64>("len('x' * (8 << 20))").unwrap(), 8 << 20);
    let began = Instant::now();
    match victim.attack("allocate") {
        Err(Error::Died(death)) => {
            assert_eq!(death.cause, DeathCause::OutOfMemory, "{death}");
            assert_eq!(death.wall, Some(Wall::CgroupMemory), "{death}");
            println!("allocate: {death}, after {:?}", began.elapsed());
        }
        other => panic!("{other:?}"),
    }
    drop(victim);
    assert_eq!(sandbox(&pool).eval::<u64>("6 * 7").unwrap(), 42);
    drop(pool);
    group.is_soon_empty();
}

#[test]
fn a_leaf_has_room_for_one_process() {
    let Some(group) = Delegated::with("processes", &["pids"]) else { return };
    // Its tasks' stacks are made with a thread each, before the leaf is shut.
    let pool = builder().size(1, 1).tasks(3).cgroup(group.as_wanted()).require([Wall::CgroupPids]).build().unwrap();
    let mut sandbox = sandbox(&pool);
    let leaf = group.only_leaf();
    assert_eq!((number(&leaf, "pids.max", ""), number(&leaf, "pids.current", "")), (1, 1));
    // The worker's own attempt ends by seccomp. So another process goes into its leaf, which seccomp has no hold on, and forks.
    let line = "read go; echo forks; (true) && echo forked";
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    std::fs::write(leaf.join("cgroup.procs"), shell.id().to_string()).unwrap();
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), b"go\n").unwrap();
    let said = shell.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "forks\n", "{said:?}");
    assert!(number(&leaf, "pids.events", "max") > 0);
    println!("fork: denied by cgroup_pids: {}", String::from_utf8_lossy(&said.stderr).trim());
    assert_eq!(sandbox.eval::<u64>("6 * 7").unwrap(), 42);
}

#[test]
fn a_share_of_a_processor_is_all_there_is() {
    let Some(group) = Delegated::with("processors", &["cpu"]) else { return };
    let wanted = group.as_wanted().cpus(0.1);
    let pool = builder().size(1, 1).cgroup(wanted).require([Wall::CgroupCpu]).build().unwrap();
    let budget = Budget::default().instructions(u64::MAX).timeout(Duration::from_millis(1500));
    let mut sandbox = Sandbox::builder().pool(&pool).budget(budget).build().unwrap();
    let leaf = group.only_leaf();
    let (before, began) = (number(&leaf, "cpu.stat", "usage_usec"), Instant::now());
    // By its own deadline or the host's: it is held up meanwhile.
    assert!(matches!(sandbox.exec("while True: pass"), Err(Error::Budget(_) | Error::Died(_))));
    let (used, took) = (number(&leaf, "cpu.stat", "usage_usec") - before, began.elapsed());
    assert!(number(&leaf, "cpu.stat", "nr_throttled") > 0);
    // What is handed out at the beginning comes on top.
    assert!((used as f64) < took.as_micros() as f64 * 0.25, "{used} us in {took:?}");
    println!("spin: held up by cgroup_cpu: {used} us of {took:?} at 0.1 processors");
}

#[test]
fn what_was_left_is_removed_and_the_rest_is_not() {
    let Some(group) = Delegated::with("leftovers", &[]) else { return };
    let (left, other) = (group.0.join("pycage-1-1"), group.0.join("another"));
    std::fs::create_dir(&left).unwrap();
    std::fs::create_dir(&other).unwrap();
    let first = builder().size(1, 1).cgroup(group.as_wanted()).build().unwrap();
    assert!(!left.exists() && other.exists());
    // A pool does not take another's leaf for one that was left, be something in it or not.
    let second = builder().size(1, 1).cgroup(group.as_wanted()).build().unwrap();
    assert_eq!(group.leaves().len(), 3);
    assert_eq!(sandbox(&first).eval::<u64>("1").unwrap() + sandbox(&second).eval::<u64>("1").unwrap(), 2);
    drop((first, second));
    std::fs::remove_dir(other).unwrap();
    group.is_soon_empty();
}

/// Whatever is in the way is told, and required it is an error.
#[test]
fn a_group_that_cannot_be_had_is_told() {
    let refused = |pool: Result<Pool, Error>| match pool {
        Err(Error::Setup(why)) => why,
        other => panic!("{other:?}"),
    };
    for (path, words) in [("/nowhere/at-all", "/nowhere/at-all"), ("/tmp", "is no control group of version 2")] {
        let pool = builder().cgroup(Cgroup::at(path).cpus(0.5)).build().unwrap();
        let mut sandbox = sandbox(&pool);
        assert_eq!(sandbox.eval::<u64>("6 * 7").unwrap(), 42);
        let lacking = sandbox.lacking();
        for name in ["cgroup_memory", "cgroup_pids", "cgroup_cpu"] {
            assert!(!sandbox.enforced().contains(&name));
            assert!(lacking.iter().any(|(wall, why)| *wall == name && why.contains(words)), "{lacking:?}");
        }
        let why = refused(builder().cgroup(Cgroup::at(path)).require([Wall::CgroupMemory]).build());
        assert!(why.contains("cgroup_memory") && why.contains(words), "{why}");
    }
    // A worker that a command starts may be on another machine.
    let command = || Launcher::command([env!("CARGO_BIN_EXE_pycage"), "worker"]);
    let pool = builder().launcher(command()).cgroup(Cgroup::at("/sys/fs/cgroup")).build().unwrap();
    let sandbox = sandbox(&pool);
    let lacking = sandbox.lacking();
    assert!(lacking.iter().any(|(wall, why)| *wall == "cgroup_memory" && why.contains("a command")), "{lacking:?}");
    let required = [Wall::CgroupPids];
    let why = refused(builder().launcher(command()).cgroup(Cgroup::at("/sys/fs/cgroup")).require(required).build());
    assert!(why.contains("cgroup_pids (only workers that are forked from a template"), "{why}");
    let why = refused(builder().require(required).build());
    assert!(why.contains("not asked for"), "{why}");
    let why = refused(builder().cgroup(Cgroup::at("/sys/fs/cgroup").cpus(0.0)).build());
    assert!(why.contains("0.01 is the least"), "{why}");
}

#[test]
fn on_the_command_line_a_group_is_required() {
    let run = |args: &[&str]| {
        let mut pycage = Command::new(env!("CARGO_BIN_EXE_pycage"));
        pycage.arg("run").args(args).arg("-").stdin(Stdio::null());
        let output = pycage.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, why) = run(&["--isolation", "process", "--cgroup", "/tmp"]);
    assert!(status == Some(2) && why.contains("/tmp is no control group of version 2"), "{status:?} {why}");
    let (status, why) = run(&["--cgroup", "/tmp"]);
    assert!(status == Some(2) && why.contains("--cgroup is for --isolation process"), "{status:?} {why}");
    let Some(group) = Delegated::with("command line", &["memory", "pids"]) else { return };
    let ran = run(&["--isolation", "process", "--cgroup", group.0.to_str().unwrap()]);
    assert_eq!(ran.0, Some(0), "{ran:?}");
    group.is_soon_empty();
}

/// One that has processes of its own cannot hand controllers on; the top of all alone can.
#[test]
fn a_group_with_processes_is_told() {
    let Some(group) = Delegated::with("processes in the group itself", &["memory", "pids"]) else { return };
    let mut inside = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    std::fs::write(group.0.join("cgroup.procs"), inside.id().to_string()).unwrap();
    let pool = builder().size(1, 1).cgroup(group.as_wanted()).build().unwrap();
    let lacking = sandbox(&pool).lacking();
    inside.kill().unwrap();
    inside.wait().unwrap();
    assert!(
        lacking.iter().any(|(wall, why)| *wall == "cgroup_memory" && why.contains("processes of its own")),
        "{lacking:?}"
    );
    drop(pool);
    group.is_soon_empty();
}
