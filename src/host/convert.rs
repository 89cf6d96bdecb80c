//! Values into and out of the interpreter.
//!
//! Neither way runs script code: only the payloads of built-in types are read, whatever a subclass overrides, and an
//! object of any other type becomes [`Value::Opaque`].

use crate::error::ConversionError;
use crate::guard::types;
use crate::host::object::HostInstance;
use crate::host::{callback_call, scope_state};
use crate::meter::fuel;
use crate::value::Value;
use crate::value::limits::ValueLimits;
use num_bigint::BigInt;
use rustpython_vm::builtins::{
    PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyStr, PyTuple, PyType,
};
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyPayload, VirtualMachine};

/// Values are charged for in lots of this many, a native step each; smaller ones are free.
const CHARGED_ITEMS: usize = 256;

/// Copies an object of the script out.
pub(crate) fn from_python(object: &PyObject, vm: &VirtualMachine) -> Result<Value, ConversionError> {
    Reader::new(vm).read(object)
}

/// Copies objects out, within the limits on what may cross at once.
pub(crate) struct Reader<'a> {
    vm: &'a VirtualMachine,
    limits: ValueLimits,
    items: usize,
    bytes: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(vm: &'a VirtualMachine) -> Self {
        Reader { vm, limits: scope_state::limits(), items: 0, bytes: 0 }
    }

    #[inline]
    pub(crate) fn read(&mut self, object: &PyObject) -> Result<Value, ConversionError> {
        // The usual case, which is to be quick.
        if object.class().is(self.vm.ctx.types.int_type)
            && let Some(int) = object.downcast_ref::<PyInt>()
            && let Ok(small) = i64::try_from(int.as_bigint())
        {
            self.count_item()?;
            return Ok(Value::Int(small));
        }
        self.read_any(object, 0)
    }

    #[inline]
    fn count_item(&mut self) -> Result<(), ConversionError> {
        self.items += 1;
        // A large value takes its time, which is the script's.
        if self.items.is_multiple_of(CHARGED_ITEMS) {
            fuel::charge(CHARGED_ITEMS as u64, self.vm)
                .map_err(|_| ConversionError::new("the budget ran out while the value was copied"))?;
        }
        if self.items > self.limits.items {
            return Err(too_many(self.limits.items));
        }
        Ok(())
    }

    fn read_any(&mut self, object: &PyObject, depth: usize) -> Result<Value, ConversionError> {
        if depth > self.limits.depth {
            return Err(too_deep(self.limits.depth));
        }
        self.count_item()?;
        if self.vm.is_none(object) {
            return Ok(Value::None);
        }
        if let Some(int) = object.downcast_ref::<PyInt>() {
            return self.read_int(object, int);
        }
        if let Some(float) = object.downcast_ref::<PyFloat>() {
            return Ok(Value::Float(float.to_f64()));
        }
        if let Some(text) = object.downcast_ref::<PyStr>() {
            let text = text
                .to_str()
                .ok_or_else(|| ConversionError::new("the str has a lone surrogate, which cannot cross"))?;
            self.count_bytes(text.len())?;
            return Ok(Value::Str(text.to_owned()));
        }
        if let Some(bytes) = object.downcast_ref::<PyBytes>() {
            self.count_bytes(bytes.as_bytes().len())?;
            return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
        }
        if let Some(bytes) = object.downcast_ref::<PyByteArray>() {
            let bytes = bytes.borrow_buf().to_vec();
            self.count_bytes(bytes.len())?;
            return Ok(Value::Bytes(bytes));
        }
        if let Some(list) = object.downcast_ref::<PyList>() {
            // Copied first: the lock must not be held while other objects are looked at.
            let items = list.borrow_vec().to_vec();
            return self.read_all(&items, depth).map(Value::List);
        }
        if let Some(tuple) = object.downcast_ref::<PyTuple>() {
            return self.read_all(tuple.as_slice(), depth).map(Value::Tuple);
        }
        if let Some(dict) = object.downcast_ref::<PyDict>() {
            let items = dict.items_vec();
            return items
                .iter()
                .map(|(key, value)| Ok((self.read_any(key, depth + 1)?, self.read_any(value, depth + 1)?)))
                .collect::<Result<_, _>>()
                .map(Value::Dict);
        }
        if let Some(set) = object.downcast_ref::<PySet>() {
            return self.read_all(&set.elements(), depth).map(Value::Set);
        }
        if let Some(set) = object.downcast_ref::<PyFrozenSet>() {
            return self.read_all(&set.elements(), depth).map(Value::Set);
        }
        if let Some(instance) = object.downcast_ref::<HostInstance>() {
            return Ok(Value::Object(instance.shared().clone()));
        }
        if object.class().slots().call.load().is_some()
            && object.downcast_ref::<PyType>().is_none_or(|class| types::may_be_held(class, self.vm))
            && let Some(state) = scope_state::current()
        {
            return Ok(Value::Function(state.hold(object)));
        }
        Ok(Value::Opaque(object.class().name().to_string()))
    }

    fn read_int(&mut self, object: &PyObject, int: &PyInt) -> Result<Value, ConversionError> {
        if object.class().is(self.vm.ctx.types.bool_type) {
            return Ok(Value::Bool(!int.as_bigint().eq(&0.into())));
        }
        if let Ok(small) = i64::try_from(int.as_bigint()) {
            return Ok(Value::Int(small));
        }
        let bytes = int.as_bigint().to_signed_bytes_le();
        self.count_bytes(bytes.len())?;
        Ok(Value::BigInt(BigInt::from_signed_bytes_le(&bytes)))
    }

    fn read_all(&mut self, items: &[PyObjectRef], depth: usize) -> Result<Vec<Value>, ConversionError> {
        items.iter().map(|item| self.read_any(item, depth + 1)).collect()
    }

    pub(crate) fn count_bytes(&mut self, bytes: usize) -> Result<(), ConversionError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes { Err(too_long(self.limits.bytes)) } else { Ok(()) }
    }
}

#[cold]
fn too_deep(levels: usize) -> ConversionError {
    ConversionError::new(format!("the value nests deeper than {levels} levels, or contains itself"))
}

#[cold]
fn too_many(items: usize) -> ConversionError {
    ConversionError::new(format!("the value has more than {items} parts"))
}

#[cold]
fn too_long(bytes: usize) -> ConversionError {
    ConversionError::new(format!("the value has more than {bytes} bytes"))
}

/// Copies a host's value in.
#[inline]
pub(crate) fn to_python(value: &Value, vm: &VirtualMachine) -> Result<PyObjectRef, ConversionError> {
    match value {
        // The usual cases, which are to be quick.
        Value::None => Ok(vm.ctx.none()),
        Value::Int(int) => Ok(vm.ctx.new_int(*int).into()),
        other => Writer { vm, limits: scope_state::limits(), items: 0, bytes: 0 }.write(other, 0),
    }
}

struct Writer<'a> {
    vm: &'a VirtualMachine,
    limits: ValueLimits,
    items: usize,
    bytes: usize,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> Result<PyObjectRef, ConversionError> {
        let vm = self.vm;
        if depth > self.limits.depth {
            return Err(too_deep(self.limits.depth));
        }
        self.items += 1;
        if self.items > self.limits.items {
            return Err(too_many(self.limits.items));
        }
        Ok(match value {
            Value::None => vm.ctx.none(),
            Value::Bool(bool) => vm.ctx.new_bool(*bool).into(),
            Value::Int(int) => vm.ctx.new_int(*int).into(),
            Value::BigInt(int) => {
                let bytes = int.to_signed_bytes_le();
                self.count_bytes(bytes.len())?;
                vm.ctx.new_int(malachite_bigint::BigInt::from_signed_bytes_le(&bytes)).into()
            }
            Value::Float(float) => vm.ctx.new_float(*float).into(),
            Value::Str(text) => {
                self.count_bytes(text.len())?;
                vm.ctx.new_str(text.as_str()).into()
            }
            Value::Bytes(bytes) => {
                self.count_bytes(bytes.len())?;
                vm.ctx.new_bytes(bytes.clone()).into()
            }
            Value::List(items) => vm.ctx.new_list(self.write_all(items, depth)?).into(),
            Value::Tuple(items) => vm.ctx.new_tuple(self.write_all(items, depth)?).into(),
            Value::Dict(items) => {
                let dict = vm.ctx.new_dict();
                for (key, value) in items {
                    let key = hashable(self.write(key, depth + 1)?, key, vm)?;
                    let value = self.write(value, depth + 1)?;
                    dict.set_item(&*key, value, vm).map_err(|_| unhashable(key.class().name().to_string()))?;
                }
                dict.into()
            }
            Value::Set(items) => {
                let set = PySet::default().into_ref(&vm.ctx);
                for item in items {
                    let object = hashable(self.write(item, depth + 1)?, item, vm)?;
                    set.add(object, vm).map_err(|_| unhashable(item.type_name().to_owned()))?;
                }
                set.into()
            }
            Value::Function(callback) => {
                scope_state::current().and_then(|state| state.held(callback)).ok_or_else(callback_call::of_another)?
            }
            Value::Object(object) => HostInstance::object(object.clone(), vm)?,
            Value::Opaque(name) => {
                return Err(ConversionError::new(format!("a '{name}' of a script cannot be passed back")));
            }
        })
    }

    fn write_all(&mut self, items: &[Value], depth: usize) -> Result<Vec<PyObjectRef>, ConversionError> {
        items.iter().map(|item| self.write(item, depth + 1)).collect()
    }

    fn count_bytes(&mut self, bytes: usize) -> Result<(), ConversionError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes { Err(too_long(self.limits.bytes)) } else { Ok(()) }
    }
}

/// Keys and members must be hashable: a set in a set becomes a frozenset, as there is no other use for it.
fn hashable(object: PyObjectRef, value: &Value, vm: &VirtualMachine) -> Result<PyObjectRef, ConversionError> {
    match value {
        Value::List(_) | Value::Dict(_) => Err(unhashable(value.type_name().to_owned())),
        Value::Set(_) => {
            let members = object.downcast_ref::<PySet>().map(|set| set.elements()).unwrap_or_default();
            PyFrozenSet::from_iter(vm, members)
                .map(|set| set.into_ref(&vm.ctx).into())
                .map_err(|_| unhashable("set".to_owned()))
        }
        _ => Ok(object),
    }
}

fn unhashable(type_name: String) -> ConversionError {
    ConversionError::new(format!("a {type_name} cannot be a dict key or a set member, as it is not hashable"))
}
