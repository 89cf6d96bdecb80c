//! What this crate's own tests need to see and do; never for a host.

#[cfg(feature = "process")]
use super::Home;
use super::{COMPILE_PATIENCE, Sandbox};
use crate::error::Error;
use crate::observe::Subject;
use crate::observe::audit::Operation;
use crate::runner::cage::Cage;
use crate::runner::operation::Op;
#[cfg(feature = "process")]
use crate::value::FromValue;
use std::sync::Arc;
use std::time::Duration;

impl Cage<'_> {
    /// [`Sandbox::hold_up`], in the middle of [`Runner::with`](crate::Runner::with).
    ///
    /// # Errors
    /// None that its caller sees: it is the one who waits who gives up.
    #[doc(hidden)]
    pub fn hold_up(&mut self, sandbox: &mut Sandbox, time: Duration) -> Result<(), Error> {
        let subject = Subject::Function(Operation::Call, "hold_up");
        sandbox.enter(self, None, Some(subject), |cage, place| cage.perform(place, Op::HoldUp(time))).result.map(drop)
    }
}

impl Sandbox {
    /// Holds the runner up in native code that meets no checkpoint. For this crate's tests of [`Error::Stuck`]: never in a
    /// host.
    ///
    /// # Errors
    /// [`Error::Stuck`] when that is longer than the timeout and the grace after it.
    #[doc(hidden)]
    pub fn hold_up(&mut self, time: Duration) -> Result<(), Error> {
        self.dispatch(Op::HoldUp(time), self.budget.clone()).map(drop)
    }

    /// The public names of a granted module, for this crate's tests of its tables.
    ///
    /// # Errors
    /// [`Error::Setup`] when it is not granted.
    #[doc(hidden)]
    pub fn module_names(&self, module: &str) -> Result<Vec<String>, Error> {
        let (module, config) = (module.to_owned(), self.config.clone());
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.module_names(&module, &config))?
    }

    /// The classes of a granted module, each with the names that a script may ask it for, for this crate's tests of its
    /// stubs.
    ///
    /// # Errors
    /// [`Error::Setup`] when it is not granted.
    #[doc(hidden)]
    pub fn module_classes(&self, module: &str) -> Result<Vec<(String, Vec<String>)>, Error> {
        let (module, config) = (module.to_owned(), self.config.clone());
        self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.module_classes(&module, &config))?
    }

    /// What the sandbox's globals lead to that no script may hold: an object of the interpreter's own, or one of another
    /// sandbox on the same runner. For this crate's tests: never in a host.
    ///
    /// # Errors
    /// [`Error::Lost`] when the runner is.
    #[doc(hidden)]
    pub fn reached(&self) -> Result<Option<String>, Error> {
        let id = self.id;
        Ok(self.runner()?.call(COMPILE_PATIENCE, Arc::default(), move |cage, _| cage.reached(id))?)
    }

    /// Has native code of an attacker run in the worker; answers what it says itself. For this crate's tests of the jail.
    ///
    /// # Errors
    /// [`Error::Died`] when the kernel ends the worker for it.
    #[cfg(feature = "process")]
    #[doc(hidden)]
    pub fn attack(&mut self, name: &str) -> Result<String, Error> {
        match &mut self.home {
            Home::Process(session) => {
                let done = session.lock().attack(name, &self.budget, &self.config)?;
                Ok(String::from_value(done.result?)?)
            }
            Home::Thread(_) => Err(Error::Setup("there is no worker to attack from".to_owned())),
        }
    }
}
