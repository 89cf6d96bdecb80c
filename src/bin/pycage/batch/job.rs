//! The jobs of a batch: one JSON object a line.

use crate::place::Limits;
use pycage::{Budget, Policy, Value};
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One line of the file of jobs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Names the job in its result. No two jobs of a batch have the same.
    pub id: String,
    /// The source; or `path`.
    script: Option<String>,
    /// A file with the source, relative to the file of jobs.
    path: Option<PathBuf>,
    /// Bound as the global `inputs`.
    pub inputs: Option<Value>,
    /// Modules, beside those of the command line.
    #[serde(default)]
    grants: Vec<String>,
    timeout_ms: Option<u64>,
    max_instructions: Option<u64>,
    max_allocations: Option<u64>,
    pub max_memory: Option<u64>,
}

/// Reads all jobs. A line that is none is an error that names it, before anything runs.
pub fn read(text: &str) -> Result<Vec<Job>, String> {
    let known: HashSet<String> = Policy::data().modules().map(str::to_owned).collect();
    let mut ids = HashSet::new();
    let mut jobs = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let job: Job = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", index + 1))?;
        let wrong = |what: String| Err(format!("line {}: the job '{}' {what}", index + 1, job.id));
        if job.script.is_some() == job.path.is_some() {
            return wrong("needs either \"script\" or \"path\"".to_owned());
        }
        if let Some(module) = job.grants.iter().find(|module| !known.contains(*module)) {
            return wrong(format!("asks for the module '{module}', which pycage does not have"));
        }
        if !ids.insert(job.id.clone()) {
            return wrong("has the id of an earlier one".to_owned());
        }
        jobs.push(job);
    }
    Ok(jobs)
}

impl Job {
    /// Name and text of the script.
    pub fn source(&self, folder: &Path) -> Result<(String, String), String> {
        match (&self.script, &self.path) {
            (Some(source), _) => Ok((format!("<{}>", self.id), source.clone())),
            (None, Some(path)) => crate::read(&folder.join(path)),
            (None, None) => Err("no script".to_owned()),
        }
    }

    pub fn policy(&self, base: &Policy) -> Policy {
        self.grants.iter().fold(base.clone(), Policy::grant)
    }

    /// The budget of the command line, with what the job says in its place.
    pub fn budget(&self, base: &Budget) -> Budget {
        let limits = Limits {
            max_instructions: self.max_instructions,
            max_allocations: self.max_allocations,
            max_memory: self.max_memory,
            timeout: self.timeout_ms,
        };
        limits.on(base.clone())
    }
}
