//! Where the modules come from that scripts import and that are scripts themselves.

use crate::host::failure::{ExceptionType, Raise};
use crate::host::function::{self, Erased};
use crate::value::Value;
use std::collections::HashMap;
use std::error::Error as StdError;

/// Finds the source of a module that a script imports: another file of the plugin.
///
/// It is given to a sandbox with [`SandboxBuilder::resolver`](crate::SandboxBuilder::resolver). What it answers is taken to
/// be as hostile as any script: it goes through the same checks, is metered, and runs once in a sandbox. A module that
/// imports itself, through others or not, is refused with an `ImportError`.
///
/// [`MemoryModules`] and, on Unix, `FolderModules` are resolvers that are there already.
///
/// ```
/// use pycage::{ModuleSource, Resolver, Sandbox};
///
/// struct Numbered;
///
/// impl Resolver for Numbered {
///     fn resolve(
///         &self,
///         name: &str,
///     ) -> Result<Option<ModuleSource>, Box<dyn std::error::Error + Send + Sync>> {
///         let Some(number) = name.strip_prefix("level") else { return Ok(None) };
///         let number: u32 = number.parse()?;
///         Ok(Some(ModuleSource::new(format!("{name}.py"), format!("depth = {number}"))))
///     }
/// }
///
/// let mut sandbox = Sandbox::builder().resolver(Numbered).build()?;
/// assert_eq!(sandbox.eval::<u32>("import level7\nlevel7.depth")?, 7);
/// assert!(sandbox.exec("import attic").is_err());
/// # Ok::<(), pycage::Error>(())
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// The module of this name; `None` where there is none. A name is an ASCII identifier without a leading underscore.
    ///
    /// # Errors
    /// Any of the host's own: an `ImportError` for the script.
    ///
    /// ```
    /// use pycage::{MemoryModules, Resolver};
    ///
    /// let modules = MemoryModules::new().with("orc", "hp = 9");
    /// assert_eq!(modules.resolve("orc").unwrap().unwrap().source, "hp = 9");
    /// assert!(modules.resolve("elf").unwrap().is_none());
    /// ```
    fn resolve(&self, name: &str) -> Result<Option<ModuleSource>, Box<dyn StdError + Send + Sync>>;
}

/// The source of a module, see [`Resolver`].
///
/// ```
/// use pycage::ModuleSource;
///
/// let module = ModuleSource::new("orc.py", "hp = 9");
/// assert_eq!((module.file.as_str(), module.source.as_str()), ("orc.py", "hp = 9"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleSource {
    /// The name of its file, as it stands in tracebacks and messages. It need not exist.
    pub file: String,
    /// Its text.
    pub source: String,
}

impl ModuleSource {
    /// A source and the name of its file.
    ///
    /// ```
    /// assert_eq!(pycage::ModuleSource::new("orc.py", "hp = 9").file, "orc.py");
    /// ```
    pub fn new(file: impl Into<String>, source: impl Into<String>) -> Self {
        ModuleSource { file: file.into(), source: source.into() }
    }
}

/// Modules that are kept in memory, by name.
///
/// ```
/// use pycage::{MemoryModules, Sandbox};
///
/// let modules = MemoryModules::new()
///     .with("monsters", "from dice import roll\ndef orc(): return {'hp': roll(3)}")
///     .with("dice", "def roll(n): return n * 4");
/// let mut sandbox = Sandbox::builder().resolver(modules).build()?;
/// assert_eq!(sandbox.eval::<i64>("import monsters\nmonsters.orc()['hp']")?, 12);
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryModules {
    sources: HashMap<String, String>,
}

impl MemoryModules {
    /// None yet.
    ///
    /// ```
    /// use pycage::{MemoryModules, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().resolver(MemoryModules::new()).build()?;
    /// assert!(sandbox.exec("import orc").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn new() -> Self {
        MemoryModules::default()
    }

    /// Adds a module, or replaces it. Its file is called `name.py` in tracebacks.
    ///
    /// ```
    /// use pycage::{MemoryModules, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().resolver(MemoryModules::new().with("orc", "hp = 9")).build()?;
    /// assert_eq!(sandbox.eval::<i64>("from orc import hp\nhp")?, 9);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, source: impl Into<String>) -> Self {
        self.sources.insert(name.into(), source.into());
        self
    }
}

impl Resolver for MemoryModules {
    fn resolve(&self, name: &str) -> Result<Option<ModuleSource>, Box<dyn StdError + Send + Sync>> {
        Ok(self.sources.get(name).map(|source| ModuleSource::new(format!("{name}.py"), source)))
    }
}

/// A resolver as a function of the host: from a name to the file's name and the text, or `None`. So it is asked in the same
/// way from every ring.
pub(crate) fn erase(resolver: impl Resolver) -> Erased {
    function::erase(move |name: &str| -> Result<Value, Raise> {
        let found = resolver.resolve(name).map_err(|error| Raise::new(ExceptionType::ImportError, error))?;
        Ok(match found {
            Some(ModuleSource { file, source }) => Value::Tuple(vec![Value::Str(file), Value::Str(source)]),
            None => Value::None,
        })
    })
}

/// What the function of [`erase`] answers.
pub(crate) fn answered(value: Value) -> Option<ModuleSource> {
    match value {
        Value::Tuple(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::Str(file), Value::Str(source)]) => Some(ModuleSource { file, source }),
            _ => None,
        },
        _ => None,
    }
}
