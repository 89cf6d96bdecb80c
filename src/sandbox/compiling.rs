//! From source to a script that can be run often.

#[cfg(feature = "process")]
use super::Home;
use super::{COMPILE_PATIENCE, Sandbox};
use crate::compile::{self, Checks};
use crate::error::Error;
#[cfg(feature = "async")]
use crate::runner::cage::Cage;
use crate::script::Script;
use std::sync::Arc;

impl Sandbox {
    /// Compiles source under a name for tracebacks, without running it.
    ///
    /// # Errors
    /// [`Error::Syntax`] and [`Error::Rejected`] for what the source is; [`Error::Lost`] when the runner is.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("answer.py", "6 * 7")?;
    /// assert_eq!(sandbox.run::<i64>(&script)?, 42);
    /// assert!(sandbox.compile("broken.py", "6 *").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn compile(&self, name: &str, source: &str) -> Result<Script, Error> {
        self.compile_checked(name, source, Checks::All)
    }

    /// Compiles source without validating it. For this crate's tests of the run ring alone: never in a host.
    ///
    /// # Errors
    /// As [`Sandbox::compile`].
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn compile_unvalidated(&self, name: &str, source: &str) -> Result<Script, Error> {
        self.compile_checked(name, source, Checks::LimitsOnly)
    }

    /// A listing of a script's instrumented bytecode with the weight of each block, for people.
    ///
    /// # Errors
    /// [`Error::Lost`] when the runner is.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let script = sandbox.compile("answer.py", "x = 1")?;
    /// assert!(!sandbox.disassemble(&script)?.is_empty());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn disassemble(&self, script: &Script) -> Result<String, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            return session.lock().disassemble(script, &self.budget, &self.config);
        }
        let script = script.clone();
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.disassemble(&script))?
    }

    /// A worker compiles it in the call that runs it.
    pub(super) fn compile_for_one_run(&self, name: &str, source: &str) -> Result<Script, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(_) = &self.home {
            return Ok(Script::for_workers(name, source, false, false));
        }
        self.compile(name, source)
    }

    /// Compiles on the runner's own thread.
    pub(crate) fn compile_here(&self, name: &str, source: &str) -> Result<Script, Error> {
        compile::compile(source, name, &self.config.policy, Checks::All).map(|compiled| Script::new(name, compiled))
    }

    #[cfg(feature = "async")]
    pub(crate) async fn compile_async(&self, name: &str, source: &str) -> Result<Script, Error> {
        let (name, source, config) = (name.to_owned(), source.to_owned(), self.config.clone());
        let job = move |_: &mut Cage<'_>, _: &_| {
            compile::compile(&source, &name, &config.policy, Checks::All).map(|compiled| Script::new(&name, compiled))
        };
        self.runner()?.call_async(COMPILE_PATIENCE, Arc::default(), job)?.await?
    }

    fn compile_checked(&self, name: &str, source: &str, checks: Checks) -> Result<Script, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            let script = Script::for_workers(name, source, true, checks != Checks::All);
            session.lock().compile(&script, &self.budget, &self.config)?;
            return Ok(script);
        }
        let (name, source, config) = (name.to_owned(), source.to_owned(), self.config.clone());
        // On the runner for its stack: the compiler recurses over the tree.
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |_, _| {
            compile::compile(&source, &name, &config.policy, checks).map(|compiled| Script::new(&name, compiled))
        })?
    }
}
