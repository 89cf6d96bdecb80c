//! What a script gets from a host object that is no value: its methods, bound to it, and what it iterates over.

use crate::host::function::split_keywords;
use crate::host::gate;
use crate::host::object::instance::ask;
use crate::host::object::members::{Items, Table};
use crate::host::object::{AnyObject, Request};
use crate::meter::fuel;
use parking_lot::Mutex;
use rustpython_vm::builtins::PyType;
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::protocol::PyIterReturn;
use rustpython_vm::types::{Callable, IterNext, Iterable, Representable};
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// `object.method`.
#[pyclass(module = false, name = "host_method")]
pub(super) struct HostMethod {
    object: ManuallyDrop<AnyObject>,
    /// The name with `()` behind it, for messages.
    title: String,
}

impl Drop for HostMethod {
    fn drop(&mut self) {
        // SAFETY: the field is not used again: this is the one place that takes it, as its owner goes.
        let object = unsafe { ManuallyDrop::take(&mut self.object) };
        gate::drop_quietly(object);
    }
}

impl fmt::Debug for HostMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<host method {}>", self.title)
    }
}

impl PyPayload for HostMethod {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

impl HostMethod {
    pub(super) fn new(object: AnyObject, name: &str) -> Self {
        // Made once; later calls find it.
        drop(Self::make_static_type());
        HostMethod { object: ManuallyDrop::new(object), title: format!("{name}()") }
    }

    fn name(&self) -> &str {
        self.title.trim_end_matches("()")
    }
}

#[pyclass(with(Callable, Representable), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl HostMethod {}

impl Callable for HostMethod {
    type Args = FuncArgs;

    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        let (names, values) = split_keywords(args.kwargs, vm);
        let request = Request::Method(zelf.name());
        let answer = ask(&zelf.object, request, &zelf.title, &args.args, &names, &values, vm)?;
        gate::answer_object(&answer, &zelf.title, vm)
    }
}

impl Representable for HostMethod {
    fn repr_str(zelf: &Py<Self>, _vm: &VirtualMachine) -> PyResult<String> {
        Ok(format!("<host method {} of {}>", zelf.name(), zelf.object.type_name()))
    }
}

/// What a host object iterates over.
#[pyclass(module = false, name = "host_iterator")]
pub(super) struct HostIterator {
    table: Arc<Table>,
    items: Mutex<Option<Items>>,
    /// One of those that the sandbox may have at a time.
    _place: Option<Arc<()>>,
}

impl Drop for HostIterator {
    fn drop(&mut self) {
        gate::drop_quietly(self.items.get_mut().take());
    }
}

impl fmt::Debug for HostIterator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<host iterator of {}>", self.table.type_name)
    }
}

impl PyPayload for HostIterator {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

impl HostIterator {
    pub(super) fn new(table: Arc<Table>, items: Items, place: Option<Arc<()>>) -> Self {
        HostIterator { table, items: Mutex::new(Some(items)), _place: place }
    }

    pub(super) fn into_object(self, vm: &VirtualMachine) -> PyObjectRef {
        // Made once; later calls find it.
        drop(Self::make_static_type());
        self.into_ref(&vm.ctx).into()
    }

    /// One step, which costs a native step.
    pub(super) fn next_item(&self, vm: &VirtualMachine) -> PyResult<Option<PyObjectRef>> {
        fuel::charge(1, vm)?;
        let what = &self.table.type_name;
        let Some(mut items) = self.items.try_lock() else {
            return Err(vm.new_runtime_error(format!("the iterator of {what} is in use")));
        };
        let Some(iterator) = items.as_mut() else { return Ok(None) };
        let next = gate::uncounted(what, vm, || gate::on_the_hosts_side(vm, || iterator.next())?.transpose());
        // One that ended or panicked is not asked again.
        if !matches!(next, Ok(Some(_))) {
            gate::drop_quietly(items.take());
        }
        drop(items);
        match next? {
            Some(value) => gate::answer_object(&value, what, vm).map(Some),
            None => Ok(None),
        }
    }
}

#[pyclass(with(Iterable, IterNext), flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE))]
impl HostIterator {}

impl Iterable for HostIterator {
    fn iter(zelf: PyRef<Self>, _vm: &VirtualMachine) -> PyResult {
        Ok(zelf.into())
    }
}

impl IterNext for HostIterator {
    fn next(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyIterReturn> {
        Ok(match zelf.next_item(vm)? {
            Some(item) => PyIterReturn::Return(item),
            None => PyIterReturn::StopIteration(None),
        })
    }
}
