//! The probes of a script that is profiled: each has its place in the source, and tells the run's recorder that it was passed.

use super::probe::pass_handler;
use crate::meter::fuel;
use crate::meter::profile::Site;
use rustpython_vm::builtins::PyType;
use rustpython_vm::class::StaticType;
use rustpython_vm::protocol::{PyNumber, PyNumberMethods};
use rustpython_vm::types::AsNumber;
use rustpython_vm::{Context, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine, pyclass};
use std::sync::Arc;

/// As a block's meter, for a block of one line.
#[pyclass(module = false, name = "line_meter")]
#[derive(Debug)]
pub(super) struct LineMeter {
    pub weight: i64,
    pub handler: bool,
    pub site: Arc<Site>,
}

impl PyPayload for LineMeter {
    fn class(_ctx: &Context) -> &'static Py<PyType> {
        Self::static_type()
    }
}

impl LineMeter {
    pub(super) fn object(weight: i64, handler: bool, site: Arc<Site>, vm: &VirtualMachine) -> PyObjectRef {
        LineMeter { weight, handler, site }.into_ref(&vm.ctx).into()
    }
}

#[pyclass(with(AsNumber), flags(DISALLOW_INSTANTIATION))]
impl LineMeter {}

impl AsNumber for LineMeter {
    fn as_number() -> &'static PyNumberMethods {
        static METHODS: PyNumberMethods =
            PyNumberMethods { boolean: Some(spend_line), ..PyNumberMethods::NOT_IMPLEMENTED };
        &METHODS
    }
}

fn spend_line(number: PyNumber<'_>, vm: &VirtualMachine) -> PyResult<bool> {
    let meter = LineMeter::number_downcast(number);
    fuel::record(&meter.site, meter.weight, vm);
    fuel::spend(meter.weight, vm)?;
    pass_handler(meter.handler, vm);
    Ok(true)
}
