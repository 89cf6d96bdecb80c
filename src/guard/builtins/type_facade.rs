//! `type` as scripts see it: it tells the class of an object, and makes none.
//!
//! The real metaclass stays out of reach: `type(int)` answers the facade, which is also what `type` is called.

use crate::guard::types;
use rustpython_vm::builtins::{PyGenericAlias, PyType, PyTypeRef};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::function::FuncArgs;
use rustpython_vm::types::Constructor;
use rustpython_vm::{AsObject, Context, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass};

#[pyclass(module = false, name = "type")]
#[derive(Debug)]
pub(crate) struct TypeFacade;

impl PyPayload for TypeFacade {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

#[pyclass(with(Constructor), flags(IMMUTABLETYPE))]
impl TypeFacade {
    /// `type[int]`, in annotations.
    #[pyclassmethod]
    fn __class_getitem__(class: PyTypeRef, args: PyObjectRef, vm: &VirtualMachine) -> PyResult<PyGenericAlias> {
        PyGenericAlias::from_args(class, args, vm)
    }
}

impl TypeFacade {
    /// The facade itself.
    pub(crate) fn class_object() -> &'static Py<PyType> {
        drop(Self::make_static_type());
        Self::static_type()
    }
}

impl Constructor for TypeFacade {
    type Args = FuncArgs;

    fn slot_new(_class: PyTypeRef, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
        let [object] = args.args.as_slice() else {
            return Err(vm.new_type_error("type() takes 1 argument in pycage: classes are made by the class statement"));
        };
        if !args.kwargs.is_empty() {
            return Err(vm.new_type_error("type() takes no keyword arguments"));
        }
        if object.downcast_ref::<PyType>().is_some() {
            return Ok(Self::class_object().to_owned().into());
        }
        let class = object.class();
        if types::may_be_held(class, vm) {
            Ok(class.to_owned().into())
        } else {
            Err(vm.new_type_error(format!("the type of a '{}' object is not available in pycage", class.name())))
        }
    }

    fn py_new(_class: &Py<PyType>, _args: FuncArgs, vm: &VirtualMachine) -> PyResult<Self> {
        // Only `slot_new` is ever asked.
        Err(vm.new_type_error("type() makes no instances"))
    }
}
