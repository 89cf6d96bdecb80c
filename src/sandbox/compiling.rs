//! From source to a script that can be run often.

#[cfg(feature = "process")]
use super::Home;
use super::{COMPILE_PATIENCE, Sandbox};
use crate::budget::Budget;
use crate::compile::{self, Checks};
use crate::error::Error;
use crate::observe::audit::Operation;
use crate::observe::{Subject, trace};
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
        self.refused(Operation::Compile, name, source, None, self.compile_checked(name, source, Checks::All))
    }

    /// Compiles source without validating it. For this crate's tests of the run ring alone: never in a host.
    ///
    /// # Errors
    /// As [`Sandbox::compile`].
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn compile_unvalidated(&self, name: &str, source: &str) -> Result<Script, Error> {
        let compiled = self.compile_checked(name, source, Checks::LimitsOnly);
        self.refused(Operation::Compile, name, source, None, compiled)
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
    pub(super) fn compile_for_one_run(
        &self,
        operation: Operation,
        name: &str,
        source: &str,
        budget: &Budget,
    ) -> Result<Script, Error> {
        #[cfg(feature = "process")]
        if let Home::Process(_) = &self.home {
            return Ok(Script::for_workers(name, source, false, false));
        }
        self.refused(operation, name, source, Some(budget), self.compile_checked(name, source, Checks::All))
    }

    /// A source that was refused is the end of what it was compiled for.
    fn refused(
        &self,
        operation: Operation,
        name: &str,
        source: &str,
        budget: Option<&Budget>,
        compiled: Result<Script, Error>,
    ) -> Result<Script, Error> {
        compiled.inspect_err(|error| {
            if let Some(observed) = self.observe(Subject::Source(operation, name, source)) {
                observed.fail(budget, error);
            }
        })
    }

    fn compile_span(&self, name: &str, source: &str) -> Option<trace::Span> {
        let observer = self.config.observer.as_ref().filter(|_| trace::listening())?;
        Some(trace::compile_span(observer, name, source.len()))
    }

    /// Compiles on the runner's own thread.
    pub(crate) fn compile_here(&self, operation: Operation, name: &str, source: &str) -> Result<Script, Error> {
        let span = self.compile_span(name, source);
        let _inside = span.as_ref().map(trace::Span::enter);
        let compiled = compile::compile(source, name, &self.config.policy, Checks::All);
        let compiled = compiled.map(|compiled| Script::new(name, source, compiled));
        self.refused(operation, name, source, Some(&self.budget), compiled)
    }

    #[cfg(feature = "async")]
    pub(crate) async fn compile_async(&self, name: &str, source: &str) -> Result<Script, Error> {
        // A worker compiles it as it starts the task.
        #[cfg(feature = "process")]
        if let Home::Process(_) = &self.home {
            return Ok(Script::for_workers(name, source, false, false));
        }
        let (owned_name, owned_source, config) = (name.to_owned(), source.to_owned(), self.config.clone());
        let span = self.compile_span(name, source);
        let job = move |_: &mut Cage<'_>, _: &_| {
            let _inside = span.as_ref().map(trace::Span::enter);
            let compiled = compile::compile(&owned_source, &owned_name, &config.policy, Checks::All);
            compiled.map(|compiled| Script::new(&owned_name, &owned_source, compiled))
        };
        let compiled = match self.runner()?.call_async(COMPILE_PATIENCE, Arc::default(), job) {
            Ok(pending) => pending.await,
            Err(why) => Err(why),
        };
        let compiled = compiled.map_err(Error::from).flatten();
        self.refused(Operation::Task, name, source, Some(&self.budget), compiled)
    }

    fn compile_checked(&self, name: &str, source: &str, checks: Checks) -> Result<Script, Error> {
        let span = self.compile_span(name, source);
        let _inside = span.as_ref().map(trace::Span::enter);
        #[cfg(feature = "process")]
        if let Home::Process(session) = &self.home {
            let script = Script::for_workers(name, source, true, checks != Checks::All);
            session.lock().compile(&script, &self.budget, &self.config)?;
            return Ok(script);
        }
        let (name, source, config) = (name.to_owned(), source.to_owned(), self.config.clone());
        // On the runner for its stack: the compiler recurses over the tree.
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |_, _| {
            let compiled = compile::compile(&source, &name, &config.policy, checks)?;
            Ok(Script::new(&name, &source, compiled))
        })?
    }
}
