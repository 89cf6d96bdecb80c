//! What `open` and `pathlib` charge for what they have the host do.

use super::Natives;
use crate::meter::fuel;
use rustpython_vm::{PyResult, VirtualMachine};

pub(crate) fn install(natives: &mut Natives<'_>) -> PyResult<()> {
    // Bytes that are moved, refused where there is no room for them.
    natives.function("_moved", |bytes: u64, vm: &VirtualMachine| fuel::reserve(bytes, vm));
    natives.function("_steps", |steps: u64, vm: &VirtualMachine| fuel::charge(steps, vm));
    Ok(())
}
