//! The file of results: one line a job, written once, and read again when a batch is taken up after it was killed.

use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The results so far. The file is locked, so that no two batches write to it.
pub struct Results {
    file: File,
    /// Where results keep the order of their jobs: the number of the next, and those that wait for it.
    ordered: Option<(usize, BTreeMap<usize, String>)>,
}

impl Results {
    /// Opens the file, and answers which jobs have their result in it. A last line that was cut off is taken away.
    pub fn open(path: &Path, in_order: bool) -> Result<(Results, HashSet<String>), String> {
        let shown = path.display();
        let failed = |error: std::io::Error| format!("{shown}: {error}");
        let options = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = options.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(format!("{shown}: another batch writes to it")),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let mut done = HashSet::new();
        for (index, line) in
            bytes[..whole].split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let result: Json = serde_json::from_slice(line)
                .map_err(|error| format!("{shown}: line {} is no result: {error}; choose another file", index + 1))?;
            match result["id"].as_str() {
                Some(id) => done.insert(id.to_owned()),
                None => return Err(format!("{shown}: line {} is no result; choose another file", index + 1)),
            };
        }
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((Results { file, ordered: in_order.then(|| (0, BTreeMap::new())) }, done))
    }

    /// Writes the result of the job with that number, or keeps it until those before it are there.
    pub fn write(&mut self, number: usize, line: String) -> std::io::Result<()> {
        let Some((next, waiting)) = &mut self.ordered else { return write_line(&mut self.file, line) };
        waiting.insert(number, line);
        while let Some(line) = waiting.remove(next) {
            write_line(&mut self.file, line)?;
            *next += 1;
        }
        Ok(())
    }

    /// Makes sure that what was written outlives the machine.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.file.sync_data()
    }
}

/// In one piece: what a kill leaves behind is whole lines and at most a part of the last.
fn write_line(file: &mut File, mut line: String) -> std::io::Result<()> {
    line.push('\n');
    file.write_all(line.as_bytes())
}
