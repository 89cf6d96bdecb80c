//! Modules of scripts in a folder of the host.

use super::failure::Failure;
use super::folder::Folder;
use super::store::{Entry, Store};
use crate::error::Error;
use crate::host::resolver::{ModuleSource, Resolver};
use std::error::Error as StdError;
use std::path::Path;

/// Bytes of a source that are read: more than any limit on sources lets through is not.
const MAX_SOURCE: u64 = 16 << 20;

/// A [`Resolver`] for the files of a folder: `import shop` finds `shop.py` in it. On Unix.
///
/// The folder cannot be left: no link is followed, and only regular files are read.
///
/// ```no_run
/// use pycage::{FolderModules, Sandbox};
///
/// let mut sandbox = Sandbox::builder().resolver(FolderModules::open("plugins/orc")?).build()?;
/// sandbox.exec("import shop")?;
/// # Ok::<(), pycage::Error>(())
/// ```
pub struct FolderModules {
    folder: Folder,
}

impl FolderModules {
    /// The modules of this folder, which is held open.
    ///
    /// # Errors
    /// [`Error::Setup`] when it cannot be opened.
    ///
    /// ```
    /// assert!(pycage::FolderModules::open("examples").is_ok());
    /// assert!(pycage::FolderModules::open("there/is/no/such").is_err());
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<FolderModules, Error> {
        let path = path.as_ref();
        match Folder::open(path) {
            Ok(folder) => Ok(FolderModules { folder }),
            Err(error) => Err(Error::Setup(format!("{}: no modules can be read there: {error}", path.display()))),
        }
    }
}

impl Resolver for FolderModules {
    fn resolve(&self, name: &str) -> Result<Option<ModuleSource>, Box<dyn StdError + Send + Sync>> {
        let file = format!("{name}.py");
        let size = match self.folder.entry(&[&file]) {
            Ok(Entry::File { size }) if size <= MAX_SOURCE => usize::try_from(size)?,
            Ok(Entry::File { size }) => {
                return Err(format!("{file} has {size} bytes; {MAX_SOURCE} are the most").into());
            }
            Ok(Entry::Folder) | Err(Failure::NotFound) => return Ok(None),
            Err(failure) => return Err(failure.raise(&file).into()),
        };
        let bytes = self.folder.read(&[&file], 0, size).map_err(|failure| failure.raise(&file))?;
        let source = String::from_utf8(bytes).map_err(|_| format!("{file} is not UTF-8; save it as UTF-8"))?;
        Ok(Some(ModuleSource::new(file, source)))
    }
}

impl std::fmt::Debug for FolderModules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FolderModules")
    }
}
