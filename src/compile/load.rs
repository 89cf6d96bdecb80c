//! From bytecode that is bound to no interpreter to the objects of one.

use crate::meter::interned::{Full, Names};
use rustpython_compiler_core::bytecode::{BorrowedConstant, CodeObject, Constant, ConstantBag};
use rustpython_vm::builtins::{PyCode, PyFrozenSet, PySlice, PyStrInterned};
use rustpython_vm::common::wtf8::Wtf8;
use rustpython_vm::{PyObjectRef, PyPayload, PyRef, VirtualMachine};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Deref;

/// Makes a script's code object, with all that are nested in it. Names that are new to the interpreter are taken from
/// `names`.
///
/// Strings are shared within the script. Upstream would add those that look like names to its table of names, for ever.
pub(super) fn code_object(code: CodeObject, names: &Names, vm: &VirtualMachine) -> Result<PyRef<PyCode>, Full> {
    let loading = Loading { vm, names, strings: RefCell::default(), full: Cell::new(None) };
    let code = PyCode::new_ref_with_bag(vm, code.map_bag(Bag(&loading)));
    match loading.full.get() {
        None => Ok(code),
        Some(full) => Err(full),
    }
}

struct Loading<'a> {
    vm: &'a VirtualMachine,
    names: &'a Names,
    strings: RefCell<HashMap<Box<[u8]>, PyObjectRef>>,
    /// Set once there was no room for a name: the code has other names in it then, and must not be used.
    full: Cell<Option<Full>>,
}

impl Loading<'_> {
    fn string(&self, value: &Wtf8) -> PyObjectRef {
        let mut strings = self.strings.borrow_mut();
        if let Some(string) = strings.get(value.as_bytes()) {
            return string.clone();
        }
        let ctx = &self.vm.ctx;
        let string: PyObjectRef = match ctx.interned_str(value) {
            Some(name) => name.to_object(),
            None => ctx.new_str(value).into(),
        };
        strings.insert(value.as_bytes().into(), string.clone());
        string
    }
}

/// What the constants of code objects are: a type of upstream's that has no public name.
type Literal = <<PyCode as Deref>::Target as HasConstants>::Constant;

trait HasConstants {
    type Constant;
}

impl<C: Constant> HasConstants for CodeObject<C> {
    type Constant = C;
}

#[derive(Clone, Copy)]
struct Bag<'a>(&'a Loading<'a>);

impl ConstantBag for Bag<'_> {
    type Constant = Literal;

    fn make_constant<C: Constant>(&self, constant: BorrowedConstant<'_, C>) -> Literal {
        let ctx = &self.0.vm.ctx;
        let object: PyObjectRef = match constant {
            BorrowedConstant::Str { value } => self.0.string(value),
            BorrowedConstant::Tuple { elements } => {
                let elements = elements.iter().map(|element| self.make_constant(element.borrow_constant()).into());
                ctx.new_tuple(elements.collect()).into()
            }
            BorrowedConstant::Code { code } => PyCode::new_ref_with_bag(self.0.vm, code.map_clone_bag(self)).into(),
            BorrowedConstant::Integer { value } => ctx.new_bigint(value).into(),
            BorrowedConstant::Float { value } => ctx.new_float(value).into(),
            BorrowedConstant::Complex { value } => ctx.new_complex(value).into(),
            BorrowedConstant::Bytes { value } => ctx.new_bytes(value.to_vec()).into(),
            BorrowedConstant::Boolean { value } => ctx.new_bool(value).into(),
            BorrowedConstant::None => ctx.none(),
            BorrowedConstant::Ellipsis => ctx.ellipsis.clone().into(),
            BorrowedConstant::Slice { elements } => {
                let [start, stop, step] =
                    elements.each_ref().map(|part| self.make_constant(part.borrow_constant()).into());
                PySlice { start: Some(start), stop, step: Some(step) }.into_ref(ctx).into()
            }
            BorrowedConstant::Frozenset { elements } => {
                let elements = elements.iter().map(|element| self.make_constant(element.borrow_constant()).into());
                // The compiler folds only displays of numbers, strings and tuples of them, all of which can be hashed.
                let set = PyFrozenSet::from_iter(self.0.vm, elements.collect::<Vec<PyObjectRef>>());
                set.expect("the elements of a constant set can be hashed").into_ref(ctx).into()
            }
        };
        object.into()
    }

    fn make_int(&self, value: malachite_bigint::BigInt) -> Literal {
        PyObjectRef::from(self.0.vm.ctx.new_int(value)).into()
    }

    fn make_tuple(&self, elements: impl Iterator<Item = Literal>) -> Literal {
        PyObjectRef::from(self.0.vm.ctx.new_tuple(elements.map(PyObjectRef::from).collect())).into()
    }

    fn make_code(&self, code: CodeObject<Literal>) -> Literal {
        PyObjectRef::from(PyCode::new_ref_with_bag(self.0.vm, code)).into()
    }

    fn make_name(&self, name: &str) -> &'static PyStrInterned {
        let Loading { vm, names, full, .. } = self.0;
        if let Some(known) = vm.ctx.interned_str(name) {
            return known;
        }
        match names.take(name.len()) {
            Ok(()) => vm.ctx.intern_str(name),
            Err(none) => {
                full.set(Some(none));
                vm.ctx.empty_str
            }
        }
    }
}
