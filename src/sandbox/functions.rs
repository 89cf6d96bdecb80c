//! The host's functions in a sandbox, and the script's functions in the host's hands.

use super::Sandbox;
use crate::budget::Budget;
use crate::error::Error;
use crate::host::callback::Callback;
use crate::host::function::{self, Erased, HostFunction, NewFunction};
use crate::runner::operation::Op;
use crate::stubs::given::Item;
use crate::stubs::signature::Signature;
use crate::usage::Usage;
use crate::value::{FromValue, IntoArgs};

impl Sandbox {
    /// Makes a closure a global function of the sandbox; see [`HostFunction`].
    ///
    /// # Errors
    /// [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.function("double", |x: i64| x * 2)?;
    /// assert_eq!(sandbox.eval::<i64>("double(21)")?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function<Args: 'static>(
        &mut self,
        name: &str,
        function: impl HostFunction<Args> + Sync + 'static,
    ) -> Result<(), Error> {
        self.set_erased(name, Vec::new(), function::signature_of(&function), function::erase(function))
    }

    /// [`Sandbox::function`], with names for the parameters, in order, by which a script can pass them as keywords. A
    /// [`CallContext`](crate::CallContext), [`Rest`](crate::Rest) or [`Kwargs`](crate::Kwargs) has no name.
    ///
    /// # Errors
    /// As [`Sandbox::function`].
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.function_named("spawn", ["kind", "count"], |kind: &str, count: Option<u32>| {
    ///     format!("{} {kind}", count.unwrap_or(1))
    /// })?;
    /// assert_eq!(sandbox.eval::<String>("spawn('orc')")?, "1 orc");
    /// assert_eq!(sandbox.eval::<String>("spawn(count=3, kind='elf')")?, "3 elf");
    /// assert!(sandbox.exec("spawn('orc', size=9)").is_err());
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn function_named<Args: 'static, Name: Into<String>>(
        &mut self,
        name: &str,
        parameters: impl IntoIterator<Item = Name>,
        function: impl HostFunction<Args> + Sync + 'static,
    ) -> Result<(), Error> {
        let parameters = parameters.into_iter().map(Into::into).collect();
        self.set_erased(name, parameters, function::signature_of(&function), function::erase(function))
    }

    /// Calls a callable of the script that the host holds, see [`Callback`].
    ///
    /// # Errors
    /// As [`Sandbox::eval`]; [`Error::Conversion`] when the callback belongs to another sandbox.
    ///
    /// ```
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let double: pycage::Callback = sandbox.eval("lambda x: x * 2")?;
    /// assert_eq!(sandbox.call_function::<i64>(&double, (21,))?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call_function<T: FromValue>(&mut self, callback: &Callback, args: impl IntoArgs) -> Result<T, Error> {
        self.call_function_with(callback, args, self.budget.clone()).map(|(value, _)| value)
    }

    /// [`Sandbox::call_function`] under a budget of its own; also gives the bill.
    ///
    /// # Errors
    /// As [`Sandbox::call_function`].
    ///
    /// ```
    /// use pycage::{Budget, Callback, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// let double: Callback = sandbox.eval("lambda x: x * 2")?;
    /// let (value, usage) = sandbox.call_function_with::<i64>(&double, (21,), Budget::default())?;
    /// assert!(value == 42 && usage.instructions > 0);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn call_function_with<T: FromValue>(
        &mut self,
        callback: &Callback,
        args: impl IntoArgs,
        budget: Budget,
    ) -> Result<(T, Usage), Error> {
        let op = Op::CallFunction { callback: callback.clone(), args: args.into_args() };
        let (value, usage) = self.dispatch(op, budget)?;
        Ok((T::from_value(value)?, usage))
    }

    /// Makes a global function of which each call can be awaited by a task: the host gets the name and the arguments as a
    /// [`Request`](crate::Request), and answers with [`Task::resume_with`](crate::Task::resume_with).
    ///
    /// # Errors
    /// [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// use pycage::{Budget, Progress, Sandbox};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.awaitable("ask")?;
    /// sandbox.exec("async def f(): return await ask('who')")?;
    /// let mut task = sandbox.start("f", ())?;
    /// assert!(matches!(task.resume(Budget::default())?, Progress::Awaiting(request) if request.name == "ask"));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn awaitable(&mut self, name: &str) -> Result<(), Error> {
        self.set_awaitable(name, Signature::unknown)
    }

    pub(crate) fn set_awaitable(&mut self, name: &str, signature: fn() -> Signature) -> Result<(), Error> {
        self.dispatch(Op::SetAwaitable(name.to_owned()), self.budget.clone())?;
        self.given.set(name, Item::Awaitable(signature));
        Ok(())
    }

    pub(crate) fn set_erased(
        &mut self,
        name: &str,
        parameters: Vec<String>,
        signature: fn() -> Signature,
        function: Erased,
    ) -> Result<(), Error> {
        let item = Item::Function { parameters: parameters.clone(), signature };
        let op = Op::SetFunction(NewFunction { name: name.to_owned(), parameters, function });
        self.dispatch(op, self.budget.clone())?;
        self.given.set(name, item);
        Ok(())
    }
}
