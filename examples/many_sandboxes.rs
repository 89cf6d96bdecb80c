//! Creates, uses once and drops sandboxes on one runner, and prints what stays in memory.
//!
//! `cargo run --release --ignore-rust-version --example many_sandboxes -- 1000000`

#[path = "support/resident.rs"]
mod resident;

use pycage::{Error, MeteredAlloc, Runner, Sandbox};
use resident::resident_kib;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const PLUGIN: &str = "
class Enemy:
    def __init__(self, health):
        self.health = health
    def hit(self, damage):
        self.health -= damage
        return self.health
def tick(damage):
    return Enemy(100).hit(damage)
tick(7)
";

fn main() -> Result<(), Error> {
    let turns: u64 = std::env::args().nth(1).and_then(|turns| turns.parse().ok()).unwrap_or(20_000);
    let runner = Runner::new()?;
    let script = Sandbox::builder().runner(&runner).build()?.compile("plugin.py", PLUGIN)?;
    let started = Instant::now();
    for turn in 1..=turns {
        let mut sandbox = Sandbox::builder().runner(&runner).build()?;
        assert_eq!(sandbox.run::<i64>(&script)?, 93);
        drop(sandbox);
        if turn == 10_000 || turn % (turns / 5).max(1) == 0 {
            println!(
                "{turn:>9} sandboxes  {:>7} KiB resident  {:.1} us each",
                resident_kib(),
                started.elapsed().as_secs_f64() * 1e6 / turn as f64
            );
        }
    }
    Ok(())
}
