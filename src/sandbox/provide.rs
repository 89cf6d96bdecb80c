//! What a sandbox's scripts can import beyond what pycage grants: given when the sandbox is built.

use super::{Config, SandboxBuilder};
use crate::error::Error;
use crate::guard;
use crate::host::module::HostModule;
use crate::policy::Policy;

/// What the host provides a sandbox with.
#[derive(Clone, Default)]
pub(crate) struct Provided {
    pub modules: Vec<HostModule>,
}

impl SandboxBuilder {
    /// Lets scripts import a module of the host's own. Clones of one [`HostModule`] can be given to many sandboxes.
    ///
    /// A worker process gets its constants by value, so it can have no host objects among them, and nothing to await.
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
}

impl Provided {
    /// Whether scripts can use what is provided; says in the policy what they may import.
    pub(super) fn enter(&self, policy: &mut Policy) -> Result<(), Error> {
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
