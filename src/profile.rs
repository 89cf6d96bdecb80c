//! Where the instructions and the time of a sandbox's scripts went.

use crate::meter::profile::Tallies;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Where the instructions and the time of a sandbox's scripts went, by line and by function; see
/// [`SandboxBuilder::profile`](crate::SandboxBuilder::profile).
///
/// All that the scripts' runs cost is in it, each instruction and native step once.
///
/// ```
/// use pycage::{Budget, Sandbox};
///
/// let mut sandbox = Sandbox::builder().profile(true).build()?;
/// let usage = sandbox.exec_with("
/// def busy():
///     return sum(i * i for i in range(100))
/// busy()
/// ", Budget::default())?;
/// let profile = sandbox.profile();
/// let total: u64 = profile.lines.iter().map(|line| line.instructions + line.native_steps).sum();
/// assert_eq!(total, usage.instructions + usage.native_steps);
/// let dearest = profile.lines.iter().max_by_key(|line| line.instructions).unwrap();
/// assert_eq!((dearest.line, &*dearest.function), (3, "busy.<locals>.<genexpr>"));
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Profile {
    /// The lines that have run, by file, line and function.
    pub lines: Vec<LineCost>,
    /// The functions that have run, each with all the calls that led to it.
    pub stacks: Vec<StackCost>,
}

/// What a line has cost, with what the interpreter and granted modules did for it, without the functions that it called.
///
/// ```
/// let mut sandbox = pycage::Sandbox::builder().profile(true).build()?;
/// sandbox.exec("for i in range(10):\n    i + 1")?;
/// assert_eq!(sandbox.profile().lines[1].passes, 10);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineCost {
    /// The script's name.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// The function's qualified name; `<module>` for the top level.
    pub function: String,
    /// How often a straight run of instructions on the line was entered: more than once a visit if it branches.
    pub passes: u64,
    /// Instructions of the line.
    pub instructions: u64,
    /// Native steps, and the instructions of granted modules.
    pub native_steps: u64,
    /// Wall-clock time, without host functions. The clock is read at each probe, which itself takes some.
    pub time: Duration,
}

/// What a function has cost itself, called by these.
///
/// ```
/// let mut sandbox = pycage::Sandbox::builder().profile(true).build()?;
/// sandbox.exec("def f(): pass\nf()")?;
/// assert_eq!(sandbox.profile().stacks[1].functions, ["<module>", "f"]);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackCost {
    /// The function, last, and those that led to it.
    pub functions: Vec<String>,
    /// Instructions and native steps, without those of functions that it called.
    pub cost: u64,
}

impl Profile {
    pub(crate) fn of(tallies: &Tallies) -> Self {
        let mut lines = BTreeMap::new();
        for (site, tally) in &tallies.sites {
            lines.insert((&site.file, site.line, &site.function), tally);
        }
        let lines = lines.into_iter().map(|((file, line, function), tally)| LineCost {
            file: file.to_string(),
            line,
            function: function.to_string(),
            passes: tally.passes,
            instructions: tally.instructions,
            native_steps: tally.beyond,
            time: tally.time,
        });
        let stacks = (0..tallies.nodes.len()).map(|last| {
            let mut functions = Vec::new();
            let mut next = Some(last);
            while let Some(node) = next.map(|node| &tallies.nodes[node]) {
                functions.push(node.function.to_string());
                next = node.caller;
            }
            functions.reverse();
            StackCost { functions, cost: tallies.nodes[last].cost }
        });
        Profile { lines: lines.collect(), stacks: stacks.collect() }
    }

    /// The stacks in the folded form that makers of flame graphs read: `outer;inner cost`, a line each.
    ///
    /// ```
    /// let mut sandbox = pycage::Sandbox::builder().profile(true).build()?;
    /// sandbox.exec("def f(): pass\nf()")?;
    /// assert!(sandbox.profile().folded().lines().any(|line| line.starts_with("<module>;f ")));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn folded(&self) -> String {
        let mut text = String::new();
        for stack in self.stacks.iter().filter(|stack| stack.cost > 0) {
            let _ = writeln!(text, "{} {}", stack.functions.join(";"), stack.cost);
        }
        text
    }

    /// A source with what each of its lines has cost in front. `file` is the name that the script was run under.
    ///
    /// ```
    /// let source = "x = 1\nfor i in range(5):\n    x *= 2\n";
    /// let mut sandbox = pycage::Sandbox::builder().profile(true).build()?;
    /// let script = sandbox.compile("double.py", source)?;
    /// sandbox.run::<pycage::Value>(&script)?;
    /// let listing = sandbox.profile().listing("double.py", source);
    /// assert!(listing.lines().last().unwrap().ends_with("    x *= 2"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn listing(&self, file: &str, source: &str) -> String {
        let mut costs: BTreeMap<u32, (u64, u64, Duration)> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| line.file == file) {
            let cost = costs.entry(line.line).or_default();
            *cost = (cost.0 + line.instructions, cost.1 + line.native_steps, cost.2 + line.time);
        }
        let mut text = format!("{:>14} {:>14} {:>10}  line\n", "instructions", "native steps", "ms");
        for (number, line) in (1..).zip(source.lines()) {
            let _ = match costs.get(&number) {
                Some((instructions, native, time)) => {
                    writeln!(
                        text,
                        "{instructions:>14} {native:>14} {:>10.3}  {number:>4} {line}",
                        time.as_secs_f64() * 1e3
                    )
                }
                None => writeln!(text, "{:>40}  {number:>4} {line}", ""),
            };
        }
        text
    }
}
