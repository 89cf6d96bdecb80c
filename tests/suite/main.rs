//! The integration tests, one binary: a topic a module.

mod api;
mod cli;
mod escapes;
mod fuzz;
mod hard_stop;
mod hostile;
mod modules;
mod ordinary;
mod process;
mod repeatable;
mod support;
mod tables;
mod values;

#[global_allocator]
static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();
