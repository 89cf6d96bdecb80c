//! What each plugin has cost, as a table.

use crate::Played;
use pycage::Usage;
use std::io::{self, Write};

/// The sum of a plugin's calls.
#[derive(Default)]
pub struct Bill {
    pub calls: u64,
    /// Counts and times are sums, the peak is the highest.
    pub usage: Usage,
}

impl Bill {
    pub fn add(&mut self, usage: &Usage) {
        self.calls += 1;
        self.add_story(usage);
    }

    /// What a story has cost, which is no call.
    pub fn add_story(&mut self, usage: &Usage) {
        self.usage.instructions += usage.instructions;
        self.usage.native_steps += usage.native_steps;
        self.usage.allocations += usage.allocations;
        self.usage.peak_bytes = self.usage.peak_bytes.max(usage.peak_bytes);
        self.usage.elapsed += usage.elapsed;
    }
}

pub fn print(played: &[Played], out: &mut impl Write) -> io::Result<()> {
    let titles = ["plugin", "calls", "instructions", "native steps", "allocations", "peak KiB", "ms", "state"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(played.iter().map(row));
    let widths: Vec<usize> =
        (0..titles.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default()).collect();
    writeln!(out)?;
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                // Names and states to the left, figures to the right.
                if column == 0 || column == titles.len() - 1 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
        if index == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            writeln!(out, "| {} |", rules.join(" | "))?;
        }
    }
    Ok(())
}

fn row(played: &Played) -> [String; 8] {
    let usage = &played.bill.usage;
    [
        played.name.clone(),
        played.bill.calls.to_string(),
        usage.instructions.to_string(),
        usage.native_steps.to_string(),
        usage.allocations.to_string(),
        (usage.peak_bytes / 1024).to_string(),
        format!("{:.1}", usage.elapsed.as_secs_f64() * 1e3),
        played.state.to_string(),
    ]
}
