//! Where leads come from: bytes become rows here, and nothing is said about what a field means.

pub mod elements;
