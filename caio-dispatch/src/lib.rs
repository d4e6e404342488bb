//! From a file of leads to a recorded delivery.

pub mod source;
