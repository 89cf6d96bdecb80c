//! The instrumenter: rewrites compiled bytecode so that it is metered and guarded before it first runs.
//!
//! Each basic block begins with a probe, `LOAD_CONST meter; POP_JUMP_IF_TRUE +0`, where `meter` is a native object that
//! carries the block's weight (its number of instructions). The jump asks for the object's truth, and the object's boolean
//! slot spends the weight. Nothing of this is visible to a script, and a probe costs two instruction dispatches.
//!
//! The same trick guards what an instruction may name or touch: in front of an instruction that names a forbidden
//! attribute stands a constant whose truth is an `AttributeError`.
//!
//! * [`decode`]: code units to instructions, with jump targets resolved.
//! * [`blocks`]: basic blocks, their weights, where their probes stand.
//! * [`regions`]: which blocks run equally often.
//! * [`classify`]: the closed list of opcodes, and what must guard each.
//! * [`layout`]: instructions and insertions back to code units, exception table and line table.
//! * [`linetable`]: the line table's codec.
//! * [`probe`]: the native objects.
//! * [`profiled`]: the probes of scripts that are profiled.
//! * [`verify`]: the final check, on the finished code and independent of the steps above.
//! * [`disasm`]: a listing for people.
//!
//! What the count is: one for each instruction that the VM's own opcode trace reports, plus a surcharge for entering a
//! function with very many variables. Blocks are paid for before they run, so an exception in the midst of a block
//! over-charges by what was left of it. Small blocks may be paid for by their neighbours: an exception at such a seam is
//! over- or under-charged by at most [`blocks::MAX_SUNK`]. All of it repeats exactly. A block has at most a little over
//! [`blocks::MAX_BLOCK`] instructions.

mod blocks;
mod classify;
mod decode;
mod disasm;
mod layout;
mod linetable;
mod probe;
mod profiled;
mod regions;
mod verify;

#[cfg(test)]
mod tests;

pub(crate) use classify::NamePolicy;
pub(crate) use disasm::disasm;
pub(crate) use probe::{BulkChecks, ResultCheck};

use classify::Scope;
use decode::{Constant, Decoded};
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{AsObject, Py, PyObjectRef, PyRef, VirtualMachine};
use thiserror::Error as ThisError;

/// What the instrumenter puts in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Passes the weight of small blocks on to their successors, which spares about half of the probes.
    pub sink: bool,
    /// A probe for each line, which tells where it stands. No weight is passed on.
    pub profile: bool,
    /// Guards every instruction that names something, or that fetches by a name given at run time.
    pub guard_attributes: bool,
    /// Which names the guards allow.
    pub names: NamePolicy,
    /// Sends `*` through a slot that looks at the operands, and looks at the results of `*=`, and of `+=` on what may be a
    /// text, before the script gets them. The slot must be there, see [`crate::guard::native`].
    pub result_check: Option<ResultCheck>,
    /// Looks at what is unpacked, merged and joined by single opcodes, before it is done.
    pub bulk_checks: Option<BulkChecks>,
}

impl Options {
    /// Metering, sinking and guards by `names`; no checks of native work.
    pub(crate) const fn new(names: NamePolicy) -> Self {
        Options { sink: true, profile: false, guard_attributes: true, names, result_check: None, bulk_checks: None }
    }
}

/// Bytecode that cannot be instrumented. The code must not run.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("the compiled code cannot be instrumented: {message}")]
pub(crate) struct InstrumentError {
    message: String,
}

impl InstrumentError {
    fn new(message: impl Into<String>) -> Self {
        InstrumentError { message: message.into() }
    }
}

/// Code objects nested deeper than this are refused. The compiler nests one for each function, class or lambda.
const MAX_NESTING: usize = 200;

/// Instruments a code object that has never run, with all code objects nested in it. The original stays as it is.
pub(crate) fn instrument_code(
    code: &Py<PyCode>,
    vm: &VirtualMachine,
    options: &Options,
) -> Result<PyRef<PyCode>, InstrumentError> {
    probe::init_types();
    rewrite(code, Scope::Module, 0, vm, options)
}

fn rewrite(
    code: &Py<PyCode>,
    scope: Scope,
    depth: usize,
    vm: &VirtualMachine,
    options: &Options,
) -> Result<PyRef<PyCode>, InstrumentError> {
    if depth > MAX_NESTING {
        return Err(InstrumentError::new("code objects are nested too deep"));
    }
    let source = Decoded::new(&code.code)?;
    let blocks = blocks::plan(&code.code, &source, options)?;
    let guards = classify::guards(&code.code, &source, scope, options)?;
    let mut finished = layout::assemble(&code.code, &source, &blocks, &guards, vm, options)?;
    for constant in finished.constants.iter_mut() {
        let object = PyObjectRef::from(constant.clone());
        if let Some(nested) = object.downcast_ref::<PyCode>() {
            let nested = rewrite(nested, Scope::of_nested(&nested.code), depth + 1, vm, options)?;
            *constant = Constant::from(nested.as_object().to_owned());
        }
    }
    verify::verify(&finished, &source, &guards)?;
    Ok(vm.ctx.new_code(finished))
}
