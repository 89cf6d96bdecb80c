//! `pycage batch`: one result a job, whatever happens to workers, to the file of results and to the batch itself.

use crate::support::child::{self, Ended};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("batch").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A batch in a folder of its own.
struct Batch {
    jobs: PathBuf,
    results: PathBuf,
}

impl Batch {
    fn new(name: &str, jobs: impl IntoIterator<Item = Json>) -> Batch {
        let folder = folder(name);
        let (jobs_file, results) = (folder.join("jobs.jsonl"), folder.join("results.jsonl"));
        let lines: String = jobs.into_iter().map(|job| format!("{job}\n")).collect();
        std::fs::write(&jobs_file, lines).unwrap();
        Batch { jobs: jobs_file, results }
    }

    fn args<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        let files = ["--results", self.results.to_str().unwrap(), self.jobs.to_str().unwrap()];
        [&["batch"], options, &files].concat()
    }

    fn run(&self, options: &[&str]) -> Ended {
        child::pycage(&self.args(options), b"")
    }

    /// Likewise, not waited for.
    fn start(&self, options: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_pycage"))
            .args(self.args(options))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The results, in the order of the file; each is a whole line, and no job has two.
    fn results(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(&self.results).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let results: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut seen = HashMap::new();
        for result in &results {
            assert!(seen.insert(result["id"].to_string(), ()).is_none(), "two results of {}", result["id"]);
        }
        results
    }
}

fn mixed(count: usize) -> Vec<Json> {
    let job = |index: usize| match index % 5 {
        0 => json!({"id": format!("j{index}"), "script": "inputs['n'] * 2", "inputs": {"n": index}}),
        1 => json!({"id": format!("j{index}"), "script": "1 / 0"}),
        2 => json!({"id": format!("j{index}"), "script": "import os"}),
        3 => json!({"id": format!("j{index}"), "script": "while True: pass", "max_instructions": 10_000}),
        _ => json!({"id": format!("j{index}"), "script": "import math\nmath.sqrt(16)", "grants": ["math"]}),
    };
    (0..count).map(job).collect()
}

#[test]
fn every_job_has_its_result_on_threads_and_in_processes() {
    let batch = Batch::new("threads", mixed(40));
    let ended = batch.run(&[]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.is_empty() && ended.stderr.starts_with("40 jobs in "), "{ended:?}");
    let on_threads: HashMap<String, Json> =
        batch.results().into_iter().map(|result| (result["id"].to_string(), result)).collect();
    assert_eq!(on_threads.len(), 40);
    assert_eq!(on_threads["\"j10\""]["value"], 20);
    assert_eq!(on_threads["\"j4\""]["value"], 4.0);

    let batch = Batch::new("processes", mixed(40));
    let ended = batch.run(&["--isolation", "process", "--in-order", "--workers", "3"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let in_order = batch.results();
    for (index, result) in in_order.iter().enumerate() {
        assert_eq!(result["id"], format!("j{index}"));
        let other = &on_threads[&result["id"].to_string()];
        assert_eq!(result["outcome"], ["ok", "exception", "rejected", "budget", "ok"][index % 5], "{result}");
        for field in ["outcome", "value"] {
            assert_eq!(result[field], other[field], "{result}");
        }
        assert_eq!(result["usage"]["instructions"], other["usage"]["instructions"], "{result}");
    }
}

#[test]
fn a_batch_goes_on_where_it_was_cut_off() {
    let batch = Batch::new("resume", mixed(30));
    assert_eq!(batch.run(&["--in-order"]).status, Some(0));
    let whole = std::fs::read_to_string(&batch.results).unwrap();
    // As a kill leaves it: whole lines, and a part of one.
    let cut = whole.match_indices('\n').nth(11).unwrap().0 + 25;
    std::fs::write(&batch.results, &whole[..cut]).unwrap();
    let ended = batch.run(&["--in-order"]);
    assert!(ended.stderr.starts_with("18 jobs in ") && ended.stderr.contains(" 12 done before"), "{ended:?}");
    let ids = |text: &str| -> Vec<Json> {
        text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["id"].clone()).collect()
    };
    assert_eq!(ids(&whole), ids(&std::fs::read_to_string(&batch.results).unwrap()));
    assert_eq!(batch.results().len(), 30);
}

#[test]
fn what_is_no_job_is_told_before_anything_runs() {
    let script = |id: &str| json!({"id": id, "script": "1"});
    for (name, jobs, complaint) in [
        ("twice", vec![script("a"), script("a")], "line 2: the job 'a' has the id of an earlier one"),
        ("neither", vec![json!({"id": "a"})], "line 1: the job 'a' needs either \"script\" or \"path\""),
        ("unknown", vec![json!({"id": "a", "script": "1", "max_time": 5})], "line 1: unknown field `max_time`"),
        ("module", vec![json!({"id": "a", "script": "1", "grants": ["os"]})], "asks for the module 'os'"),
    ] {
        let batch = Batch::new(name, jobs);
        let ended = batch.run(&[]);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(complaint), "{ended:?}");
        assert!(!batch.results.exists());
    }
    let batch = Batch::new("foreign", [script("a")]);
    std::fs::write(&batch.results, "a letter\n").unwrap();
    let ended = batch.run(&[]);
    assert!(ended.status == Some(2) && ended.stderr.contains("line 1 is no result"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&batch.results).unwrap(), "a letter\n");
}

/// A file that is not there is the job's own failure, and costs no other.
#[test]
fn paths_are_relative_to_the_jobs() {
    let batch = Batch::new("paths", [json!({"id": "a", "path": "a.py"}), json!({"id": "b", "path": "b.py"})]);
    std::fs::write(batch.jobs.with_file_name("a.py"), "6 * 7").unwrap();
    assert_eq!(batch.run(&["--in-order"]).status, Some(0));
    let results = batch.results();
    assert_eq!((&results[0]["value"], &results[0]["outcome"]), (&json!(42), &json!("ok")));
    assert_eq!(results[1]["outcome"], "rejected");
}

/// Workers are killed all the time, from outside; each job is tried again on another.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_worker_costs_no_job() {
    /// The processes that descend from one.
    fn descendants(of: u32) -> Vec<u32> {
        let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
        let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        children.iter().flat_map(|&child| [vec![child], descendants(child)].concat()).collect()
    }

    let jobs = (0..1000).map(|index| json!({"id": index.to_string(), "script": "sum(range(20000))"}));
    let batch = Batch::new("killed", jobs);
    let worker = format!("{} worker", env!("CARGO_BIN_EXE_pycage"));
    let options = ["--isolation", "process", "--launcher", &worker, "--workers", "2", "--retries", "50"];
    let mut child = batch.start(&options);
    let mut killed = 0;
    while child.try_wait().unwrap().is_none() {
        // Longer than a worker takes to come up, on a machine that is busy with other tests.
        std::thread::sleep(Duration::from_millis(500));
        if let Some(&worker) = descendants(child.id()).first() {
            let kill = Command::new("kill").args(["-9", &worker.to_string()]).stderr(Stdio::null()).status();
            killed += u32::from(kill.is_ok_and(|status| status.success()));
        }
    }
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(killed > 0, "nothing was killed");
    let results = batch.results();
    assert_eq!(results.len(), 1000);
    assert!(results.iter().all(|result| result["value"] == 199_990_000), "{killed} killed");
    println!("{killed} workers killed, {} jobs tried again", results.iter().filter(|job| job["attempts"] != 1).count());
}

/// A script whose worker is lost each time it runs is reported after so many tries, and costs no other.
#[cfg(unix)]
#[test]
fn a_job_that_ends_its_worker_each_time_is_reported() {
    let mut jobs = mixed(10);
    jobs.insert(4, json!({"id": "killer", "script": "'the end of me'"}));
    let batch = Batch::new("killer", jobs);
    // A way to the worker that breaks when that script goes over it.
    let way = "while (sysread(STDIN, $bytes, 65536)) { exit if $bytes =~ /the end of me/; syswrite(STDOUT, $bytes) }";
    let launcher = format!("sh -c \"perl -e '{way}' | {} worker\"", env!("CARGO_BIN_EXE_pycage"));
    let launcher = launcher.replace('$', "\\$");
    let ended = batch.run(&["--isolation", "process", "--launcher", &launcher, "--retries", "2", "--in-order"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let results = batch.results();
    assert_eq!(results.len(), 11);
    for (index, result) in results.iter().enumerate() {
        let (outcome, attempts) = match index {
            4 => ("crashed", 3),
            _ => (["ok", "exception", "rejected", "budget", "ok"][(index - usize::from(index > 4)) % 5], 1),
        };
        assert_eq!((&result["outcome"], &result["attempts"]), (&json!(outcome), &json!(attempts)), "{result}");
    }
}

/// A worker that takes a job and then says nothing, without an end: the job is tried again on another, and has one result. One
/// that silences its worker each time is reported after so many tries.
#[cfg(unix)]
#[test]
fn a_silent_worker_costs_no_job() {
    let mut jobs = mixed(6);
    jobs.insert(1, json!({"id": "once", "script": "'hush the first'"}));
    jobs.insert(4, json!({"id": "always", "script": "'hush always'"}));
    let batch = Batch::new("silent", jobs);
    let mark = batch.jobs.with_file_name("hushed");
    // A way to the worker on which all stands still when such a script goes over it; with the one of them, once.
    let way = format!(
        "while (sysread(STDIN, $bytes, 65536)) {{ \
         sleep 600 if $bytes =~ /hush always/; \
         if ($bytes =~ /hush the first/ && ! -e q({mark})) {{ open(M, q(>), q({mark})); close(M); sleep 600 }} \
         syswrite(STDOUT, $bytes) }}",
        mark = mark.display()
    );
    let launcher = format!("sh -c \"perl -e '{way}' | {} worker\"", env!("CARGO_BIN_EXE_pycage"));
    let launcher = launcher.replace('$', "\\$");
    let options =
        ["--isolation", "process", "--launcher", &launcher, "--retries", "2", "--in-order", "--timeout", "400"];
    let ended = batch.run(&options);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let results = batch.results();
    let told: Vec<_> = results.iter().map(|result| (result["id"].as_str().unwrap(), &result["attempts"])).collect();
    assert_eq!(told.len(), 8);
    for (result, id) in results.iter().zip(["j0", "once", "j1", "j2", "always", "j3", "j4", "j5"]) {
        let attempts = match id {
            "once" => 2,
            "always" => 3,
            _ => 1,
        };
        assert_eq!((&result["id"], &result["attempts"]), (&json!(id), &json!(attempts)), "{result}");
    }
    assert_eq!(results[1]["value"], "hush the first");
    assert_eq!((&results[4]["outcome"], &results[4]["error"]["kind"]), (&json!("budget"), &json!("WorkerDied")));
}

/// Jobs on the workers of a Slurm cluster, of which one is killed every second, and some stand still; one node goes away for
/// a while, and the daemon of the other stands still: each has one result, and it is the right one.
#[cfg(target_os = "linux")]
#[test]
fn on_a_cluster() {
    use std::collections::BTreeSet;
    use std::time::Instant;

    /// The workers of the cluster, with the node of each: by the environment that Slurm gave them.
    fn workers(conf: &str) -> Vec<(u32, String)> {
        let processes = std::fs::read_dir("/proc").into_iter().flatten();
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        pids.filter_map(|pid| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            let environment = String::from_utf8_lossy(&environment);
            let of = |name: &str| environment.split('\0').find_map(|entry| entry.strip_prefix(name));
            let is_worker =
                command.starts_with(env!("CARGO_BIN_EXE_pycage").as_bytes()) && of("SLURM_CONF=") == Some(conf);
            is_worker.then(|| Some((pid, of("SLURMD_NODENAME=")?.to_owned()))).flatten()
        })
        .collect()
    }

    fn signal(signal: &str, pid: u32) -> bool {
        let sent = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
        sent.is_ok_and(|status| status.success())
    }

    let Some(folder) = std::env::var("PYCAGE_SLURM").ok().filter(|folder| !folder.is_empty()) else {
        println!("Slurm: NOT TESTED, PYCAGE_SLURM is not set; `.ci/launchers` installs what it needs and sets it");
        return;
    };
    let count: usize = std::env::var("PYCAGE_JOBS").ok().and_then(|count| count.parse().ok()).unwrap_or(500);
    let conf = format!("{folder}/slurm.conf");
    let cluster = |action: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/launchers/slurm-on-one-machine");
        let done = Command::new(script).args([action, &folder, "a"]).stdin(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "{action}");
    };
    let daemon_of_b = || -> u32 {
        std::fs::read_to_string(format!("{folder}/b/slurmd.pid")).unwrap().trim().parse().expect("a number")
    };
    let jobs =
        (0..count).map(|index| json!({"id": index.to_string(), "script": format!("sum(range(20000)) + {index}")}));
    let batch = Batch::new("cluster", jobs);
    let launcher =
        format!("env SLURM_CONF={conf} srun --quiet --unbuffered --ntasks 1 {} worker", env!("CARGO_BIN_EXE_pycage"));
    let options = ["--isolation", "process", "--launcher", &launcher, "--workers", "4", "--retries", "20"];
    let options = [&options[..], &["--start-timeout", "60000", "--timeout", "5000"]].concat();
    let began = Instant::now();
    let mut child = batch.start(&options);
    let (mut killed, mut silenced, mut turn, mut nodes) = (0, 0, 0, BTreeSet::new());
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_secs(1));
        turn += 1;
        if turn == 8 || turn == 13 {
            // Node b takes no more jobs for a while, and says nothing.
            signal(if turn == 8 { "-STOP" } else { "-CONT" }, daemon_of_b());
        }
        let workers = workers(&conf);
        nodes.extend(workers.iter().map(|(_, node)| node.clone()));
        if let Some((worker, _)) = workers.get(turn % workers.len().max(1)) {
            // Every fifth is not killed, but stands still.
            let stands_still = turn % 5 == 3;
            let done = signal(if stands_still { "-STOP" } else { "-KILL" }, *worker);
            silenced += u32::from(done && stands_still);
            killed += u32::from(done && !stands_still);
        }
        match turn {
            6 => cluster("lose"),
            12 => cluster("back"),
            _ => {}
        }
    }
    if (6..12).contains(&turn) {
        cluster("back");
    }
    if (8..13).contains(&turn) {
        signal("-CONT", daemon_of_b());
    }
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert!(killed > 0, "nothing was killed");
    assert_eq!(nodes.len(), 2, "not spread over the nodes: {nodes:?}");
    let results = batch.results();
    assert_eq!(results.len(), count);
    for result in &results {
        let index: u64 = result["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(result["value"], json!(199_990_000 + index), "{result}");
    }
    let again = results.iter().filter(|job| job["attempts"] != 1).count();
    println!(
        "Slurm: {count} jobs, each with one result, in {:.0?}; {killed} workers killed, {silenced} stood still, node a lost: {}, \
         node b silent: {}, {again} jobs tried again\n{told}",
        began.elapsed(),
        turn >= 6,
        turn >= 8
    );
}
