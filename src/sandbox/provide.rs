//! What a sandbox's scripts can import beyond what pycage grants: given when the sandbox is built.

use super::{Config, SandboxBuilder};
use crate::compile::Checks;
use crate::error::Error;
use crate::files::mount::Mount;
use crate::files::{self, service};
use crate::guard;
use crate::host::function::Erased;
use crate::host::module::HostModule;
use crate::host::resolver::{self, Resolver};
use crate::modules::PATHLIB;
use crate::policy::Policy;
use std::collections::BTreeMap;

/// What the host provides a sandbox with.
#[derive(Clone, Default)]
pub(crate) struct Provided {
    pub modules: Vec<HostModule>,
    /// Finds other modules, see [`resolver::erase`].
    pub resolver: Option<Erased>,
    /// What mounted files are used by, see [`service::function`].
    pub files: Option<Erased>,
    mounts: BTreeMap<String, Mount>,
    /// Mounts that were given twice.
    doubled: Vec<String>,
    /// Whether modules of scripts skip the validator, to test the run ring alone.
    #[cfg(feature = "test-hooks")]
    pub unvalidated: bool,
}

impl SandboxBuilder {
    /// Lets scripts import a module of the host's own. Clones of one [`HostModule`] can be given to many sandboxes.
    ///
    /// ```
    /// use pycage::{HostModule, Sandbox};
    ///
    /// let game = HostModule::new("game").function("spawn", |kind: &str| format!("a new {kind}"));
    /// let mut sandbox = Sandbox::builder().module(game).build()?;
    /// assert_eq!(sandbox.eval::<String>("import game\ngame.spawn('orc')")?, "a new orc");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn module(mut self, module: HostModule) -> Self {
        self.provided.modules.push(module);
        self
    }

    /// Lets scripts import other files of the plugin: modules that are scripts themselves, found by the host. What the policy
    /// grants and what [`SandboxBuilder::module`] provides goes before. There is one for a sandbox; a second call replaces it.
    ///
    /// Each module goes through the same checks as any script, is metered on the bill of the script that imports it first, and
    /// runs once in a sandbox; [`Sandbox::reload`](crate::Sandbox::reload) does not run it anew. Who imports it can read its
    /// public names, and not set them. A module has a name without dots.
    ///
    /// ```
    /// use pycage::{Error, MemoryModules, Sandbox};
    ///
    /// let modules = MemoryModules::new()
    ///     .with("shop", "prices = {'axe': 20}\ndef price(item): return prices[item]")
    ///     .with("broken", "def f(:");
    /// let mut sandbox = Sandbox::builder().resolver(modules).build()?;
    /// assert_eq!(sandbox.eval::<i64>("import shop\nshop.price('axe')")?, 20);
    /// match sandbox.exec("shop.price('elf')") {
    ///     Err(Error::Exception(raised)) => {
    ///         assert_eq!((raised.traceback[1].file.as_str(), raised.traceback[1].line), ("shop.py", 2));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// assert!(sandbox.exec("import broken").unwrap_err().to_string().contains("broken.py:1"));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.provided.resolver = Some(resolver::erase(resolver));
        self
    }

    /// Has modules of scripts skip the validator. For this crate's tests of the run ring alone: never in a host.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    #[must_use]
    pub fn unvalidated_modules(mut self) -> Self {
        self.provided.unvalidated = true;
        self
    }

    /// Gives scripts files: they reach them with `open` and `pathlib.Path`, as `NAME/...` or `/NAME/...`. The name is of
    /// ASCII letters, digits, `_` and `-`.
    ///
    /// Each operation on a file counts as a call of the host, a kilobyte moved is a native step, and what is read is on the
    /// script's account. Files are used in the same way in every ring: a worker process has no files, and asks the host. (It can
    /// hand it 256 MiB in one call at most, whatever the mount's budget says.)
    ///
    /// ```
    /// use pycage::{MemoryFiles, Mount, Sandbox};
    ///
    /// let files = MemoryFiles::new();
    /// files.insert("orc.txt", "9\n")?;
    /// let mut sandbox = Sandbox::builder().mount("data", Mount::memory(&files)).build()?;
    /// assert_eq!(sandbox.eval::<i64>("with open('data/orc.txt') as file: hp = int(file.read())\nhp")?, 9);
    /// assert!(sandbox.exec("open('/etc/passwd')").is_err());
    /// assert!(Sandbox::new()?.exec("open('data/orc.txt')").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    #[must_use]
    pub fn mount(mut self, name: impl Into<String>, mount: Mount) -> Self {
        let name = name.into();
        if self.provided.mounts.insert(name.clone(), mount).is_some() {
            self.provided.doubled.push(name);
        }
        self
    }
}

impl Provided {
    /// What a host has told its worker of.
    #[cfg(feature = "process")]
    pub(crate) fn told(modules: Vec<HostModule>, resolver: Option<Erased>, files: Option<Erased>) -> Self {
        Provided { modules, resolver, files, ..Provided::default() }
    }

    /// What files are mounted as.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = &str> {
        self.mounts.keys().map(String::as_str)
    }

    /// The checks that modules of scripts go through.
    pub(crate) fn checks(&self) -> Checks {
        #[cfg(feature = "test-hooks")]
        if self.unvalidated {
            return Checks::LimitsOnly;
        }
        Checks::All
    }

    /// Whether scripts can use what is provided; says in the policy what they may import.
    pub(super) fn enter(&mut self, policy: &mut Policy) -> Result<(), Error> {
        policy.resolved = self.resolver.is_some();
        if let Some(name) = self.doubled.first() {
            return Err(Error::Setup(format!("there are two mounts named '{name}'")));
        }
        if let Some(name) = self.mounts.keys().find(|name| !files::mountable(name)) {
            return Err(Error::Setup(format!(
                "'{name}' cannot be the name of a mount; use letters, digits, '_' and '-'"
            )));
        }
        if !self.mounts.is_empty() {
            policy.provided.insert(PATHLIB.to_owned());
            self.files = Some(service::function(self.mounts.clone()));
        }
        for module in &self.modules {
            module.check()?;
            let name = &module.name;
            if policy.modules.contains(name) {
                return Err(Error::Setup(format!(
                    "the policy grants a module '{name}', and the host has one of that name; deny it or rename the other"
                )));
            }
            if name == guard::QUIET_SYS {
                return Err(Error::Setup(format!("'{name}' cannot be the name of a module of the host")));
            }
            if !policy.provided.insert(name.clone()) {
                return Err(Error::Setup(format!("there are two modules named '{name}'")));
            }
        }
        Ok(())
    }
}

impl Config {
    /// The host's module of this name.
    pub(crate) fn host_module(&self, name: &str) -> Option<&HostModule> {
        self.provided.modules.iter().find(|module| module.name == name)
    }
}

#[cfg(feature = "async")]
impl Provided {
    /// What the modules' async functions are, by their full names.
    pub(super) fn async_functions(&self) -> crate::future::AsyncFunctions {
        use crate::host::module::Kind;
        let members = self.modules.iter().flat_map(|module| module.members.iter().map(move |member| (module, member)));
        members
            .filter_map(|(module, member)| match &member.kind {
                Kind::Async(function) => Some((module.full_name(member), function.clone())),
                _ => None,
            })
            .collect()
    }
}
