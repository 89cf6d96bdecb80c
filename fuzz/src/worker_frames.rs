//! Whatever a worker says, or a host: the other side answers with an error, and neither panics nor takes memory that the
//! bytes do not explain.

use pycage::process::testing;

/// A first byte of zero makes the rest what a host says, any other one what a worker does.
pub fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, said)) => {
            testing::read_as_worker(said);
        }
        Some((_, said)) => {
            testing::host_against(said);
        }
        None => {}
    }
}
