//! What the process ring costs, as ratios in one run to a bare blocking ping-pong of one byte between two processes over
//! pipes. All of it is pinned to one core, as medians are bimodal otherwise.
//!
//! ```text
//! cargo bench --ignore-rust-version --bench process
//! ```
//!
//! Without `--bench` among the arguments it does each once, and measures nothing.

#[global_allocator]
static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the process ring is measured on Linux only");
}

#[cfg(target_os = "linux")]
fn main() {
    pycage::worker::init();
    if std::env::args().any(|arg| arg == linux::PONG) {
        return linux::pong();
    }
    linux::measure(std::env::args().any(|arg| arg == "--bench"));
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;
    use pycage::Sandbox;
    use pycage::process::{Launcher, Pool};
    use std::io::{Read, Write};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
    use std::time::{Duration, Instant};

    pub const PONG: &str = "--pong";

    /// Rounds of each kind, in turn; the median counts.
    const ROUNDS: usize = 21;

    /// The mark by which a worker is found among the processes of the machine.
    const MARK: u64 = 7077;

    pub fn pong() {
        let mut byte = [0];
        let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
        while stdin.read_exact(&mut byte).is_ok() {
            if stdout.write_all(&byte).and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    }

    struct Ping {
        child: Child,
        input: ChildStdin,
        output: ChildStdout,
    }

    impl Ping {
        fn start() -> Ping {
            let mut child = Command::new(std::env::current_exe().expect("this executable has a path"))
                .arg(PONG)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a child starts");
            let (input, output) = (child.stdin.take().expect("is piped"), child.stdout.take().expect("is piped"));
            Ping { child, input, output }
        }

        fn turn(&mut self) {
            let mut byte = [1];
            self.input.write_all(&byte).expect("the child reads");
            self.output.read_exact(&mut byte).expect("the child answers");
        }
    }

    pub fn measure(really: bool) {
        let mut core = CpuSet::new();
        core.set(0).expect("a first core");
        sched_setaffinity(Pid::from_raw(0), &core).expect("a process can be pinned");

        let mut ping = Ping::start();
        let warm = Pool::builder().launcher(Launcher::this_executable()).size(1, 1).cpu_seconds(MARK).build();
        let warm = warm.expect("a worker comes up");
        // Kept at none: each sandbox has a fresh worker.
        let fresh = Pool::builder().size(0, 1).recycle_after(1).build().expect("a worker comes up");
        let private = private_kib();
        let mut sandbox = Sandbox::builder().pool(&warm).build().expect("a worker is free");
        sandbox.exec("def tick(x): return x + 1").expect("is a script");

        let turns = if really { 2000 } else { 1 };
        let mut samples: [Vec<Duration>; 5] = Default::default();
        for round in 0..if really { ROUNDS } else { 1 } {
            samples[0].push(time(turns, || ping.turn()));
            samples[1].push(time(turns, || assert_eq!(sandbox.call::<i64>("tick", (1,)).expect("answers"), 2)));
            if round % 2 == 0 {
                let [mut first, mut gone] = [Duration::ZERO; 2];
                let workers = if really { 20 } else { 1 };
                for _ in 0..workers {
                    let began = Instant::now();
                    let mut sandbox = Sandbox::builder().pool(&fresh).build().expect("a worker is forked");
                    assert_eq!(sandbox.eval::<i64>("1 + 1").expect("answers"), 2);
                    let answered = Instant::now();
                    drop(sandbox);
                    first += answered - began;
                    gone += answered.elapsed();
                }
                samples[3].push(first / workers);
                samples[4].push(gone / workers);
            }
        }
        drop(sandbox);
        // Taken from the pool and begun with: the time until the first call could be made.
        let mut taken = Duration::ZERO;
        for _ in 0..turns {
            let began = Instant::now();
            let sandbox = Sandbox::builder().pool(&warm).build().expect("a worker is free");
            taken += began.elapsed();
            drop(sandbox);
        }
        samples[2].push(taken / turns);

        let [ping_pong, tick, check_out, first, gone] = samples.map(median);
        let ratio = |time: Duration| time.as_secs_f64() / ping_pong.as_secs_f64();
        println!("{:<34} {:>10} {:>7}", "", "us", "ratio");
        for (name, time) in [
            ("ping-pong of a byte", ping_pong),
            ("round trip of tick(x)", tick),
            ("check-out of a warm worker", check_out),
            ("fresh jailed worker, first answer", first),
            ("its end, until it is reaped", gone),
        ] {
            println!("{name:<34} {:>10.2} {:>7.2}", time.as_secs_f64() * 1e6, ratio(time));
        }
        match private {
            Some(kib) => println!("{:<34} {kib:>10} KiB", "private memory of an idle worker"),
            None => println!("private memory of an idle worker: this user may not look"),
        }
        drop(ping.input);
        let _ = ping.child.wait();
    }

    fn time(turns: u32, mut work: impl FnMut()) -> Duration {
        let began = Instant::now();
        for _ in 0..turns {
            work();
        }
        began.elapsed() / turns
    }

    fn median(mut samples: Vec<Duration>) -> Duration {
        samples.sort();
        samples[samples.len() / 2]
    }

    /// What only the idle worker has of memory.
    fn private_kib() -> Option<u64> {
        let processes = std::fs::read_dir("/proc").ok()?;
        let worker =
            processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).find(|pid| {
                let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
                limits.lines().any(|line| line.starts_with("Max cpu time") && line.contains(&MARK.to_string()))
            })?;
        let rollup = std::fs::read_to_string(format!("/proc/{worker}/smaps_rollup")).ok()?;
        let fields = rollup.lines().filter_map(|line| {
            let rest = line.strip_prefix("Private_Clean:").or(line.strip_prefix("Private_Dirty:"))?;
            rest.trim().trim_end_matches(" kB").parse::<u64>().ok()
        });
        Some(fields.sum())
    }
}
