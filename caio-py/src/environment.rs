//! The environment, read when a call needs it: scripts and their tests change it as they run.

/// A variable; an unset one and an empty one are the same.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the module reads the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}
