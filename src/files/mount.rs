//! What a host mounts for scripts, and what they may put there.

use super::failure::Failure;
use super::memory::{Layered, MemoryFiles};
use super::store::{At, Entry, Store};
use crate::error::Error;
use parking_lot::Mutex;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Files that scripts may use, given under a name with [`SandboxBuilder::mount`](crate::SandboxBuilder::mount).
///
/// Scripts reach them with `open` and `pathlib.Path`, as `NAME/...` or `/NAME/...`. Without a mount there is neither.
/// Nothing leads out of a mount: names are taken one by one, `..` is refused, links are not followed, and what is no regular
/// file or folder is not opened. Names that some system takes for more than a name (`a:b`, `aux.txt`, `a.`) are refused on every
/// one. Folders of the host can be mounted on Unix.
///
/// What scripts may add to a mount has an end: 16 MiB and 1,000 files, unless [`Mount::max_bytes`] and [`Mount::max_files`] say
/// otherwise. Clones share what is left of it.
///
/// ```no_run
/// use pycage::{MemoryFiles, Mount, Sandbox};
///
/// let scratch = MemoryFiles::new();
/// let mut sandbox = Sandbox::builder()
///     .mount("assets", Mount::folder("plugins/orc/assets")?)
///     .mount("saves", Mount::writable_folder("saves/orc")?.max_bytes(1 << 20))
///     .mount("tmp", Mount::memory(&scratch))
///     .build()?;
/// sandbox.exec("
/// from pathlib import Path
/// for file in Path('assets').glob('*.txt'):
///     with open('tmp/' + file.name, 'w') as copy:
///         copy.write(file.read_text().upper())
/// ")?;
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "give it to a sandbox with `SandboxBuilder::mount`"]
pub struct Mount {
    store: Arc<dyn Store>,
    writable: bool,
    max_bytes: u64,
    max_files: u64,
    used: Arc<Mutex<Used>>,
}

/// What scripts have added, less what they have taken away.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    bytes: u64,
    files: u64,
}

const MAX_BYTES: u64 = 16 << 20;
const MAX_FILES: u64 = 1000;

impl Mount {
    /// Files in memory, to read and to write.
    ///
    /// ```
    /// use pycage::{MemoryFiles, Mount, Sandbox};
    ///
    /// let files = MemoryFiles::new();
    /// let mut sandbox = Sandbox::builder().mount("tmp", Mount::memory(&files)).build()?;
    /// sandbox.exec("open('tmp/a.txt', 'w').write('hi')")?;
    /// assert_eq!(files.read("a.txt").as_deref(), Some(&b"hi"[..]));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn memory(files: &MemoryFiles) -> Mount {
        Mount::new(Layered::new(files.clone(), None), true)
    }

    /// A folder of the host, to read alone.
    ///
    /// # Errors
    /// [`Error::Setup`] when it cannot be opened, or the system is not a Unix.
    ///
    /// ```
    /// use pycage::{Mount, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().mount("code", Mount::folder("src")?).build()?;
    /// assert!(sandbox.eval::<String>("open('code/lib.rs').readline()")?.starts_with("//!"));
    /// assert!(sandbox.exec("open('code/lib.rs', 'a')").is_err());
    /// assert!(sandbox.exec("open('code/../Cargo.toml')").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn folder(path: impl AsRef<Path>) -> Result<Mount, Error> {
        Ok(Mount { store: opened(path.as_ref())?, ..Mount::new(Layered::new(MemoryFiles::new(), None), false) })
    }

    /// A folder of the host, to read and to write. Of files that have several names (hard links) none is written to.
    ///
    /// # Errors
    /// As [`Mount::folder`].
    ///
    /// ```no_run
    /// use pycage::{Mount, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().mount("saves", Mount::writable_folder("saves")?).build()?;
    /// sandbox.exec("open('saves/one.txt', 'w').write('level 3')")?;
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn writable_folder(path: impl AsRef<Path>) -> Result<Mount, Error> {
        Ok(Mount { writable: true, ..Mount::folder(path)? })
    }

    /// A folder of the host, to read and to write; what scripts write stays in memory, and the folder as it is.
    ///
    /// # Errors
    /// As [`Mount::folder`].
    ///
    /// ```
    /// use pycage::{MemoryFiles, Mount, Sandbox};
    ///
    /// let changes = MemoryFiles::new();
    /// let mut sandbox = Sandbox::builder().mount("code", Mount::overlay("src", &changes)?).build()?;
    /// sandbox.exec("open('code/lib.rs', 'w').write('mine')")?;
    /// assert_eq!(sandbox.eval::<String>("open('code/lib.rs').read()")?, "mine");
    /// assert_eq!(changes.paths(), ["lib.rs"]);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn overlay(path: impl AsRef<Path>, changes: &MemoryFiles) -> Result<Mount, Error> {
        let lower = opened(path.as_ref())?;
        Ok(Mount::new(Layered::new(changes.clone(), Some(lower)), true))
    }

    fn new(store: impl Store + 'static, writable: bool) -> Mount {
        Mount { store: Arc::new(store), writable, max_bytes: MAX_BYTES, max_files: MAX_FILES, used: Arc::default() }
    }

    /// Lets scripts read it alone.
    ///
    /// ```
    /// use pycage::{MemoryFiles, Mount, Sandbox};
    ///
    /// let mount = Mount::memory(&MemoryFiles::new()).read_only();
    /// assert!(Sandbox::builder().mount("m", mount).build()?.exec("open('m/a', 'w')").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn read_only(mut self) -> Mount {
        self.writable = false;
        self
    }

    /// By how many bytes scripts may make the files in it grow, all together. What they remove or shorten is given back.
    ///
    /// ```
    /// use pycage::{MemoryFiles, Mount, Sandbox};
    ///
    /// let mount = Mount::memory(&MemoryFiles::new()).max_bytes(10);
    /// let mut sandbox = Sandbox::builder().mount("m", mount).build()?;
    /// sandbox.exec("open('m/a', 'w').write('0123456789')")?;
    /// assert!(sandbox.exec("open('m/a', 'a').write('!')").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn max_bytes(mut self, bytes: u64) -> Mount {
        self.max_bytes = bytes;
        self
    }

    /// How many files and folders scripts may add.
    ///
    /// ```
    /// use pycage::{MemoryFiles, Mount, Sandbox};
    ///
    /// let mount = Mount::memory(&MemoryFiles::new()).max_files(1);
    /// let mut sandbox = Sandbox::builder().mount("m", mount).build()?;
    /// sandbox.exec("open('m/a', 'w')")?;
    /// assert!(sandbox.exec("open('m/b', 'w')").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn max_files(mut self, files: u64) -> Mount {
        self.max_files = files;
        self
    }

    pub(super) fn entry(&self, path: &[&str]) -> Result<Entry, Failure> {
        self.store.entry(path)
    }

    pub(super) fn list(&self, path: &[&str], most: usize) -> Result<Vec<String>, Failure> {
        self.store.list(path, most)
    }

    pub(super) fn read(&self, path: &[&str], offset: u64, most: usize) -> Result<Vec<u8>, Failure> {
        self.store.read(path, offset, most)
    }

    pub(super) fn create(&self, path: &[&str]) -> Result<(), Failure> {
        self.added(|store| store.create(path))
    }

    pub(super) fn make_folder(&self, path: &[&str]) -> Result<(), Failure> {
        self.added(|store| store.make_folder(path))
    }

    pub(super) fn write(&self, path: &[&str], at: At, bytes: &[u8]) -> Result<u64, Failure> {
        self.changed(|store, mut room| {
            let Entry::File { size } = store.entry(path)? else { return Err(Failure::IsFolder) };
            let start = match at {
                At::Offset(offset) => offset,
                At::End => size,
            };
            let end = start.checked_add(bytes.len() as u64).ok_or(Failure::System)?;
            // What an overlay copies up first counts too.
            room.grow(store.held(path).unwrap_or(0), size.max(end))?;
            store.write(path, at, bytes)
        })
    }

    pub(super) fn truncate(&self, path: &[&str], size: u64) -> Result<(), Failure> {
        self.changed(|store, mut room| {
            if store.entry(path)? == Entry::Folder {
                return Err(Failure::IsFolder);
            }
            room.grow(store.held(path).unwrap_or(0), size)?;
            store.truncate(path, size)
        })
    }

    pub(super) fn remove_file(&self, path: &[&str]) -> Result<(), Failure> {
        self.changed(|store, room| {
            let held = store.held(path);
            store.remove_file(path)?;
            room.used.give_back(held);
            Ok(())
        })
    }

    pub(super) fn remove_folder(&self, path: &[&str]) -> Result<(), Failure> {
        self.changed(|store, room| {
            let held = store.held(path);
            store.remove_folder(path)?;
            room.used.give_back(held);
            Ok(())
        })
    }

    pub(super) fn rename(&self, from: &[&str], to: &[&str]) -> Result<(), Failure> {
        self.changed(|store, mut room| {
            if from == to {
                return store.rename(from, to);
            }
            // An overlay copies up what it renames.
            if let (None, Entry::File { size }) = (store.held(from), store.entry(from)?) {
                room.grow(0, size)?;
                room.used.files += 1;
            }
            let replaced = store.held(to);
            store.rename(from, to)?;
            room.used.give_back(replaced);
            Ok(())
        })
    }

    fn added(&self, make: impl FnOnce(&dyn Store) -> Result<(), Failure>) -> Result<(), Failure> {
        self.changed(|store, room| {
            if room.used.files >= self.max_files {
                return Err(Failure::TooManyFiles(self.max_files));
            }
            make(store)?;
            room.used.files += 1;
            Ok(())
        })
    }

    /// One change at a time, so that two do not both take the last of the room.
    fn changed<R>(&self, change: impl FnOnce(&dyn Store, Room<'_>) -> Result<R, Failure>) -> Result<R, Failure> {
        if !self.writable {
            return Err(Failure::ReadOnly);
        }
        let mut used = self.used.lock();
        change(&*self.store, Room { used: &mut used, max_bytes: self.max_bytes })
    }
}

struct Room<'a> {
    used: &'a mut Used,
    max_bytes: u64,
}

impl Room<'_> {
    /// Enters that a file goes from one size to another, if there is room for that.
    fn grow(&mut self, from: u64, to: u64) -> Result<(), Failure> {
        if to <= from {
            self.used.bytes = self.used.bytes.saturating_sub(from - to);
            return Ok(());
        }
        let grown = self.used.bytes.saturating_add(to - from);
        if grown > self.max_bytes {
            return Err(Failure::TooManyBytes(self.max_bytes));
        }
        self.used.bytes = grown;
        Ok(())
    }
}

impl Used {
    /// Never below nothing: what the host has put there is not the script's to spend.
    fn give_back(&mut self, held: Option<u64>) {
        if let Some(bytes) = held {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.files = self.files.saturating_sub(1);
        }
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount")
            .field("writable", &self.writable)
            .field("max_bytes", &self.max_bytes)
            .field("max_files", &self.max_files)
            .field("used", &*self.used.lock())
            .finish_non_exhaustive()
    }
}

#[cfg(unix)]
fn opened(path: &Path) -> Result<Arc<dyn Store>, Error> {
    match super::folder::Folder::open(path) {
        Ok(folder) => Ok(Arc::new(folder)),
        Err(error) => Err(Error::Setup(format!("{} cannot be mounted: {error}", path.display()))),
    }
}

#[cfg(not(unix))]
fn opened(path: &Path) -> Result<Arc<dyn Store>, Error> {
    Err(Error::Setup(format!(
        "{} cannot be mounted: folders of the host can be mounted on Unix alone; use Mount::memory",
        path.display()
    )))
}
