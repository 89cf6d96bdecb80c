//! The command line: run restricted Python scripts under a budget, or check them without running.

mod batch;
mod furnish;
#[cfg(feature = "test-hooks")]
mod hosted;
mod json;
mod place;
mod profile;
mod repl;
mod report;
mod run;
mod stubs;

use clap::{Args, Parser, Subcommand, ValueEnum};
use furnish::GivenArgs;
use place::PlaceArgs;
use pycage::{Error, MeteredAlloc, Sandbox};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MeteredAlloc = MeteredAlloc::system();

/// Run restricted Python scripts under a budget.
///
/// Exit status: 0 ok, 1 exception, 2 bad usage, 3 rejected, 4 budget, 5 crashed or stuck; with several files the highest.
#[derive(Parser)]
#[command(name = "pycage", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run each file in a sandbox of its own, in order, all on one runner
    Run(RunArgs),
    /// Run many jobs over many workers, one line of result for each
    Batch(BatchArgs),
    /// Say whether a file would be accepted, without running it
    Check(CheckArgs),
    /// Run what is typed, an entry at a time, with the bill after each
    Repl(repl::ReplArgs),
    /// Show where a file's instructions and time went, line by line
    Profile(profile::ProfileArgs),
    /// Write stubs of all that a script may use, for editors and type checkers
    Stubs(stubs::StubsArgs),
    /// Serve a host on standard input and output, as its worker process
    Worker,
    /// Show a file's instrumented bytecode with the weight of each block
    Disasm(CheckArgs),
}

#[derive(Args)]
struct RunArgs {
    /// One JSON object a file, on one line each, and nothing else on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
    /// A JSON file, bound as the global `inputs` in each script
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Plant `_canary_secret` and `hostmod` where no script may reach: one that shows the secret has escaped
    #[arg(long)]
    canary: bool,
    /// Skip the validator, to test the run ring alone
    #[cfg(feature = "test-hooks")]
    #[arg(long, hide = true)]
    unvalidated: bool,
    /// Give each script functions and objects of a host, to attack them
    #[cfg(feature = "test-hooks")]
    #[arg(long, hide = true)]
    hosted: bool,
    /// No validator and no budgets in the worker, to test the wall alone
    #[cfg(feature = "test-hooks")]
    #[arg(long, hide = true)]
    unguarded: bool,
    /// Scripts; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Args)]
struct BatchArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// How many jobs run at a time
    #[arg(long, value_name = "N", default_value = "2")]
    workers: usize,
    /// How often a job is tried again whose worker was lost
    #[arg(long, value_name = "N", default_value = "3")]
    retries: u32,
    /// Write results in the order of the jobs, and not as they come
    #[arg(long)]
    in_order: bool,
    /// Where the results go, a line each; jobs that have one there are not done again
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// Jobs, one JSON object a line: `id`, and `script` or `path`; as needed `inputs`, `grants`, `timeout_ms`,
    /// `max_instructions`, `max_allocations`, `max_memory`
    jobs: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Isolation {
    /// A thread of this process
    Thread,
    /// A worker process
    Process,
}

#[derive(Args)]
struct CheckArgs {
    #[command(flatten)]
    given: GivenArgs,
    /// A script; `-` is standard input
    file: PathBuf,
}

/// Exit statuses, as documented.
mod status {
    pub const OK: u8 = 0;
    pub const EXCEPTION: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const REJECTED: u8 = 3;
    pub const BUDGET: u8 = 4;
    pub const CRASHED: u8 = 5;
}

fn main() -> ExitCode {
    // In a process that was started as a worker this does not return.
    pycage::worker::init();
    let status = match Cli::parse().command {
        Command::Worker => pycage::worker::serve(),
        Command::Run(args) => run::run(&args),
        Command::Batch(args) => batch::batch(&args),
        Command::Repl(args) => repl::repl(&args),
        Command::Profile(args) => profile::profile(&args),
        Command::Stubs(args) => stubs::stubs(&args),
        Command::Check(args) => check(&args),
        Command::Disasm(args) => disasm(&args),
    };
    ExitCode::from(status.unwrap_or_else(|message| {
        eprintln!("pycage: {message}");
        status::USAGE
    }))
}

fn check(args: &CheckArgs) -> Result<u8, String> {
    let (name, source) = read(&args.file)?;
    match sandbox(&args.given)?.compile(&name, &source) {
        Ok(_) => {
            print(&format!("{name}: ok\n"));
            Ok(status::OK)
        }
        Err(error @ (Error::Syntax(_) | Error::Rejected(_))) => {
            eprintln!("{error}");
            Ok(status::REJECTED)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(status::CRASHED)
        }
    }
}

fn disasm(args: &CheckArgs) -> Result<u8, String> {
    let (name, source) = read(&args.file)?;
    let sandbox = sandbox(&args.given)?;
    match sandbox.compile(&name, &source).and_then(|script| sandbox.disassemble(&script)) {
        Ok(listing) => {
            print(&listing);
            Ok(status::OK)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(status::REJECTED)
        }
    }
}

fn sandbox(given: &GivenArgs) -> Result<Sandbox, String> {
    given.furnish(Sandbox::builder().policy(given.policy()))?.build().map_err(|error| error.to_string())
}

/// A script's name and text. Text that is not UTF-8 is bad usage: Python sources are UTF-8.
fn read(file: &PathBuf) -> Result<(String, String), String> {
    let shown = file.display().to_string();
    let (name, bytes) = if shown == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("standard input: {error}"))?;
        ("<stdin>".to_owned(), bytes)
    } else {
        let bytes = std::fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
        (shown, bytes)
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(_) => Err(format!("{name}: not UTF-8; save the script as UTF-8")),
    }
}

/// Writes to standard output. A reader that went away is no error of ours.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
