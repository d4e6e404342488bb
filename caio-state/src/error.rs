//! What can go wrong, by what a caller can do about it.

use std::error::Error;

/// Result with a [`StoreError`].
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A failure of the store itself; a refused guard is no failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The outcome of a commit is not known: send the same transaction again.
    #[error(
        "{backend}: the outcome of a commit is unknown ({reason}); send the same transaction again"
    )]
    Ambiguous {
        /// Backend.
        backend: &'static str,
        /// What happened.
        reason: String,
    },
    /// A record cannot be read.
    #[error("{backend}: `{key}` cannot be read: {reason}")]
    Corrupt {
        /// Backend.
        backend: &'static str,
        /// Record.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request makes no sense.
    #[error("invalid request to the store: {0}")]
    Invalid(String),
    /// The store was opened for reading.
    #[error("{backend}: opened read-only, nothing can be written")]
    ReadOnly {
        /// Backend.
        backend: &'static str,
    },
    /// The store cannot be reached.
    #[error("{backend}: not available: {reason}")]
    Unavailable {
        /// Backend.
        backend: &'static str,
        /// What happened.
        reason: String,
        /// Cause.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The backend cannot do this.
    #[error("{backend} does not support {operation}")]
    Unsupported {
        /// What was asked.
        operation: &'static str,
        /// Backend.
        backend: &'static str,
    },
}

impl StoreError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ambiguous { .. } => "store.ambiguous",
            Self::Corrupt { .. } => "store.corrupt",
            Self::Invalid(_) => "store.invalid",
            Self::ReadOnly { .. } => "store.read_only",
            Self::Unavailable { .. } => "store.unavailable",
            Self::Unsupported { .. } => "store.unsupported",
        }
    }
}
