//! The run ring: what a running script can reach, and what native code may do for it.
