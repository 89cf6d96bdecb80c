//! What a mount keeps its files in.

use super::failure::Failure;

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { size: u64 },
    Folder,
}

/// Where a write begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Offset(u64),
    End,
}

/// An empty buffer for that many bytes. How many are asked for is up to budgets, which a host may have set higher than its memory
/// is: that fails here, and does not end the process.
#[cfg(unix)]
pub(super) fn room_for(bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(bytes).map_err(|_| Failure::System)?;
    Ok(buffer)
}

/// Files below one root. Paths are names that were checked, outermost first; the empty path is the root.
///
/// An operation is one look at the store: nothing is held open between two of them. So a script cannot use up the host's
/// open files, and each operation is confined by itself, whatever became of a path since the last one.
pub(crate) trait Store: Send + Sync {
    fn entry(&self, path: &[&str]) -> Result<Entry, Failure>;
    /// Bytes of a file that it holds itself: what removing it would give back. `None` for what lies in another store.
    fn held(&self, path: &[&str]) -> Option<u64>;
    /// At most `most` of the names in a folder, in no particular order.
    fn list(&self, path: &[&str], most: usize) -> Result<Vec<String>, Failure>;
    /// At most `most` bytes from there on; fewer at the end of the file.
    fn read(&self, path: &[&str], offset: u64, most: usize) -> Result<Vec<u8>, Failure>;
    /// Makes an empty file where there is nothing.
    fn create(&self, path: &[&str]) -> Result<(), Failure>;
    /// Writes into a file that is there; answers where the write ended.
    fn write(&self, path: &[&str], at: At, bytes: &[u8]) -> Result<u64, Failure>;
    fn truncate(&self, path: &[&str], size: u64) -> Result<(), Failure>;
    fn make_folder(&self, path: &[&str]) -> Result<(), Failure>;
    fn remove_file(&self, path: &[&str]) -> Result<(), Failure>;
    fn remove_folder(&self, path: &[&str]) -> Result<(), Failure>;
    /// Takes the place of a file that is there.
    fn rename(&self, from: &[&str], to: &[&str]) -> Result<(), Failure>;
}
