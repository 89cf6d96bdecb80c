//! Native functions of modules.
//!
//! They are shared by all sandboxes of an interpreter, so they keep no state and take no attributes. What they loop over is a
//! list that the Python half of the module made, metered; what they do with it is charged here.

pub(crate) mod common;
pub(crate) mod files;
pub(crate) mod json;
pub(crate) mod math;
pub(crate) mod objects;
pub(crate) mod random;
pub(crate) mod re;
pub(crate) mod taken;

use crate::policy::Policy;
use rustpython_vm::function::IntoPyNativeFn;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

/// Collects the native functions of a module.
pub(crate) struct Natives<'vm> {
    pub vm: &'vm VirtualMachine,
    sources: &'vm [(&'static str, PyObjectRef)],
    found: Vec<(&'static str, PyObjectRef)>,
}

impl<'vm> Natives<'vm> {
    /// `sources` are the interpreter's own modules that [`taken`] names.
    pub(crate) fn new(sources: &'vm [(&'static str, PyObjectRef)], vm: &'vm VirtualMachine) -> Self {
        Natives { vm, sources, found: Vec::new() }
    }

    /// Adds what a module of the interpreter's own has, under a name for the module.
    pub(crate) fn taken(&mut self, source: &str, attribute: &'static str, name: &'static str) -> PyResult<()> {
        let Some((_, source)) = self.sources.iter().find(|(known, _)| *known == source) else {
            return Err(self.vm.new_system_error(format!("the module '{source}' is not linked")));
        };
        let object = source.get_attr(attribute, self.vm)?;
        self.found.push((name, object));
        Ok(())
    }

    /// Adds a function.
    pub(crate) fn function<Kind>(&mut self, name: &'static str, function: impl IntoPyNativeFn<Kind>) {
        let object = self.vm.new_function(name, function).into();
        self.found.push((name, object));
    }

    /// Adds anything else.
    pub(crate) fn value(&mut self, name: &'static str, value: impl Into<PyObjectRef>) {
        self.found.push((name, value.into()));
    }

    pub(crate) fn finish(self) -> Vec<(&'static str, PyObjectRef)> {
        self.found
    }
}

/// For a module that needs no native functions.
#[allow(clippy::unnecessary_wraps, reason = "it stands among those that can fail")]
pub(crate) fn none(_natives: &mut Natives<'_>) -> PyResult<()> {
    Ok(())
}

/// What a module gets of the sandbox's own.
pub(crate) fn of_sandbox(policy: &Policy, module: &str, vm: &VirtualMachine) -> Vec<(&'static str, PyObjectRef)> {
    match module {
        "random" => vec![("_policy_seed", vm.ctx.new_int(policy.seed).into())],
        "time" => vec![("_clock", policy.clock.native(vm))],
        _ => Vec::new(),
    }
}
