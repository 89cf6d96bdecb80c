//! What the topics share: tables of cases, and children that run `pycage`.

pub mod child;
pub mod expect;
pub mod source;
pub mod table;

use pycage::process::Pool;
use pycage::{Runner, Sandbox, SandboxBuilder};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// Where the scripts of a test run: what is said of one ring must hold in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    Thread,
    Process,
}

impl Ring {
    pub fn builder(self) -> SandboxBuilder {
        static POOL: LazyLock<Pool> =
            LazyLock::new(|| crate::process::builder().size(1, 16).tasks(8).build().expect("a worker comes up"));
        match self {
            Ring::Thread => Sandbox::builder(),
            Ring::Process => Sandbox::builder().pool(&POOL),
        }
    }

    pub fn sandbox(self) -> Sandbox {
        self.builder().build().expect("a sandbox is made")
    }

    /// One that no other sandbox shares a thread with.
    pub fn alone(self) -> Sandbox {
        match self {
            Ring::Thread => Sandbox::builder().runner(&Runner::new().expect("a thread is started")).build(),
            Ring::Process => self.builder().build(),
        }
        .expect("a sandbox is made")
    }
}

/// Makes a test of each function, once for each [`Ring`].
#[macro_export]
macro_rules! in_both_rings {
    ($($test:ident)*) => {
        mod on_threads {
            $(#[test]
            fn $test() {
                super::$test($crate::support::Ring::Thread);
            })*
        }

        mod in_workers {
            $(#[test]
            fn $test() {
                super::$test($crate::support::Ring::Process);
            })*
        }
    };
}

/// Does `job` for each item, on as many threads as the machine has cores; answers in the order of the items.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(0);
    let answers: Mutex<Vec<Option<R>>> = Mutex::new(items.iter().map(|_| None).collect());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        *next - 1
                    };
                    let Some(item) = items.get(index) else { return };
                    let answer = job(item);
                    answers.lock().unwrap()[index] = Some(answer);
                }
            });
        }
    });
    answers.into_inner().unwrap().into_iter().map(|answer| answer.expect("every item was done")).collect()
}

/// Fails with everything that is wrong, not only with the first of it.
pub fn assert_none(what: &str, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} {what}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether there is the Python that pycage is compared with. Says so where there is none.
pub fn has_python() -> bool {
    let version = Command::new("python3").args(["-c", "import sys; print(sys.version_info[:2])"]).output();
    let there = version.is_ok_and(|output| output.stdout == b"(3, 11)\n");
    if !there {
        println!("no python3 3.11 here: nothing is compared with it");
    }
    there
}

/// The package whose programs were run, and how many came to what, as it is recorded.
pub fn peer_counts() -> (String, Vec<(String, String)>) {
    let table = table::CaseTable::read("breadth/peer.toml");
    (table.text("package"), table.pairs("counts"))
}
