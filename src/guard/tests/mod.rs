//! The run ring by itself: ordinary programs run, escapes find nothing, and the table of what can be reached is complete.

mod escapes;
mod hidden;
mod ordinary;
mod reachable;
