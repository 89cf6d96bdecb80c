//! What a host function may know and do about the call that it serves.

use crate::budget::Limit;
use crate::error::Error;
use crate::host::args::{Arguments, Caller, HostArg};
use crate::host::callback::Callback;
use crate::host::failure::CallFailure;
use crate::host::{callback_call, scope_state};
use crate::meter::fuel;
use crate::meter::hook::Cancel;
use crate::stubs::signature::Signature;
use crate::usage::Usage;
use crate::value::{FromValue, IntoArgs};
use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

/// The call that a host function serves, as a parameter of the function: what it has cost so far, what is left, how to stop
/// it, the sandbox's data, and a way to call the script back.
///
/// It is no argument of the script's: scripts pass the others only. It cannot leave the function.
///
/// ```
/// use pycage::{CallContext, Callback, Error, Limit, Sandbox};
///
/// struct Player { name: String }
///
/// let mut sandbox = Sandbox::builder().data(Player { name: "ada".into() }).build()?;
/// sandbox.function("who", |context: CallContext| context.data::<Player>().map(|player| player.name.clone()))?;
/// sandbox.function("twice", |context: CallContext, f: Callback, x: i64| -> Result<i64, Error> {
///     let once: i64 = context.call(&f, (x,))?;
///     context.call(&f, (once,))
/// })?;
/// sandbox.function("left", |context: CallContext| context.remaining(Limit::Instructions))?;
/// assert_eq!(sandbox.eval::<String>("who()")?, "ada");
/// assert_eq!(sandbox.eval::<i64>("twice(lambda n: n * 3, 2)")?, 18);
/// assert!(sandbox.eval::<u64>("left()")? < sandbox.budget().allowed(Limit::Instructions));
/// # Ok::<(), Error>(())
/// ```
pub struct CallContext<'a> {
    caller: Caller<'a>,
    data: Option<Arc<dyn Any + Send + Sync>>,
    lent: bool,
    /// It belongs to the thread of the call.
    local: PhantomData<*const ()>,
}

impl CallContext<'_> {
    /// What the run has cost so far. From a worker process: as it was when the function was called, or when a callback last
    /// reported.
    ///
    /// ```
    /// use pycage::{CallContext, Callback, Error, Limit, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().data(7_i64).build()?;
    /// sandbox.function("ask", |context: CallContext| context.usage().host_calls)?;
    /// assert_eq!(sandbox.eval::<u64>("ask() + ask()")?, 3);
    /// # fn _used(_: Callback, _: Error, _: Limit) {}
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn usage(&self) -> Usage {
        match self.caller {
            Caller::Here(_) => fuel::usage_so_far().unwrap_or_default(),
            #[cfg(feature = "process")]
            Caller::Worker(run) => run.usage(),
        }
    }

    /// What the run may still use of a limit, in the limit's unit: a count, bytes, or milliseconds. Where a limit is not
    /// in force, [`u64::MAX`].
    ///
    /// ```
    /// use pycage::{CallContext, Callback, Error, Limit, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().data(7_i64).build()?;
    /// sandbox.function("ask", |context: CallContext| context.remaining(Limit::HostCalls))?;
    /// assert_eq!(sandbox.eval::<u64>("ask()")?, 999_999);
    /// # fn _used(_: Callback, _: Error, _: Limit) {}
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn remaining(&self, limit: Limit) -> u64 {
        match self.caller {
            Caller::Here(_) => fuel::remaining(limit).unwrap_or(0),
            #[cfg(feature = "process")]
            Caller::Worker(run) => run.remaining(limit),
        }
    }

    /// A handle to stop this sandbox's calls with. The run that called the function stops at its next checkpoint.
    ///
    /// ```
    /// use pycage::{CallContext, Callback, Error, Limit, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().data(7_i64).build()?;
    /// sandbox.function("ask", |context: CallContext| context.cancel_handle().is_cancelled())?;
    /// assert_eq!(sandbox.eval::<bool>("ask()")?, false);
    /// # fn _used(_: Callback, _: Error, _: Limit) {}
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn cancel_handle(&self) -> Cancel {
        match self.caller {
            Caller::Here(_) => Cancel(scope_state::current().map(|state| state.cancel.clone()).unwrap_or_default()),
            #[cfg(feature = "process")]
            Caller::Worker(run) => run.cancel(),
        }
    }

    /// The host's own data of this sandbox, see [`SandboxBuilder::data`](crate::SandboxBuilder::data). `None` when there is
    /// none of that type.
    ///
    /// ```
    /// use pycage::{CallContext, Callback, Error, Limit, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().data(7_i64).build()?;
    /// sandbox.function("ask", |context: CallContext| context.data::<i64>().copied())?;
    /// assert_eq!(sandbox.eval::<i64>("ask()")?, 7);
    /// # fn _used(_: Callback, _: Error, _: Limit) {}
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn data<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.data.as_deref().and_then(|data| data.downcast_ref())
    }

    /// Calls the script back. What it does is the script's: it is metered, it is on the script's clock, and a limit that
    /// it passes stops the run.
    ///
    /// Calls nest at most 64 deep: beyond, the call fails with [`Error::Setup`].
    ///
    /// # Errors
    /// [`Error::Exception`] when the callback raised; a host function that answers this error lets the script's own
    /// exception through. What stopped the run, when it was stopped: whatever the host function then answers, no further
    /// code of the script runs. [`Error::Conversion`] when a value cannot cross. [`Error::Setup`] when the callback
    /// belongs to another sandbox, and inside functions and objects that were lent by [`Sandbox::scope`](crate::Sandbox::scope),
    /// which cannot call back. [`Error::Lost`] when the script's worker process ended meanwhile.
    ///
    /// ```
    /// use pycage::{CallContext, Callback, Error, Limit, Sandbox};
    ///
    /// let mut sandbox = Sandbox::builder().data(7_i64).build()?;
    /// sandbox.function("ask", |context: CallContext, f: Callback| -> Result<i64, Error> { context.call(&f, (20,)) })?;
    /// assert_eq!(sandbox.eval::<i64>("ask(lambda n: n * 2)")?, 40);
    /// # fn _used(_: Callback, _: Error, _: Limit) {}
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call<T: FromValue>(&self, callback: &Callback, args: impl IntoArgs) -> Result<T, Error> {
        if self.lent {
            return Err(Error::Setup(
                "what is lent for a scope cannot call the script back; answer the callback's arguments to the script instead"
                    .to_owned(),
            ));
        }
        let answer = match self.caller {
            Caller::Here(vm) => callback_call::call(callback, args.into_args(), vm)?,
            #[cfg(feature = "process")]
            Caller::Worker(run) => run.call(callback, args.into_args())?,
        };
        Ok(T::from_value(answer)?)
    }
}

impl HostArg for CallContext<'_> {
    type Item<'a> = CallContext<'a>;

    fn take<'a>(args: &mut Arguments<'a>) -> Result<CallContext<'a>, CallFailure> {
        let caller = args.caller();
        let data = match &caller {
            Caller::Here(_) => scope_state::current().and_then(|state| state.data.clone()),
            #[cfg(feature = "process")]
            Caller::Worker(run) => run.data(),
        };
        Ok(CallContext { caller, data, lent: args.lent, local: PhantomData })
    }

    /// No argument of the script's.
    fn describe(_signature: &mut Signature) {}
}
