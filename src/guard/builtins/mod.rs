//! The builtins of a sandbox: a whitelist, built from nothing.
//!
//! A template is made once for an interpreter and a policy; each sandbox gets a copy of its dict, found through its
//! globals. No script can change it: there is no name for it, and names that a script assigns go to its globals.

mod functions;
mod print;
mod type_facade;

use crate::guard::facade::{self, Importer, ModuleFacade};
use crate::guard::{attributes, class};
use crate::modules::library::Library;
use crate::modules::table::ModuleTable;
use crate::sandbox::Config;
use rustpython_vm::builtins::{PyDictRef, PyType};
use rustpython_vm::{Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine};
use std::sync::Arc;

pub(crate) use type_facade::TypeFacade;

/// Taken as they are: they read no attribute by a name from the script, and their results hold nothing but what they were
/// given.
const ORIGINAL: [&str; 25] = [
    "abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "format", "hex", "iter", "len", "max", "min",
    "next", "oct", "ord", "pow", "repr", "reversed", "round", "sorted", "sum", "aiter", "anext",
];

/// The builtins dict that sandboxes of one interpreter and one policy start from.
pub(crate) struct BuiltinsTemplate {
    dict: PyDictRef,
    quiet_sys: PyRef<ModuleFacade>,
}

impl BuiltinsTemplate {
    /// The whitelist, without the names for which `withheld` answers `true`.
    ///
    /// The interpreter is hardened and isolated before.
    pub(crate) fn new(withheld: &dyn Fn(&str) -> bool, vm: &VirtualMachine) -> PyResult<Self> {
        let dict = vm.ctx.new_dict();
        for (name, value) in whitelist(vm)? {
            if !withheld(name) {
                set(&dict, name, value, vm)?;
            }
        }
        // The compiler's own names. No script can spell them.
        let quiet_sys = facade::quiet_sys(vm)?;
        let importer = Importer::new(vm.ctx.new_dict(), quiet_sys.clone(), None, vm);
        set(&dict, "__import__", importer.into(), vm)?;
        set(&dict, "__build_class__", vm.new_function("__build_class__", class::build_class).into(), vm)?;
        set(&dict, "__name__", vm.ctx.new_str("builtins").into(), vm)?;
        set(&dict, "__debug__", vm.ctx.new_bool(true).into(), vm)?;
        Ok(BuiltinsTemplate { dict, quiet_sys })
    }

    /// A sandbox's own builtins. `granted` holds the facades it may import, by full dotted name; without it, none.
    pub(crate) fn new_builtins(&self, granted: Option<PyDictRef>, vm: &VirtualMachine) -> PyResult<PyDictRef> {
        let dict = self.dict.copy().into_ref(&vm.ctx);
        if let Some(granted) = granted {
            let importer = Importer::new(granted, self.quiet_sys.clone(), None, vm);
            set(&dict, "__import__", importer.into(), vm)?;
        }
        Ok(dict)
    }

    /// A table of the modules that a sandbox may import.
    pub(crate) fn new_modules(
        &self,
        config: &Arc<Config>,
        library: &Arc<Library>,
        vm: &VirtualMachine,
    ) -> PyResult<Arc<ModuleTable>> {
        ModuleTable::new(config.clone(), library.clone(), &self.dict, self.quiet_sys.clone(), vm)
    }
}

/// Interned keys are found by their address, and copied for nothing.
fn set(dict: &PyDictRef, name: &str, value: PyObjectRef, vm: &VirtualMachine) -> PyResult<()> {
    dict.set_item(vm.ctx.intern_str(name), value, vm)
}

fn whitelist(vm: &VirtualMachine) -> PyResult<Vec<(&'static str, PyObjectRef)>> {
    let ctx = &vm.ctx;
    let originals = vm.builtins.dict();
    let mut list: Vec<(&'static str, PyObjectRef)> = Vec::with_capacity(128);
    for name in ORIGINAL {
        list.push((name, originals.get_item(name, vm)?));
    }
    for (name, class) in types(vm).into_iter().chain(exceptions(vm)) {
        list.push((name, class.to_owned().into()));
    }
    list.extend([
        ("True", ctx.new_bool(true).into()),
        ("False", ctx.new_bool(false).into()),
        ("None", ctx.none()),
        ("Ellipsis", ctx.ellipsis.clone().into()),
        ("NotImplemented", ctx.not_implemented()),
        ("hash", vm.new_function("hash", functions::hash).into()),
        ("getattr", vm.new_function("getattr", attributes::getattr).into()),
        ("hasattr", vm.new_function("hasattr", attributes::hasattr).into()),
        ("setattr", vm.new_function("setattr", attributes::setattr).into()),
        ("delattr", vm.new_function("delattr", attributes::delattr).into()),
        ("isinstance", vm.new_function("isinstance", functions::isinstance).into()),
        ("issubclass", vm.new_function("issubclass", functions::issubclass).into()),
        ("print", vm.new_function("print", print::print).into()),
        ("type", TypeFacade::class_object().to_owned().into()),
    ]);
    Ok(list)
}

fn types(vm: &VirtualMachine) -> [(&'static str, &'static Py<PyType>); 23] {
    let types = &vm.ctx.types;
    [
        ("object", types.object_type),
        ("bool", types.bool_type),
        ("int", types.int_type),
        ("float", types.float_type),
        ("complex", types.complex_type),
        ("str", types.str_type),
        ("bytes", types.bytes_type),
        ("bytearray", types.bytearray_type),
        ("tuple", types.tuple_type),
        ("list", types.list_type),
        ("dict", types.dict_type),
        ("set", types.set_type),
        ("frozenset", types.frozenset_type),
        ("range", types.range_type),
        ("slice", types.slice_type),
        ("enumerate", types.enumerate_type),
        ("filter", types.filter_type),
        ("map", types.map_type),
        ("zip", types.zip_type),
        ("property", types.property_type),
        ("classmethod", types.classmethod_type),
        ("staticmethod", types.staticmethod_type),
        ("super", types.super_type),
    ]
}

/// `Exception` and what is below it. What only the interpreter or the operating system raises stays out, and so does
/// everything beside `Exception`: no script catches or raises what is meant to end it.
fn exceptions(vm: &VirtualMachine) -> [(&'static str, &'static Py<PyType>); 54] {
    let types = &vm.ctx.exceptions;
    [
        ("Exception", types.exception_type),
        ("ArithmeticError", types.arithmetic_error),
        ("FloatingPointError", types.floating_point_error),
        ("OverflowError", types.overflow_error),
        ("ZeroDivisionError", types.zero_division_error),
        ("AssertionError", types.assertion_error),
        ("AttributeError", types.attribute_error),
        ("BufferError", types.buffer_error),
        ("EOFError", types.eof_error),
        ("ImportError", types.import_error),
        ("ModuleNotFoundError", types.module_not_found_error),
        ("LookupError", types.lookup_error),
        ("IndexError", types.index_error),
        ("KeyError", types.key_error),
        ("MemoryError", types.memory_error),
        ("NameError", types.name_error),
        ("UnboundLocalError", types.unbound_local_error),
        ("OSError", types.os_error),
        ("IOError", types.os_error),
        ("ConnectionError", types.connection_error),
        ("FileExistsError", types.file_exists_error),
        ("FileNotFoundError", types.file_not_found_error),
        ("PermissionError", types.permission_error),
        ("TimeoutError", types.timeout_error),
        ("ReferenceError", types.reference_error),
        ("RuntimeError", types.runtime_error),
        ("NotImplementedError", types.not_implemented_error),
        ("RecursionError", types.recursion_error),
        ("StopIteration", types.stop_iteration),
        ("StopAsyncIteration", types.stop_async_iteration),
        ("SyntaxError", types.syntax_error),
        ("IndentationError", types.indentation_error),
        ("TabError", types.tab_error),
        ("SystemError", types.system_error),
        ("TypeError", types.type_error),
        ("ValueError", types.value_error),
        ("UnicodeError", types.unicode_error),
        ("UnicodeDecodeError", types.unicode_decode_error),
        ("UnicodeEncodeError", types.unicode_encode_error),
        ("UnicodeTranslateError", types.unicode_translate_error),
        ("Warning", types.warning),
        ("BytesWarning", types.bytes_warning),
        ("DeprecationWarning", types.deprecation_warning),
        ("EncodingWarning", types.encoding_warning),
        ("FutureWarning", types.future_warning),
        ("ImportWarning", types.import_warning),
        ("PendingDeprecationWarning", types.pending_deprecation_warning),
        ("ResourceWarning", types.resource_warning),
        ("RuntimeWarning", types.runtime_warning),
        ("SyntaxWarning", types.syntax_warning),
        ("UnicodeWarning", types.unicode_warning),
        ("UserWarning", types.user_warning),
        ("BlockingIOError", types.blocking_io_error),
        ("InterruptedError", types.interrupted_error),
    ]
}
