//! The integration tests, one binary: a topic a module.

#[global_allocator]
static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();
