//! What a batch tells people: how far it is, and what came of it.

use pycage::Usage;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two updates of the line that shows how far it is.
const UPDATE: Duration = Duration::from_millis(100);

pub struct Summary {
    total: usize,
    started: Instant,
    shown: Option<Instant>,
    verdicts: BTreeMap<&'static str, usize>,
    retries: u64,
    millis: Vec<f64>,
    instructions: Vec<f64>,
    kilobytes: Vec<f64>,
}

impl Summary {
    pub fn new(total: usize) -> Self {
        Summary {
            total,
            started: Instant::now(),
            shown: None,
            verdicts: BTreeMap::new(),
            retries: 0,
            millis: Vec::new(),
            instructions: Vec::new(),
            kilobytes: Vec::new(),
        }
    }

    pub fn add(&mut self, outcome: &'static str, usage: &Usage, attempts: u32) {
        *self.verdicts.entry(outcome).or_default() += 1;
        self.retries += u64::from(attempts.saturating_sub(1));
        self.millis.push(usage.elapsed.as_secs_f64() * 1e3);
        self.instructions.push((usage.instructions + usage.native_steps) as f64);
        self.kilobytes.push(usage.peak_bytes as f64 / 1024.0);
        self.progress();
    }

    /// A line on a terminal; nothing where standard error goes elsewhere.
    fn progress(&mut self) {
        let done = self.millis.len();
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= UPDATE) || done == self.total;
        if !due || !std::io::stderr().is_terminal() {
            return;
        }
        self.shown = Some(Instant::now());
        let rate = done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        const WIDTH: usize = 30;
        let bar = "#".repeat(done * WIDTH / self.total.max(1));
        eprint!("\r[{bar:<WIDTH$}] {done}/{} jobs, {rate:.0} a second ", self.total);
        if done == self.total {
            eprintln!();
        }
    }

    /// The table at the end.
    pub fn table(&mut self, skipped: usize) -> String {
        let mut table = String::new();
        let seconds = self.started.elapsed().as_secs_f64();
        // Writing to a String does not fail.
        let _ = writeln!(
            table,
            "{} jobs in {seconds:.1} s, {skipped} done before, {} retries",
            self.millis.len(),
            self.retries
        );
        for (verdict, count) in &self.verdicts {
            let _ = writeln!(table, "  {verdict:<12} {count:>8}");
        }
        let _ = writeln!(table, "  {:<12} {:>12} {:>12} {:>12} {:>12}", "", "p50", "p90", "p99", "most");
        for (name, values, digits) in [
            ("time ms", &mut self.millis, 1),
            ("instructions", &mut self.instructions, 0),
            ("memory KiB", &mut self.kilobytes, 0),
        ] {
            values.sort_by(f64::total_cmp);
            let at =
                |part: f64| values.get(((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1)));
            let [p50, p90, p99, most] = [0.5, 0.9, 0.99, 1.0].map(|part| at(part).copied().unwrap_or(0.0));
            let _ = writeln!(
                table,
                "  {name:<12} {p50:>12.digits$} {p90:>12.digits$} {p99:>12.digits$} {most:>12.digits$}"
            );
        }
        table
    }
}
