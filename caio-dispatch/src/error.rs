//! What can go wrong, by what a caller can do about it.

use caio_core::batch::BatchRefusal;
use caio_core::draft::DraftRefusal;
use caio_core::webhook::Malformed;
use caio_state::StoreError;

/// Result with a [`DispatchError`].
pub type Result<T, E = DispatchError> = std::result::Result<T, E>;

/// A failure of a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The batch does not allow it.
    #[error(transparent)]
    Batch(#[from] BatchRefusal),
    /// Somebody else changed the record meanwhile.
    #[error("{what} `{id}` was changed by somebody else meanwhile; look at it again")]
    Conflict {
        /// Kind of record.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// The draft does not allow it.
    #[error(transparent)]
    Draft(#[from] DraftRefusal),
    /// A record cannot be written as JSON.
    #[error("a record cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
    /// There is no such record.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// Kind of record.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// A safety rule forbids it.
    #[error("{reason}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The body of a webhook is no event.
    #[error(transparent)]
    Webhook(#[from] Malformed),
}

impl DispatchError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Batch(refusal) => refusal.code(),
            Self::Conflict { .. } => "record.conflict",
            Self::Draft(refusal) => refusal.code(),
            Self::Encode(_) => "record.encode",
            Self::NotFound { .. } => "record.not_found",
            Self::Refused { code, .. } => code,
            Self::Store(error) => error.code(),
            Self::Webhook(malformed) => malformed.code(),
        }
    }
}
