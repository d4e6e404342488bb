//! Configuration as types: the old system's `config/production.json`, our own `caio.toml`, and the
//! registry of environment variables. Texts and maps come in as arguments; nothing is read here.

pub mod contradictions;
pub mod env;
pub mod env_check;
pub mod production;
pub mod settings;

mod keys;
mod reader;

pub use contradictions::{Contradiction, Weight, contradictions};
pub use production::{Loaded, Production};
pub use settings::{CaioToml, Layer, Resolved, Settings, Source};

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is not what its name says.
    #[error("{place}: {problem}")]
    Syntax {
        /// File, with the line where that is known.
        place: String,
        /// What the parser says.
        problem: String,
    },
    /// A value has another type, or is outside of its range.
    #[error("{key} ({place}) is {found}; expected {expected}")]
    Value {
        /// Dotted key.
        key: String,
        /// Where it stands.
        place: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
}

impl ConfigError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "config.syntax",
            Self::Value { .. } => "config.value",
        }
    }
}

/// A key that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: unknown key {key}{}", nearest.as_ref().map(|known| format!("; did you mean {known}?")).unwrap_or_default())]
pub struct UnknownKey {
    /// Dotted key.
    pub key: String,
    /// Where it stands.
    pub place: String,
    /// The known key that is spelled most like it.
    pub nearest: Option<String>,
}

/// The one of `known` that is spelled most like `given`, if any comes close.
fn nearest(given: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|known| (distance(given, known), *known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known.to_owned())
}

/// Letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_close_or_nothing() {
        let known = ["email_per_day", "email_per_hour", "per_campaign"];
        assert_eq!(
            nearest("email_perday", &known).as_deref(),
            Some("email_per_day")
        );
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
