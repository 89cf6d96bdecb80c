//! An async host on tokio: scripts await its futures, and do not block its threads.
//!
//! `cargo run --release --ignore-rust-version --features async --example async_host`

use pycage::{Error, MeteredAlloc, Sandbox};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

const BOT: &str = "
async def greet(name):
    await sleep(100)
    score = await fetch_score(name)
    return f'{name} has {score} points'

def hog():
    while True: pass
";

fn bot() -> Result<Sandbox, Error> {
    let mut sandbox = Sandbox::new()?;
    sandbox.async_function("sleep", |millis: u64| tokio::time::sleep(Duration::from_millis(millis.min(10_000))))?;
    sandbox.async_function("fetch_score", |name: String| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if name.is_empty() { Err("nobody has no score") } else { Ok(name.len() * 10) }
    })?;
    sandbox.exec(BOT)?;
    Ok(sandbox)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let began = Instant::now();
    let mut waits = Vec::new();
    for name in ["Ada", "Grace", "Barbara"] {
        let mut bot = bot()?;
        waits.push(tokio::spawn(async move { bot.call_async::<String>("greet", (name,)).await }));
    }
    for wait in waits {
        match wait.await {
            Ok(greeting) => println!("{}", greeting?),
            Err(error) => println!("{error}"),
        }
    }
    println!("three times 150 ms, together: {} ms", began.elapsed().as_millis());

    // A future that is dropped takes its script along.
    let mut bot = bot()?;
    let gave_up = tokio::time::timeout(Duration::from_millis(50), bot.call_async::<()>("hog", ())).await;
    println!("the hog {}", if gave_up.is_err() { "was given up" } else { "came to an end" });
    println!("{}", bot.call_async::<String>("greet", ("Alan",)).await?);
    Ok(())
}
