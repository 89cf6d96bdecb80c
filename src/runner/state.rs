//! The runner's side of [`Sandbox::snapshot`](crate::Sandbox::snapshot), `restore` and `reload`.

use crate::error::{ConversionError, Error};
use crate::host::{convert, scope_state};
use crate::meter::{allocator, fuel};
use crate::runner::operation::public;
use crate::value::Value;
use rustpython_vm::builtins::{PyDictRef, PyStr};
use rustpython_vm::{PyObject, PyObjectRef, PyResult, VirtualMachine};

/// The globals of a script, by name. The interpreter's own entries are not among them.
fn entries(globals: &PyDictRef) -> Vec<(String, PyObjectRef)> {
    globals
        .items_vec()
        .into_iter()
        .filter_map(|(name, object)| {
            let name = name.downcast_ref::<PyStr>()?.to_str()?.to_owned();
            public(&name).then_some((name, object))
        })
        .collect()
}

/// A global as plain data, or why it is none.
fn plain(object: &PyObject, vm: &VirtualMachine) -> Result<Value, String> {
    let _paused = allocator::pause();
    let value = convert::from_python(object, vm).map_err(|error: ConversionError| error.message)?;
    match not_plain(&value) {
        Some(type_name) if object.class().name().to_string() == type_name => {
            Err(format!("a {type_name} is no plain data"))
        }
        Some(type_name) => Err(format!("it contains a {type_name}, which is no plain data")),
        None => Ok(value),
    }
}

/// What in a value is no plain data.
pub(crate) fn not_plain(value: &Value) -> Option<String> {
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().find_map(not_plain),
        Value::Dict(entries) => entries.iter().find_map(|(key, value)| not_plain(key).or_else(|| not_plain(value))),
        Value::Function(_) | Value::Object(_) | Value::Opaque(_) => Some(value.type_name().to_owned()),
        _ => None,
    }
}

type Named = Vec<(Value, Value)>;

fn answer(first: Named, second: Named) -> Value {
    Value::Tuple(vec![Value::Dict(first), Value::Dict(second)])
}

/// The plain data among the globals, and why the rest is none.
pub(crate) fn snapshot(globals: &PyDictRef, vm: &VirtualMachine) -> PyResult<Value> {
    let (mut data, mut left_out) = (Vec::new(), Vec::new());
    for (name, object) in entries(globals) {
        match plain(&object, vm) {
            Ok(value) => data.push((Value::Str(name), value)),
            Err(why) => left_out.push((Value::Str(name), Value::Str(why))),
        }
        // What was left out because the budget ran out is no answer.
        fuel::charge(1, vm)?;
    }
    Ok(answer(data, left_out))
}

/// Sets all of these globals, or none.
pub(crate) fn restore(
    globals: &PyDictRef,
    data: &[(String, Value)],
    vm: &VirtualMachine,
) -> PyResult<Result<Value, Error>> {
    let mut objects = Vec::with_capacity(data.len());
    for (name, value) in data {
        if !public(name) {
            return Ok(Err(Error::Setup(format!("'{name}' cannot be the name of a global"))));
        }
        if let Some(type_name) = not_plain(value) {
            let message = format!("{name}: a {type_name} is no plain data");
            return Ok(Err(ConversionError::new(message).into()));
        }
        match convert::to_python(value, vm) {
            Ok(object) => objects.push((name, object)),
            Err(error) => return Ok(Err(ConversionError::new(format!("{name}: {}", error.message)).into())),
        }
    }
    for (name, object) in objects {
        globals.set_item(name.as_str(), object, vm)?;
    }
    Ok(Ok(Value::None))
}

/// Runs a new top level in `fresh` globals; where it succeeds, puts the plain data of the old ones into them.
///
/// `run` runs the top level in the globals that it is given.
pub(crate) fn reload(
    old: &PyDictRef,
    fresh: &PyDictRef,
    run: impl FnOnce(&PyDictRef) -> PyResult<()>,
    vm: &VirtualMachine,
) -> PyResult<Value> {
    let set_by_host = scope_state::current().map(|state| state.set_by_host.borrow().clone()).unwrap_or_default();
    for name in &set_by_host {
        let Some(object) = old.get_item_opt(name.as_str(), vm)? else { continue };
        // A copy, so that a top level that fails has not changed what the old code goes on with.
        let object = match plain(&object, vm) {
            Ok(value) => convert::to_python(&value, vm).unwrap_or(object),
            Err(_) => object,
        };
        fresh.set_item(name.as_str(), object, vm)?;
    }
    run(fresh)?;

    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (name, object) in entries(old) {
        let new = fresh.get_item_opt(name.as_str(), vm)?;
        match plain(&object, vm) {
            Ok(_) => {
                let replaced = match &new {
                    Some(new) => is_constant(&name) || plain(new, vm).is_err(),
                    None => false,
                };
                if !replaced {
                    fresh.set_item(name.as_str(), object, vm)?;
                    kept.push((Value::Str(name), Value::None));
                }
            }
            Err(why) if new.is_none() => left_out.push((Value::Str(name), Value::Str(why))),
            Err(_) => {}
        }
        fuel::charge(1, vm)?;
    }
    Ok(answer(kept, left_out))
}

/// Whether a name is that of a constant, by Python's convention.
fn is_constant(name: &str) -> bool {
    name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase)
}
