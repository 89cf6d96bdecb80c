//! The native objects that stand in the constants of instrumented code.
//!
//! A script never holds one: an instruction takes it from the constants and the next one consumes it. They have no
//! attributes and cannot be made by a call.

use super::blocks::MAX_BLOCK;
use super::profiled::LineMeter;
use crate::meter::{allocator, fuel};
use rustpython_vm::builtins::{PyTuple, PyType};
use rustpython_vm::class::{PyClassImpl, StaticType};
use rustpython_vm::protocol::{PyMapping, PyMappingMethods, PyNumber, PyNumberMethods};
use rustpython_vm::types::{AsMapping, AsNumber};
use rustpython_vm::{AsObject, Context, Py, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass};
use std::sync::OnceLock;

/// Looks at the result of an operator; an error is raised in place of the result.
pub(crate) type ResultCheck = fn(&PyObject, &VirtualMachine) -> PyResult<()>;

/// Makes the types known to the VM; must come before the first object. They are shared by all interpreters.
pub(super) fn init_types() {
    let _ = BlockMeter::make_static_type();
    let _ = LineMeter::make_static_type();
    let _ = Checkpost::make_static_type();
}

/// A block's meter: asking for its truth spends the block's weight.
#[pyclass(module = false, name = "block_meter")]
#[derive(Debug)]
pub(super) struct BlockMeter {
    pub weight: i64,
    /// Whether an exception handler begins with the block.
    pub handler: bool,
}

impl PyPayload for BlockMeter {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

impl BlockMeter {
    pub(super) fn object(weight: i64, handler: bool, vm: &VirtualMachine) -> PyObjectRef {
        let make = || -> PyObjectRef { BlockMeter { weight, handler }.into_ref(&vm.ctx).into() };
        let shared = usize::try_from(weight).ok().and_then(|weight| SHARED[usize::from(handler)].get(weight));
        match shared {
            Some(shared) => immortal(shared, make).clone(),
            None => make(),
        }
    }
}

/// Meters below this weight are shared by all code objects of the process: nearly all blocks are that small.
const SHARED_WEIGHTS: usize = 2 * MAX_BLOCK;

/// By weight, without and with a handler.
static SHARED: [[OnceLock<PyObjectRef>; SHARED_WEIGHTS]; 2] =
    [const { [const { OnceLock::new() }; SHARED_WEIGHTS] }; 2];

/// What `place` holds, made if it is empty. It stays for ever, so no reference to it is counted: two atomic operations
/// less each time an instruction takes it from the constants.
fn immortal(place: &'static OnceLock<PyObjectRef>, make: impl FnOnce() -> PyObjectRef) -> &'static PyObjectRef {
    place.get_or_init(|| {
        // It belongs to no sandbox.
        let _unbilled = allocator::pause();
        let object = make();
        object.make_immortal();
        object
    })
}

#[pyclass(with(AsNumber), flags(DISALLOW_INSTANTIATION))]
impl BlockMeter {}

impl AsNumber for BlockMeter {
    fn as_number() -> &'static PyNumberMethods {
        static METHODS: PyNumberMethods =
            PyNumberMethods { boolean: Some(spend_block), ..PyNumberMethods::NOT_IMPLEMENTED };
        &METHODS
    }
}

fn spend_block(number: PyNumber<'_>, vm: &VirtualMachine) -> PyResult<bool> {
    let meter = BlockMeter::number_downcast(number);
    fuel::spend(meter.weight, vm)?;
    pass_handler(meter.handler, vm);
    Ok(true)
}

/// What is to be done where an exception handler begins, if one does.
#[inline(always)]
pub(super) fn pass_handler(handler: bool, vm: &VirtualMachine) {
    if handler {
        forget_old_contexts(vm);
    }
}

/// The weight of a block, if that is what the object meters.
pub(super) fn block_weight(object: &PyObject) -> Option<i64> {
    let block = object.downcast_ref::<BlockMeter>().map(|meter| meter.weight);
    block.or_else(|| object.downcast_ref::<LineMeter>().map(|meter| meter.weight))
}

/// How many exceptions a handled one remembers, each raised while the next was handled.
const MAX_CONTEXTS: usize = 64;

/// Cuts the chain of exceptions behind the one that a handler begins with. The interpreter walks all of it whenever one is
/// raised, so that handlers which raise in handlers would take time by the square of their number, unbilled. Scripts
/// cannot see the chain.
///
/// Not once the run has tripped, when the oldest of the chain tells where that was: no handler gets here then.
fn forget_old_contexts(vm: &VirtualMachine) {
    let mut next = vm.current_exception();
    for _ in 0..MAX_CONTEXTS {
        next = match next {
            Some(exception) => exception.__context__(),
            None => return,
        };
    }
    if let Some(last) = next {
        last.set_context(None);
    }
}

/// What stands in front of or behind an instruction: asking for its truth, or subscripting it with the operand, raises
/// or does nothing.
#[pyclass(module = false, name = "checkpost")]
#[derive(Debug)]
pub(super) struct Checkpost {
    pub duty: Duty,
}

#[derive(Clone, Debug)]
pub(super) enum Duty {
    /// Its truth is an exception.
    Deny(Denial),
    /// Its subscript is a class, which must match itself in a class pattern.
    SelfMatching,
    /// Its subscript must be the real `super`.
    RealSuper,
    /// Its subscript is a result, which it gives back.
    Result(ResultCheck),
    /// Its subscript is a result that was stored.
    Stored(ResultCheck),
    /// Its subscript is an iterable to unpack; it gives what to unpack.
    Unpacked(Replace),
    /// Likewise, for the arguments of a call.
    Arguments(Replace),
    /// Its subscript is a mapping to merge, which it gives back.
    Merged(ResultCheck),
    /// Its subscript is a tuple of texts; it gives the text they make.
    Join(fn(&PyTuple, &VirtualMachine) -> PyResult),
}

/// Looks at a value and gives what takes its place.
pub(crate) type Replace = fn(PyObjectRef, &VirtualMachine) -> PyResult;

/// Looks at what single opcodes take in, before they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BulkChecks {
    /// An iterable that is unpacked, and positional arguments.
    pub unpacked: Replace,
    /// A mapping that is merged into a dict.
    pub merged: ResultCheck,
    /// Texts that are joined.
    pub join: fn(&PyTuple, &VirtualMachine) -> PyResult,
}

/// An instruction that must not run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Denial {
    kind: DenialKind,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum DenialKind {
    Attribute,
    Import,
    Name,
    Feature,
}

impl Denial {
    /// An attribute: `AttributeError`.
    pub(super) fn attribute(name: &str) -> Self {
        Denial { kind: DenialKind::Attribute, what: format!("'{name}'") }
    }

    /// A module, or a name in one: `ImportError`.
    pub(super) fn import(name: &str) -> Self {
        Denial { kind: DenialKind::Import, what: format!("'{name}'") }
    }

    /// A variable: `NameError`.
    pub(super) fn name(name: &str) -> Self {
        Denial { kind: DenialKind::Name, what: format!("'{name}'") }
    }

    /// A part of the language: `TypeError`.
    pub(super) fn feature(what: &str) -> Self {
        Denial { kind: DenialKind::Feature, what: what.to_owned() }
    }

    /// What is denied, quoted if it is a name.
    pub(super) fn what(&self) -> &str {
        &self.what
    }
}

impl PyPayload for Checkpost {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

impl Checkpost {
    pub(super) fn object(duty: Duty, vm: &VirtualMachine) -> PyObjectRef {
        Checkpost { duty }.into_ref(&vm.ctx).into()
    }
}

#[pyclass(with(AsNumber, AsMapping), flags(DISALLOW_INSTANTIATION))]
impl Checkpost {}

impl AsNumber for Checkpost {
    fn as_number() -> &'static PyNumberMethods {
        static METHODS: PyNumberMethods = PyNumberMethods { boolean: Some(deny), ..PyNumberMethods::NOT_IMPLEMENTED };
        &METHODS
    }
}

impl AsMapping for Checkpost {
    fn as_mapping() -> &'static PyMappingMethods {
        static METHODS: PyMappingMethods =
            PyMappingMethods { length: None, subscript: Some(inspect), ass_subscript: None };
        &METHODS
    }
}

fn deny(number: PyNumber<'_>, vm: &VirtualMachine) -> PyResult<bool> {
    let Duty::Deny(denial) = &Checkpost::number_downcast(number).duty else { return Ok(true) };
    let exceptions = &vm.ctx.exceptions;
    let class = match denial.kind {
        DenialKind::Attribute => exceptions.attribute_error,
        DenialKind::Import => exceptions.import_error,
        DenialKind::Name => exceptions.name_error,
        DenialKind::Feature => exceptions.type_error,
    };
    let message = format!("{} is not available in pycage", denial.what);
    // Not the VM's helpers for these classes: they attach the name or the object to the exception.
    match vm.invoke_exception(class, vec![vm.ctx.new_str(message).into()]) {
        Ok(exception) | Err(exception) => Err(exception),
    }
}

fn inspect(mapping: PyMapping<'_>, operand: &PyObject, vm: &VirtualMachine) -> PyResult {
    match &Checkpost::mapping_downcast(mapping).duty {
        Duty::Deny(_) => {}
        Duty::SelfMatching => {
            let types = &vm.ctx.types;
            let matching = [
                types.bool_type,
                types.bytearray_type,
                types.bytes_type,
                types.dict_type,
                types.float_type,
                types.frozenset_type,
                types.int_type,
                types.list_type,
                types.set_type,
                types.str_type,
                types.tuple_type,
            ];
            if !matching.iter().any(|class| operand.is(*class)) {
                return Err(vm.new_type_error("this class accepts no positional patterns in pycage; use keywords"));
            }
        }
        Duty::RealSuper => {
            if !operand.is(vm.ctx.types.super_type) {
                return Err(vm.new_type_error("special methods are called through the builtin super() only"));
            }
        }
        Duty::Result(check) | Duty::Stored(check) | Duty::Merged(check) => check(operand, vm)?,
        Duty::Unpacked(replace) | Duty::Arguments(replace) => return replace(operand.to_owned(), vm),
        Duty::Join(join) => match operand.downcast_ref::<PyTuple>() {
            Some(texts) => return join(texts, vm),
            None => return Err(vm.new_type_error("texts to join must be in a tuple")),
        },
    }
    Ok(operand.to_owned())
}
