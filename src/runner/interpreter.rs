//! The interpreter of a runner: created once, never finalised.

use rustpython_vm::{Interpreter, Settings};
use std::mem::ManuallyDrop;

/// An interpreter for this thread.
///
/// It is never dropped: dropping one leaks most of it anyway, and finalising one slows every other interpreter of the
/// process for good.
pub(crate) fn create() -> ManuallyDrop<Interpreter> {
    let mut settings = Settings::default();
    settings.isolated = true;
    settings.ignore_environment = true;
    settings.install_signal_handlers = false;
    settings.import_site = false;
    settings.user_site_directory = false;
    settings.safe_path = true;
    settings.write_bytecode = false;
    settings.argv = Vec::new();
    // A fixed seed: the order of sets, and with it the bill, is the same in every process.
    settings.hash_seed = Some(0);
    // Automatic collections stop every interpreter of the process, and wait for a stuck one for ever: off before the
    // first Python code runs, also that of the start-up.
    ManuallyDrop::new(Interpreter::with_init(settings, |vm| vm.state.gc.disable()))
}
