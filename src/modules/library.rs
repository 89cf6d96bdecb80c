//! Module sources compiled once for the process, and made into code and native functions once for an interpreter.

use super::native::{self, Natives, taken};
use super::{Module, find};
use crate::compile::{self, Compiled};
use crate::error::Error;
use crate::guard::class;
use crate::meter::allocator;
use parking_lot::Mutex;
use rustpython_vm::builtins::PyCode;
use rustpython_vm::{PyObjectRef, PyRef, PyResult, VirtualMachine};
use std::collections::HashMap;
use std::sync::Arc;

static COMPILED: Mutex<Vec<(&'static str, Arc<Compiled>)>> = Mutex::new(Vec::new());

/// The modules of one interpreter that were asked for so far.
pub(crate) struct Library {
    /// `__build_class__` for the sources of modules.
    pub build_class: PyObjectRef,
    /// What every module may call beside the builtins.
    pub common: Vec<(&'static str, PyObjectRef)>,
    sources: Vec<(&'static str, PyObjectRef)>,
    loaded: Mutex<HashMap<&'static str, Arc<Loaded>>>,
}

/// A module as every sandbox of the interpreter runs it.
pub(crate) struct Loaded {
    pub code: PyRef<PyCode>,
    pub natives: Vec<(&'static str, PyObjectRef)>,
}

impl Library {
    /// To be called while the interpreter still imports.
    pub(crate) fn new(vm: &VirtualMachine) -> PyResult<Self> {
        let sources =
            taken::SOURCES.iter().map(|name| Ok((*name, vm.import(*name, 0)?))).collect::<PyResult<Vec<_>>>()?;
        let build_class = vm.new_function("__build_class__", class::build_library_class).into();
        let mut common = Natives::new(&sources, vm);
        native::common::install(&mut common)?;
        let common = common.finish();
        Ok(Library { build_class, common, sources, loaded: Mutex::default() })
    }

    /// Compiles a module and all that it imports, if that has not been done. Nothing of it is billed to a script.
    pub(crate) fn load(&self, module: &'static Module, vm: &VirtualMachine) -> Result<Arc<Loaded>, Error> {
        if let Some(loaded) = self.loaded.lock().get(module.name) {
            return Ok(loaded.clone());
        }
        let _paused = allocator::pause();
        let code = compile::load_library(&*compiled(module)?, vm)?;
        let mut natives = Natives::new(&self.sources, vm);
        (module.natives)(&mut natives)
            .map_err(|_| Error::Setup(format!("the native half of the module '{}' could not be made", module.name)))?;
        let loaded = Arc::new(Loaded { code, natives: natives.finish() });
        self.loaded.lock().insert(module.name, loaded.clone());
        for needed in imports(module.source).filter_map(find) {
            self.load(needed, vm)?;
        }
        Ok(loaded)
    }
}

fn compiled(module: &'static Module) -> Result<Arc<Compiled>, Error> {
    let mut known = COMPILED.lock();
    if let Some((_, compiled)) = known.iter().find(|(name, _)| *name == module.name) {
        return Ok(compiled.clone());
    }
    let file = format!("<{}>", module.name);
    let compiled = Arc::new(compile::compile_library(module.source, &file)?);
    known.push((module.name, compiled.clone()));
    Ok(compiled)
}

/// What a module imports, at its top level or in a function.
fn imports(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .map(str::trim_start)
        .filter_map(|line| line.strip_prefix("import ").or_else(|| line.strip_prefix("from ")))
        .filter_map(|rest| rest.split_whitespace().next())
}
