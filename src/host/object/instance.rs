//! A host object as scripts see it.
//!
//! All host objects are of one type to the interpreter, whose slots ask the object's own list of members. It has no
//! `__dict__`, its attributes go through [`HostInstance::getattro`] alone, and no script can hold the type itself.

use crate::error::ConversionError;
use crate::guard::{anonymous, names};
use crate::host::args::Arguments;
use crate::host::failure::CallFailure;
use crate::host::function::split_keywords;
use crate::host::gate;
use crate::host::object::bound::{HostIterator, HostMethod};
use crate::host::object::members::{Kind, Operator};
use crate::host::object::slot::Held;
use crate::host::object::{AnyObject, Body, Request};
use crate::host::scope_state;
use crate::value::Value;
use rustpython_vm::builtins::{PyBaseExceptionRef, PyStr, PyType};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::common::hash::PyHash;
use rustpython_vm::function::{FuncArgs, PyComparisonValue, PySetterValue};
use rustpython_vm::protocol::{PyMappingMethods, PyNumberMethods, PySequenceMethods};
use rustpython_vm::types::{
    AsMapping, AsNumber, AsSequence, Callable, Comparable, GetAttr, Hashable, Iterable, PyComparisonOp, Representable,
    SetAttr,
};
use rustpython_vm::{Context, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Iterators over host objects that a sandbox may have at a time.
pub(crate) const MAX_ITERATORS: usize = 1_000;

#[pyclass(module = false, name = "host_object")]
pub(crate) struct HostInstance {
    shared: ManuallyDrop<AnyObject>,
}

impl Drop for HostInstance {
    fn drop(&mut self) {
        // SAFETY: the field is not used again: this is the one place that takes it, as its owner goes.
        let shared = unsafe { ManuallyDrop::take(&mut self.shared) };
        gate::drop_quietly(shared);
    }
}

impl fmt::Debug for HostInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl PyPayload for HostInstance {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

impl HostInstance {
    /// The object by which a script knows a host object.
    pub(crate) fn object(shared: AnyObject, vm: &VirtualMachine) -> Result<PyObjectRef, ConversionError> {
        if let Some(problem) = &shared.inner.table.problem {
            return Err(ConversionError::new(format!("{}: {problem}", shared.type_name())));
        }
        // Made once; later calls find it.
        drop(Self::make_static_type());
        Ok(HostInstance { shared: ManuallyDrop::new(shared) }.into_ref(&vm.ctx).into())
    }

    pub(crate) fn shared(&self) -> &AnyObject {
        &self.shared
    }

    fn name(&self) -> &str {
        self.shared.type_name()
    }

    fn has(&self, operator: Operator) -> bool {
        self.shared.inner.table.has(operator)
    }

    /// Asks the object, and gives its answer.
    fn ask(&self, request: Request<'_>, args: &[PyObjectRef], vm: &VirtualMachine) -> PyResult<Value> {
        ask(&self.shared, request, self.name(), args, &[], &[], vm)
    }

    fn operate(&self, operator: Operator, args: &[PyObjectRef], vm: &VirtualMachine) -> PyResult<Option<Value>> {
        if self.has(operator) { self.ask(Request::Operator(operator), args, vm).map(Some) } else { Ok(None) }
    }

    fn length(&self, vm: &VirtualMachine) -> PyResult<usize> {
        match self.operate(Operator::Len, &[], vm)? {
            Some(Value::Int(length)) => {
                usize::try_from(length).map_err(|_| vm.new_value_error("the length of a host object is below zero"))
            }
            Some(_) => Err(vm.new_overflow_error("the length of a host object does not fit an index")),
            None => Err(vm.new_type_error(format!("object of type '{}' has no len()", self.name()))),
        }
    }

    fn subscript(&self, key: &PyObject, vm: &VirtualMachine) -> PyResult {
        match self.operate(Operator::Index, &[key.to_owned()], vm)? {
            Some(answer) => gate::answer_object(&answer, &self.name(), vm),
            None => Err(vm.new_type_error(format!("'{}' object is not subscriptable", self.name()))),
        }
    }

    fn assign(&self, key: &PyObject, value: Option<PyObjectRef>, vm: &VirtualMachine) -> PyResult<()> {
        let (done, what) = match value {
            Some(value) => (self.operate(Operator::SetIndex, &[key.to_owned(), value], vm)?, "assignment"),
            None => (self.operate(Operator::DelIndex, &[key.to_owned()], vm)?, "deletion"),
        };
        match done {
            Some(_) => Ok(()),
            None => Err(vm.new_type_error(format!("'{}' object does not support item {what}", self.name()))),
        }
    }

    fn contains(&self, item: &PyObject, vm: &VirtualMachine) -> PyResult<bool> {
        if let Some(answer) = self.operate(Operator::Contains, &[item.to_owned()], vm)? {
            return Ok(answer == Value::Bool(true));
        }
        if !self.has(Operator::Iter) {
            return Err(vm.new_type_error(format!("argument of type '{}' is not a container", self.name())));
        }
        let iterator = self.iterator(vm)?;
        while let Some(next) = iterator.next_item(vm)? {
            if vm.bool_eq(&next, item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn iterator(&self, vm: &VirtualMachine) -> PyResult<HostIterator> {
        if !self.has(Operator::Iter) {
            return Err(vm.new_type_error(format!("'{}' object is not iterable", self.name())));
        }
        // What is iterated over is the host's, in memory too: a script that keeps iterators would pile it up.
        let place = scope_state::current().map(|state| state.iterators.clone());
        // Beside those of the iterators there are the sandbox's own and this one.
        if place.as_ref().is_some_and(|place| Arc::strong_count(place) >= MAX_ITERATORS + 2) {
            return Err(vm.new_runtime_error(format!("more than {MAX_ITERATORS} iterators of host objects at a time")));
        }
        let items = gate::enter(&self.name(), vm, || {
            lock(&self.shared, vm)?.items(&mut Arguments::new(&[], &[], &[], &[], vm))
        })?;
        Ok(HostIterator::new(self.shared.inner.table.clone(), items, place))
    }
}

/// Asks a host object, and gives its answer. `what` names what is asked, for messages.
pub(super) fn ask(
    object: &AnyObject,
    request: Request<'_>,
    what: &str,
    positional: &[PyObjectRef],
    names: &[PyObjectRef],
    values: &[PyObjectRef],
    vm: &VirtualMachine,
) -> PyResult<Value> {
    gate::enter(&what, vm, || {
        lock(object, vm)?.perform(request, &mut Arguments::new(positional, names, values, &[], vm))
    })
}

/// Uses the object. Waiting for another thread is done on the host's time.
fn lock<'a>(object: &'a AnyObject, vm: &VirtualMachine) -> Result<Held<'a, Box<dyn Body>>, CallFailure> {
    object.usable(|free| matches!(gate::on_the_hosts_side(vm, free), Ok::<_, CallFailure>(true)))
}

#[pyclass(
    with(GetAttr, SetAttr, AsMapping, AsSequence, AsNumber, Iterable, Comparable, Hashable, Representable, Callable),
    flags(DISALLOW_INSTANTIATION, IMMUTABLETYPE)
)]
impl HostInstance {}

impl GetAttr for HostInstance {
    fn getattro(zelf: &Py<Self>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult {
        let text = name.to_str().filter(|name| names::attribute(name)).unwrap_or_default();
        match zelf.shared.inner.table.kind(text) {
            Some(Kind::Method) => Ok(HostMethod::new(zelf.shared().clone(), text).into_ref(&vm.ctx).into()),
            Some(Kind::Field | Kind::FieldMut) => {
                let answer = ask(&zelf.shared, Request::Read(text), text, &[], &[], &[], vm)?;
                gate::answer_object(&answer, &text, vm)
            }
            None => Err(no_attribute(zelf, name, vm)),
        }
    }
}

impl SetAttr for HostInstance {
    fn setattro(zelf: &Py<Self>, name: &Py<PyStr>, value: PySetterValue, vm: &VirtualMachine) -> PyResult<()> {
        let text = name.to_str().filter(|name| names::attribute(name)).unwrap_or_default();
        match (zelf.shared.inner.table.kind(text), value) {
            (Some(Kind::FieldMut), PySetterValue::Assign(value)) => {
                ask(&zelf.shared, Request::Set(text), text, &[value], &[], &[], vm).map(drop)
            }
            (Some(_), _) => Err(vm.new_attribute_error(format!(
                "attribute '{text}' of '{}' object cannot be set or deleted",
                zelf.name()
            ))),
            (None, _) => Err(no_attribute(zelf, name, vm)),
        }
    }
}

#[cold]
fn no_attribute(zelf: &Py<HostInstance>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyBaseExceptionRef {
    let name = name.as_wtf8().to_string_lossy();
    vm.new_attribute_error(format!("'{}' object has no attribute '{name}'", zelf.name()))
}

impl AsMapping for HostInstance {
    fn as_mapping() -> &'static PyMappingMethods {
        static METHODS: PyMappingMethods = PyMappingMethods {
            length: Some(|mapping, vm| HostInstance::mapping_downcast(mapping).length(vm)),
            subscript: Some(|mapping, key, vm| HostInstance::mapping_downcast(mapping).subscript(key, vm)),
            ass_subscript: Some(|mapping, key, value, vm| {
                HostInstance::mapping_downcast(mapping).assign(key, value, vm)
            }),
        };
        &METHODS
    }
}

impl AsSequence for HostInstance {
    fn as_sequence() -> &'static PySequenceMethods {
        static METHODS: PySequenceMethods = PySequenceMethods {
            length: Some(|sequence, vm| HostInstance::sequence_downcast(sequence).length(vm)),
            contains: Some(|sequence, item, vm| HostInstance::sequence_downcast(sequence).contains(item, vm)),
            ..PySequenceMethods::NOT_IMPLEMENTED
        };
        &METHODS
    }
}

impl AsNumber for HostInstance {
    fn as_number() -> &'static PyNumberMethods {
        static METHODS: PyNumberMethods = PyNumberMethods {
            boolean: Some(|number, vm| {
                let zelf = HostInstance::number_downcast(number);
                if zelf.has(Operator::Len) { zelf.length(vm).map(|length| length > 0) } else { Ok(true) }
            }),
            ..PyNumberMethods::NOT_IMPLEMENTED
        };
        &METHODS
    }
}

impl Iterable for HostInstance {
    fn iter(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult {
        Ok(HostIterator::into_object(zelf.iterator(vm)?, vm))
    }
}

impl Comparable for HostInstance {
    fn cmp(zelf: &Py<Self>, other: &PyObject, op: PyComparisonOp, vm: &VirtualMachine) -> PyResult<PyComparisonValue> {
        let is_equality = matches!(op, PyComparisonOp::Eq | PyComparisonOp::Ne);
        let same = other.downcast_ref::<HostInstance>().is_some_and(|other| *other.shared == *zelf.shared);
        if same && (is_equality || zelf.has(Operator::Compare)) {
            return Ok(PyComparisonValue::Implemented(op.eval_ord(std::cmp::Ordering::Equal)));
        }
        let args = [other.to_owned()];
        if is_equality && zelf.has(Operator::Eq) {
            return Ok(match zelf.ask(Request::Operator(Operator::Eq), &args, vm)? {
                Value::Bool(equal) => PyComparisonValue::Implemented(equal == (op == PyComparisonOp::Eq)),
                _ => PyComparisonValue::NotImplemented,
            });
        }
        Ok(match zelf.operate(Operator::Compare, &args, vm)? {
            Some(Value::Int(ordering)) => PyComparisonValue::Implemented(op.eval_ord(ordering.cmp(&0))),
            _ => PyComparisonValue::NotImplemented,
        })
    }
}

impl Hashable for HostInstance {
    fn hash(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<PyHash> {
        match zelf.operate(Operator::Hash, &[], vm)? {
            // -1 stands for failure.
            Some(Value::Int(hash)) => Ok(if hash == -1 { -2 } else { hash as PyHash }),
            _ if zelf.has(Operator::Eq) || zelf.has(Operator::Compare) => {
                Err(vm.new_type_error(format!("unhashable type: '{}'", zelf.name())))
            }
            _ => Ok(anonymous::scrambled(zelf.shared.inner.id)),
        }
    }
}

impl Representable for HostInstance {
    fn repr_str(zelf: &Py<Self>, vm: &VirtualMachine) -> PyResult<String> {
        match zelf.operate(Operator::Repr, &[], vm)? {
            Some(Value::Str(text)) => Ok(text),
            _ => Ok(format!("<{} object>", zelf.name())),
        }
    }
}

impl Callable for HostInstance {
    type Args = FuncArgs;

    fn call(zelf: &Py<Self>, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        if !zelf.has(Operator::Call) {
            return Err(vm.new_type_error(format!("'{}' object is not callable", zelf.name())));
        }
        let (names, values) = split_keywords(args.kwargs, vm);
        let request = Request::Operator(Operator::Call);
        let answer = ask(&zelf.shared, request, &format!("{}()", zelf.name()), &args.args, &names, &values, vm)?;
        gate::answer_object(&answer, &zelf.name(), vm)
    }
}
