//! What a script has got hold of, for the tests: a walk over the objects that it can take out of one another.

use rustpython_vm::builtins::{PyBaseException, PyDict, PyDictRef, PyList, PySet, PyStr, PyTuple, PyType};
use rustpython_vm::{AsObject, PyObjectRef, VirtualMachine};
use std::collections::HashMap;

/// Objects looked at by one walk.
const MOST: usize = 50_000;

/// What no script may hold in an interpreter.
pub(crate) struct Forbidden {
    /// By identity; what each is.
    objects: HashMap<usize, String>,
}

impl Forbidden {
    /// The interpreter's own: its modules and their dicts, and every builtin that the sandbox's `builtins` lack.
    pub(crate) fn new(builtins: &PyDictRef, vm: &VirtualMachine) -> Self {
        let given: Vec<usize> = (&**builtins).into_iter().map(|(_, value)| value.get_id()).collect();
        let mut forbidden = Forbidden { objects: HashMap::new() };
        for (module, dict) in [("builtins", vm.builtins.dict()), ("sys", vm.sys_module.dict())] {
            for (name, value) in &*dict {
                // Plain values may be the very constants that scripts have.
                if !given.contains(&value.get_id()) && !plain(&value, vm) {
                    forbidden.add(
                        &value,
                        format!("{module}.{}", name.str(vm).map_or_else(|_| String::new(), |name| name.to_string())),
                    );
                }
            }
            forbidden.add(dict.as_object(), format!("the dict of {module}"));
        }
        forbidden.add(builtins.as_object(), "the builtins of a sandbox");
        forbidden.add(vm.ctx.types.type_type.as_object(), "the metaclass");
        forbidden
    }

    /// Adds an object, and says what it is.
    pub(crate) fn add(&mut self, object: &rustpython_vm::PyObject, what: impl Into<String>) {
        self.objects.insert(object.get_id(), what.into());
    }

    /// The first object among `start`, and what can be taken out of them, that no script may hold.
    pub(crate) fn find(&self, start: Vec<PyObjectRef>, vm: &VirtualMachine) -> Option<String> {
        let types = &vm.ctx.types;
        let internal = [types.module_type, types.frame_type, types.code_type, types.cell_type, types.weakref_type];
        let mut found = None;
        walk(start, vm, |object| {
            if let Some(what) = self.objects.get(&object.get_id()) {
                found = Some(what.clone());
            } else if internal.iter().any(|class| object.class().is(*class)) {
                found = Some(format!("a {}", object.class().name()));
            }
            found.is_none()
        });
        found
    }
}

/// The containers, functions, classes and instances that hang on a scope, and would be another sandbox's if found there.
pub(crate) fn belongings(globals: &PyDictRef, vm: &VirtualMachine) -> Vec<PyObjectRef> {
    let mut owned = vec![globals.as_object().to_owned()];
    walk(values(globals), vm, |object| {
        let built_in = object.downcast_ref::<PyType>().is_some_and(|class| class.heaptype_ext().is_none());
        if !built_in && !shared(object, vm) {
            owned.push(object.clone());
        }
        true
    });
    owned
}

/// Looks at each object once, until `visit` answers `false`.
fn walk(mut objects: Vec<PyObjectRef>, vm: &VirtualMachine, mut visit: impl FnMut(&PyObjectRef) -> bool) {
    let mut seen = HashMap::new();
    while let Some(object) = objects.pop() {
        // What stays in `seen` keeps its address, so that none is taken for another.
        if seen.len() > MOST || seen.insert(object.get_id(), object.clone()).is_some() {
            continue;
        }
        if !visit(&object) {
            return;
        }
        if let Some(dict) = object.downcast_ref::<PyDict>() {
            objects.extend(dict.into_iter().flat_map(|(key, value)| [key, value]));
        } else if let Some(list) = object.downcast_ref::<PyList>() {
            objects.extend(list.borrow_vec().iter().cloned());
        } else if let Some(tuple) = object.downcast_ref::<PyTuple>() {
            objects.extend(tuple.as_slice().iter().cloned());
        } else if let Some(set) = object.downcast_ref::<PySet>() {
            objects.extend(set.elements());
        } else if let Some(exception) = object.downcast_ref::<PyBaseException>() {
            objects.push(exception.args().into());
        } else if let Some(class) = object.downcast_ref::<PyType>()
            && class.heaptype_ext().is_some()
        {
            for name in class.attributes().interned_names(&vm.ctx) {
                // Getters of an instance's dict and the like are no values.
                if !name.as_str().starts_with("__")
                    && let Some(value) = class.get_direct_attr(name)
                {
                    objects.push(value);
                }
            }
        }
        if object.class().heaptype_ext().is_some() {
            objects.extend(object.dict().iter().flat_map(values));
        }
    }
}

/// The values of a scope or an instance.
pub(crate) fn values(dict: &PyDictRef) -> Vec<PyObjectRef> {
    // The scope's own way to its builtins is no value of the script's.
    (&**dict)
        .into_iter()
        .filter(|(name, _)| name.downcast_ref::<PyStr>().is_none_or(|name| name.as_wtf8() != "__builtins__"))
        .map(|(_, value)| value)
        .collect()
}

/// Values that have no owner: the interpreter shares them, and nothing can be done to them.
fn plain(object: &PyObjectRef, vm: &VirtualMachine) -> bool {
    let types = &vm.ctx.types;
    [
        types.none_type, types.bool_type, types.int_type, types.float_type, types.str_type, types.bytes_type,
        types.ellipsis_type, types.not_implemented_type,
    ]
    .iter()
    .any(|class| object.class().is(*class))
        // The empty tuple is one for all.
        || object.downcast_ref::<PyTuple>().is_some_and(|tuple| tuple.is_empty())
}

fn shared(object: &PyObjectRef, vm: &VirtualMachine) -> bool {
    plain(object, vm)
        || object.class().is(vm.ctx.types.builtin_function_or_method_type)
        || object.class().is(vm.ctx.types.tuple_type)
}
