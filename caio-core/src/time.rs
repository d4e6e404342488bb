//! Where time, ids and randomness enter: traits that the binary implements and tests replace.

use std::fmt::Debug;

use jiff::Timestamp;

/// A source of the current instant.
pub trait Clock: Debug + Send + Sync {
    /// The current instant, UTC.
    fn now(&self) -> Timestamp;
}

/// A source of identifiers and random bytes.
pub trait IdSource: Debug + Send + Sync {
    /// A fresh identifier: lower-case hex, 32 digits, ordered by time of creation.
    fn id(&self) -> String;

    /// Fresh random bytes, fit for a nonce or a key.
    fn random(&self) -> [u8; 32];
}

/// Text form of an instant in our own records: RFC 3339, UTC, microseconds, `Z`.
///
/// Fixed width, so that text order is time order.
///
/// ```
/// let start: jiff::Timestamp = "2026-03-02T14:00:00Z".parse().unwrap();
/// assert_eq!(caio_core::time::rfc3339(start), "2026-03-02T14:00:00.000000Z");
/// ```
pub fn rfc3339(instant: Timestamp) -> String {
    format!("{instant:.6}")
}
