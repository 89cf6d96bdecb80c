//! Functions of the host that scripts can call.

use crate::budget::Limit;
use crate::error::ConversionError;
use crate::host::convert;
use crate::meter::allocator;
use crate::meter::fuel::{self, Trip};
use crate::runner::thread;
use crate::value::{FromValue, IntoValue, Value};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyType};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::types::{Callable, Representable};
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// An error of the host's own, as a host function returned it.
pub type HostError = Arc<dyn std::error::Error + Send + Sync>;

/// Closures that scripts can call: up to eight arguments that are [`FromValue`], answering an [`IntoValue`] or a `Result`
/// of one.
///
/// The closure runs on the runner thread while the script waits. Its time and memory are not the script's. An `Err`
/// becomes a `RuntimeError` in the script, and, if the script does not catch it, comes back in
/// [`ScriptException::host_error`](crate::ScriptException::host_error). A panic is contained: the script sees a
/// `RuntimeError`.
///
/// ```
/// use pycage::Sandbox;
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("roll", |sides: u32, luck: Option<i64>| -> Result<i64, String> {
///     if sides == 0 {
///         return Err("a die has sides".to_string());
///     }
///     Ok(i64::from(sides) + luck.unwrap_or(0))
/// })?;
/// assert_eq!(sandbox.eval::<i64>("roll(6, None) + roll(6, 2)")?, 14);
/// assert!(sandbox.eval::<i64>("roll(0, None)").is_err());
/// # Ok::<(), pycage::Error>(())
/// ```
pub trait HostFunction<Args>: Send + Sync + 'static {
    /// Calls the closure with converted arguments.
    ///
    /// # Errors
    /// What the closure answers, and arguments that do not convert.
    fn call(&self, args: Vec<Value>) -> Result<Value, CallFailure>;
}

/// Why a call of a host function did not answer.
#[derive(Debug)]
pub enum CallFailure {
    /// The arguments are not what the function takes: a `TypeError` for the script.
    Arguments(String),
    /// The function's own error: a `RuntimeError` for the script.
    Failed(HostError),
}

/// What a host function may answer: a value, or a `Result` of one.
pub trait IntoAnswer {
    /// Converts.
    ///
    /// # Errors
    /// The function's own error.
    fn into_answer(self) -> Result<Value, HostError>;
}

impl<T: IntoValue> IntoAnswer for T {
    fn into_answer(self) -> Result<Value, HostError> {
        Ok(self.into_value())
    }
}

impl<T: IntoValue, E: Into<Box<dyn std::error::Error + Send + Sync>>> IntoAnswer for Result<T, E> {
    fn into_answer(self) -> Result<Value, HostError> {
        self.map(T::into_value).map_err(|error| HostError::from(error.into()))
    }
}

macro_rules! host_function {
    ($count:literal: $($arg:ident)*) => {
        impl<Function, Answer, $($arg),*> HostFunction<($($arg,)*)> for Function
        where
            Function: Fn($($arg),*) -> Answer + Send + Sync + 'static,
            Answer: IntoAnswer,
            $($arg: FromValue,)*
        {
            #[allow(unused_mut, unused_variables, unused_assignments, non_snake_case)]
            fn call(&self, args: Vec<Value>) -> Result<Value, CallFailure> {
                if args.len() != $count {
                    return Err(CallFailure::Arguments(format!(
                        concat!("takes ", stringify!($count), " positional arguments but {} were given"),
                        args.len()
                    )));
                }
                let mut args = args.into_iter();
                let mut position = 0;
                $(
                    position += 1;
                    let $arg = convert_argument::<$arg>(args.next(), position)?;
                )*
                self($($arg),*).into_answer().map_err(CallFailure::Failed)
            }
        }
    };
}
host_function!(0:);
host_function!(1: A);
host_function!(2: A B);
host_function!(3: A B C);
host_function!(4: A B C D);
host_function!(5: A B C D E);
host_function!(6: A B C D E F);
host_function!(7: A B C D E F G);
host_function!(8: A B C D E F G H);

pub(crate) fn convert_argument<T: FromValue>(arg: Option<Value>, position: usize) -> Result<T, CallFailure> {
    T::from_value(arg.unwrap_or_default())
        .map_err(|error: ConversionError| CallFailure::Arguments(format!("argument {position}: {}", error.message)))
}

/// A host function without its types.
pub(crate) type Erased = Arc<dyn Fn(Vec<Value>) -> Result<Value, CallFailure> + Send + Sync>;

/// Forgets a function's types.
pub(crate) fn erase<Args: 'static>(function: impl HostFunction<Args>) -> Erased {
    Arc::new(move |args| function.call(args))
}

/// Makes the object that stands for a host function in a sandbox.
pub(crate) fn object(name: &str, function: Erased, vm: &VirtualMachine) -> PyObjectRef {
    // Made once; later calls find it.
    let _ = HostCallable::make_static_type();
    HostCallable { name: name.to_owned(), function }.into_ref(&vm.ctx).into()
}

#[pyclass(module = false, name = "host_function")]
struct HostCallable {
    name: String,
    function: Erased,
}

impl fmt::Debug for HostCallable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<host function {}>", self.name)
    }
}

impl PyPayload for HostCallable {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(Callable, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl HostCallable {}

impl Representable for HostCallable {
    fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok(format!("<host function {}>", zelf.name))
    }
}

impl Callable for HostCallable {
    type Args = FuncArgs;

    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        count_call(vm)?;
        // What is copied for the host is the host's, in memory and in time.
        let paused = allocator::pause();
        let values = positional(&zelf.name, &args, vm)?;
        let answer = thread::on_the_hosts_time(vm, || catch_unwind(AssertUnwindSafe(|| (zelf.function)(values))));
        drop(paused);
        match answer {
            Ok(Ok(value)) => convert::to_python(&value, vm)
                .map_err(|error| vm.new_type_error(format!("{}() answered: {}", zelf.name, error.message))),
            Ok(Err(CallFailure::Arguments(message))) => Err(vm.new_type_error(format!("{}() {message}", zelf.name))),
            Ok(Err(CallFailure::Failed(error))) => Err(raise(error, vm)),
            Err(_) => Err(vm.new_runtime_error(format!("host function {} panicked", zelf.name))),
        }
    }
}

/// The arguments of a call as values of the host's.
pub(crate) fn positional(name: &str, args: &FuncArgs, vm: &VirtualMachine) -> PyResult<Vec<Value>> {
    if !args.kwargs.is_empty() {
        return Err(vm.new_type_error(format!("{name}() takes no keyword arguments")));
    }
    args.args
        .iter()
        .map(|arg| convert::from_python(arg, vm))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| vm.new_type_error(format!("{name}(): {}", error.message)))
}

/// Counts a call, and stops the run when it is one too many.
pub(crate) fn count_call(vm: &VirtualMachine) -> Result<(), PyBaseExceptionRef> {
    // Tripped already: the host is not called for a script that has ended.
    fuel::charge(1, vm)?;
    let too_many = fuel::with_run(|run| {
        run.state.host_calls += 1;
        run.state.host_calls > run.host_calls
    });
    if too_many == Some(true) { Err(fuel::trip_now(Trip::Limit(Limit::HostCalls), vm)) } else { Ok(()) }
}

/// The exception for a host's error. The error itself is kept aside, to be found again if the exception gets through.
pub(crate) fn raise(error: HostError, vm: &VirtualMachine) -> PyBaseExceptionRef {
    let exception = vm.new_runtime_error(error.to_string());
    fuel::with_run(|run| run.state.host_error = Some((exception.clone(), error)));
    exception
}
