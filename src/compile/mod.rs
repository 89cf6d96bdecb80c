//! The compile ring: limits, parse, validate, compile, instrument.
//!
//! * [`limits`]: what is refused before it costs anything.
//! * [`parse`]: from text to the checked tree.
//! * [`validate`]: the closed allow-list of grammar and names.
//! * [`names`]: which names a script may use, for all rings.
//! * [`code`]: from the tree to bytecode.
//! * [`load`]: from bytecode to the objects of one interpreter.
//! * [`instrument`]: meters and guards in the bytecode.

pub(crate) mod code;
pub(crate) mod instrument;
pub(crate) mod limits;
mod load;
pub(crate) mod names;
pub(crate) mod parse;
pub(crate) mod validate;
mod violation;

use crate::error::Error;
use crate::guard::native::results;
use crate::meter::interned;
use crate::policy::Policy;
use instrument::{BulkChecks, NamePolicy, Options};
use rustpython_ast::{Mod, Stmt};
use rustpython_codegen::compile::CompileOpts;
use rustpython_compiler_core::Mode;
use rustpython_compiler_core::bytecode::CodeObject;
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{Py, PyRef, VirtualMachine};
use validate::Grant;

/// Which checks a source goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    All,
    /// All but the validator, to test that the run ring holds without it.
    #[cfg(feature = "test-hooks")]
    LimitsOnly,
}

/// Bytecode of a script that passed its checks, bound to no interpreter yet.
pub(crate) struct Compiled {
    code: CodeObject,
}

/// From text to bytecode.
///
/// The code answers the value of the last statement if that is an expression. To be called with a big stack: the compiler
/// recurses over the tree.
pub(crate) fn compile(source: &str, name: &str, policy: &Policy, checks: Checks) -> Result<Compiled, Error> {
    let grants = |module: &str| if policy.imports(module) { Grant::Granted } else { Grant::Denied };
    let (tree, file) = match checks {
        Checks::All => parse::parse_checked(source, name, &policy.limits, Some(&grants))?,
        #[cfg(feature = "test-hooks")]
        Checks::LimitsOnly => parse::parse_checked(source, name, &policy.limits, None)?,
    };
    let mode = if ends_in_expression(&tree) { Mode::BlockExpr } else { Mode::Exec };
    let code = code::compile_checked(tree, file, mode, CompileOpts::default())?;
    Ok(Compiled { code })
}

/// A module of pycage's own, from text to bytecode. The validator is for what others write: these sources are part of the
/// crate, and use private names to keep their state from scripts.
pub(crate) fn compile_library(source: &str, name: &str) -> Result<Compiled, Error> {
    let (tree, file) = parse::parse_checked(source, name, &Default::default(), None)?;
    let code = code::compile_checked(tree, file, Mode::Exec, CompileOpts::default())?;
    Ok(Compiled { code })
}

/// Instruments the bytecode for one interpreter; with `profile`, so that runs tell where their cost goes.
pub(crate) fn load(compiled: &Compiled, profile: bool, vm: &VirtualMachine) -> Result<PyRef<PyCode>, Error> {
    let code = load::code_object(compiled.code.clone(), &interned::NAMES, vm)
        .map_err(|full| Error::NamesExhausted { bytes: full.most })?;
    instrumented(&code, &Options { profile, ..OPTIONS }, vm)
}

/// Instruments the bytecode of a module of pycage's own. Its names are the same each time, and take of no script's part.
pub(crate) fn load_library(compiled: &Compiled, vm: &VirtualMachine) -> Result<PyRef<PyCode>, Error> {
    instrumented(&PyCode::new_ref_from_bytecode(vm, compiled.code.clone()), &LIBRARY_OPTIONS, vm)
}

fn instrumented(code: &Py<PyCode>, options: &Options, vm: &VirtualMachine) -> Result<PyRef<PyCode>, Error> {
    instrument::instrument_code(code, vm, options)
        .map_err(|error| Error::Setup(format!("{error}; this is a defect of pycage, please report it")))
}

/// A listing of instrumented code, for people.
pub(crate) fn disassemble(code: &PyCode, vm: &VirtualMachine) -> String {
    instrument::disasm(code, vm)
}

const OPTIONS: Options = Options {
    result_check: Some(results::check_result),
    bulk_checks: Some(BulkChecks {
        unpacked: results::check_unpack,
        merged: results::check_merge,
        join: results::build_string,
    }),
    ..Options::new(NamePolicy {
        attribute: |name| names::attribute(name).is_ok(),
        special_on_super: names::special_on_super,
        definable_special: names::definable_special,
        reference: |name| names::name(name, names::Scope::Function, names::Use::Read).is_ok(),
    })
};

/// As a script's, with names of their own.
const LIBRARY_OPTIONS: Options = Options {
    names: NamePolicy {
        attribute: names::library_attribute,
        special_on_super: names::library_special,
        definable_special: names::library_special,
        reference: |name| names::name(name, names::Scope::Function, names::Use::Read).is_ok(),
    },
    ..OPTIONS
};

fn ends_in_expression(tree: &Mod) -> bool {
    match tree {
        Mod::Module(module) => matches!(module.body.last(), Some(Stmt::Expr(_))),
        Mod::Expression(_) => true,
    }
}
