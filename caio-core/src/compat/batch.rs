//! Whether the Python system would execute a batch.

use jiff::Timestamp;
use serde_json::Value;

use super::CompatError;
use super::compute_preview_hash;
use crate::pytext::dict_get;
use crate::pytext::fromisoformat;
use crate::pytext::is_truthy;
use crate::pytext::str_of;
use crate::pytext::text_of;
use crate::terms::terms;

terms! {
    /// Which check refused a batch; the first that fails wins, in this order.
    BatchFaultKind, "kind of batch fault",
    "status, missing_hash, missing_expiry, already_executed, expired, motion, hash_mismatch" {
        /// Not `approved`.
        Status = "status",
        /// No preview hash.
        MissingHash = "missing_hash",
        /// No expiry.
        MissingExpiry = "missing_expiry",
        /// Executed before, by time or by report.
        AlreadyExecuted = "already_executed",
        /// Past its expiry; the Python system also stores the status `expired` then.
        Expired = "expired",
        /// Neither the expected motion nor `all`.
        Motion = "motion",
        /// The scope is not the one that was hashed.
        HashMismatch = "hash_mismatch",
    }
}

/// Why a batch is not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// A check refused it (a `ValueError` in Python).
    #[error("{message}")]
    Invalid {
        /// Which check.
        kind: BatchFaultKind,
        /// The exact text of the old system.
        message: String,
    },
    /// The check itself failed with an exception that nobody meant to raise.
    #[error(transparent)]
    Raised(#[from] CompatError),
}

impl BatchFault {
    /// Stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "compat.batch_invalid",
            Self::Raised(raised) => raised.code(),
        }
    }

    /// Name of Python's exception class.
    pub const fn exception(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "ValueError",
            Self::Raised(raised) => raised.exception,
        }
    }
}

/// Checks a batch record before execution, as the Python system does.
///
/// Keeps PR-3 and PR-4 (the hash covers ids only and needs no key), PR-5 (an expiry that cannot be
/// read never expires) and BT-6 (one without an offset raises a `TypeError`). Corrected: the
/// seal and life cycle of [`crate::Batch`], where every unreadable expiry refuses.
pub fn validate_batch(
    batch: &Value,
    expected_motion: &str,
    now: Timestamp,
) -> Result<(), BatchFault> {
    let member = |name: &str| Ok::<_, CompatError>(dict_get(batch, name)?.unwrap_or(&Value::Null));
    for required in ["batch_id", "created_at", "motion"] {
        if dict_get(batch, required)?.is_none() {
            return Err(BatchFault::Raised(CompatError::type_error(format!(
                "DispatchBatch.__init__() missing 1 required positional argument: '{required}'"
            ))));
        }
    }
    let id = str_of(member("batch_id")?);
    let invalid = |kind, reason: String| BatchFault::Invalid {
        kind,
        message: format!("Batch {id} {reason}"),
    };

    let status = dict_get(batch, "status")?.map_or("pending".into(), str_of);
    if status != "approved" {
        let reason = format!("is '{status}', not approved");
        return Err(invalid(BatchFaultKind::Status, reason));
    }
    let expected_hash = member("preview_hash")?;
    if !is_truthy(expected_hash) {
        return Err(invalid(
            BatchFaultKind::MissingHash,
            "missing preview_hash".into(),
        ));
    }
    let expiry = member("expires_at")?;
    if !is_truthy(expiry) {
        return Err(invalid(
            BatchFaultKind::MissingExpiry,
            "missing expires_at".into(),
        ));
    }
    if is_executed(batch)? {
        return Err(invalid(
            BatchFaultKind::AlreadyExecuted,
            "already executed".into(),
        ));
    }
    if is_expired(expiry, now)? {
        let reason = format!("expired at {}", str_of(expiry));
        return Err(invalid(BatchFaultKind::Expired, reason));
    }
    let motion = member("motion")?;
    if motion != expected_motion && motion != "all" {
        let reason = format!(
            "motion '{}' incompatible with '{expected_motion}' execution",
            str_of(motion)
        );
        return Err(invalid(BatchFaultKind::Motion, reason));
    }
    let actual = compute_preview_hash(batch)?;
    if expected_hash != actual.as_str() {
        let expected = str_of(expected_hash);
        let reason = format!("preview hash mismatch (expected={expected}, actual={actual})");
        return Err(invalid(BatchFaultKind::HashMismatch, reason));
    }
    Ok(())
}

fn is_executed(batch: &Value) -> Result<bool, CompatError> {
    if dict_get(batch, "executed_at")?.is_some_and(is_truthy) {
        return Ok(true);
    }
    match dict_get(batch, "execution_report")? {
        Some(report) if is_truthy(report) => Ok(dict_get(report, "run_id")?.is_some_and(is_truthy)),
        _ => Ok(false),
    }
}

/// Whether `now` is past the expiry; a text that Python cannot read is never past (PR-5).
fn is_expired(expiry: &Value, now: Timestamp) -> Result<bool, CompatError> {
    let text = text_of(expiry, "replace")?.replace('Z', "+00:00");
    let Some(expiry) = fromisoformat(&text) else {
        return Ok(false);
    };
    match expiry.utc_micros() {
        Some(expiry) => Ok(now.as_microsecond() > expiry),
        None => Err(CompatError::type_error(
            "can't compare offset-naive and offset-aware datetimes",
        )),
    }
}
