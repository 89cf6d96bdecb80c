//! `pycage profile`: a source with what each of its lines has cost, its functions, and a flame graph.

use crate::furnish::GivenArgs;
use crate::place::Limits;
use crate::report::Report;
use crate::{print, read, status};
use clap::Args;
use inferno::flamegraph;
use pycage::{Budget, Profile, Sandbox, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Functions that are listed.
const SHOWN: usize = 20;

#[derive(Args)]
pub struct ProfileArgs {
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    given: GivenArgs,
    /// Write a flame graph there, by instructions and native steps
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the stacks there in the folded form, for other makers of flame graphs
    #[arg(long, value_name = "FILE")]
    folded: Option<PathBuf>,
    /// A script; `-` is standard input
    file: PathBuf,
}

/// Runs the file and shows where its cost went, also when it fails.
pub fn profile(args: &ProfileArgs) -> Result<u8, String> {
    let (name, source) = read(&args.file)?;
    let builder = args.given.furnish(Sandbox::builder().profile(true).policy(args.given.policy()))?;
    let mut sandbox = builder.budget(args.limits.on(Budget::default())).build().map_err(|error| error.to_string())?;
    let result = sandbox.eval_named::<Value>(&name, &source, sandbox.budget().clone());
    let report = Report { result, output: sandbox.take_output(), enforced: sandbox.enforced() };
    report.show();
    if report.status() == status::REJECTED {
        return Ok(status::REJECTED);
    }
    let profile = sandbox.profile();
    print(&format!("\n{}\n{}", profile.listing(&name, &source), functions(&profile)));
    if let Some(file) = &args.folded {
        write(file, profile.folded().as_bytes())?;
    }
    if let Some(file) = &args.svg {
        write(file, &flame_graph(&profile, &name)?)?;
    }
    Ok(report.status())
}

/// The functions with the highest cost of their own, and what they cost with those that they call.
fn functions(profile: &Profile) -> String {
    let mut costs: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for stack in &profile.stacks {
        for (index, function) in stack.functions.iter().enumerate() {
            // One that calls itself counts once.
            if !stack.functions[..index].contains(function) {
                costs.entry(function).or_default().1 += stack.cost;
            }
        }
        if let Some(last) = stack.functions.last() {
            costs.entry(last).or_default().0 += stack.cost;
        }
    }
    let mut costs: Vec<(&str, (u64, u64))> = costs.into_iter().collect();
    costs.sort_by_key(|&(_, (own, _))| std::cmp::Reverse(own));
    let mut text = format!("{:>14} {:>14}  function (instructions and native steps)\n", "own", "with callees");
    for (function, (own, with)) in costs.into_iter().take(SHOWN) {
        text.push_str(&format!("{own:>14} {with:>14}  {function}\n"));
    }
    text
}

fn flame_graph(profile: &Profile, name: &str) -> Result<Vec<u8>, String> {
    let mut options = flamegraph::Options::default();
    options.title = name.to_owned();
    options.count_name = "instructions and native steps".to_owned();
    let (folded, mut svg) = (profile.folded(), Vec::new());
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg).map_err(|error| format!("--svg: {error}"))?;
    Ok(svg)
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(file, bytes).map_err(|error| format!("{}: {error}", file.display()))
}
