//! The integration tests, one binary: a topic a module.

mod api;
mod asynchronous;
mod audit;
mod batch;
mod breadth;
mod classroom;
mod cli;
mod escapes;
#[cfg(unix)]
mod files;
mod fuzz;
mod hard_stop;
mod host_functions;
mod host_in_tasks;
mod host_modules;
mod host_objects;
mod hostile;
mod modules;
mod ordinary;
mod peer;
mod process;
mod profile;
mod repeatable;
mod repl;
mod script_modules;
mod serde;
mod spans;
mod state;
mod stubs;
mod support;
mod tables;
mod tasks;
mod values;
mod with;

#[global_allocator]
static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();
