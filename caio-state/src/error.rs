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
    /// The store has forgotten commits that it had acknowledged: an older copy came back.
    #[error(
        "{backend}: data was lost: commit {seen} was acknowledged, the store now stands at {found}; \
         nothing is written until somebody has looked (`caio doctor`)"
    )]
    LostData {
        /// Backend.
        backend: &'static str,
        /// Sequence that was acknowledged.
        seen: u64,
        /// Sequence found.
        found: u64,
    },
    /// Part of the data may still be in the old store alone, so a listing would leave it out.
    #[error(
        "{backend}: {operation} would leave out what only the old store holds; \
         finish with `caio state migrate` and `caio state cutover` first"
    )]
    MigrationIncomplete {
        /// What was asked.
        operation: &'static str,
        /// Backend.
        backend: &'static str,
    },
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
    /// The data belongs to another environment.
    #[error(
        "{backend}: the data under this prefix belongs to environment `{found}`, not `{expected}`; \
         give this one a prefix of its own"
    )]
    WrongEnvironment {
        /// Backend.
        backend: &'static str,
        /// What this process was told.
        expected: String,
        /// What the store says.
        found: String,
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
            Self::LostData { .. } => "store.lost_data",
            Self::MigrationIncomplete { .. } => "store.migration_incomplete",
            Self::ReadOnly { .. } => "store.read_only",
            Self::Unavailable { .. } => "store.unavailable",
            Self::Unsupported { .. } => "store.unsupported",
            Self::WrongEnvironment { .. } => "store.wrong_environment",
        }
    }
}
