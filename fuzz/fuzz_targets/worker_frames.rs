#![no_main]

#[global_allocator]
static ALLOCATOR: pycage::MeteredAlloc = pycage::MeteredAlloc::system();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pycage_fuzz::worker_frames::run(bytes));
