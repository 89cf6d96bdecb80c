//! Files in memory, by themselves or laid over a folder.

use super::failure::Failure;
use super::path;
use super::store::{At, Entry, Store};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Files in the host's memory, for scripts to read and write: what [`Mount::memory`](crate::Mount::memory) and
/// [`Mount::overlay`](crate::Mount::overlay) keep what scripts write in.
///
/// Clones are handles to the same files. The host can fill it before, and look at it after, and while scripts use it.
///
/// ```
/// use pycage::{MemoryFiles, Mount, Sandbox};
///
/// let files = MemoryFiles::new();
/// files.insert("levels/one.txt", "orc\nelf\n")?;
/// let mut sandbox = Sandbox::builder().mount("data", Mount::memory(&files)).build()?;
/// assert_eq!(sandbox.eval::<Vec<String>>("[line.strip() for line in open('data/levels/one.txt')]")?, ["orc", "elf"]);
/// sandbox.exec("with open('data/log.txt', 'w') as log: log.write('seen')")?;
/// assert_eq!(files.read("log.txt").as_deref(), Some(&b"seen"[..]));
/// assert_eq!(files.paths(), ["levels/one.txt", "log.txt"]);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryFiles(Arc<Mutex<Tree>>);

/// What there is, by paths with `/` between the names.
#[derive(Default)]
struct Tree(BTreeMap<String, Node>);

enum Node {
    File(Vec<u8>),
    Folder {
        /// Whether it hides the folder of the same name below, of an overlay.
        alone: bool,
    },
    /// What is below, of an overlay, was removed.
    Gone,
}

impl MemoryFiles {
    /// No files yet.
    ///
    /// ```
    /// assert!(pycage::MemoryFiles::new().paths().is_empty());
    /// ```
    pub fn new() -> Self {
        MemoryFiles::default()
    }

    /// Puts a file there, or another in its place, with the folders that it is in. What the host puts there counts against no
    /// budget.
    ///
    /// # Errors
    /// [`Error::Setup`](crate::Error::Setup) when no script could name it so, or when a file is in the way of a folder.
    ///
    /// ```
    /// use pycage::MemoryFiles;
    ///
    /// let files = MemoryFiles::new();
    /// files.insert("notes.txt", "hello")?;
    /// assert!(files.insert("../notes.txt", "hello").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn insert(&self, path: &str, contents: impl Into<Vec<u8>>) -> Result<(), crate::Error> {
        let refused = |failure: Failure| crate::Error::Setup(failure.raise(path).to_string());
        let names = path::names(path).map_err(refused)?;
        let Some((_, folders)) = names.split_last() else { return Err(refused(Failure::IsFolder)) };
        let mut tree = self.0.lock();
        for depth in 1..=folders.len() {
            match tree.0.entry(joined(&folders[..depth])).or_insert(Node::Folder { alone: false }) {
                Node::File(_) => return Err(refused(Failure::NotFolder)),
                Node::Folder { .. } => {}
                gone => *gone = Node::Folder { alone: true },
            }
        }
        match tree.0.get(&joined(&names)) {
            Some(Node::Folder { .. }) => return Err(refused(Failure::IsFolder)),
            _ => tree.0.insert(joined(&names), Node::File(contents.into())),
        };
        Ok(())
    }

    /// The contents of a file. Of an overlay: if a script has written it.
    ///
    /// ```
    /// let files = pycage::MemoryFiles::new();
    /// files.insert("notes.txt", "hello")?;
    /// assert_eq!(files.read("notes.txt").as_deref(), Some(&b"hello"[..]));
    /// assert_eq!(files.read("others.txt"), None);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let names = path::names(path).ok()?;
        match self.0.lock().0.get(&joined(&names)) {
            Some(Node::File(contents)) => Some(contents.clone()),
            _ => None,
        }
    }

    /// The paths of all files, in order. Of an overlay: of those that scripts have written.
    ///
    /// ```
    /// let files = pycage::MemoryFiles::new();
    /// files.insert("b.txt", "")?;
    /// files.insert("a/c.txt", "")?;
    /// assert_eq!(files.paths(), ["a/c.txt", "b.txt"]);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn paths(&self) -> Vec<String> {
        let tree = self.0.lock();
        tree.0.iter().filter(|(_, node)| matches!(node, Node::File(_))).map(|(path, _)| path.clone()).collect()
    }
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryFiles({} entries)", self.0.lock().0.len())
    }
}

/// Makes it at least so long.
fn grow(contents: &mut Vec<u8>, size: usize) -> Result<(), Failure> {
    if contents.len() < size {
        contents.try_reserve(size - contents.len()).map_err(|_| Failure::System)?;
        contents.resize(size, 0);
    }
    Ok(())
}

fn joined(names: &[&str]) -> String {
    names.join("/")
}

/// Files in memory over what may lie below: that is read, and never changed.
pub(crate) struct Layered {
    upper: MemoryFiles,
    lower: Option<Arc<dyn Store>>,
}

impl Layered {
    pub(super) fn new(upper: MemoryFiles, lower: Option<Arc<dyn Store>>) -> Self {
        Layered { upper, lower }
    }

    /// What lies below, unless what is above hides it.
    fn below(&self, tree: &Tree, path: &[&str]) -> Option<&dyn Store> {
        let hidden = (1..=path.len()).any(|depth| match tree.0.get(&joined(&path[..depth])) {
            Some(Node::File(_) | Node::Gone) => true,
            Some(Node::Folder { alone }) => *alone,
            None => false,
        });
        if hidden { None } else { self.lower.as_deref() }
    }

    fn entry_in(&self, tree: &Tree, path: &[&str]) -> Result<Entry, Failure> {
        if path.is_empty() {
            return Ok(Entry::Folder);
        }
        match tree.0.get(&joined(path)) {
            Some(Node::File(contents)) => return Ok(Entry::File { size: contents.len() as u64 }),
            Some(Node::Folder { .. }) => return Ok(Entry::Folder),
            Some(Node::Gone) => return Err(Failure::NotFound),
            None => {}
        }
        match self.below(tree, path) {
            Some(lower) => lower.entry(path),
            None => {
                let is_file = |depth: usize| matches!(tree.0.get(&joined(&path[..depth])), Some(Node::File(_)));
                Err(if (1..path.len()).any(is_file) { Failure::NotFolder } else { Failure::NotFound })
            }
        }
    }

    /// That a new entry can be made there.
    fn in_a_folder(&self, tree: &Tree, path: &[&str]) -> Result<(), Failure> {
        let Some((_, folders)) = path.split_last() else { return Err(Failure::IsFolder) };
        match self.entry_in(tree, folders)? {
            Entry::Folder => Ok(()),
            Entry::File { .. } => Err(Failure::NotFolder),
        }
    }

    /// Puts something new where nothing is.
    fn add(&self, path: &[&str], node: Node) -> Result<(), Failure> {
        let mut tree = self.upper.0.lock();
        match self.entry_in(&tree, path) {
            Ok(_) => return Err(Failure::Exists),
            Err(Failure::NotFound) => {}
            Err(failure) => return Err(failure),
        }
        self.in_a_folder(&tree, path)?;
        tree.0.insert(joined(path), node);
        Ok(())
    }

    /// The names in a folder, of both layers.
    fn names_in(&self, tree: &Tree, path: &[&str], most: usize) -> Result<Vec<String>, Failure> {
        let prefix = if path.is_empty() { String::new() } else { joined(path) + "/" };
        let above = || {
            let within =
                tree.0.range(prefix.clone()..).map_while(|(key, node)| Some((key.strip_prefix(&prefix)?, node)));
            within.filter(|(name, _)| !name.contains('/'))
        };
        let mut names = BTreeSet::new();
        if let Some(lower) = self.below(tree, path) {
            // Some of what lies below may be gone.
            let gone = above().filter(|(_, node)| matches!(node, Node::Gone)).count();
            match lower.list(path, most.saturating_add(gone)) {
                Ok(found) => names.extend(found),
                // It may be a folder of the upper layer alone.
                Err(Failure::NotFound) => {}
                Err(failure) => return Err(failure),
            }
        }
        for (name, node) in above() {
            match node {
                Node::Gone => {
                    names.remove(name);
                }
                _ => {
                    names.insert(name.to_owned());
                }
            }
        }
        Ok(names.into_iter().take(most).collect())
    }

    /// The contents of a file above, copied up from below if that is where it is: at most that many bytes of it.
    fn contents<'t>(&self, tree: &'t mut Tree, path: &[&str], most: usize) -> Result<&'t mut Vec<u8>, Failure> {
        let key = joined(path);
        if !matches!(tree.0.get(&key), Some(Node::File(_))) {
            let Entry::File { size } = self.entry_in(tree, path)? else { return Err(Failure::IsFolder) };
            let Some(lower) = self.below(tree, path) else { return Err(Failure::NotFound) };
            let size = usize::try_from(size).map_err(|_| Failure::System)?;
            let copy = lower.read(path, 0, size.min(most))?;
            tree.0.insert(key.clone(), Node::File(copy));
        }
        match tree.0.get_mut(&key) {
            Some(Node::File(contents)) => Ok(contents),
            _ => Err(Failure::NotFound),
        }
    }

    /// Takes an entry away, so that what is below does not come to light.
    fn take(&self, tree: &mut Tree, path: &[&str]) -> Option<Node> {
        let key = joined(path);
        let taken = tree.0.remove(&key);
        if self.below(tree, path).is_some_and(|lower| lower.entry(path).is_ok()) {
            tree.0.insert(key, Node::Gone);
        }
        taken
    }
}

impl Store for Layered {
    fn entry(&self, path: &[&str]) -> Result<Entry, Failure> {
        self.entry_in(&self.upper.0.lock(), path)
    }

    fn held(&self, path: &[&str]) -> Option<u64> {
        match self.upper.0.lock().0.get(&joined(path))? {
            Node::File(contents) => Some(contents.len() as u64),
            Node::Folder { .. } => Some(0),
            Node::Gone => None,
        }
    }

    fn list(&self, path: &[&str], most: usize) -> Result<Vec<String>, Failure> {
        let tree = self.upper.0.lock();
        match self.entry_in(&tree, path)? {
            Entry::Folder => self.names_in(&tree, path, most),
            Entry::File { .. } => Err(Failure::NotFolder),
        }
    }

    fn read(&self, path: &[&str], offset: u64, most: usize) -> Result<Vec<u8>, Failure> {
        let tree = self.upper.0.lock();
        if let Some(Node::File(contents)) = tree.0.get(&joined(path)) {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(contents.len());
            let end = start.saturating_add(most).min(contents.len());
            return Ok(contents[start..end].to_vec());
        }
        match (self.entry_in(&tree, path)?, self.below(&tree, path)) {
            (Entry::File { .. }, Some(lower)) => lower.read(path, offset, most),
            (Entry::Folder, _) => Err(Failure::IsFolder),
            (_, None) => Err(Failure::NotFound),
        }
    }

    fn create(&self, path: &[&str]) -> Result<(), Failure> {
        self.add(path, Node::File(Vec::new()))
    }

    fn write(&self, path: &[&str], at: At, bytes: &[u8]) -> Result<u64, Failure> {
        let mut tree = self.upper.0.lock();
        let contents = self.contents(&mut tree, path, usize::MAX)?;
        let start = match at {
            At::Offset(offset) => usize::try_from(offset).map_err(|_| Failure::System)?,
            At::End => contents.len(),
        };
        let end = start.checked_add(bytes.len()).ok_or(Failure::System)?;
        grow(contents, end)?;
        contents[start..end].copy_from_slice(bytes);
        Ok(end as u64)
    }

    fn truncate(&self, path: &[&str], size: u64) -> Result<(), Failure> {
        let mut tree = self.upper.0.lock();
        let size = usize::try_from(size).map_err(|_| Failure::System)?;
        let contents = self.contents(&mut tree, path, size)?;
        grow(contents, size)?;
        contents.truncate(size);
        Ok(())
    }

    fn make_folder(&self, path: &[&str]) -> Result<(), Failure> {
        self.add(path, Node::Folder { alone: true })
    }

    fn remove_file(&self, path: &[&str]) -> Result<(), Failure> {
        let mut tree = self.upper.0.lock();
        match self.entry_in(&tree, path)? {
            Entry::File { .. } => drop(self.take(&mut tree, path)),
            Entry::Folder => return Err(Failure::IsFolder),
        }
        Ok(())
    }

    fn remove_folder(&self, path: &[&str]) -> Result<(), Failure> {
        if path.is_empty() {
            return Err(Failure::Denied("the root of a mount stays"));
        }
        let mut tree = self.upper.0.lock();
        match self.entry_in(&tree, path)? {
            Entry::File { .. } => return Err(Failure::NotFolder),
            Entry::Folder if !self.names_in(&tree, path, 1)?.is_empty() => return Err(Failure::NotEmpty),
            Entry::Folder => {}
        }
        // What was removed in it needs no mark of its own any more.
        let prefix = joined(path) + "/";
        tree.0.retain(|key, _| !key.starts_with(&prefix));
        self.take(&mut tree, path);
        Ok(())
    }

    fn rename(&self, from: &[&str], to: &[&str]) -> Result<(), Failure> {
        let mut tree = self.upper.0.lock();
        if from.is_empty() || to.is_empty() {
            return Err(Failure::Denied("the root of a mount stays"));
        }
        if self.entry_in(&tree, from)? == Entry::Folder {
            return Err(Failure::Denied("folders in memory are not renamed"));
        }
        match self.entry_in(&tree, to) {
            Ok(Entry::Folder) => return Err(Failure::Exists),
            Ok(Entry::File { .. }) | Err(Failure::NotFound) => {}
            Err(failure) => return Err(failure),
        }
        self.in_a_folder(&tree, to)?;
        if from == to {
            return Ok(());
        }
        let contents = std::mem::take(self.contents(&mut tree, from, usize::MAX)?);
        self.take(&mut tree, from);
        tree.0.insert(joined(to), Node::File(contents));
        Ok(())
    }
}
