//! The `caio` command line.

fn main() {}
