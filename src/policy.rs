//! What a script may use.

use crate::compile::limits::SourceLimits;
use crate::value::limits::ValueLimits;
use std::collections::BTreeSet;

/// What the scripts of a sandbox may use: the modules granted to them, how large their sources may be, and how
/// large the values that they exchange with the host.
///
/// The default grants no module.
///
/// ```
/// use pycage::{Error, Policy, Sandbox};
///
/// let mut sandbox = Sandbox::builder().policy(Policy::default()).build()?;
/// match sandbox.exec("import os") {
///     Err(Error::Rejected(rejection)) => assert_eq!((rejection.line, rejection.column), (1, 8)),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
pub struct Policy {
    pub(crate) modules: BTreeSet<String>,
    pub(crate) limits: SourceLimits,
    pub(crate) values: ValueLimits,
}

impl Policy {
    /// Grants a module by name. A name that pycage has no module for is an error when the sandbox is built.
    #[must_use]
    pub fn grant(mut self, module: impl Into<String>) -> Self {
        self.modules.insert(module.into());
        self
    }

    /// Replaces the limits on sources.
    #[must_use]
    pub fn source_limits(mut self, limits: SourceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the limits on values that cross between host and script.
    #[must_use]
    pub fn value_limits(mut self, limits: ValueLimits) -> Self {
        self.values = limits;
        self
    }
}
