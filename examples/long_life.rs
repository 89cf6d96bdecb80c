//! A long life: many calls of one function, and many different scripts, and what they leave in memory.
//!
//! `cargo run --release --ignore-rust-version --example long_life -- [CALLS] [SCRIPTS]`
//!
//! Without numbers it makes 1,000,000 calls and runs 100,000 scripts, twice: with names in common, and with names of
//! their own for everything that can have one (variables, a function with its parameters, a class with its methods and
//! attributes). Numbers and strings are always their own. Each part prints resident memory at a tenth of the way and at
//! the end.

#[path = "support/resident.rs"]
mod resident;

use pycage::{Budget, Error, MeteredAlloc, Runner, Sandbox};
use resident::resident_kib;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const PLUGIN: &str = "
class Hit:
    def __init__(self, kind, damage):
        self.kind = kind
        self.damage = damage

armour = {'goblin': 3, 'troll': 8}

def on_hit(kind, damage):
    hit = Hit(kind, damage)
    try:
        hit.damage -= armour[hit.kind]
    except KeyError as error:
        return f'{error} has no armour'
    return [hit.damage for _ in range(3)]
";

fn main() -> Result<(), Error> {
    let mut counts = std::env::args().skip(1).map(|count| count.parse().ok());
    let calls = counts.next().flatten().unwrap_or(1_000_000);
    let scripts = counts.next().flatten().unwrap_or(100_000);

    let mut sandbox = Sandbox::builder().budget(Budget::default()).build()?;
    sandbox.exec(PLUGIN)?;
    let kinds = ["goblin", "troll", "dragon"];
    watch("calls of one function in one sandbox", calls, |turn| {
        sandbox.call::<pycage::Value>("on_hit", (kinds[turn as usize % kinds.len()], turn as i64)).map(drop)
    })?;

    // Each in a sandbox of its own, on one runner.
    let runner = Runner::new()?;
    watch("different scripts with names in common, each in a sandbox of its own", scripts, |turn| {
        let mut sandbox = Sandbox::builder().runner(&runner).build()?;
        sandbox.eval::<i64>(&script("", turn)).map(drop)
    })?;
    let mut ran = 0;
    let all_new = watch("different scripts whose names are all new, each in a sandbox of its own", scripts, |turn| {
        let mut sandbox = Sandbox::builder().runner(&runner).build()?;
        sandbox.eval::<i64>(&script(&format!("{turn}"), turn))?;
        ran += 1;
        Ok(())
    });
    match all_new {
        // What names may take of the process has an end, which these come to.
        Err(error @ Error::NamesExhausted { .. }) => {
            println!("{ran} different scripts whose names are all new, then: {error}");
            println!("    resident: {} KiB", resident_kib());
            Ok(())
        }
        other => other,
    }
}

/// Does something many times, and says what the process holds along the way.
fn watch(what: &str, times: u64, mut action: impl FnMut(u64) -> Result<(), Error>) -> Result<(), Error> {
    let (started, before) = (Instant::now(), resident_kib());
    let mut at_a_tenth = before;
    for turn in 0..times {
        action(turn)?;
        if turn + 1 == (times / 10).max(1) {
            at_a_tenth = resident_kib();
        }
    }
    let at_the_end = resident_kib();
    let later = times - (times / 10).max(1);
    println!("{times} {what}: {:.1} us each", started.elapsed().as_secs_f64() * 1e6 / times as f64);
    println!("    resident: {before} KiB before, {at_a_tenth} KiB at a tenth, {at_the_end} KiB at the end");
    println!(
        "    from a tenth to the end: {:+.1} %, {:+.1} bytes each",
        (at_the_end as f64 / at_a_tenth as f64 - 1.0) * 100.0,
        (at_the_end as f64 - at_a_tenth as f64) * 1024.0 / later.max(1) as f64
    );
    Ok(())
}

/// A script whose names end in `own`, with numbers and strings that no other script has.
fn script(own: &str, number: u64) -> String {
    format!(
        "
class C{own}:
    shared{own} = 'text{number}'
    def __init__(self, first{own}):
        self.attribute{own} = first{own}
    def method{own}(self, by{own}=1):
        local{own} = self.attribute{own} + by{own}
        return local{own}
def f{own}(argument{own}):
    return [item{own} for item{own} in range(argument{own})]
v{own} = C{own}(len(f{own}(3)))
v{own}.method{own}(by{own}={number}) - v{own}.attribute{own}
"
    )
}
