//! What scripts can await of the host: `await sleep(3)` in a task hands the request to the host, and goes on with what the
//! host answers.

use crate::host::args::{Arguments, HostArg, Rest};
use crate::host::gate;
use crate::meter::allocator;
use crate::meter::fuel;
use crate::runner::fiber::{self, Reply, Wants};
use crate::value::Value;
use rustpython_vm::builtins::PyType;
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::protocol::PyIterReturn;
use rustpython_vm::types::{Callable, IterNext, Iterable, Representable, SelfIter};
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, Traverse, VirtualMachine, pyclass};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a task waits for: a function that was made with [`Sandbox::awaitable`](crate::Sandbox::awaitable), and what the
/// script called it with.
///
/// ```
/// use pycage::{Budget, Progress, Sandbox};
///
/// let mut sandbox = Sandbox::new()?;
/// sandbox.awaitable("ask")?;
/// sandbox.exec("async def greet(): return 'Hello ' + await ask('Who are you?')")?;
/// let mut task = sandbox.start("greet", ())?;
/// let Progress::Awaiting(request) = task.resume(Budget::default())? else { panic!("it asks") };
/// assert_eq!((request.name.as_str(), request.args.len()), ("ask", 1));
/// let Progress::Done(greeting) = task.resume_with("Ada", Budget::default())? else { panic!("it knows") };
/// assert_eq!(greeting.to_string(), "'Hello Ada'");
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The function's name.
    pub name: String,
    /// The positional arguments, as they were when they were awaited.
    pub args: Vec<Value>,
}

/// Makes the object that stands for an awaitable function in a sandbox.
pub(crate) fn object(name: &str, vm: &VirtualMachine) -> PyObjectRef {
    // Made once; later calls find them.
    let _ = AwaitableFunction::make_static_type();
    let _ = Awaitable::make_static_type();
    AwaitableFunction { title: format!("{name}()") }.into_ref(&vm.ctx).into()
}

#[pyclass(module = false, name = "host_function")]
#[derive(Debug)]
struct AwaitableFunction {
    /// The name with `()` behind it, for messages.
    title: String,
}

impl PyPayload for AwaitableFunction {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(Callable, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl AwaitableFunction {
    fn name(&self) -> &str {
        self.title.trim_end_matches("()")
    }
}

impl Representable for AwaitableFunction {
    fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok(format!("<host function {}>", zelf.name()))
    }
}

impl Callable for AwaitableFunction {
    type Args = FuncArgs;

    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        gate::count_call(vm)?;
        if !args.kwargs.is_empty() {
            return Err(vm.new_type_error(format!("{} takes no keyword arguments", zelf.title)));
        }
        let awaitable = Awaitable { name: zelf.name().to_owned(), args: args.args, awaited: AtomicBool::new(false) };
        Ok(awaitable.into_ref(&vm.ctx).into())
    }
}

/// What calling such a function answers, to be awaited once.
///
/// It holds the script's own objects, on the script's account: they are copied for the host when they are awaited, so that
/// a script cannot pile up what the host would have to hold.
#[pyclass(module = false, name = "host_awaitable", traverse)]
#[derive(Debug)]
struct Awaitable {
    #[pytraverse(skip)]
    name: String,
    args: Vec<PyObjectRef>,
    #[pytraverse(skip)]
    awaited: AtomicBool,
}

impl PyPayload for Awaitable {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(IterNext, Iterable, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl Awaitable {
    #[pymethod]
    fn __await__(zelf: PyRef<Self>) -> PyRef<Self> {
        zelf
    }
}

impl Representable for Awaitable {
    fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok(format!("<host awaitable {}>", zelf.name))
    }
}

impl SelfIter for Awaitable {}

impl IterNext for Awaitable {
    /// Yields nothing ever: the whole task is left until the host answers, and the answer is the value of the `await`.
    fn next(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
        fuel::charge(1, vm)?;
        if zelf.awaited.swap(true, Ordering::Relaxed) {
            return Err(vm.new_runtime_error(format!("{}() was awaited already", zelf.name)));
        }
        let title = format!("{}()", zelf.name);
        if !fiber::can_switch() {
            return Err(vm.new_runtime_error(format!("{title} can only be awaited in a task")));
        }
        let args = gate::uncounted(&title, vm, || {
            let mut taken = Arguments::new(&zelf.args, &[], &[], &[], vm);
            Rest::take(&mut taken).map(|Rest(values)| values)
        })?;
        loop {
            if !fiber::can_switch() {
                return Err(vm.new_runtime_error(format!("{title} can only be awaited in a task")));
            }
            // What the host is told is the host's.
            let paused = allocator::pause();
            let request = Request { name: zelf.name.clone(), args: args.clone() };
            drop(paused);
            match fiber::switch(Wants::Answer(request)) {
                Reply::Value(value) => {
                    fuel::look_now(vm)?;
                    let value = gate::answer_object(&value, &title, vm)?;
                    return Ok(PyIterReturn::StopIteration(Some(value)));
                }
                Reply::Error(error) => {
                    fuel::look_now(vm)?;
                    return Err(gate::raise(error, vm));
                }
                // A cancel, or the end of the task; else the host has no answer yet.
                Reply::Go => fuel::look_now(vm)?,
            }
        }
    }
}
