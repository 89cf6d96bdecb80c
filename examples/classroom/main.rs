//! A classroom: programs of students are run, and what goes wrong is told in a teacher's words: what, where, and how to mend it.
//!
//! ```text
//! cargo run --release --ignore-rust-version --example classroom [FILE]...
//! ```

mod friendly;

use pycage::{Budget, MeteredAlloc, Policy, Sandbox};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

// The memory limit rests on this line.
#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

/// Much for a student's program, and nothing that the class would wait for.
fn budget() -> Budget {
    Budget::default()
        .instructions(500_000)
        .memory(8 << 20)
        .output(2_000)
        .recursion(100)
        .timeout(Duration::from_secs(10))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/classroom/students");
        files = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.sort();
    }
    for file in files {
        let source = std::fs::read_to_string(&file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let policy = Policy::minimal().grant("math").grant("random");
        let mut sandbox = Sandbox::builder().policy(policy).budget(budget()).build()?;
        let ran = sandbox.eval_named::<Option<pycage::Value>>(&name, &source, budget());
        let output = sandbox.take_output();
        println!("== {name}");
        for line in output.lines().take(3) {
            println!("{line}");
        }
        match ran {
            Ok((_, usage)) => println!("  ok, {} instructions", usage.instructions),
            Err(error) => print!("{}", friendly::explain(&source, &error)),
        }
    }
    Ok(())
}
