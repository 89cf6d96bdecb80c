//! Functions of the host that scripts can call.

use crate::host::args::{Arguments, HostArg};
use crate::host::failure::{CallFailure, IntoAnswer};
use crate::host::gate;
use crate::stubs::signature::Signature;
use crate::value::Value;
use rustpython_vm::builtins::PyType;
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::types::{Callable, Representable};
use rustpython_vm::{Context, Py, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Closures that scripts can call: up to eight parameters that are [`HostArg`]s, answering an [`IntoAnswer`].
///
/// The types of the parameters must be written out, as in `|a: i64, b: &str|`. A parameter that is an [`Option`] or an
/// [`OrDefault`](crate::OrDefault) may be left out; [`Rest`](crate::Rest) and [`Kwargs`](crate::Kwargs) take what the
/// others leave; [`CallContext`](crate::CallContext) tells about the call. Keywords for the other parameters need names,
/// see [`Sandbox::function_named`](crate::Sandbox::function_named).
///
/// The closure runs on the runner thread while the script waits. Its time and memory are not the script's. An `Err`
/// becomes a `RuntimeError` in the script, or what a [`Raise`](crate::Raise) says, and, if the script does not catch it,
/// comes back in [`ScriptException::host_error`](crate::ScriptException::host_error). A panic is contained: the script sees
/// a `RuntimeError`.
///
/// ```
/// use pycage::Sandbox;
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.function("roll", |sides: u32, label: &str, luck: Option<i64>| -> Result<String, String> {
///     if sides == 0 {
///         return Err("a die has sides".to_string());
///     }
///     Ok(format!("{label}: {}", i64::from(sides) + luck.unwrap_or(0)))
/// })?;
/// assert_eq!(sandbox.eval::<String>("roll(6, 'best') + ', ' + roll(6, 'lucky', 2)")?, "best: 6, lucky: 8");
/// assert!(sandbox.exec("roll(0, 'none')").is_err());
/// # Ok::<(), pycage::Error>(())
/// ```
///
/// It runs on another thread, so what it captures must be `Send`, `Sync` and its own:
///
/// ```compile_fail,E0277
/// use std::rc::Rc;
///
/// let mut sandbox = pycage::Sandbox::new()?;
/// let count = Rc::new(1);
/// sandbox.function("count", move || *count)?;
/// # Ok::<(), pycage::Error>(())
/// ```
///
/// ```compile_fail,E0373
/// let mut sandbox = pycage::Sandbox::new()?;
/// let count = 1;
/// sandbox.function("count", || count)?;
/// # Ok::<(), pycage::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that scripts can call",
    note = "write out the parameters' types; there may be up to eight, each of them `FromValue`, `&str`, `CallContext`, \
            `Rest` or `Kwargs`",
    note = "the answer must be `IntoValue`, or a `Result` of it"
)]
pub trait HostFunction<Args>: Send {
    /// Takes the arguments and calls the closure.
    #[doc(hidden)]
    fn invoke(&self, args: &mut Arguments<'_>) -> Result<Value, CallFailure>;

    /// What it takes and answers, for stubs.
    #[doc(hidden)]
    fn signature() -> Signature
    where
        Self: Sized;
}

/// [`HostFunction`]s that may change what they have captured. They can be lent by
/// [`Scope::function`](crate::Scope::function).
///
/// ```
/// let mut seen = Vec::new();
/// pycage::Sandbox::new()?.scope(|scope| {
///     scope.function("see", |n: i64| seen.push(n))?;
///     scope.exec("see(1)\nsee(2)")
/// })?;
/// assert_eq!(seen, [1, 2]);
/// # Ok::<(), pycage::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that scripts can call",
    note = "write out the parameters' types; there may be up to eight, each of them `FromValue`, `&str`, `CallContext`, \
            `Rest` or `Kwargs`"
)]
pub trait HostFunctionMut<Args>: Send {
    /// Takes the arguments and calls the closure.
    #[doc(hidden)]
    fn invoke_mut(&mut self, args: &mut Arguments<'_>) -> Result<Value, CallFailure>;

    /// What it takes and answers, for stubs.
    #[doc(hidden)]
    fn signature() -> Signature
    where
        Self: Sized;
}

macro_rules! host_function {
    ($($arg:ident)*) => {
        impl<Function, Answer, $($arg: HostArg),*> HostFunction<fn($($arg),*) -> Answer> for Function
        where
            Function: Send + Fn($($arg),*) -> Answer + for<'a> Fn($($arg::Item<'a>),*) -> Answer,
            Answer: IntoAnswer,
        {
            #[inline]
            #[allow(non_snake_case)]
            fn invoke(&self, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
                $(let $arg = $arg::take(args)?;)*
                args.finish()?;
                args.run(|| self($($arg),*).into_answer())?.map_err(CallFailure::Failed)
            }

            fn signature() -> Signature {
                Signature::of(Answer::type_hint(), &[$($arg::describe),*])
            }
        }

        impl<Function, Answer, $($arg: HostArg),*> HostFunctionMut<fn($($arg),*) -> Answer> for Function
        where
            Function: Send + FnMut($($arg),*) -> Answer + for<'a> FnMut($($arg::Item<'a>),*) -> Answer,
            Answer: IntoAnswer,
        {
            #[allow(non_snake_case)]
            fn invoke_mut(&mut self, args: &mut Arguments<'_>) -> Result<Value, CallFailure> {
                $(let $arg = $arg::take(args)?;)*
                args.finish()?;
                args.run(|| self($($arg),*).into_answer())?.map_err(CallFailure::Failed)
            }

            fn signature() -> Signature {
                Signature::of(Answer::type_hint(), &[$($arg::describe),*])
            }
        }
    };
}
host_function!();
host_function!(A);
host_function!(A B);
host_function!(A B C);
host_function!(A B C D);
host_function!(A B C D E);
host_function!(A B C D E F);
host_function!(A B C D E F G);
host_function!(A B C D E F G H);

/// How a function is described.
pub(crate) fn signature_of<Args, Function: HostFunction<Args>>(_: &Function) -> fn() -> Signature {
    Function::signature
}

/// A host function without its types.
pub(crate) type Erased = Arc<dyn Fn(&mut Arguments<'_>) -> Result<Value, CallFailure> + Send + Sync>;

/// Forgets a function's types.
pub(crate) fn erase<Args: 'static>(function: impl HostFunction<Args> + Sync + 'static) -> Erased {
    Arc::new(move |args: &mut Arguments<'_>| function.invoke(args))
}

/// A function on its way into a sandbox.
pub(crate) struct NewFunction {
    pub name: String,
    /// Names of its parameters, for keywords.
    pub parameters: Vec<String>,
    pub function: Erased,
}

/// Makes the object that stands for a host function in a sandbox.
pub(crate) fn object(new: NewFunction, vm: &VirtualMachine) -> PyObjectRef {
    // Made once; later calls find it.
    let class = HostCallable::make_static_type();
    class.slots.vectorcall.store(Some(vector_call));
    HostCallable {
        title: format!("{}()", new.name),
        parameters: new.parameters,
        function: ManuallyDrop::new(new.function),
    }
    .into_ref(&vm.ctx)
    .into()
}

#[pyclass(module = false, name = "host_function")]
struct HostCallable {
    /// The name with `()` behind it, for messages.
    title: String,
    parameters: Vec<String>,
    function: ManuallyDrop<Erased>,
}

impl Drop for HostCallable {
    fn drop(&mut self) {
        // SAFETY: the field is not used again: this is the one place that takes it, as its owner goes.
        let function = unsafe { ManuallyDrop::take(&mut self.function) };
        gate::drop_quietly(function);
    }
}

impl fmt::Debug for HostCallable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<host function {}>", self.title)
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
        Ok(format!("<host function {}>", zelf.title.trim_end_matches("()")))
    }
}

impl Callable for HostCallable {
    type Args = FuncArgs;

    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        let (names, values) = split_keywords(args.kwargs, vm);
        zelf.answer(&args.args, &names, &values, vm)
    }
}

/// The keyword arguments of a call, as names and values.
pub(crate) fn split_keywords(
    keywords: rustpython_vm::function::KwArgs,
    vm: &VirtualMachine,
) -> (Vec<PyObjectRef>, Vec<PyObjectRef>) {
    keywords.into_iter().map(|(name, value)| (PyObjectRef::from(vm.ctx.new_str(name)), value)).unzip()
}

/// The way past the making of a [`FuncArgs`].
fn vector_call(
    callable: &PyObject,
    args: Vec<PyObjectRef>,
    count: usize,
    names: Option<&[PyObjectRef]>,
    vm: &VirtualMachine,
) -> PyResult {
    let Some(callable) = callable.downcast_ref::<HostCallable>() else {
        return Err(vm.new_type_error("not a host function"));
    };
    let (positional, values) = args.split_at(count.min(args.len()));
    callable.answer(positional, names.unwrap_or_default(), values, vm)
}

impl HostCallable {
    #[inline]
    fn answer(
        &self,
        positional: &[PyObjectRef],
        names: &[PyObjectRef],
        values: &[PyObjectRef],
        vm: &VirtualMachine,
    ) -> PyResult {
        gate::call(&self.title, vm, || {
            let mut args = Arguments::new(positional, names, values, &self.parameters, vm);
            (self.function)(&mut args)
        })
    }
}
