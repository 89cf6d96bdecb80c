use crate::error::Error;
use rustpython_vm::{VirtualMachine, builtins::PyDictRef};
pub(crate) fn close_off(_vm: &VirtualMachine) {}
pub(crate) fn grantable(_: &str) -> bool {
    false
}
pub(crate) fn new_globals(vm: &VirtualMachine) -> Result<PyDictRef, Error> {
    let d = vm.ctx.new_dict();
    d.set_item("__builtins__", vm.builtins.dict().into(), vm).unwrap();
    Ok(d)
}
pub(crate) mod streams {
    pub(crate) struct Capture;
    impl Capture {
        pub fn begin() -> Self {
            Capture
        }
        pub fn finish(self) -> String {
            String::new()
        }
    }
}
