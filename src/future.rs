//! Async hosts (feature `async`): calls that do not block, on any executor, and host functions that are futures.

use crate::budget::Budget;
use crate::error::Error;
use crate::host::args::HostArg;
use crate::host::awaitable::Request;
use crate::host::failure::{CallFailure, ExceptionType, IntoAnswer, Raise};
use crate::host::gate;
use crate::runner::fiber::Reply;
use crate::runner::tasks::Start;
use crate::sandbox::Sandbox;
use crate::stubs::signature::Signature;
use crate::task::{Progress, Task};
use crate::value::{FromValue, IntoArgs, Value};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a call runs on its runner before others have their turn, and before it is noticed that nobody waits any more.
const SLICE: u64 = 100_000;
const SLICE_TIME: Duration = Duration::from_millis(5);

type Answer = Pin<Box<dyn Future<Output = Result<Value, CallFailure>> + Send>>;

/// The async functions of a sandbox, by their names.
pub(crate) type AsyncFunctions = HashMap<String, AsyncFunction>;

/// One of them, without its types.
pub(crate) type AsyncFunction = Arc<dyn Fn(Vec<Value>) -> Answer + Send + Sync>;

/// Closures that scripts can await: up to eight arguments that are [`FromValue`], of which an [`Option`] may be left out,
/// answering a future of a value or of a `Result` of one. See [`Sandbox::async_function`].
///
/// ```
/// let mut sandbox = pycage::Sandbox::new()?;
/// sandbox.async_function("add", |a: i64, b: Option<i64>| async move { a + b.unwrap_or(0) })?;
/// # Ok::<(), pycage::Error>(())
/// ```
pub trait AsyncHostFunction<Args>: Send + Sync + 'static {
    /// Starts a call with converted arguments.
    ///
    /// ```
    /// use pycage::AsyncHostFunction;
    ///
    /// let started = (|n: i64| async move { n + 1 }).call(vec![pycage::Value::Int(1)]);
    /// drop(started);
    /// ```
    fn call(&self, args: Vec<Value>) -> Pin<Box<dyn Future<Output = Result<Value, CallFailure>> + Send>>;

    /// What it takes, and what its future answers, for stubs.
    #[doc(hidden)]
    fn signature() -> Signature
    where
        Self: Sized;
}

pub(crate) fn signature_of<Args, Function: AsyncHostFunction<Args>>(_: &Function) -> fn() -> Signature {
    Function::signature
}

macro_rules! async_host_function {
    ($count:literal: $($arg:ident)*) => {
        impl<Function, Out, $($arg),*> AsyncHostFunction<($($arg,)*)> for Function
        where
            Function: Fn($($arg),*) -> Out + Send + Sync + 'static,
            Out: Future + Send + 'static,
            Out::Output: IntoAnswer,
            $($arg: FromValue,)*
        {
            #[allow(unused_mut, unused_variables, unused_assignments, non_snake_case)]
            fn call(&self, args: Vec<Value>) -> Answer {
                let started = (|| {
                    if args.len() > $count {
                        return Err(CallFailure::Arguments(format!(
                            concat!("takes ", stringify!($count), " positional arguments but {} were given"),
                            args.len()
                        )));
                    }
                    let mut args = args.into_iter();
                    let mut position = 0;
                    $(
                        position += 1;
                        let $arg = argument::<$arg>(args.next(), position)?;
                    )*
                    Ok(self($($arg),*))
                })();
                Box::pin(async move { started?.await.into_answer().map_err(CallFailure::Failed) })
            }

            fn signature() -> Signature {
                Signature::of(<Out::Output as IntoAnswer>::type_hint(), &[$(<$arg as HostArg>::describe),*])
            }
        }
    };
}
async_host_function!(0:);
async_host_function!(1: A);
async_host_function!(2: A B);
async_host_function!(3: A B C);
async_host_function!(4: A B C D);
async_host_function!(5: A B C D E);
async_host_function!(6: A B C D E F);
async_host_function!(7: A B C D E F G);
async_host_function!(8: A B C D E F G H);

fn argument<T: FromValue>(given: Option<Value>, position: usize) -> Result<T, CallFailure> {
    match given {
        Some(value) => T::from_value(value)
            .map_err(|error| CallFailure::Arguments(format!("argument {position}: {}", error.message))),
        None => T::missing().ok_or_else(|| CallFailure::Arguments(format!("misses argument {position}"))),
    }
}

impl Sandbox {
    /// [`Sandbox::eval`], without blocking: the future can be polled on any executor. The budget is the sandbox's; the time
    /// that a script awaits the host does not count.
    ///
    /// Dropping the future cancels the run: no further code of it runs once its slice, of some milliseconds, is over. The
    /// sandbox can be used at once; what is asked of it meanwhile waits for the end of the slice.
    ///
    /// It is a [`Task`] that runs, also in a worker process: see `PoolBuilder::tasks` for how many a sandbox there can have. A
    /// thread of the library's own waits for the worker, for as long as a slice is on. A future that waits for a worker
    /// is [`SandboxBuilder::build_async`](crate::SandboxBuilder::build_async).
    ///
    /// # Errors
    /// As [`Sandbox::eval`]; [`Error::Setup`] when a task cannot be had, as for [`Sandbox::start`].
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     use std::task::{Context, Poll, Wake, Waker};
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return out }
    /// #         std::thread::park();
    /// #     }
    /// # }
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// assert_eq!(block_on(sandbox.eval_async::<i64>("sum(range(10))"))?, 45);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub async fn eval_async<T: FromValue>(&mut self, source: &str) -> Result<T, Error> {
        let script = self.compile_async("<script>", source).await?;
        self.drive_async(Start::Run(script)).await
    }

    /// [`Sandbox::call`], without blocking; see [`Sandbox::eval_async`]. An `async def` can await what
    /// [`Sandbox::async_function`] made.
    ///
    /// # Errors
    /// As [`Sandbox::call`].
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     use std::task::{Context, Poll, Wake, Waker};
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return out }
    /// #         std::thread::park();
    /// #     }
    /// # }
    /// let mut sandbox = pycage::Sandbox::new()?;
    /// sandbox.exec("def double(x): return x * 2")?;
    /// assert_eq!(block_on(sandbox.call_async::<i64>("double", (21,)))?, 42);
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub async fn call_async<T: FromValue>(&mut self, name: &str, args: impl IntoArgs) -> Result<T, Error> {
        let start = Start::Call { name: name.to_owned(), args: args.into_args() };
        self.drive_async(start).await
    }

    /// Makes a closure that answers a future a global function that scripts can await, in [`Sandbox::call_async`] and
    /// [`Sandbox::eval_async`]. The future is polled where theirs is. An `Err` is a `RuntimeError` for the script, and so is a panic.
    ///
    /// # Errors
    /// [`Error::Setup`] when the name begins with two underscores.
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     use std::task::{Context, Poll, Wake, Waker};
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return out }
    /// #         std::thread::park();
    /// #     }
    /// # }
    /// use pycage::Sandbox;
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.async_function("price", |item: String| async move {
    ///     if item == "sword" { Ok(70) } else { Err(format!("no {item} for sale")) }
    /// })?;
    /// sandbox.exec("
    /// async def haggle(item):
    ///     try:
    ///         return (await price(item)) - 5
    ///     except RuntimeError as error:
    ///         return str(error)
    /// ")?;
    /// assert_eq!(block_on(sandbox.call_async::<i64>("haggle", ("sword",)))?, 65);
    /// assert_eq!(block_on(sandbox.call_async::<String>("haggle", ("elf",)))?, "no elf for sale");
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub fn async_function<Args: 'static>(
        &mut self,
        name: &str,
        function: impl AsyncHostFunction<Args>,
    ) -> Result<(), Error> {
        self.set_awaitable(name, signature_of(&function))?;
        self.async_functions.insert(name.to_owned(), Arc::new(move |args| function.call(args)));
        Ok(())
    }

    async fn drive_async<T: FromValue>(&mut self, start: Start) -> Result<T, Error> {
        let budget = self.budget().clone();
        // Dropped with this future, the task ends.
        let mut task = self.start_async(start).await?;
        task.set_limit(Some(budget.clone()));
        let slice = budget.instructions(SLICE).timeout(SLICE_TIME);
        let mut reply = Reply::Go;
        let ended = loop {
            match task.step_async(slice.clone(), reply, true).await {
                Ok(Progress::Paused(_)) => reply = Reply::Go,
                Ok(Progress::Awaiting(request)) => reply = self.answer_async(request).await,
                Ok(Progress::Done(value)) => break Ok(value),
                Err(error) => break Err(error),
            }
        };
        self.take_over_output(&mut task);
        Ok(T::from_value(ended?)?)
    }

    async fn answer_async(&self, request: Request) -> Reply {
        let Some(function) = self.async_functions.get(&request.name) else {
            return error(format!("{}() is not one of the host's async functions", request.name));
        };
        let answer = match gate::contained(|| function(request.args)) {
            Ok(mut future) => {
                let poll = |context: &mut Context<'_>| {
                    gate::contained(|| future.as_mut().poll(context)).unwrap_or_else(|panic| Poll::Ready(Err(panic)))
                };
                poll_fn(poll).await
            }
            Err(panic) => Err(panic),
        };
        match answer {
            Ok(value) => Reply::Value(value),
            Err(CallFailure::Failed(error)) => Reply::Error(error),
            Err(CallFailure::Arguments(why)) => {
                error(Raise::new(ExceptionType::TypeError, format!("{}() {why}", request.name)))
            }
            Err(CallFailure::Panicked) => error(format!("{}() panicked", request.name)),
        }
    }
}

fn error(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Reply {
    Reply::Error(error.into().into())
}

impl Task {
    /// [`Task::resume`], without blocking.
    ///
    /// # Errors
    /// As [`Task::resume`].
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     use std::task::{Context, Poll, Wake, Waker};
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(&waker)) { return out }
    /// #         std::thread::park();
    /// #     }
    /// # }
    /// use pycage::{Budget, Progress, Sandbox, Value};
    ///
    /// let mut sandbox = Sandbox::new()?;
    /// sandbox.exec("def double(x): return x * 2")?;
    /// let mut task = sandbox.start("double", (21,))?;
    /// assert_eq!(block_on(task.resume_async(Budget::default()))?, Progress::Done(Value::Int(42)));
    /// # Ok::<(), pycage::Error>(())
    /// ```
    pub async fn resume_async(&mut self, slice: Budget) -> Result<Progress, Error> {
        self.step_async(slice, Reply::Go, false).await
    }
}
