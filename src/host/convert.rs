//! Values into and out of the interpreter.
//!
//! Neither way runs script code: only the payloads of built-in types are read, whatever a subclass overrides, and an
//! object of any other type becomes [`Value::Opaque`].

use crate::error::ConversionError;
use crate::meter::fuel;
use crate::value::Value;
use num_bigint::BigInt;
use rustpython_vm::builtins::{
    PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyStr, PyTuple,
};
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyPayload, VirtualMachine};

/// How deep values may nest when they cross.
const MAX_DEPTH: usize = 128;

/// How many values may cross at once.
const MAX_NODES: usize = 2_000_000;

/// Values are charged for in lots of this many, a native step each; smaller ones are free.
const CHARGED_NODES: usize = 256;

/// How many bytes of text and numbers may cross at once.
const MAX_BYTES: usize = 256 << 20;

/// Copies an object of the script out.
pub(crate) fn from_python(object: &PyObject, vm: &VirtualMachine) -> Result<Value, ConversionError> {
    Reader { vm, nodes: 0, bytes: 0 }.read(object, 0)
}

struct Reader<'a> {
    vm: &'a VirtualMachine,
    nodes: usize,
    bytes: usize,
}

impl Reader<'_> {
    fn read(&mut self, object: &PyObject, depth: usize) -> Result<Value, ConversionError> {
        if depth > MAX_DEPTH {
            return Err(ConversionError::new(format!(
                "the value nests deeper than {MAX_DEPTH} levels, or contains itself"
            )));
        }
        self.nodes += 1;
        // A large value takes its time, which is the script's.
        if self.nodes.is_multiple_of(CHARGED_NODES) {
            fuel::charge(CHARGED_NODES as u64, self.vm)
                .map_err(|_| ConversionError::new("the budget ran out while the value was copied"))?;
        }
        if self.nodes > MAX_NODES {
            return Err(ConversionError::new(format!("the value has more than {MAX_NODES} parts")));
        }
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
                .map(|(key, value)| Ok((self.read(key, depth + 1)?, self.read(value, depth + 1)?)))
                .collect::<Result<_, _>>()
                .map(Value::Dict);
        }
        if let Some(set) = object.downcast_ref::<PySet>() {
            return self.read_all(&set.elements(), depth).map(Value::Set);
        }
        if let Some(set) = object.downcast_ref::<PyFrozenSet>() {
            return self.read_all(&set.elements(), depth).map(Value::Set);
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
        items.iter().map(|item| self.read(item, depth + 1)).collect()
    }

    fn count_bytes(&mut self, bytes: usize) -> Result<(), ConversionError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES {
            return Err(ConversionError::new(format!("the value has more than {MAX_BYTES} bytes")));
        }
        Ok(())
    }
}

/// Copies a host's value in.
pub(crate) fn to_python(value: &Value, vm: &VirtualMachine) -> Result<PyObjectRef, ConversionError> {
    write(value, vm, 0)
}

fn write(value: &Value, vm: &VirtualMachine, depth: usize) -> Result<PyObjectRef, ConversionError> {
    if depth > MAX_DEPTH {
        return Err(ConversionError::new(format!("the value nests deeper than {MAX_DEPTH} levels")));
    }
    let all = |items: &[Value]| -> Result<Vec<PyObjectRef>, ConversionError> {
        items.iter().map(|item| write(item, vm, depth + 1)).collect()
    };
    Ok(match value {
        Value::None => vm.ctx.none(),
        Value::Bool(bool) => vm.ctx.new_bool(*bool).into(),
        Value::Int(int) => vm.ctx.new_int(*int).into(),
        Value::BigInt(int) => {
            vm.ctx.new_int(malachite_bigint::BigInt::from_signed_bytes_le(&int.to_signed_bytes_le())).into()
        }
        Value::Float(float) => vm.ctx.new_float(*float).into(),
        Value::Str(text) => vm.ctx.new_str(text.as_str()).into(),
        Value::Bytes(bytes) => vm.ctx.new_bytes(bytes.clone()).into(),
        Value::List(items) => vm.ctx.new_list(all(items)?).into(),
        Value::Tuple(items) => vm.ctx.new_tuple(all(items)?).into(),
        Value::Dict(items) => {
            let dict = vm.ctx.new_dict();
            for (key, value) in items {
                let key = hashable(write(key, vm, depth + 1)?, key, vm)?;
                let value = write(value, vm, depth + 1)?;
                dict.set_item(&*key, value, vm).map_err(|_| unhashable(key.class().name().to_string()))?;
            }
            dict.into()
        }
        Value::Set(items) => {
            let set = PySet::default().into_ref(&vm.ctx);
            for item in items {
                let object = hashable(write(item, vm, depth + 1)?, item, vm)?;
                set.add(object, vm).map_err(|_| unhashable(item.type_name().to_owned()))?;
            }
            set.into()
        }
        Value::Opaque(name) => {
            return Err(ConversionError::new(format!("a '{name}' of a script cannot be passed back")));
        }
    })
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
