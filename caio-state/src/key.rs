//! Names of documents, counters, leases and indexes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of a document, counter or lease, without the deployment's prefix, such as `caio:draft:…`.
///
/// Parts are joined with `:`. A backend adds its prefix; nobody else does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// Joins `parts` with `:`, each stripped of outer colons, empty ones dropped (as the Python
    /// system builds its keys).
    pub fn new(parts: &[&str]) -> Self {
        let parts = parts
            .iter()
            .map(|part| part.trim_matches(':'))
            .filter(|part| !part.is_empty());
        Self(parts.collect::<Vec<_>>().join(":"))
    }

    /// A name exactly as a backend stores it.
    pub(crate) fn stored(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
