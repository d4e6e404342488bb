//! End-to-end tests: they drive the real binary.
